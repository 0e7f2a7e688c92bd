"""Inner validation: whether to add synthetic rows, how many, and of which classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from tabgan.checks import ParameterError
from tabgan.pipeline.joint import Features, Target, as_given
from tabgan.pipeline.synthesis import label_conditions, seeded_clone
from tabgan.randomness import draw_seed
from tabgan.table.format import TableFormat

# Levelling the classes with fewer synthetic rows per real row than this changes next to nothing,
# so that "auto" does not try it.
_LEAST_LEVELLING = 0.1

Fold = tuple[np.ndarray, np.ndarray]


class Amount(NamedTuple):
    """How many synthetic rows to add, and how to draw them.

    Attributes
    ----------
    ratio : float
        Synthetic rows per real row.
    strategy : {"all", "balance"}
        "all": the classes come at the rates that the synthesizer learned. "balance": the smallest
        classes are filled first.
    """

    ratio: float
    strategy: str

    def n_extra(self, n_rows: int) -> int:
        """Count the synthetic rows to add to `n_rows` real rows."""
        return round(self.ratio * n_rows)


def levelling_ratio(counts: np.ndarray) -> float:
    """Compute how many synthetic rows per real row bring every class up to the largest class.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Real rows of each class.
    """
    return float((counts.max() - counts).sum() / counts.sum())


def candidate_amounts(
    ratio: float | str, ratios: Iterable[float], strategy: str, counts: np.ndarray | None
) -> list[Amount]:
    """List the amounts to choose from, the smallest first.

    Parameters
    ----------
    ratio : float, "level" or "auto"
        As in `AugmentedClassifier`.
    ratios : iterable of float
        The ratios that "auto" tries; zero is always among them.
    strategy : {"auto", "all", "balance"}
        As in `AugmentedClassifier`.
    counts : ndarray of shape (n_classes,) or None
        Real rows of each class; None for a numeric target.

    Returns
    -------
    amounts : list of Amount
        Of two amounts with equal ratios, the one with the strategy "all" comes first.
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
    """Share new rows among classes so that the smallest classes are filled first.

    New rows go, one by one, to the class that has the fewest rows at that moment, as water fills
    connected vessels from below.

    Parameters
    ----------
    counts : ndarray of int, shape (n_classes,)
        Rows of each class before the new rows are added.
    n_extra : int
        New rows, >= 0.

    Returns
    -------
    extra : ndarray of int, shape (n_classes,)
        New rows of each class. They sum to `n_extra`, and no class gets fewer when `n_extra` grows.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.pipeline.selection import fill_up
    >>> fill_up(np.array([10, 4, 2]), 6)
    array([0, 2, 4])
    """
    # The j-th smallest class is reached once all smaller classes have been raised to its count.
    # The classes that `n_extra` rows reach share one final level; the rows left over by the
    # division go, one each, to the first of them.
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
    """Draw synthetic rows for several amounts.

    Rows are drawn once for each strategy, for the largest amount of that strategy; smaller amounts
    take a part of those rows. So scores of different amounts differ by the number of rows alone,
    not by the draw as well.

    Parameters
    ----------
    synthesizer : synthesizer
        Fitted on the joint table.
    amounts : iterable of Amount
        The amounts to draw.
    target : Target
        Of the joint table.
    y : ndarray of shape (n_rows,)
        Target of the real rows that the synthetic rows are added to.
    seed : int
        Seed of the sampling.

    Returns
    -------
    rows : dict of Amount to DataFrame
        Synthetic rows of the joint table, for each amount that comes to at least one row.
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
    form: TableFormat | None = None,
) -> Any:
    """Fit an estimator on real rows and, if there are any, synthetic rows.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    target : Target
        Of the joint table.
    X : DataFrame or ndarray of shape (n_rows, n_features)
        Real features.
    y : ndarray of shape (n_rows,)
        Real target.
    rows : DataFrame of shape (n_new, n_features + 1) or None
        Synthetic rows of the joint table.
    fit_params : dict
        Passed to ``fit``. Every parameter whose name ends in "sample_weight" holds the weights of
        the real rows (in a pipeline the name of the step stands before); synthetic rows get the
        mean of those weights.
    form : TableFormat or None, default=None
        The kind of table that the estimator is given; None for `X` as it is.

    Returns
    -------
    estimator : estimator
        The same object, fitted.
    """
    if rows is not None:
        X, y = target.append(X, y, rows)
        fit_params = {
            name: np.concatenate([value, np.full(len(rows), np.mean(value))])
            if name.endswith("sample_weight") and value is not None
            else value
            for name, value in fit_params.items()
        }
    return estimator.fit(as_given(X, form), y, **fit_params)


@dataclass(frozen=True)
class InnerValidation:
    """Inner validation of several amounts, fold by fold, on real validation rows.

    Parameters
    ----------
    estimator : estimator
        Cloned and fitted once per fold and amount.
    synthesizer : synthesizer or None
        Cloned and fitted once per fold, on training rows alone.
    amounts : list of Amount
        The smallest first.
    target : Target
        Of the joint table.
    scorer : callable, (estimator, X, y) -> float
        Greater scores are better.
    form : TableFormat or None, default=None
        The kind of table that the estimator is given; None for the features as they are.
    """

    estimator: Any
    synthesizer: Any | None
    amounts: Sequence[Amount]
    target: Target
    scorer: Any
    form: TableFormat | None = None

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
            The synthesizer and the estimators are fitted on the training rows only.
        seed : int
            Seed of everything random in the fold.
        fit_params, score_params : dict
            Passed to ``fit`` and to the scorer. A value that holds one entry per row is cut to the
            rows of the fold.

        Returns
        -------
        scores : list of float of length n_amounts
            NaN where the scorer returns NaN.
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
                clone(self.estimator),
                self.target,
                X_train,
                y_train,
                drawn.get(amount),
                fit_params,
                self.form,
            )
            score = self.scorer(
                fitted, as_given(X_validation, self.form), y_validation, **score_params
            )
            try:
                scores.append(float(score))
            except (TypeError, ValueError) as error:
                raise ParameterError(
                    f"scoring must return a number, got an object of type {type(score).__name__}."
                ) from error
        return scores

    def choose(self, scores: np.ndarray, folds: Sequence[Fold]) -> tuple[Amount, pd.DataFrame]:
        """Choose the smallest amount whose score is within one standard error of the best score.

        Of two amounts with equal ratios, the one with the better mean score is chosen.

        The rule [1]_ needs the standard error of the mean difference to the best amount.
        Differences are computed within each fold, since all amounts are scored on the same folds.
        The training sets of different folds overlap, so that the plain standard error would be
        too small; the corrected variance [2]_ multiplies the variance of the differences by
        ``1 / n_folds + n_validation / n_train`` instead of by ``1 / n_folds``.

        A fold in which one amount has an undefined score (NaN) is left out for all amounts. If no
        fold is left, the smallest amount is chosen.

        Parameters
        ----------
        scores : ndarray of shape (n_amounts, n_folds)
            Greater is better.
        folds : sequence of (train indices, validation indices)
            The folds of the scores.

        Returns
        -------
        amount : Amount
            The amount chosen.
        results : DataFrame of shape (n_amounts, n_folds + 7)
            One row per amount: ratio, strategy, the score in each fold, the mean and the standard
            deviation of the scores, the shortfall of the mean against the best mean, the standard
            error of the shortfall, and whether the amount was chosen.

        References
        ----------
        .. [1] Breiman et al. (1984), "Classification and Regression Trees", section 3.4.3: the
           rule of one standard error.
        .. [2] Nadeau and Bengio (2003), "Inference for the Generalization Error", section 3: the
           corrected resampled t-test.
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
    """Say whether a parameter holds a sequence of one value for each of `n_rows` rows."""
    is_sequence = hasattr(value, "__len__") and not isinstance(value, (str, bytes, dict))
    return is_sequence and len(value) == n_rows
