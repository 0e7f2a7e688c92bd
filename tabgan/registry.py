"""The models of this library, by name: every class of `tabgan.models` enters itself.

Files, the contract tests and the documentation ask this registry instead of keeping lists.
"""

from __future__ import annotations

MODELS: dict[str, type] = {}
"""Public classes of `tabgan.models`, filled as they are defined."""


def register(cls: type) -> None:
    """Enter a class, if it is a public one of `tabgan.models`."""
    if cls.__module__.startswith("tabgan.models.") and not cls.__name__.startswith("_"):
        MODELS[cls.__name__] = cls
