"""Formulas as MathML, written while the site is built, so that no page loads a script for them."""

from __future__ import annotations

from html import escape
from typing import Any

import latex2mathml.converter
from docutils import nodes

# Environments that Sphinx writes for formulas of several lines, in the words of MathML's converter.
ALIGNED = ("aligned", "align", "align*", "gather", "split")


def to_mathml(latex: str, display: str) -> str:
    """Convert one formula; a formula that cannot be converted is an error of the build."""
    latex = latex.strip()
    if display == "block" and "\\\\" in latex and "\\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    for name in ALIGNED[1:]:
        latex = latex.replace(rf"\begin{{{name}}}", r"\begin{aligned}")
        latex = latex.replace(rf"\end{{{name}}}", r"\end{aligned}")
    return latex2mathml.converter.convert(latex, display=display)


def visit_math(self: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(to_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula of its own, with its number if it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(to_mathml(node.astext(), "block"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({escape(str(node["number"]))})</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer, which ``html_math_renderer = "mathml"`` chooses."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
