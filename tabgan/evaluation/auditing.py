"""An audit of privacy: attacks on training rows, less the same attacks on rows never seen."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tabgan.checks import NONE, SEED, ParameterError, check, having, integer
from tabgan.evaluation.attacks import figures_of, infer, link, single_out
from tabgan.evaluation.columns import Table, align_columns, read_frame
from tabgan.evaluation.members import attack_members
from tabgan.evaluation.shadows import shadow_scores
from tabgan.evaluation.text import Summary
from tabgan.evaluation.verbatim import extremes, rare_strings
from tabgan.randomness import draw_seed, own_stream

FEWEST_ROWS = 40
"""Fewest training and held-out rows of an audit; a quarter of them is attacked at a time."""

_MORE_MEMBERS = 10  # times as many rows as by other attacks are attacked for membership
_MORE_MADE = 20  # times as many synthetic rows as rows attacked are searched

_RISK = "0"
MEANINGS = {
    "singling_out_univariate": (
        _RISK,
        "Share of values taken from the synthetic rows that one training row alone has, "
        "beyond what held-out rows give",
    ),
    "singling_out_multivariate": (
        _RISK,
        "The same of descriptions by several columns that fit one synthetic row alone",
    ),
    "linkability": (
        _RISK,
        "How often two halves of a training row's columns lead to the same synthetic row, beyond "
        "held-out rows",
    ),
    "inference": (
        _RISK,
        "How often one column of a training row is guessed from all others by the closest "
        "synthetic row, beyond held-out rows; mean of columns",
    ),
    "inference_worst": (
        _RISK,
        "The same of the column that is given away most, its interval widened for the choice",
    ),
    "membership_distance_auc": (
        "0.5",
        "How well training rows are told from held-out rows by the distance to a synthetic row",
    ),
    "membership_density_auc": (
        "0.5",
        "The same by the density of synthetic rows divided by that of held-out rows",
    ),
    "membership_shadow_auc": (
        "0.5",
        "The same by a classifier that has learnt from clones of the model fitted on known rows",
    ),
    "membership_auc": ("0.5", "The same by all membership attacks together"),
    "membership_tpr_1": (
        _RISK,
        "Share of training rows that all attacks together find at 1 % false alarms, "
        "beyond the false alarms",
    ),
    "membership_tpr_01": (
        _RISK,
        "The same at 0.1 % false alarms; fewer than 1,000 held-out rows allow no false alarm",
    ),
    "outliers_auc": (
        "0.5",
        "How well all attacks together tell training from held-out rows among the tenth of the "
        "rows that lie farthest from other rows",
    ),
    "outliers_tpr_1": (
        _RISK,
        "Share of those outliers found at 1 % false alarms, beyond the false alarms",
    ),
    "rare_strings": (
        _RISK,
        "Share of the strings of one training row alone that the synthetic rows repeat, "
        "beyond those of one held-out row",
    ),
    "rare_string_rows": (
        _RISK,
        "Share of synthetic rows that carry a string which occurs once in the training table, "
        "beyond held-out rows",
    ),
    "extremes": (
        _RISK,
        "Share of columns' lowest and highest values, if of one training row alone, that the "
        "synthetic rows repeat, beyond those of held-out rows",
    ),
}
"""The best value of each figure, and what it says."""


@dataclass(frozen=True, repr=False)
class PrivacyAudit:
    """What synthetic rows give away about the rows that were learnt; what `audit` returns.

    The audit holds figures, counts and positions of rows, no values.

    Attributes
    ----------
    figures : DataFrame
        One row for each attack. Columns: "value"; "low" and "high", the ends of its 95 % interval;
        "main" and "control", the rates of success on training rows and on held-out rows, of which
        the value is the excess ``(main - control) / (1 - control)``; "naive", the success of
        guesses that use no synthetic row; "attacks", how many were made. For areas under a curve,
        "main" and "control" are NaN, and "naive" is 0.5. NaN where an attack could not be made.
    inference : DataFrame
        The figures of inference for each column as the secret, the riskiest column first.
    rare_strings : DataFrame
        For each column of categories, see `audit`: strings that occur "once" in the training
        table, how many of these are "found" in the synthetic table, how many synthetic "rows" carry
        one.
    extremes : DataFrame
        For each column of numbers or dates: whether the synthetic table's "lowest" and "highest"
        value are those of the training table; how many of both belong to a "single" row; how many
        of these are "found" in the synthetic table.
    row_risk : Series of shape (n_rows_attacked,)
        How sure an attacker can be of each training row, most at risk first. In [0, 1]. 0: no surer
        than by a coin; 1: certain. Each is a lower bound. The index holds the rows' positions in
        the training table.
    n_rows : dict of str to int
        Number of rows of the tables.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import audit
    >>> rows = np.random.default_rng(0).normal(size=(300, 3))
    >>> found = audit(rows[:150], rows[:150], rows[150:])
    >>> found.summary().loc["linkability", "interval"]
    '0.963 to 0.999'
    >>> bool(found.row_risk.iloc[0] > 0.9)
    True
    """

    figures: pd.DataFrame
    inference: pd.DataFrame
    rare_strings: pd.DataFrame
    extremes: pd.DataFrame
    row_risk: pd.Series
    n_rows: dict[str, int]

    @property
    def leaks(self) -> list[str]:
        """The attacks whose intervals lie wholly above what nothing learnt by heart gives.

        Among rows that give nothing away, one figure in forty is named by chance.
        """
        best = [float(MEANINGS[name][0]) for name in self.figures.index]
        return list(self.figures.index[self.figures["low"] > best])

    def summary(self) -> pd.DataFrame:
        """Return one row for each attack that could be made.

        Returns
        -------
        DataFrame
            Indexed by the attack's name. Columns: "value"; "interval", of 95 %, as text; "best",
            the value of rows that give nothing away; "meaning". Printed, it shows every meaning in
            full.
        """
        made = self.figures[self.figures["value"].notna()]
        rows = [
            {
                "metric": name,
                "value": row["value"],
                "interval": f"{row['low']:.3f} to {row['high']:.3f}",
            }
            | dict(zip(("best", "meaning"), MEANINGS[str(name)], strict=True))
            for name, row in made.iterrows()
        ]
        return Summary(pd.DataFrame(rows).set_index("metric"))

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dicts, lists, strings and numbers; None where undefined.

        Single rows are left out: instead of `row_risk` there is how many rows have a risk of more
        than a half and of more than nine tenths.
        """
        return {
            "rows": dict(self.n_rows),
            "figures": {
                str(name): {str(key): _jsonable(value) for key, value in row.items()}
                for name, row in self.figures.iterrows()
            },
            "leaks": self.leaks,
            "inference": _records(self.inference),
            "rare_strings": _records(self.rare_strings),
            "extremes": _records(self.extremes),
            "rows_at_risk": {
                "attacked": len(self.row_risk),
                "above_0.5": int((self.row_risk > 0.5).sum()),
                "above_0.9": int((self.row_risk > 0.9).sum()),
            },
        }

    def __repr__(self) -> str:
        values = self.summary()["value"]
        figures = ", ".join(f"{metric}={value:.3f}" for metric, value in values.items())
        return f"PrivacyAudit({figures})"

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {name} rows" for name, count in self.n_rows.items())
        leaks = ", ".join(self.leaks) or "none"
        return f"Privacy audit: {rows}\n{self.summary()}\nbeyond chance: {leaks}"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()


