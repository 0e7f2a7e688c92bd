"""Tables read a part at a time: the same model as in memory, at whatever size the parts have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from contract import those_of

import tabgan
from tabgan.cli.files import read_table
from tabgan.datasets import make_mixed_table
from tabgan.estimators import features
from tabgan.generation import encoding
from tabgan.generation.level_rates import LevelRates
from tabgan.table import chunks
from tabgan.table.chunks import Chunks, is_chunked, read_chunks
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

pyarrow = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts whose sizes divide neither the rows nor each other."""
    monkeypatch.setattr(chunks, "PART_ROWS", 64)
    monkeypatch.setattr(chunks, "SPOOLED_ROWS", 100)


@pytest.fixture(scope="module")
def table():
    return make_mixed_table(300, random_state=0)


def fit(X, **parameters):
    """Fit without rejection, which takes most of the time of a model that has learnt little."""
    settings = {"n_steps": 3, "hidden_dim": 32, "acceptance_rounds": 0, "random_state": 0}
    return tabgan.AutoregressiveSynthesizer(**{**settings, "device": "cpu", **parameters}).fit(X)


def fit_other(cls, X):
    settings = those_of(cls, n_steps=3, hidden_dim=8, acceptance_rounds=0, random_state=0)
    return cls(**settings).fit(X)


@pytest.fixture(scope="module")
def whole(table):
    """Fit the whole table in memory, for tests that leave the model as it is."""
    return fit(table)


def assert_same_rows(one, other):
    drawn = [model.sample(40, random_state=1) for model in (one, other)]
    pd.testing.assert_frame_equal(*drawn)


def cut(table, size=70):
    return [table[start : start + size] for start in range(0, len(table), size)]


GIVEN = {
    "list": lambda parts: parts,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda parts: (part for part in parts),
    "function": lambda parts: lambda: parts,
    "function of a generator": lambda parts: lambda: (part for part in parts),
    "with empty chunks": lambda parts: [parts[0][:0], *parts, parts[0][:0]],
}


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("size", [7, 300])
def test_chunks_are_learnt_like_the_whole_table(table, whole, given, size):
    assert_same_rows(fit(GIVEN[given](cut(table, size))), whole)


@pytest.mark.parametrize(
    "cls",
    [tabgan.GANSynthesizer, tabgan.BiGANSynthesizer, tabgan.InfoGANFeaturizer],
    ids=lambda cls: cls.__name__,
)
def test_features_of_chunks_are_those_of_the_whole_table(table, cls):
    one, other = (fit_other(cls, X) for X in (cut(table), table))
    np.testing.assert_allclose(one.transform(table), other.transform(table), atol=1e-6)


def test_features_are_scaled_by_a_bounded_number_of_rows(table, monkeypatch):
    seen = []
    monkeypatch.setattr(features, "SCALING_ROWS", 50)
    over_rows = features.over_rows
    monkeypatch.setattr(
        features, "over_rows", lambda rows, *args: seen.append(len(rows)) or over_rows(rows, *args)
    )
    one, other = (fit_other(tabgan.GANSynthesizer, X) for X in (cut(table), table))
    assert len(set(seen)) == 1 and 20 < seen[0] < 90
    np.testing.assert_allclose(one.transform(table), other.transform(table), atol=1e-6)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rejection_and_held_out_rows_are_those_of_the_whole_table(table, early_stopping):
    settings = {"acceptance_rounds": 3, "early_stopping": early_stopping, "n_steps": 40}
    one, other = (fit(X, **settings) for X in (cut(table), table))
    assert_same_rows(one, other)
    pd.testing.assert_frame_equal(
        *(model.history_.drop(columns="seconds") for model in (one, other)), check_exact=True
    )


