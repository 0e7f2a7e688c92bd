"""The three risks of the European guidance on anonymisation, as attacks on real rows.

The attacks are those of Giomi et al. (2023), "A Unified Framework for Quantifying Privacy Risk in
Synthetic Data" (arXiv 2211.10459), sections 4 and 5. Each is made on training rows (main), on rows
that the synthesizer has not seen (control), and blindly (naive). The columns that go in are those
of a training table, a synthetic table and a held-out table, in this order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse, stats

from tabgan.evaluation.columns import Column
from tabgan.evaluation.intervals import (
    LEVEL,
    NOTHING,
    Rate,
    exact,
    excess,
    wilson,
    wilson_of_means,
)
from tabgan.evaluation.neighbours import Floats, Rows, embed, nearest, place_quantiles

MOST_CONDITIONS = 8
"""Most columns that one multivariate predicate asks about."""

_TRIES = 5  # predicates tried for each one wanted: many single out no synthetic row
_N_SHUFFLES = 200
_N_SPLITS = 4  # ways to part the columns in two for linking
_NEAR = 0.05  # of the true value: how near a guess of a number must come
_NEAR_DATE = 0.01  # of the column's range

_TRAIN, _SYNTHETIC, _HOLDOUT = range(3)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Attack:
    """How often an attack succeeds.

    Attributes
    ----------
    risk : Rate
        The excess of `main` over `control`, see `tabgan.evaluation.intervals.excess`.
    main, control : Rate
        Share of successes on training rows, and on held-out rows.
    naive : float
        Share of successes on training rows of guesses that use no synthetic row.
    """

    risk: Rate
    main: Rate
    control: Rate
    naive: float

    @classmethod
    def of(cls, main: Rate, control: Rate, naive: float = float("nan")) -> Attack:
        """Take the risk from both rates."""
        return cls(excess(main, control), main, control, naive)


FAILED = Attack(NOTHING, NOTHING, NOTHING, float("nan"))
"""An attack that could not be made."""


@dataclass(frozen=True)
class Condition:
    """What a predicate asks of one column.

    Attributes
    ----------
    column : int
    kind : {"is", "at least", "at most", "missing"}
    value : float
    """

    column: int
    kind: str
    value: float

    def holds(self, values: npt.NDArray[Any]) -> Mask:
        """Tell of which values the condition holds; it holds of no missing value but "missing"."""
        if self.kind == "is":
            return values == self.value
        if self.kind == "at least":
            return values >= self.value
        if self.kind == "at most":
            return values <= self.value
        return values < 0 if values.dtype.kind == "i" else np.isnan(values)


Predicate = Sequence[Condition]


def single_out(
    columns: Sequence[Column], n_attacks: int, rng: np.random.RandomState, *, multivariate: bool
) -> Attack:
    """Look for predicates that hold of exactly one real row, guessed from synthetic rows.

    Univariate predicates name a value that occurs once in a synthetic column, a column's lowest or
    highest value or beyond, or the only missing value. Multivariate predicates are taken from one
    synthetic row and some of its columns: the row's category, or "at least" its number where that
    lies above the column's median and "at most" where it lies below; those that hold of exactly one
    synthetic row are kept.

    Parameters
    ----------
    columns : sequence of Column
    n_attacks : int
        Most predicates tried on the real rows.
    rng : RandomState
    multivariate : bool

    Returns
    -------
    Attack
        NaN if the synthetic rows give no predicate.
    """
    guess = _multivariate_guesses if multivariate else _univariate_guesses
    predicates = guess(columns, n_attacks, rng)
    if not predicates:
        return FAILED
    blind = [_blind_guess(columns, len(p), rng) for p in predicates]
    naive = float(np.mean([len(_matching(p, columns, _TRAIN)) == 1 for p in blind]))
    return Attack.of(*_singled_out(predicates, columns, rng), naive)


def _singled_out(
    predicates: Sequence[Predicate], columns: Sequence[Column], rng: np.random.RandomState
) -> tuple[Rate, Rate]:
    """Return how often predicates single out a training row, and one of as many unseen rows.

    NOTE[DIFF]: the paper models how the rate grows with the number of rows where the tables differ
    in size. Here nothing is modelled. If the predicates know nothing of the training rows, the real
    rows that match one of them are any of all real rows, and the number of training rows among them
    is hypergeometric. What the training rows have beyond its expectation is divided by the share of
    held-out rows, since the expectation rests on the training rows too.

    NOTE[DIFF]: predicates that match the same rows succeed together. They count for as many
    independent ones as would make the rates scatter as much as they do when training and held-out
    rows are shuffled.
    """
    n_train, _, n_holdout = _lengths(columns)
    n_both, n_attacks = n_train + n_holdout, len(predicates)
    rows = [
        np.concatenate([_matching(p, columns, _TRAIN), n_train + _matching(p, columns, _HOLDOUT)])
        for p in predicates
    ]
    n_rows = np.array([len(each) for each in rows])
    ends = np.concatenate([[0], np.cumsum(n_rows)])
    matching = sparse.csr_array(
        (np.ones(ends[-1], dtype=np.float32), np.concatenate(rows), ends), shape=(n_attacks, n_both)
    )
    is_train = np.repeat(np.array([1, 0], dtype=np.float32), [n_train, n_holdout])
    share = float(np.mean(matching @ is_train == 1))
    expected = stats.hypergeom.pmf(1, n_both, n_rows, n_train)
    unseen = share - (share - float(expected.mean())) * n_both / n_holdout

    shuffled = np.column_stack([rng.permutation(is_train) for _ in range(_N_SHUFFLES)])
    scatter = float(np.var(np.mean(matching @ shuffled == 1, axis=0)))
    alone = float(np.sum(expected * (1.0 - expected))) / n_attacks**2
    trials = n_attacks * min(alone / scatter, 1.0) if scatter > 0 else float(n_attacks)
    main = wilson(share * trials, trials)
    spread = float(expected.mean() * (1.0 - expected.mean()))
    beyond = scatter * (n_both / n_holdout) ** 2 - spread / trials
    trials *= n_holdout / n_train
    trials = min(trials, spread / beyond) if beyond > 0 and spread > 0 else trials
    control = wilson(float(np.clip(unseen, 0.0, 1.0)) * trials, trials)
    return (
        replace(main, value=share, trials=n_attacks),
        Rate(unseen, min(control.low, unseen), max(control.high, unseen), n_attacks),
    )


def _univariate_guesses(
    columns: Sequence[Column], n_attacks: int, rng: np.random.RandomState
) -> list[Predicate]:
    guesses: list[Predicate] = []
    for i, column in enumerate(columns):
        values, missing = column.values[_SYNTHETIC], column.missing[_SYNTHETIC]
        if np.count_nonzero(missing) == 1:
            guesses.append((Condition(i, "missing", 0.0),))
        known, counts = np.unique(values[~missing], return_counts=True)
        guesses += [(Condition(i, "is", value),) for value in known[counts == 1]]
        if not column.is_category and len(known):
            guesses.append((Condition(i, "at most", known[0]),))
            guesses.append((Condition(i, "at least", known[-1]),))
    return [guesses[k] for k in rng.permutation(len(guesses))[:n_attacks]]


def _multivariate_guesses(
    columns: Sequence[Column], n_attacks: int, rng: np.random.RandomState
) -> list[Predicate]:
    if len(columns) < 2:
        return []
    medians = [
        0.0 if c.is_category or c.missing[_SYNTHETIC].all() else np.nanmedian(c.values[_SYNTHETIC])
        for c in columns
    ]
    n_synthetic = _lengths(columns)[_SYNTHETIC]
    guesses: list[Predicate] = []
    for _ in range(_TRIES * n_attacks):
        row = rng.randint(n_synthetic)
        width = rng.randint(2, min(len(columns), MOST_CONDITIONS) + 1)
        predicate = [
            _condition_of(columns[i], i, row, medians[i])
            for i in rng.permutation(len(columns))[:width]
        ]
        if len(_matching(predicate, columns, _SYNTHETIC)) == 1:
            guesses.append(predicate)
            if len(guesses) == n_attacks:
                break
    return guesses


def _condition_of(column: Column, i: int, row: int, median: float) -> Condition:
    value = column.values[_SYNTHETIC][row]
    if column.missing[_SYNTHETIC][row]:
        return Condition(i, "missing", 0.0)
    if column.is_category:
        return Condition(i, "is", value)
    return Condition(i, "at least" if value > median else "at most", value)


def _blind_guess(columns: Sequence[Column], width: int, rng: np.random.RandomState) -> Predicate:
    """Ask for evenly drawn values between the ends of some columns."""
    conditions = []
    for i in rng.permutation(len(columns))[:width]:
        column = columns[i]
        if column.is_category:
            conditions.append(Condition(i, "is", rng.randint(max(len(column.labels), 1))))
            continue
        values = column.values[_SYNTHETIC][~column.missing[_SYNTHETIC]]
        low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
        kind = ("at least", "at most")[rng.randint(2)]
        conditions.append(Condition(i, kind, low + (high - low) * rng.uniform()))
    return conditions


def _matching(predicate: Predicate, columns: Sequence[Column], table: int) -> Rows:
    """Return the positions of the rows of a table of which a predicate holds."""
    first, *others = predicate
    rows = np.flatnonzero(first.holds(columns[first.column].values[table]))
    for condition in others:
        rows = rows[condition.holds(columns[condition.column].values[table][rows])]
    return rows


def link(
    columns: Sequence[Column], targets: Rows, others: Rows, made: Rows, rng: np.random.RandomState
) -> Attack:
    """Link two parts of a real row, of which different people know one each.

    The columns are parted in two. For each part the closest synthetic row is found. The link
    succeeds where both parts have the same closest row. Each target meets one of a few partings.

    Parameters
    ----------
    columns : sequence of Column
    targets, others, made : ndarray of int
        Positions of the training rows and held-out rows attacked, and of synthetic rows searched;
        ties go to the row that comes first, so that `made` should be shuffled.
    rng : RandomState

    Returns
    -------
    Attack
        NaN for a table of one column.
    """
    if len(columns) < 2:
        return FAILED
    linked: list[list[Mask]] = [[], []]
    for k in range(_N_SPLITS):
        order = rng.permutation(len(columns))
        half = len(columns) // 2
        parts = [[columns[i] for i in order[:half]], [columns[i] for i in order[half:]]]
        rows = [targets[k::_N_SPLITS], made, others[k::_N_SPLITS]]
        found = [_closest(part, rows) for part in parts]
        for successes, one, other in zip(linked, *found, strict=True):
            successes.append(one == other)
    main, control = (wilson_of_means(np.concatenate(s).astype(np.float64)) for s in linked)
    return Attack.of(main, control, 1.0 / len(made))


def infer(
    columns: Sequence[Column], targets: Rows, others: Rows, made: Rows, rng: np.random.RandomState
) -> tuple[Attack, Attack, pd.DataFrame]:
    """Guess one column of a real row from all others, by the closest synthetic row.

    A guess of a category must be right, a guess of a number within 5 % of it.

    NOTE[DIFF]: a date or a duration must be guessed within 1 % of the column's range: 5 % of the
    time since 1970 would be years. Targets without a value are left out.

    Parameters
    ----------
    columns : sequence of Column
    targets, others, made : ndarray of int
        As in `link`.
    rng : RandomState

    Returns
    -------
    mean : Attack
        Of all columns.
    worst : Attack
        Of the column whose interval has the highest low end. Its interval is widened for the choice
        of one out of many (Bonferroni) and rests on exact intervals of both rates.
    by_column : DataFrame
        The figures of each column, see `figures_of`, with the usual intervals; the riskiest column
        comes first.
    """
    if len(columns) < 2:
        return FAILED, FAILED, pd.DataFrame()
    level = 1.0 - (1.0 - LEVEL) / len(columns)
    right: list[list[Floats]] = [[], [], []]
    by_column: dict[Hashable, Attack] = {}
    cautious: list[Attack] = []
    for secret in columns:
        known = [column for column in columns if column is not secret]
        found = _closest(known, [targets, made, others])
        asked = [
            (_TRAIN, targets, made[found[0]]),
            (_HOLDOUT, others, made[found[1]]),
            (_TRAIN, targets, rng.choice(made, len(targets))),
        ]
        rates = []
        for successes, (table, rows, guesses) in zip(right, asked, strict=True):
            successes.append(_right(secret, table, rows, guesses))
            of_secret = successes[-1][~np.isnan(successes[-1])]
            rates.append(wilson(of_secret.sum(), len(of_secret)))
        by_column[secret.name] = Attack.of(rates[0], rates[1], rates[2].value)
        main, control = (_cautious(rate, level) for rate in rates[:2])
        cautious.append(Attack.of(main, control, rates[2].value))
    rates = [wilson_of_means(_mean_of_rows(np.column_stack(each))) for each in right]
    mean = Attack.of(rates[0], rates[1], rates[2].value)
    table = pd.DataFrame(
        [figures_of(attack) for attack in by_column.values()], index=list(by_column)
    ).sort_values("low", ascending=False, kind="stable")
    worst = max(cautious, key=lambda attack: np.nan_to_num(attack.risk.low, nan=-np.inf))
    return mean, worst, table


def figures_of(attack: Attack) -> dict[str, float]:
    """Return the figures of an attack by their names in tables."""
    return {
        "value": attack.risk.value,
        "low": attack.risk.low,
        "high": attack.risk.high,
        "main": attack.main.value,
        "control": attack.control.value,
        "naive": attack.naive,
        "attacks": attack.main.trials,
    }


def _cautious(rate: Rate, level: float) -> Rate:
    """Return a rate with an interval that holds the truth at least as often as the level says."""
    if rate.trials == 0:
        return rate
    low, high = exact(rate.value * rate.trials, rate.trials, level=level)
    return replace(rate, low=float(low), high=float(high))


def _closest(columns: Sequence[Column], rows: list[Rows]) -> tuple[Rows, Rows]:
    """Return the place in `rows[1]` of the synthetic row closest to each real row."""
    targets, made, others = embed(columns, rows, place_quantiles)
    return nearest(targets, made)[0], nearest(others, made)[0]


def _right(secret: Column, table: int, rows: Rows, guesses: Rows) -> Floats:
    """Tell which guesses are right: 1 or 0, NaN where there is nothing to guess."""
    truth, guess = secret.values[table][rows], secret.values[_SYNTHETIC][guesses]
    if secret.is_category:
        return np.where(truth < 0, np.nan, truth == guess)
    if secret.kind == "number":
        bound: Any = _NEAR * np.abs(truth)
    else:
        known = secret.values[_TRAIN][~secret.missing[_TRAIN]]
        bound = _NEAR_DATE * (known.max() - known.min()) if len(known) else 0.0
    return np.where(np.isnan(truth), np.nan, np.abs(truth - guess) <= bound)


def _mean_of_rows(successes: Floats) -> Floats:
    """Return each row's mean, rows that have nothing left out."""
    known = ~np.isnan(successes)
    rows = known.any(axis=1)
    return np.nansum(successes[rows], axis=1) / known[rows].sum(axis=1)


def _lengths(columns: Sequence[Column]) -> tuple[int, int, int]:
    train, synthetic, holdout = (len(values) for values in columns[0].values)
    return train, synthetic, holdout
