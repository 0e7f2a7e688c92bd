"""The audit of privacy ranks known leaks, and finds nothing where nothing is learnt by heart."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from evaluation_cases import mixed_table, says
from scipy import stats
from seeds import seed as shifted
from sklearn.base import BaseEstimator
from sklearn.metrics import roc_auc_score

from tabgan.evaluation import audit, auditing, evaluate
from tabgan.evaluation.attacks import single_out
from tabgan.evaluation.columns import align_columns
from tabgan.evaluation.intervals import area, exact, excess, hits_at, wilson, wilson_of_means
from tabgan.evaluation.verbatim import extremes, rare_strings

TABLE = mixed_table(60, 0)
N_TRAIN, N_HOLDOUT = 240, 200
TENTH = N_TRAIN // 10


def people(n_rows, seed):
    """Return a table of counts, heavy tails and strings, some of which hardly anybody shares."""
    rng = np.random.default_rng(shifted(seed))
    age = rng.integers(18, 80, n_rows)
    town = np.minimum(rng.zipf(1.5, n_rows), 10_000)
    return pd.DataFrame(
        {
            "age": age,
            "town": [f"town {n}" for n in town],
            "work": rng.choice(["farm", "shop", "none"], n_rows, p=[0.2, 0.5, 0.3]),
            "pay": np.exp(rng.normal(7 + age / 80, 0.6)).round(1),
            "hours": rng.integers(0, 60, n_rows),
            "children": rng.poisson(1.5, n_rows),
            "married": rng.random(n_rows) < age / 100,
        }
    )


def jittered(table, seed):
    rng = np.random.default_rng(shifted(seed))
    numbers = table.select_dtypes("number").columns
    return table.assign(
        **{name: table[name] * (1 + 1e-6 * rng.normal(size=len(table))) for name in numbers}
    )


@pytest.fixture(scope="module", params=[mixed_table, people], ids=["mixed", "people"])
def audits(request):
    """Audits of synthetic tables that leak by different degrees, from all to nothing."""
    table = request.param(2 * N_TRAIN + N_HOLDOUT, 0)
    cuts = (0, N_TRAIN, 2 * N_TRAIN, len(table))
    train, fresh, holdout = (
        table.iloc[a:b].reset_index(drop=True) for a, b in zip(cuts, cuts[1:], strict=False)
    )
    tables = {
        "copy": train.sample(frac=1.0, random_state=0),
        "jittered": jittered(train, 1),
        "redrawn": train.sample(N_TRAIN, replace=True, random_state=shifted(2)),
        "tenth": pd.concat([train.iloc[:TENTH], fresh.iloc[TENTH:]]),
        "fresh": fresh,
    }
    return {name: audit(train, made, holdout, max_rows=600) for name, made in tables.items()}


def values(audits, metric):
    return {name: each.figures.loc[metric, "value"] for name, each in audits.items()}


RISKS = [
    "singling_out_univariate",
    "singling_out_multivariate",
    "linkability",
    "inference",
    "membership_tpr_1",
]


class TestKnownLeaks:
    def test_they_are_ranked(self, audits):
        mean = {name: each.figures.loc[RISKS, "value"].mean() for name, each in audits.items()}
        assert mean["copy"] > max(mean["jittered"], mean["redrawn"]) + 0.2
        assert min(mean["jittered"], mean["redrawn"]) > mean["tenth"] + 0.2
        # The mean scatters by 0.01 over seeds.
        assert mean["tenth"] > mean["fresh"] + 0.03

    def test_membership_finds_as_many_rows_as_are_copied(self, audits):
        found = values(audits, "membership_tpr_1")
        assert found["copy"] == 1.0 and found["jittered"] > 0.9
        # 1 - 1 / e of the rows are drawn at least once.
        assert found["redrawn"] == pytest.approx(0.63, abs=0.15)
        assert found["tenth"] == pytest.approx(0.1, abs=0.06)

    def test_each_risk_of_the_guidance_shows_copies(self, audits):
        copy = audits["copy"]
        lows = copy.figures["low"]
        assert (lows[["singling_out_univariate", "singling_out_multivariate"]] > 0.9).all()
        assert lows["inference"] > 0.9 and lows["linkability"] > 0.4
        assert {*RISKS, "membership_auc", "membership_tpr_01"} <= set(copy.leaks)
        for metric in RISKS:
            assert values(audits, metric)["copy"] > values(audits, metric)["tenth"] + 0.2

    def test_extremes_of_copies_are_verbatim(self, audits):
        copy = audits["copy"].extremes
        assert copy["lowest"].all() and copy["highest"].all()
        assert (copy["found"] == copy["single"]).all()

    def test_nothing_is_found_in_fresh_rows(self, audits):
        """Intervals of 99.99 %, about twice as wide as those given, hold the value of no leak."""
        figures = audits["fresh"].figures.dropna(subset="value")
        best = [float(auditing.MEANINGS[name][0]) for name in figures.index]
        below = 2.2 * (figures["value"] - figures["low"]) + 1e-9
        above = 2.2 * (figures["high"] - figures["value"]) + 1e-9
        assert (figures["value"] - below <= best).all()
        assert (figures["value"] + above >= best).all()
        # A bound of 99 % on each block of scores; the best of few blocks.
        assert audits["fresh"].row_risk.max() < 0.6

    def test_the_rows_most_at_risk_are_the_copied_ones(self, audits):
        risk = audits["tenth"].row_risk
        assert sorted(risk.index) == list(range(N_TRAIN))
        assert risk.is_monotonic_decreasing
        # A fresh row in sixty lies as near to some row as the nearest copy.
        assert np.mean(risk.index[: TENTH // 2] < TENTH) > 0.7
        assert (audits["copy"].row_risk > 0.9).all()
        assert np.mean(audits["redrawn"].row_risk > 0.5) == pytest.approx(0.63, abs=0.15)


@pytest.mark.parametrize("sizes", [(600, 150), (150, 600)])
def test_singling_out_with_tables_of_unequal_sizes(sizes):
    """The control makes up for the number of rows: 150 rows are singled out less than 600 are."""
    n_train, n_holdout = sizes
    rng = np.random.RandomState(shifted(0))
    main, control = [], []
    for _ in range(8):
        tables = {
            name: rng.randint(600, size=(n, 5))
            for name, n in (("train", n_train), ("made", 600), ("holdout", n_holdout))
        }
        attack = single_out(align_columns(tables), 2000, rng, multivariate=False)
        main.append(attack.main.value)
        control.append(attack.control.value)
    # One row of n has a given value. Five standard errors of the mean of eight.
    expected = n_train / 600 * (1 - 1 / 600) ** (n_train - 1)
    assert np.mean(main) == pytest.approx(expected, abs=5 * 0.015 / np.sqrt(8))
    assert np.mean(control) == pytest.approx(expected, abs=5 * 0.05 / np.sqrt(8))


class TestVerbatim:
    def columns(self, train, made, holdout):
        return align_columns({"train": train, "made": made, "holdout": holdout})

    def test_rare_strings_by_hand(self):
        def rows(*names):
            return pd.DataFrame({"name": names, "group": ["a"] * len(names)})

        columns = self.columns(
            rows("Ann", "Bob", "Bob", "Cid", "Dan"), rows("Ann", "Ann", "Bob", "Eve"), rows(
                "Dan", "Eve", "Fay"
            )
        )  # fmt: skip
        strings, carried, by_column = rare_strings(columns)
        # Ann and Cid are one training row's alone, Eve and Fay one held-out row's.
        assert (strings.main.value, strings.control.value, strings.risk.value) == (0.5, 0.5, 0.0)
        # Of the strings that occur once in training, Dan is held out too.
        assert (carried.main.value, carried.control.value) == (0.5, pytest.approx(1 / 3))
        assert by_column.loc["name"].to_list() == [3, 1, 2]
        assert by_column.loc["group"].to_list() == [0, 0, 0]

    def test_a_planted_extreme(self):
        train = pd.DataFrame({"pay": [1.0, 2, 3, 4, 1e6], "day": [0] * 5})
        holdout = pd.DataFrame({"pay": [1.0, 2, 3, 5, 7], "day": [0] * 5})
        made = pd.DataFrame({"pay": [2.0, 3, 4, 1e6], "day": [0] * 4})
        ends, by_column = extremes(self.columns(train, made, holdout))
        # The lowest pay is shared, and so is the only day.
        assert (ends.main.value, ends.control.value) == (1.0, 0.0)
        assert by_column.loc["pay"].to_list() == [False, True, 1, 1]
        assert by_column.loc["day"].to_list() == [True, True, 0, 0]


class TestIntervals:
    def test_wilson(self):
        rate = wilson(20, 50)
        expected = stats.binomtest(20, 50).proportion_ci(method="wilson")
        assert (rate.low, rate.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
        assert wilson(0, 9).low == 0.0 and wilson(9, 9).high == 1.0
        assert np.isnan(wilson(0, 0).value)

    def test_exact(self):
        expected = stats.binomtest(20, 50).proportion_ci(method="exact")
        assert exact(20, 50) == (pytest.approx(expected.low), pytest.approx(expected.high))
        assert exact(0, 9)[0] == 0.0 and exact(9, 9)[1] == 1.0

    def test_wilson_of_means(self):
        successes = np.repeat([0.0, 1.0], [30, 20])
        alone = wilson_of_means(successes)
        assert alone.low == pytest.approx(wilson(20, 50).low, abs=0.003)
        # Two columns that always succeed together are no more evidence than one.
        assert wilson_of_means(np.column_stack([successes] * 2).mean(axis=1)) == alone

    def test_excess_holds_its_level(self):
        """The truth lies below or above in 2.5 % of the cases each: 5 standard errors of 2,000."""
        rng = np.random.default_rng(shifted(0))
        for p_main, p_control, risk in ((0.3, 0.3, 0.0), (0.6, 0.2, 0.5)):
            successes = rng.binomial([300, 150], [p_main, p_control], size=(2000, 2))
            risks = [excess(wilson(main, 300), wilson(other, 150)) for main, other in successes]
            above = np.mean([each.low > risk for each in risks])
            below = np.mean([each.high < risk for each in risks])
            assert max(above, below) < 0.025 + 5 * np.sqrt(0.025 * 0.975 / 2000)

    def test_excess_at_its_ends(self):
        assert excess(wilson(9, 9), wilson(1, 9)).high == 1.0
        assert np.isnan(excess(wilson(9, 9), wilson(9, 9)).value)
        assert excess(wilson(0, 9), wilson(8, 9)).value == -1.0

    def test_area(self):
        rng = np.random.default_rng(shifted(1))
        members, others = rng.integers(0, 9, 80) + 2, rng.integers(0, 9, 50)
        label = np.repeat([1, 0], [80, 50])
        rate = area(members * 1.0, others * 1.0)
        assert rate.value == pytest.approx(roc_auc_score(label, np.concatenate([members, others])))
        assert 0 < rate.low < rate.value < rate.high < 1
        certain = area(np.ones(50), np.zeros(40))
        assert (certain.value, certain.low, certain.high) == (1.0, wilson(40, 40).low, 1.0)

    def test_hits_by_hand(self):
        others = np.arange(100.0)
        main, control = hits_at(np.array([97.0, 98, 98.5, 99]), others, 0.01)
        # One of the others may have a higher score than the threshold, 98.
        assert main.value == 0.5 and control.value == 2 / 101
        assert control.low < 0.01 < control.high
        assert hits_at(np.array([99.0, 100]), others, 0.001)[0].value == 0.5


class Remembering(BaseEstimator):
    """Shuffle one column of the rows learnt, or make rows that know nothing of them."""

    def __init__(self, heed=True, random_state=0):
        self.heed = heed
        self.random_state = random_state

    def fit(self, X):
        self.rows_ = X
        return self

    def sample(self, n_samples):
        rng = np.random.default_rng(self.random_state)
        if not self.heed:
            return mixed_table(n_samples, int(rng.integers(1000, 999_999)))
        rows = self.rows_.iloc[rng.integers(len(self.rows_), size=n_samples)]
        name = rng.choice(list(rows))
        return rows.assign(**{name: rows[name].array[rng.permutation(n_samples)]})


@pytest.mark.parametrize("heed", [True, False])
def test_shadow_models(heed):
    table = mixed_table(400, 20)
    train, holdout = table[:200], table[200:]
    model = Remembering(heed, random_state=shifted(1))
    made = Remembering(heed, random_state=shifted(2)).fit(train).sample(200)
    found = audit(train, made, holdout, model=model, n_shadows=3, max_rows=100)
    assert not hasattr(model, "rows_")
    figures = found.figures.loc["membership_shadow_auc"]
    if heed:
        assert figures["low"] > 0.6
    else:
        # 5 standard deviations.
        assert figures["value"] == pytest.approx(0.5, abs=5 * 0.029)


class TestAudit:
    tables = mixed_table(60, 0), mixed_table(60, 1), mixed_table(60, 2)

    def test_results(self):
        found = audit(*self.tables)
        assert list(found.summary()) == ["value", "interval", "best", "meaning"]
        assert repr(found).startswith("PrivacyAudit(singling_out_univariate=")
        assert "Privacy audit: 60 real rows, 60 synthetic rows, 60 holdout rows" in str(found)
        assert set(found.figures.index) <= set(auditing.MEANINGS)
        known = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert known["rows_at_risk"]["attacked"] == 60
        assert len(known["inference"]) == 6

    def test_reproducible(self):
        first, again, other = (
            audit(*self.tables, random_state=seed, max_rows=30).figures["value"]
            for seed in (1, 1, 2)
        )
        pd.testing.assert_series_equal(first, again)
        assert not first.equals(other)

    def test_odd_columns(self):
        tables = [table.assign(none=np.nan, one=1) for table in self.tables]
        found = audit(*tables)
        assert found.figures.loc["inference", "value"] == pytest.approx(
            audit(*self.tables).figures.loc["inference", "value"], abs=0.2
        )
        assert np.isnan(found.inference.loc["none", "value"])
        alone = audit(*[table[["size"]] for table in self.tables])
        assert "linkability" not in alone.summary().index
        assert "membership_auc" in alone.summary().index

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"holdout": TABLE[:39]}, "holdout must have at least 40 rows for an audit, got 39."),
            ({"real": TABLE[:9]}, "real must have at least 40 rows for an audit, got 9."),
            ({"synthetic": TABLE[:9]}, "synthetic must have at least 10 rows for an audit, got 9."),
            (
                {"holdout": TABLE.drop(columns="size")},
                "real and holdout must have the same columns; holdout lacks ['size'] and has [] "
                "besides.",
            ),
            (
                {"model": Remembering},
                "model must be None or an object with fit and sample and get_params, got "
                "<class 'test_audit.Remembering'>.",
            ),
        ],
    )
    def test_clear_errors(self, change, message):
        arguments = {"real": TABLE, "synthetic": TABLE, "holdout": TABLE} | change
        with pytest.raises(ValueError, match=says(message)):
            audit(**arguments)

    def test_in_a_report(self, tmp_path):
        real, made, test = self.tables
        report = evaluate(real, made, test=test, audit=True)
        assert report.audit.n_rows["holdout"] == 60
        assert report.to_dict()["audit"]["figures"]["linkability"]["value"] is not None
        assert "Privacy audit" in str(report)
        page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
        assert "Privacy audit" in page and "two halves of a training row" in page
        plain = evaluate(real, made, test=test)
        assert plain.audit is None and plain.to_dict()["audit"] is None
        assert "Privacy audit" not in plain._repr_html_()

    def test_a_report_needs_rows_to_compare_with(self):
        message = (
            "audit=True needs real rows that the synthesizer has not seen; pass them as test or "
            "leave audit out."
        )
        with pytest.raises(ValueError, match=says(message)):
            evaluate(*self.tables[:2], audit=True)
