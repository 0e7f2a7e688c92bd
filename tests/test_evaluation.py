from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st

from tabgan.evaluation import (
    beta_recall,
    c2st,
    column_shapes,
    distance_to_closest_record,
    evaluate,
    marginals,
    pair_trends,
    train_on_synthetic,
)


class TestMarginals:
    def test_categories(self):
        real = pd.DataFrame({"c": [f"c{i}" for i in range(15) for _ in range(15 - i)] + [None] * 5})
        (marginal,) = marginals(real, real.iloc[:15])
        assert marginal.labels[:2] == ("c0", "c1")
        assert marginal.labels[-2:] == ("5 others", "missing")
        assert marginal.real.sum() == pytest.approx(1.0)
        assert marginal.synthetic[0] == 1.0
        assert marginal.missing == (pytest.approx(0.04), 0.0)

    def test_few_values(self):
        real = pd.DataFrame({"x": [0.5, 1.0, 1.0, np.nan]})
        (marginal,) = marginals(real, real)
        assert marginal.labels == ("0.5", "1")
        np.testing.assert_allclose(marginal.real, [0.25, 0.5])

    def test_whole_numbers_have_whole_bins(self):
        table = pd.DataFrame({"age": np.arange(17, 91)})
        (marginal,) = marginals(table, table)
        assert marginal.edges[0] == 16.5
        assert set(np.diff(marginal.edges)) == {3.0}
        assert marginal.real.sum() == pytest.approx(1.0)

    def test_long_tails_go_to_the_outer_bin(self):
        values = np.append(np.random.default_rng(0).random(999), 1e6)
        table = pd.DataFrame({"x": values})
        (marginal,) = marginals(table, table)
        assert marginal.edges[-1] < 1.1
        assert marginal.real.sum() == pytest.approx(1.0)

    def test_unknown_column(self):
        message = "columns names 'q', which is not a column of real."
        with pytest.raises(ValueError, match=says(message)):
            marginals(mixed_table(9, 0), mixed_table(9, 0), columns=["q"])


TRAIN, TEST = mixed_table(400, 0), mixed_table(300, 1)


@pytest.fixture(scope="module")
def report():
    return evaluate(TRAIN, shuffled(TRAIN), test=TEST, target="large")


class TestPrinted:
    def test_a_report_prints_its_figures_and_no_arrays(self, report):
        assert repr(report).startswith(
            "FidelityReport(6 columns; rows: 400 real, 400 synthetic, 300 test; shape=1.000, "
        )
        assert len(repr(report)) < 400 and "\n" not in repr(report)
        assert len(repr(report.marginals)) < 400
        assert repr(report.marginals[0]) == "Marginal('size', number, shape=1, 30 bars)"
        lines = str(report).splitlines()
        assert lines[0].startswith("Fidelity report: 6 columns; 400 real rows, ")
        assert len(lines) < 60

    def test_a_summary_prints_every_meaning_in_full_and_leaves_the_options_of_pandas(self, report):
        width = pd.get_option("display.max_colwidth")
        printed = repr(report.summary())
        assert max(map(len, printed.splitlines())) <= 80
        words = " ".join(printed.split())
        for metric, row in report.summary().iterrows():
            assert metric in words and row["meaning"] in words
        assert pd.get_option("display.max_colwidth") == width
        html = report.summary()._repr_html_()
        assert all(meaning in html for meaning in report.summary()["meaning"])

    def test_what_is_computed_from_a_summary_is_an_ordinary_frame(self, report):
        summary = report.summary()
        assert type(summary.loc[["shape"]]) is type(summary.drop(columns="meaning")) is pd.DataFrame
        assert "c2st" in repr(summary[["value", "real"]])


