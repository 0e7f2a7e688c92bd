"""Errors of the command line: short, on one line, and with the way out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LONGEST = 300
"""Characters of a message at most."""


class InputError(Exception):
    """An argument or an input file cannot be used; the message names it and the way out."""


def one_line(message: object) -> str:
    r"""Put a message on one line of at most `LONGEST` characters.

    Examples
    --------
    >>> from tabgan.cli.errors import one_line
    >>> one_line("C error:\n  too many fields\n")
    'C error: too many fields'
    """
    text = " ".join(str(message).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def printable(value: object) -> str:
    r"""Write a value from a file without characters that command a terminal.

    Examples
    --------
    >>> from tabgan.cli.errors import printable
    >>> printable("CC0\x1b[2J")
    'CC0\\x1b[2J'
    >>> printable(0.5)
    '0.5'
    """
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def check_column(name: str, columns: Iterable[Any], argument: str) -> None:
    """Raise an InputError unless the table has a column of this name.

    Parameters
    ----------
    name : str
        The name that was given.
    columns : iterable of hashable
        The labels of the table's columns.
    argument : str
        The argument that holds the name; the message begins with it.
    """
    # Imported here, as it imports pandas, so that help is printed at once.
    from tabgan.checks import suggestion

    known = [str(column) for column in columns]
    if name not in known:
        raise InputError(f"{argument} {name}: there is no such column; {suggestion(name, known)}")
