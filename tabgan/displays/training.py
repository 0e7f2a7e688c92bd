"""Pictures of training: losses, and the paths of games of two numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import NotFittedError

from tabgan.displays.figures import axes_and_figure
from tabgan.evaluation.drawing import CLASS_COLORS


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
        The figure drawn on.
    ax_ : matplotlib Axes
        The axes drawn on.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import pandas as pd
    >>> from tabgan.displays import LossDisplay
    >>> history = pd.DataFrame({"step": [1, 2, 3], "critic": [0.5, 0.4, 0.3]})
    >>> LossDisplay(history=history).plot().ax_.get_xlabel()
    'step'
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
        """Draw a running median of each loss, and the loss itself as a faint line.

        The median is taken over a fiftieth of the steps.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        LossDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax, (7.0, 4.0))
        losses = self.history.drop(columns=["step", "seconds", "epoch"], errors="ignore")
        losses = losses.select_dtypes("number").replace([np.inf, -np.inf], np.nan)
        losses = losses.dropna(axis="columns", how="all")
        if losses.empty:
            raise ValueError("history_ holds no loss to draw.")
        # Figures of held-out rows are taken now and then: most steps have none.
        smooth = losses.rolling(max(1, len(losses) // 50), min_periods=1, center=True).median()
        for name in losses:
            seen = losses[name].notna()
            steps = self.history.loc[seen, "step"]
            (line,) = self.ax_.plot(steps, smooth.loc[seen, name], label=str(name), linewidth=1.6)
            if len(losses) >= 100:
                color = line.get_color()
                self.ax_.plot(
                    steps, losses.loc[seen, name], color=color, alpha=0.25, linewidth=0.6, zorder=1
                )
        # A spike in the first steps must not flatten everything after it.
        low, high = np.nanquantile(smooth.to_numpy(), [0.005, 0.995])
        margin = 0.08 * (high - low) or 1.0
        self.ax_.set_ylim(low - margin, high + margin)
        self.ax_.set(xlabel="step", ylabel="loss")
        self.ax_.grid(alpha=0.25)
        self.ax_.legend(frameon=False, fontsize="small")
        return self


class TrajectoryDisplay:
    """Paths of training in the plane of two parameters, over the field that it follows.

    Create it with `from_points`.

    Parameters
    ----------
    paths : mapping of str to ndarray of shape (n_steps + 1, 2)
        By name; the first point is where training starts.
    points, field : ndarray of shape (n, 2), optional
        Points of the plane, and the direction in which training moves from each.
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
    >>> from tabgan.displays import TrajectoryDisplay
    >>> angle = np.linspace(0, 6, 50)
    >>> path = np.column_stack([np.cos(angle), np.sin(angle)])
    >>> len(TrajectoryDisplay.from_points({"circle": path}).ax_.lines)
    3
    """

    def __init__(
        self,
        *,
        paths: Mapping[str, npt.NDArray[np.float64]],
        points: npt.NDArray[np.float64] | None = None,
        field: npt.NDArray[np.float64] | None = None,
        names: tuple[str, str] = ("theta (generator)", "psi (discriminator)"),
    ) -> None:
        self.paths = dict(paths)
        self.points = points
        self.field = field
        self.names = names

    @classmethod
    def from_points(
        cls,
        paths: Mapping[str, npt.NDArray[np.float64]],
        points: npt.NDArray[np.float64] | None = None,
        field: npt.NDArray[np.float64] | None = None,
        *,
        names: tuple[str, str] = ("theta (generator)", "psi (discriminator)"),
        ax: Any = None,
    ) -> TrajectoryDisplay:
        """Draw what `tabgan.adversarial.dynamics` computes.

        Parameters
        ----------
        paths : mapping of str to ndarray of shape (n_steps + 1, 2)
            From `trajectory`, by name.
        points, field : ndarray of shape (n, 2), optional
            From `vector_field`.
        names : tuple of two str
            What the axes are called.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        TrajectoryDisplay
        """
        return cls(paths=paths, points=points, field=field, names=names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> TrajectoryDisplay:
        """Draw the field as arrows of one length, and each path with its start and end marked.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        TrajectoryDisplay
            The display itself.
        """
        self.ax_, self.figure_ = axes_and_figure(ax, (5.0, 5.0))
        if self.points is not None and self.field is not None:
            length = np.hypot(*self.field.T)
            arrows = self.field / np.maximum(length, 1e-12)[:, None]
            self.ax_.quiver(*self.points.T, *arrows.T, color="0.75", scale=24, width=0.004)
        for color, (name, path) in zip(CLASS_COLORS, self.paths.items(), strict=False):
            self.ax_.plot(*path.T, color=color, linewidth=1.3, label=name)
            self.ax_.plot(*path[0], "o", color=color, markersize=5)
            self.ax_.plot(*path[-1], "*", color=color, markersize=11, markeredgecolor="white")
        self.ax_.set(xlabel=self.names[0], ylabel=self.names[1], aspect="equal")
        self.ax_.legend(frameon=False, fontsize="small", loc="upper right")
        return self
