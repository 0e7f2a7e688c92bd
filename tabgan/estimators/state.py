"""What a fitted estimator consists of, as tensors and values that have a JSON form."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.estimators.estimator import AdversarialEstimator


def get_state(estimator: AdversarialEstimator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what was fitted, schemas aside: tensors, and values that have a JSON form."""
    check_is_fitted(estimator)
    training = estimator._training
    tensors = {
        f"{part}.{k}": v
        for part, module in _modules(estimator).items()
        for k, v in module.state_dict().items()
    }
    for player, optimizer in training.update.optimizers.items():
        for i, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{player}.{i}.{k}": v for k, v in entries.items()}
    values = estimator._get_values()
    values["training"] = {k: getattr(training, k) for k in ("step", "seconds", "history")}
    values["n_made"] = training.update.n_made
    return tensors, values


def set_state(
    estimator: AdversarialEstimator, tensors: dict[str, Tensor], values: dict[str, Any]
) -> None:
    """Restore what `get_state` returned; parameters and schemas must be set."""
    training, n_made = values.pop("training"), values.pop("n_made")
    estimator._set_values(values)
    vars(estimator._training).update(training)
    estimator._training.update.n_made = n_made

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    for name, module in _modules(estimator).items():
        module.load_state_dict(part(f"{name}."))
    for player, optimizer in estimator._training.update.optimizers.items():
        entries: dict[int, dict[str, Tensor]] = {}
        for key, tensor in part(f"optimizer.{player}.").items():
            i, _, name = key.partition(".")
            entries.setdefault(int(i), {})[name] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _modules(estimator: AdversarialEstimator) -> dict[str, nn.Module]:
    training = estimator._training
    return {**estimator._modules(), "game": training.game, "averaged": training.averaged}
