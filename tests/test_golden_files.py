"""Files of earlier versions are read, and their models make the rows that they made then."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_files import FOLDER, NAMES, described, made_by

import tabgan

FILES = sorted(FOLDER.glob("*/*.tabgan"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def test_there_are_files_of_this_version_and_they_are_small():
    of_this = [path for path in FILES if path.parent.name == tabgan.__version__]
    assert len(of_this) == len(NAMES)
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) < 300_000


@each_file
def test_rows_are_as_they_were(path):
    """Numbers of a network differ from machine to machine, and once in a while flip a category."""
    wanted = json.loads(path.with_suffix(".json").read_text())
    rows = made_by(tabgan.load(path, device="cpu"))
    found = described(rows)
    assert list(found) == list(wanted)
    alike = []
    for name, column in wanted.items():
        # Texts of object columns are "str" since pandas 3.
        dtypes = {column["dtype"], "object" if column["dtype"] == "str" else column["dtype"]}
        assert found[name]["dtype"] in dtypes
        if column["values"] is not None:
            pairs = zip(found[name]["values"], column["values"], strict=True)
            alike += [one == other for one, other in pairs]
    assert np.mean(alike) >= 0.9


@each_file
def test_cards_are_as_they_were(path):
    card = tabgan.read_card(path)
    assert card["versions"]["tabgan"] == path.parent.name
    assert card["licence"] == "CC0" and card["scores"] == {"shape": 0.5}
    assert card["class"] == type(tabgan.load(path, device="cpu")).__name__


@each_file
def test_models_are_trained_further_and_saved_again(path, tmp_path):
    model = tabgan.load(path, device="cpu")
    model.save(tmp_path / "again", card={"licence": "CC BY 4.0"})
    card = tabgan.read_card(tmp_path / "again")
    assert card["licence"] == "CC BY 4.0" and card["scores"] == {"shape": 0.5}
    again = tabgan.load(tmp_path / "again", device="cpu")
    assert described(made_by(again)) == described(made_by(model))
