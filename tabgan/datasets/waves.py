"""Sine waves and sawtooth waves: simple sequences of a known distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state

from tabgan.checks import check, integer, number, short


def _sawtooth(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a wave that rises from -1 to 1 over each turn of 2 pi, and falls back at once."""
    return 2.0 * (angle / (2.0 * np.pi) % 1.0) - 1.0


_SHAPES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sine": np.sin,
    "sawtooth": _sawtooth,
}


def make_waves(
    n_samples: int = 1000,
    n_steps: int = 30,
    *,
    classes: Sequence[str] = ("sine", "sawtooth"),
    noise: float = 0.0,
    as_frame: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Draw waves of random offset, frequency and amplitude, and of a known shape.

    Wave :math:`i` has at step :math:`s` the value

    .. math:: a_i \, w_{y_i}(2 \pi f_i s / n_{steps} + o_i) + noise \cdot \varepsilon_{is}

    with :math:`\varepsilon` standard normal, :math:`w` the sine or a sawtooth that rises from -1
    to 1 over each turn, and the parameters uniform over the ranges of [1]_: offset from -pi to
    pi radians, frequency from 1 to 5 turns over the whole wave, amplitude from 0.1 to 0.9.

    Parameters
    ----------
    n_samples : int, default=1000
        The number of waves. Each class has an equal share of them, in random order.
    n_steps : int, default=30
        The number of values of a wave.
    classes : sequence of {"sine", "sawtooth"}, default=("sine", "sawtooth")
        The shapes of the waves.
    noise : float, default=0.0
        Standard deviation, at least 0, of the Gaussian noise that is added to each value.
    as_frame : bool, default=False
        Whether to return the waves as a long table too.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same waves.

    Returns
    -------
    waves : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, n_steps)
            The values.
        target : ndarray of shape (n_samples,)
            The shape of each wave, as an index into ``target_names``.
        target_names : list of str
            ``classes``.
        offset, frequency, amplitude : ndarray of shape (n_samples,)
            The parameters of each wave.
        frame : DataFrame of shape (n_samples * n_steps, 4) or None
            Only with ``as_frame=True``: the columns ``entity`` (0 to n_samples - 1), ``time``
            (0 to n_steps - 1), ``value`` and ``wave`` (a category), sorted by entity and time.

    Raises
    ------
    ValueError
        An argument is outside the values given above.

    References
    ----------
    .. [1] Esteban, Hyland and Raetsch (2017), "Real-valued (Medical) Time Series Generation with
       Recurrent Conditional GANs", arXiv:1706.02633.

    Examples
    --------
    >>> from tabgan.datasets import make_waves
    >>> waves = make_waves(4, n_steps=10, random_state=0)
    >>> waves.data.shape
    (4, 10)
    >>> [waves.target_names[i] for i in sorted(waves.target)]
    ['sine', 'sine', 'sawtooth', 'sawtooth']
    """
    check("n_samples", n_samples, integer(1))
    check("n_steps", n_steps, integer(1))
    names = list(classes)
    if not names or len(set(names)) < len(names) or not set(names) <= set(_SHAPES):
        raise ValueError(
            f"classes must be different names from {list(_SHAPES)}, got {short(classes)}."
        )
    check("noise", noise, number(0.0))

    rng = check_random_state(random_state)
    target = rng.permutation(np.arange(n_samples) % len(names))
    offset = rng.uniform(-np.pi, np.pi, n_samples)
    frequency = rng.uniform(1.0, 5.0, n_samples)
    amplitude = rng.uniform(0.1, 0.9, n_samples)

    turns = np.outer(frequency, np.arange(n_steps) / n_steps)
    angle = 2.0 * np.pi * turns + offset[:, None]
    shapes = np.stack([_SHAPES[name](angle) for name in names])
    data = amplitude[:, None] * shapes[target, np.arange(n_samples)]
    data += noise * rng.standard_normal(data.shape)

    return Bunch(
        data=data,
        target=target,
        target_names=names,
        offset=offset,
        frequency=frequency,
        amplitude=amplitude,
        frame=_long_table(data, target, names) if as_frame else None,
    )


def _long_table(
    data: NDArray[np.float64], target: NDArray[np.int64], names: list[str]
) -> pd.DataFrame:
    """Turn waves into a long table with one row for each value."""
    n_samples, n_steps = data.shape
    return pd.DataFrame(
        {
            "entity": np.repeat(np.arange(n_samples), n_steps),
            "time": np.tile(np.arange(n_steps), n_samples),
            "value": data.ravel(),
            "wave": pd.Categorical.from_codes(np.repeat(target, n_steps), categories=names),
        }
    )
