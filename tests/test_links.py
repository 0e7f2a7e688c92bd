"""Equations between numbers: found in tables, kept in synthetic rows, solved under conditions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from seeds import seed

import tabgan
from tabgan import ANY, PRESENT, AutoregressiveSynthesizer, SynthesizerImputer
from tabgan.constraints import Inequality
from tabgan.table.encoder import Encoder
from tabgan.table.equations import Equation, is_kept
from tabgan.table.link_search import find_links
from tabgan.table.links import ALWAYS, Links
from tabgan.table.schema import Schema


def bills(n=2000, shift=0):
    """Price and tax add up to a total; a later price is a copy in 40 % of the rows."""
    rng = np.random.default_rng(seed(shift))
    price, tax, other = rng.gamma(2.0, 50.0, (3, n)).round(2)
    is_same = rng.random(n) < 0.4
    return pd.DataFrame(
        {
            "price": price,
            "tax": tax,
            "total": (price + tax).round(2),
            "later": np.where(is_same, price, other),
        }
    )


def found_in(table, **cut):
    return find_links(table, Encoder(Schema.infer(table), "bins", n_bins=128, **cut))


def told(links):
    return [] if links is None else sorted(str(one) for one in links.equations)


# ---------------------------------------------------------------------- equations


@pytest.mark.parametrize(
    ("kind", "weights", "constant"),
    [("sum", (2.0, -0.5), 3.0), ("product", (1.0, -2.0), 4.0)],
)
def test_solving_gives_the_parent_back(kind, weights, constant):
    equation = Equation("y", ("a", "b"), kind, weights, constant)
    rng = np.random.default_rng(0)
    amounts = {"a": rng.uniform(1, 2, 50), "b": rng.uniform(1, 2, 50)}
    amounts["y"] = equation.value(amounts)
    for place, name in enumerate(equation.parents):
        np.testing.assert_allclose(equation.solve(place, amounts), amounts[name])


def test_equations_are_written_as_by_hand():
    assert str(Equation("y", ("x",), "sum", (1.08,), 500.0)) == "y = 1.08 x + 500"
    assert str(Equation("y", ("a", "b"), "sum", (-1.0, 1.0), -2.0)) == "y = - a + b - 2"
    assert str(Equation("y", ("a", "b"), "product", (1.0, -1.0), 2.0)) == "y = a * b^-1 * 2"


def test_an_equation_holds_up_to_the_rounding_of_its_target():
    table = pd.DataFrame({"y": [1.25, 1.26, 1.27, np.nan], "x": [1.254, 1.254, 1.254, 1.254]})
    column = Schema.infer(table)["y"]
    amounts = {name: table[name].to_numpy() for name in table}
    equation = Equation("y", ("x",), "sum", (1.0,), 0.0)
    assert is_kept(equation, column, amounts).tolist() == [True, False, False, False]


# ---------------------------------------------------------------------- search


def test_sums_and_copies_are_found():
    links = found_in(bills())
    assert told(links) == ["later = price", "total = price + tax"]
    assert links.switch_of["total"] == ALWAYS
    levels = links.express(bills())["later = price"]
    assert levels.tolist() == (bills().later == bills().price).astype(int).tolist()


def various(n=3000):
    rng = np.random.default_rng(seed(0))
    a, b, c, d = rng.gamma(2.0, 100.0, (4, n)).round(2)
    count, price = rng.integers(1, 60, n), rng.lognormal(2.0, 1.0, n).round(2)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 4000, n), unit="D")
    return pd.DataFrame({"a": a, "b": b, "c": c, "d": d, "n": count, "price": price, "day": day})


@pytest.mark.parametrize(
    ("formula", "equation"),
    [
        (lambda t: (t.a - t.b).round(2), "y = a - b"),
        (lambda t: (t.a + t.b + t.c - t.d).round(2), "y = a + b + c - d"),
        (lambda t: (2.5 * t.a - 0.75 * t.b + 12).round(2), "y = 2.5 a - 0.75 b + 12"),
        (lambda t: (t.n * t.price).round(2), "y = n * price"),
        (lambda t: t.a / t.b, "y = a * b^-1"),
        (lambda t: (1.8 * t.c + 32).round(1), "y = 1.8 c + 32"),
        (lambda t: t.day + pd.Timedelta(days=30), "y = day"),
        (lambda t: t.a.where(t.b < 200, t.c), "y = a"),
    ],
)
def test_relations_are_found(formula, equation):
    table = various()
    links = found_in(table.assign(y=formula(table)))
    left, right = equation.split(" = ")
    terms = {f"{left} = {right}"}
    # The order of terms follows from how well each fits by itself.
    kept = [one for one in links.equations if one.target == "y"]
    names = {term.strip().split(" ")[-1].split("^")[0] for term in _terms(right)}
    assert kept and set(kept[0].parents) == names - {"12", "32"}
    if len(kept[0].parents) == 1:
        assert str(kept[0]) in terms


def _terms(text):
    for sign in ("-", "*"):
        text = text.replace(f" {sign} ", " + ")
    return text.split(" + ")


def test_gaps_do_not_hide_relations():
    table = bills()
    table.loc[::7, "tax"] = np.nan
    table.loc[::11, "total"] = np.nan
    assert "total = price + tax" in told(found_in(table))


def test_narrow_noise_is_learnt():
    table = various()
    noise = np.random.default_rng(seed(1)).uniform(-0.2, 0.2, len(table))
    (equation,) = found_in(table.assign(y=3 * table.d + noise)).equations
    assert equation.names == ("y", "d")
    assert equation.weights[0] == pytest.approx(3, abs=0.01)
    assert -0.3 < equation.noise.low[0] < -0.1 < 0.1 < equation.noise.high[-1] < 0.3


@pytest.mark.parametrize(
    "table",
    [
        various(),
        pd.DataFrame(np.random.default_rng(0).integers(0, 5, (1000, 4))),
        pd.DataFrame(np.random.default_rng(0).normal(size=(150, 1)) * [1.0, 2.0]),
        pd.DataFrame({"x": np.zeros(500), "y": np.zeros(500)}),
        pd.DataFrame({"x": ["a", "b"] * 200, "y": pd.Categorical(["u", "v"] * 200)}),
    ],
    ids=["unrelated", "levels that say the value", "few rows", "constant", "no numbers"],
)
def test_nothing_is_found_where_nothing_is(table):
    table.columns = table.columns.astype(str)
    assert found_in(table) is None


def test_no_column_is_computed_from_itself():
    table = bills()
    table["back"] = (table.total - table.tax).round(2)
    table["half"] = table.total / 2
    links = found_in(table)
    before = set(table.columns)
    for equation in reversed(links.equations):
        assert set(equation.parents) <= before
    for i, equation in enumerate(links.equations):
        later = {one.target for one in links.equations[i + 1 :]}
        assert not later & set(equation.parents)


def test_columns_that_are_copied_together_share_a_switch():
    rng = np.random.default_rng(seed(0))
    x, y, u, v = rng.gamma(2.0, 50.0, (4, 2000)).round(2)
    is_same = rng.random(2000) < 0.5
    table = pd.DataFrame(
        {"x": x, "y": y, "x2": np.where(is_same, x, u), "y2": np.where(is_same, y, v)}
    )
    links = found_in(table)
    assert told(links) == ["x2 = x", "y2 = y"]
    assert len(links.switches.columns) == 1


# ---------------------------------------------------------------------- rows


@pytest.fixture(scope="module")
def links():
    return found_in(bills())


def scattered(links, n=400):
    """Rows in which no equation holds, with switches drawn."""
    table = bills(n, 5)
    table["total"], table["later"] = 50.0, 60.0
    expressed = links.express(table)
    expressed["later = price"] = np.arange(n) % 2
    return expressed


def test_rows_keep_what_switches_say(links):
    expressed = scattered(links)
    rows = links.settle(expressed, {}, np.random.default_rng(0))
    assert list(rows) == ["price", "tax", "total", "later"]
    in_range = rows.price + rows.tax <= bills().total.max()
    np.testing.assert_allclose(rows.total[in_range], (rows.price + rows.tax)[in_range], atol=1e-9)
    assert (rows.total[~in_range] == 50.0).all()
    is_same = expressed["later = price"] == 1
    assert (rows.later[is_same] == rows.price[is_same]).all()
    assert (rows.later[~is_same] == 60.0).all()


def test_known_values_stay_and_others_follow(links):
    expressed = scattered(links)
    everywhere = np.ones(len(expressed), dtype=bool)
    fixed = {"total": everywhere, "later": everywhere}
    expressed["total"], expressed["later"], expressed["price"] = 120.5, 40.25, 50.0
    rows = links.settle(expressed, fixed, np.random.default_rng(0))
    assert (rows.total == 120.5).all() and (rows.later == 40.25).all()
    is_same = expressed["later = price"] == 1
    assert (rows.price[is_same] == 40.25).all() and (rows.price[~is_same] == 50.0).all()
    np.testing.assert_allclose(rows.price + rows.tax, 120.5, atol=1e-9)


def test_missing_values_are_left_alone(links):
    expressed = scattered(links)
    expressed.loc[:9, "price"] = np.nan
    expressed.loc[10:19, "total"] = np.nan
    rows = links.settle(expressed, {}, np.random.default_rng(0))
    assert rows.price[:10].isna().all() and (rows.total[:10] == 50.0).all()
    assert rows.total[10:20].isna().all() and rows.price[10:].notna().all()


def test_links_survive_json(links):
    again = Links.from_dict(json.loads(json.dumps(links.to_dict())), links.table)
    assert told(again) == told(links) and again.switch_of == links.switch_of
    expressed = scattered(links)
    one, other = (each.settle(expressed, {}, np.random.default_rng(0)) for each in (links, again))
    pd.testing.assert_frame_equal(one, other)


def test_known_cells_say_switches(links):
    cells = pd.DataFrame({"price": [1.0, 1.0, ANY], "later": [1.0, 2.0, 1.0]}, dtype=object)
    assert links.known(cells)["later = price"].tolist() == [1, 0, ANY]
    assert links.known(cells[["price"]]) == {}


# ---------------------------------------------------------------------- models


@pytest.fixture(scope="module")
def model():
    return AutoregressiveSynthesizer(n_steps=60, random_state=0).fit(bills())


def test_synthetic_rows_keep_equations(model):
    rows = model.sample(2000, random_state=0)
    assert list(rows) == list(bills()) and rows.dtypes.equals(bills().dtypes)
    assert ((rows.price + rows.tax - rows.total).abs() < 1e-6).mean() > 0.98
    share = (rows.later == rows.price).mean()
    # The rate of a level is calibrated; 2,000 rows leave a standard deviation of .011.
    assert 0.33 < share < 0.47


def test_conditions_are_met_and_equations_kept(model):
    rows = model.sample(300, conditions={"total": 150.25, "tax": 50.0}, random_state=0)
    assert (rows.total == 150.25).all() and (rows.price == 100.25).all()
    asked = pd.DataFrame({"total": [pd.Interval(100, 110)] * 200 + [ANY] * 50 + [PRESENT] * 50})
    rows = model.sample(conditions=asked, random_state=0)
    assert rows.total[:200].between(100, 110).all()
    assert ((rows.price + rows.tax - rows.total).abs() < 1e-6).mean() > 0.95


def test_gaps_are_filled_as_equations_say():
    table = bills(1000)
    gapped = table.copy()
    gapped.loc[:99, "total"] = np.nan
    gapped.loc[100:199, "tax"] = np.nan
    imputer = SynthesizerImputer(AutoregressiveSynthesizer(n_steps=60, random_state=0))
    filled = imputer.fit(gapped).transform(gapped)
    assert np.isclose(filled.total[:100], table.total[:100]).mean() > 0.95
    assert np.isclose(filled.tax[100:200], table.tax[100:200]).mean() > 0.95


def test_files_keep_links(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = tabgan.load(tmp_path / "model")
    one, other = (each.sample(50, random_state=1) for each in (model, loaded))
    pd.testing.assert_frame_equal(one, other)


def test_scores_and_posteriors_of_linked_tables(model):
    table = bills().head(20)
    assert np.isfinite(model.score_samples(table)).all()
    for column in ("later", "total"):
        np.testing.assert_allclose(model.conditional_proba(table, column).sum(axis=1), 1, atol=1e-4)


def test_further_rows_are_read_with_the_links_of_the_first():
    model = AutoregressiveSynthesizer(n_steps=3, random_state=0, acceptance_rounds=0)
    model.fit(bills())
    model.partial_fit(bills(300, 9))
    assert len(model.sample(5)) == 5


def test_links_and_constraints_live_together():
    table = bills(1000)
    table["low"], table["high"] = table.price, table.price + table.tax + 1
    model = AutoregressiveSynthesizer(
        n_steps=20, random_state=0, constraints=[Inequality("low", "high")], acceptance_rounds=0
    )
    rows = model.fit(table).sample(300, random_state=0)
    assert (rows.low <= rows.high).all()
    assert ((rows.price + rows.tax - rows.total).abs() < 1e-6).mean() > 0.9


def test_integers_dates_and_decimals_keep_their_types():
    rng = np.random.default_rng(seed(0))
    start = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 3000, 800), unit="D")
    items = pd.Series(rng.integers(0, 5000, 800), dtype="Int64")
    items[::9] = pd.NA
    table = pd.DataFrame({"start": start, "due": start + pd.Timedelta(days=14), "n": items})
    table["twice"] = table.n * 2 + 7
    model = AutoregressiveSynthesizer(n_steps=20, random_state=0, acceptance_rounds=0).fit(table)
    rows = model.sample(300, random_state=0)
    assert rows.dtypes.equals(table.dtypes)
    assert (rows.due - rows.start == pd.Timedelta(days=14)).mean() > 0.95
    whole = rows.dropna()
    assert (whole.twice == 2 * whole.n + 7).mean() > 0.95


def test_links_of_a_table_in_parts():
    pytest.importorskip("pyarrow")
    table = bills()
    settings = {"n_steps": 5, "random_state": 0, "acceptance_rounds": 0}
    whole = AutoregressiveSynthesizer(**settings).fit(table)
    parted = AutoregressiveSynthesizer(**settings).fit([table.head(900), table.tail(1100)])
    rows = parted.sample(200, random_state=0)
    pd.testing.assert_frame_equal(rows, whole.sample(200, random_state=0))
    assert ((rows.price + rows.tax - rows.total).abs() < 1e-6).mean() > 0.9
    parted.partial_fit([table.head(300)])
