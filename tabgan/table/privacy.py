"""What may be kept of training rows: no level, atom, bound or combination of only a few of them.

A number of a schema is either held by at least `Privacy.min_rows` training rows, or a mean over so
many rows. A category is held by so many rows. This is no guarantee in the sense of differential
privacy; it keeps single values of training rows out of a schema, and so out of a file.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tabgan.checks import FLAG, Rule, check, choice, instance, integer, short
from tabgan.notices import warn
from tabgan.table.quantiles import MAX_INTERVALS, QuantileTable, repeats_often

FRESH_SHARE = 0.5
"""Share of a column's texts that are rare from which on all of its texts are drawn afresh."""

FEW_ROWS = 10_000
"""Rows below which `fit` warns of what leaks from so small a table whatever is withheld.

Of so many rows an attack has an area under the curve of 0.52, by `leak`.
"""

FEWEST_MEASURED = 300
"""Fewest rows of which the attack that `leak` tells of was measured."""

MOST_TOLD = 5
"""Most columns that a sentence of the warning names."""

TOLD_SHARE = 0.01
"""Share of a column's rows from which on `fit` tells that they are withheld."""

FEWEST_ROWS = 15
"""Rows below which "standard" withholds nothing: of fewer, hardly anything would be left."""


@dataclass(frozen=True)
class Privacy:
    """How many training rows each part of a description of columns rests on, at least.

    Parameters
    ----------
    min_rows : int >= 2, default=5
        Least number of training rows that a category, a repeated number, an interval of numbers, or
        a combination of conditions rests on.
    blunt_ends : bool, default=True
        Whether the range of a number ends where `min_rows` rows reach. If False, it ends at the
        least and the greatest number of training; but where fewer rows lie beyond the outermost
        number that `min_rows` rows hold, it ends at that number.
    rare_categories : {"fresh", "dropped", "kept"}, default="fresh"
        What becomes of categories of fewer rows. "dropped" leaves them out, and synthetic rows get
        other categories at their rates. "fresh" does so too; but where more than half of the rows
        of a column of texts hold rare texts, all texts of the column are made anew, as those of an
        identifier are. "kept" keeps them.

    Raises
    ------
    ParameterError
        A part is not what its name takes.

    Examples
    --------
    >>> from tabgan import AutoregressiveSynthesizer, Privacy
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(1000, random_state=0)
    >>> privacy = Privacy(min_rows=10, rare_categories="dropped")
    >>> model = AutoregressiveSynthesizer(privacy=privacy, n_steps=5, random_state=0)
    >>> model.get_params()["privacy"].min_rows
    10
    """

    min_rows: int = 5
    blunt_ends: bool = True
    rare_categories: Literal["fresh", "dropped", "kept"] = "fresh"

    def __post_init__(self) -> None:
        for name, rule in _PARTS.items():
            check(f"{name} of Privacy", getattr(self, name), rule)


_PARTS = {
    "min_rows": integer(2),
    "blunt_ends": FLAG,
    "rare_categories": choice("fresh", "dropped", "kept"),
}

PRIVACY: Rule = choice("none", "standard") | instance(Privacy, "a tabgan.Privacy")
"""What the parameter `privacy` takes."""


def privacy_of(parameter: Any, n_rows: int = FEWEST_ROWS) -> Privacy | None:
    """Return what a parameter `privacy` asks for, None if nothing is to be withheld.

    Parameters
    ----------
    parameter : {"none", "standard"} or Privacy
    n_rows : int, default=FEWEST_ROWS
        Number of training rows, of which "standard" needs `FEWEST_ROWS`.
    """
    if isinstance(parameter, Privacy):
        return parameter
    return Privacy() if parameter == "standard" and n_rows >= FEWEST_ROWS else None


