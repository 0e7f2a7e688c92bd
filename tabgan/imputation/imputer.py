"""Gaps of a table filled by a synthesizer, which draws them given the known values of the row."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tabgan.checks import (
    NONE,
    SEED,
    ParameterError,
    Rule,
    check_parameters,
    choice,
    instance,
    names_unexpected,
)
from tabgan.estimators.files import save
from tabgan.estimators.imputing import GAPS, Imputing
from tabgan.estimators.reading import read_fitted
from tabgan.estimators.tables import TableSynthesizer
from tabgan.pipeline.synthesis import seeded_clone
from tabgan.randomness import draw_seed
from tabgan.registry import register_holder
from tabgan.table.columns import CategoricalColumn, IdentifierColumn
from tabgan.table.conditions import ANY, PRESENT, Wildcard
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


@register_holder
class SynthesizerImputer(Imputing, BaseEstimator):
    """Fill the gaps of a table by draws of a synthesizer, given the known values of each row.

    `fit` lets a synthesizer learn the joint distribution of all columns, from rows with gaps. For
    each row with gaps, `transform` draws the missing values from the distribution that the
    synthesizer gives them, given the values that are known. Columns of any kind are filled, any
    columns may be missing together, and known values come back as they are.

    A draw is not the best guess of a single value: the mean or the most probable category is nearer
    to the truth on average. Draws keep what a best guess loses, the spread of each column and the
    dependence between columns. `sample` gives several completed tables, from whose differences
    `tabgan.imputation.pool` computes how uncertain an estimate is because of the gaps [1]_.

    The draws are right if values are missing completely at random, or if the known values of a row
    explain why others are missing (missing at random). If a value itself decides whether it is
    missing, no method can tell from the table alone.

    Parameters
    ----------
    synthesizer : synthesizer of tables or None, default=None
        An unfitted synthesizer, which is cloned. None takes an `AutoregressiveSynthesizer`, which
        draws given any columns at once. Others draw rows until enough of them agree with the known
        values, and find none if many columns are known. The clone has ``privacy="none"`` in place
        of "standard", for the filled table holds all known values anyway; a `Privacy` is kept.
    missing : {"unknown", "level"}, default="unknown"
        What a gap means in `fit`. "unknown": the value exists and was not recorded; the known
        values of the row still teach, and nothing is learnt of where gaps are. "level": a gap is
        one more value of the column, which other columns may depend on. Gaps are filled with values
        in either case.
    add_indicator : bool, default=False
        Whether `transform` and `sample` append a column for each column that had gaps in `fit`. The
        appended column says which values were missing.
    handle_unknown : {"warn", "ignore", "error"}, default="warn"
        What follows from a category in later rows that `fit` did not see. "warn" counts the
        category as unknown and warns once in each call. "ignore" counts it as unknown without a
        warning. "error" raises a ValueError.
    random_state : int, RandomState or None, default=None
        Seed of the synthesizer and of the draws. With an int, two fits on the same table fill gaps
        alike.

    Attributes
    ----------
    synthesizer_ : synthesizer
        The fitted synthesizer.
    schema_ : Schema
        The kind, the dtype and the distribution of each column.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : ndarray of str
        Labels of the columns that `fit` saw; defined only if all labels are strings.

    References
    ----------
    .. [1] Rubin (1987), "Multiple Imputation for Nonresponse in Surveys", chapter 3.

    Examples
    --------
    >>> from tabgan import AutoregressiveSynthesizer, SynthesizerImputer
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(100, missing=0.1, random_state=0)
    >>> imputer = SynthesizerImputer(AutoregressiveSynthesizer(n_steps=5), random_state=0)
    >>> completed = imputer.fit_transform(table)
    >>> int(table.isna().sum().sum()) > 0, int(completed.isna().sum().sum())
    (True, 0)
    >>> len(imputer.sample(table, n_draws=3))
    3
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        **Imputing._parameter_constraints,
        "synthesizer": NONE | instance(TableSynthesizer, "a synthesizer of tables"),
        "missing": choice("unknown", "level"),
        "handle_unknown": choice("warn", "ignore", "error"),
        "random_state": SEED,
    }
    _holds: ClassVar[tuple[str, str]] = ("synthesizer", "synthesizer_")
    _saved: ClassVar[dict[str, Rule]] = {"_gaps": GAPS, "_asks": choice("unknown", "level")}
    synthesizer_: Any

    @names_unexpected
    def __init__(
        self,
        synthesizer: TableSynthesizer | None = None,
        *,
        missing: Literal["unknown", "level"] = "unknown",
        add_indicator: bool = False,
        handle_unknown: str = "warn",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(add_indicator=add_indicator)
        self.synthesizer = synthesizer
        self.missing = missing
        self.handle_unknown = handle_unknown
        self.random_state = random_state

    @property
    def schema_(self) -> Schema:  # type: ignore[override]
        """The kind, the dtype and the distribution of each column."""
        schema: Schema = self.synthesizer_.schema_
        return schema

    def fit(self, X: Any, y: Any = None) -> Self:
        """Let the synthesizer learn a table with gaps.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d), n >= 1
            A pandas, polars or Arrow table with columns of any kind, or an array. Missing values
            are NaN, None, ``pd.NA``, ``pd.NaT`` or null.
        y : array-like of shape (n,), default=None
            Ignored.

        Returns
        -------
        self
            The fitted imputer.

        Raises
        ------
        ValueError
            If X has no rows, no columns, infinite values or two columns of one name, if a parameter
            is out of range, or if `missing` is "unknown" and the synthesizer has no such parameter.
        TypeError
            If X is not a table.

        Warns
        -----
        UserWarning
            If a column holds nothing but gaps, or looks like an identifier.
        """
        check_parameters(self)
        seed = draw_seed(self.random_state)
        synthesizer = self._choose(seed)
        frame = read_fitted(self, X, anew=True)
        self._remember_gaps(frame)
        self._card: dict[str, Any] = {}
        self.synthesizer_ = synthesizer.fit(frame)
        self._seed, self._n_draws, self._asks = seed, 0, self.missing
        return self

    def _choose(self, seed: int) -> Any:
        """Return an unfitted synthesizer that takes gaps for what `missing` says."""
        synthesizer = seeded_clone(self.synthesizer, seed)
        # What comes out is the table itself. Withheld extremes of its rows would have to be asked
        # for as other numbers, which rules between columns then contradict.
        if synthesizer.privacy == "standard":
            synthesizer.set_params(privacy="none")
        if "missing" in synthesizer.get_params():
            return synthesizer.set_params(missing=self.missing)
        if self.missing == "unknown":
            raise ParameterError(
                f'missing must be "level" for a {type(synthesizer).__name__}, which takes gaps for '
                'values of their own, got "unknown".'
            )
        return synthesizer

    def _draw_values(self, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        asked = conditions_of_gaps(self.schema_, frame, ANY if self._asks == "unknown" else PRESENT)
        if not asked.shape[1]:
            return self.synthesizer_.sample(len(frame), random_state=seed)
        return self.synthesizer_.sample(conditions=asked, random_state=seed)

    def save(self, path: str | os.PathLike[str], card: Mapping[str, Any] | None = None) -> None:
        """Write the fitted imputer to one file, which `tabgan.load` reads.

        The file holds what the file of a synthesizer holds: no training rows and no code.

        Parameters
        ----------
        path : str or Path
            The file to write. An existing regular file is replaced once the new one is whole, and
            keeps its permissions. Of a symbolic link, what the link points to is replaced.
        card : mapping of str to object or None, default=None
            What else the file shall say about the model, such as ``{"licence": "CC BY 4.0",
            "source": "census of 1994", "evaluation": report}``: texts, numbers, lists and dicts of
            these, and reports of `tabgan.evaluate`, of which the figures are kept. The file says of
            itself the versions of the packages, the parameters, the seed and how many rows were
            learnt. `tabgan.read_card` and ``tabgan info`` show the card. A model that is loaded and
            saved again keeps its card until it is trained further.

        Raises
        ------
        NotFittedError
            If the imputer was not fitted.
        OSError
            If the file cannot be written, or is no regular file.
        TypeError
            If `path` is no path, if `card` holds something else than described, if a column label
            or a category has no JSON form, or if the synthesizer's class is not one of tabgan's
            own.

        Warns
        -----
        UserWarning
            If `random_state` holds an object, which is saved as None.
        """
        check_is_fitted(self)
        save(self, path, card)


def conditions_of_gaps(schema: Schema, frame: pd.DataFrame, gap: Wildcard) -> pd.DataFrame:
    """Turn rows with gaps into conditions that ask for their known values.

    Parameters
    ----------
    schema : Schema
    frame : DataFrame of shape (n, d)
        With the columns of the schema.
    gap : {ANY, PRESENT}
        What is asked for where a value is missing.

    Returns
    -------
    DataFrame of shape (n, k), dtype object
        Identifiers and columns without any value are left out, because nothing is learnt of them. A
        number out of range is replaced by the nearest end of the range. A category that the schema
        does not know asks for what a gap asks for.
    """
    columns = {}
    for i, column in enumerate(schema.columns):
        if isinstance(column, IdentifierColumn) or column.missing_rate == 1:
            continue
        values = frame.iloc[:, i]
        if isinstance(column, CategoricalColumn):
            codes = column.codes(values)
            is_known = codes >= 0
            known = column.series(codes[is_known])
        else:
            numbers = column.numbers(values)
            is_known = ~np.isnan(numbers)
            known = column.series(numbers[is_known])
        asked = np.full(len(frame), gap, dtype=object)
        asked[is_known] = known.astype(object).to_numpy()
        columns[i] = asked
    asked = pd.DataFrame(columns, index=range(len(frame)), dtype=object)
    labels = [schema.columns[i].name for i in columns]
    return asked.set_axis(pd.Index(labels, dtype=object, tupleize_cols=False), axis=1)
