"""Lay a report's tables and pictures out as HTML."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Mapping
from html import escape
from io import BytesIO
from typing import Any

import pandas as pd

_STYLE = """
.tabgan-report table { border-collapse: collapse; margin: 0.5em 0 1.5em; font-size: 0.9em; }
.tabgan-report th, .tabgan-report td { padding: 0.25em 0.8em; text-align: left; border: none; }
.tabgan-report thead th { border-bottom: 1px solid #888; }
.tabgan-report tbody tr:nth-child(even) { background: rgba(128, 128, 128, 0.1); }
.tabgan-report td { font-variant-numeric: tabular-nums; }
"""
_PAGE_STYLE = """
body { font-family: system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; }
img { max-width: 100%; }
"""


def fragment(
    summary: pd.DataFrame,
    columns: pd.DataFrame,
    n_rows: Mapping[str, int],
    target: Hashable | None,
) -> str:
    """Return the tables of a report as a piece of HTML that can stand in a notebook."""
    rows = ", ".join(f"{count:,} {name} rows" for name, count in n_rows.items())
    aim = "" if target is None else f"; target {escape(str(target))}"
    return (
        f'<div class="tabgan-report"><style>{_STYLE}</style>'
        f"<p>{rows}{aim}</p>"
        f"{_table(summary.rename_axis(None))}"
        f"<details><summary>{len(columns)} columns, worst first</summary>"
        f"{_table(columns.rename_axis(None))}</details></div>"
    )


def page(body: str, figures: Mapping[str, Any]) -> str:
    """Return a whole HTML page: a fragment and matplotlib figures by title, embedded as PNG."""
    pictures = "".join(
        f'<h2>{escape(title)}</h2><img alt="{escape(title)}" src="{_data_url(figure)}">'
        for title, figure in figures.items()
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f"<title>Synthetic table report</title><style>{_PAGE_STYLE}</style></head>"
        f"<body><h1>Synthetic table report</h1>{body}{pictures}</body></html>"
    )


def _table(frame: pd.DataFrame) -> str:
    return frame.to_html(border=0, float_format="{:.3f}".format, na_rep="–", escape=True)


def _data_url(figure: Any) -> str:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=100)
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode("ascii")
