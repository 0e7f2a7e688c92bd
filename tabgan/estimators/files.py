"""The file format of fitted estimators: JSON and safetensors, without code.

An estimator writes itself through `save`. `tabgan.persistence.load` imports all models, which
reading needs, and then calls `load`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from tabgan.adversarial.techniques import TECHNIQUES
from tabgan.checks import check, check_parameters, short
from tabgan.constraints import CONSTRAINTS
from tabgan.estimators.cards import full_card, said_in, write_card
from tabgan.estimators.restoring import check_labels, get_state, get_values, set_state, set_values
from tabgan.generation.core import resolve_device
from tabgan.notices import warn
from tabgan.paths import PATH, replacing
from tabgan.registry import HOLDERS, MODELS
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.privacy import Privacy
from tabgan.table.schema import Schema

FORMAT = 1
"""Version of the file format. It is raised whenever older readers cannot read new files."""

MOST_TOLD = 300
"""Characters of another error that an error of a file repeats at most."""

CLASSES: dict[str, Any] = {**TECHNIQUES, **CONSTRAINTS, Privacy.__name__: Privacy}
"""Classes of parameters that a file holds, by name."""


class ModelFileError(ValueError):
    """A file is no model of tabgan, was damaged or edited, or needs another version of tabgan.

    The message names the file and what is wrong with it.
    """


def save(
    estimator: Any, path: str | os.PathLike[str], card: Mapping[str, Any] | None = None
) -> None:
    """Write a fitted estimator to one file, the state of its optimisers included.

    The file is in safetensors format. Its metadata hold parameters, schemas, history and card as
    JSON, and a checksum of the whole file. See `Estimator.save` for parameters and errors.
    """
    check("path", path, PATH)
    path = os.fspath(path)
    document, tensors = _describe(estimator)
    document["version"] = version("sklearn-tabgan")
    document["card"] = write_card(estimator, card)
    metadata = {"tabgan": json.dumps(document), "format": str(FORMAT)}
    try:
        write_file(path, metadata, tensors)
    except OSError as error:
        told = error.strerror or error
        raise OSError(f"{path!r} could not be written ({told}).") from error


def write_file(
    path: str | os.PathLike[str], metadata: dict[str, str], tensors: Mapping[str, Tensor]
) -> None:
    """Write texts and tensors to one safetensors file, with a checksum of all of them.

    Parameters
    ----------
    path : str or Path
        A file there is replaced once the new one is whole, see `tabgan.paths.replacing`.
    metadata : dict of str to str
    tensors : mapping of str to Tensor

    Raises
    ------
    OSError
        The file cannot be written.
    """
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    content = safetensors.torch.save(own, {**metadata, "checksum": checksum(metadata, own)})
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


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
    return to_jsonable(parameters, CLASSES)


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


def load(path: str | os.PathLike[str], device: str = "auto") -> Any:
    """Read an estimator that `save` wrote; see `tabgan.load` for parameters and errors."""
    resolve_device(device)
    document, tensors = read_file(path)
    try:
        return _rebuild(document, tensors, device)
    except (MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:
        # The file is to blame, whatever its values lead to where a model is built from them.
        written = document["version"]
        if written == version("sklearn-tabgan"):
            told = f"holds no model that can be used ({_told(error)}); save the model again."
        else:
            told = (
                f"was written by sklearn-tabgan {written[:20]}, and this version cannot read it "
                f"({_told(error)}); use that one, or fit again."
            )
        raise ModelFileError(f"{os.fspath(path)!r} {told}") from error


def _told(error: Exception) -> str:
    """Say in a line what an error is about."""
    text = " ".join(str(error).split()).rstrip(".")
    if not isinstance(error, ValueError) or not text:
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 3]}..."


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the document and the tensors of a file, without building a model.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    document : dict
        With a known class and a text as version; nothing else is checked.
    tensors : dict of str to Tensor

    Raises
    ------
    ParameterError
        `path` is no path.
    FileNotFoundError
        There is no such file.
    ModelFileError
        The file is not what `save` writes, or its checksum is wrong.
    """
    check("path", path, PATH)
    path = os.fspath(path)
    name = repr(path)
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {name}, which is not a file.")
    with open(path, "rb"):
        # Raises a PermissionError where there is reason to; the file may be all right.
        pass
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except MemoryError:
        raise
    except Exception as error:
        raise ModelFileError(f"{name} is not a tabgan model, or is truncated ({error}).") from error
    if "tabgan" not in metadata:
        raise ModelFileError(f"{name} is a safetensors file but not a tabgan model.")
    written = metadata.get("format", "")
    is_number = re.fullmatch("[1-9][0-9]{0,8}", written) is not None
    if is_number and int(written) > FORMAT:
        raise ModelFileError(
            f"{name} has format {written}, and this version of tabgan reads up "
            f"to {FORMAT}; upgrade sklearn-tabgan."
        )
    if metadata.pop("checksum", None) != checksum(metadata, tensors):
        raise ModelFileError(
            f"{name} was changed after it was written: its checksum is wrong. Save the model again."
        )
    if not is_number:
        raise ModelFileError(f"{name} has format {short(written)}, which is none.")
    return _read_document(name, metadata["tabgan"]), tensors


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the card of a file; see `tabgan.read_card` for parameters and errors."""
    document, _ = read_file(path)
    try:
        return full_card(document)
    except Exception as error:
        raise ModelFileError(f"{os.fspath(path)!r} holds no card: {_told(error)}.") from error


def _read_document(name: str, text: str) -> dict[str, Any]:
    """Read a JSON document that says of which class a model is and which version wrote it."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{name} holds no document in JSON ({_told(error)}).") from error
    kinds = {"class": str, "version": str, "parameters": dict, "state": dict}
    for key, kind in kinds.items():
        if not isinstance(document, dict) or not isinstance(document.get(key), kind):
            raise ModelFileError(f"{name} holds a document without {key!r}.")
    if document["class"] not in _saved_classes():
        raise ModelFileError(
            f"{name} holds a {document['class'][:MOST_TOLD]}, which this version of tabgan lacks; "
            "upgrade sklearn-tabgan."
        )
    return document


