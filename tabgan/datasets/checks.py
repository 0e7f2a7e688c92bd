"""Checks shared by the makers of tables."""

from __future__ import annotations

from numbers import Integral


def check_positive_integer(name: str, value: object) -> None:
    """Raise a ValueError unless the argument called ``name`` is an integer of at least one."""
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}.")
