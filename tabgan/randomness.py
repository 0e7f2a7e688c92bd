"""Random streams of the library's own: the global generators are never touched."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.utils import check_random_state


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed; None takes fresh entropy rather than NumPy's global generator.

    Parameters
    ----------
    random_state : int, RandomState or None

    Returns
    -------
    int
        Below ``2**31``.
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def begin_stream(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """Begin a torch stream on a device, seeded by a draw from a NumPy stream."""
    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))
