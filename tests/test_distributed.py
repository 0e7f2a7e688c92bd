"""One model from two processes, which torchrun starts and which exchange gradients by Gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import distributed_program
import numpy as np
import pandas as pd
import pytest
import torch
from contract import fit_small, narrow_table, whole_batch

import tabgan
from tabgan.adversarial.processes import Processes
from tabgan.generation.core import resolve_device

TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each of the two processes tells of its fits."""
    folder = tmp_path_factory.mktemp("processes")
    own = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *command, TESTS / "distributed_program.py", folder],
        env={**os.environ, "PYTHONPATH": own, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1)]


def test_two_processes_learn_what_one_learns(told):
    """Early stopping, restored weights, corrected rates and the trees of rejection included."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = distributed_program.exact()
    finally:
        torch.set_num_threads(n_threads)
    one, two = distributed_program.generator(model), told[0]["exact"]["generator"]
    history = model.history_.drop(columns="seconds")
    columns = [history.columns.get_loc(name) for name in ("step", "generator", "log_likelihood")]
    np.testing.assert_allclose(
        history.to_numpy()[:, columns], told[0]["exact"]["history"][:, columns], rtol=1e-2
    )
    untrained = fit_small(
        tabgan.AutoregressiveSynthesizer, narrow_table(), n_steps=0, random_state=5
    )
    moved = (distributed_program.generator(untrained) - one).norm()
    # Adam makes much of rounding where a gradient is almost zero.
    assert (one - two).norm() < 0.1 * moved


@pytest.mark.parametrize(
    "case",
    ["exact", "WGANSynthesizer", "AAESynthesizer", "GAINImputer", "stopping", "sequences"],
)
def test_all_processes_end_with_one_model(told, case):
    one, other = (each[case] for each in told)
    assert torch.equal(one["tensors"], other["tensors"])
    pd.testing.assert_frame_equal(one["rows"], other["rows"], check_exact=True)
    if "history" in one:
        np.testing.assert_array_equal(one["history"], other["history"])


def test_training_goes_on_together(told):
    assert torch.equal(told[0]["further"], told[1]["further"])


def test_a_batch_of_fewer_rows_than_processes_is_not_shared(told):
    model = fit_small(tabgan.GANSynthesizer, narrow_table(), batch_size=1)
    assert torch.equal(told[0]["one row"], told[1]["one row"])
    assert told[0]["one row"].isfinite().all()
    assert model.n_steps_ == 2


def test_a_callback_in_one_process_ends_all(told):
    assert [each["called off"] for each in told] == [3, 3]


def test_without_the_parameter_processes_train_apart(told):
    assert not torch.equal(told[0]["alone"], told[1]["alone"])


def test_other_rows_in_one_process_are_refused(told):
    for each in told:
        assert each["other rows"].startswith("X differs between the 2 processes; with distributed=")


# ---------------------------------------------------------------------- without a group


def test_shares_add_up_to_the_batch(monkeypatch):
    monkeypatch.setattr(Processes, "_check_same", lambda processes, batch: None)
    batch = whole_batch(fit_small(tabgan.GANSynthesizer, narrow_table()), narrow_table())
    batch.labelled = batch.mapped(lambda tensor: tensor[:2])
    shares = [
        next(Processes(rank, 3).deal(iter([batch]), torch.Generator().manual_seed(0)))
        for rank in range(3)
    ]
    for name in ("row", "condition"):
        whole = torch.cat([getattr(share, name) for share in shares])
        assert torch.equal(whole, getattr(batch, name))
    assert torch.equal(torch.cat([share.table.codes for share in shares]), batch.table.codes)
    # Two rows cannot be shared by three; each process gets both.
    assert all(torch.equal(share.labelled.row, batch.labelled.row) for share in shares)
    draws = [torch.rand(3, generator=share.rng).tolist() for share in shares]
    assert len(set(map(tuple, draws))) == 3


def test_without_other_processes_nothing_changes(monkeypatch):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    one, other = (
        fit_small(tabgan.GANSynthesizer, narrow_table(), distributed=flag) for flag in (True, False)
    )
    pd.testing.assert_frame_equal(one.sample(9), other.sample(9), check_exact=True)
    assert Processes.join(torch.device("cpu")) == Processes()


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert resolve_device("auto") == torch.device("cuda", 1)
    monkeypatch.delenv("LOCAL_RANK")
    assert resolve_device("auto") == torch.device("cuda", 0)
