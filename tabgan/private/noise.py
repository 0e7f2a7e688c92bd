"""Exact noise from the operating system's generator: discrete Gaussians and random choices.

Noise in floating point has gaps that tell what it was added to (Mironov, 2012, "On Significance of
the Least Significant Bits for Differential Privacy"). All noise here is integers, and its
distribution is exact: a comparison of a uniform number with a probability is decided from the first
64 bits of the number only where rounding cannot change the answer. Elsewhere, about once in 10**12
comparisons, exact arithmetic on further bits decides.
"""

from __future__ import annotations

import decimal
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tabgan.notices import warn

MAX_SIGMA = 2.0**48
"""Largest standard deviation, for which integers of 64 bits hold all noise."""

_SEEDS: list[int] = []
"""The seed of each `reproducible_noise` that is entered; the last one holds."""


@contextmanager
def reproducible_noise(seed: int) -> Iterator[None]:
    """Make the noise of every `fit` within the block follow from a seed. For tests alone.

    Who knows the seed can subtract the noise, so that nothing is private that is fitted within the
    block.

    Parameters
    ----------
    seed : int >= 0
        Each `Noise` begins anew from the seed.

    Warns
    -----
    UserWarning
        Always, for no promise holds within the block.

    Examples
    --------
    >>> import warnings
    >>> from tabgan.private.noise import Noise, reproducible_noise
    >>> with warnings.catch_warnings(), reproducible_noise(0):
    ...     pass
    """
    warn(
        "the noise follows from a seed: what is fitted now is not differentially private for "
        "anybody who knows the seed. Use reproducible_noise in tests alone."
    )
    _SEEDS.append(seed)
    try:
        yield
    finally:
        _SEEDS.pop()


