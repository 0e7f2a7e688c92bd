"""Sequences of states from a known Markov chain, whose likelihood is known exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch, check_random_state

from tabgan.checks import check, integer, number, short

_BREACH_RATE = 0.01
"""Share of even probabilities in the chain, which leaves no sequence impossible."""


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
    r"""Draw sequences of states from a random Markov chain.

    The probability of state :math:`x_t` depends on the last ``order`` states alone, by a table
    :math:`P(x_t \mid x_{t - order}, ..., x_{t - 1})`. Each row of the table is drawn once from a
    Dirichlet distribution of parameter ``concentration``, and then mixed with 1 % of even
    probabilities, so that no sequence is impossible. At the start of a sequence, an extra state
    "none" stands for the states that do not exist yet. With a small ``concentration`` a chain is
    like a grammar: most states can hardly follow each other.

    Parameters
    ----------
    n_samples : int, default=1000
        The number of sequences.
    n_steps : int, default=20
        The number of states of a sequence.
    states : sequence of str, default=("a", "b", "c", "d", "e", "f")
        Names of the states, at least two.
    order : int >= 1, default=2
        Number of past states that the next state depends on.
    concentration : float > 0, default=0.3
        Parameter of the Dirichlet distribution.
    lengths : pair of int, default=None
        Least and greatest length of a sequence, between which lengths are drawn evenly. If given,
        `n_steps` is not used.
    as_frame : bool, default=False
        Whether to return the sequences as a long table too.
    chain_state : int, default=0
        Seed of the chain: the same integer gives the same probabilities.
    random_state : int, RandomState instance or None, default=None
        Seed of the sequences: the same integer gives the same sequences of a chain.

    Returns
    -------
    sequences : :class:`~sklearn.utils.Bunch`
        data : ndarray of shape (n_samples, n_steps)
            States as indices into ``state_names``; -1 beyond the end of a sequence.
        lengths : ndarray of shape (n_samples,)
            Number of states of each sequence.
        state_names : list of str
            ``states``.
        transitions : ndarray of shape (k + 1,) * order + (k,)
            The probabilities of the next state given the last ones, for k states; on all axes but
            the last, index k means "none".
        log_likelihood : callable, array-like of shape (n, T) -> ndarray of shape (n,)
            Returns the exact log-probability of sequences in nats, given their lengths. Sequences
            are indices, -1 beyond the end.
        frame : DataFrame or None
            Only with ``as_frame=True``: the columns ``entity``, ``time`` and ``state`` (a
            category), sorted by entity and time.

    Raises
    ------
    ValueError
        An argument is outside the values given above.

    Examples
    --------
    >>> from tabgan.datasets import make_markov_sequences
    >>> chain = make_markov_sequences(3, n_steps=8, random_state=0)
    >>> chain.data.shape
    (3, 8)
    >>> chain.log_likelihood(chain.data).shape
    (3,)
    """
    for name, value in (("n_samples", n_samples), ("n_steps", n_steps), ("order", order)):
        check(name, value, integer(1))
    names = list(states)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"states must be at least two different names, got {short(states)}.")
    check("concentration", concentration, number(0.0, closed="neither"))
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
    """Return the function that computes the exact log-probability of sequences."""
    order, k = transitions.ndim - 1, transitions.shape[-1]
    # Index k of the last axis stands for what lies beyond the end, which has probability one.
    log_rates = np.log(
        np.concatenate([transitions, np.ones((*transitions.shape[:-1], 1))], axis=-1)
    )

    def log_likelihood(sequences: ArrayLike) -> NDArray[np.float64]:
        """Return the log-probability of sequences of shape (n, T), in nats, shape (n,)."""
        data = np.asarray(sequences)
        padded = np.pad(np.where(data < 0, k, data), ((0, 0), (order, 0)), constant_values=k)
        windows = np.lib.stride_tricks.sliding_window_view(padded, order + 1, axis=1)
        return log_rates[tuple(np.moveaxis(windows, -1, 0))].sum(axis=1)

    return log_likelihood


def _long_table(data: NDArray[np.int64], names: list[str]) -> pd.DataFrame:
    """Turn sequences into a long table with one row for each state."""
    entity, time = np.nonzero(data >= 0)
    states = pd.Categorical.from_codes(data[entity, time], categories=names)
    return pd.DataFrame({"entity": entity, "time": time, "state": states})
