"""The registry of the library's models: every public class of `tabgan.models`, by name.

The loader of files, the contract tests and the documentation read the registry instead of lists of
their own.
"""

from __future__ import annotations

from typing import TypeVar

MODELS: dict[str, type] = {}
"""The public classes of `tabgan.models` by name, filled by `register`."""


HOLDERS: dict[str, type] = {}
"""The public classes by name that hold a fitted model and are saved with the model, filled by
`register_holder`."""

_Class = TypeVar("_Class", bound=type)


def register(cls: type) -> None:
    """Enter a class into the registry if the class is a public one of `tabgan.models`.

    Parameters
    ----------
    cls : type
    """
    if cls.__module__.startswith("tabgan.models.") and not cls.__name__.startswith("_"):
        MODELS[cls.__name__] = cls


def register_holder(cls: _Class) -> _Class:
    """Enter a class that holds a fitted model into the registry, and return the class.

    Parameters
    ----------
    cls : type
        Its attribute `_holds` names the parameter that takes an unfitted model, or None, and the
        attribute that holds the fitted one.

    Returns
    -------
    type
    """
    HOLDERS[cls.__name__] = cls
    return cls
