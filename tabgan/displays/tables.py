"""Pictures of a real table beside a synthetic one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import ParameterError, Rule, check, integer, number
from tabgan.displays.figures import axes_and_figure, new_figure
from tabgan.evaluation.columns import Table
from tabgan.evaluation.drawing import draw_marginal, draw_marginals, draw_pair_trends, trends_size
from tabgan.evaluation.fidelity import pair_trends
from tabgan.evaluation.marginals import Marginal, marginals

_BELOW_ONE = Rule(
    "a finite number below 1", lambda value: number(-inf).accepts(value) and value < 1
)


class MarginalsDisplay:
    """Each column's distribution in the real table and in the synthetic one.

    Create it with `from_frames`.

    Parameters
    ----------
    marginals : list of Marginal
        The counted distributions, from `tabgan.evaluation.marginals`.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure drawn on.
    axes_ : ndarray of matplotlib Axes, shape (n_columns_drawn,)
        The axes drawn on, one for each column.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from tabgan.displays import MarginalsDisplay
    >>> real, synthetic = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> len(MarginalsDisplay.from_frames(real, synthetic).axes_)
    3
    """

    def __init__(self, *, marginals: Sequence[Marginal]) -> None:
        self.marginals = list(marginals)

    @classmethod
    def from_frames(
        cls,
        real: Table,
        synthetic: Table,
        columns: Sequence[Hashable] | None = None,
        *,
        categorical_features: Sequence[Hashable] | None = None,
        axes: Any = None,
        n_cols: int = 3,
    ) -> MarginalsDisplay:
        """Count the columns of two tables and draw them.

        Parameters
        ----------
        real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
            Two tables with the same columns.
        columns : sequence of column labels, optional
            The columns to draw; all by default.
        categorical_features : sequence of column labels, optional
            Columns to draw as categories although they hold numbers or dates.
        axes : matplotlib Axes or array of them, optional
            Where to draw, one for each column; a new figure by default.
        n_cols : int, default=3
            How many pictures the new figure has side by side.

        Returns
        -------
        MarginalsDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        TypeError, ValueError
            If the tables cannot be compared, or an argument is out of its range.
        """
        counted = marginals(
            real, synthetic, columns=columns, categorical_features=categorical_features
        )
        return cls(marginals=counted).plot(axes=axes, n_cols=n_cols)

    def plot(self, *, axes: Any = None, figure: Any = None, n_cols: int = 3) -> MarginalsDisplay:
        """Draw the marginals.

        Parameters
        ----------
        axes : matplotlib Axes or array of them, optional
            Where to draw, one for each column.
        figure : matplotlib Figure or SubFigure, optional
            An empty one to draw on instead, best with constrained layout; a new one by default.
        n_cols : int, default=3
            How many pictures a figure has side by side.

        Returns
        -------
        MarginalsDisplay
            The display itself.
        """
        check("n_cols", n_cols, integer(1))
        if not self.marginals:
            raise ParameterError("columns must name at least one column to draw, got none.")
        if axes is None:
            across = min(n_cols, len(self.marginals))
            down = -(-len(self.marginals) // across)
            self.figure_ = figure or new_figure((4.2 * across, 2.8 * down))
            self.axes_ = draw_marginals(self.marginals, self.figure_, across)
            return self
        self.axes_ = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
        self.figure_ = self.axes_[0].figure
        if len(self.axes_) < len(self.marginals):
            raise ParameterError(
                f"axes must hold one Axes for each of the {len(self.marginals)} columns, "
                f"got {len(self.axes_)}."
            )
        for marginal, ax in zip(self.marginals, self.axes_, strict=False):
            draw_marginal(marginal, ax)
        self.axes_[0].legend(fontsize="small", frameon=False)
        return self


class PairTrendDisplay:
    """A heat map of the scores of `tabgan.evaluation.pair_trends`.

    Create it with `from_frames`.

    Parameters
    ----------
    trends : DataFrame of shape (n_columns, n_columns)
        The scores, from `tabgan.evaluation.pair_trends`.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure drawn on.
    ax_ : matplotlib Axes
        The axes drawn on.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from tabgan.displays import PairTrendDisplay
    >>> real, synthetic = np.random.default_rng(0).normal(size=(2, 100, 3))
    >>> PairTrendDisplay.from_frames(real, synthetic).trends.shape
    (3, 3)
    """

    def __init__(self, *, trends: pd.DataFrame) -> None:
        self.trends = trends

    @classmethod
    def from_frames(
        cls,
        real: Table,
        synthetic: Table,
        *,
        categorical_features: Sequence[Hashable] | None = None,
        ax: Any = None,
        vmin: float = 0.8,
    ) -> PairTrendDisplay:
        """Score the pairs of columns of two tables and draw them.

        Parameters
        ----------
        real, synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
            Two tables with the same columns.
        categorical_features : sequence of column labels, optional
            Columns to compare as categories although they hold numbers or dates.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        vmin : float, default=0.8
            The score at which the colours end, below 1. It is the same on every map, so that maps
            of several synthesizers can be compared.

        Returns
        -------
        PairTrendDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        TypeError, ValueError
            If the tables cannot be compared, or an argument is out of its range.
        """
        trends = pair_trends(real, synthetic, categorical_features=categorical_features)
        return cls(trends=trends).plot(ax=ax, vmin=vmin)

    def plot(self, *, ax: Any = None, vmin: float = 0.8) -> PairTrendDisplay:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        vmin : float, default=0.8
            The score at which the colours end, below 1.

        Returns
        -------
        PairTrendDisplay
            The display itself.
        """
        check("vmin", vmin, _BELOW_ONE)
        self.ax_, self.figure_ = axes_and_figure(ax, trends_size(self.trends))
        draw_pair_trends(self.trends, self.ax_, vmin)
        return self
