"""How alike two tables are: column by column, pair by pair, and to a classifier."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, clone

from tabgan.checks import NONE, SEED, ParameterError, Rule, check, integer
from tabgan.evaluation.columns import Column, Table, align_columns
from tabgan.evaluation.learners import build_learner
from tabgan.generation.two_sample import two_sample_score
from tabgan.randomness import draw_seed, own_stream

_LARGEST = 1e307  # differences of such numbers are finite
_STRONG_CORRELATION = 0.5
_STRONG_CRAMERS_V = 0.3
_SQUARE = Rule(
    "a square DataFrame",
    lambda value: isinstance(value, pd.DataFrame) and value.shape[0] == value.shape[1],
)

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def column_shapes(
    real: Table,
    synthetic: Table,
    *,
    categorical_features: Sequence[Hashable] | None = None,
) -> pd.Series:
    """Score how well each synthetic column follows the distribution of the real one.

    One minus the Kolmogorov-Smirnov statistic for numbers, datetimes and timedeltas; one minus the
    total variation distance for everything else.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns; the numbers of rows may differ.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.

    Returns
    -------
    Series
        One score in [0, 1] for each column, 1 for equal distributions. Never NaN.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    Notes
    -----
    Without missing values the scores are SDMetrics' "Column Shapes" [1]_. SDMetrics leaves missing
    values out; here they count. Among categories, "missing" is one more category. Among numbers,
    the statistic is taken twice, with the missing values below all numbers and above them, and the
    larger statistic counts. It is never less than the difference of the missing rates.

    References
    ----------
    .. [1] DataCebo, SDMetrics, metrics ``KSComplement`` and ``TVComplement``.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import column_shapes
    >>> real = pd.DataFrame({"age": [1, 2, 3, 4], "sex": ["m", "f", "m", "f"]})
    >>> column_shapes(real, real.assign(sex="m"))
    age    1.0
    sex    0.5
    Name: shape, dtype: float64
    """
    columns = _align(real, synthetic, categorical_features)
    return pd.Series(
        [column_shape(column) for column in columns],
        index=pd.Index([column.name for column in columns], tupleize_cols=False),
        name="shape",
        dtype=float,
    )


def column_shape(column: Column) -> float:
    """Score the second table's column against the first one's; see `column_shapes`."""
    real, synthetic = column.values[:2]
    if column.is_category:
        return _contingency_similarity(real, synthetic)
    return 1.0 - _kolmogorov_smirnov(real, synthetic)


def pair_trends(
    real: Table,
    synthetic: Table,
    *,
    categorical_features: Sequence[Hashable] | None = None,
) -> pd.DataFrame:
    """Score how well the dependence of each pair of columns is reproduced.

    - Two numbers (or dates): ``1 - |r_real - r_synthetic| / 2`` with Pearson's correlation r.
    - Two categories: one minus the total variation distance of the two contingency tables.
    - A number and a category: the same, after cutting the number into ten bins of equal width
      (and one more for its maximum), in each table between that table's own extremes.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns; the numbers of rows may differ.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.

    Returns
    -------
    DataFrame of shape (n_columns, n_columns)
        Symmetric, scores in [0, 1], 1 on the diagonal. Never NaN. `mean_pair_trend` gives the
        average over pairs.

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    Notes
    -----
    Without missing values and constant columns the scores are SDMetrics' "Column Pair Trends" [1]_.
    Newer versions of SDMetrics, and the published figures, average over `strong_pairs` only. The
    bins follow SDMetrics too: a number that is only stretched or shifted loses nothing in a pair
    with a category, because `column_shapes` measures that. There are two steps away from SDMetrics:

    - Missing values count. They are a category of their own. Two numbers get the smaller of two
      scores: that of the correlations over complete rows, and that of the contingency tables which
      count where either number is missing. SDMetrics leaves incomplete rows out, or takes a missing
      number for the maximum.
    - A constant column has correlation 0 with every other, where SDMetrics leaves the pair out.

    References
    ----------
    .. [1] DataCebo, SDMetrics, metrics ``CorrelationSimilarity`` and ``ContingencySimilarity``.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import pair_trends
    >>> real = pd.DataFrame({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4]})
    >>> pair_trends(real, real.assign(y=[4, 3, 2, 1])).round(2)
         x    y
    x  1.0  0.0
    y  0.0  1.0
    """
    columns = _align(real, synthetic, categorical_features)
    scores = np.ones((len(columns), len(columns)))
    codes = [
        column.values if column.is_category else tuple(map(_own_bins, column.values))
        for column in columns
    ]
    missing = [column.missing for column in columns]
    numeric = np.array([not column.is_category for column in columns])
    for i, j in combinations(range(len(columns)), 2):
        if not (numeric[i] and numeric[j]):
            scores[i, j] = scores[j, i] = _pair_similarity(codes[i], codes[j])
        elif any(mask.any() for mask in missing[i] + missing[j]):
            scores[i, j] = scores[j, i] = _pair_similarity(missing[i], missing[j])
    numbers = np.flatnonzero(numeric)
    block = np.ix_(numbers, numbers)
    scores[block] = np.minimum(scores[block], _correlation_similarity(columns, numbers))
    labels = pd.Index([column.name for column in columns], tupleize_cols=False)
    return pd.DataFrame(scores, index=labels, columns=labels)


def strong_pairs(
    real: Table, *, categorical_features: Sequence[Hashable] | None = None
) -> pd.DataFrame:
    """Tell which pairs of columns depend strongly on each other in the real table.

    In most tables most pairs are nearly independent, so that even columns drawn independently of
    each other get a high average of `pair_trends`. The average over the strong pairs is the harder
    test.

    Parameters
    ----------
    real : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The table.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.

    Returns
    -------
    DataFrame of bool, shape (n_columns, n_columns)
        Whether the absolute correlation is above 0.5 (two numbers) or Cramér's V above 0.3 (pairs
        with a category, numbers binned as in `pair_trends`). These are SDMetrics' default
        thresholds.

    Raises
    ------
    TypeError
        If the table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the table has no rows, or `categorical_features` names no column.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import strong_pairs
    >>> real = pd.DataFrame({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4], "z": [1, -1, -1, 1]})
    >>> strong_pairs(real)
           x      y      z
    x   True   True  False
    y   True   True  False
    z  False  False   True
    """
    columns = align_columns({"real": real}, categorical_features=categorical_features)
    codes = [c.values[0] if c.is_category else _own_bins(c.values[0]) for c in columns]
    numeric = np.array([not column.is_category for column in columns])
    numbers = np.flatnonzero(numeric)
    strong = np.zeros((len(columns), len(columns)), dtype=bool)
    if len(numbers):
        values = np.column_stack([columns[i].values[0] for i in numbers])
        strong[np.ix_(numbers, numbers)] = np.abs(_correlations(values)) > _STRONG_CORRELATION
    for i, j in combinations(range(len(columns)), 2):
        if not (numeric[i] and numeric[j]):
            strong[i, j] = strong[j, i] = _cramers_v(codes[i], codes[j]) > _STRONG_CRAMERS_V
    np.fill_diagonal(strong, True)
    labels = pd.Index([column.name for column in columns], tupleize_cols=False)
    return pd.DataFrame(strong, index=labels, columns=labels)


def mean_pair_trend(trends: pd.DataFrame, pairs: pd.DataFrame | None = None) -> float:
    """Average `pair_trends` over pairs of different columns.

    Parameters
    ----------
    trends : DataFrame of shape (n_columns, n_columns)
        What `pair_trends` returned.
    pairs : DataFrame of bool, shape (n_columns, n_columns), optional
        The pairs to average over, such as `strong_pairs` returns; all by default.

    Returns
    -------
    float
        In [0, 1]; NaN if there is no pair.

    Raises
    ------
    TypeError, ValueError
        If `trends` is no square DataFrame, or `pairs` has another shape.

    Examples
    --------
    >>> import pandas as pd
    >>> from tabgan.evaluation import mean_pair_trend, pair_trends
    >>> real = pd.DataFrame({"x": [1, 2, 3, 4], "y": [1, 2, 3, 4]})
    >>> mean_pair_trend(pair_trends(real, real))
    1.0
    """
    check("trends", trends, _SQUARE)
    check("pairs", pairs, NONE | _SQUARE)
    if pairs is not None and pairs.shape != trends.shape:
        raise ParameterError(
            f"pairs must have the shape {trends.shape} of trends, got {pairs.shape}."
        )
    above_diagonal = np.triu_indices(len(trends), k=1)
    scores = trends.to_numpy()[above_diagonal]
    if pairs is not None:
        scores = scores[pairs.to_numpy()[above_diagonal]]
    return float(scores.mean()) if len(scores) else float("nan")


def c2st(
    real: Table,
    synthetic: Table,
    *,
    classifier: str | BaseEstimator = "hist",
    n_splits: int = 3,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> float:
    """Score how hard it is for a classifier to tell the two tables apart [1]_.

    A classifier learns to tell real rows from synthetic rows on all folds but one and is scored by
    the area under the ROC curve (AUC) on that one. The score is ``1 - (2 max(1/2, AUC) - 1)``,
    averaged over the folds.

    Parameters
    ----------
    real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        Two tables with the same columns. The longer one is cut down at random to the length of the
        other.
    classifier : {"hist", "xgboost"} or scikit-learn classifier, default="hist"
        "hist" is scikit-learn's ``HistGradientBoostingClassifier``. "xgboost" is XGBoost with
        default parameters on one-hot categories, the protocol of the published figures [2]_; it
        needs the extra ``xgboost``. Any other classifier needs ``predict_proba``.
    n_splits : int, default=3
        Number of folds, at least 2; fewer are used when a table has fewer rows.
    categorical_features : sequence of column labels, optional
        Columns to pass as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows left out, the folds and the classifier's seed.

    Returns
    -------
    float
        In [0, 1]. 1: the classifier cannot tell the tables apart, or is only ever wrong; 0: it
        always can. NaN if a table has a single row, which leaves nothing to learn from.

    Raises
    ------
    ImportError
        If `classifier` is "xgboost" and XGBoost is not installed.
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns or no rows, or if an argument is out of its range.

    References
    ----------
    .. [1] Lopez-Paz and Oquab (2017), "Revisiting Classifier Two-Sample Tests".
    .. [2] Zhang et al. (2024), "Mixed-Type Tabular Data Synthesis with Score-based Diffusion in
       Latent Space" (the protocol of TabSyn, with XGBoost in the place of logistic regression).

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import c2st
    >>> real = np.random.default_rng(0).normal(size=(200, 3))
    >>> c2st(real, real + 10)
    0.0
    """
    check("n_splits", n_splits, integer(2))
    check("random_state", random_state, SEED)
    columns = _align(real, synthetic, categorical_features)
    rng = own_stream(random_state)
    seed = draw_seed(rng)
    model, (real_rows, synthetic_rows) = build_learner(classifier, columns, random_state=seed)
    n_rows = min(len(real_rows), len(synthetic_rows))
    if n_rows < 2:
        return float("nan")
    drawn = [_random_rows(rows, n_rows, rng) for rows in (real_rows, synthetic_rows)]
    return two_sample_score(drawn[0], drawn[1], lambda: clone(model), n_splits, seed)


def _align(
    real: Table, synthetic: Table, categorical_features: Sequence[Hashable] | None
) -> list[Column]:
    tables = {"real": real, "synthetic": synthetic}
    return align_columns(tables, categorical_features=categorical_features)


def _kolmogorov_smirnov(real: Floats, synthetic: Floats) -> float:
    """Return the statistic with missing values at the end of the scale that makes it larger."""
    grid = np.concatenate([real, synthetic])
    grid = grid[~np.isnan(grid)]
    gap = np.zeros(len(grid))
    missing_gap = 0.0
    for sign, values in ((1.0, real), (-1.0, synthetic)):
        present = np.sort(values[~np.isnan(values)])
        gap += sign * np.searchsorted(present, grid, side="right") / len(values)
        missing_gap += sign * (1.0 - len(present) / len(values))
    above = np.abs(gap).max(initial=0.0)
    below = np.abs(gap + missing_gap).max(initial=0.0)
    return float(min(1.0, max(above, below)))


def _contingency_similarity(real: Codes, synthetic: Codes) -> float:
    """Return one minus the total variation distance of two lists of codes, -1 and up."""
    lowest = min(real.min(), synthetic.min())
    n_codes = int(max(real.max(), synthetic.max()) - lowest) + 1
    if n_codes > 4 * (len(real) + len(synthetic)):
        # Few of the possible codes occur: count those only.
        occurring, pooled = np.unique(np.concatenate([real, synthetic]), return_inverse=True)
        real, synthetic = pooled[: len(real)], pooled[len(real) :]
        lowest, n_codes = 0, len(occurring)
    shares = [np.bincount(c - lowest, minlength=n_codes) / len(c) for c in (real, synthetic)]
    return max(0.0, 1.0 - 0.5 * float(np.abs(shares[0] - shares[1]).sum()))


def _pair_similarity(
    left: tuple[npt.NDArray[Any], ...], right: tuple[npt.NDArray[Any], ...]
) -> float:
    """Compare two columns' joint codes (-1 and up; masks are codes too), real and synthetic."""
    width = max(int(codes.max()) for codes in right) + 2
    joint = [
        (a.astype(np.int64) + 1) * width + b.astype(np.int64) + 1
        for a, b in zip(left, right, strict=True)
    ]
    return _contingency_similarity(joint[0], joint[1])


