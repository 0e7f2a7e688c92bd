"""The benchmark of all that we tried to break, in small: each part works, fails and replays."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import adversarial_day  # noqa: E402
import common  # noqa: E402
import cut_short  # noqa: E402
import random_tables  # noqa: E402
from random_tables import Wrong  # noqa: E402

import tabgan  # noqa: E402


@pytest.fixture(autouse=True)
def two_jobs(monkeypatch):
    """One quick estimator, so that no time goes into what others do alone."""
    monkeypatch.setattr(cut_short, "jobs", lambda: _JOBS)
    cut_short.whole.cache_clear()
    yield
    cut_short.whole.cache_clear()


_JOBS = [(cut_short.make(tabgan.GANSynthesizer), cut_short.contract.narrow_table())]


@pytest.mark.parametrize("part", ["tables", "files", "kills", "interrupts", "disks"])
def test_a_block_of_each_part(part):
    n = {"tables": 4, "files": 3}.get(part, 5)
    block = adversarial_day.run_block(part, 0, n)
    assert block["tried"] == sum(block["counts"].values()) == n
    assert not block["failures"]


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_things_at_once(seed):
    assert cut_short.at_once(seed)


def test_failures_are_counted_with_their_seeds(monkeypatch, capsys, tmp_path):
    def attempt(seed):
        if seed % 2:
            raise Wrong(f"seed {seed} is odd")
        return "made"

    monkeypatch.setattr(random_tables, "try_one", attempt)
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(adversarial_day, "PARTS", {"tables": (6, 4)})
    monkeypatch.setattr(sys, "argv", ["adversarial_day.py", "--parts", "tables"])
    adversarial_day.main()
    kept = common.read_results("adversarial_day")
    assert [(each["first"], each["tried"]) for each in kept] == [(0, 4), (4, 2)]
    assert kept[0]["counts"] == {"failed": 2, "made": 2}
    assert kept[0]["failures"][0] == {"seed": 1, "what": "Wrong: seed 1 is odd"}
    # What is there is not repeated, but where something failed, if that is asked for.
    monkeypatch.setattr(random_tables, "try_one", lambda seed: "made")
    capsys.readouterr()
    adversarial_day.main()
    assert not capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["adversarial_day.py", "--parts", "tables", "--again"])
    adversarial_day.main()
    kept = common.read_results("adversarial_day")
    assert all(each["counts"] == {"made": each["tried"]} for each in kept)
    with pytest.raises(Wrong):
        monkeypatch.setattr(random_tables, "try_one", attempt)
        adversarial_day.replay("tables", 3)


def test_what_is_wrong_with_rows_is_seen(monkeypatch):
    """A model that breaks a promise: other rows each time, other dtypes, or a wrong condition."""
    sample = tabgan.GANSynthesizer.sample
    broken = {
        "rows": lambda rows: rows.iloc[:-1],
        "dtypes": lambda rows: rows.astype({rows.columns[0]: object}),
        "range": lambda rows: rows.assign(**{rows.columns[0]: 99.0}),
    }
    table = pd.DataFrame({"x": [1.5, 2.5, 3.5] * 20, "k": ["a", "b"] * 30})
    model = cut_short.make(tabgan.GANSynthesizer).fit(table)
    for spoil in broken.values():
        monkeypatch.setattr(
            tabgan.GANSynthesizer,
            "sample",
            lambda self, *args, spoil=spoil, **asked: spoil(sample(self, *args, **asked)),
        )
        with pytest.raises((Wrong, AssertionError)):
            random_tables._check_made(
                random_tables.np.random.default_rng(0), model, model, table, None, []
            )


def test_errors_of_others_are_no_refusals():
    def raised(call):
        try:
            call()
        except Exception as error:
            return error

    ours = raised(lambda: tabgan.GANSynthesizer().fit(pd.DataFrame({"x": [1j]})))
    theirs = raised(lambda: pd.DataFrame({"x": [1]})["y"])
    hidden = raised(lambda: pd.factorize(pd.Series([[1]], dtype=object)))
    assert random_tables.is_refusal(ours)
    assert not random_tables.is_refusal(theirs) and not random_tables.is_refusal(hidden)
