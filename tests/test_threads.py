"""Threads of one process: settings and streams that all of them share."""

from __future__ import annotations

import threading

import torch

from tabgan.networks.precision import fast_matmul
from tabgan.randomness import seeded_weights


def test_initial_weights_do_not_depend_on_other_threads():
    """Two threads build networks, and each would draw between the draws of the other."""
    drawn, begun = {}, [threading.Event(), threading.Event()]

    def build(seed):
        with seeded_weights(seed):
            first = torch.randn(3)
            begun[seed].set()
            # Of the thread that is not let in, the other one does not hear.
            begun[1 - seed].wait(0.2)
            drawn[seed] = torch.cat([first, torch.randn(3)])

    threads = [threading.Thread(target=build, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, values in drawn.items():
        with seeded_weights(seed):
            assert torch.equal(values, torch.cat([torch.randn(3), torch.randn(3)]))


def test_the_precision_of_products_returns_after_the_last_of_overlapping_blocks():
    assert torch.get_float32_matmul_precision() == "highest"
    one, other = fast_matmul(), fast_matmul()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "medium"
    other.__exit__(None, None, None)
    assert torch.get_float32_matmul_precision() == "highest"