class TestEvaluate:
    train, test = TRAIN, TEST

    def test_summary(self, report):
        summary = report.summary()
        assert list(summary.columns) == ["value", "real", "best", "meaning"]
        assert list(summary.index) == [
            "shape",
            "trend",
            "trend_strong",
            "c2st",
            "beta_recall",
            "unseen_pairs",
            "roc_auc",
            "nearer_to_train",
            "duplicates",
            "near_duplicate_rate",
            "membership_distance_auc",
            "membership_density_auc",
        ]
        assert summary.loc["shape", "value"] == pytest.approx(1.0)
        assert summary["value"].between(0, 1).all()
        for metric in ("trend", "trend_strong", "c2st", "beta_recall", "roc_auc"):
            assert summary.loc[metric, "value"] < summary.loc[metric, "real"]

    def test_the_parts_are_those_of_the_functions(self, report):
        made = shuffled(self.train)
        pd.testing.assert_series_equal(report.column_shapes, column_shapes(self.train, made))
        pd.testing.assert_frame_equal(report.pair_trends, pair_trends(self.train, made))
        assert report.reference["shape"] == column_shapes(self.train, self.test).mean()
        assert list(report.utility.index) == ["synthetic", "real"]
        assert report.dcr.duplicate_rate == 0.0
        assert report.beta_recall == beta_recall(self.train, made)
        assert report.reference["beta_recall"] == pytest.approx(0.5, abs=0.15)
        assert report.n_rows == {"real": 400, "synthetic": 400, "test": 300}

    def test_regression_target(self):
        report = evaluate(self.train, self.train, test=self.test, target="price")
        assert {"rmse", "r2"} <= set(report.summary().index)

    def test_without_test_rows(self):
        report = evaluate(self.train, self.train.iloc[:100])
        summary = report.summary()
        assert list(summary.index) == [
            "shape",
            "trend",
            "trend_strong",
            "c2st",
            "beta_recall",
            "unseen_pairs",
        ]
        assert summary["real"].isna().all()
        assert report.utility is None and report.dcr is None and report.membership is None

    def test_copies_show(self):
        summary = evaluate(self.train, self.train, test=self.test).summary()["value"]
        assert summary["beta_recall"] > 0.99
        assert summary["nearer_to_train"] == summary["near_duplicate_rate"] == 1.0
        assert summary["membership_distance_auc"] == 1.0
        assert summary["membership_density_auc"] > 0.8

    def test_to_dict_is_json(self, report):
        figures = json.loads(json.dumps(report.to_dict(), allow_nan=False))
        assert figures["rows"] == {"real": 400, "synthetic": 400, "test": 300}
        assert figures["target"] == "large"
        assert figures["summary"]["c2st"]["value"] == report.c2st
        assert len(figures["column_shapes"]) == 6
        assert len(figures["pair_trends"]) == 15

    def test_to_dict_of_a_single_column(self):
        table = self.train[["kind"]]
        figures = evaluate(table, table).to_dict()
        assert figures["summary"]["trend"] == {"value": None, "real": None}

    def test_html(self, report, tmp_path):
        assert report._repr_html_().count("<table") == 2
        path = report.to_html(tmp_path / "report.html")
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        assert report._repr_html_() in text
        # The column shapes, the pair trends, and a picture for each of the six columns.
        assert text.count("data:image/png;base64,") == 8
        assert "://" not in text

    def test_html_without_matplotlib(self, report, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "tabgan.evaluation.picture", None)
        text = report.to_html(str(tmp_path / "report.html")).read_text(encoding="utf-8")
        assert "data:image/png" not in text and "<table" in text

    def test_html_escapes_names(self):
        table = pd.DataFrame({"<b>": [1, 2, 3, 4], "y": list("abab")})
        text = evaluate(table, table, test=table, target="y")._repr_html_()
        assert "<b>" not in text and "&lt;b&gt;" in text
        table = table.rename(columns={"y": "<i>"})
        assert "<i>" not in evaluate(table, table, test=table, target="<i>")._repr_html_()

    def test_columns_worst_first(self):
        columns = evaluate(self.train, self.train.assign(price=self.train["price"] + 2)).columns()
        assert columns.index[0] == "price"
        assert columns["shape"].is_monotonic_increasing
        assert columns.loc["price", "missing_real"] == self.train["price"].isna().mean()

    def test_classifier_names_the_learner_too(self):
        pytest.importorskip("xgboost")
        train = self.train.iloc[:100]
        ours = evaluate(train, train, test=self.test, target="large", classifier="xgboost")
        other = train_on_synthetic(train, self.test, "large", estimator="xgboost")
        score = ours.utility.loc["synthetic", "roc_auc"]
        # XGBoost at its defaults draws nothing at random.
        assert score == pytest.approx(other.loc["synthetic", "roc_auc"], abs=1e-6)

    def test_categorical_features_reach_every_part(self):
        train = self.train.assign(count=self.train["count"].clip(upper=9))
        report = evaluate(
            train,
            shuffled(train),
            test=self.test.assign(count=self.test["count"].clip(upper=9)),
            categorical_features=["count"],
        )
        assert report.columns().loc["count", "kind"] == "category"

    def test_reproducible(self, report):
        again = evaluate(self.train, shuffled(self.train), test=self.test, target="large")
        pd.testing.assert_frame_equal(again.summary(), report.summary())

    def test_clear_errors(self):
        message = (
            "target='large' needs real rows to score on; pass them as test or leave target out."
        )
        with pytest.raises(ValueError, match=says(message)):
            evaluate(self.train, self.train, target="large")
        message = f"target must be a column of real, got 'cost'; it has {list(self.train)}."
        with pytest.raises(ValueError, match=says(message)):
            evaluate(self.train, self.train, test=self.test, target="cost")
        with pytest.raises(ValueError, match="^real and test must have the same columns; "):
            evaluate(self.train, self.train, test=self.test[["size"]])

    def test_infinite_numbers_are_refused_by_name(self):
        made = self.train.assign(size=self.train["size"].mask(self.train.index == 3, np.inf))
        told = (
            "synthetic must hold finite numbers in column 'size', got inf in 1 of 400 rows. "
            "Replace infinite numbers by finite or missing ones."
        )
        with pytest.raises(ValueError, match=says(told)):
            evaluate(self.train, made)
        with pytest.raises(ValueError, match="^test must hold finite numbers in column 'size', "):
            evaluate(self.train, self.train, test=made)

    @pytest.mark.parametrize("library", ["polars", "pyarrow"])
    def test_tables_of_other_libraries(self, library):
        module = pytest.importorskip(library)
        read = module.Table.from_pandas if library == "pyarrow" else module.from_pandas
        tables = [self.train.iloc[:90], shuffled(self.train.iloc[:90]), self.test.iloc[:60]]
        expected = evaluate(*tables[:2], test=tables[2]).summary()
        summary = evaluate(read(tables[0]), tables[1], test=read(tables[2])).summary()
        pd.testing.assert_frame_equal(summary, expected)
        pd.testing.assert_series_equal(
            column_shapes(tables[0], read(tables[1])), column_shapes(*tables[:2])
        )

    def test_columns_without_values(self):
        train = self.train.assign(none=np.nan, one=[1.0] + [np.nan] * 399)
        summary = evaluate(train, train, test=self.test.assign(none=np.nan, one=2.0)).summary()
        assert summary.loc["c2st", "value"] == 1.0
        assert summary["value"].between(0, 1).all()

    def test_columns_with_a_single_value(self):
        # Whatever rows a learner sets aside, some column is empty in the others.
        rows, names = np.arange(8000), [f"one{i}" for i in range(60)]
        x = pd.DataFrame({"x": np.random.default_rng(0).normal(size=8000)})
        ones = np.where(rows[:, None] == 131 * np.arange(60), 1.0, np.nan)
        real = x.join(pd.DataFrame(ones, columns=names))
        made = real.assign(**dict.fromkeys(names, np.nan))
        assert c2st(real, made) == pytest.approx(1.0, abs=0.1)

    def test_one_row(self):
        row = self.train.iloc[[0]]
        summary = evaluate(row, row, test=row).summary()
        assert summary.loc["shape", "value"] == 1.0
        undefined = ["c2st", "beta_recall", "membership_distance_auc", "membership_density_auc"]
        assert summary.loc[undefined, "value"].isna().all()


