"""Draw counted marginals on matplotlib axes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from tabgan.evaluation.marginals import Marginal

REAL_COLOR = "#9a9a9a"
SYNTHETIC_COLOR = "#d55e00"
CLASS_COLORS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e6b800",
    "#56b4e9", "#7a3e00", "#6a3d9a", "#000000", "#8bc34a",
)  # fmt: skip

_DOMINANT_SHARE = 0.7
_FEWEST_BAR_SLOTS = 4
_LONG_NUMBER = 10_000
_MOST_LETTERS = 18
_UNITS_OF_TIME = (("days", 86_400e6), ("hours", 3_600e6), ("minutes", 60e6), ("seconds", 1e6))


def draw_marginal(marginal: Marginal, ax: Any) -> None:
    """Draw one marginal, entitled by the column's name and its shape score."""
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
    """Return a label cut to `n_letters`, its dollar signs kept from starting a formula."""
    text = str(name).replace("$", r"\$")
    return text if len(text) <= n_letters else text[: n_letters - 1] + "…"


def unit_of_time(microseconds: npt.NDArray[np.float64]) -> tuple[str, float]:
    """Return the largest unit of which the longest duration has a few."""
    longest = np.nanmax(np.abs(microseconds), initial=0.0)
    return next(((u, f) for u, f in _UNITS_OF_TIME if longest >= 3 * f), _UNITS_OF_TIME[-1])
