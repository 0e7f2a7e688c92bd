"""Random tables of any columns, random parameters, and what must hold of rows made from them.

A seed decides the estimator, its parameters, the table and everything that is asked for. What comes
out either is as it should be, or is refused by a ValueError or TypeError that the library raises
itself; see `try_one`. ``adversarial_day.py`` counts.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import inspect
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import contract  # noqa: E402
import tables  # noqa: E402

import tabgan.persistence  # noqa: E402  Fills both registries.
from tabgan.adversarial import R1, R2, InstanceNoise, RelativisticPairing  # noqa: E402
from tabgan.constraints import discover  # noqa: E402
from tabgan.estimators.features import Features  # noqa: E402
from tabgan.estimators.imputing import Imputing  # noqa: E402
from tabgan.estimators.sequences import SequenceSynthesizer  # noqa: E402
from tabgan.estimators.tables import TableSynthesizer  # noqa: E402
from tabgan.registry import HOLDERS, MODELS  # noqa: E402

Rng = np.random.Generator


class Wrong(Exception):
    """Something that came out is not as it should be."""


def check(holds: bool, told: str) -> None:
    """Raise `Wrong` unless something holds."""
    if not holds:
        raise Wrong(told)


# ---------------------------------------------------------------------- columns


def _texts(rng: Rng, n: int) -> list[str]:
    """Draw n texts of any letters, lone surrogates and NUL among them."""
    pool = [
        "\0",
        "a",
        "b",
        "é",
        "\ud800",
        "\udfff",
        "\u202e",
        " ",
        "",
        "😀",
        "\n",
        "'",
        ",",
        "x" * 999,
    ]
    return ["".join(rng.choice(pool, rng.integers(0, 4))) for _ in range(n)]


def _objects(values: list[Any]) -> pd.Series:
    column = pd.Series([None] * len(values), dtype=object)
    for i, value in enumerate(values):
        column.iat[i] = value
    return column


def _moments(rng: Rng, n: int) -> pd.Series:
    seconds = rng.integers(-(10**9), 4 * 10**9, n)
    unit = rng.choice(["s", "ms", "us", "ns"])
    column = pd.Series(pd.to_datetime(seconds, unit="s")).astype(f"datetime64[{unit}]")
    zone = rng.choice(["", "UTC", "Europe/Berlin", "Asia/Kathmandu", "+05:30"])
    return column.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else column


def _mixed(rng: Rng, n: int) -> pd.Series:
    pool = [1, "1", 1.5, True, None, np.nan, pd.NA, pd.NaT, b"1", (1, 2), datetime.date(2020, 1, 1)]
    pool += [decimal.Decimal("1.5"), pd.Timestamp("2020"), pd.Interval(0, 1), 10**30, 1j, "\0"]
    return _objects([pool[i] for i in rng.integers(0, len(pool), n)])


def _unhashable(rng: Rng, n: int) -> pd.Series:
    pool: list[Any] = [[1], {"a": 1}, {1}, np.zeros(2), pd.Series([1])]
    return _objects([pool[i] for i in rng.integers(0, len(pool), n)])


def _categories(rng: Rng, n: int) -> pd.Series:
    k = int(rng.choice([1, 2, 5, 40]))
    names: Any = [f"c{i}" for i in range(k)] if rng.random() < 0.5 else list(range(k))
    codes = rng.integers(0, max(1, k - 1), n)
    is_ordered = bool(rng.random() < 0.5)
    return pd.Series(pd.Categorical.from_codes(codes, categories=names, ordered=is_ordered))


def _numbers(scale: float) -> Callable[[Rng, int], pd.Series]:
    return lambda rng, n: pd.Series(scale * rng.standard_normal(n))


def _whole(dtype: str) -> Callable[[Rng, int], pd.Series]:
    ends = np.iinfo(dtype.lower())

    def draw(rng: Rng, n: int) -> pd.Series:
        low, high = (ends.min, ends.max) if rng.random() < 0.5 else (max(-5, ends.min), 5)
        values = rng.integers(low, high, n, dtype=ends.dtype, endpoint=True)
        return pd.Series(values).astype(dtype)

    return draw


def _every_kind(rng: Rng, n: int) -> pd.Series:
    """Draw rows of one of the columns that the tests list by hand, of every dtype there is."""
    known = {**tables.columns(), **tables.arrow_columns()}
    column = known[str(rng.choice(sorted(known)))][0]
    return column.iloc[rng.integers(0, len(column), n)].reset_index(drop=True)


COLUMNS: dict[str, Callable[[Rng, int], pd.Series]] = {
    "normal": _numbers(1.0),
    "huge": _numbers(1e300),
    "tiny": _numbers(1e-300),
    "heavy": lambda rng, n: pd.Series(rng.standard_cauchy(n) ** 3),
    "cents": lambda rng, n: pd.Series(rng.lognormal(3, 1, n).round(2)),
    "zeros": lambda rng, n: pd.Series(np.where(rng.random(n) < 0.7, 0.0, rng.exponential(size=n))),
    "half": lambda rng, n: pd.Series(rng.standard_normal(n).astype("float16")),
    "Float32": lambda rng, n: pd.Series(rng.standard_normal(n)).astype("Float32"),
    "infinite": lambda rng, n: pd.Series(rng.choice([1.0, 2.5, np.inf, -np.inf, np.nan], n)),
    "complex": lambda rng, n: pd.Series(rng.standard_normal(n) + 1j),
    **{dtype: _whole(dtype) for dtype in ("int8", "uint8", "int64", "uint64", "Int16", "UInt64")},
    "counter": lambda rng, n: pd.Series(np.arange(n) + int(rng.integers(0, 10**6))),
    "objects beyond 64 bits": lambda rng, n: _objects(
        [10**30 * int(k) for k in rng.integers(-5, 5, n)]
    ),
    "bool": lambda rng, n: pd.Series(rng.random(n) < 0.3),
    "boolean": lambda rng, n: pd.Series(rng.random(n) < 0.3).astype("boolean"),
    "few texts": lambda rng, n: _objects([str(s) for s in rng.choice(["a", "b", "long " * 99], n)]),
    "hard texts": lambda rng, n: _objects(_texts(rng, n)),
    "own texts": lambda rng, n: pd.Series([f"name {i}" for i in range(n)], dtype=object),
    "mail": lambda rng, n: pd.Series([f"{i}@{i % 3}.org" for i in range(n)], dtype="string"),
    "categories": _categories,
    "moments": _moments,
    "spans": lambda rng, n: pd.Series(pd.to_timedelta(rng.integers(-(10**7), 10**7, n), unit="s")),
    "decimals": lambda rng, n: _objects(
        [decimal.Decimal(int(k)) / 100 for k in rng.integers(-999, 999, n)]
    ),
    "dates": lambda rng, n: _objects(
        [datetime.date(1, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 3_650_000, n)]
    ),
    "mixed": _mixed,
    "unhashable": _unhashable,
    "constant": lambda rng, n: pd.Series([7] * n),
    "missing": lambda rng, n: pd.Series([None] * n, dtype=object),
    "every kind": _every_kind,
    "every kind again": _every_kind,
}

RARE_COLUMNS = ("infinite", "complex", "unhashable", "mixed")
"""Columns of which most tables have none, so that not all tables are refused for them."""


def draw_table(rng: Rng) -> tuple[pd.DataFrame, list[str]]:
    """Draw a table, and name the kinds of its columns."""
    n = int(rng.choice([rng.integers(0, 4), rng.integers(4, 40), rng.integers(40, 260)]))
    d = int(rng.integers(40, 90)) if rng.random() < 0.02 else int(rng.integers(0, 7))
    d += d == 0 and rng.random() < 0.8
    common = [kind for kind in COLUMNS if kind not in RARE_COLUMNS]
    kinds = [str(kind) for kind in rng.choice(common, d)]
    if d and rng.random() < 0.1:
        kinds[int(rng.integers(d))] = str(rng.choice(RARE_COLUMNS))
    columns = [COLUMNS[kind](rng, n).reset_index(drop=True) for kind in kinds]
    for i, column in enumerate(columns):
        if rng.random() < 0.3:
            with contextlib.suppress(TypeError, ValueError):
                columns[i] = column.mask(rng.random(n) < rng.choice([0.05, 0.5, 0.95]))
    if not columns:
        return pd.DataFrame(index=range(n)), kinds
    table = pd.concat(columns, axis=1, keys=range(d))
    table.columns = _labels(rng, d)
    if rng.random() < 0.3:
        table.index = _index(rng, n)
    return table, kinds


def _labels(rng: Rng, d: int) -> pd.Index:
    """Draw labels of columns: mostly texts, sometimes anything."""
    way = rng.random()
    if way < 0.7:
        return pd.Index([f"column {i}" for i in range(d)])
    if way < 0.75:
        return pd.MultiIndex.from_tuples([("a", f"b{i}") for i in range(d)])
    if way < 0.8:
        return pd.Index(["a", "a", "b"] * d, dtype=object)[:d]
    pool: list[Any] = [
        0,
        1,
        -1,
        2.5,
        True,
        None,
        np.nan,
        pd.NaT,
        ("a", 1),
        "",
        " ",
        "a\0",
        "target",
    ]
    pool += [pd.Timestamp("2020"), datetime.date(2020, 1, 1), b"x", "__class__", 10**30, "é", 1j]
    chosen = [pool[i] for i in rng.integers(0, len(pool), d)]
    return pd.Index(chosen, dtype=object, tupleize_cols=False)


def _index(rng: Rng, n: int) -> pd.Index:
    ways: list[Callable[[], pd.Index]] = [
        lambda: pd.Index(rng.integers(0, 3, n)),
        lambda: pd.Index([f"row {i}" for i in range(n)]),
        lambda: pd.MultiIndex.from_arrays([np.arange(n), np.arange(n) % 2]),
        lambda: pd.date_range("2020", periods=n),
        lambda: pd.Index([np.nan] * n),
    ]
    return ways[int(rng.integers(len(ways)))]()


# ---------------------------------------------------------------------- estimators

SMALL: dict[str, Any] = {
    "n_steps": (1, 2, 3),
    "hidden_dim": (1, 4, 8),
    "latent_dim": (1, 3),
    "batch_size": (16, 64, 500),
    "code_dim": (2,),
    "noise_dim": (2,),
    "n_critic": (1, 2),
    "n_rollouts": (1,),
    "n_lessons": (1, 2),
    "lesson_size": (8,),
    "learner_dim": (4,),
    "n_clusters": (1, 3),
    "n_components": (1, 2),
}
"""Parameters that are always set, to what trains in a blink."""

OTHER: dict[str, Any] = {
    "learning_rate": (1e-5, 1e-2),
    "early_stopping": (True, False),
    "n_iter_no_change": (1, 3),
    "validation_fraction": (0.1, 0.5, 0.9),
    "acceptance_rounds": (0, 1, 2),
    "max_categories": (2, 3, 16),
    "privacy": ("none", "standard"),
    "n_steps": (0,),
    "generator": ("causal", "joint"),
    "decoder": ("causal", "joint"),
    "batch_size": (1, 2, 7),
    "handle_unknown": ("ignore", "error"),
    "missing": ("level", "unknown"),
    "loss": ("minimax", "gan"),
    "lipschitz": ("gp", "clip"),
    "penalty_weight": (0.0, 10.0),
    "prior": ("uniform", "mixture"),
    "techniques": ([R1()], [RelativisticPairing(), R1(), R2()], [InstanceNoise()]),
    "swap_rate": (0.0, 1.0),
    "hint_rate": (0.0, 1.0),
    "hide_rate": (0.0, 0.9),
    "add_indicator": (True,),
    "match_numbers": (False,),
    "select_columns": (False,),
    "linear_start": (False,),
    "strength": (0.0, 1.0),
    "seen_penalty": (0.0,),
    "pretraining": (0.0, 1.0),
    "likelihood_weight": (0.0, 5.0),
    "code_noise": (0.0, 2.0),
    "kl_weight": (0.0, 5.0),
    "codes": ([2], [3, 2]),
    "temperature": (None, 0.1),
    "clip": (1e-6,),
    "adversarial_weight": (0.0,),
}
"""Parameters of which some are set, to values that fit most classes."""


def draw_estimator(rng: Rng, cls: type, labels: list[Any]) -> Any:
    """Draw an estimator with random parameters, which may name columns."""
    if cls.__name__ in HOLDERS:
        held = draw_estimator(rng, tabgan.AutoregressiveSynthesizer, labels)
        return cls(synthesizer=held, random_state=int(rng.integers(10)))
    own = inspect.signature(cls).parameters
    values: dict[str, Any] = {"random_state": int(rng.integers(10))}
    for name, choices in SMALL.items():
        if name in own:
            values[name] = choices[int(rng.integers(len(choices)))]
    for name, choices in OTHER.items():
        if name in own and rng.random() < 0.15:
            values[name] = choices[int(rng.integers(len(choices)))]
    for name in ("categorical_features", "condition_columns"):
        if name in own and labels and rng.random() < 0.3:
            n = int(rng.integers(1, min(3, len(labels)) + 1))
            values[name] = [labels[i] for i in rng.choice(len(labels), n, replace=False)]
    if cls is tabgan.TeachingSynthesizer and labels:
        values["target"] = labels[int(rng.integers(len(labels)))]
    return cls(**values)


# ---------------------------------------------------------------------- trying


def try_one(seed: int) -> str:
    """Try one table on one estimator; classes take turns.

    Returns
    -------
    str
        What happened: "made" or "refused", with the name of the class.

    Raises
    ------
    Exception
        Whatever is not as it should be.
    """
    everyone = [*MODELS.values(), *HOLDERS.values()]
    cls = everyone[seed % len(everyone)]
    rng = np.random.default_rng([seed, 18])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The library's own warnings, and what a training of two steps leads to.
        warnings.simplefilter("ignore", UserWarning)
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        try:
            done = (
                _try_sequences(rng, cls) if issubclass(cls, SequenceSynthesizer) else _try(rng, cls)
            )
        except (ValueError, TypeError, FloatingPointError) as error:
            if not is_refusal(error):
                raise
            done = f"refused: {short(error)}"
        check((np.random.get_state()[1] == state).all(), "the global stream moved")  # noqa: NPY002
    return done


def is_refusal(error: BaseException) -> bool:
    """Say whether the library itself raised an error, or a check of scikit-learn did."""
    last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    ours = Path(tabgan.__file__).parent in last.parents
    theirs = "sklearn" in last.parts and last.name == "validation.py"
    # What scikit-learn says of an estimator within one of ours tells the user nothing.
    owner = re.search(r"required by (\w+)", str(error))
    is_ours = owner is None or owner[1] in {*MODELS, *HOLDERS}
    return (ours or (theirs and is_ours)) and 0 < len(str(error)) < 2_000


def short(error: BaseException) -> str:
    """Shorten an error's text, without what differs from table to table."""
    text = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", str(error))
    text = re.sub(rf"\b({'|'.join([*MODELS, *HOLDERS])})\b", "the class", text)
    return re.sub(r"[-+]?\d[\d.,e+-]*", "#", text)[:90]