@pytest.mark.parametrize("row_group_size", [37, 64, 1000])
def test_a_parquet_file_is_learnt_like_the_table_that_pandas_reads(table, tmp_path, row_group_size):
    path = tmp_path / "table.parquet"
    table.iloc[::-1].to_parquet(path, row_group_size=row_group_size)
    one = fit(path)
    assert_same_rows(one, fit(pd.read_parquet(path)))
    assert_same_rows(fit(str(path)), one)


def test_a_folder_of_parquet_files_is_one_table(table, whole, tmp_path):
    for k, part in enumerate(cut(table)):
        part.to_parquet(tmp_path / f"{k}.parquet", index=False)
    assert_same_rows(fit(tmp_path), whole)


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_a_csv_file_is_learnt_like_the_table_that_the_command_line_reads(table, tmp_path, name):
    path = tmp_path / name
    table.to_csv(path, index=False)
    model, whole = fit(path), read_table(path)
    assert_same_rows(model, fit(whole))
    pd.testing.assert_series_equal(model.sample(3).dtypes, whole.dtypes)


def test_an_arrow_dataset_gives_arrow_tables(table):
    arrow = pyarrow.Table.from_pandas(table)
    drawn = fit(dataset.dataset(arrow)).sample(20, random_state=1)
    assert drawn.equals(fit(arrow).sample(20, random_state=1))


def test_a_dask_table_is_learnt(table):
    dask = pytest.importorskip("dask.dataframe")
    assert fit(dask.from_pandas(table, npartitions=3)).sample(5).shape == (5, table.shape[1])


def test_the_dtypes_of_a_csv_file_are_those_of_its_whole_columns(tmp_path):
    path = tmp_path / "table.csv"
    n = 200
    first, last = [0] * (n - 1), [0] * (n - 1)
    pd.DataFrame(
        {
            "whole": range(n),
            "gap at the end": [*range(n - 1), None],
            "a half at the end": [*range(n - 1), 0.5],
            "a text at the end": [*first, "x"],
            "no date at the end": [*["2020-01-01"] * (n - 1), "2020-02-30"],
            "dates": ["2020-01-01"] * n,
            "true": [True] * n,
            "true or not known": [None, *[True] * (n - 1)],
            "empty": [None] * n,
            "empty at first": [*[None] * (n - 1), "x"],
            "large": [2**63, *last],
        }
    ).astype(object).to_csv(path, index=False)
    read = pd.concat(read_chunks(path).frames())
    whole = read_table(path)
    assert read["a text at the end"].tolist() == [*["0"] * (n - 1), "x"]
    others = [name for name in whole if name not in ("a text at the end", "large", "dates")]
    pd.testing.assert_series_equal(read[others].dtypes, whole[others].dtypes)
    assert read["dates"].dtype.kind == "M" and read["large"].max() == 2**63


def test_later_chunks_may_have_what_earlier_ones_lack():
    parts = [
        pd.DataFrame({"n": [1, 2] * 60, "c": ["a", "b"] * 60}),
        pd.DataFrame({"n": [1.5, None] * 60, "c": [None, "z"] * 60}),
    ]
    read = read_chunks(parts)
    whole = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(pd.concat(read.frames(), ignore_index=True), whole)
    assert str(Schema.infer(read)) == str(Schema.infer(whole))


@pytest.mark.parametrize("columns", [[0, 1], [("a", 1), ("a", 2)], ["x", 2.5]])
def test_labels_need_not_be_texts(columns):
    frame = pd.DataFrame(np.arange(200.0).reshape(100, 2) % 7)
    frame.columns = pd.Index(columns, tupleize_cols=False)
    assert list(fit(cut(frame)).sample(3)) == columns


