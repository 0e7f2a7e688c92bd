"""Messages to the user during work: warnings, and progress bars of long work."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from tabgan.locks import after_fork

SECONDS_BETWEEN_LINES = 30.0
"""Seconds from one line to the next where a bar goes to a file and not to a terminal."""

_PASSED_OVER = ("tabgan", "sklearn", "contextlib")
"""Packages that a warning passes over on the way to the user's own line of code."""


def warn(message: str) -> None:
    """Issue a UserWarning at the nearest line outside tabgan and scikit-learn.

    scikit-learn wraps methods such as `transform`, so that its lines too lie between the library
    and the user's line.

    Parameters
    ----------
    message : str

    Warns
    -----
    UserWarning
        Always.

    Examples
    --------
    >>> import warnings
    >>> from tabgan.notices import warn
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn("the table is small.")
    >>> str(caught[0].message)
    'the table is small.'
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None:
        name = frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in _PASSED_OVER:
            break
        level, frame = level + 1, frame.f_back
    warnings.warn(message, UserWarning, stacklevel=level)


class _Bar(tqdm):
    """A bar with a lock of its own process.

    The lock of tqdm is shared with forked processes. One of them that is killed while a bar is
    drawn would stop all others for good.
    """

    @classmethod
    def renew_lock(cls) -> None:
        """Begin with a lock that nobody holds."""
        cls.set_lock(threading.RLock())


_Bar.renew_lock()
after_fork(_Bar.renew_lock)


class Progress:
    """A progress bar on standard error, used as a context manager.

    A bar that goes to a file writes few lines. A bar of work that ends early shows why.

    Parameters
    ----------
    name : str or None
        Name of the work. With None no bar is shown.
    total : int
        Number of units of the whole work.
    unit : str
        Name of one unit, such as "step".
    delay : float >= 0, default=0
        Seconds before the bar appears.

    Examples
    --------
    >>> from tabgan.notices import Progress
    >>> with Progress(None, total=2, unit="step") as bar:
    ...     bar.reach(1, {"loss": 0.5})
    ...     bar.stop("stopped: the loss no longer falls")
    """

    def __init__(self, name: str | None, total: int, unit: str, delay: float = 0.0) -> None:
        is_watched = bool(getattr(sys.stderr, "isatty", lambda: False)())
        pause = {} if is_watched else {"mininterval": SECONDS_BETWEEN_LINES}
        self._reason = ""
        self._bar = None
        if name is not None:
            self._bar = _Bar(total=total, unit=unit, desc=name, delay=delay, **pause)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._bar is None:
            return
        if self._reason and not self._bar.disable:
            # The units that are left will not be done, so the bar ends full and shows the reason.
            self._bar.total = self._bar.n
            self._bar.set_postfix_str(self._reason, refresh=False)
        self._bar.close()

    def reach(self, n: int, figures: Mapping[str, float] | None = None) -> None:
        """Show how many units are done, and figures beside the number.

        Parameters
        ----------
        n : int
            Units done since the start.
        figures : mapping of str to float, optional
        """
        if self._bar is None:
            return
        if figures:
            shown = ", ".join(f"{name}={value:.3g}" for name, value in figures.items())
            self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(n - self._bar.n)

    def stop(self, reason: str) -> None:
        """Set the reason for an end before all units are done, which the closed bar shows.

        Parameters
        ----------
        reason : str
        """
        self._reason = reason
