"""All figures about one synthetic table in one report."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from tabgan.evaluation.columns import Table, align_columns, check_target
from tabgan.evaluation.coverage import beta_recall
from tabgan.evaluation.fidelity import (
    c2st,
    column_shapes,
    mean_pair_trend,
    pair_trends,
    strong_pairs,
)
from tabgan.evaluation.html import fragment, page
from tabgan.evaluation.marginals import Marginal, marginals
from tabgan.evaluation.membership import MembershipAttack, membership_inference
from tabgan.evaluation.privacy import ClosestRecords, distance_to_closest_record
from tabgan.evaluation.utility import train_on_synthetic

_MEANINGS = {
    "shape": ("1", "How well single columns match: 1 - KS or 1 - total variation, mean of columns"),
    "trend": ("1", "How well pairs of columns hang together, mean of all pairs"),
    "trend_strong": ("1", "The same, mean of the pairs that hang together in the real table"),
    "c2st": ("1", "Whether a classifier can tell the rows from real ones: 0 always, 1 not at all"),
    "beta_recall": (
        "as real",
        "How much of the real table the rows reach; 0.5: as fresh real rows do, 1: copies",
    ),
    "roc_auc": ("as real", "ROC AUC on test rows of a learner trained on these rows"),
    "rmse": ("as real", "Root mean squared error on test rows of a learner trained on these rows"),
    "r2": ("as real", "R² on test rows of a learner trained on these rows"),
    "nearer_to_train": (
        "0.5",
        "Share of rows nearer to a training than to a test row; 1: copies",
    ),
    "duplicates": ("as real", "Share of rows that equal a training row"),
    "near_duplicate_rate": (
        "0.01",
        "Share of rows nearer to a training row than 99 % of the test rows are to theirs",
    ),
    "membership_distance_auc": (
        "0.5",
        "How well an attacker tells training from test rows by the distance to these rows",
    ),
    "membership_density_auc": (
        "0.5",
        "The same by the density of these rows over that of test rows",
    ),
}
_MOST_ROWS_COVERED = 10_000
_MOST_ROWS_ATTACKED = 5_000
_MOST_BARS = 30
_MOST_MARGINALS = 60


@dataclass(frozen=True)
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
        Which pairs hang together in the real table, see `tabgan.evaluation.strong_pairs`.
    c2st : float
        Score of the classifier two-sample test, see `tabgan.evaluation.c2st`.
    beta_recall : float
        How much of the real table the synthetic rows reach, see `tabgan.evaluation.beta_recall`; of
        at most 10,000 rows of each table.
    utility : DataFrame or None
        Scores of learners trained on synthetic and on real rows, see
        `tabgan.evaluation.train_on_synthetic`; None without test rows and target.
    dcr : ClosestRecords or None
        Distances to training rows, see `tabgan.evaluation.distance_to_closest_record`; None
        without test rows.
    membership : MembershipAttack or None
        How well training rows can be told from test rows, see
        `tabgan.evaluation.membership_inference`; of at most 5,000 rows of each. None without test
        rows.
    reference : dict of str to float
        What the test rows score in the place of the synthetic ones, by metric; empty without test
        rows. No synthesizer can be expected to do better.
    marginals : list of Marginal
        The distribution of each column, for drawing.
    n_rows : dict of str to int
        Number of rows of the tables compared.
    target : hashable or None
    """

    column_shapes: pd.Series
    pair_trends: pd.DataFrame
    strong_pairs: pd.DataFrame
    c2st: float
    beta_recall: float
    utility: pd.DataFrame | None
    dcr: ClosestRecords | None
    membership: MembershipAttack | None
    reference: dict[str, float]
    marginals: list[Marginal]
    n_rows: dict[str, int]
    target: Hashable | None = None

    def summary(self) -> pd.DataFrame:
        """Return one row for each metric.

        Returns
        -------
        DataFrame
            Indexed by the metric's name. Columns: "value" of the synthetic table; "real", what real
            rows get in its place (NaN without test rows); "best", the value to aim at; "meaning".
            "trend" is NaN for a table of one column, "trend_strong" where no pair hangs together.
        """
        values = {
            "shape": float(self.column_shapes.mean()),
            "trend": mean_pair_trend(self.pair_trends),
            "trend_strong": mean_pair_trend(self.pair_trends, self.strong_pairs),
            "c2st": self.c2st,
            "beta_recall": self.beta_recall,
        }
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
            real["near_duplicate_rate"] = 0.01
        if self.membership is not None:
            values["membership_distance_auc"] = self.membership.distance_auc
            values["membership_density_auc"] = self.membership.density_auc
            real["membership_distance_auc"] = real["membership_density_auc"] = 0.5
        rows = [
            {"metric": metric, "value": value, "real": real.get(metric, float("nan"))}
            | dict(zip(("best", "meaning"), _MEANINGS[metric], strict=True))
            for metric, value in values.items()
        ]
        return pd.DataFrame(rows).set_index("metric")

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
            "column_shapes": [
                {"column": str(name), "score": float(score)}
                for name, score in self.column_shapes.items()
            ],
            "pair_trends": [
                {"columns": [names[i], names[j]], "score": float(score)}
                for i, j, score in zip(left, right, scores, strict=True)
            ],
        }

    def plot(self, *, figure: Any = None, n_marginals: int = 6) -> Any:
        """Draw the column scores, the pair trends and the marginals of the worst columns.

        Parameters
        ----------
        figure : matplotlib Figure, optional
            An empty figure to draw on; a new one by default.
        n_marginals : int, default=6
            How many columns' marginals are drawn, the worst ones first.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed (extra ``plot``).
        """
        from tabgan.displays import MarginalsDisplay, PairTrendDisplay
        from tabgan.displays.figures import new_figure

        worst = self._marginals_worst_first()[:n_marginals]
        n_rows = math.ceil(len(worst) / 3)
        height = self._overview_height()
        if figure is None:
            figure = new_figure((13.0, height + 2.8 * n_rows))
        upper, lower = figure, None
        if worst:
            upper, lower = figure.subfigures(2, 1, height_ratios=[height, 2.8 * n_rows])
        left, right = upper.subplots(1, 2, width_ratios=[2, 3])
        self._draw_column_shapes(left)
        PairTrendDisplay(trends=self.pair_trends).plot(ax=right)
        if worst:
            MarginalsDisplay(marginals=worst).plot(figure=lower)
        return figure

    def to_html(self, path: str | PathLike[str]) -> Path:
        """Write the report as one HTML file that needs no other.

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
        path.write_text(page(self._fragment(), self._figures()), encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        return self._fragment()

    def _fragment(self) -> str:
        return fragment(self.summary(), self.columns(), self.n_rows, self.target)

    def _figures(self) -> dict[str, Any]:
        try:
            from matplotlib.figure import Figure
        except ImportError:
            return {}
        from tabgan.displays import MarginalsDisplay

        # Figures made without pyplot: they show in no window and are freed with the last reference.
        overview = Figure(figsize=(13.0, self._overview_height()), layout="constrained")
        self.plot(figure=overview, n_marginals=0)
        shown = self._marginals_worst_first()[:_MOST_MARGINALS]
        size = (13.0, 2.8 * math.ceil(len(shown) / 3))
        single = Figure(figsize=size, layout="constrained")
        MarginalsDisplay(marginals=shown).plot(figure=single)
        return {"Columns and pairs of columns": overview, "Single columns, worst first": single}

    def _overview_height(self) -> float:
        return float(np.clip(1.5 + 0.33 * len(self.column_shapes), 4.0, 9.0))

    def _marginals_worst_first(self) -> list[Marginal]:
        return sorted(self.marginals, key=lambda marginal: marginal.shape)

    def _draw_column_shapes(self, ax: Any) -> None:
        from tabgan.evaluation.drawing import SYNTHETIC_COLOR, short

        shapes = self.column_shapes.sort_values(kind="stable").iloc[:_MOST_BARS]
        positions = np.arange(len(shapes))
        ax.barh(positions, shapes.to_numpy(), color=SYNTHETIC_COLOR, height=0.7)
        for position, score in zip(positions, shapes, strict=True):
            ax.text(1.01, position, f"{score:.3f}", va="center", fontsize="small")
        ax.set_yticks(positions, [short(name) for name in shapes.index])
        ax.set_xlim(0.0, 1.0)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelsize="small")
        ax.spines[["top", "right"]].set_visible(False)
        n_columns = len(self.column_shapes)
        which = f", the worst {len(shapes)} of {n_columns}" if n_columns > len(shapes) else ""
        ax.set_title(f"Column shapes, mean {self.column_shapes.mean():.3f}{which}")


def evaluate(
    real: Table,
    synthetic: Table,
    *,
    test: Table | None = None,
    target: Hashable | None = None,
    classifier: str | BaseEstimator = "hist",
    categorical_features: Sequence[Hashable] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> FidelityReport:
    """Compare a synthetic table with the real one it was learnt from.

    Parameters
    ----------
    real : DataFrame or ndarray of shape (n_rows, n_columns)
        The rows the synthesizer was trained on.
    synthetic : DataFrame or ndarray of shape (n_rows, n_columns)
        Rows it made; best as many as `real` has.
    test : DataFrame or ndarray of shape (n_rows, n_columns), optional
        Real rows it has not seen. They show whether rows were copied and what real rows would
        score; `target` needs them.
    target : hashable, optional
        A column to predict: a learner trained on `synthetic` and one trained on `real` are scored
        on `test`.
    classifier : {"hist", "xgboost"} or scikit-learn classifier, default="hist"
        Who tries to tell the tables apart, see `tabgan.evaluation.c2st`. "hist" and "xgboost" also
        name the learner of `target`, which is "hist" otherwise.
    categorical_features : sequence of column labels, optional
        Columns to compare as categories although they hold numbers or dates.
    random_state : int, RandomState or None, default=0
        Decides the rows drawn, the folds and the learners' seeds.

    Returns
    -------
    FidelityReport

    Raises
    ------
    TypeError
        If a table is neither a DataFrame nor a two-dimensional array.
    ValueError
        If the tables have different columns or no rows, if `target` is no column, or if it is
        given without `test`.
    """
    tables: dict[str, Any] = {"real": real, "synthetic": synthetic}
    if test is not None:
        tables["test"] = test
    if target is not None and test is None:
        raise ValueError(
            f"target={target!r} needs real rows to score on; pass them as test or leave target out."
        )
    aligned = align_columns(tables, categorical_features=categorical_features)
    if target is not None:
        check_target(tables, target)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    options: dict[str, Any] = {"categorical_features": categorical_features}
    strong = strong_pairs(real, **options)
    covered: dict[str, Any] = {"max_rows": _MOST_ROWS_COVERED, "random_state": seed, **options}
    utility, dcr, membership, reference = None, None, None, {}
    if test is not None:
        dcr = distance_to_closest_record(real, synthetic, test, random_state=seed, **options)
        membership = membership_inference(
            real, synthetic, test, max_rows=_MOST_ROWS_ATTACKED, random_state=seed, **options
        )
        reference_trends = pair_trends(real, test, **options)
        reference = {
            "shape": float(column_shapes(real, test, **options).mean()),
            "trend": mean_pair_trend(reference_trends),
            "trend_strong": mean_pair_trend(reference_trends, strong),
            "c2st": c2st(real, test, classifier=classifier, random_state=seed, **options),
            "beta_recall": beta_recall(real, test, **covered),
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
        beta_recall=beta_recall(real, synthetic, **covered),
        utility=utility,
        dcr=dcr,
        membership=membership,
        reference=reference,
        marginals=marginals(real, synthetic, **options),
        n_rows={
            table: len(values) for table, values in zip(tables, aligned[0].values, strict=True)
        },
        target=target,
    )


def _jsonable(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
