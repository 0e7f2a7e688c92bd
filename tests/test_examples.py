"""Every example runs from beginning to end on a small setting."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import pytest
import sklearn.datasets
import sklearn.model_selection
from sklearn.utils import Bunch

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.fixture
def small(monkeypatch):
    """Set few steps, a fifth of the digits, and one split of rows in place of several."""
    digits = sklearn.datasets.load_digits()
    few = Bunch(data=digits.data[::5], target=digits.target[::5])
    splits = sklearn.model_selection.StratifiedShuffleSplit

    def load_few(return_X_y=False):
        return (few.data, few.target) if return_X_y else few

    def split_once(n_splits, **settings):
        assert n_splits > 1
        return splits(n_splits=1, **settings)

    monkeypatch.setenv("TABGAN_EXAMPLE_STEPS", "2")
    monkeypatch.setattr(sklearn.datasets, "load_digits", load_few)
    monkeypatch.setattr(sklearn.model_selection, "StratifiedShuffleSplit", split_once)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, small, tmp_path, monkeypatch):
    """In this process, as a process for each would spend seconds on the same imports."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    backend = plt.get_backend()
    plt.switch_backend("agg")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_path(str(path), run_name="__main__")
    finally:
        plt.close("all")
        plt.switch_backend(backend)
