"""One file per fitted estimator: JSON and safetensors, no code."""

from __future__ import annotations

import hashlib
import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import tabgan.models
from tabgan.adversarial.techniques import TECHNIQUES
from tabgan.estimators.estimator import AdversarialEstimator
from tabgan.estimators.inputs import resolve_device
from tabgan.estimators.state import get_state, set_state
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.schema import Schema

FORMAT = 1
"""Version of the file format; raised when older readers cannot read what is written."""


def save(estimator: AdversarialEstimator, path: str | Path) -> None:
    """Write a fitted estimator to one file, optimisers included.

    The file is in safetensors format; its metadata hold parameters, schema and history as JSON.

    Parameters
    ----------
    estimator : AdversarialEstimator
        Fitted.
    path : str or Path

    Raises
    ------
    NotFittedError
        The estimator was not fitted.
    OSError
        The file could not be written.
    TypeError
        A column name or category that has no JSON form, or a class that is not one of tabgan's.
    ValueError
        A parameter that shapes the networks was changed after `fit`.
    """
    name = type(estimator).__name__
    if getattr(tabgan.models, name, None) is not type(estimator):
        raise TypeError(
            f"{name} is not a class of tabgan.models, and has no file format; pickle it."
        )
    tensors, state = get_state(estimator)
    parameters = estimator.get_params(deep=False)
    for key, value in parameters.items():
        if isinstance(value, pd.Index | pd.Series):
            parameters[key] = value.tolist()
        is_lost = value is not None and not isinstance(value, int | np.integer)
        if is_lost and key in ("callbacks", "random_state"):
            warnings.warn(
                f"{key} holds objects and is saved as None; set it again after loading.",
                UserWarning,
                stacklevel=3,
            )
            parameters[key] = None
    document = {
        "class": name,
        "version": version("sklearn-tabgan"),
        "parameters": to_jsonable(parameters, TECHNIQUES),
        "state": to_jsonable(state),
        "schemas": {name: getattr(estimator, name).to_dict() for name in estimator._schemas},
    }
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    if not _loads(document, tensors):
        raise ValueError(
            f"{document['class']} could not be loaded again: a parameter that shapes its networks "
            "was changed after fit; set it back, or fit again."
        )
    metadata = {"tabgan": json.dumps(document), "format": str(FORMAT)}
    metadata["checksum"] = _checksum(metadata, tensors)
    try:
        save_file(tensors, str(path), metadata=metadata)
    except SafetensorError as error:
        raise OSError(f"{str(path)!r} could not be written ({error}).") from error


def load(path: str | Path, device: str = "auto") -> Any:
    """Read an estimator that `AdversarialEstimator.save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
    device : str, default="auto"
        Where to put it, whatever device it was trained on.

    Returns
    -------
    AdversarialEstimator
        Fitted: it samples the same rows for the same `random_state`, and `partial_fit` goes on.

    Raises
    ------
    FileNotFoundError
    ValueError
        The file is not one of tabgan's, is damaged or edited, or is of a version of tabgan that
        this one cannot read.
    """
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
    if metadata.pop("checksum", None) != _checksum(metadata, tensors):
        raise ValueError(
            f"{str(path)!r} was changed after it was written: its checksum is wrong. "
            "Save the model again."
        )
    document = json.loads(metadata["tabgan"])
    if document["class"] not in tabgan.models.__all__:
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


def _loads(document: dict[str, Any], tensors: dict[str, Tensor]) -> bool:
    """Whether a document and its tensors still belong together."""
    try:
        rebuilt = _rebuild(document, tensors, "cpu")
    except RuntimeError:
        return False
    return get_state(rebuilt)[0].keys() == tensors.keys()


def _rebuild(document: dict[str, Any], tensors: dict[str, Tensor], device: str) -> Any:
    """Make the fitted estimator that a document and its tensors describe."""
    parameters = from_jsonable(document["parameters"], TECHNIQUES)
    estimator = getattr(tabgan.models, document["class"])(**parameters)
    estimator.set_params(device=device)
    for schema, columns in document["schemas"].items():
        setattr(estimator, schema, Schema.from_dict(columns))
    set_state(estimator, tensors, from_jsonable(document["state"]))
    return estimator


def _checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> str:
    form = {name: [str(tensors[name].dtype), *tensors[name].shape] for name in sorted(tensors)}
    digest = hashlib.sha256(json.dumps([metadata, form], sort_keys=True).encode())
    for name in form:
        digest.update(tensors[name].view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
