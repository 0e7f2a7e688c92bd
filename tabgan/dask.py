"""Synthetic tables on a cluster: rows drawn as a dask DataFrame, and dask DataFrames compared.

The module needs the packages dask and distributed: ``pip install 'sklearn-tabgan[dask]'``.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import SEED, ParameterError, check, integer, listed, short
from tabgan.evaluation.marginals import Marginal
from tabgan.evaluation.report import FidelityReport
from tabgan.evaluation.report import evaluate as evaluate_rows
from tabgan.randomness import draw_seed
from tabgan.table.foreign import optional

__all__ = ["evaluate", "sample"]

_DRAWING = Lock()
"""Held while a partition is drawn: settings of torch for the time of a draw hold for a process."""


def sample(
    model: Any,
    n_samples: int,
    *,
    partition_size: int = 100_000,
    random_state: int | np.random.RandomState | None = None,
    **settings: Any,
) -> Any:
    """Draw synthetic rows as a lazy dask DataFrame.

    Nothing is drawn before the DataFrame is computed or written. Each partition has a random stream
    of its own and is drawn with one thread. The rows therefore depend on `random_state` and on
    `partition_size`, and neither on the number of workers, nor on which worker draws a partition,
    nor on how often: a partition that is lost with its worker is drawn again, with the same rows.

    A process draws one partition at a time. A cluster of processes with one thread each, such as
    ``LocalCluster(threads_per_worker=1)``, keeps all cores busy.

    Parameters
    ----------
    model : fitted synthesizer of tables
        Fitted on a pandas or dask DataFrame. It must be of a class that workers can import.
    n_samples : int >= 1
        Number of rows.
    partition_size : int >= 1, default=100000
        Rows of a partition; the last one may have fewer.
    random_state : int, RandomState or None, default=None
        Seed of the rows. With None each call draws other rows, and all computations of one call
        draw the same.
    **settings
        Further parameters of ``model.sample``, such as `rates`, and `conditions` as a dict. They
        hold in each partition.

    Returns
    -------
    dask.dataframe.DataFrame
        With the columns and dtypes of ``model.sample``, and an index from 0 on.

    Raises
    ------
    ImportError
        If dask is not installed.
    NotFittedError
        If the model was not fitted.
    TypeError
        If the model has no method `sample` of that kind, or gives no pandas DataFrame.
    ValueError
        If an argument is out of its range, or if `conditions` are one for each row.

    Examples
    --------
    >>> import tabgan
    >>> from tabgan.datasets import make_mixed_table
    >>> from tabgan.dask import sample
    >>> table = make_mixed_table(100, random_state=0)
    >>> model = tabgan.AutoregressiveSynthesizer(n_steps=5, random_state=0).fit(table)
    >>> rows = sample(model, 50, partition_size=20, random_state=0)
    >>> rows.npartitions, len(rows)
    (3, 50)
    """
    dask, frames = _dask("rows are drawn as a dask DataFrame")
    check("n_samples", n_samples, integer(1))
    check("partition_size", partition_size, integer(1))
    check("random_state", random_state, SEED)
    _check_settings(model, settings)
    seed = draw_seed(random_state)
    head = model.sample(1, random_state=seed, **settings)
    if not isinstance(head, pd.DataFrame):
        raise TypeError(
            f"model gives rows as {type(head).__name__}, and partitions of a dask DataFrame are "
            "pandas DataFrames; fit the model on a pandas DataFrame."
        )
    edges = [*range(0, n_samples, partition_size), n_samples]
    # Workers unpickle the model once each, and the scheduler never does.
    held = dask.delayed(pickle.loads, pure=True)(pickle.dumps(model))
    draw = dask.delayed(_draw, pure=True)
    parts = [
        draw(held, start, end - start, [seed, k], settings)
        for k, (start, end) in enumerate(zip(edges, edges[1:], strict=False))
    ]
    divisions = (*edges[:-1], n_samples - 1)
    # Dask would otherwise turn texts of some dtypes into Arrow's.
    with dask.config.set({"dataframe.convert-string": False}):
        return frames.from_delayed(
            parts, meta=head.iloc[:0], divisions=divisions, verify_meta=False
        )


def evaluate(
    real: Any,
    synthetic: Any,
    *,
    test: Any = None,
    max_rows: int = 100_000,
    random_state: int | np.random.RandomState | None = 0,
    **settings: Any,
) -> FidelityReport:
    """Compare a synthetic with a real table, either of which may be a dask DataFrame.

    Two figures are exact: the number of rows and the shares of missing values, which one pass over
    all rows counts. All other figures are those of random rows, at most `max_rows` of each table,
    which are gathered in this process. A share that is estimated from 100,000 rows has a standard
    error of at most 0.0016. Of the rare rows and categories that random rows lack, the figures say
    nothing.

    Parameters
    ----------
    real, synthetic : dask or pandas DataFrame
        As in `tabgan.evaluate`.
    test : dask or pandas DataFrame, optional
        Real rows that the synthesizer has not seen.
    max_rows : int >= 1, default=100000
        Most random rows of each table. All rows of a shorter table are compared.
    random_state : int, RandomState or None, default=0
        Decides the random rows and the seeds of `tabgan.evaluate`.
    **settings
        Further parameters of `tabgan.evaluate`, such as `target`.

    Returns
    -------
    FidelityReport
        Its `n_rows` are those of the random rows. The shares of missing values in `marginals` and
        `columns` are those of all rows.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        As in `tabgan.evaluate`.

    Examples
    --------
    >>> import dask.dataframe
    >>> from tabgan.datasets import make_mixed_table
    >>> from tabgan.dask import evaluate
    >>> table = make_mixed_table(300, random_state=0)
    >>> parts = dask.dataframe.from_pandas(table, npartitions=3)
    >>> evaluate(parts, parts, max_rows=100).n_rows
    {'real': 100, 'synthetic': 100}
    """
    dask, _ = _dask("dask DataFrames are compared")
    check("max_rows", max_rows, integer(1))
    check("random_state", random_state, SEED)
    seed = draw_seed(random_state)
    given = {"real": real, "synthetic": synthetic, "test": test}
    # Tables that are equal would otherwise be compared by the same rows.
    some = {
        name: _random_rows(dask, table, max_rows, [seed, k])
        for k, (name, table) in enumerate(given.items())
        if table is not None
    }
    report = evaluate_rows(
        some.pop("real"), some.pop("synthetic"), random_state=seed, **some, **settings
    )
    shares = dask.compute(real.isna().mean(), synthetic.isna().mean())
    exact = [_with_missing(marginal, shares) for marginal in report.marginals]
    return replace(report, marginals=exact)


def _dask(why: str) -> tuple[Any, Any]:
    """Import dask and its DataFrames, or say how they are installed."""
    return optional("dask", why), optional("dask.dataframe", why)


def _check_settings(model: Any, settings: Mapping[str, Any]) -> None:
    """Raise an error unless `model.sample` takes the settings for any number of rows."""
    method = getattr(model, "sample", None)
    known = inspect.signature(method).parameters if method is not None else {}
    if "n_samples" not in known or "random_state" not in known:
        raise TypeError(
            f"model is {short(model)}, which does not draw a table of n rows; give a fitted "
            "synthesizer of tables."
        )
    for name in settings:
        if name not in known:
            raise ParameterError(
                f"{name} is no parameter of {type(model).__name__}.sample, which has "
                f"{listed(list(known))}."
            )
    conditions = settings.get("conditions")
    if conditions is not None and not isinstance(conditions, Mapping | pd.Series):
        raise ParameterError(
            f"conditions must be a dict, which holds for all rows, got {short(conditions)}; for "
            "one condition a row, call model.sample for parts of the conditions."
        )


def _draw(
    model: Any, start: int, n_rows: int, seed: Sequence[int], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Draw one partition, in the process that holds it."""
    import torch

    random_state = int(np.random.SeedSequence(seed).generate_state(1)[0])
    with _DRAWING:
        # Sums of floats depend on the number of threads that add them up.
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            rows = model.sample(n_rows, random_state=random_state, **settings)
        finally:
            torch.set_num_threads(n_threads)
    return rows.set_axis(rows.index + start)


