"""Pictures of latent space: rows placed in it, and rows decoded along walks through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tabgan.checks import SEED, ParameterError, Rule, check, having, integer, number
from tabgan.displays.figures import axes_and_figure
from tabgan.evaluation.columns import Column, align_columns
from tabgan.evaluation.drawing import (
    CLASS_COLORS,
    REAL_COLOR,
    SYNTHETIC_COLOR,
    short,
    unit_of_time,
)
from tabgan.randomness import own_stream

if TYPE_CHECKING:
    from typing_extensions import Self

_MOST_CLASSES = 10


def _is_pair(value: Any, least: int) -> bool:
    is_pair = isinstance(value, tuple | list | np.ndarray) and len(value) == 2
    return is_pair and all(integer(least).accepts(each) for each in value)


_PAIR = Rule("a pair of non-negative integers", lambda value: _is_pair(value, 0))
_IMAGE_SHAPE = Rule(
    "a pair of positive integers or None", lambda value: value is None or _is_pair(value, 1)
)


class LatentSpaceDisplay:
    """Rows in the plane of the first two latent features.

    Create it with `from_estimator`.

    Parameters
    ----------
    points : ndarray of shape (n_points, 2)
        Where the points lie.
    y : Series of shape (n_points,), optional
        What the points are coloured by.
    names : tuple of two str
        What the axes are called.

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
    >>> from tabgan.displays import LatentSpaceDisplay
    >>> points = np.random.default_rng(0).normal(size=(50, 2))
    >>> LatentSpaceDisplay(points=points).plot().ax_.get_xlabel()
    'latent 0'
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
            The rows to transform.
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

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        TypeError, ValueError
            If `transform` gives fewer than two features, `y` has another length than `X`, or an
            argument is out of its range.
        """
        check("estimator", estimator, having("transform"))
        check("max_points", max_points, integer(1))
        check("random_state", random_state, SEED)
        latent = estimator.transform(X)
        names = [str(name) for name in getattr(latent, "columns", ["latent 0", "latent 1"])]
        points = np.asarray(latent, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] < 2:
            width = points.shape[1] if points.ndim == 2 else 1
            raise ParameterError(
                f"estimator.transform must give at least two features, got {width}."
            )
        colours = None if y is None else pd.Series(np.asarray(y), name=getattr(y, "name", None))
        if colours is not None and len(colours) != len(points):
            raise ParameterError(
                f"y must have one value for each of {len(points)} rows of X, got {len(colours)}."
            )
        chosen = own_stream(random_state).permutation(len(points))[:max_points]
        display = cls(
            points=points[chosen, :2],
            y=None if colours is None else colours.iloc[chosen].reset_index(drop=True),
            names=(names[0], names[1]),
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LatentSpaceDisplay:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        LatentSpaceDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax, (6.0, 5.0))
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
        for color, code in zip(CLASS_COLORS, shown, strict=False):
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


class RowGridDisplay:
    """Rows side by side in a grid, each as an image or as a line.

    Create it with `from_rows`.

    Parameters
    ----------
    rows : ndarray of shape (n_down, n_across, d)
        The numbers of the row at each place of the grid.
    image_shape : tuple of two int, optional
        Height and width of the images that rows are; without it each row is a line.

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
    >>> from tabgan.displays import RowGridDisplay
    >>> RowGridDisplay.from_rows(np.eye(9), n_across=3, image_shape=(3, 3)).rows.shape
    (3, 3, 9)
    """

    def __init__(
        self, *, rows: npt.NDArray[np.float64], image_shape: tuple[int, int] | None = None
    ) -> None:
        self.rows = rows
        self.image_shape = image_shape

    @classmethod
    def from_rows(
        cls,
        rows: Any,
        n_across: int = 10,
        *,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Draw a table of numbers row by row.

        Parameters
        ----------
        rows : DataFrame or array-like of shape (n, d)
            Filled in from left to right, then downwards; n must be a multiple of `n_across`.
        n_across : int, default=10
            Rows side by side.
        image_shape : tuple of two int, optional
            Height and width of the images that rows are; without it each row is a line.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        RowGridDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        TypeError, ValueError
            If the number of rows is no multiple of `n_across`, or `image_shape` does not fit the
            number of columns.
        """
        check("n_across", n_across, integer(1))
        check("image_shape", image_shape, _IMAGE_SHAPE)
        array = np.asarray(rows, dtype=np.float64)
        array = array.reshape(len(array), -1)
        if len(array) == 0 or len(array) % n_across:
            raise ParameterError(
                f"rows has {len(array)} rows; give a positive multiple of n_across, {n_across}."
            )
        if image_shape is not None and np.prod(image_shape) != array.shape[1]:
            raise ParameterError(
                f"image_shape is {image_shape}, but rows have {array.shape[1]} numbers."
            )
        grid = array.reshape(-1, n_across, array.shape[1])
        return cls(rows=grid, image_shape=image_shape).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> Self:
        """Draw the grid, all images or lines on one scale.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        RowGridDisplay
            The display itself.
        """
        n_down, n_across, d = self.rows.shape
        self.ax_, self.figure_ = axes_and_figure(ax, (0.6 * n_across, 0.6 * n_down + 0.4))
        low, high = np.nanmin(self.rows), np.nanmax(self.rows)
        if self.image_shape is None:
            height = (self.rows - (low + high) / 2) / (high - low or 1.0) * 0.8
            along = np.linspace(0.1, 0.9, d)
            for down in range(n_down):
                for across in range(n_across):
                    line = n_down - down - 0.5 + height[down, across]
                    self.ax_.plot(across + along, line, color=SYNTHETIC_COLOR, linewidth=1.0)
            self.ax_.set(xlim=(0, n_across), ylim=(0, n_down))
        else:
            tall, wide = self.image_shape
            images = self.rows.reshape(n_down, n_across, tall, wide)
            framed = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=low)
            sheet = framed.transpose(0, 2, 1, 3).reshape(n_down * (tall + 2), -1)
            self.ax_.imshow(sheet, cmap="gray_r", vmin=low, vmax=high)
        self.ax_.set_axis_off()
        return self


