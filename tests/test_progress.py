"""Progress bars: named after the estimator, quiet in files, with an end that says why."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from contract import fit_small, narrow_table

import tabgan
from tabgan.notices import Progress


def test_a_bar_has_the_estimators_name(capfd):
    fit_small(tabgan.AutoregressiveSynthesizer, narrow_table(), verbose=1, n_steps=3)
    err = capfd.readouterr().err
    assert err.lstrip("\r").startswith("AutoregressiveSynthesizer: ") and "Game" not in err


def test_a_bar_that_ends_early_is_full_and_says_why(capfd):
    model = fit_small(
        tabgan.WGANSynthesizer,
        narrow_table(),
        verbose=1,
        n_steps=500,
        early_stopping=True,
        n_iter_no_change=1,
        generator="joint",
    )
    err = capfd.readouterr().err
    assert model.n_steps_ < 500
    last = err.rstrip("\n").split("\r")[-1]
    assert f"{model.n_steps_}/{model.n_steps_}" in last and "100%" in last
    assert "stopped: held-out fidelity no longer grows" in last
    fit_small(
        tabgan.GANSynthesizer, narrow_table(), verbose=1, n_steps=9, callbacks=[lambda _: True]
    )
    assert "stopped: a callback said so" in capfd.readouterr().err


def test_a_file_gets_few_lines(capfd):
    """Where nobody watches, a line comes every half minute, and here no run takes that long."""
    fit_small(tabgan.GANSynthesizer, narrow_table(), verbose=1, n_steps=300)
    err = capfd.readouterr().err
    assert err.count("\r") + err.count("\n") <= 4


def test_a_terminal_gets_a_bar_that_moves(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("Work", 200, "row") as bar:
        for n in range(1, 201):
            bar.reach(n)
            bar._bar.refresh()
    assert capsys.readouterr().err.count("\r") > 50


def test_a_bar_shares_no_lock_with_other_processes():
    """A process that is killed while it draws a bar must not stop its parent."""
    with Progress("work", total=2, unit="step") as bar:
        assert type(bar._bar.get_lock()) is type(threading.RLock())
    with Progress(None, total=2, unit="step") as bar:
        assert bar._bar is None


def test_nothing_is_shown_without_a_name(capfd):
    with Progress(None, 10, "row") as bar:
        bar.reach(5, {"loss": 0.5})
        bar.stop("stopped: for a reason")
    assert capfd.readouterr() == ("", "")


def test_rows_sought_by_rejection_are_counted(capfd):
    model = fit_small(tabgan.GANSynthesizer, narrow_table(), verbose=1)
    capfd.readouterr()
    model.sample(30, conditions={"kind": "c", "flag": True})
    err = capfd.readouterr().err
    assert "GANSynthesizer" in err and "30/30" in err and "row" in err


@pytest.mark.parametrize("verbose", [0, False])
def test_silence_is_the_default(verbose, capfd):
    model = fit_small(tabgan.GANSynthesizer, narrow_table(), verbose=verbose)
    model.sample(30, conditions={"kind": "c"})
    assert np.isfinite(model.history_["generator"]).all()
    assert capfd.readouterr() == ("", "")
