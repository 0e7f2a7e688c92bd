"""One file per fitted estimator: JSON and safetensors, no code."""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import tabgan.models
from tabgan.models.base import TableSynthesizer
from tabgan.models.inputs import resolve_device
from tabgan.table.jsonable import from_jsonable, to_jsonable
from tabgan.table.schema import Schema

FORMAT = 1
"""Version of the file format; raised when older readers cannot read what is written."""


def save(estimator: TableSynthesizer, path: str | Path) -> None:
    """Write a fitted estimator to one file, optimisers included.

    The file is in safetensors format; its metadata hold parameters, schema and history as JSON.

    Parameters
    ----------
    estimator : TableSynthesizer
        Fitted.
    path : str or Path

    Raises
    ------
    NotFittedError
        The estimator was not fitted.
    TypeError
        A column name or category that has no JSON form.
    """
    tensors, state = estimator._get_fitted()
    parameters = estimator.get_params(deep=False)
    for name in ("callbacks", "random_state"):
        value = parameters[name]
        if value is not None and not isinstance(value, int | np.integer):
            warnings.warn(
                f"{name} holds objects and is saved as None; set it again after loading.",
                UserWarning,
                stacklevel=3,
            )
            parameters[name] = None
    document = {
        "class": type(estimator).__name__,
        "parameters": to_jsonable(parameters),
        "state": to_jsonable(state),
        "schema": estimator.schema_.to_dict(),
    }
    text = json.dumps(document)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    metadata = {
        "tabgan": text,
        "format": str(FORMAT),
        "checksum": _checksum(text, tensors),
    }
    save_file(tensors, str(path), metadata=metadata)


def load(path: str | Path, device: str = "auto") -> Any:
    """Read an estimator that `TableSynthesizer.save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
    device : str, default="auto"
        Where to put it, whatever device it was trained on.

    Returns
    -------
    TableSynthesizer
        Fitted: it samples the same rows for the same `random_state`, and `partial_fit` goes on.

    Raises
    ------
    FileNotFoundError
    ValueError
        The file is not one of tabgan's, is damaged or edited, or is of a newer format.
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
    if int(metadata.get("format", 0)) > FORMAT:
        raise ValueError(
            f"{str(path)!r} has format {metadata['format']}, and this version of tabgan reads up "
            f"to {FORMAT}; upgrade sklearn-tabgan."
        )
    text = metadata["tabgan"]
    if metadata.get("checksum") != _checksum(text, tensors):
        raise ValueError(
            f"{str(path)!r} was changed after it was written: its checksum is wrong. "
            "Save the model again."
        )
    document = json.loads(text)
    if document["class"] not in tabgan.models.__all__:
        raise ValueError(
            f"{str(path)!r} holds a {document['class']}, which this version of tabgan lacks; "
            "upgrade sklearn-tabgan."
        )
    resolve_device(device)
    estimator = getattr(tabgan.models, document["class"])(**from_jsonable(document["parameters"]))
    estimator.set_params(device=device)
    estimator.schema_ = Schema.from_dict(document["schema"])
    estimator._set_fitted(tensors, from_jsonable(document["state"]))
    return estimator


def _checksum(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
