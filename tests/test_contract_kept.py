"""What a fitted model keeps: no row that it learnt from, and no more for more rows."""

from __future__ import annotations

import pickle
import types

import numpy as np
import pandas as pd
import torch
from contract import every_estimator, fit_small, weights

from tabgan.table.encoder import Encoder


def reachable(root):
    """Everything that an object refers to, code and modules aside."""
    seen, waiting = {}, [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, type | types.ModuleType | str | bytes):
            continue
        seen[id(item)] = item
        if isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += list(item)
        elif isinstance(item, types.MethodType):
            waiting.append(item.__self__)
        elif isinstance(item, types.FunctionType):
            waiting += [cell.cell_contents for cell in item.__closure__ or ()]
        else:
            waiting += list(getattr(item, "__dict__", {}).values())
    return list(seen.values())


@every_estimator
def test_no_training_row_is_kept(cls):
    """No array has an entry per training row, nor a row of it the values of one, encoded or not."""
    n_rows = 1009  # prime, so that no other array has this length by chance
    numbers = np.random.default_rng(0).normal(size=(n_rows, 4))
    synthesizer = fit_small(cls, numbers)
    encoders = [item for item in reachable(synthesizer) if isinstance(item, Encoder)]
    encoder = max(encoders, key=lambda encoder: encoder.layout.width)
    encoded = encoder.encode(pd.DataFrame(numbers)[encoder.schema.names]).scalars.numpy()
    arrays = [
        np.asarray(item.detach() if isinstance(item, torch.Tensor) else item)
        for item in reachable(synthesizer)
        if isinstance(item, np.ndarray | torch.Tensor | pd.Series | pd.DataFrame)
    ]
    assert sum(array.size for array in arrays) >= weights(synthesizer).numel()
    for array in arrays:
        assert n_rows not in array.shape
        for secret in (numbers.astype(np.float32), encoded):
            if array.ndim == 2 and array.dtype.kind == "f" and secret.shape[1] > 1:
                rows = array.astype(np.float32)
                for row in rows[np.isin(rows, secret).sum(axis=1) >= secret.shape[1]]:
                    assert not np.isin(secret, row).all(axis=1).any()


@every_estimator
def test_size_does_not_grow_with_the_rows(cls):
    """Beyond the rows that fill all bins of a number; fewer rows have fewer bins."""
    sizes = []
    for n_rows in (3000, 30_000):
        numbers = np.random.default_rng(0).normal(size=(n_rows, 3))
        sizes.append(len(pickle.dumps(fit_small(cls, numbers, n_steps=1))))
    assert sizes[1] < 1.05 * sizes[0]
