"""Random streams of the library's own, so that the library never changes the global generators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from tabgan.locks import Lock

if TYPE_CHECKING:
    import torch


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed from `random_state`.

    None takes fresh entropy from the operating system, and not NumPy's global generator as
    scikit-learn does.

    Parameters
    ----------
    random_state : int, RandomState or None
        A RandomState moves on by one draw.

    Returns
    -------
    int
        In [0, 2**31).

    Examples
    --------
    >>> from tabgan.randomness import draw_seed
    >>> draw_seed(0) == draw_seed(0)
    True
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def own_stream(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """Begin a NumPy stream; None takes fresh entropy rather than NumPy's global generator."""
    return check_random_state(draw_seed(None) if random_state is None else random_state)


def begin_stream(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """Begin a torch generator on a device, seeded by one draw from a NumPy generator.

    Parameters
    ----------
    rng : numpy Generator
    device : torch.device

    Returns
    -------
    torch.Generator
    """
    # Torch takes seconds to import; who only draws seeds does without it.
    import torch

    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))


def at_most(places: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return places in their order, or `n` random ones of them if there are more.

    Parameters
    ----------
    places : ndarray of shape (m,)
    n : int
    rng : numpy Generator
        Draws only if there are more.

    Returns
    -------
    ndarray of shape (min(m, n),)

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.randomness import at_most
    >>> at_most(np.arange(5), 9, np.random.default_rng(0))
    array([0, 1, 2, 3, 4])
    >>> len(at_most(np.arange(5), 3, np.random.default_rng(0)))
    3
    """
    return places if len(places) <= n else np.sort(rng.permutation(places)[:n])


class Streams(NamedTuple):
    """The random streams of one call: one of NumPy, and one of torch on the device.

    Attributes
    ----------
    rng : numpy Generator
    noise : torch.Generator

    Examples
    --------
    >>> import torch
    >>> from tabgan.randomness import Streams
    >>> one, other = (Streams.begin(7, torch.device("cpu")) for _ in range(2))
    >>> one.rng.random() == other.rng.random()
    True
    """

    rng: np.random.Generator
    noise: torch.Generator

    @classmethod
    def begin(cls, seed: int | Sequence[int], device: torch.device) -> Streams:
        """Begin both streams from one seed.

        Parameters
        ----------
        seed : int or sequence of int, each >= 0
        device : torch.device
            Device of the torch stream.

        Returns
        -------
        Streams
        """
        rng = np.random.default_rng(seed)
        return cls(rng, begin_stream(rng, device))


_weights = Lock()
"""Held by the thread that builds networks, for all threads share torch's global generator."""


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Seed the initial weights of all networks that are built within the block.

    The state of torch's global generator returns after the block. Other threads wait with networks
    of their own, so that weights do not depend on what else is fitted at the same time.

    Parameters
    ----------
    seed : int
    """
    import torch

    with _weights.held(), torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would also seed the GPUs' generators, and `fork_rng` without devices
        # does not restore those.
        torch.default_generator.manual_seed(seed)
        yield
