"""Pictures of a real table beside a synthetic one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tabgan.displays.figures import axes_and_figure, new_figure
from tabgan.evaluation.columns import Table
from tabgan.evaluation.drawing import draw_marginal, short
from tabgan.evaluation.fidelity import mean_pair_trend, pair_trends
from tabgan.evaluation.marginals import Marginal, marginals

_MOST_ANNOTATED = 15
_MOST_LABELLED = 40


class MarginalsDisplay:
    """Each column's distribution in the real table and in the synthetic one.

    Create it with `from_frames`.

    Parameters
    ----------
    marginals : list of Marginal
        The counted distributions.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes, shape (n_columns_drawn,)
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
        real, synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
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
        """
        if not self.marginals:
            raise ValueError("columns must name at least one column to draw, got none.")
        if axes is None:
            n_cols = min(n_cols, len(self.marginals))
            n_rows = -(-len(self.marginals) // n_cols)
            self.figure_ = figure or new_figure((4.2 * n_cols, 2.8 * n_rows))
            grid = self.figure_.subplots(n_rows, n_cols, squeeze=False).ravel()
            for unused in grid[len(self.marginals) :]:
                unused.remove()
            self.axes_ = grid[: len(self.marginals)]
        else:
            self.axes_ = np.atleast_1d(np.asarray(axes, dtype=object)).ravel()
            self.figure_ = self.axes_[0].figure
        if len(self.axes_) < len(self.marginals):
            raise ValueError(
                f"axes must hold one Axes for each of the {len(self.marginals)} columns, "
                f"got {len(self.axes_)}."
            )
        for marginal, ax in zip(self.marginals, self.axes_, strict=False):
            draw_marginal(marginal, ax)
        if axes is not None:
            self.axes_[0].legend(fontsize="small", frameon=False)
            return self
        handles, names = self.axes_[0].get_legend_handles_labels()
        self.figure_.legend(handles, names, loc="outside upper right", ncols=2, frameon=False)
        self.figure_.supxlabel(
            "share of rows; beside each name the column's shape score, 1 is best",
            fontsize="small",
        )
        return self


class PairTrendDisplay:
    """A heat map of the scores of `tabgan.evaluation.pair_trends`.

    Create it with `from_frames`.

    Parameters
    ----------
    trends : DataFrame of shape (n_columns, n_columns)
        What `pair_trends` returned.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
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
        real, synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
            Two tables with the same columns.
        categorical_features : sequence of column labels, optional
            Columns to compare as categories although they hold numbers or dates.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        vmin : float, default=0.8
            The score at which the colours end. The same on every map, so that maps of several
            synthesizers can be compared.

        Returns
        -------
        PairTrendDisplay
        """
        trends = pair_trends(real, synthetic, categorical_features=categorical_features)
        return cls(trends=trends).plot(ax=ax, vmin=vmin)

    def plot(self, *, ax: Any = None, vmin: float = 0.8) -> PairTrendDisplay:
        """Draw the heat map; the parameters are those of `from_frames`."""
        n_columns = len(self.trends)
        size = float(np.clip(1.5 + 0.42 * n_columns, 4.0, 12.0))
        self.ax_, self.figure_ = axes_and_figure(ax, (size + 1.2, size))
        scores = self.trends.to_numpy(copy=True)
        np.fill_diagonal(scores, np.nan)
        image = self.ax_.imshow(scores, cmap="viridis", vmin=vmin, vmax=1.0)
        below = bool((self.trends.to_numpy() < vmin).any())
        bar = self.figure_.colorbar(
            image, ax=self.ax_, extend="min" if below else "neither", shrink=0.8
        )
        bar.set_label("pair trend (1 is best)")
        labels = [short(name) for name in self.trends.columns]
        ticks = range(n_columns) if n_columns <= _MOST_LABELLED else []
        shown = labels if n_columns <= _MOST_LABELLED else []
        self.ax_.set_xticks(ticks, shown, rotation=45, ha="right", rotation_mode="anchor")
        self.ax_.set_yticks(ticks, shown)
        self.ax_.tick_params(length=0, labelsize="small")
        self.ax_.spines[:].set_visible(False)
        if n_columns <= _MOST_ANNOTATED:
            for i, j in zip(*np.nonzero(~np.isnan(scores)), strict=True):
                shade = "white" if scores[i, j] < (vmin + 1.0) / 2 else "black"
                text = f"{scores[i, j]:.2f}".lstrip("0")
                self.ax_.text(j, i, text, ha="center", va="center", color=shade, fontsize=6.5)
        self.ax_.set_title(f"Pair trends, mean {mean_pair_trend(self.trends):.3f}")
        return self
