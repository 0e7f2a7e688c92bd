"""What a fitted estimator consists of, as tensors and values that have a JSON form."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from tabgan.models.base import TableSynthesizer


def get_state(estimator: TableSynthesizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what was fitted, schema aside: tensors, and values that have a JSON form."""
    check_is_fitted(estimator)
    training = estimator._training
    tensors = {f"calibration.{k}": v for k, v in estimator._calibration.state_dict().items()}
    for part in ("game", "averaged"):
        state = getattr(training, part).state_dict()
        tensors |= {f"{part}.{k}": v for k, v in state.items()}
    for player, optimizer in training.update.optimizers.items():
        for i, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{player}.{i}.{k}": v for k, v in entries.items()}
    names = ("_seed", "_n_draws", "_input_dtype", "_input_labels", "n_features_in_")
    values = {name: getattr(estimator, name) for name in (*names, *estimator._extra_state)}
    if hasattr(estimator, "feature_names_in_"):
        values["feature_names_in_"] = estimator.feature_names_in_.tolist()
    values["conditions"] = estimator._conditions.names
    values["combinations"] = vars(estimator._conditions.combinations)
    values["training"] = {k: getattr(training, k) for k in ("step", "seconds", "history")}
    values["n_made"] = training.update.n_made
    return tensors, values


def set_state(
    estimator: TableSynthesizer, tensors: dict[str, Tensor], values: dict[str, Any]
) -> None:
    """Restore what `get_state` returned; parameters and schema must be set."""
    conditions, combinations = values.pop("conditions"), values.pop("combinations")
    training, n_made = values.pop("training"), values.pop("n_made")
    estimator.__dict__.update(values)
    if "feature_names_in_" in values:
        estimator.feature_names_in_ = np.array(values["feature_names_in_"], dtype=object)
    estimator._build(conditions)
    vars(estimator._conditions.combinations).update(combinations)
    vars(estimator._training).update(training)
    estimator._training.update.n_made = n_made

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    estimator._calibration.load_state_dict(part("calibration."))
    for name in ("game", "averaged"):
        getattr(estimator._training, name).load_state_dict(part(f"{name}."))
    for player, optimizer in estimator._training.update.optimizers.items():
        entries: dict[int, dict[str, Tensor]] = {}
        for key, tensor in part(f"optimizer.{player}.").items():
            i, _, name = key.partition(".")
            entries.setdefault(int(i), {})[name] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": entries, "param_groups": groups})
