"""All figures about one synthetic table in one report."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from tabgan.checks import FLAG, LABEL, NONE, SEED, ParameterError, check, integer, short
from tabgan.constraints import Constraint
from tabgan.evaluation.auditing import PrivacyAudit
from tabgan.evaluation.auditing import audit as audit_privacy
from tabgan.evaluation.columns import Table, align_columns, check_target, read_frame
from tabgan.evaluation.coverage import beta_recall
from tabgan.evaluation.drawing import (
    REAL_COLOR,
    SYNTHETIC_COLOR,
    WITHOUT_MATPLOTLIB,
    draw_column_shapes,
    draw_marginal,
    draw_marginals,
    draw_pair_trends,
    trends_size,
)
from tabgan.evaluation.fidelity import (
    c2st,
    column_shapes,
    mean_pair_trend,
    pair_trends,
    strong_pairs,
)
from tabgan.evaluation.html import fragment, page
from tabgan.evaluation.learners import LEARNER
from tabgan.evaluation.marginals import Marginal, marginals
from tabgan.evaluation.membership import MembershipAttack, membership_inference
from tabgan.evaluation.privacy import ClosestRecords, distance_to_closest_record
from tabgan.evaluation.rules import CONSTRAINTS, broken_rules, unseen_pairs
from tabgan.evaluation.sequences import discriminative_score, predictive_score
from tabgan.evaluation.text import Summary
from tabgan.evaluation.utility import train_on_synthetic
from tabgan.randomness import draw_seed

_MEANINGS = {
    "shape": ("1", "How well single columns match: 1 - KS or 1 - total variation, mean of columns"),
    "trend": ("1", "How well the dependence of two columns is reproduced, mean of all pairs"),
    "trend_strong": ("1", "The same, mean of the pairs that depend strongly in the real table"),
    "c2st": ("1", "Whether a classifier can tell the rows from real ones: 0 always, 1 not at all"),
    "beta_recall": (
        "as real",
        "How much of the real table the rows reach; 0.5: as much as fresh real rows; 1: copies",
    ),
    "unseen_pairs": (
        "as real",
        "Share of pairs of categories that never occur together in the real table",
    ),
    "broken_rules": (
        "0",
        "Share of rows that break the rule of the real table which is broken most often",
    ),
    "roc_auc": ("as real", "ROC AUC on test rows of a learner trained on these rows"),
    "rmse": ("as real", "Root mean squared error on test rows of a learner trained on these rows"),
    "r2": ("as real", "R² on test rows of a learner trained on these rows"),
    "discriminative": (
        "0",
        "How far beyond a half a classifier of sequences tells them from real ones; 0.5: always",
    ),
    "predictive": (
        "as real",
        "Error of the next step of real sequences, by a predictor trained on these sequences",
    ),
    "nearer_to_train": (
        "0.5",
        "Whether rows lie nearer to training rows than to test rows, corrected for how many there "
        "are of either; 0.5: as fresh real rows; 0.55: one row in ten is a copy; 1: all are",
    ),
    "duplicates": ("as real", "Share of rows that equal a training row"),
    "near_duplicate_rate": (
        "as real",
        "Share of rows as near to a training row as the nearest hundredth of the test rows; "
        "1: all rows are copies, or nearly so",
    ),
    "membership_distance_auc": (
        "0.5",
        "How well an attacker tells training from test rows by the distance to these rows",
    ),
    "membership_density_auc": (
        "0.5",
        "The same by the density of these rows divided by that of test rows",
    ),
}
_MOST_ROWS_MEASURED = 10_000
_MOST_ROWS_ATTACKED = 5_000
_MOST_MARGINALS = 60


@dataclass(frozen=True, repr=False)
class FidelityReport:
    """How good a synthetic table is; what `evaluate` returns.

    The report holds figures and counts, no rows.

    Attributes
    ----------
    column_shapes : Series of shape (n_columns,)
        Score of each column, see `tabgan.evaluation.column_shapes`.
    pair_trends : DataFrame of shape (n_columns, n_columns)
        Score of each pair of columns, see `tabgan.evaluation.pair_trends`.
    strong_pairs : DataFrame of bool, shape (n_columns, n_columns)
        Which pairs depend strongly on each other in the real table, see
        `tabgan.evaluation.strong_pairs`.
    c2st : float
        Score of the classifier two-sample test, see `tabgan.evaluation.c2st`.
    beta_recall : float
        How much of the real table the synthetic rows reach, see `tabgan.evaluation.beta_recall`; of
        at most 10,000 rows of each table.
    unseen_pairs : float
        Share of pairs of categories that the real table never has, see
        `tabgan.evaluation.unseen_pairs`.
    rules : DataFrame
        How many synthetic rows break each rule of the real table, see
        `tabgan.evaluation.broken_rules`.
    utility : DataFrame or None
        Scores of learners trained on synthetic and on real rows, see
        `tabgan.evaluation.train_on_synthetic`; None without test rows and target.
    dcr : ClosestRecords or None
        Nearness to training rows, see `tabgan.evaluation.distance_to_closest_record`; of at most
        10,000 synthetic rows. None without test rows.
    membership : MembershipAttack or None
        How well training rows can be told from test rows, see
        `tabgan.evaluation.membership_inference`; of at most 5,000 rows of each. None without test
        rows.
    reference : dict of str to float
        What the test rows score in the place of the synthetic ones, by metric; empty without test
        rows. No synthesizer can be expected to do better.
    marginals : list of Marginal
        The distribution of each column, for pictures.
    n_rows : dict of str to int
        Number of rows of the tables compared.
    target : hashable or None
        The column that learners predicted.
    sequences : dict of str to float
        Scores of the sequences, see `tabgan.evaluation.discriminative_score` and
        `tabgan.evaluation.predictive_score`; empty if `evaluate` was told of no sequences.
    audit : PrivacyAudit or None
        What attacks find out about training rows, see `tabgan.evaluation.audit`; None unless it was
        asked for.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan.evaluation import evaluate
    >>> real = np.arange(60).reshape(30, 2)
    >>> evaluate(real, real).columns()
         kind  shape  missing_real  missing_synthetic
    0  number    1.0           0.0                0.0
    1  number    1.0           0.0                0.0
    """

    column_shapes: pd.Series
    pair_trends: pd.DataFrame
    strong_pairs: pd.DataFrame
    c2st: float
    beta_recall: float
    unseen_pairs: float
    rules: pd.DataFrame
    utility: pd.DataFrame | None
    dcr: ClosestRecords | None
    membership: MembershipAttack | None
    reference: dict[str, float]
    marginals: list[Marginal]
    n_rows: dict[str, int]
    target: Hashable | None = None
    sequences: dict[str, float] = field(default_factory=dict)
    audit: PrivacyAudit | None = None

    def summary(self) -> pd.DataFrame:
        """Return one row for each metric.

        Returns
        -------
        DataFrame
            Indexed by the metric's name. Columns: "value" of the synthetic table; "real", what real
            rows get in its place (NaN without test rows); "best", the value to aim at; "meaning".
            "trend" is NaN for a table of one column, "trend_strong" where no pair depends strongly.
            Printed, it shows every meaning in full.
        """
        values = {
            "shape": float(self.column_shapes.mean()),
            "trend": mean_pair_trend(self.pair_trends),
            "trend_strong": mean_pair_trend(self.pair_trends, self.strong_pairs),
            "c2st": self.c2st,
            "beta_recall": self.beta_recall,
            "unseen_pairs": self.unseen_pairs,
        }
        if len(self.rules):
            values["broken_rules"] = float(self.rules["share"].max())
        values |= self.sequences
        real = dict(self.reference)
        if self.utility is not None:
            values |= self.utility.loc["synthetic"].to_dict()
            real |= self.utility.loc["real"].to_dict()
        if self.dcr is not None:
            values["nearer_to_train"] = self.dcr.share_nearer_to_train
            values["duplicates"] = self.dcr.duplicate_rate
            real["nearer_to_train"] = 0.5
            values["near_duplicate_rate"] = self.dcr.near_duplicate_rate
            real["duplicates"] = self.dcr.holdout_duplicate_rate
            real["near_duplicate_rate"] = self.dcr.holdout_near_duplicate_rate
        if self.membership is not None:
            values["membership_distance_auc"] = self.membership.distance_auc
            values["membership_density_auc"] = self.membership.density_auc
            real["membership_distance_auc"] = real["membership_density_auc"] = 0.5
        rows = [
            {"metric": metric, "value": value, "real": real.get(metric, float("nan"))}
            | dict(zip(("best", "meaning"), _MEANINGS[metric], strict=True))
            for metric, value in values.items()
        ]
        return Summary(pd.DataFrame(rows).set_index("metric"))

    def columns(self) -> pd.DataFrame:
        """Return one row for each column, worst first: its kind, score and missing rates."""
        return pd.DataFrame(
            {
                "kind": [m.kind for m in self.marginals],
                "shape": self.column_shapes.to_numpy(),
                "missing_real": [m.missing[0] for m in self.marginals],
                "missing_synthetic": [m.missing[1] for m in self.marginals],
            },
            index=self.column_shapes.index,
        ).sort_values("shape", kind="stable")

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain dicts, lists, strings and numbers; None where undefined."""
        summary = self.summary()
        names = [str(name) for name in self.pair_trends.columns]
        left, right = np.triu_indices(len(names), k=1)
        scores = self.pair_trends.to_numpy()[left, right]
        return {
            "rows": dict(self.n_rows),
            "target": None if self.target is None else str(self.target),
            "summary": {
                metric: {"value": _jsonable(row["value"]), "real": _jsonable(row["real"])}
                for metric, row in summary.iterrows()
            },
            "rules": self.rules.to_dict("records"),
            "column_shapes": [
                {"column": str(name), "score": float(score)}
                for name, score in self.column_shapes.items()
            ],
            "pair_trends": [
                {"columns": [names[i], names[j]], "score": float(score)}
                for i, j, score in zip(left, right, scores, strict=True)
            ],
            "audit": None if self.audit is None else self.audit.to_dict(),
        }

    def plot(self, *, figure: Any = None, n_marginals: int = 6) -> Any:
        """Draw the column scores, the pair trends and the marginals of the worst columns.

        Parameters
        ----------
        figure : matplotlib Figure, optional
            An empty figure to draw on. By default a new one, which pyplot does not know: a notebook
            shows it once, and ``savefig`` saves it. To have pyplot show it, pass
            ``matplotlib.pyplot.figure(figsize=(13, 9), layout="constrained")``.
        n_marginals : int, default=6
            How many columns' marginals are drawn, the worst ones first.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        ValueError
            If `n_marginals` is no integer of at least 0.
        """
        check("n_marginals", n_marginals, integer(0))
        worst = self._worst_marginals(n_marginals)
        n_rows = math.ceil(len(worst) / 3)
        height = self._overview_height()
        if figure is None:
            figure = _pictures().new_picture((13.0, height + 2.8 * n_rows))
        upper, lower = figure, None
        if worst:
            upper, lower = figure.subfigures(2, 1, height_ratios=[height, 2.8 * n_rows])
        left, right = upper.subplots(1, 2, width_ratios=[2, 3])
        draw_column_shapes(self.column_shapes, left)
        draw_pair_trends(self.pair_trends, right)
        if worst:
            draw_marginals(worst, lower)
        return figure

    def to_html(self, path: str | PathLike[str]) -> Path:
        """Write the report as one HTML file that needs no other and loads nothing.

        Pictures are left out if matplotlib is not installed.

        Parameters
        ----------
        path : str or path-like
            The file to write; an existing one is replaced.

        Returns
        -------
        pathlib.Path
            The file written.
        """
        path = Path(path)
        colors = {"real": REAL_COLOR, "synthetic": SYNTHETIC_COLOR}
        path.write_text(page(self._repr_html_(), *self._page_figures(), colors), encoding="utf-8")
        return path

    def __repr__(self) -> str:
        rows = ", ".join(f"{count:,} {name}" for name, count in self.n_rows.items())
        values = self.summary()["value"]
        figures = ", ".join(f"{metric}={value:.3f}" for metric, value in values.items())
        return f"FidelityReport({len(self.column_shapes)} columns; rows: {rows}; {figures})"

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {name} rows" for name, count in self.n_rows.items())
        aim = "" if self.target is None else f"; target {short(self.target)}"
        text = f"Fidelity report: {len(self.column_shapes)} columns; {rows}{aim}\n{self.summary()}"
        return text if self.audit is None else f"{text}\n{self.audit}"

    def _repr_html_(self) -> str:
        audit = None if self.audit is None else self.audit.summary()
        return fragment(self.summary(), self.columns(), self.n_rows, self.target, self.rules, audit)

    def _page_figures(self) -> tuple[list[Any], list[Any]]:
        """Draw the figures of a page: of all columns, and of single columns."""
        try:
            pictures = _pictures()
        except ImportError:
            return [], []
        shapes = pictures.new_picture((5.0, self._overview_height()))
        draw_column_shapes(self.column_shapes, shapes.subplots())
        trends = pictures.new_picture(trends_size(self.pair_trends))
        draw_pair_trends(self.pair_trends, trends.subplots())
        single = []
        for marginal in self._worst_marginals(_MOST_MARGINALS):
            single.append(pictures.new_picture((4.1, 2.7)))
            draw_marginal(marginal, single[-1].subplots())
        return [shapes, trends], single

    def _overview_height(self) -> float:
        return float(np.clip(1.5 + 0.33 * len(self.column_shapes), 4.0, 9.0))

    def _worst_marginals(self, n: int) -> list[Marginal]:
        return sorted(self.marginals, key=lambda marginal: marginal.shape)[:n]


