"""A fit that was cut short goes on from its checkpoint, and ends as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest
from contract import ESTIMATORS, EVERYONE, narrow_table, says
from interruptions import N_STEPS, Killed, assert_same, fit, killed_at, make
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from seeds import seed

import tabgan
from tabgan import AutoregressiveSynthesizer, BiGANSynthesizer, WGANSynthesizer
from tabgan.estimators import checkpoints
from tabgan.estimators.checkpoints import _told

# A second process would look at the rows of a private model once more.
KEPT = [cls for cls in EVERYONE if cls is not tabgan.DPSynthesizer]


def cut_short(estimator, table, step):
    """Fit until a step, after which the process ends."""
    estimator.set_params(callbacks=[killed_at(step)])
    with pytest.raises(Killed):
        fit(estimator, table)


@pytest.mark.parametrize(
    "cls", [cls for cls in ESTIMATORS if cls in KEPT], ids=lambda cls: cls.__name__
)
def test_the_end_is_that_of_an_uninterrupted_fit(cls, tmp_path):
    path, table = tmp_path / "run.ckpt", narrow_table()
    whole = fit(make(cls), table)
    step = int(np.random.default_rng(seed(1)).integers(1, N_STEPS))
    kept = {"checkpoint": path, "checkpoint_every": 0}
    cut_short(make(cls, **kept), table, step + 1)
    assert path.exists()
    resumed = fit(make(cls, **kept), table)
    assert_same(resumed, whole)
    assert not path.exists()


@pytest.mark.parametrize(
    "model",
    [
        make(WGANSynthesizer, n_steps=20, early_stopping=True, acceptance_rounds=2),
        make(WGANSynthesizer, generator="joint", early_stopping=True, n_iter_no_change=9),
        make(AutoregressiveSynthesizer, n_steps=20, acceptance_rounds=2),
        make(
            BiGANSynthesizer, n_steps=20, early_stopping=True, techniques=[tabgan.adversarial.R1()]
        ),
    ],
    ids=["causal", "joint", "autoregressive", "BiGAN"],
)
def test_early_stopping_and_rejection_end_alike(model, tmp_path):
    from sklearn.base import clone

    table = tabgan.datasets.make_mixed_table(300, missing=0.1, random_state=0)
    whole = clone(model).fit(table)
    kept = {"checkpoint": str(tmp_path / "run.ckpt"), "checkpoint_every": 0}
    for step in (2, 4, 5):
        cut_short(clone(model).set_params(**kept), table, step)
    resumed = clone(model).set_params(**kept).fit(table)
    assert_same(resumed, whole)
    rows = (each.sample(50, random_state=1) for each in (resumed, whole))
    pd.testing.assert_frame_equal(*rows)


def test_the_end_of_the_process_after_training(tmp_path, monkeypatch):
    """Rejection is learnt anew, and training is not repeated."""
    from tabgan.generation.accepted import Acceptance

    table = tabgan.datasets.make_mixed_table(300, random_state=0)
    parameters = {"checkpoint": tmp_path / "run.ckpt", "acceptance_rounds": 1}
    whole = make(WGANSynthesizer, acceptance_rounds=1).fit(table)

    def stop(self, *args):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Acceptance, "fit", stop)
        with pytest.raises(Killed):
            make(WGANSynthesizer, **parameters).fit(table)
    steps = []
    resumed = make(WGANSynthesizer, callbacks=[steps.append], **parameters).fit(table)
    assert not steps
    assert_same(resumed, whole)
    assert not (tmp_path / "run.ckpt").exists()


def test_a_fit_without_a_seed_goes_on_with_the_seed_it_had(tmp_path):
    kept = {"checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 0, "random_state": None}
    table = narrow_table()
    cut_short(make(WGANSynthesizer, **kept), table, 3)
    with safe_open(str(tmp_path / "run.ckpt"), framework="pt") as file:
        said = json.loads(file.metadata()["tabgan_checkpoint"])
    resumed = make(WGANSynthesizer, **kept).fit(table)
    assert resumed._seed == said["fit"]["seed"]
    assert resumed.n_steps_ == N_STEPS


def test_partial_fit_goes_on_too(tmp_path):
    kept = {"checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 0}
    table = narrow_table()
    models = [make(WGANSynthesizer).fit(table) for _ in range(2)]
    whole = models[0].partial_fit(table)
    models[1].save(tmp_path / "model")
    with pytest.raises(Killed):
        models[1].set_params(callbacks=[killed_at(N_STEPS + 3)], **kept).partial_fit(table)
    resumed = tabgan.load(tmp_path / "model").set_params(**kept).partial_fit(table)
    assert_same(resumed, whole)
    assert resumed.n_steps_ == 2 * N_STEPS


def test_an_interrupt_keeps_the_file(tmp_path):
    def interrupt(training):
        if training.step == 3:
            raise KeyboardInterrupt

    path, table = tmp_path / "run.ckpt", narrow_table()
    kept = {"checkpoint": path, "checkpoint_every": 0}
    with pytest.warns(UserWarning, match="interrupted after 3 steps"):
        usable = make(WGANSynthesizer, callbacks=[interrupt], **kept).fit(table)
    assert len(usable.sample(5)) == 5 and path.exists()
    assert_same(make(WGANSynthesizer, **kept).fit(table), make(WGANSynthesizer).fit(table))


def test_an_interrupt_after_training_leaves_a_usable_model(monkeypatch, tmp_path):
    from tabgan.generation.accepted import Acceptance

    def interrupt(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(Acceptance, "fit", interrupt)
    model = make(WGANSynthesizer, acceptance_rounds=1)
    with pytest.warns(UserWarning, match="was interrupted after training"):
        model.fit(narrow_table())
    assert len(model.sample(5)) == 5
    path = tmp_path / "run.ckpt"
    with pytest.raises(KeyboardInterrupt):
        model.set_params(checkpoint=path).fit(narrow_table())
    assert path.exists()
    with pytest.raises(Exception, match="not fitted"):
        model.sample(5)


# ---------------------------------------------------------------------- what is refused


@pytest.fixture
def path(tmp_path):
    """The checkpoint of a fit that was cut short."""
    path = tmp_path / "run.ckpt"
    cut_short(make(WGANSynthesizer, checkpoint=path, checkpoint_every=0), narrow_table(), 3)
    return path


@pytest.mark.parametrize(
    ("cls", "parameters", "told"),
    [
        (WGANSynthesizer, {"hidden_dim": 9}, "hidden_dim (8 there, 9 here)"),
        (WGANSynthesizer, {"n_steps": 7}, "n_steps (6 there, 7 here)"),
        (WGANSynthesizer, {"random_state": 10**6}, "random_state"),
        (BiGANSynthesizer, {}, "class"),
    ],
)
def test_a_checkpoint_of_other_parameters_is_refused(path, cls, parameters, told):
    before = path.read_bytes()
    message = (
        f"checkpoint is {str(path)!r}, which belongs to a fit of another {told}; name another "
        "file, or delete this one to begin anew."
    )
    with pytest.raises(ValueError, match=says(message)):
        make(cls, checkpoint=path, **parameters).fit(narrow_table())
    assert path.read_bytes() == before


def test_parameters_that_are_objects_are_told_apart():
    for cls, name, values in (
        (tabgan.Privacy, "min_rows", (5, 5, 6)),
        (tabgan.adversarial.WeightAveraging, "decay", (0.1, 0.1, 0.2)),
    ):
        one, same, other = (cls(**{name: value}) for value in values)
        assert _told(one) == _told(same) != _told(other)


def test_a_checkpoint_of_another_table_is_refused(path):
    table = narrow_table().copy()
    number = table.select_dtypes("number").columns[0]
    table[number] += 1
    with pytest.raises(ValueError, match="belongs to a fit of another table"):
        make(WGANSynthesizer, checkpoint=path).fit(table)


def test_a_checkpoint_of_other_rows_is_refused(path):
    """The same columns, each with the same values, in another order of rows."""
    with pytest.raises(ValueError, match="belongs to a fit of other rows"):
        make(WGANSynthesizer, checkpoint=path).fit(narrow_table().iloc[::-1].reset_index(drop=True))


@pytest.mark.parametrize("damage", ["cut", "edit", "text", "empty", "model"])
def test_a_damaged_checkpoint_is_refused(path, damage):
    content = path.read_bytes()
    if damage == "edit":
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata()
        tensors = load_file(path)
        name = next(name for name in tensors if name.startswith("game"))
        tensors[name] += 1
        save_file(tensors, path, metadata=metadata)
    elif damage == "model":
        make(WGANSynthesizer).fit(narrow_table()).save(path)
    else:
        path.write_bytes({"cut": content[:-10], "text": b"nothing", "empty": b""}[damage])
    with pytest.raises(ValueError, match="is no checkpoint of tabgan or is damaged"):
        make(WGANSynthesizer, checkpoint=path).fit(narrow_table())


def test_a_checkpoint_that_another_process_deletes_is_none(path, monkeypatch):
    """Two processes do the same fit, and the other one ends between two looks at the file."""
    real = checkpoints.safe_open

    def delete_first(name, **options):
        os.unlink(name)
        return real(name, **options)

    monkeypatch.setattr(checkpoints, "safe_open", delete_first)
    resumed = make(WGANSynthesizer, checkpoint=path).fit(narrow_table())
    assert_same(resumed, make(WGANSynthesizer).fit(narrow_table()))


def test_processes_cannot_share_a_checkpoint(tmp_path):
    model = make(WGANSynthesizer, checkpoint=tmp_path / "run.ckpt", distributed=True)
    with pytest.raises(ValueError, match="checkpoint and distributed=True are both given"):
        model.fit(narrow_table())


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    model = make(WGANSynthesizer, checkpoint=tmp_path / "nowhere" / "run.ckpt", checkpoint_every=0)
    with pytest.raises(OSError, match="checkpoint is .*nowhere.*could not be written"):
        model.fit(narrow_table())


def test_a_saved_model_does_not_know_the_path(tmp_path):
    model = make(WGANSynthesizer, checkpoint=tmp_path / "run.ckpt").fit(narrow_table())
    model.save(tmp_path / "model")
    assert tabgan.load(tmp_path / "model").checkpoint is None


# ---------------------------------------------------------------------- a real process

PROGRAM = textwrap.dedent(
    """
    import sys
    import tabgan
    from tabgan.datasets import make_mixed_table

    path = sys.argv[1] if len(sys.argv) > 1 else None
    model = tabgan.WGANSynthesizer(
        n_steps=40, hidden_dim=16, batch_size=100, acceptance_rounds=1, random_state=0,
        checkpoint=path, checkpoint_every=0, device="cpu",
    )
    print("begun", flush=True)
    model.fit(make_mixed_table(200, random_state=0))
    print(model.sample(300, random_state=0).to_csv(), end="")
    """
)


def test_a_killed_process(tmp_path):
    """A process that is killed once the file is there, and a second one that goes on."""
    program, path = tmp_path / "program.py", tmp_path / "run.ckpt"
    program.write_text(PROGRAM)
    run = [sys.executable, str(program)]
    whole = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    with subprocess.Popen([*run, str(path)], stdout=subprocess.PIPE) as process:
        while not path.exists() and process.poll() is None:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    assert path.exists()
    again = subprocess.run([*run, str(path)], capture_output=True, text=True, check=True).stdout
    assert again == whole and not path.exists()


def test_every_estimator_has_the_parameters():
    assert all({"checkpoint", "checkpoint_every"} <= set(cls().get_params()) for cls in KEPT)