def _cramers_v(left: Codes, right: Codes) -> float:
    """Return Cramér's V of two lists of codes, 0 if either is constant."""
    _, left = np.unique(left, return_inverse=True)
    _, right = np.unique(right, return_inverse=True)
    rows, columns = np.bincount(left), np.bincount(right)
    freedom = min(len(rows), len(columns)) - 1
    if freedom == 0:
        return 0.0
    cells, counts = np.unique(left * len(columns) + right, return_counts=True)
    expected = rows[cells // len(columns)] * columns[cells % len(columns)]
    return float(np.sqrt(max(0.0, (counts.astype(float) ** 2 / expected).sum() - 1.0) / freedom))


def _own_bins(values: Floats) -> Codes:
    """Return ten equal bins as 1 to 10, the maximum as 11, and missing values as -1."""
    finite = values[np.isfinite(values)]
    if len(finite) == 0:
        finite = np.zeros(1)
    low, high = np.clip([finite.min(), finite.max()], -_LARGEST, _LARGEST)
    # As in NumPy's histograms, a constant lies in the middle of an interval of its own.
    middle = np.full(len(values), 6)
    bins = np.digitize(values, np.linspace(low, high, 11)) if low < high else middle
    return np.where(np.isnan(values), -1, bins)


def _correlation_similarity(columns: Sequence[Column], numbers: npt.NDArray[np.intp]) -> Floats:
    if len(numbers) == 0:
        return np.ones((0, 0))
    correlations = []
    for table in (0, 1):
        values = np.column_stack([columns[i].values[table] for i in numbers])
        correlations.append(_correlations(values))
    scores = 1.0 - np.abs(correlations[0] - correlations[1]) / 2.0
    np.fill_diagonal(scores, 1.0)
    return scores


def _correlations(values: Floats) -> Floats:
    """Return Pearson's correlations over the rows that have both numbers; 0 where undefined."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        # From the minimum up, a constant is exactly 0 and a date keeps its last digits.
        values = values - np.nanmin(values, axis=0)
        if np.isnan(values).any():
            correlations = pd.DataFrame(values).corr().to_numpy()
        else:
            correlations = np.atleast_2d(np.corrcoef(values, rowvar=False))
    return np.nan_to_num(correlations, nan=0.0)


def _random_rows(
    rows: npt.NDArray[np.float32], n_rows: int, rng: np.random.RandomState
) -> npt.NDArray[np.float32]:
    return rows if len(rows) == n_rows else rows[rng.permutation(len(rows))[:n_rows]]
