"""The file format of fitted estimators: JSON and safetensors, without code.

An estimator writes itself through `save`. `tabgan.persistence.load` imports all models, which
reading needs, and then calls `load`.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tabgan.adversarial.techniques import TECHNIQUES
from tabgan.constraints import CONSTRAINTS
from tabgan.generation.core import resolve_device
from tabgan.notices import warn
from tabgan.registry import HOLDERS, MODELS
from tabgan.table.format import TableFormat
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.schema import Schema
from tabgan.table.sequences import SequenceFormat

FORMAT = 1
"""Version of the file format. It is raised whenever older readers cannot read new files."""

_CLASSES: dict[str, Any] = {**TECHNIQUES, **CONSTRAINTS}
"""Classes of parameters that a file holds, by name."""

_FORMATS: dict[str, Any] = {cls.__name__: cls for cls in (TableFormat, SequenceFormat)}
"""What is kept of the form in which tables came in."""


def save(estimator: Any, path: str | Path) -> None:
    """Write a fitted estimator to one file, the state of its optimisers included.

    The file is in safetensors format. Its metadata hold parameters, schemas and history as JSON,
    and a checksum of the whole file. See `Estimator.save` for parameters and errors.
    """
    document, tensors = _describe(estimator)
    document["version"] = version("sklearn-tabgan")
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    metadata = {"tabgan": json.dumps(document), "format": str(FORMAT)}
    metadata["checksum"] = checksum(metadata, tensors)
    try:
        save_file(tensors, str(path), metadata=metadata)
    except SafetensorError as error:
        raise OSError(f"{str(path)!r} could not be written ({error}).") from error


def _describe(estimator: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the JSON document and the tensors of a fitted estimator.

    The document of an estimator that holds a model has the document of the model under "held", and
    the class and the parameters of the model that was cloned, if there was one, under "cloned".
    """
    cls = type(estimator)
    if _saved_classes().get(cls.__name__) is not cls:
        raise TypeError(
            f"{cls.__name__} is not a class of tabgan.models, and has no file format; pickle it."
        )
    document: dict[str, Any] = {"class": cls.__name__}
    if cls.__name__ in HOLDERS:
        parameter, attribute = cls._holds
        document["held"], tensors = _describe(getattr(estimator, attribute))
        cloned = getattr(estimator, parameter)
        if cloned is not None:
            own = {"class": type(cloned).__name__, "parameters": _parameters(cloned)}
            document["cloned"] = own
        document["parameters"] = _parameters(estimator, but=parameter)
        document["state"] = to_jsonable(get_values(estimator))
        return document, tensors
    tensors, state = get_state(estimator)
    document["parameters"] = _parameters(estimator)
    document["state"] = to_jsonable(state)
    document["schemas"] = {name: getattr(estimator, name).to_dict() for name in estimator._schemas}
    return document, tensors


def _parameters(estimator: Any, but: str = "") -> Any:
    """Return the parameters of an estimator in their JSON form."""
    parameters = estimator.get_params(deep=False)
    parameters.pop(but, None)
    # A path on this machine says nothing on another.
    parameters |= {"checkpoint": None} if "checkpoint" in parameters else {}
    for key, value in parameters.items():
        if isinstance(value, pd.Index | pd.Series):
            parameters[key] = value.tolist()
        if isinstance(value, torch.device):
            parameters[key] = str(value)
        is_lost = value is not None and not isinstance(value, int | np.integer)
        if is_lost and key in ("callbacks", "random_state"):
            warn(f"{key} holds objects and is saved as None; set it again after loading.")
            parameters[key] = None
        if key == "constraints" and value is not None:
            parameters[key] = _saved_constraints(value)
    return to_jsonable(parameters, _CLASSES)


def _saved_classes() -> dict[str, Any]:
    """Return all classes that have a file format, by name."""
    return MODELS | HOLDERS


def _saved_constraints(constraints: Any) -> list[Any]:
    """Return the constraints that a file can hold, and warn of the others."""
    lost = [str(rule) for rule in constraints if not rule.is_saved]
    if lost:
        warn(
            f"constraints holds {', '.join(lost)}, which is code and is not saved; the estimator "
            "that is loaded does not keep it."
        )
    return [rule for rule in constraints if rule.is_saved]