def evaluate(
    real: Table,
    synthetic: Table,
    *,
    test: Table | None = None,
    target: Hashable | None = None,
    classifier: str | BaseEstimator = "hist",
    categorical_features: Sequence[Hashable] | None = None,
    constraints: Sequence[Constraint] | None = None,
    entity: Hashable | None = None,
    time: Hashable | None = None,
    window: int | None = None,
    audit: bool = False,
    random_state: int | np.random.RandomState | None = 0,
) -> FidelityReport:
    """Compare a synthetic table with the real one it was learnt from.

    Told of sequences by `entity` or `window`, it also judges the sequences. The other figures then
    compare single rows, without the column of entities.

    Parameters
    ----------
    real : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The rows the synthesizer was trained on.
    synthetic : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns)
        The synthetic rows, best as many as `real` has.
    test : DataFrame, Arrow table or ndarray of shape (n_rows, n_columns), optional
        Real rows that the synthesizer has not seen. They show whether rows were copied, and what
        real rows would score. `target` needs them.
    target : hashable, optional
        A column to predict: a learner trained on `synthetic` and one trained on `real` are scored
        on `test`.
    classifier : {"hist", "xgboost"} or scikit-learn classifier, default="hist"
        The classifier that tries to tell the tables apart, see `tabgan.evaluation.c2st`. "hist" and
        "xgboost" also name the learner that predicts `target`, which is "hist" otherwise.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    constraints : sequence of constraints, optional
        Rules of the real table; rows that break them are counted. By default those that
        `tabgan.constraints.discover` finds in the real table.
    entity, time : column label, optional
        Of long tables, the column that tells sequences apart, and the column that orders the rows
        of a sequence. Without `time`, rows come in the order of the table.
    window : int >= 2, optional
        Number of rows of the windows that are compared, if sequences are longer series, see
        `tabgan.evaluation.discriminative_score`. Without `entity`, a table is one series.
    audit : bool, default=False
        Whether to attack the training rows, with the rows of `test` as the control, see
        `tabgan.evaluation.audit`.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn, the folds and the learners' seeds.

    Returns
    -------
    FidelityReport

    Raises
    ------
    TypeError
        If a table is no DataFrame (of pandas or polars), Arrow table or two-dimensional array.
    ValueError
        If the tables have different columns, no rows or infinite numbers, if `target` is no column,
        if `target` or `audit` is given without `test`, if there are too few rows for an audit, or
        if an argument is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from tabgan.evaluation import evaluate
    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> real = pd.DataFrame({"x": x[:, 0], "y": x[:, 0] + x[:, 1]})
    >>> report = evaluate(real, real.assign(y=real["y"].to_numpy()[::-1]))
    >>> bool(report.summary().loc["trend", "value"] < 0.8)
    True
    """
    check("target", target, NONE | LABEL)
    check("classifier", classifier, LEARNER)
    check("constraints", constraints, CONSTRAINTS)
    check("entity", entity, NONE | LABEL)
    check("time", time, NONE | LABEL)
    check("window", window, NONE | integer(2))
    check("audit", audit, FLAG)
    check("random_state", random_state, SEED)
    if time is not None and entity is None and window is None:
        raise ParameterError("time orders the rows of sequences; name their column in entity.")
    given = {"real": real, "synthetic": synthetic} | ({} if test is None else {"test": test})
    if target is not None and test is None:
        raise ParameterError(
            f"target={short(target)} needs real rows to score on; pass them as test or leave "
            "target out."
        )
    if audit and test is None:
        raise ParameterError(
            "audit=True needs real rows that the synthesizer has not seen; pass them as test or "
            "leave audit out."
        )
    tables = {name: read_frame(table, name) for name, table in given.items()}
    sequences: dict[str, float] = {}
    of_real: dict[str, float] = {}
    seed = draw_seed(random_state)
    if entity is not None or window is not None:
        how = {"entity": entity, "time": time, "window": window, "random_state": seed}
        sequences, of_real = _judged_sequences(tables, how)
        tables = {
            name: table.drop(columns=[] if entity is None else [entity])
            for name, table in tables.items()
        }
    real, synthetic, test = tables["real"], tables["synthetic"], tables.get("test")
    aligned = align_columns(tables, categorical_features=categorical_features)
    if target is not None:
        check_target(tables, target)
    options: dict[str, Any] = {"categorical_features": categorical_features}
    strong = strong_pairs(real, **options)
    measured: dict[str, Any] = {"max_rows": _MOST_ROWS_MEASURED, "random_state": seed, **options}
    utility, dcr, membership, audited, reference = None, None, None, None, {}
    if test is not None and audit:
        audited = audit_privacy(real, synthetic, test, random_state=seed, **options)
    if test is not None:
        dcr = distance_to_closest_record(real, synthetic, test, **measured)
        membership = membership_inference(
            real, synthetic, test, max_rows=_MOST_ROWS_ATTACKED, random_state=seed, **options
        )
        reference_trends = pair_trends(real, test, **options)
        reference = {
            "shape": float(column_shapes(real, test, **options).mean()),
            "trend": mean_pair_trend(reference_trends),
            "trend_strong": mean_pair_trend(reference_trends, strong),
            "c2st": c2st(real, test, classifier=classifier, random_state=seed, **options),
            "beta_recall": beta_recall(real, test, **measured),
            "unseen_pairs": unseen_pairs(real, test, **options),
            **of_real,
        }
    if test is not None and target is not None:
        utility = train_on_synthetic(
            synthetic,
            test,
            target,
            estimator=classifier if isinstance(classifier, str) else "hist",
            train=real,
            random_state=seed,
            **options,
        )
    return FidelityReport(
        column_shapes=column_shapes(real, synthetic, **options),
        pair_trends=pair_trends(real, synthetic, **options),
        strong_pairs=strong,
        c2st=c2st(real, synthetic, classifier=classifier, random_state=seed, **options),
        beta_recall=beta_recall(real, synthetic, **measured),
        unseen_pairs=unseen_pairs(real, synthetic, **options),
        rules=broken_rules(real, synthetic, constraints=constraints),
        utility=utility,
        dcr=dcr,
        membership=membership,
        reference=reference,
        marginals=marginals(real, synthetic, **options),
        n_rows={
            table: len(values) for table, values in zip(tables, aligned[0].values, strict=True)
        },
        target=target,
        sequences=sequences,
        audit=audited,
    )


def _judged_sequences(
    tables: dict[str, pd.DataFrame], how: dict[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """Score the synthetic sequences, and the test sequences in their place if there are any.

    Both predictors, that of synthetic and that of real sequences, are scored on test sequences.
    """
    real, synthetic, test = tables["real"], tables["synthetic"], tables.get("test")
    asked = real if test is None else test
    scores = {
        "discriminative": discriminative_score(real, synthetic, **how),
        "predictive": predictive_score(asked, synthetic, **how),
    }
    if test is None:
        return scores, {}
    return scores, {
        "discriminative": discriminative_score(real, test, **how),
        "predictive": predictive_score(test, real, **how),
    }


def _pictures() -> Any:
    """Import the module that makes figures, which needs matplotlib."""
    try:
        return import_module("tabgan.evaluation.picture")
    except ImportError as error:
        raise ImportError(WITHOUT_MATPLOTLIB) from error


def _jsonable(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
