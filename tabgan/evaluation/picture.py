"""Figures that are made without pyplot."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tabgan.evaluation.html import image


class Picture(Figure):
    """A matplotlib figure that pyplot does not know.

    pyplot shows each of its figures at the end of a notebook's cell, where the figure shows once
    more if it is the cell's value. A picture shows as a value only, opens no window, and is freed
    with the last reference to it.
    """

    def _repr_html_(self) -> str:
        return image(self, "Figure")


def new_picture(figsize: tuple[float, float]) -> Picture:
    """Return an empty picture of that many inches that lays itself out."""
    return Picture(figsize=figsize, layout=ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06))
