"""The mixin of estimators that fill the gaps of a table."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from tabgan.checks import FLAG, Rule, check, integer, sequence_of
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.notices import warn
from tabgan.randomness import draw_seed
from tabgan.table.columns import NumericColumn
from tabgan.table.format import TableFormat, read_table
from tabgan.table.gaps import fill_gaps
from tabgan.table.schema import Schema

INDICATOR = "missingindicator_"
"""Prefix of the names of the columns that `add_indicator` appends, as in scikit-learn."""

GAPS = sequence_of(integer(0), "a list of positions of columns")
"""Positions of the columns that had gaps in `fit`, as a file holds them."""


class Imputing(TransformerMixin):
    """Mixin of estimators that fill the gaps of a table by draws, and leave other values alone.

    A class defines how values are drawn in `_draw_values`. Its `fit` calls `_remember_gaps`, and it
    has `schema_` and the attributes `_format`, `_seed` and `_n_draws`.

    Parameters
    ----------
    add_indicator : bool, default=False
        Whether `transform` and `sample` append a column for each column that had gaps in `fit`. The
        appended column says which values were missing.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {"add_indicator": FLAG}
    handle_unknown: str
    schema_: Schema
    n_features_in_: int
    _format: TableFormat
    _seed: int
    _n_draws: int
    _gaps: list[int]

    def __init__(self, *, add_indicator: bool = False, **shared: Any) -> None:
        super().__init__(**shared)
        self.add_indicator = add_indicator

    def _draw_values(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Draw a value for each gap of a table.

        Parameters
        ----------
        frame : DataFrame of shape (n, d)
            Rows with gaps, with the columns of the schema.
        seed : int

        Returns
        -------
        DataFrame of shape (n, d)
            With the columns, in their order, and the dtypes of the schema. What it holds beside the
            gaps does not matter.
        """
        raise NotImplementedError

    def _remember_gaps(self, frame: pd.DataFrame) -> None:
        """Remember which columns have gaps in `fit`, and warn of those that hold nothing else."""
        is_missing = frame.isna().to_numpy()
        self._gaps = np.flatnonzero(is_missing.any(axis=0)).tolist()
        empty = [frame.columns[i] for i in np.flatnonzero(is_missing.all(axis=0))]
        if empty:
            warn(
                f"no value is known of the columns {empty}, so that their gaps stay; drop the "
                "columns, or fit on rows that hold values of them."
            )

    def transform(self, X: Any) -> Any:
        """Fill the gaps of a table once.

        Known values come back as they are. The values of gaps are drawn from their distribution
        given the known values of the row, so that columns keep their spread and their dependence.
        After a fit, the same rows give the same values in each call. For estimates with their
        uncertainty, draw several completed tables with `sample` and combine them with
        `tabgan.imputation.pool`.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got. Gaps may be where `fit` had none, and a row may
            hold nothing but gaps. A category that `fit` did not see comes back as it is, and counts
            as unknown when gaps of its row are filled; see `handle_unknown`. A number outside the
            range that `fit` saw comes back as it is too, and counts as the nearest end of that
            range.

        Returns
        -------
        table of shape (n, d) or (n, d + number of indicators)
            The kind of table that X is, with its index and dtypes. A gap stays in a column of which
            `fit` saw no value.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got, if a number is
            infinite, or if there are unknown categories and `handle_unknown` is "error".

        Warns
        -----
        UserWarning
            If there are unknown categories and `handle_unknown` is "warn".
        """
        check_is_fitted(self)
        return self._completed(X, _seeds([self._seed, 0], 1))[0]

    def sample(
        self,
        X: Any,
        n_draws: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ) -> list[Any]:
        """Fill the gaps of a table several times, each time with new draws (multiple imputation).

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            As in `transform`.
        n_draws : int >= 1, default=10
            Number of completed tables.
        random_state : int, RandomState or None, default=None
            Seed of the draws. With an int, a fitted estimator gives the same tables in each call.
            None continues the random stream that the estimator's own `random_state` began, so that
            each call gives other tables.

        Returns
        -------
        list of n_draws tables
            Each as `transform` gives it.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `n_draws` is below one, or for the reasons that `transform` gives.

        Warns
        -----
        UserWarning
            If there are unknown categories and `handle_unknown` is "warn".
        """
        check_is_fitted(self)
        check("n_draws", n_draws, integer(1))
        if random_state is None:
            self._n_draws += 1
            return self._completed(X, _seeds([self._seed, self._n_draws], n_draws))
        return self._completed(X, _seeds([draw_seed(random_state)], n_draws))

    def _completed(self, X: Any, seeds: list[int]) -> list[Any]:
        """Fill the gaps of a table once for each seed."""
        frame = read_known(self, read_fitted(self, X, anew=False), self.schema_)
        form = read_table(X)[1]
        _check_finite(self.schema_, frame)
        is_missing = frame.isna().to_numpy()
        rows = np.flatnonzero(is_missing.any(axis=1))
        tables = []
        for seed in seeds:
            filled = frame
            if len(rows):
                some = frame.iloc[rows].reset_index(drop=True)
                filled = fill_gaps(frame, self._draw_values(some, seed), rows)
            tables.append(self._given_back(filled, is_missing, form, X))
        return tables

    def _given_back(
        self, filled: pd.DataFrame, is_missing: NDArray[np.bool_], form: TableFormat, X: Any
    ) -> Any:
        """Turn a completed DataFrame into a table of the kind of X, with indicators beside it."""
        filled = filled.set_axis(pd.Index(form.labels, tupleize_cols=False), axis=1)
        table = form.restore(filled)
        if isinstance(X, pd.DataFrame):
            table = table.set_axis(X.index).set_axis(X.columns, axis=1)
        if not self.add_indicator:
            return table
        names = [f"{INDICATOR}{form.labels[i]}" for i in self._gaps]
        return form.append(table, pd.DataFrame(is_missing[:, self._gaps], columns=names))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X. None takes those that `fit` saw; columns without names are
            called x0, x1, ...

        Returns
        -------
        ndarray of str, shape (n_features_out,)
            The columns of X, then ``missingindicator_<column>`` for each indicator.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `input_features` are not the columns that `fit` saw.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        if not self.add_indicator:
            return names
        further = [f"{INDICATOR}{names[i]}" for i in self._gaps]
        return np.concatenate([names, np.array(further, dtype=object)])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _seeds(seed: list[int], n: int) -> list[int]:
    """Draw one seed for each completed table."""
    return np.random.default_rng(seed).integers(2**31, size=n).tolist()


def _check_finite(schema: Schema, frame: pd.DataFrame) -> None:
    """Raise a ValueError if a column of numbers holds an infinite one."""
    for i, column in enumerate(schema.columns):
        if isinstance(column, NumericColumn) and np.isinf(column.numbers(frame.iloc[:, i])).any():
            raise ValueError(
                f"X contains infinity in column {column.name!r}; replace infinite values, for "
                "example by missing ones: X.replace([np.inf, -np.inf], np.nan)."
            )