def _rebuild(document: dict[str, Any], tensors: dict[str, Tensor], device: str) -> Any:
    """Build the fitted estimator that a JSON document and its tensors describe."""
    estimator = _unfitted(document)
    state = from_jsonable(document["state"])
    if "held" in document:
        parameter, attribute = estimator._holds
        if "cloned" in document:
            estimator.set_params(**{parameter: _unfitted(document["cloned"])})
        held = _rebuild(document["held"], tensors, device)
        check(attribute, held, estimator._parameter_constraints[parameter])
        check_parameters(estimator)
        setattr(estimator, attribute, held)
        set_values(estimator, state)
    else:
        estimator.set_params(device=device)
        check_parameters(estimator)
        for schema in estimator._schemas:
            setattr(estimator, schema, Schema.from_dict(document["schemas"][schema]))
        set_state(estimator, tensors, state)
    check_labels(estimator)
    estimator._card = said_in(document)
    return estimator


def _unfitted(document: dict[str, Any]) -> Any:
    """Build the estimator, without what it learnt, that a JSON document describes."""
    parameters = from_jsonable(document["parameters"], CLASSES)
    if parameters.get("callbacks"):
        raise ValueError("callbacks are code, which no file holds")
    return _saved_classes()[document["class"]](**parameters)


def checksum(metadata: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Hash the metadata and all tensors of a file with SHA-256."""
    form = {name: [str(tensors[name].dtype), *tensors[name].shape] for name in sorted(tensors)}
    digest = hashlib.sha256(json.dumps([metadata, form], sort_keys=True).encode())
    for name in form:
        digest.update(tensors[name].view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