def _random_rows(dask: Any, table: Any, max_rows: int, seed: Sequence[int]) -> pd.DataFrame:
    """Gather random rows of a table without replacement; all rows, if there are no more."""
    if isinstance(table, pd.DataFrame):
        rng = np.random.default_rng(seed)
        return table.iloc[np.sort(rng.permutation(len(table))[:max_rows])]
    parts = table.to_delayed()
    sizes = np.array(dask.compute(*[dask.delayed(len)(part) for part in parts]))
    rng = np.random.default_rng(seed)
    # How many of the rows that are picked lie in each partition.
    picked = rng.multivariate_hypergeometric(sizes, min(max_rows, int(sizes.sum())))
    pick = dask.delayed(_pick)
    some = [
        pick(part, int(n), [*seed, k])
        for k, (part, n) in enumerate(zip(parts, picked, strict=True))
        if n
    ]
    gathered = dask.compute(*some)
    return pd.concat(gathered, ignore_index=True) if gathered else table.head(0)


def _pick(part: pd.DataFrame, n: int, seed: Sequence[int]) -> pd.DataFrame:
    """Pick `n` random rows of a partition."""
    return part.iloc[np.sort(np.random.default_rng(seed).permutation(len(part))[:n])]


def _with_missing(marginal: Marginal, shares: Sequence[pd.Series]) -> Marginal:
    """Return a marginal with the shares of missing values in all rows."""
    name: Hashable = marginal.name
    missing = float(shares[0][name]), float(shares[1][name])
    return replace(marginal, missing=missing)
