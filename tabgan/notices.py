"""What the library tells a user while it works: warnings, and progress bars of long work."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0
"""Seconds from one line to the next where the bar goes into a file rather than a terminal."""

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


class Progress:
    """A progress bar on standard error; without a name nothing is shown.

    Parameters
    ----------
    name : str or None
        What is going on; None shows nothing.
    total : int
    unit : str
        Of what is counted.
    """

    def __init__(self, name: str | None, total: int, unit: str) -> None:
        is_watched = bool(getattr(sys.stderr, "isatty", lambda: False)())
        pause = {} if is_watched else {"mininterval": SECONDS_BETWEEN_LINES}
        self._reason = ""
        self._bar = tqdm(total=total, disable=name is None, unit=unit, desc=name, **pause)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._reason and not self._bar.disable:
            # What was left out is no longer to come: the bar ends full, and says why.
            self._bar.total = self._bar.n
            self._bar.set_postfix_str(self._reason, refresh=False)
        self._bar.close()

    def reach(self, n: int, figures: Mapping[str, float] | None = None) -> None:
        """Say how much is done, and figures worth showing beside it."""
        if figures:
            told = ", ".join(f"{name}={value:.3g}" for name, value in figures.items())
            self._bar.set_postfix_str(told, refresh=False)
        self._bar.update(n - self._bar.n)

    def stop(self, reason: str) -> None:
        """Say why the work ends before all is done."""
        self._reason = reason
