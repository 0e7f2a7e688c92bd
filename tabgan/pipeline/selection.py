"""How many synthetic rows to add, of which classes, and whether any: inner validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from tabgan.pipeline.joint import Features, Target
from tabgan.pipeline.synthesis import draw_seed, label_conditions, seeded_clone

# Adding less than this to level the classes changes next to nothing, so "auto" does not try it.
_LEAST_LEVELLING = 0.1

Fold = tuple[np.ndarray, np.ndarray]


class Amount(NamedTuple):
    """Rows to add per real row, drawn from the whole joint table or so as to level the classes."""

    ratio: float
    strategy: str

    def n_extra(self, n_rows: int) -> int:
        """Count the rows to add to `n_rows` real ones."""
        return round(self.ratio * n_rows)


def levelling_ratio(counts: np.ndarray) -> float:
    """Say how many rows per real row bring every class up to the largest."""
    return float((counts.max() - counts).sum() / counts.sum())


def candidate_amounts(
    ratio: float | str, ratios: Iterable[float], strategy: str, counts: np.ndarray | None
) -> list[Amount]:
    """List the amounts to choose from, smallest first.

    Parameters
    ----------
    ratio : float, "level" or "auto"
        As in `AugmentedClassifier`.
    ratios : iterable of float
        What "auto" tries; zero is always among them.
    strategy : {"auto", "all", "balance"}
        As in `AugmentedClassifier`.
    counts : ndarray of shape (n_classes,) or None
        Rows of each class, or None if the target is not discrete.

    Returns
    -------
    amounts : list of Amount
        At equal ratios drawing from the whole table comes before balancing.
    """
    level = 0.0 if counts is None else levelling_ratio(counts)
    if ratio == "level":
        return [Amount(level, "balance")]
    if ratio != "auto":
        return [Amount(float(ratio), "balance" if strategy == "balance" else "all")]
    amounts = {Amount(0.0, "all")}
    if strategy in ("auto", "all"):
        amounts |= {Amount(float(each), "all") for each in ratios}
    if strategy in ("auto", "balance") and level >= _LEAST_LEVELLING:
        below = {float(each) for each in ratios if 0 < each < level}
        amounts |= {Amount(each, "balance") for each in below | {level}}
    return sorted(amounts)


def fill_up(counts: np.ndarray, n_extra: int) -> np.ndarray:
    """Share rows among classes so that the smallest ones are filled first, like vessels by water.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes,)
        Rows there are of each class.
    n_extra : int
        Rows to add, >= 0.

    Returns
    -------
    extra : ndarray of int, shape (n_classes,)
        Rows to add to each class; they sum to `n_extra`, and none falls when `n_extra` grows.
    """
    order = np.argsort(counts, kind="stable")
    ascending = counts[order]
    cost_of_reaching = np.arange(len(counts)) * ascending - (np.cumsum(ascending) - ascending)
    n_filled = int(np.searchsorted(cost_of_reaching, n_extra, side="right"))
    level, rest = divmod(int(ascending[:n_filled].sum()) + n_extra, n_filled)
    extra = np.zeros(len(counts), dtype=int)
    extra[order[:n_filled]] = level + (np.arange(n_filled) < rest) - ascending[:n_filled]
    return extra


def draw_rows(
    synthesizer: Any, amounts: Iterable[Amount], target: Target, y: np.ndarray, seed: int
) -> dict[Amount, pd.DataFrame]:
    """Draw once for the largest amount of each strategy; smaller amounts are its subsets.

    Parameters
    ----------
    synthesizer : synthesizer
        Fitted on the joint table.
    amounts : iterable of Amount
        Wanted amounts.
    target : Target
        Of the joint table.
    y : ndarray of shape (n_rows,)
        Target of the real rows that the synthetic ones are added to.
    seed : int
        Seed of the sampling.

    Returns
    -------
    rows : dict of Amount to DataFrame
        For the amounts that come to one row at least.
    """
    rng = np.random.RandomState(seed)
    wanted = {each: each.n_extra(len(y)) for each in amounts if each.n_extra(len(y)) > 0}
    drawn = {}
    from_all = {each: n for each, n in wanted.items() if each.strategy == "all"}
    if from_all:
        pool = synthesizer.sample(max(from_all.values()), random_state=draw_seed(rng))
        drawn.update({each: pool.iloc[:n] for each, n in from_all.items()})
    balancing = {each: n for each, n in wanted.items() if each.strategy == "balance"}
    if balancing and target.classes is not None:
        counts = target.counts(y)
        labels, counts = target.classes[counts > 0], counts[counts > 0]
        most = fill_up(counts, max(balancing.values()))
        conditions = label_conditions(
            target.name, labels, most, pd.CategoricalDtype(target.classes)
        )
        pool = synthesizer.sample(random_state=draw_seed(rng), conditions=conditions)
        block = np.repeat(np.arange(len(labels)), most)
        place_in_block = np.arange(len(block)) - (np.cumsum(most) - most)[block]
        for each, n in balancing.items():
            drawn[each] = pool[place_in_block < fill_up(counts, n)[block]]
    return drawn


def fit_on_rows(
    estimator: Any,
    target: Target,
    X: Features,
    y: np.ndarray,
    rows: pd.DataFrame | None,
    fit_params: dict[str, Any],
) -> Any:
    """Fit an estimator on real rows and, where there are any, synthetic ones.

    Synthetic rows get the mean weight of the real rows; every parameter whose name ends in
    "sample_weight" is taken for a weight (in a pipeline the step's name stands before it).
    """
    if rows is not None:
        X, y = target.append(X, y, rows)
        fit_params = {
            name: np.concatenate([value, np.full(len(rows), np.mean(value))])
            if name.endswith("sample_weight") and value is not None
            else value
            for name, value in fit_params.items()
        }
    return estimator.fit(X, y, **fit_params)


@dataclass(frozen=True)
class InnerValidation:
    """A trial of several amounts, fold by fold, on real validation rows.

    Parameters
    ----------
    estimator : estimator
        Cloned and fitted once per fold and amount.
    synthesizer : synthesizer or None
        Cloned and fitted once per fold, on training rows alone.
    amounts : list of Amount
        Smallest first.
    target : Target
        Of the joint table.
    scorer : callable, (estimator, X, y) -> float
        Greater is better.
    """

    estimator: Any
    synthesizer: Any | None
    amounts: Sequence[Amount]
    target: Target
    scorer: Any

    def score_fold(
        self,
        X: Features,
        y: np.ndarray,
        fold: Fold,
        seed: int,
        fit_params: dict[str, Any],
        score_params: dict[str, Any],
    ) -> list[float]:
        """Score every amount on one fold.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_features)
            All features.
        y : ndarray of shape (n_rows,)
            The target.
        fold : tuple of (train indices, validation indices)
            The synthesizer and the estimators see the former only.
        seed : int
            Seed of all that happens in the fold.
        fit_params, score_params : dict
            Passed to ``fit`` and to the scorer; what has one value per row is cut to the fold.

        Returns
        -------
        scores : list of float of length n_amounts
            Not a number where the scorer says so.
        """
        rng = np.random.RandomState(seed)
        train, validation = fold
        X_train, y_train = _safe_indexing(X, train), y[train]
        X_validation, y_validation = _safe_indexing(X, validation), y[validation]
        fit_params = _rows_of(fit_params, train, len(y))
        score_params = _rows_of(score_params, validation, len(y))

        synthesizer = seeded_clone(self.synthesizer, draw_seed(rng))
        synthesizer.fit(self.target.join(X_train, y_train))
        drawn = draw_rows(synthesizer, self.amounts, self.target, y_train, draw_seed(rng))
        scores = []
        for amount in self.amounts:
            fitted = fit_on_rows(
                clone(self.estimator), self.target, X_train, y_train, drawn.get(amount), fit_params
            )
            scores.append(float(self.scorer(fitted, X_validation, y_validation, **score_params)))
        return scores

    def choose(self, scores: np.ndarray, folds: Sequence[Fold]) -> tuple[Amount, pd.DataFrame]:
        """Choose the smallest amount that is within one standard error of the best one.

        Of two that are equally small the better is taken. Differences are taken within folds,
        since all amounts share them. Training sets of different folds overlap, so the plain
        standard error of their mean would be too small; Nadeau and Bengio's correction adds the
        ratio of validation to training rows to 1 / n_folds. A fold with an undefined score is left
        out for all amounts; if none is left the smallest amount is taken.

        Parameters
        ----------
        scores : ndarray of shape (n_amounts, n_folds)
            Greater is better.
        folds : sequence of (train indices, validation indices)
            Where the scores come from.

        Returns
        -------
        amount : Amount
            The one to use.
        results : DataFrame of shape (n_amounts, n_folds + 7)
            One row per amount: what it was, its scores, how far its mean falls short of the best
            and the standard error of that difference.

        References
        ----------
        .. [1] Breiman et al. (1984), "Classification and Regression Trees", section 3.4.3: the
           rule of one standard error.
        .. [2] Nadeau and Bengio (2003), "Inference for the Generalization Error", section 3: the
           corrected variance.
        """
        usable = scores[:, ~np.isnan(scores).any(axis=0)]
        if usable.size == 0:
            usable = np.full((len(self.amounts), 1), np.nan)
        n_folds = usable.shape[1]
        differences = usable[usable.mean(axis=1).argmax()] - usable
        shortfall = differences.mean(axis=1)
        overlap = float(np.mean([len(validation) / len(train) for train, validation in folds]))
        spread = differences.std(axis=1, ddof=1) if n_folds > 1 else np.zeros(len(shortfall))
        standard_error = spread * np.sqrt(1 / n_folds + overlap)
        ratios = np.array([amount.ratio for amount in self.amounts])
        is_close = ~(shortfall > standard_error)
        candidates = np.flatnonzero(is_close & (ratios == ratios[is_close].min()))
        chosen = int(candidates[np.argmax(usable.mean(axis=1)[candidates])])

        results = pd.DataFrame(self.amounts, columns=list(Amount._fields))
        for split, column in enumerate(scores.T):
            results[f"split{split}_test_score"] = column
        return self.amounts[chosen], results.assign(
            mean_test_score=usable.mean(axis=1),
            std_test_score=usable.std(axis=1),
            shortfall=shortfall,
            standard_error=standard_error,
            chosen=np.arange(len(self.amounts)) == chosen,
        )


def _rows_of(params: dict[str, Any], index: np.ndarray, n_rows: int) -> dict[str, Any]:
    return {
        name: _safe_indexing(value, index) if has_value_per_row(value, n_rows) else value
        for name, value in params.items()
    }


def has_value_per_row(value: Any, n_rows: int) -> bool:
    """Say whether a parameter holds one value for each of `n_rows` rows."""
    is_sequence = hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))
    return is_sequence and len(value) == n_rows
