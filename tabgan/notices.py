"""Warnings that point at the user's own line, however deep in the library they arise."""

from __future__ import annotations

import sys
import warnings

_PASSED_OVER = ("tabgan", "sklearn", "contextlib")
"""Packages whose lines are no user's: scikit-learn wraps methods such as `transform`."""


def warn(message: str) -> None:
    """Issue a UserWarning at the nearest line that belongs to neither tabgan nor scikit-learn."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in _PASSED_OVER:
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)
