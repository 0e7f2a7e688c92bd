"""Results as short text for a terminal."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from typing import Any

import pandas as pd

from tabgan.evaluation.html import figures_table

_WIDTH = 76


def figures_line(result: Any) -> str:
    """Return the class's name and the single numbers of a dataclass, but none of its arrays."""
    values = {field.name: getattr(result, field.name) for field in fields(result)}
    shown = [f"{name}={value:.4g}" for name, value in values.items() if isinstance(value, float)]
    return f"{type(result).__name__}({', '.join(shown)})"


class Summary(pd.DataFrame):
    """A table of figures that prints whole; a DataFrame in all other respects.

    pandas cuts long texts off when it prints them. Here each metric's meaning is printed in full
    below its figures. What is computed from a summary (a column, some rows, a copy) is an ordinary
    DataFrame or Series.
    """

    @property
    def _constructor(self) -> Any:
        return pd.DataFrame

    def __repr__(self) -> str:
        figures = pd.DataFrame(self).drop(columns="meaning").rename_axis(None)
        text = figures.to_string(float_format="{:.3f}".format, na_rep="–")
        head, *lines = text.splitlines()
        printed = [head]
        for line, meaning in zip(lines, self["meaning"], strict=True):
            printed.append(line)
            printed += textwrap.wrap(
                meaning, _WIDTH, initial_indent="    ", subsequent_indent="    "
            )
        return "\n".join(printed)

    def _repr_html_(self) -> str:
        return figures_table(self)