cells = {
    "number": st.one_of(
        st.none(), st.floats(allow_nan=True, allow_infinity=False, width=32), st.integers(-3, 3)
    ),
    "word": st.one_of(st.none(), st.text(max_size=3)),
    "flag": st.one_of(st.none(), st.booleans()),
    "when": st.one_of(st.none(), st.datetimes(pd.Timestamp("1900"), pd.Timestamp("2100"))),
}


@st.composite
def tables(draw):
    n_rows = draw(st.integers(1, 12))
    frame = pd.DataFrame(
        {
            name: pd.Series(
                draw(st.lists(cell, min_size=n_rows, max_size=n_rows)),
                dtype={"number": "float64", "when": "datetime64[us]"}.get(name, object),
            )
            for name, cell in cells.items()
        }
    )
    return frame


@settings(max_examples=60, deadline=None)
@given(tables(), tables())
def test_any_two_tables_have_scores_in_range(left, right):
    shapes, trends = column_shapes(left, right), pair_trends(left, right)
    assert shapes.between(-1e-12, 1 + 1e-12).all()
    assert ((trends >= -1e-12) & (trends <= 1 + 1e-12)).all(axis=None)
    np.testing.assert_allclose(shapes, column_shapes(right, left), atol=1e-12)
    np.testing.assert_allclose(trends, pair_trends(right, left), atol=1e-12)
    assert (column_shapes(left, left) == 1).all()
    np.testing.assert_allclose(pair_trends(left, left), 1.0)
    closest = distance_to_closest_record(left, right, left)
    assert closest.share_nearer_to_train == 0.5
    assert np.isfinite(closest.distances).all(axis=None)
    assert 0.0 <= closest.near_duplicate_rate <= 1.0
    reached = beta_recall(left, right)
    assert -1e-12 <= reached <= 1 + 1e-12 or min(len(left), len(right)) == 1
    for marginal in marginals(left, right):
        assert marginal.real.shape == marginal.synthetic.shape
