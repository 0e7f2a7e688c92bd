"""Categorical sequences from a known chain, whose likelihood is known exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state

from tabgan.datasets.checks import check_positive_integer

_BREACH_RATE = 0.01


def make_markov_sequences(
    n_samples: int = 1000,
    n_steps: int = 20,
    *,
    states: Sequence[str] = ("a", "b", "c", "d", "e", "f"),
    order: int = 2,
    concentration: float = 0.3,
    lengths: tuple[int, int] | None = None,
    as_frame: bool = False,
    chain_state: int = 0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    r"""Make sequences of states, each drawn by what the states before it were.

    State :math:`x_t` follows the last ``order`` states with the probabilities of a table
    :math:`P(x_t \mid x_{t - order}, ..., x_{t - 1})`, whose rows are drawn once from a Dirichlet
    distribution of parameter ``concentration`` and mixed with 1 % of even ones, so that no
    sequence is impossible; where fewer states came before, an extra state that means "none" stands
    for those that lack. The smaller ``concentration``, the more a chain is like a grammar, of
    which most successions are breaches.

    Parameters
    ----------
    n_samples : int, default=1000
        The number of sequences.
    n_steps : int, default=20
        The number of states of a sequence.
    states : sequence of str, default=("a", "b", "c", "d", "e", "f")
        The states' names.
    order : int, default=2
        How many states the next one depends on.
    concentration : float > 0, default=0.3
        Parameter of the Dirichlet distribution.
    lengths : pair of int, default=None
        If given, lengths are even over this range, ends included, and `n_steps` is not looked at.
    as_frame : bool, default=False
        Also give the sequences as a long table.
    chain_state : int, default=0
        The same integer gives the same chain.
    random_state : int, RandomState instance or None, default=None
        The same integer gives the same sequences of a chain.

    Returns
    -------
    sequences : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, n_steps)
            States as indices into ``target_names``; -1 beyond a sequence's end.
        lengths : ndarray of shape (n_samples,)
        state_names : list of str
            ``states``.
        transitions : ndarray of shape (k + 1,) * order + (k,)
            The probabilities, with k states; index k means "none".
        log_likelihood : callable, array-like of shape (n, T) -> ndarray of shape (n,)
            Exact log-probability of sequences, as indices (-1 beyond their end), given their
            lengths and in nats.
        frame : DataFrame or None
            Only with ``as_frame=True``: the columns ``entity``, ``time`` and ``state`` (a
            category), sorted by entity and time.

    Raises
    ------
    ValueError
        If an argument is outside the values given above.

    Examples
    --------
    >>> from tabgan.datasets import make_markov_sequences
    >>> made = make_markov_sequences(3, n_steps=8, random_state=0)
    >>> made.data.shape
    (3, 8)
    >>> made.log_likelihood(made.data).shape
    (3,)
    """
    for name, value in (("n_samples", n_samples), ("n_steps", n_steps), ("order", order)):
        check_positive_integer(name, value)
    names = list(states)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"states must be at least two different names, got {states!r}.")
    if not concentration > 0:
        raise ValueError(f"concentration must be positive, got {concentration!r}.")
    shortest, longest = (n_steps, n_steps) if lengths is None else lengths
    if not 1 <= shortest <= longest:
        raise ValueError(f"lengths must be two integers, 1 <= low <= high, got {lengths!r}.")

    k = len(names)
    chain = np.random.default_rng(chain_state)
    drawn = chain.dirichlet(np.full(k, concentration), size=(k + 1,) * order)
    transitions = (1 - _BREACH_RATE) * drawn + _BREACH_RATE / k
    rng = check_random_state(random_state)
    length = rng.randint(shortest, longest + 1, size=n_samples)
    padded = np.full((n_samples, order + longest), k)
    for step in range(order, order + longest):
        rates = transitions[tuple(padded[:, step - order : step].T)]
        draws = rng.uniform(size=(n_samples, 1))
        padded[:, step] = (draws >= rates.cumsum(axis=1)[:, :-1]).sum(axis=1)
    data = np.where(np.arange(longest) < length[:, None], padded[:, order:], -1)
    return Bunch(
        data=data,
        lengths=length,
        state_names=names,
        transitions=transitions,
        log_likelihood=_log_likelihood(transitions),
        frame=_long_table(data, names) if as_frame else None,
    )


def _log_likelihood(
    transitions: NDArray[np.float64],
) -> Callable[[ArrayLike], NDArray[np.float64]]:
    """Return the function that gives sequences' exact log-probability."""
    order, k = transitions.ndim - 1, transitions.shape[-1]
    # Beyond the end, which is index k of the last axis, any state is certain.
    log_rates = np.log(
        np.concatenate([transitions, np.ones((*transitions.shape[:-1], 1))], axis=-1)
    )

    def log_likelihood(sequences: ArrayLike) -> NDArray[np.float64]:
        """Exact log-probability of sequences of shape (n, T), in nats, shape (n,)."""
        data = np.asarray(sequences)
        padded = np.pad(np.where(data < 0, k, data), ((0, 0), (order, 0)), constant_values=k)
        windows = np.lib.stride_tricks.sliding_window_view(padded, order + 1, axis=1)
        return log_rates[tuple(np.moveaxis(windows, -1, 0))].sum(axis=1)

    return log_likelihood


def _long_table(data: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """Lay the sequences below one another, one row for each state."""
    entity, time = np.nonzero(data >= 0)
    states = pd.Categorical.from_codes(data[entity, time], categories=names)
    return pd.DataFrame({"entity": entity, "time": time, "state": states})
