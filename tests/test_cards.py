"""Cards: what a file says of the model in it, and how the command line shows it."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

import contract
import corruptions
import numpy as np
import pandas as pd
import pytest
from contract import every_estimator, narrow_table, says

import tabgan
from tabgan.cli import main
from tabgan.datasets import make_mixed_table


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.tabgan"


@every_estimator
def test_what_a_file_says_by_itself(cls, path):
    model = contract.fitted(cls)
    model.save(path)
    card = tabgan.read_card(path)
    assert set(card) == {"class", "versions", "parameters", "seed", "rows", "columns", "steps"}
    assert card["class"] == cls.__name__
    assert card["versions"]["tabgan"] == tabgan.__version__
    assert card["versions"]["python"] == platform.python_version()
    assert card["versions"]["torch"] == version("torch")
    assert card["versions"]["numpy"] == np.__version__
    assert card["versions"]["pandas"] == pd.__version__
    assert set(card["parameters"]) == set(model.get_params(deep=False))
    assert card["parameters"]["hidden_dim"] == model.hidden_dim
    assert (card["seed"], card["rows"], card["columns"]) == (model._seed, 60, model.n_features_in_)
    assert card["steps"] == model.n_steps_


@pytest.mark.parametrize("name", corruptions.MAKERS)
def test_cards_of_all_kinds_of_models(name, path):
    path.write_bytes(corruptions.model_file(name)[2])
    card = tabgan.read_card(path)
    assert card["licence"] == "CC0" and card["scores"] == {"shape": 0.5}
    assert card["rows"] >= 12
    assert json.loads(json.dumps(card)) == card


def test_what_the_user_says(path):
    model = contract.fitted(tabgan.GANSynthesizer)
    table = make_mixed_table(80, random_state=0)
    report = tabgan.evaluate(table, table[::-1], test=make_mixed_table(80, random_state=1))
    said = {"licence": "CC BY 4.0", "seen": [1, None, True], "of": {"a": "ü\n"}, "report": report}
    model.save(path, card=said)
    card = tabgan.read_card(path)
    assert {name: card[name] for name in ("licence", "seen", "of")} == {
        name: said[name] for name in ("licence", "seen", "of")
    }
    summary = report.summary()
    assert card["report"]["c2st"] == {"value": report.c2st, "real": summary.loc["c2st", "real"]}
    assert card["report"]["duplicates"]["value"] == 1.0


def test_a_card_is_kept_until_the_model_is_trained_further(path):
    model = contract.carry_by_pickle(contract.fitted(tabgan.GANSynthesizer))
    model.save(path, card={"licence": "CC0", "scores": [0.5]})
    tabgan.load(path).save(path, card={"licence": "CC BY 4.0"})
    card = tabgan.read_card(path)
    assert card["licence"] == "CC BY 4.0" and card["scores"] == [0.5]
    tabgan.load(path).partial_fit(narrow_table()).save(path)
    assert not {"licence", "scores"} & set(tabgan.read_card(path))
    # Saving a model says nothing about the model in memory.
    model.save(path)
    assert "licence" not in tabgan.read_card(path)


@pytest.mark.parametrize(
    ("card", "told"),
    [
        ("CC0", "card must be None or a mapping of texts to values, got 'CC0'."),
        ({1: "a"}, "card must hold texts, ... and reports; 1 is no text to name a value by."),
        ({"a": object()}, "card must hold texts, ... and reports; <object ...> is none of these."),
        ({"a": float("nan")}, "card must hold texts, ... and reports; nan is none of these."),
        ({"rows": 3}, "card has 'rows', which a file says by itself; leave it out."),
    ],
)
def test_what_is_no_card(path, card, told):
    with pytest.raises(TypeError, match=says(told)):
        contract.fitted(tabgan.GANSynthesizer).save(path, card=card)
    assert not path.exists()


# ---------------------------------------------------------------------- the command line


def test_info_prints_the_card(path, capsys):
    said = {"licence": "CC0\x1b[2J", "report": {"c2st": {"value": 0.98765}}}
    contract.fitted(tabgan.GANSynthesizer).save(path, card=said)
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "class: GANSynthesizer"
    assert f"  tabgan: {tabgan.__version__}" in lines
    assert "  hidden_dim: 8" in lines
    assert "rows: 60" in lines
    assert "licence: CC0\\x1b[2J" in lines
    assert lines[-3:] == ["report:", "  c2st:", "    value: 0.9877"]


def test_info_as_json(path, capsys):
    contract.fitted(tabgan.GANSynthesizer).save(path, card={"licence": "CC0"})
    assert main(["info", "--json", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == tabgan.read_card(path)


def test_info_of_no_model(path, capsys):
    assert main(["info", str(path)]) == 2
    assert capsys.readouterr().err == f"tabgan: error: {path}: there is no such file.\n"
    path.write_text("a,b\n")
    assert main(["info", str(path)]) == 2
    assert "is not a tabgan model, or is truncated" in capsys.readouterr().err


def test_a_licence_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_mixed_table(60, random_state=0).to_csv("people.csv", index=False)
    argv = ["synthesize", "people.csv", "--out", "made.csv", "--model", "gan", "--steps", "2"]
    assert main([*argv, "--quiet", "--licence", "CC0"]) == 2
    told = "--licence: is written into a saved model; name its file with --save."
    assert told in capsys.readouterr().err
    assert main([*argv, "--quiet", "--save", "model.tabgan", "--licence", "CC0"]) == 0
    assert tabgan.read_card("model.tabgan")["licence"] == "CC0"
