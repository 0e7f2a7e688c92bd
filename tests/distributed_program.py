"""What each of two processes does, and what the tests compare: started by torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

import contract
import contract_sequences
import pandas as pd
import torch
from contract import narrow_table, weights

import tabgan


def exact(**settings):
    """Fit a model whose generator has no noise in a step; batches do not divide evenly."""
    return contract.small(
        tabgan.AutoregressiveSynthesizer,
        dropout=0.0,
        n_steps=30,
        batch_size=33,
        random_state=5,
        acceptance_rounds=1,
        n_iter_no_change=1,
        **settings,
    ).fit(narrow_table())


def generator(model):
    """Return the weights that no noise has reached."""
    return torch.cat([p.detach().flatten() for p in model._core.game.networks.parameters()])


def learnt(model):
    """Return all that a model ends with: its tensors, its history and the rows that it draws."""
    tensors = torch.cat(
        [
            value.detach().double().flatten()
            for module in model._core.modules().values()
            for value in module.state_dict().values()
        ]
    )
    history = model.history_.drop(columns="seconds").to_numpy()
    return {"tensors": tensors, "history": history, "rows": contract.outcome(model, 1)}


def main(folder):
    torch.set_num_threads(1)
    shared, told = {"distributed": True}, {}

    model = exact(**shared)
    rank = torch.distributed.get_rank()
    told["exact"] = learnt(model) | {"generator": generator(model)}

    for cls in (tabgan.WGANSynthesizer, tabgan.AAESynthesizer, tabgan.GAINImputer):
        model = contract.fit_small(cls, narrow_table(), random_state=None, **shared)
        told[cls.__name__] = learnt(model)
    told["further"] = weights(contract.go_on(model))
    stopping = {"early_stopping": True, "n_steps": 9, "n_iter_no_change": 1}
    model = contract.fit_small(tabgan.GANSynthesizer, narrow_table(), **stopping, **shared)
    told["stopping"] = learnt(model)
    waves = contract_sequences.long_table()
    model = contract_sequences.fit_small(tabgan.RCGANSynthesizer, waves, **shared)
    told["sequences"] = {"tensors": weights(model), "rows": model.sample(5, random_state=1)}

    model = contract.fit_small(tabgan.GANSynthesizer, narrow_table(), batch_size=1, **shared)
    told["one row"] = weights(model)

    calls = [lambda training: rank == 1 and training.step == 3]
    model = contract.fit_small(
        tabgan.GANSynthesizer, narrow_table(), n_steps=9, callbacks=calls, **shared
    )
    told["called off"] = model.n_steps_

    alone = contract.fit_small(tabgan.GANSynthesizer, narrow_table(), random_state=rank)
    told["alone"] = weights(alone)

    table = narrow_table() if rank == 0 else pd.concat([narrow_table()[30:], narrow_table()[:30]])
    try:
        contract.fit_small(tabgan.GANSynthesizer, table, **shared)
    except ValueError as error:
        told["other rows"] = str(error)
    torch.save(told, Path(folder) / f"{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
