"""Tables at random: whatever goes in, its like comes out."""

from __future__ import annotations

import datetime
import json
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from tables import assert_like

from tabgan import AAESynthesizer, WGANSynthesizer
from tabgan.table.columns import CategoricalColumn, IdentifierColumn
from tabgan.table.encoder import Encoder
from tabgan.table.schema import Schema

MISSING = (None, np.nan, pd.NA, pd.NaT)

moments = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
spans = st.timedeltas(datetime.timedelta(-30_000), datetime.timedelta(30_000))
texts = st.text(max_size=6)
finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.one_of(
    st.integers(), finite, texts, st.booleans(), st.binary(max_size=3),
    st.dates(), st.times(), st.tuples(st.integers(0, 3), texts), st.decimals(-1e6, 1e6, places=3),
)  # fmt: skip


def integers(bits, signed=True):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.one_of(st.integers(low, high), st.integers(0, 9), st.sampled_from([low, high]))


def floats(width):
    wide = st.floats(allow_nan=False, allow_infinity=False, width=width)
    return st.one_of(wide, st.integers(-99, 99).map(lambda cents: cents / 4))


KINDS = {
    "float64": (floats(64), True),
    "float32": (floats(32), True),
    "float16": (floats(16), True),
    "Float64": (floats(64), True),
    "int64": (integers(64), False),
    "int8": (integers(8), False),
    "uint64": (integers(64, signed=False), False),
    "Int64": (integers(64), True),
    "UInt64": (integers(64, signed=False), True),
    "bool": (st.booleans(), False),
    "boolean": (st.booleans(), True),
    "string": (texts, True),
    "str": (texts, True),
    "category": (st.one_of(texts, st.integers(-3, 3)), True),
    "ordered": (st.sampled_from("abc"), True),
    "datetime64[ns]": (moments, True),
    "datetime64[s]": (moments, True),
    "datetime64[us, Europe/Berlin]": (moments, True),
    "timedelta64[us]": (spans, True),
    "object": (scalars, True),
    "objects of floats": (floats(64), True),
    "objects of integers": (st.integers(), True),
    "objects of dates": (st.dates(), True),
    "objects of texts": (texts, True),
}

labels = st.one_of(
    st.text(max_size=5), st.integers(-3, 9), st.none(), st.tuples(st.integers(0, 2), st.text("ab")),
    finite, st.dates().map(pd.Timestamp),
)  # fmt: skip


def make_column(kind, values, missing, marker):
    """Put values into a column, with missing ones where told."""
    values = [marker if hidden else value for value, hidden in zip(values, missing, strict=True)]
    if kind.startswith("object"):
        column = pd.Series([None] * len(values), dtype=object)
        for i, value in enumerate(values):
            column.iat[i] = value
        return column
    values = [None if hidden else value for value, hidden in zip(values, missing, strict=True)]
    if kind == "category":
        return pd.Series(pd.Categorical(pd.Series(values, dtype=object)))
    if kind == "ordered":
        return pd.Series(pd.Categorical(values, categories=list("cxab"), ordered=True))
    if kind == "str":
        return pd.Series([value or "" for value in values]).where(~np.array(missing))
    if "," in kind:
        return pd.Series(
            pd.to_datetime(pd.Series(values, dtype="datetime64[us]"), utc=True)
        ).astype(kind)
    return pd.Series(values, dtype=kind)


@st.composite
def tables(draw, max_rows=12, max_columns=4):
    """Draw tables of any kinds of columns, labels and missing values, constants among them."""
    n = draw(st.integers(1, max_rows))
    names = draw(st.lists(labels, min_size=1, max_size=max_columns, unique=True))
    columns = []
    for _ in names:
        kind = draw(st.sampled_from(list(KINDS)))
        values, may_miss = KINDS[kind]
        pool = draw(st.lists(values, min_size=1, max_size=draw(st.sampled_from([1, 3, max_rows]))))
        chosen = draw(st.lists(st.sampled_from(pool), min_size=n, max_size=n))
        share = draw(st.sampled_from(["none", "some", "all"])) if may_miss else "none"
        missing = {"none": [False] * n, "all": [True] * n}.get(share)
        if missing is None:
            missing = draw(st.lists(st.booleans(), min_size=n, max_size=n))
        columns.append(make_column(kind, chosen, missing, draw(st.sampled_from(MISSING))))
        event(kind)
    table = pd.concat(columns, axis=1, keys=range(len(columns)))
    table.columns = pd.Index(names, tupleize_cols=draw(st.booleans()))
    if draw(st.booleans()):
        table.index = pd.Index(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    return table


def assert_levels(codes, encoder, lowest):
    assert ((codes >= lowest) & (codes < torch.tensor(encoder.layout.n_levels))).all()


# Shrinking a table takes minutes; one that fails is shown as it was drawn.
quietly = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)