def audit(
    real: Table,
    synthetic: Table,
    holdout: Table,
    *,
    model: Any = None,
    n_shadows: int = 4,
    max_rows: int = 2_000,
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> PrivacyAudit:
    """Attack the training rows by means of synthetic rows, and tell what is given away.

    Each attack is made on training rows and, as its control, on held-out rows. What succeeds as
    often on rows that the synthesizer has never seen is knowledge of the source, which any table
    of its rows gives, and no leak.

    Parameters
    ----------
    real : DataFrame, Arrow table or ndarray of shape (n_train, n_columns)
        The rows that the synthesizer was trained on; at least 40.
    synthetic : DataFrame, Arrow table or ndarray of shape (n_synthetic, n_columns)
        The rows to judge: all that are to be given away, since more rows give more away. At least
        10.
    holdout : DataFrame, Arrow table or ndarray of shape (n_holdout, n_columns)
        Rows of the same source that the synthesizer has not seen; at least 40. Few make the
        intervals wide.
    model : estimator with fit and sample, optional
        What made the synthetic rows. If given, `n_shadows` clones are fitted on known rows, at most
        `max_rows` of them each, for one more membership attack.
    n_shadows : int >= 2, default=4
        Number of clones.
    max_rows : int >= 10, default=2000
        At most so many training rows, held-out rows and guesses are taken by each attack, drawn at
        random; by membership attacks ten times as many, among at most twenty times as many
        synthetic rows. A copied row shows only where the copy takes part: of longer synthetic
        tables a part is judged.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn, the guesses and the learners' seeds.

    Returns
    -------
    PrivacyAudit

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If a table has too few rows, if the tables have different columns, or if an argument is out
        of its range.

    Notes
    -----
    *Singling out, linkability, inference* are the three risks that the European guidance on
    anonymisation names, measured as by Giomi et al. [1]_: what an attacker guesses from synthetic
    rows holds of exactly one real row; two halves of one row lead to the same synthetic row; one
    column is guessed from the others. The risk is ``(main - control) / (1 - control)``. An attack
    that succeeds no more often than the naive one is too weak to say anything.

    *Membership*: attackers guess which rows were trained on by the distance to the closest
    synthetic row and by the ratio of densities [2]_, see `membership_inference`; with `model`, also
    by a classifier that has learnt from shadow models [3]_. Half of the held-out rows serve the
    attackers as a reference while the other half and half of the training rows are attacked, and
    the other way round. The attacks are put together by the harmonic mean of their p-values among
    the held-out rows [4]_. Rates of true positives are given at thresholds that 1 % and 0.1 % of
    the held-out rows pass [5]_.

    *Verbatim*: strings and extremes that belong to one real row alone.

    A risk of zero says that these attacks found nothing. It is no guarantee, and no differential
    privacy.

    Without `model`, an audit of 30,000 training, 30,000 synthetic and 15,000 held-out rows of 15
    columns (Adult) took 33 seconds of one processor, one of 5,000 rows each 10 seconds, and one
    of 300 rows of ten columns 2 seconds.

    References
    ----------
    .. [1] Giomi, Boenisch, Wehmeyer and Tasnádi (2023), "A Unified Framework for Quantifying
       Privacy Risk in Synthetic Data".
    .. [2] van Breugel et al. (2023), "Membership Inference Attacks against Synthetic Data through
       Overfitting Detection".
    .. [3] Stadler, Oprisanu and Troncoso (2022), "Synthetic Data - Anonymisation Groundhog Day".
    .. [4] Wilson (2019), "The harmonic mean p-value for combining dependent tests".
    .. [5] Carlini et al. (2022), "Membership Inference Attacks From First Principles".

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import audit
    >>> rows = np.random.default_rng(0).normal(size=(600, 4))
    >>> real, synthetic, holdout = np.split(rows, 3)
    >>> audit(real, real, holdout).figures["value"].round(2).loc[["linkability", "inference"]]
    linkability    1.0
    inference      1.0
    Name: value, dtype: float64
    >>> bool(audit(real, synthetic, holdout).figures.loc["linkability", "value"] < 0.1)
    True
    """
    check("model", model, NONE | having("fit", "sample", "get_params"))
    check("n_shadows", n_shadows, integer(2))
    check("max_rows", max_rows, integer(10))
    check("random_state", random_state, SEED)
    given = {"real": real, "synthetic": synthetic, "holdout": holdout}
    tables = {name: read_frame(table, name) for name, table in given.items()}
    columns = align_columns(tables, categorical_features=categorical_features)
    for name, fewest in (("real", FEWEST_ROWS), ("synthetic", 10), ("holdout", FEWEST_ROWS)):
        if len(tables[name]) < fewest:
            raise ParameterError(
                f"{name} must have at least {fewest} rows for an audit, got {len(tables[name])}."
            )
    rng = own_stream(random_state)
    n_train, n_synthetic, n_holdout = (len(table) for table in tables.values())
    made = rng.permutation(n_synthetic)[: _MORE_MADE * max_rows]
    members, others = (rng.permutation(n)[: _MORE_MEMBERS * max_rows] for n in (n_train, n_holdout))
    shadows = None
    if model is not None:
        shadows = shadow_scores(
            model,
            tables,
            members,
            others,
            n_shadows=n_shadows,
            max_fit_rows=max_rows,
            max_made_rows=_MORE_MADE * max_rows,
            categorical_features=categorical_features,
            seed=draw_seed(rng),
        )
    lines, row_risk = attack_members(columns, members, others, made, shadows, draw_seed(rng))
    targets, unseen = members[:max_rows], others[:max_rows]
    inference, worst, by_secret = infer(columns, targets, unseen, made, rng)
    strings, string_rows, by_strings = rare_strings(columns)
    ends, by_ends = extremes(columns)
    attacks = {
        "singling_out_univariate": single_out(columns, max_rows, rng, multivariate=False),
        "singling_out_multivariate": single_out(columns, max_rows, rng, multivariate=True),
        "linkability": link(columns, targets, unseen, made, rng),
        "inference": inference,
        "inference_worst": worst,
        "rare_strings": strings,
        "rare_string_rows": string_rows,
        "extremes": ends,
    }
    lines |= {name: figures_of(attack) for name, attack in attacks.items()}
    figures = pd.DataFrame({name: lines[name] for name in MEANINGS if name in lines}).T
    return PrivacyAudit(
        figures=figures,
        inference=by_secret,
        rare_strings=by_strings,
        extremes=by_ends,
        row_risk=row_risk,
        n_rows={name: len(table) for name, table in tables.items()},
    )


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"column": str(name)} | {str(key): _jsonable(value) for key, value in row.items()}
        for name, row in table.iterrows()
    ]


def _jsonable(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return float(value) if math.isfinite(value) else None