def test_longer_columns_keep_extremes_and_rare_values(monkeypatch):
    """A column too long to be held is a sample that lacks nothing that occurs."""
    monkeypatch.setattr(chunks, "MAX_COLUMN_ROWS", 500)
    n = 5_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "x": rng.random(n),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(900, size=n), "D"),
            "rare": np.where(np.arange(n) == n - 1, "once", "often"),
            "gap": np.where(np.arange(n) == 77, np.nan, 1.0),
        }
    )
    frame.loc[4_000, "x"], frame.loc[4_001, "x"] = -50.0, 90.0
    described = Schema.infer(read_chunks(cut(frame, 900)))
    assert described["x"].ends == (-50.0, 90.0)
    assert described["day"].ends == (frame["day"].min(), frame["day"].max())
    assert set(described["rare"].categories) == {"once", "often"}
    assert described["gap"].missing_rate > 0
    lengths = [len(values) for _, values in read_chunks(cut(frame, 900)).items()]
    # 500 rows on average, with a standard deviation of 21, and a few further ones.
    assert all(350 < length < 700 for length in lengths)


def test_partial_fit_goes_on_with_chunks(table, tmp_path):
    table.to_parquet(tmp_path / "table.parquet")
    model = fit(table).partial_fit(tmp_path / "table.parquet")
    assert model.n_steps_ == 6
    assert_same_rows(model, fit(table).partial_fit(table))


def test_unseen_categories_in_chunks_are_told_once(table):
    model = fit(table)
    other = cut(table.assign(colour="never seen"))
    with pytest.warns(UserWarning, match="never seen") as caught:
        model.partial_fit(other)
    assert len(caught) == 1
    with pytest.raises(ValueError, match="'kind of another'|size"):
        model.partial_fit([table.assign(size=1.5)])


def test_conditions_are_columns_of_chunks(table):
    model = tabgan.CGANSynthesizer(condition_columns=["colour"], n_steps=2, random_state=0)
    whole = model.fit(table).sample(20, random_state=0)
    pd.testing.assert_frame_equal(whole, model.fit(cut(table)).sample(20, random_state=0))


REFUSED = {
    "no file": ("nowhere.parquet", "there is no file"),
    "another ending": (__file__, "must end in .parquet"),
    "no rows": ([pd.DataFrame({"a": []})], "no rows"),
    "an empty iterator": (iter([]), "no rows"),
    "no tables": (iter([1, 2]), "X must be a table or hold DataFrames; its chunk 0 is 1"),
    "a function of nothing": (lambda: None, "must give DataFrames"),
    "other columns": (
        [pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})],
        r"chunk 1 of X has columns \['b'\].*\['a'\]",
    ),
    "more columns": (
        [pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1], "b": [1]})],
        "chunk 1 of X has 2 features",
    ),
    "other dtypes": (
        [pd.DataFrame({"a": [1.5] * 100}), pd.DataFrame({"a": ["x"] * 100})],
        "different dtypes",
    ),
    "mixed values": ([pd.DataFrame({"a": [1, "x"]})], "Parquet files cannot hold"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(case):
    X, told = REFUSED[case]
    with pytest.raises(ValueError, match=told):
        fit(X)


@pytest.mark.parametrize("text, told", [("", "is empty"), ("a,b\n", "no rows")])
def test_a_csv_file_without_rows_is_refused(tmp_path, text, told):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told):
        fit(path)


