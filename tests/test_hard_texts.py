"""Texts that common code maltreats: each stays what it is, and apart from all others."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from contract import carry_by_file

import tabgan
from tabgan.constraints.levels import distinct, level_numbers
from tabgan.estimators.target import class_codes
from tabgan.evaluation.columns import align_columns
from tabgan.table.dtypes import factorize
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

ALIKE = {
    "NUL": ["\0", "\0\0", "a\0", "a\0\0", "a\0x", "a\0y", "\0a"],
    "lone surrogates": [
        *("\ud800", "\ud801", "\udfff", "a\ud800", "\udfff\ud800"),
        *("\ud800\udfff", "\U000103ff", "\ud800\udfff\ud800\udfff"),
    ],
    "blank": ["", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u200b", "\ufeff"],
    "missing by name": ["nan", "NaN", "None", "null", "NULL", "NA", "N/A", "<NA>", "NaT", "-"],
    "long": ["x" * 100_000, "x" * 100_000 + "y", "x" * 99_999],
    "combining": [
        "é",
        "e\u0301",
        "e",
        "\u0301",
        "ﬁ",
        "fi",
        "Å",
        "\u212b",
        "각",
        "\u1100\u1161\u11a8",
    ],
    "case": ["ß", "ss", "SS", "İ", "i", "I", "ı", "Σ", "σ", "ς"],
    "direction": ["abc", "\u202eabc", "abc\u202e", "\u200fabc", "\u2066abc\u2069", "אב", "\u200f"],
    "emoji": ["👩", "👩‍👩‍👧", "👩🏽", "🇳🇴", "🇳", "❤", "❤️", "\U0010ffff"],
    "numbers": ["1", "1.0", "01", "+1", "1e0", " 1", "１", "1_0", "0x1", "inf", "1,0", "١"],
    "dates": ["2020-01-01", "2020-1-1", "2020-01-01T00:00:00", "01/01/2020", "20200101"],
    "flags": ["True", "true", "TRUE", "yes", "Yes", "t"],
    "code": [
        "'",
        '"',
        "\\",
        "\\n",
        "a,b",
        "a;b",
        "{}",
        "%s",
        "<b>",
        "=1+1",
        "__class__",
        "\x1b[0m",
    ],
}
EVERY = [text for texts in ALIKE.values() for text in texts]
ENCODABLE = [
    text for text in EVERY if text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text)
]
each_kind = pytest.mark.parametrize("kind", ALIKE)


def column_of(texts, times=6):
    return pd.DataFrame({"text": pd.Series(texts * times, dtype=object)})


def test_each_text_is_another():
    assert len(set(EVERY)) == len(EVERY)


@pytest.mark.parametrize("sort", [False, True])
def test_distinct_values_are_numbered(sort):
    values = np.array(EVERY[::-1] * 2, dtype=object)
    for given in (values, pd.Series(values, dtype=object), pd.Index(values, dtype=object)):
        codes, found = factorize(given, sort)
        assert list(found) == (sorted(EVERY) if sort else EVERY[::-1])
        assert [found[code] for code in codes] == list(values)


def test_distinct_values_of_other_kinds_are_numbered_as_by_pandas():
    for values in (
        pd.Series([3, 1, 3]),
        pd.Series(["b", None, "a", "b"], dtype=object),
        pd.Series(["b", "a", "b"], dtype="category"),
        pd.Series(["b", pd.NA, "a"], dtype="string"),
        pd.Series(["b", "c", "a"], dtype="string"),
        pd.Series([1, "1", 1.0], dtype=object),
        pd.Series([], dtype=object),
    ):
        for sort in (False, not any(isinstance(value, str) for value in values)):
            (codes, found), (wanted, known) = (
                factorize(values, sort),
                pd.factorize(values, sort=sort),
            )
            assert codes.tolist() == wanted.tolist()
            assert list(found) == list(known) and found.dtype == known.dtype


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_texts_through_schema_and_encoder(dtype):
    texts = EVERY if dtype == "object" else ENCODABLE
    table = column_of(texts)
    if dtype == "category":
        table["text"] = pd.Categorical(table["text"], categories=pd.Index(texts, dtype=object))
    table["text"] = table["text"].astype(dtype)
    schema = Schema.infer(table)
    assert set(schema["text"].categories) == set(texts)
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again.to_dict() == schema.to_dict()
    encoder = Encoder(again, max_categories=len(texts) + 1)
    assert encoder.decode(encoder.encode(table))["text"].tolist() == table["text"].tolist()


@each_kind
def test_texts_are_learnt_saved_loaded_and_asked_for(kind):
    texts = ALIKE[kind]
    table = column_of(texts, 1 + 80 // len(texts))
    table["size"] = np.arange(len(table)) % 7.0
    model = tabgan.GANSynthesizer(n_steps=2, hidden_dim=8, random_state=0).fit(table)
    loaded = carry_by_file(model)
    rows = loaded.sample(300, random_state=0)
    assert set(rows["text"]) == set(texts)
    assert rows.equals(model.sample(300, random_state=0))
    asked = loaded.sample(conditions=pd.DataFrame({"text": pd.Series(texts, dtype=object)}))
    assert asked["text"].tolist() == texts
    for text in texts[:3]:
        assert set(loaded.sample(3, conditions={"text": text})["text"]) == {text}


def test_columns_named_by_texts():
    # pandas 3 itself cannot select columns by lone surrogates.
    labels = [text for kind, texts in ALIKE.items() if kind != "lone surrogates" for text in texts]
    table = pd.DataFrame({i: [0.0, 1.0] * 9 for i in range(len(labels))})
    table.columns = pd.Index(labels, dtype=object)
    model = tabgan.GANSynthesizer(n_steps=1, hidden_dim=8, random_state=0).fit(table)
    assert list(carry_by_file(model).sample(2).columns) == labels


def test_labels_of_rows_are_texts():
    texts = [*ALIKE["NUL"], *ALIKE["lone surrogates"]]
    table = pd.DataFrame({"size": np.arange(8 * len(texts)) % 5.0})
    for labels in (texts * 8, np.array(texts * 8, dtype=object)):
        codes, classes = class_codes(tabgan.DAGANAugmenter(), table, labels)
        assert list(classes) == sorted(texts)
        assert [classes[code] for code in codes] == texts * 8


def test_combinations_of_texts_are_told_apart():
    table = column_of(EVERY, 1)
    rows = distinct(table, ["text"])
    assert rows == tuple((text,) for text in EVERY)
    columns = {"text": table["text"]}
    assert level_numbers(columns, ["text"], rows).tolist() == list(range(len(EVERY)))


def test_evaluation_tells_texts_apart():
    table = column_of(ENCODABLE, 1)
    for column in align_columns({"real": table, "synthetic": table}):
        assert len(column.labels) == len(ENCODABLE)


@pytest.mark.parametrize("sort", [False, True])
def test_missing_texts_have_no_number(sort):
    for values in (pd.Series(["b", None, "a\0"]), np.array(["b", None, "a\0"], dtype=object)):
        codes, distinct = factorize(values, sort=sort)
        assert codes.tolist() == ([1, -1, 0] if sort else [0, -1, 1])
        assert len(distinct) == 2
