"""Work in threads, each of which computes its tensors alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from tabgan.networks.precision import fast_matmul


def side_by_side(work: Callable[[int], None], numbers: Sequence[int], n: int) -> Iterator[int]:
    """Call a function for each number, in several threads at once.

    Drawing rows is many small steps, which several threads share badly: a thread for each part of
    the rows takes less time. Within a thread torch computes with that thread alone, so that results
    do not depend on the number of threads.

    Parameters
    ----------
    work : callable, int -> None
    numbers : sequence of int
    n : int >= 1
        Number of threads.

    Yields
    ------
    int
        The numbers in their order, each once its work is done.

    Raises
    ------
    Exception
        Whatever `work` raised first; work that has not begun is left.
    """
    threads = torch.get_num_threads()
    # Draws switch the precision of products on and off for all threads; it stays on here.
    with (
        fast_matmul(),
        ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        waiting = [pool.submit(work, k) for k in numbers]
        try:
            for k, each in zip(numbers, waiting, strict=True):
                each.result()
                yield k
        finally:
            for each in waiting:
                each.cancel()
            torch.set_num_threads(threads)
