"""Draw figures of the evaluation on matplotlib axes.

`tabgan.displays` and the report draw with these functions; only whoever makes a figure imports
matplotlib.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tabgan.evaluation.fidelity import mean_pair_trend
from tabgan.evaluation.marginals import Marginal

REAL_COLOR = "#9a9a9a"
SYNTHETIC_COLOR = "#d55e00"
CLASS_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e6b800",
    "#56b4e9", "#7a3e00", "#6a3d9a", "#000000", "#8bc34a",
)  # fmt: skip

WITHOUT_MATPLOTLIB = (
    "Plotting needs matplotlib; install it with: pip install 'sklearn-tabgan[plot]'."
)

_AXIS_STARTS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
_DOMINANT_SHARE = 0.7
_FEWEST_BAR_SLOTS = 4
_LONG_NUMBER = 10_000
_MOST_ANNOTATED = 15
_MOST_LABELLED = 40
_MOST_LETTERS = 18
_MOST_SHAPES = 30
_UNITS_OF_TIME = (("days", 86_400e6), ("hours", 3_600e6), ("minutes", 60e6), ("seconds", 1e6))


def draw_column_shapes(shapes: pd.Series, ax: Any) -> None:
    """Draw the scores of `column_shapes`, the worst ones first.

    Good tables score .99 in every column. The axis starts where the differences show, and says so;
    dots are drawn, because the length of a bar would count from zero.
    """
    shown = shapes.sort_values(kind="stable").iloc[:_MOST_SHAPES]
    start = axis_start(float(shown.min()))
    positions = np.arange(len(shown))
    ax.hlines(positions, start, shown, color=SYNTHETIC_COLOR, linewidth=1.5, alpha=0.5)
    ax.plot(shown, positions, "o", color=SYNTHETIC_COLOR, clip_on=False)
    for position, score in zip(positions, shown, strict=True):
        ax.annotate(
            f"{score:.3f}",
            (1.0, position),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    ax.set_yticks(positions, [short(name) for name in shown.index])
    ax.set_xlim(start, 1.0)
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.locator_params(axis="x", nbins=5)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(labelsize="small")
    ax.grid(axis="x", alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    note = f"; the axis starts at {start:g}" if start > 0 else ""
    ax.set_xlabel(f"shape score, 1 is best{note}", fontsize="small")
    which = f", the worst {len(shown)} of {len(shapes)}" if len(shapes) > len(shown) else ""
    ax.set_title(f"Column shapes, mean {shapes.mean():.3f}{which}")


def axis_start(lowest: float) -> float:
    """Return where an axis that ends at 1 starts, so that `lowest` lies a little inside it."""
    inside = 1.0 - 1.1 * (1.0 - lowest)
    return max((start for start in _AXIS_STARTS if start <= inside), default=0.0)


def draw_pair_trends(trends: pd.DataFrame, ax: Any, vmin: float = 0.8) -> None:
    """Draw the scores of `pair_trends` as a heat map whose colours end at `vmin`."""
    n_columns = len(trends)
    scores = trends.to_numpy(copy=True)
    np.fill_diagonal(scores, np.nan)
    image = ax.imshow(scores, cmap="viridis", vmin=vmin, vmax=1.0)
    below = bool((trends.to_numpy() < vmin).any())
    bar = ax.figure.colorbar(image, ax=ax, extend="min" if below else "neither", shrink=0.8)
    bar.set_label("pair trend (1 is best)")
    labels = [short(name) for name in trends.columns] if n_columns <= _MOST_LABELLED else []
    ax.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(length=0, labelsize="small")
    ax.spines[:].set_visible(False)
    if n_columns <= _MOST_ANNOTATED:
        for i, j in zip(*np.nonzero(~np.isnan(scores)), strict=True):
            shade = "white" if scores[i, j] < (vmin + 1.0) / 2 else "black"
            text = f"{scores[i, j]:.2f}".lstrip("0")
            ax.text(j, i, text, ha="center", va="center", color=shade, fontsize=6.5)
    ax.set_title(f"Pair trends, mean {mean_pair_trend(trends):.3f}")


def trends_size(trends: pd.DataFrame) -> tuple[float, float]:
    """Return the width and height in inches that suit a heat map of so many columns."""
    side = min(max(1.5 + 0.42 * len(trends), 4.0), 12.0)
    return side + 1.2, side


def draw_marginals(marginals: Sequence[Marginal], figure: Any, n_cols: int = 3) -> Any:
    """Draw marginals side by side on an empty figure, and return their axes as one array."""
    n_cols = min(n_cols, len(marginals))
    n_rows = -(-len(marginals) // n_cols)
    grid = figure.subplots(n_rows, n_cols, squeeze=False).ravel()
    for unused in grid[len(marginals) :]:
        unused.remove()
    axes = grid[: len(marginals)]
    for marginal, ax in zip(marginals, axes, strict=True):
        draw_marginal(marginal, ax)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False)
    figure.supxlabel(
        "share of rows; beside each name the column's shape score, 1 is best", fontsize="small"
    )
    return axes


def draw_marginal(marginal: Marginal, ax: Any) -> None:
    """Draw one marginal under the column's name and its shape score."""
    ax.set_title(f"{short(marginal.name, 26)}   {marginal.shape:.3f}", fontsize="medium")
    ax.tick_params(labelsize="small")
    ax.spines[["top", "right"]].set_visible(False)
    if marginal.labels:
        _draw_bars(marginal, ax)
    else:
        _draw_histogram(marginal, ax)
    if marginal.kind != "category" and any(marginal.missing):
        real, synthetic = marginal.missing
        ax.text(
            0.98,
            0.97,
            f"missing\nreal {real:.1%}\nsynthetic {synthetic:.1%}",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=7,
        )


