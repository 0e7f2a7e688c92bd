"""How good a synthetic table is: fidelity, usefulness, privacy, and a report of all three."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tabgan.evaluation.auditing import PrivacyAudit, audit
from tabgan.evaluation.coverage import beta_recall
from tabgan.evaluation.fidelity import (
    c2st,
    column_shapes,
    mean_pair_trend,
    pair_trends,
    strong_pairs,
)
from tabgan.evaluation.marginals import Marginal, marginals
from tabgan.evaluation.membership import MembershipAttack, membership_inference
from tabgan.evaluation.privacy import ClosestRecords, distance_to_closest_record
from tabgan.evaluation.report import FidelityReport, evaluate
from tabgan.evaluation.rules import broken_rules, unseen_pairs
from tabgan.evaluation.utility import train_on_synthetic

if TYPE_CHECKING:
    from tabgan.evaluation.sequences import discriminative_score, predictive_score

__all__ = [
    "ClosestRecords",
    "FidelityReport",
    "Marginal",
    "MembershipAttack",
    "PrivacyAudit",
    "audit",
    "beta_recall",
    "broken_rules",
    "c2st",
    "column_shapes",
    "discriminative_score",
    "distance_to_closest_record",
    "evaluate",
    "marginals",
    "mean_pair_trend",
    "membership_inference",
    "pair_trends",
    "predictive_score",
    "strong_pairs",
    "train_on_synthetic",
    "unseen_pairs",
]


def __getattr__(name: str) -> Any:
    """Import the scores of sequences when they are asked for: they need torch."""
    if name not in ("discriminative_score", "predictive_score"):
        raise AttributeError(f"module 'tabgan.evaluation' has no attribute {name!r}")
    return getattr(import_module("tabgan.evaluation.sequences"), name)
