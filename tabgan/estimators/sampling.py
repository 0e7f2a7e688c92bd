"""Sampling of tables: in memory, in parts, and into files."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from tabgan.checks import FLAG, NONE, ParameterError, check, choice, integer, number
from tabgan.estimators.reading import check_n_samples, read_conditions
from tabgan.generation.on_demand import TableSource
from tabgan.generation.rejection import Effort
from tabgan.generation.side_by_side import side_by_side
from tabgan.notices import Progress
from tabgan.randomness import Streams, draw_seed
from tabgan.table.columns import IdentifierColumn
from tabgan.table.row_files import RowFile, check_row_file
from tabgan.table.schema import Schema

BAR_DELAY = 10.0
"""Seconds of rejection after which a progress bar appears, if `verbose` is 0."""

PART_ROWS = 131_072
"""Rows of a part that `sample` writes to a file, and by default of one that `iter_sample` yields.

Parts have streams of their own, so that other parts would be other rows.
"""


@dataclass(frozen=True)
class Order:
    """What one call asks for.

    Attributes
    ----------
    n : int
        Number of rows.
    asked : DataFrame of 1 or n rows, or None
        Conditions: one for all rows, or one for each.
    rates : mapping or None
        Rates of values.
    effort : Effort
    """

    n: int
    asked: pd.DataFrame | None
    rates: Any
    effort: Effort

    def draw(self, rows: TableSource, start: int, stop: int, streams: Streams) -> pd.DataFrame:
        """Draw rows `start` to `stop`.

        Parameters
        ----------
        rows : TableSource
        start, stop : int
        streams : Streams

        Returns
        -------
        DataFrame of ``stop - start`` rows, or fewer
        """
        asked, n = self.asked, stop - start
        if asked is not None:
            places = np.zeros(n, dtype=np.int64) if len(asked) == 1 else np.arange(start, stop)
            asked = asked.iloc[places].reset_index(drop=True)
        if self.rates is not None:
            asked = rows.at_rates(self.rates, n, asked, streams, self.effort)
        if asked is None:
            return rows.draw(n, streams)
        return rows.draw_asked(asked, streams, self.effort)


class RowSampling:
    """Mixin of fitted synthesizers that draw rows of a table."""

    schema_: Schema
    verbose: int
    _core: Any
    _format: Any
    _rules: Any
    _seed: int
    _n_draws: int
    _target_name: Hashable | None

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        rates: Mapping[Hashable, Mapping[Any, float]] | None = None,
        on_shortfall: Literal["raise", "partial"] = "raise",
        time_limit: float | None = None,
        into: Any = None,
        resume: bool = False,
    ) -> Any:
        """Draw synthetic rows.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model draws the same rows in each call. None
            continues the random stream that the estimator's own `random_state` began, so that each
            call draws other rows.
        conditions : dict, Series, table or array-like, default=None
            What columns of the synthetic rows must be. A dict, or a Series indexed by column, holds
            for all rows. A table with m rows gives m synthetic rows in the same order. An array of
            labels stands for conditions on ``y``. A condition is

            - a value, or a missing value;
            - a ``pandas.Interval`` for numbers, dates and durations, whose ends may be infinite;
            - a set or a list: one of its members, which may be of all kinds above;
            - ``tabgan.PRESENT``: any value that is not missing;
            - ``tabgan.ANY``: nothing. With it, the rows of a table may name different columns.

            `AutoregressiveSynthesizer` draws from its distribution given any conditions. In other
            classes, a condition on a column that the generator was not trained to be given is met
            by rejection: rows are drawn until enough of them meet the condition. A number that has
            no mass of its own then counts as met if it lies within 2 % of the training rows of the
            condition, and is set to the condition.
        rates : dict of column label to dict of condition to float, default=None
            Shares of the rows in which columns meet conditions, such as
            ``{"income": {">50K": 0.5}}``. Values that are not named share the rest at the model's
            rates. The other columns follow.
        on_shortfall : {"raise", "partial"}, default="raise"
            What happens if rejection finds too few rows. "raise" raises an error. "partial" warns,
            and returns the rows that were found; their index holds the positions of the
            conditions that they meet.
        time_limit : float > 0 or None, default=None
            Seconds after which rejection ends. None sets no limit besides the number of rows drawn.
        into : str, Path or None, default=None
            A file to write the rows to, in parts, so that memory holds one part of 131,072 rows
            only. Its name ends in .parquet, .csv or .csv.gz. Rates hold in each part. The rows are
            other ones than those that come back without `into`.
        resume : bool, default=False
            Whether to go on with a file that an earlier call with the same arguments left
            unfinished. The rows are those that the earlier call would have written. Without
            unfinished parts, the file is begun.

        Returns
        -------
        table of shape (n_samples, d)
            The kind of table that `fit` got, with the same columns, order and dtypes, and a fresh
            index. With `into`, the path of the file.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_samples` is below one; if a condition names no column, holds an unknown category
            or a number out of range, or is met by too few rows; or if rates and conditions name one
            column, or rates of a column add up to more than 1; or if `into` cannot be written in
            parts, or `resume` finds parts of other rows.

        Warns
        -----
        UserWarning
            If rejection finds too few rows, with ``on_shortfall="partial"``.
        """
        order = self._order(n_samples, conditions, rates, on_shortfall, time_limit)
        if into is not None:
            return self._write(order, random_state, into, resume)
        streams = self._streams(random_state)  # type: ignore[attr-defined]
        return self._format.restore(order.draw(self._core.rows, 0, order.n, streams))

    def iter_sample(
        self,
        n_samples: int,
        random_state: int | np.random.RandomState | None = None,
        *,
        chunk: int = PART_ROWS,
        conditions: Any = None,
        rates: Mapping[Hashable, Mapping[Any, float]] | None = None,
        on_shortfall: Literal["raise", "partial"] = "raise",
        time_limit: float | None = None,
    ) -> Iterator[Any]:
        """Draw synthetic rows a part at a time, so that memory holds one part only.

        Each part has a random stream of its own. The same seed and the same `chunk` give the same
        rows, and other rows than one call of `sample`.

        Parameters
        ----------
        n_samples : int >= 1
            Number of rows of all parts.
        random_state : int, RandomState or None, default=None
            As for `sample`.
        chunk : int >= 1, default=131072
            Rows of a part; the last part may have fewer.
        conditions : dict, Series, table or array-like, default=None
            As for `sample`.
        rates : dict of column label to dict of condition to float, default=None
            As for `sample`; they hold in each part.
        on_shortfall : {"raise", "partial"}, default="raise"
            As for `sample`.
        time_limit : float > 0 or None, default=None
            As for `sample`, for each part.

        Returns
        -------
        iterator of tables
            Each as `sample` returns it. Identifiers differ over all parts.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            For the reasons that `sample` gives, or if a constraint compares rows with each other,
            as keys do.

        Examples
        --------
        >>> from tabgan import AutoregressiveSynthesizer
        >>> from tabgan.datasets import make_mixed_table
        >>> table = make_mixed_table(200, random_state=0)
        >>> model = AutoregressiveSynthesizer(n_steps=5, random_state=0).fit(table)
        >>> [len(part) for part in model.iter_sample(10, chunk=4)]
        [4, 4, 2]
        """
        check("chunk", chunk, integer(1))
        order = self._order(n_samples, conditions, rates, on_shortfall, time_limit)
        self._check_parts()
        key = self._key(random_state)
        n_parts = -(-order.n // int(chunk))
        return (self._part(order, key, k, int(chunk)) for k in range(n_parts))

    # ------------------------------------------------------------------ parts

    def _order(
        self,
        n_samples: Any,
        conditions: Any,
        rates: Any,
        on_shortfall: Any,
        time_limit: Any,
    ) -> Order:
        """Check what is asked for."""
        check_is_fitted(self)
        check_n_samples(n_samples)
        check("on_shortfall", on_shortfall, choice("raise", "partial"))
        check("time_limit", time_limit, number(0, closed="neither") | NONE)
        n, asked = int(n_samples), None
        if conditions is not None:
            asked = read_conditions(conditions, 1, self.schema_, self._target_name)
            # Conditions for all rows have one row whatever the number of rows is.
            n_read = min(n, 2) if len(asked) == 1 else n
            asked = read_conditions(conditions, n_read, self.schema_, self._target_name).iloc[
                : len(asked)
            ]
            n = n if len(asked) == 1 else len(asked)
        delay = 0.0 if self.verbose else BAR_DELAY
        effort = Effort(on_shortfall, time_limit, type(self).__name__, delay)
        return Order(n, asked, rates, effort)

    def _check_parts(self) -> None:
        """Refuse to draw parts one by one where rules compare all rows with each other."""
        if self._rules is not None and self._rules.has_keys:
            raise ParameterError(
                "rows with keys cannot be drawn in parts, for a key must differ in all rows; draw "
                "them at once with sample(n_samples), and write them from there."
            )

    def _key(self, random_state: Any) -> list[int]:
        """Return the seed from which the seeds of all parts follow."""
        if random_state is None:
            self._n_draws += 1
            return [self._seed, self._n_draws]
        return [draw_seed(random_state)]

    def _part(self, order: Order, key: Sequence[int], k: int, size: int) -> Any:
        """Draw part k, whose identifiers follow those of the parts before."""
        start, stop = k * size, min(order.n, (k + 1) * size)
        streams = Streams.begin([*key, 0, k], self._core.device)
        frame = order.draw(self._core.rows, start, stop, streams)
        for column in self.schema_.columns:
            if isinstance(column, IdentifierColumn):
                missing = frame[column.name].isna().to_numpy()
                values = column.after(start).series(missing)
                frame[column.name] = values.set_axis(frame.index)
        if len(frame) < stop - start:
            frame.index = frame.index + start
        return self._format.restore(frame)

    def _write(self, order: Order, random_state: Any, into: Any, resume: Any) -> Path:
        """Write rows to a file in parts."""
        check("resume", resume, FLAG)
        path = check_row_file(into)
        self._check_parts()
        file = RowFile(path)
        known = file.known() if resume else None
        key = known["seed"] if known and random_state is None else self._key(random_state)
        file.begin(
            {
                "n_samples": order.n,
                "conditions": _digest(order.asked),
                "rates": _digest(order.rates),
                "seed": key,
                "part": PART_ROWS,
                "model": self._fingerprint(),
            },
            bool(resume),
        )
        quiet = replace(order, effort=replace(order.effort, name=None))
        name = type(self).__name__ if self.verbose else None
        lacking = [k for k in range(-(-order.n // PART_ROWS)) if not file.has(k)]
        is_cpu = self._core.device.type == "cpu"
        n_threads = torch.get_num_threads() if is_cpu else 1

        def size(k: int) -> int:
            return min(PART_ROWS, order.n - k * PART_ROWS)

        def write(k: int) -> None:
            file.write(k, self._part(quiet, key, k, PART_ROWS))

        with Progress(name, order.n, "row") as bar:
            n_done = order.n - sum(map(size, lacking))
            for k in side_by_side(write, lacking, n_threads):
                n_done += size(k)
                bar.reach(n_done)
        file.finish()
        return path

    def _fingerprint(self) -> str:
        """Return a digest of the learnt tensors, which tells models apart."""
        digest = hashlib.sha256()
        for name, module in sorted(self._core.modules().items()):
            for tensor in module.state_dict().values():
                digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
        return digest.hexdigest()


def _digest(asked: Any) -> str:
    """Return a digest of conditions or rates, equal in each run of Python."""
    return hashlib.sha256(_written(asked).encode()).hexdigest()


def _written(value: Any) -> str:
    """Write a value out, sets in an order of their own."""
    if isinstance(value, pd.DataFrame):
        return _written({name: value[name].tolist() for name in value})
    if isinstance(value, Mapping):
        return repr([(repr(name), _written(each)) for name, each in value.items()])
    if isinstance(value, set | frozenset):
        return repr(sorted(_written(each) for each in value))
    if isinstance(value, list | tuple):
        return repr([_written(each) for each in value])
    return repr(value)
