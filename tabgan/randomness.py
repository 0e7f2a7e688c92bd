"""Random streams of the library's own: the global generators are never touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

if TYPE_CHECKING:
    import torch


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


def own_stream(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Begin a NumPy stream; None takes fresh entropy rather than NumPy's global generator."""
    return check_random_state(draw_seed(None) if random_state is None else random_state)


def begin_stream(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """Begin a torch stream on a device, seeded by a draw from a NumPy stream."""
    # Torch takes seconds to import; who only draws seeds does without it.
    import torch

    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))


class Streams(NamedTuple):
    """The random streams of one call: of NumPy, and of torch on the device.

    Attributes
    ----------
    rng : numpy Generator
    noise : torch.Generator
    """

    rng: np.random.Generator
    noise: torch.Generator

    @classmethod
    def begin(cls, seed: int | Sequence[int], device: torch.device) -> Streams:
        """Begin both streams from a seed."""
        rng = np.random.default_rng(seed)
        return cls(rng, begin_stream(rng, device))


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Seed the weights of networks made within the block; the global generator is put back."""
    import torch

    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would reach the GPUs' generators, which are not put back.
        torch.default_generator.manual_seed(seed)
        yield