class Withheld:
    """What a fit withholds from the description of a table, to be told in one warning.

    Parameters
    ----------
    privacy : Privacy
    n_rows : int
        Number of training rows.
    label : hashable or None, default=None
        The column of labels that is kept as it is, for its classes are the user's statement.

    Raises
    ------
    ValueError
        There are fewer than ``2 * min_rows`` rows, of which nothing could be said.
    """

    def __init__(self, privacy: Privacy, n_rows: int, label: Hashable | None = None) -> None:
        least = 2 * privacy.min_rows
        if n_rows < least:
            raise ValueError(
                f"X has n_samples={n_rows}, and privacy with min_rows={privacy.min_rows} needs at "
                f'least {least} rows; pass more rows, or set privacy="none".'
            )
        self.privacy, self.n_rows, self.label = privacy, n_rows, label
        self.n_combinations = 0
        self._told: dict[str, dict[Hashable, str]] = {}

    @property
    def min_rows(self) -> int:
        """Least number of rows that anything rests on."""
        return self.privacy.min_rows

    def note(
        self, what: str, name: Hashable, n_rows: int, of: str = "", is_grave: bool = False
    ) -> None:
        """Remember what was withheld of a column, if enough rows are concerned.

        Parameters
        ----------
        what : str
            The sentence's beginning, such as "categories left out".
        name : hashable
            The column's label.
        n_rows : int
            Number of rows concerned.
        of : str, default=""
            What else is to be told of the column.
        is_grave : bool, default=False
            Whether it is told however few rows are concerned.
        """
        if is_grave or n_rows >= TOLD_SHARE * self.n_rows:
            told = f"{short(name)} ({of}{n_rows:,} rows)"
            self._told.setdefault(what, {})[name] = told

    def note_classes(self, labels: pd.Series) -> None:
        """Remember how many rows have a label of few rows, which is kept."""
        counts = labels.value_counts()
        n_rare = int(counts[counts < self.min_rows].sum())
        if n_rare:
            self.note("rare classes of labels kept", self.label, n_rare, is_grave=True)

    def warn(self) -> None:
        """Warn once of all that was withheld, and of what leaks from few rows all the same."""
        parts, told = [], []
        for what, each in self._told.items():
            columns = list(each.values())
            more = f" and {len(columns) - MOST_TOLD} more columns" if columns[MOST_TOLD:] else ""
            parts.append(f"{what}: {', '.join(columns[:MOST_TOLD])}{more}")
        if self.n_combinations:
            parts.append(
                f"combinations of conditions recombined at random: {self.n_combinations:,}"
            )
        if parts:
            told.append(
                f"privacy withholds what fewer than {self.min_rows} rows share. "
                f'{"; ".join(parts)}. Set the parts of tabgan.Privacy, or privacy="none".'
            )
        if self.n_rows < FEW_ROWS:
            found = leak(self.n_rows)
            about = f"about {found:.2f}" if self.n_rows >= FEWEST_MEASURED else f"above {found:.2f}"
            told.append(
                f"X has {self.n_rows:,} rows. Ten synthetic rows for each tell training rows from "
                f"others with an AUC of {about} (0.5 is chance), whatever is withheld. Draw fewer "
                "rows, or learn from more."
            )
        if told:
            warn(" ".join(told))


def leak(n_rows: int) -> float:
    """Return what an attack reaches that sees ten synthetic rows for each training row.

    The attack takes rows that are near to synthetic rows for training rows.

    The figure follows what was measured on Adult with 300, 1,000 and 3,000 training rows
    (`benchmarks/withheld.py`): .61, .56 and .54.

    Parameters
    ----------
    n_rows : int
        Number of training rows. Fewer than `FEWEST_MEASURED` count as so many.

    Returns
    -------
    float
        Area under the ROC curve of training rows against others.
    """
    return 0.5 + 1.9 / float(np.sqrt(max(n_rows, FEWEST_MEASURED)))


def warn_of_too_few(n_rows: int) -> None:
    """Warn that nothing is withheld of a table of fewer than `FEWEST_ROWS` rows."""
    warn(
        f"X has {n_rows} rows, too few to withhold anything of them: the model and synthetic rows "
        "hold values as single rows have them. Learn from at least "
        f'{FEWEST_ROWS} rows, or set privacy="none", which says nothing.'
    )


