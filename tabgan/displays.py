"""Pictures of tables, losses and latent space, in the manner of scikit-learn's displays."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state

from tabgan.evaluation.columns import Column, Table, align_columns
from tabgan.evaluation.drawing import (
    REAL_COLOR,
    SYNTHETIC_COLOR,
    draw_marginal,
    short,
    unit_of_time,
)
from tabgan.evaluation.fidelity import mean_pair_trend, pair_trends
from tabgan.evaluation.marginals import Marginal, marginals

_MOST_ANNOTATED = 15
_MOST_LABELLED = 40
_MOST_CLASSES = 10
_CLASS_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e6b800",
    "#56b4e9", "#7a3e00", "#6a3d9a", "#000000", "#8bc34a",
)  # fmt: skip


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
        self.ax_, self.figure_ = _axes(ax, (size + 1.2, size))
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


class LossDisplay:
    """The losses of a fitted synthesizer against its training steps.

    Create it with `from_estimator`.

    Parameters
    ----------
    history : DataFrame
        Column "step" and one column for each loss.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    def __init__(self, *, history: pd.DataFrame) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> LossDisplay:
        """Draw the `history_` of a fitted estimator.

        Parameters
        ----------
        estimator : estimator with a `history_`
            Any fitted synthesizer or featurizer of this library.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        LossDisplay

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator has no `history_`.
        """
        history = getattr(estimator, "history_", None)
        if history is None:
            raise NotFittedError(
                f"{type(estimator).__name__} has no history_ yet; call fit before drawing it."
            )
        return cls(history=history).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LossDisplay:
        """Draw each loss: its running median over a fiftieth of the steps and, faint, itself."""
        self.ax_, self.figure_ = _axes(ax, (7.0, 4.0))
        losses = self.history.drop(columns=["step", "seconds", "epoch"], errors="ignore")
        losses = losses.select_dtypes("number").replace([np.inf, -np.inf], np.nan)
        losses = losses.dropna(axis="columns", how="all")
        if losses.empty:
            raise ValueError("history_ holds no loss to draw.")
        steps = self.history["step"].to_numpy()
        smooth = losses.rolling(max(1, len(losses) // 50), min_periods=1, center=True).median()
        for name in losses:
            (line,) = self.ax_.plot(steps, smooth[name], label=str(name), linewidth=1.6)
            if len(losses) >= 100:
                color = line.get_color()
                self.ax_.plot(steps, losses[name], color=color, alpha=0.25, linewidth=0.6, zorder=1)
        # A spike in the first steps must not flatten everything after it.
        low, high = np.nanquantile(smooth.to_numpy(), [0.005, 0.995])
        margin = 0.08 * (high - low) or 1.0
        self.ax_.set_ylim(low - margin, high + margin)
        self.ax_.set(xlabel="step", ylabel="loss")
        self.ax_.grid(alpha=0.25)
        self.ax_.legend(frameon=False, fontsize="small")
        return self


class LatentSpaceDisplay:
    """Rows in the plane of the first two latent features.

    Create it with `from_estimator`.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
    y : Series of shape (n_points,), optional
        What the points are coloured by.
    names : tuple of two str
        What the axes are called.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    def __init__(
        self,
        *,
        points: npt.NDArray[np.float64],
        y: pd.Series | None = None,
        names: tuple[str, str] = ("latent 0", "latent 1"),
    ) -> None:
        self.points = points
        self.y = y
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        ax: Any = None,
        max_points: int = 10_000,
        random_state: int | np.random.RandomState | None = 0,
    ) -> LatentSpaceDisplay:
        """Transform rows and draw the first two features.

        Parameters
        ----------
        estimator : fitted estimator with `transform`
            It must give at least two features.
        X : DataFrame or ndarray of shape (n_rows, n_columns)
        y : array-like of shape (n_rows,), optional
            Classes, or a number (more than ten different values), to colour the points by.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.
        max_points : int, default=10000
            More rows than that are thinned out at random.
        random_state : int, RandomState or None, default=0
            Decides which rows are drawn.

        Returns
        -------
        LatentSpaceDisplay
        """
        latent = estimator.transform(X)
        names = [str(name) for name in getattr(latent, "columns", ["latent 0", "latent 1"])]
        points = np.asarray(latent, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] < 2:
            width = points.shape[1] if points.ndim == 2 else 1
            raise ValueError(f"estimator.transform must give at least two features, got {width}.")
        colours = None if y is None else pd.Series(np.asarray(y), name=getattr(y, "name", None))
        if colours is not None and len(colours) != len(points):
            raise ValueError(
                f"y must have one value for each of {len(points)} rows of X, got {len(colours)}."
            )
        chosen = check_random_state(random_state).permutation(len(points))[:max_points]
        display = cls(
            points=points[chosen, :2],
            y=None if colours is None else colours.iloc[chosen].reset_index(drop=True),
            names=(names[0], names[1]),
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LatentSpaceDisplay:
        """Draw the points."""
        self.ax_, self.figure_ = _axes(ax, (6.0, 5.0))
        style = {"s": float(np.clip(40_000 / len(self.points), 6, 30)), "linewidths": 0}
        style |= {"alpha": 0.7, "rasterized": True}
        self.ax_.set(xlabel=self.names[0], ylabel=self.names[1])
        if self.y is None:
            self.ax_.scatter(*self.points.T, color=SYNTHETIC_COLOR, **style)
            return self
        column = align_columns({"y": self.y.rename("y").to_frame()})[0]
        if column.is_category or len(np.unique(column.values[0])) <= _MOST_CLASSES:
            self._scatter_classes(style)
        else:
            self._scatter_amounts(column, style)
        return self

    def _scatter_classes(self, style: dict[str, Any]) -> None:
        assert self.y is not None
        frame = self.y.rename("y").to_frame()
        column = align_columns({"y": frame}, categorical_features=["y"])[0]
        codes = column.values[0]
        counts = np.bincount(codes[codes >= 0], minlength=len(column.labels))
        frequent = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
        shown = sorted(frequent, key=lambda code: _natural(column.labels[code]))
        rest = ~np.isin(codes, shown)
        if rest.any():
            names = ["missing"] * bool((codes[rest] < 0).any())
            names += ["others"] * (len(column.labels) > len(shown))
            label = " and ".join(names)
            self.ax_.scatter(*self.points[rest].T, color=REAL_COLOR, label=label, **style)
        for color, code in zip(_CLASS_COLORS, shown, strict=False):
            points = self.points[codes == code]
            self.ax_.scatter(*points.T, color=color, label=short(column.labels[code]), **style)
        legend = self.ax_.legend(
            title=None if self.y.name is None else str(self.y.name),
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            frameon=False,
            fontsize="small",
        )
        for handle in legend.legend_handles:
            handle.set(sizes=[30], alpha=1.0)

    def _scatter_amounts(self, column: Column, style: dict[str, Any]) -> None:
        assert self.y is not None
        missing, values = column.missing[0], column.values[0]
        unit, factor = unit_of_time(values) if column.kind == "timedelta" else ("", 1.0)
        name = " ".join(filter(None, [str(self.y.name or "y"), f"({unit})" if unit else ""]))
        self.ax_.scatter(*self.points[missing].T, color=REAL_COLOR, **style)
        image = self.ax_.scatter(*self.points[~missing].T, c=values[~missing] / factor, **style)
        bar = self.figure_.colorbar(image, ax=self.ax_, label=name)
        bar.solids.set_alpha(1.0)
        if column.kind == "datetime":
            first, last = image.get_clim()
            ticks = np.linspace(first, last, 5)
            dates = pd.to_datetime(ticks, unit="us").strftime("%Y-%m-%d")
            bar.set_ticks(ticks, labels=list(dates))


def new_figure(figsize: tuple[float, float]) -> Any:
    """Return an empty matplotlib figure of that many inches that lays itself out."""
    figure = _pyplot().figure(figsize=figsize, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.06)
    return figure


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plotting needs matplotlib; install it with: pip install 'sklearn-tabgan[plot]'."
        ) from error
    return plt


def _axes(ax: Any, figsize: tuple[float, float]) -> tuple[Any, Any]:
    """Return the axes to draw on and their figure."""
    if ax is None:
        ax = new_figure(figsize).subplots()
    return ax, ax.figure


def _natural(label: str) -> tuple[bool, float, str]:
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label
