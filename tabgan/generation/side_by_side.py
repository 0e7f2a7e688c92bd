"""Work in threads, each of which computes its tensors alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from tabgan.networks.precision import fast_matmul
from tabgan.table.encoder import EncodedTable

LEAST_PART, MOST_PARTS = 8_192, 8
"""Least rows of a part that `draw_in_parts` draws, and most parts."""


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


def draw_in_parts(
    draw: Callable[[EncodedTable, torch.Generator], EncodedTable],
    given: EncodedTable,
    noise: torch.Generator,
) -> EncodedTable:
    """Draw many rows in parts, on a CPU in as many threads as torch has.

    Each part has a random stream of its own, so that rows do not depend on the number of threads.

    Parameters
    ----------
    draw : callable, (EncodedTable, torch.Generator) -> EncodedTable
        Draws one row for each condition.
    given : EncodedTable of n rows
        The conditions.
    noise : torch.Generator

    Returns
    -------
    EncodedTable of n rows
    """
    n_parts = min(MOST_PARTS, 1 << max(0, (len(given) // LEAST_PART).bit_length() - 1))
    if n_parts == 1 or noise.device.type != "cpu":
        return draw(given, noise)
    parts = torch.arange(len(given)).tensor_split(n_parts)
    seeds = torch.randint(2**62, (n_parts,), generator=noise).tolist()
    drawn: dict[int, EncodedTable] = {}

    def work(k: int) -> None:
        drawn[k] = draw(given.rows(parts[k]), torch.Generator().manual_seed(seeds[k]))

    done = [drawn[k] for k in side_by_side(work, range(n_parts), torch.get_num_threads())]
    return EncodedTable(*(torch.cat(each) for each in zip(*done, strict=True)))