def common_missing(
    missing: NDArray[np.bool_], name: Hashable, withheld: Withheld | None
) -> tuple[float, bool]:
    """Return the rate of missing values to keep, and whether enough values are there.

    Parameters
    ----------
    missing : ndarray of shape (n,), bool
    name : hashable
        The column's label.
    withheld : Withheld or None

    Returns
    -------
    rate : float in [0, 1]
        0 if too few values are missing, and 1 if too few are there.
    is_enough : bool
    """
    n_missing = int(missing.sum())
    n_present = len(missing) - n_missing
    if withheld is None:
        return float(missing.mean()), n_present > 0
    if 0 < n_present < withheld.min_rows:
        withheld.note("columns of too few values left empty", name, n_present, is_grave=True)
        return 1.0, False
    if 0 < n_missing < withheld.min_rows:
        withheld.note("missing values left out", name, n_missing)
        return 0.0, True
    return n_missing / len(missing), n_present > 0


def common_step(amounts: NDArray[Any], least: int, step: int, min_rows: int) -> tuple[int, int]:
    """Find the step and the origin of integers that all but fewer than `min_rows` rows keep.

    The rows are dealt into ``2 * min_rows`` hands. Fewer rows than `min_rows` spoil fewer hands, so
    that at least one hand shows the step of the others.

    Parameters
    ----------
    amounts : ndarray of shape (n,), int64 or uint64
    least, step : int
        The least amount, and the greatest common divisor of all distances from it.
    min_rows : int

    Returns
    -------
    step : int >= 1
    origin : int
        At most one step above `least`.
    """
    distances = amounts.astype(np.uint64) - np.uint64(least % 2**64)
    hands = [distances[i :: 2 * min_rows] for i in range(2 * min_rows)]
    found = {int(np.gcd.reduce(np.maximum(h, h[0]) - np.minimum(h, h[0]))) for h in hands if len(h)}
    if 0 in found:
        counts = np.unique(distances, return_counts=True)[1]
        # All rows but too few are equal: any step is theirs, and one of the others is not told.
        if len(amounts) - counts.max() < min_rows:
            return 1, least
    for tried in sorted(found, reverse=True):
        if tried > step:
            places, counts = np.unique(distances % np.uint64(tried), return_counts=True)
            if len(amounts) - counts.max() < min_rows:
                return tried, least + int(places[counts.argmax()])
    return step, least


def recombined(rows: NDArray[Any], min_rows: int) -> tuple[NDArray[Any], int]:
    """Shuffle the columns of rows of which too few are equal, each column by itself.

    Parameters
    ----------
    rows : ndarray of shape (n, d), integers
    min_rows : int
        Rows that are equal to as many are left as they are.

    Returns
    -------
    rows : ndarray of shape (n, d)
        Each column has the values that it had, as often.
    n_recombined : int
        Number of distinct rows that were shuffled.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.table.privacy import recombined
    >>> rows, n = recombined(np.array([[0, 0], [0, 0], [1, 2], [3, 4], [5, 6]]), 2)
    >>> rows[:2].tolist(), n
    ([[0, 0], [0, 0]], 3)
    """
    _, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts[group.ravel()] < min_rows)
    # The order of the rows is of no account: the same rows in any order are shuffled alike.
    rng = np.random.default_rng(len(rows))
    mixed, rows = np.sort(rows[rare], axis=0), rows.copy()
    for i in range(rows.shape[1]):
        rows[rare, i] = rng.permutation(mixed[:, i])
    return rows, int((counts < min_rows).sum())


