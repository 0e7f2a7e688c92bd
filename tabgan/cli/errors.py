"""What the command line says when it cannot go on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class InputError(Exception):
    """Something the user gave cannot be used; the message says what and the way out."""


def hint(text: str, known: Sequence[str]) -> str:
    """Say which of the known texts may have been meant, or what they are."""
    near = difflib.get_close_matches(text, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    listed = ", ".join(repr(value) for value in known[:8])
    return f"known are {listed}{', ...' if known[8:] else '.'}"


def check_column(name: str, columns: Iterable[Any], argument: str) -> None:
    """Raise an InputError unless the table has a column of this name."""
    known = [str(column) for column in columns]
    if name not in known:
        raise InputError(f"{argument} {name}: there is no such column; {hint(name, known)}")