class LatentWalkDisplay(RowGridDisplay):
    """Rows decoded from a grid of points in the plane of two latent features.

    Create it with `from_estimator`.

    Parameters
    ----------
    rows : ndarray of shape (n_down, n_across, d)
        The numbers of the row at each place of the grid.
    image_shape : tuple of two int, optional
        Height and width of the images that rows are; without it each row is a line.

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
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from tabgan.displays import LatentWalkDisplay
    >>> encoder = PCA(2).fit(load_digits().data)
    >>> LatentWalkDisplay.from_estimator(encoder, extent=20.0, image_shape=(8, 8)).rows.shape
    (10, 10, 64)
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        features: tuple[int, int] = (0, 1),
        *,
        at: Any = None,
        extent: float = 2.0,
        n: int = 10,
        image_shape: tuple[int, int] | None = None,
        ax: Any = None,
    ) -> Self:
        """Walk the plane of two latent features and draw the row at each point.

        Parameters
        ----------
        estimator : fitted estimator with `inverse_transform` and `get_feature_names_out`
            Decodes latent features to rows of numbers.
        features : tuple of two int, default=(0, 1)
            Positions of the features that change from left to right and from bottom to top.
        at : array-like of shape (n_features_out,), optional
            What the other features are, for example those of a real row; zero by default.
        extent : float > 0, default=2
            Both features go from ``-extent`` to ``extent``.
        n : int, default=10
            Points along each side of the grid.
        image_shape : tuple of two int, optional
            Height and width of the images that rows are; without it each row is a line.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        LatentWalkDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        TypeError, ValueError
            If `at` has another number of features, there is no feature at one of the positions, or
            an argument is out of its range.
        """
        check("estimator", estimator, having("inverse_transform", "get_feature_names_out"))
        check("features", features, _PAIR)
        check("extent", extent, number(0, closed="neither"))
        check("n", n, integer(1))
        check("image_shape", image_shape, _IMAGE_SHAPE)
        n_features = len(estimator.get_feature_names_out())
        start = np.zeros(n_features) if at is None else np.asarray(at, dtype=np.float64).ravel()
        if len(start) != n_features:
            raise ParameterError(
                f"at has {len(start)} features, but the estimator gives {n_features}."
            )
        if not all(0 <= feature < n_features for feature in features):
            raise ParameterError(
                f"features is {features}, but there are features 0 to {n_features - 1}."
            )
        codes = np.tile(start, (n * n, 1))
        line = np.linspace(-extent, extent, n)
        codes[:, features[0]] = np.tile(line, n)
        codes[:, features[1]] = np.repeat(line[::-1], n)
        rows = np.asarray(estimator.inverse_transform(codes), dtype=np.float64)
        return cls(rows=rows.reshape(n, n, -1), image_shape=image_shape).plot(ax=ax)


def _natural(label: str) -> tuple[bool, float, str]:
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label