def common_quantiles(
    values: NDArray[np.float64],
    name: Hashable,
    withheld: Withheld,
    decimals: int | None = 0,
) -> QuantileTable:
    """Summarise values so that no atom, interval or end rests on fewer rows than allowed.

    Atoms are values that enough rows hold. The values between two atoms are cut into intervals of
    enough rows, whose ends are means over as many rows. Where less than twice as many rows lie
    between two atoms, or less than enough beyond all atoms, they count to the nearer atom.

    Parameters
    ----------
    values : ndarray of shape (n,), n >= 1
        Finite numbers.
    name : hashable
        The column's label.
    withheld : Withheld
    decimals : int or None, default=0
        Decimals to which the ends are rounded.

    Returns
    -------
    QuantileTable

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.table.privacy import Privacy, Withheld, common_quantiles
    >>> values = np.r_[np.zeros(20), np.arange(1.0, 40.0), 9999.0]
    >>> table = common_quantiles(values, "salary", Withheld(Privacy(), 60))
    >>> float(table.low[0]), float(table.high[-1])
    (0.0, 49.0)
    """
    k, ordered = withheld.min_rows, np.sort(values.astype(np.float64))
    n = len(ordered)
    unique, starts, counts = np.unique(ordered, return_index=True, return_counts=True)
    is_atom = repeats_often(unique, counts) & (counts >= k)
    if n < 3 * k and not is_atom.any():
        middle = np.array([_rounded(_mean(ordered[(n - k) // 2 :][:k]), decimals)])
        withheld.note("numbers made one, of too few values", name, n, is_grave=True)
        return QuantileTable(np.ones(1), middle, middle)
    low, high = _ends(ordered, unique[is_atom], decimals, withheld)
    ordered = np.clip(ordered, low, high)
    atoms, firsts, masses = unique[is_atom], starts[is_atom], counts[is_atom].astype(np.float64)
    edges = np.r_[0, np.c_[firsts, firsts + counts[is_atom]].ravel(), n].reshape(-1, 2)
    n_between = int((edges[:, 1] - edges[:, 0]).sum())
    most = max(k, -(-n_between // MAX_INTERVALS))
    half = 0.0 if decimals is None else 0.5 * 10.0**-decimals
    parts = [(np.array(masses), atoms, atoms)]
    n_moved = 0
    for i, (start, end) in enumerate(edges):
        if start == end:
            continue
        run = ordered[start:end]
        left = low if i == 0 else max(atoms[i - 1] + half, np.nextafter(atoms[i - 1], np.inf))
        right = high
        if i < len(atoms):
            right = min(atoms[i] - half, np.nextafter(atoms[i], -np.inf))
        enough = 2 * k - 1 if 0 < i < len(atoms) else k
        if len(run) >= enough and left < right:
            parts.append(_intervals(run, left, right, i > 0, i < len(atoms), most, k))
        elif len(atoms):
            n_moved += len(run)
            # As `QuantileTable.nearest` moves them.
            beside = QuantileTable(np.ones(len(atoms)), atoms, atoms).nearest(run)
            np.add.at(masses, np.searchsorted(atoms, beside), 1.0)
        else:
            parts.append((np.array([float(len(run))]), np.array([low]), np.array([low])))
    if n_moved:
        withheld.note("rare numbers counted to their neighbours", name, n_moved)
    parts[0] = (masses, atoms, atoms)
    mass, lows, highs = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(lows, kind="stable")
    return QuantileTable(mass[order] / n, lows[order], highs[order])


def _ends(
    ordered: NDArray[np.float64],
    atoms: NDArray[np.float64],
    decimals: int | None,
    withheld: Withheld,
) -> tuple[float, float]:
    """Return the ends, which are estimated from many rows, or atoms further out."""
    if not withheld.privacy.blunt_ends:
        return ordered[0], ordered[-1]
    n, k = len(ordered), withheld.min_rows
    outer = [] if not len(atoms) else [atoms[0], atoms[-1]]
    if n < 3 * k:
        return outer[0], outer[1]
    low, high = -_reach(-ordered[::-1], decimals, k), _reach(ordered, decimals, k)
    return min([low, *outer]), max([high, *outer])


def _reach(ordered: NDArray[np.float64], decimals: int | None, k: int) -> float:
    """Estimate the upper end of sorted numbers without a look at how large the outermost are.

    The greatest of `n` numbers is extrapolated from means over rows of lower ranks, by the quantile
    function of a generalised Pareto tail with shape ``s``: the number of rank ``r`` lies at
    ``(r ** -s - 1) / s`` in units of the tail's scale. The ratio of two distances of such means
    gives the shape, as in Pickands (1975), "Statistical inference using extreme order statistics".
    The outermost ``k - 1`` rows only say whether they lie beyond that end. If they do not, the end
    of a shorter tail is taken, so that no number comes out beyond the range that was seen.

    Parameters
    ----------
    ordered : ndarray of shape (n,), n >= 3 * k
    decimals : int or None
        Decimals to which the end is rounded.
    k : int

    Returns
    -------
    float
        At most the greatest number.
    """
    n = len(ordered)
    near = _mean(ordered[n - 2 * k + 1 : n - k + 1])
    ends = []
    if n >= 9 * k:
        with np.errstate(over="ignore"):  # Quarters keep distances of the largest floats finite.
            inner = _mean(ordered[n - 8 * k : n - 4 * k])
            scale = near / 4 - inner / 4
            shapes = [-0.5, -1.0]
            if n >= 33 * k:
                next_scale = inner / 4 - _mean(ordered[n - 32 * k : n - 16 * k]) / 4
                if min(scale, next_scale) > 0:
                    shape = float(np.log(scale / next_scale) / np.log(4))
                    shapes = sorted({*shapes, float(np.clip(shape, -1.0, 0.5))}, reverse=True)
            ends = [near + 4 * scale * _tail_ratio(shape, k) for shape in shapes]
    for end in [*ends, near]:
        if _rounded(end, decimals) <= ordered[-1]:
            return _rounded(end, decimals)
    return float(ordered[n - k])


def _tail_ratio(shape: float, k: int) -> float:
    """Return the distance of the ranks 1 and 1.5 k of a tail, over that of 1.5 k and 6 k."""
    near, inner = 1.5 * k, 6.0 * k
    if abs(shape) < 1e-6:
        return float(np.log(near) / np.log(inner / near))
    return float((1 - near**-shape) / (near**-shape - inner**-shape))


def _intervals(
    run: NDArray[np.float64],
    left: float,
    right: float,
    has_left: bool,
    has_right: bool,
    most: int,
    k: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Cut the values between two atoms into intervals; return their masses and ends.

    Beside an atom, an interval ends where values that spread evenly would. The outermost ``k - 1``
    rows have no say in that; of fewer than ``2 * k - 1`` rows, the interval reaches to the atom.
    """
    n_parts = max(1, len(run) // most)
    cuts = np.rint(np.linspace(0, len(run), n_parts + 1)).astype(np.int64)
    means = [_mean(run[cut - k // 2 : cut + k - k // 2]) for cut in cuts[1:-1]]
    first, last = left, right
    if has_left and len(run) >= 2 * k - 1:
        first = _even_end(run[k - 1 : 2 * k - 1], -1)
    if has_right and len(run) >= 2 * k - 1:
        last = _even_end(run[len(run) - 2 * k + 1 :][:k], 1)
    bounds = np.maximum.accumulate(np.clip([first, *means, last], left, right))
    masses = np.diff(cuts).astype(np.float64)
    # Rows of an interval without width count to the next one that has some, or to the last.
    has_width = np.diff(bounds) > 0
    if not has_width.any():
        return np.array([masses.sum()]), bounds[:1], bounds[:1]
    place = np.minimum(np.cumsum(np.r_[0, has_width[:-1]]), has_width.sum() - 1)
    mass: NDArray[np.float64] = np.bincount(place, weights=masses).astype(np.float64)
    return mass, bounds[:-1][has_width], bounds[1:][has_width]


def _even_end(rows: NDArray[np.float64], sign: int) -> float:
    """Return where one row less than twice the rows would end, at the spread that the rows have.

    Of numbers that spread evenly, the mean deviation is a quarter of the width.
    """
    mean, k = _mean(rows), len(rows)
    with np.errstate(over="ignore"):
        half = 2.0 * float(np.abs(rows - mean).mean())
        return mean + sign * half * (1 + 2 * (k - 1) / k)


def _mean(rows: NDArray[np.float64]) -> float:
    """Return the mean of sorted numbers, however large they are."""
    return float(np.clip((rows / len(rows)).sum(), rows[0], rows[-1]))


def _rounded(number: float, decimals: int | None) -> float:
    """Round a number, halves upwards.

    Whole numbers are counted from one that single rows decide, so that whether a half is beside an
    even number would tell of these rows.
    """
    scale = 1.0 if decimals is None else 10.0**decimals
    if decimals is None or abs(number * scale) >= 2.0**52:
        return number
    whole = np.floor(np.round(number * scale, 6) + 0.5)
    return float(np.round(whole / scale, decimals))
