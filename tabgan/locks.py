"""Locks that survive a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def after_fork(work: Callable[[], None]) -> None:
    """Let the child of every later fork begin with some work, where processes can fork.

    Parameters
    ----------
    work : callable, () -> None
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=work)


class Lock:
    """A lock among the threads of a process, which the same thread may take again.

    The child of a fork has one thread alone. A lock that another thread held at the fork would
    never be released there, so the child begins with a new lock.
    """

    def __init__(self) -> None:
        self._renew()
        after_fork(self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock within the block."""
        with self._lock:
            yield