def _draw_bars(marginal: Marginal, ax: Any) -> None:
    positions = np.arange(len(marginal.labels))
    labels = [short(label) for label in marginal.labels]
    if marginal.kind == "category":
        ax.barh(positions - 0.2, marginal.real, 0.4, color=REAL_COLOR, label="real")
        ax.barh(positions + 0.2, marginal.synthetic, 0.4, color=SYNTHETIC_COLOR, label="synthetic")
        ax.set_yticks(positions, labels)
        ax.tick_params(axis="y", length=0)
        spare = max(0, _FEWEST_BAR_SLOTS - len(labels)) / 2
        ax.set_ylim(len(labels) - 0.5 + spare, -0.5 - spare)
    else:
        ax.bar(positions - 0.2, marginal.real, 0.4, color=REAL_COLOR, label="real")
        ax.bar(positions + 0.2, marginal.synthetic, 0.4, color=SYNTHETIC_COLOR, label="synthetic")
        ax.set_xticks(positions, labels)
        ax.tick_params(axis="x", length=0)


def _draw_histogram(marginal: Marginal, ax: Any) -> None:
    from matplotlib import dates, ticker

    edges: Any = marginal.edges
    if marginal.kind == "datetime":
        edges = dates.date2num(edges.astype(np.int64).astype("datetime64[us]"))
        locator = dates.AutoDateLocator(minticks=3, maxticks=6)
        ax.xaxis.set_major_locator(locator)
        ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
    elif marginal.kind == "timedelta":
        unit, factor = unit_of_time(edges)
        edges = edges / factor
        ax.set_xlabel(unit, fontsize="small")
    else:
        whole = bool(np.all(np.mod(edges, 1.0) == 0.5))
        ax.xaxis.set_major_locator(ticker.MaxNLocator(5, integer=whole))
        if np.abs(edges).max() >= _LONG_NUMBER:
            ax.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    ax.stairs(marginal.real, edges, fill=True, color=REAL_COLOR, alpha=0.7, label="real")
    ax.stairs(marginal.synthetic, edges, color=SYNTHETIC_COLOR, linewidth=1.5, label="synthetic")
    shares = np.concatenate([marginal.real, marginal.synthetic])
    if shares.max() > _DOMINANT_SHARE:
        ax.set_yscale("log")
        ax.set_ylim(0.5 * shares[shares > 0].min(), 1.5)


def short(name: Hashable, n_letters: int = _MOST_LETTERS) -> str:
    """Return a label of at most `n_letters`, escaped so that a dollar sign starts no formula."""
    text = str(name).replace("$", r"\$")
    return text if len(text) <= n_letters else text[: n_letters - 1] + "…"


def unit_of_time(microseconds: npt.NDArray[np.float64]) -> tuple[str, float]:
    """Return the largest unit of time of which the longest duration has at least three."""
    longest = np.nanmax(np.abs(microseconds), initial=0.0)
    return next(((u, f) for u, f in _UNITS_OF_TIME if longest >= 3 * f), _UNITS_OF_TIME[-1])
