"""Figures and axes to draw on."""

from __future__ import annotations

from typing import Any

from tabgan.evaluation.drawing import WITHOUT_MATPLOTLIB


def new_figure(figsize: tuple[float, float]) -> Any:
    """Return an empty matplotlib figure of that many inches that lays itself out."""
    figure = pyplot().figure(figsize=figsize, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08, w_pad=0.06)
    return figure


def pyplot() -> Any:
    """Return matplotlib.pyplot, which the extra ``plot`` installs."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(WITHOUT_MATPLOTLIB) from error
    return plt


def axes_and_figure(ax: Any, figsize: tuple[float, float]) -> tuple[Any, Any]:
    """Return the axes to draw on and their figure."""
    if ax is None:
        ax = new_figure(figsize).subplots()
    return ax, ax.figure