class Noise:
    """A stream of random integers, from the operating system unless `reproducible_noise` is on.

    Examples
    --------
    >>> from tabgan.private.noise import Noise
    >>> noise = Noise().gaussian(4.0, 1000)
    >>> noise.dtype.name, bool(abs(noise.mean()) < 1)
    ('int64', True)
    """

    def __init__(self) -> None:
        self._read: Callable[[int], bytes] = secrets.token_bytes
        if _SEEDS:
            self._read = np.random.default_rng([_SEEDS[-1], 0x5EED]).bytes

    def bits(self, n: int) -> NDArray[np.uint64]:
        """Return n uniform integers of 64 bits, shape (n,)."""
        return np.frombuffer(self._read(8 * n), dtype=np.uint64)

    def below(self, end: int, n: int) -> NDArray[np.int64]:
        """Return n uniform integers in [0, end), by rejection of those beyond.

        Parameters
        ----------
        end : int in [1, 2**62]
        n : int

        Returns
        -------
        ndarray of shape (n,), int64
        """
        mask = np.uint64(2 ** (end - 1).bit_length() - 1)
        drawn = np.empty(n, dtype=np.int64)
        todo = np.arange(n)
        while len(todo):
            drawn[todo] = (self.bits(len(todo)) & mask).astype(np.int64)
            todo = todo[drawn[todo] >= end]
        return drawn

    def happens(
        self,
        gamma: NDArray[np.float64],
        slack: NDArray[np.float64] | float,
        exact: Callable[[int], Fraction],
    ) -> NDArray[np.bool_]:
        """Decide events of probability ``exp(-gamma)``, each by a uniform number of its own.

        Parameters
        ----------
        gamma : ndarray of shape (n,), >= 0
            The exponents, up to a rounding error.
        slack : ndarray of shape (n,) or float
            Bound on the rounding error of each exponent.
        exact : callable, int -> Fraction
            Returns the exact exponent of one event.

        Returns
        -------
        ndarray of shape (n,), bool
        """
        first = self.bits(len(gamma))
        uniform = first.astype(np.float64) * 2.0**-64
        chance = np.exp(-gamma)
        # Rounding of the exponential and of the uniform number, and its bits to come.
        margin = chance * (1e-12 + 2 * slack) + uniform * 1e-15 + 2.0**-63
        happened = uniform < chance
        for i in np.flatnonzero(np.abs(uniform - chance) <= margin):
            happened[i] = self._is_below(int(first[i]), exact(int(i)))
        return happened

    def _is_below(self, known: int, gamma: Fraction) -> bool:
        """Whether a uniform number, of which the first 64 bits are known, is below exp(-gamma)."""
        n_bits = 64
        while True:
            with decimal.localcontext(prec=n_bits // 3 + 20) as context:
                context.Emin, context.Emax = decimal.MIN_EMIN, decimal.MAX_EMAX
                exponent = decimal.Decimal(gamma.numerator) / decimal.Decimal(gamma.denominator)
                scaled = (-exponent).exp() * 2**n_bits
                error = scaled * decimal.Decimal(10) ** (10 - n_bits // 3)
                if known + 1 <= scaled - error:
                    return True
                if known >= scaled + error:
                    return False
            known = (known << 64) | int(self.bits(1)[0])
            n_bits += 64

    def laplace(self, scale: int, n: int) -> NDArray[np.int64]:
        """Draw from the discrete Laplace distribution, ``P(x) ~ exp(-|x| / scale)`` [1]_.

        Parameters
        ----------
        scale : int >= 1
        n : int

        Returns
        -------
        ndarray of shape (n,), int64

        References
        ----------
        .. [1] Canonne, Kamath and Steinke (2020), arXiv 2004.00010, Algorithm 2.
        """
        drawn = np.empty(n, dtype=np.int64)
        todo = np.arange(n)
        while len(todo):
            part = self.below(scale, len(todo))

            def exact(i: int, part: NDArray[np.int64] = part) -> Fraction:
                return Fraction(int(part[i]), scale)

            kept = self.happens(part / scale, 1e-15, exact)
            whole = self._geometric(len(todo))
            size = part + scale * whole
            is_negative = (self.bits(len(todo)) & np.uint64(1)).astype(bool)
            # Zero would come out with either sign, twice as often as it should.
            kept &= ~(is_negative & (size == 0))
            drawn[todo[kept]] = np.where(is_negative, -size, size)[kept]
            todo = todo[~kept]
        return drawn

    def _geometric(self, n: int) -> NDArray[np.int64]:
        """Count events of probability 1 / e until one fails, shape (n,)."""
        counts = np.zeros(n, dtype=np.int64)
        going = np.arange(n)
        while len(going):
            going = going[self.happens(np.ones(len(going)), 0.0, lambda _: Fraction(1))]
            counts[going] += 1
        return counts

    def gaussian(self, sigma: float, n: int) -> NDArray[np.int64]:
        """Draw from the discrete Gaussian, ``P(x) ~ exp(-x ** 2 / (2 sigma ** 2))`` [1]_.

        Parameters
        ----------
        sigma : float > 0
        n : int

        Returns
        -------
        ndarray of shape (n,), int64

        Raises
        ------
        ValueError
            Sigma is beyond `MAX_SIGMA`.

        References
        ----------
        .. [1] Canonne, Kamath and Steinke (2020), arXiv 2004.00010, Algorithm 3.
        """
        if not 0 < sigma <= MAX_SIGMA:
            raise ValueError(
                f"noise of standard deviation {sigma:g} is asked for, and at most {MAX_SIGMA:g} "
                "can be made; raise epsilon."
            )
        # The variance is the exact square of the float that stands for sigma.
        variance = Fraction(sigma) ** 2
        scale = int(sigma) + 1
        shift = float(variance / scale)
        drawn = np.empty(n, dtype=np.int64)
        todo = np.arange(n)
        while len(todo):
            some = self.laplace(scale, len(todo))
            size = np.abs(some).astype(np.float64)
            gamma = (size - shift) ** 2 / (2 * sigma**2)
            slack = 1e-15 * (4 + 4 * (size + shift) ** 2 / sigma**2)

            def exact(i: int, some: NDArray[np.int64] = some) -> Fraction:
                return (abs(int(some[i])) - variance / scale) ** 2 / (2 * variance)

            kept = self.happens(gamma, slack, exact)
            drawn[todo[kept]] = some[kept]
            todo = todo[~kept]
        return drawn

    def choose(self, scores: NDArray[np.float64], scale: float) -> int:
        """Draw a position with ``P(i) ~ exp(scale * scores[i])``, the exponential mechanism [1]_.

        Positions are proposed at random and accepted by how far their scores lie below the best.

        Parameters
        ----------
        scores : ndarray of shape (m,), m >= 1
            Finite numbers.
        scale : float > 0
            ``epsilon / (2 * sensitivity)``.

        Returns
        -------
        int

        References
        ----------
        .. [1] McSherry and Talwar (2007), "Mechanism Design via Differential Privacy".
        """
        below = scores.max() - scores
        gamma = scale * below
        while True:
            tried = self.below(len(scores), 4 * len(scores))

            def exact(i: int, tried: NDArray[np.int64] = tried) -> Fraction:
                return Fraction(float(gamma[tried[i]]))

            kept = self.happens(gamma[tried], 0.0, exact)
            if kept.any():
                return int(tried[np.argmax(kept)])
