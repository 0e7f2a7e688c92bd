"""One estimate, with its uncertainty, from the estimates of several tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tabgan.checks import NONE, ParameterError, check, choice, number

Estimates = float | NDArray[np.float64]

KIND = choice("imputed", "synthetic", "partially synthetic")


@dataclass(frozen=True)
class Pooled:
    """An estimate from several tables, with its variance.

    Attributes
    ----------
    estimate : float or ndarray of shape (k,)
        Mean of the estimates of the single tables.
    variance : float or ndarray of shape (k,)
        Variance of the estimate, the uncertainty from gaps or from synthesis included.
    degrees_of_freedom : float or ndarray of shape (k,)
        Degrees of freedom of the Student distribution of the estimate, and infinity for a normal
        one.
    within : float or ndarray of shape (k,)
        Mean of the variances of the single tables.
    between : float or ndarray of shape (k,)
        Variance of the estimates of the single tables; NaN for one table.
    """

    estimate: Estimates
    variance: Estimates
    degrees_of_freedom: Estimates
    within: Estimates
    between: Estimates

    @property
    def standard_error(self) -> Estimates:
        """Square root of the variance."""
        return np.sqrt(self.variance)

    def interval(self, level: float = 0.95) -> tuple[Estimates, Estimates]:
        """Compute a confidence interval.

        Parameters
        ----------
        level : float in (0, 1), default=0.95
            Probability with which the interval covers the true value.

        Returns
        -------
        low, high : float or ndarray of shape (k,)

        Raises
        ------
        ValueError
            If `level` is not between 0 and 1.

        Examples
        --------
        >>> from tabgan.imputation import pool
        >>> low, high = pool([0.9, 1.0, 1.1], [0.04, 0.04, 0.04]).interval()
        >>> round(float(low), 2), round(float(high), 2)
        (0.53, 1.47)
        """
        check("level", level, number(0, 1, "neither"))
        reach = stats.t.ppf((1 + level) / 2, self.degrees_of_freedom) * self.standard_error
        return self.estimate - reach, self.estimate + reach


def pool(
    estimates: Any,
    variances: Any,
    *,
    kind: str = "imputed",
    df: float | None = None,
    ratio: float = 1.0,
) -> Pooled:
    """Combine the estimates of several tables into one estimate with its variance.

    Compute an estimate, such as a mean or a coefficient of a regression, and its variance on each
    table alone, as if the table were complete and real. A variance is a squared standard error.
    The estimates' mean is the combined estimate. Its variance adds the uncertainty within the
    tables, U, and the uncertainty between them, B, by rules that depend on how the tables were
    made. Let m be their number.

    - "imputed": tables whose gaps were filled by `SynthesizerImputer.sample` or another multiple
      imputation. The variance is ``U + (1 + 1/m) B`` [1]_, with the degrees of freedom of [1]_, or
      of [2]_ if `df` is given.
    - "synthetic": tables of which every value is synthetic, drawn by one model that was fitted to
      the real table. The variance is ``U (ratio + 1/m)`` [3]_, which holds for one table too. The
      distribution is normal.
    - "partially synthetic": tables in which some columns, or some rows' values, are the real ones.
      The variance is ``ratio U + B / m``, with the degrees of freedom of [4]_.

    All rules suppose that the model of the missing or synthetic values is right.

    Parameters
    ----------
    estimates : array-like of shape (m,) or (m, k)
        Row i holds the estimates on table i.
    variances : array-like of the same shape
        The variance of each estimate, at least 0.
    kind : {"imputed", "synthetic", "partially synthetic"}, default="imputed"
        How the tables were made.
    df : float > 0 or None, default=None
        Degrees of freedom that the estimate would have in a complete table, such as ``n - 1`` for
        the mean of n rows. For "imputed" alone; None takes the table for large.
    ratio : float > 0, default=1
        Rows of a synthetic table for each real row. For synthetic tables alone.

    Returns
    -------
    Pooled

    Raises
    ------
    ValueError
        If the two arrays are not finite numbers of one shape, if a variance is negative, if m is 1
        for a kind other than "synthetic", or if another argument is out of range or is not one of
        the kind's.

    References
    ----------
    .. [1] Rubin (1987), "Multiple Imputation for Nonresponse in Surveys", section 3.1.
    .. [2] Barnard and Rubin (1999), "Small-sample degrees of freedom with multiple imputation",
       Biometrika 86(4), equation 3.
    .. [3] Raab, Nowok and Dibben (2017), "Practical Data Synthesis for Large Samples", Journal of
       Privacy and Confidentiality 7(3), section 3, arXiv 1409.0217.
    .. [4] Reiter (2003), "Inference for Partially Synthetic, Public Use Microdata Sets", Survey
       Methodology 29(2), section 3.

    Examples
    --------
    The mean of a column with gaps:

    >>> from tabgan import AutoregressiveSynthesizer, SynthesizerImputer
    >>> from tabgan.datasets import make_mixed_table
    >>> from tabgan.imputation import pool
    >>> table = make_mixed_table(200, missing=0.2, random_state=0)
    >>> imputer = SynthesizerImputer(AutoregressiveSynthesizer(n_steps=20), random_state=0)
    >>> columns = [each["length"] for each in imputer.fit(table).sample(table, n_draws=5)]
    >>> means, variances = [c.mean() for c in columns], [c.var() / len(c) for c in columns]
    >>> pooled = pool(means, variances, df=len(table) - 1)
    >>> low, high = pooled.interval()
    >>> bool(low < pooled.estimate < high)
    True
    """
    check("kind", kind, KIND)
    check("df", df, NONE | number(0, closed="neither"))
    check("ratio", ratio, number(0, closed="neither"))
    if df is not None and kind != "imputed":
        raise ParameterError(f'df is for tables of kind "imputed", got {df!r} for "{kind}".')
    if ratio != 1 and kind == "imputed":
        raise ParameterError(f'ratio is for synthetic tables, got {ratio!r} for "imputed" ones.')
    points, squares = _read("estimates", estimates), _read("variances", variances)
    if points.shape != squares.shape:
        raise ParameterError(
            f"variances must have the shape of estimates, {points.shape}, got {squares.shape}."
        )
    if (squares < 0).any():
        raise ParameterError(f"variances must be at least 0, got {squares.min():g}.")
    m = len(points)
    if m < 2 and kind != "synthetic":
        raise ParameterError(
            f'estimates must hold those of at least two tables of kind "{kind}", got {m}.'
        )
    within = squares.mean(axis=0)
    between = points.var(axis=0, ddof=1) if m > 1 else np.full_like(within, np.nan)
    if kind == "synthetic":
        total, freedom = within * (ratio + 1 / m), np.full_like(within, np.inf)
    else:
        within = ratio * within
        added = (1 + 1 / m) * between if kind == "imputed" else between / m
        total = within + added
        freedom = _degrees_of_freedom(m, added, total, df)
    parts = (points.mean(axis=0), total, freedom, within, between)
    return Pooled(*(part if part.ndim else float(part) for part in map(np.asarray, parts)))


def _read(name: str, values: Any) -> NDArray[np.float64]:
    """Read finite numbers of shape (m,) or (m, k)."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.array(np.nan)
    if array.ndim not in (1, 2) or not len(array) or not np.isfinite(array).all():
        raise ParameterError(
            f"{name} must be finite numbers, one for each table or one row for each table."
        )
    return array


def _degrees_of_freedom(
    m: int, added: NDArray[np.float64], total: NDArray[np.float64], df: float | None
) -> NDArray[np.float64]:
    """Compute the degrees of freedom of estimates from m tables.

    Parameters
    ----------
    m : int
    added : ndarray of shape () or (k,)
        The part of the variance that comes from the differences between tables.
    total : ndarray of the same shape
        The whole variance.
    df : float or None
        Degrees of freedom in a complete table.

    Returns
    -------
    ndarray of the same shape
        ``(m - 1) / share ** 2``, where share is that of `added` in `total`. With `df`, the harmonic
        sum of that number and of ``(df + 1) / (df + 3) * df * (1 - share)``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, added / total, 0.0)
        inverse = share**2 / (m - 1)
        if df is not None:
            inverse = inverse + (df + 3) / ((df + 1) * df * (1 - share))
        return 1 / inverse