@settings(quietly, max_examples=150)
@given(tables(), st.sampled_from(["scalar", "bins", "rank"]), st.integers(2, 5))
def test_rows_through_schema_and_encoder(table, numeric, max_categories):
    before = table.copy()
    schema = Schema.infer(table)
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False)))
    assert again.to_dict() == schema.to_dict()
    assert [type(name) for name in again.names] == [type(name) for name in schema.names]
    encoder = Encoder(again, numeric, n_bins=4, max_categories=max_categories)
    for masses in encoder.masses:
        assert math.isclose(masses.sum(), 1.0)
        assert len(masses) >= 2
    encoded = encoder.encode(table, np.random.default_rng(0))
    assert_levels(encoded.codes, encoder, 0)
    assert (encoded.scalars.abs() <= 1).all()
    made = encoder.decode(encoded, np.random.default_rng(0))
    assert_like(made, table, len(table))
    assert (made.isna().to_numpy() == table.isna().to_numpy()).all()
    pd.testing.assert_frame_equal(table, before)


@settings(quietly, max_examples=100)
@given(tables())
def test_names_in_own_levels_come_back_exactly(table):
    schema = Schema.infer(table)
    encoder = Encoder(schema)
    made = encoder.decode(encoder.encode(table))
    for i, column in enumerate(schema.columns):
        if isinstance(column, CategoricalColumn):
            one, other = made.iloc[:, i].dropna(), table.iloc[:, i].dropna()
            assert one.to_list() == other.to_list()


@settings(quietly, max_examples=100)
@given(tables(max_columns=2), tables(max_columns=2))
def test_other_rows_of_the_same_columns_can_be_encoded_or_are_refused_clearly(table, other):
    encoder = Encoder(Schema.infer(table))
    other = other.iloc[:, [0] * table.shape[1]].set_axis(table.columns, axis=1)
    try:
        encoded = encoder.encode(other)
    except ValueError as error:
        assert str(error).startswith("column ")
        assert "when the model was fitted, and now cannot be read as such" in str(error)
        return
    assert_levels(encoded.codes, encoder, -1)
    assert (encoded.scalars.abs() <= 1).all()


# Under the standard, fit warns of what so few rows leak.
FEW = {"n_steps": 1, "hidden_dim": 8, "latent_dim": 2, "random_state": 0, "privacy": "none"}


@pytest.mark.parametrize(
    "synthesizer",
    [AAESynthesizer(**FEW), WGANSynthesizer(n_critic=1, **FEW)],
    ids=lambda synthesizer: type(synthesizer).__name__,
)
@settings(quietly, max_examples=15)
@given(table=tables(max_rows=5), n_rows=st.integers(1, 9))
def test_fit_and_sample(synthesizer, table, n_rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = synthesizer.fit(table).sample(n_rows)
    assert_like(made, table, n_rows)


@settings(quietly, max_examples=50)
@given(st.lists(texts, min_size=50, max_size=60, unique=True), st.integers(0, 5))
def test_identifiers(values, n_missing):
    table = pd.DataFrame({"id": [*values, *[None] * n_missing]})
    with pytest.warns(UserWarning, match="looks like an identifier"):
        schema = Schema.infer(table)
    assert isinstance(schema["id"], IdentifierColumn)
    encoder = Encoder(schema)
    made = encoder.decode(encoder.encode(table))["id"]
    assert made.dropna().is_unique
    assert made.isna().sum() == n_missing
    assert made.dtype == table["id"].dtype
