"""The card in the file of a model: who made it, from what, and how good it is."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from tabgan.checks import NONE, ParameterError, check, instance, short
from tabgan.table.jsonable import from_jsonable

PACKAGES = ("torch", "numpy", "pandas", "scikit-learn")
"""Packages whose versions a card names, beside those of tabgan and Python."""

OWN = ("class", "versions", "parameters", "seed", "rows", "columns", "steps")
"""Names of what a card says by itself."""

DEEPEST = 10
"""Lists and dicts within each other in a card at most."""


def write_card(estimator: Any, said: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is written of a card: versions, and what the user says.

    Parameters
    ----------
    estimator : estimator
        What was said in the file from which the estimator was loaded, if it was, is said again.
    said : mapping of str to object or None
        See `Estimator.save`.

    Returns
    -------
    dict
        Of values that JSON has.

    Raises
    ------
    ParameterError
    """
    check("card", said, NONE | instance(Mapping, "a mapping of texts to values"))
    given = {name: _figures(value) for name, value in (said or {}).items()}
    for name in OWN:
        if name in given:
            raise ParameterError(f"card has {name!r}, which a file says by itself; leave it out.")
    try:
        check_plain(given)
    except ValueError as error:
        raise ParameterError(
            f"card must hold texts, numbers, lists and dicts of these, and reports; {error}."
        ) from error
    versions = {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    return {"versions": versions, "said": {**getattr(estimator, "_card", {}), **given}}


def said_in(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user said in the card of a file.

    Raises
    ------
    ValueError
        The card holds something else than texts, numbers, lists and dicts.
    """
    card = document.get("card", {"said": {}})
    said = card["said"] if isinstance(card, dict) else None
    if not isinstance(said, dict):
        raise ValueError("its card is none")
    check_plain(said)
    return said


def full_card(document: Mapping[str, Any]) -> dict[str, Any]:
    """Gather a card from the document of a file.

    Parameters
    ----------
    document : mapping
        What `tabgan.estimators.files.read_file` returned.

    Returns
    -------
    dict
        See `tabgan.read_card`.

    Raises
    ------
    Exception
        Of any kind, if the document is not one that `save` writes.
    """
    parameters, state = (from_plain(document[name]) for name in ("parameters", "state"))
    inner = document.get("held", document)
    learnt = from_plain(inner["state"])
    card = {
        "class": document["class"],
        "versions": {"tabgan": document["version"], **document.get("card", {}).get("versions", {})},
        "parameters": parameters,
        "seed": state["_seed"],
        "rows": state["_n_rows"],
        "columns": state["n_features_in_"],
        "steps": learnt["training"]["step"],
        **said_in(document),
    }
    check_plain(card["versions"])
    for name in ("seed", "rows", "columns", "steps"):
        check(name, card[name], instance(int, "a number"))
    return card


def from_plain(data: Any) -> dict[str, Any]:
    """Read a dict by name of which values alone matter that JSON has; others become texts."""
    if not isinstance(data, dict) or data.get("type") != "dict":
        raise ValueError(f"{short(data)} is no dict")
    return {
        str(key): value if _is_flat(value) else _readable(value) for key, value in data["value"]
    }


def _readable(value: Any) -> Any:
    """Return a value that is written as JSON, or its text; of what has no such form, the form."""
    if isinstance(value, list):
        return [each if _is_flat(each) else _readable(each) for each in value]
    if set(value) == {"type", "value"} and value["type"] == "dict":
        return from_plain(value)
    try:
        return str(from_jsonable(value))
    except Exception:
        return value


def check_plain(value: Any, depth: int = 0) -> None:
    """Refuse what JSON has no form for, and what lies too deep.

    Raises
    ------
    ValueError
    """
    if depth > DEEPEST:
        raise ValueError(f"there are more than {DEEPEST} lists and dicts within each other")
    if isinstance(value, dict):
        for name, each in value.items():
            if not isinstance(name, str):
                raise ValueError(f"{short(name)} is no text to name a value by")
            check_plain(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            check_plain(each, depth + 1)
    elif not _is_flat(value):
        raise ValueError(f"{short(value)} is none of these")


def _is_flat(value: Any) -> bool:
    """Whether JSON has a value that holds no other values."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _figures(value: Any) -> Any:
    """Turn a report into its figures, a tuple into a list; leave other values."""
    if hasattr(value, "summary"):
        table = value.summary()
        return {
            str(name): {
                key: float(row[key]) for key in ("value", "real") if math.isfinite(row[key])
            }
            for name, row in table.iterrows()
        }
    return list(value) if isinstance(value, tuple) else value