def load(path: str | Path, device: str = "auto") -> Any:
    """Read an estimator that `save` wrote; see `tabgan.load` for parameters and errors."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {str(path)!r}, which is not a file.")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{str(path)!r} is not a tabgan model, or is truncated ({error})."
        ) from error
    if "tabgan" not in metadata:
        raise ValueError(f"{str(path)!r} is a safetensors file but not a tabgan model.")
    written = metadata.get("format", "")
    if written.isdecimal() and int(written) > FORMAT:
        raise ValueError(
            f"{str(path)!r} has format {written}, and this version of tabgan reads up "
            f"to {FORMAT}; upgrade sklearn-tabgan."
        )
    if metadata.pop("checksum", None) != checksum(metadata, tensors):
        raise ValueError(
            f"{str(path)!r} was changed after it was written: its checksum is wrong. "
            "Save the model again."
        )
    document = json.loads(metadata["tabgan"])
    if document["class"] not in _saved_classes():
        raise ValueError(
            f"{str(path)!r} holds a {document['class']}, which this version of tabgan lacks; "
            "upgrade sklearn-tabgan."
        )
    resolve_device(device)
    try:
        return _rebuild(document, tensors, device)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} was written by sklearn-tabgan {document['version']}, and this version "
            f"cannot read it ({error}); use that one, or fit again."
        ) from error


def _rebuild(document: dict[str, Any], tensors: dict[str, Tensor], device: str) -> Any:
    """Build the fitted estimator that a JSON document and its tensors describe."""
    estimator = _unfitted(document)
    state = from_jsonable(document["state"])
    if "held" in document:
        parameter, attribute = estimator._holds
        if "cloned" in document:
            estimator.set_params(**{parameter: _unfitted(document["cloned"])})
        setattr(estimator, attribute, _rebuild(document["held"], tensors, device))
        set_values(estimator, state)
        return estimator
    estimator.set_params(device=device)
    for schema, columns in document["schemas"].items():
        setattr(estimator, schema, Schema.from_dict(columns))
    set_state(estimator, tensors, state)
    return estimator


def _unfitted(document: dict[str, Any]) -> Any:
    """Build the estimator, without what it learnt, that a JSON document describes."""
    parameters = from_jsonable(document["parameters"], _CLASSES)
    return _saved_classes()[document["class"]](**parameters)


def get_values(estimator: Any) -> dict[str, Any]:
    """Return the values of a fitted estimator that are neither learnt by networks nor schemas.

    Parameters
    ----------
    estimator : estimator
        Its attribute `_saved` names values of its own.

    Returns
    -------
    dict of str to object
        Values that have a JSON form.
    """
    names = ("_seed", "_n_draws", "n_features_in_", *estimator._saved)
    values = {name: getattr(estimator, name) for name in names}
    if hasattr(estimator, "feature_names_in_"):
        values["feature_names_in_"] = estimator.feature_names_in_.tolist()
    values["formats"] = {
        name: [type(value).__name__, value.to_dict()]
        for name, value in vars(estimator).items()
        if type(value).__name__ in _FORMATS
    }
    return values


def set_values(estimator: Any, values: dict[str, Any]) -> None:
    """Restore the values that `get_values` returned.

    Parameters
    ----------
    estimator : estimator
        With its parameters.
    values : dict of str to object
    """
    names = ("_seed", "_n_draws", "n_features_in_", *estimator._saved)
    vars(estimator).update({name: values[name] for name in names})
    for name, (kind, form) in values["formats"].items():
        setattr(estimator, name, _FORMATS[kind].from_dict(form))
    if "feature_names_in_" in values:
        estimator.feature_names_in_ = np.array(values["feature_names_in_"], dtype=object)


def get_state(estimator: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return everything that `fit` learnt, except the schemas.

    Returns
    -------
    tensors : dict of str to Tensor
        Weights and the state of the optimisers.
    values : dict of str to object
        All other state, as values that have a JSON form.
    """
    core = estimator._core
    training = core.training
    tensors = {
        f"{part}.{k}": v
        for part, module in core.modules().items()
        for k, v in module.state_dict().items()
    }
    rates = {}
    for player, optimizer in training.update.optimizers.items():
        rates[player] = optimizer.param_groups[0]["lr"]
        for i, entries in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{player}.{i}.{k}": v for k, v in entries.items()}
    values = estimator._get_values()
    values["training"] = {k: getattr(training, k) for k in ("step", "seconds", "history")}
    values["n_made"], values["rates"] = training.update.n_made, rates
    return tensors, values


def set_state(estimator: Any, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Restore the state that `get_state` returned.

    The estimator must have its parameters and its schemas already, because the networks are built
    from them.
    """
    estimator._set_values(values)
    core = estimator._core
    vars(core.training).update(values["training"])
    core.training.update.n_made = values["n_made"]

    def part(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    for name, module in core.modules().items():
        module.load_state_dict(part(f"{name}."))
    for player, optimizer in core.training.update.optimizers.items():
        entries: dict[int, dict[str, Tensor]] = {}
        for key, tensor in part(f"optimizer.{player}.").items():
            i, _, name = key.partition(".")
            entries.setdefault(int(i), {})[name] = tensor
        groups = optimizer.state_dict()["param_groups"]
        groups[0]["lr"] = values["rates"][player]
        optimizer.load_state_dict({"state": entries, "param_groups": groups})


def checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Hash the metadata and all tensors of a file with SHA-256."""
    form = {name: [str(tensors[name].dtype), *tensors[name].shape] for name in sorted(tensors)}
    digest = hashlib.sha256(json.dumps([metadata, form], sort_keys=True).encode())
    for name in form:
        digest.update(tensors[name].view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