def _try(rng: Rng, cls: type) -> str:
    table, kinds = draw_table(rng)
    labels = list(table.columns)
    estimator = draw_estimator(rng, cls, labels)
    y, seen = None, table
    if isinstance(estimator, tabgan.CycleGANTranslator):
        seen = table.iloc[: len(table) // 2]
        y = table.iloc[len(table) // 2 :]
    elif contract.get_tags(estimator).target_tags.required or (
        issubclass(cls, TableSynthesizer) and rng.random() < 0.1
    ):
        y = COLUMNS[str(rng.choice(["few texts", "bool", "int8", "categories"]))](rng, len(table))
        y = y.to_numpy() if rng.random() < 0.5 else y.set_axis(table.index)
    rules: list[Any] = []
    takes_rules = "constraints" in estimator.get_params(deep=False)
    if takes_rules and table.columns.is_unique and rng.random() < 0.25:
        rules = _rules(rng, table)
        estimator.set_params(constraints=rules or None)
    before = table.copy()
    estimator.fit(seen, y)
    loaded = _carried(estimator)
    _check_made(rng, estimator, loaded, table, y, rules)
    pd.testing.assert_frame_equal(table, before)
    return "made"


def _rules(rng: Rng, table: pd.DataFrame) -> list[Any]:
    """Choose among the rules that hold in a table, if any can be found."""
    try:
        found = discover(table)["rule"].tolist()
    except (ValueError, TypeError) as error:
        if not is_refusal(error):
            raise
        return []
    n = int(rng.integers(0, min(3, len(found)) + 1))
    return [found[i] for i in rng.choice(len(found), n, replace=False)]


def _carried(estimator: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tabgan"
        estimator.save(path)
        return tabgan.load(path, device="cpu")


def _check_made(
    rng: Rng, estimator: Any, loaded: Any, table: pd.DataFrame, y: Any, rules: list[Any]
) -> None:
    """Check what an estimator makes, and that the one from a file makes the same."""
    seed = int(rng.integers(1000))
    if isinstance(estimator, Imputing):
        filled, again = (
            each.sample(table, n_draws=1, random_state=seed)[0] for each in (estimator, loaded)
        )
        pd.testing.assert_frame_equal(filled, again)
        check(len(filled) == len(table), "rows got lost")
        own = filled.iloc[:, : table.shape[1]]
        known = table.notna().to_numpy()
        for i in range(table.shape[1]):
            one, other = own.iloc[:, i][known[:, i]], table.iloc[:, i][known[:, i]]
            check(one.tolist() == other.tolist(), f"known values of column {i} changed")
            check(
                not known[:, i].any() or own.iloc[:, i].notna().all(), f"column {i} has gaps left"
            )
    elif hasattr(estimator, "augment"):
        n = len(table) + int(rng.integers(1, 50))
        made = [
            each.augment(table, y, n_samples=n, random_state=seed) for each in (estimator, loaded)
        ]
        for one, other in zip(*made, strict=True) if isinstance(made[0], tuple) else [made]:
            check(
                pd.DataFrame(one).equals(pd.DataFrame(other)), "the loaded model makes other rows"
            )
    elif isinstance(estimator, tabgan.CycleGANTranslator):
        there = [each.transform(table) for each in (estimator, loaded)]
        pd.testing.assert_frame_equal(*there)
        check(len(there[0]) == len(table), "rows got lost")
        check(len(estimator.inverse_transform(there[0])) == len(table), "rows got lost")
    elif isinstance(estimator, TableSynthesizer):
        _check_synthesizer(rng, estimator, loaded, table, y, rules)
    elif hasattr(estimator, "predict_proba"):
        chances = [each.predict_proba(table) for each in (estimator, loaded)]
        check((chances[0] == chances[1]).all(), "the loaded model predicts otherwise")
        check(np.allclose(chances[0].sum(axis=1), 1.0), "probabilities do not add up to one")
    if isinstance(estimator, Features):
        codes = [np.asarray(each.transform(table)) for each in (estimator, loaded)]
        check(
            len(codes[0]) == len(table) and np.isfinite(codes[0]).all(), "features are no numbers"
        )
        check((codes[0] == codes[1]).all(), "the loaded model has other features")


def _check_synthesizer(
    rng: Rng, model: Any, loaded: Any, table: pd.DataFrame, y: Any, rules: list[Any]
) -> None:
    n, seed = int(rng.integers(1, 120)), int(rng.integers(1000))
    made = model.sample(n, random_state=seed)
    pd.testing.assert_frame_equal(made, model.sample(n, random_state=seed))
    pd.testing.assert_frame_equal(made, loaded.sample(n, random_state=seed))
    # A private description knows neither how a table marks missing values nor where numbers end.
    is_private = isinstance(model, tabgan.DPSynthesizer)
    withholds = is_private or model.privacy != "none"
    _check_like(made, table, n, withholds, is_private)
    for rule in rules:
        check(not rule.learn(table).broken(made[list(table.columns)]).any(), f"{rule} is broken")
    if not table.columns.is_unique or not len(table.columns) or withholds:
        return
    for _ in range(2):
        names = list(table.columns)
        chosen = [names[i] for i in rng.choice(len(names), min(len(names), 2), replace=False)]
        row = int(rng.integers(len(table)))
        asked = {name: _asked(rng, table[name], row) for name in chosen[: int(rng.integers(1, 3))]}
        try:
            rows = model.sample(7, random_state=seed, conditions=asked, time_limit=2.0)
        except (ValueError, TypeError) as error:
            if not is_refusal(error):
                raise
            continue
        _check_like(rows, table, 7, withholds)
        for name, condition in asked.items():
            for value in rows[name].astype(object):
                check(_meets(value, condition), f"{value!r} does not meet {condition!r}")


def _check_like(
    made: pd.DataFrame, seen: pd.DataFrame, n: int, withholds: bool, is_private: bool = False
) -> None:
    made = made.iloc[:, : seen.shape[1]]
    if withholds:
        check(len(made) == n, f"{len(made)} rows, not {n}")
        kinds = [
            # Which categories a column declares is private where the description is.
            [str(dtype) if is_private else dtype for dtype in table.dtypes]
            for table in (made, seen)
        ]
        check(kinds[0] == kinds[1], "other dtypes")
        return
    check(list(map(repr, made.columns)) == list(map(repr, seen.columns)), "other labels")
    # With labels, the index of columns may need another dtype.
    tables.assert_like(made.set_axis(seen.columns, axis=1), seen, n)


def _asked(rng: Rng, column: pd.Series, row: int) -> Any:
    """Choose a condition that at least one row meets."""
    value, other = column.iloc[row], column.iloc[int(rng.integers(len(column)))]
    if rng.random() < 0.2:
        return {value, other}
    if rng.random() < 0.4:
        with contextlib.suppress(TypeError, ValueError):
            if not pd.isna(value) and not pd.isna(other) and not isinstance(value, bool | str):
                return pd.Interval(min(value, other), max(value, other), closed="both")
    return value


def _meets(value: Any, condition: Any) -> bool:
    if isinstance(condition, set):
        return any(_meets(value, each) for each in condition)
    if isinstance(condition, pd.Interval) and not isinstance(value, pd.Interval):
        return value in condition
    if not isinstance(condition, tuple) and pd.isna(condition) is True:
        return bool(pd.isna(value))
    return bool(value == condition)


def _try_sequences(rng: Rng, cls: type) -> str:
    """Try a synthesizer of sequences on the rows of some entities."""
    table, _ = draw_table(rng)
    estimator = draw_estimator(rng, cls, [])
    table.columns = [f"column {i}" for i in range(table.shape[1])]
    n = len(table)
    n_entities = int(rng.integers(1, max(2, n // 2)))
    who = rng.integers(0, n_entities, n)
    table.insert(0, "who", who if rng.random() < 0.5 else [f"p{k}" for k in who])
    estimator.set_params(entity="who")
    if rng.random() < 0.5:
        when = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(n), "D")
        table["when"] = when if rng.random() < 0.5 else np.arange(n)
        estimator.set_params(time="when")
    before = table.copy()
    estimator.fit(table)
    loaded = _carried(estimator)
    k, seed = int(rng.integers(1, 9)), int(rng.integers(1000))
    made = estimator.sample(k, random_state=seed)
    pd.testing.assert_frame_equal(made, estimator.sample(k, random_state=seed))
    pd.testing.assert_frame_equal(made, loaded.sample(k, random_state=seed))
    check(made["who"].nunique() == k, f"{made['who'].nunique()} entities, not {k}")
    check(list(made.columns) == list(table.columns), "other columns")
    check(list(made.dtypes) == list(table.dtypes), "other dtypes")
    pd.testing.assert_frame_equal(table, before)
    return "made"