def test_a_broken_parquet_file_is_refused(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("no table")
    with pytest.raises(ValueError, match="cannot be read"):
        fit(path)


def test_labels_and_constraints_need_a_table_in_memory(table):
    parts = cut(table)
    with pytest.raises(ValueError, match="y cannot be passed"):
        tabgan.CGANSynthesizer().fit(parts, table["colour"])
    with pytest.raises(ValueError, match="constraints are learnt from a whole table"):
        fit(parts, constraints=[tabgan.constraints.Range("length", "<", "price")])


def test_tables_in_memory_are_no_chunks(table):
    given = [table, table.to_numpy(), [[1, 2], [3, 4]], [], None, 1, {}, object(), int]
    assert not any(is_chunked(X) for X in given)


def test_temporary_files_end_with_the_table(table):
    read = read_chunks(cut(table))
    folder = read._holds.name
    assert any(name.endswith(".parquet") for name in __import__("os").listdir(folder))
    del read
    assert not __import__("os").path.exists(folder)


def test_the_arrow_table_is_cut_into_parts_of_one_size(table):
    read = read_chunks(cut(table, 41))
    assert isinstance(read, Chunks) and len(read) == 300 and read.shape == (300, table.shape[1])
    assert [len(frame) for frame in read.frames()] == [64, 64, 64, 64, 44]


# ---------------------------------------------------------------------- what training holds


def test_training_rows_are_held_in_small_integers(table, whole, monkeypatch):
    model = whole
    rows = model._core.encoding.encode(table, np.random.default_rng(0))
    assert rows.made.codes.dtype == torch.int8
    assert rows.take(torch.tensor([0, 5])).made.codes.dtype == torch.int64
    # A temporary file holds the same.
    monkeypatch.setattr(encoding, "MAX_HELD", 100)
    mapped = model._core.encoding.encode(table, np.random.default_rng(0))
    assert torch.equal(mapped.made.codes, rows.made.codes)
    assert_same_rows(fit(table), model)


def test_rates_of_some_rows_are_corrected_by_those_of_all():
    """Where a model predicts a level, the error of some rows' mean probability is known.

    100,000 rows; the model knows the level of 90 % of them. Of 2,000 rows, the uncorrected mean
    misses by 1 % of the rate's odds about, the corrected one by a third of that.
    """
    rng = np.random.default_rng(0)
    layout = Layout([2], [])
    n, m = 100_000, 2_000
    level = torch.from_numpy((rng.random(n) < 0.3).astype(np.int8))[:, None]
    is_sure = torch.from_numpy(rng.random((n, 1)) < 0.9)
    chance = torch.where(is_sure, level.float(), 0.3)
    rates = LevelRates(layout, level)
    torch.testing.assert_close(rates.rate[1], level.float().mean())
    misses = []
    for _ in range(50):
        some = torch.from_numpy(rng.choice(n, m, replace=False))
        one = layout.expand(level[some].long(), torch.zeros(m, 0))
        p = torch.cat([1 - chance[some], chance[some]], dim=1)
        correction = rates.correction(one.sum(0), p.sum(0), (one * p).sum(0))
        plain = (rates.rate / p.mean(dim=0)).log()
        misses.append([float(correction[1]), float(plain[1])])
    corrected, plain = np.square(misses).mean(axis=0) ** 0.5
    assert corrected < 0.6 * plain


def test_rates_of_all_rows_need_no_correction():
    layout = Layout([3], [])
    codes = torch.tensor([[0], [1], [1], [-1]])
    row = layout.expand(codes, torch.zeros(4, 0))
    p = torch.tensor([[0.5, 0.25, 0.25]]).expand(4, 3) * (codes >= 0)
    correction = LevelRates(layout, codes).correction(row.sum(0), p.sum(0), (row * p).sum(0))
    expected = torch.tensor([1 / 3 / 0.5, 2 / 3 / 0.25]).log()
    torch.testing.assert_close(correction, torch.tensor([*expected, 0.0]))


def test_equations_are_looked_for_in_the_same_rows_in_memory_and_in_parts(monkeypatch):
    from tabgan.estimators import tables
    from tabgan.table import link_search

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 99, 900), "b": rng.integers(0, 99, 900)})
    table["sum"] = table["a"] + table["b"]
    monkeypatch.setattr(tables, "LINK_ROWS", 400)
    seen, find_links = [], link_search.find_links

    def noting(some, *args):
        seen.append(some)
        return find_links(some, *args)

    monkeypatch.setattr(tables, "find_links", noting)
    one, other = fit(cut(table)), fit(table)
    assert 300 < len(seen[0]) < 500
    pd.testing.assert_frame_equal(*seen)
    assert one._links is not None
    assert_same_rows(one, other)
