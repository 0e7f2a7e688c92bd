"""The registry of the library's models: every public class of `tabgan.models`, by name.

The loader of files, the contract tests and the documentation read the registry instead of lists of
their own.
"""

from __future__ import annotations

MODELS: dict[str, type] = {}
"""The public classes of `tabgan.models` by name, filled by `register`."""


def register(cls: type) -> None:
    """Enter a class into the registry if the class is a public one of `tabgan.models`.

    Parameters
    ----------
    cls : type
    """
    if cls.__module__.startswith("tabgan.models.") and not cls.__name__.startswith("_"):
        MODELS[cls.__name__] = cls
