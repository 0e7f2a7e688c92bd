"""How good a synthetic table is: fidelity, usefulness, privacy, and a report of all three."""

from tabgan.evaluation.fidelity import (
    c2st,
    column_shapes,
    mean_pair_trend,
    pair_trends,
    strong_pairs,
)
from tabgan.evaluation.marginals import Marginal, marginals
from tabgan.evaluation.privacy import ClosestRecords, distance_to_closest_record
from tabgan.evaluation.report import FidelityReport, evaluate
from tabgan.evaluation.utility import train_on_synthetic

__all__ = [
    "ClosestRecords",
    "FidelityReport",
    "Marginal",
    "c2st",
    "column_shapes",
    "distance_to_closest_record",
    "evaluate",
    "marginals",
    "mean_pair_trend",
    "pair_trends",
    "strong_pairs",
    "train_on_synthetic",
]
