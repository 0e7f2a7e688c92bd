"""Lay a report's tables and pictures out as HTML that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Hashable, Iterable, Mapping
from html import escape
from io import BytesIO
from typing import Any

import pandas as pd

_DPI, _PIXELS = 150, 84  # of the PNG, and of the page, for each inch of a figure

_STYLE = """
.tabgan-report table { border-collapse: collapse; margin: 0.5em 0 1.5em; font-size: 0.9em; }
.tabgan-report th, .tabgan-report td { padding: 0.3em 0.7em; text-align: right; border: none;
  vertical-align: top; }
.tabgan-report th:first-child { text-align: left; min-width: 9em; }
.tabgan-report small { display: block; font-weight: normal; opacity: 0.75; max-width: 40em; }
.tabgan-report thead th { border-bottom: 1px solid #888; }
.tabgan-report tbody tr:nth-child(even) { background: rgba(128, 128, 128, 0.1); }
.tabgan-report td { font-variant-numeric: tabular-nums; white-space: nowrap; }
.tabgan-report .scrolls { overflow-x: auto; }
"""
_PAGE_STYLE = """
body { font-family: system-ui, sans-serif; max-width: 1220px; margin: 2em auto; padding: 0 1em;
  color: #1a1a1a; background: #fff; line-height: 1.4; }
img { max-width: 100%; height: auto; display: block; }
.pictures { display: flex; flex-wrap: wrap; gap: 0.5em; align-items: flex-start; }
.pictures .scrolls { overflow-x: auto; max-width: 100%; }
.overview .scrolls + .scrolls img { max-width: none; }
.key span { display: inline-block; width: 0.9em; height: 0.9em; margin: 0 0.4em 0 1em;
  vertical-align: -0.1em; }
@media (max-width: 600px) { body { margin: 0.5em auto; }
  .tabgan-report th, .tabgan-report td { padding: 0.3em 0.35em; } }
"""
# The page holds all that it shows; a browser is told to load nothing from anywhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def fragment(
    summary: pd.DataFrame,
    columns: pd.DataFrame,
    n_rows: Mapping[str, int],
    target: Hashable | None,
    rules: pd.DataFrame,
    audit: pd.DataFrame | None = None,
) -> str:
    """Return the tables of a report as a piece of HTML that can stand in a notebook.

    Parameters
    ----------
    summary : DataFrame
        The figures of the report.
    columns : DataFrame
        One row for each column.
    n_rows : mapping of str to int
        Number of rows of each table.
    target : hashable or None
        The column that learners predicted.
    rules : DataFrame
        How many rows break each rule.
    audit : DataFrame, optional
        The figures of an audit of privacy.
    """
    rows = ", ".join(f"{count:,} {name} rows" for name, count in n_rows.items())
    aim = "" if target is None else f"; target {escape(str(target))}"
    table = columns.rename_axis(None).rename(columns=lambda name: str(name).replace("_", " "))
    listing = table.to_html(border=0, float_format="{:.3f}".format, na_rep="–", escape=True)
    return (
        f'<div class="tabgan-report"><style>{_STYLE}</style>'
        f"<p>{rows}{aim}</p>"
        f"{figures_table(summary)}"
        f"{_rules_table(rules)}"
        f"{_audit_table(audit)}"
        f"<details><summary>{len(columns)} columns, worst first</summary>"
        f'<div class="scrolls">{listing}</div></details></div>'
    )


def _audit_table(audit: pd.DataFrame | None) -> str:
    """Return the figures of an audit of privacy, which scroll where a window is narrow."""
    if audit is None:
        return ""
    return f'<h3>Privacy audit</h3><div class="scrolls">{figures_table(audit)}</div>'


def _rules_table(rules: pd.DataFrame) -> str:
    """Return the rules of the real table, and how many synthetic rows break each."""
    if not len(rules):
        return ""
    lines = [
        f"<tr><th>{escape(str(row['rule']))}</th><td>{row['broken']:,}</td>"
        f"<td>{_number(row['share'])}</td></tr>"
        for _, row in rules.iterrows()
    ]
    head = "<tr><th>rule of the real table</th><th>broken by rows</th><th>share</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="scrolls">{table}</div>'


def figures_table(summary: pd.DataFrame) -> str:
    """Return a summary as a table with each meaning below its metric, narrow enough for a phone."""
    figures = summary.drop(columns="meaning")
    lines = [
        f"<tr><th>{_breakable(str(metric))}<small>{escape(meaning)}</small></th>"
        + "".join(f"<td>{_cell(value)}</td>" for value in row)
        + "</tr>"
        for metric, meaning, row in zip(
            figures.index, summary["meaning"], figures.itertuples(index=False), strict=True
        )
    ]
    names = "".join(f"<th>{escape(str(name))}</th>" for name in figures)
    head = f"<tr><th>metric</th>{names}</tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>"


def page(
    body: str, overview: Iterable[Any], columns: Iterable[Any], colors: Mapping[str, str]
) -> str:
    """Return a whole HTML page.

    Parameters
    ----------
    body : str
        What stands at the top: a fragment.
    overview, columns : iterable of matplotlib figures
        Figures of all columns together, and one small figure for each column.
    colors : mapping of str to str
        The colours of the small figures, by what they show.
    """
    wide = [f'<div class="scrolls">{image(figure, "All columns")}</div>' for figure in overview]
    small = [image(figure, "A single column") for figure in columns]
    key = "".join(
        f'<span style="background: {color}"></span>{escape(name)}' for name, color in colors.items()
    )
    pictures = ""
    if wide:
        pictures += "<h2>Columns and pairs of columns</h2>"
        pictures += f'<div class="pictures overview">{"".join(wide)}</div>'
    if small:
        pictures += "<h2>Single columns, worst first</h2>"
        pictures += f'<p class="key">Beside each name the shape score; share of rows: {key}</p>'
        pictures += f'<div class="pictures">{"".join(small)}</div>'
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<link rel="icon" href="data:,">'
        f"<title>Synthetic table report</title><style>{_PAGE_STYLE}</style></head>"
        f"<body><h1>Synthetic table report</h1>{body}{pictures}</body></html>"
    )


def image(figure: Any, description: str) -> str:
    """Return a matplotlib figure as an HTML image that holds its PNG."""
    png = BytesIO()
    figure.savefig(png, format="png", dpi=_DPI)
    data = base64.b64encode(png.getvalue()).decode("ascii")
    width = round(figure.get_figwidth() * _PIXELS)
    return f'<img alt="{escape(description)}" width="{width}" src="data:image/png;base64,{data}">'


def _breakable(name: str) -> str:
    """Escape a name and let lines break behind its underscores."""
    return escape(name).replace("_", "_<wbr>")


def _cell(value: float | str) -> str:
    return escape(value) if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.3f}"
