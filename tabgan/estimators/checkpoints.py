"""Checkpoints: a file from which a second process goes on with a fit that was cut short."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open

from tabgan.adversarial.training import State
from tabgan.estimators.files import CLASSES, checksum, write_file
from tabgan.table.jsonable import to_jsonable

_NOT_COMPARED = ("checkpoint", "checkpoint_every", "callbacks", "verbose", "random_state")
"""Parameters that may differ between the fit that was cut short and the one that goes on."""


class Checkpoint:
    """The file in which one call of `fit` keeps its state; a `Keeper` of training.

    The file is in safetensors format, with values as JSON, and is always whole: a new state
    replaces the old one at once.

    Parameters
    ----------
    path : str or Path
    every : float >= 0
        Seconds from one state to the next.

    Attributes
    ----------
    seed : int or None
        Seed of the fit that was cut short; None if there is no file.

    Raises
    ------
    ValueError
        The file is no checkpoint, or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], every: float) -> None:
        self.path, self.every = Path(path), every
        self._kept = self._read()
        self.seed: int | None = None if self._kept is None else int(self._kept[1]["fit"]["seed"])
        self._fit: dict[str, Any] = {}
        self._last = time.monotonic()
        self._run, self._is_over = -1, False

    def identify(self, estimator: Any) -> None:
        """Note what the fit is of, and compare it with what the file says.

        Parameters
        ----------
        estimator : estimator
            With its schemas, its seed and its core, before training.

        Raises
        ------
        ValueError
            The file is of another fit.
        """
        schemas = [getattr(estimator, name).to_dict() for name in estimator._schemas]
        told = json.dumps(schemas, sort_keys=True).encode()
        self._fit = {
            "class": type(estimator).__name__,
            "seed": estimator._seed,
            "step": estimator._core.training.step,
            "parameters": {
                name: _told(value)
                for name, value in estimator.get_params(deep=False).items()
                if name not in _NOT_COMPARED
            },
            "table": hashlib.sha256(told).hexdigest(),
        }
        if self._kept is None:
            return
        other = self._kept[1]["fit"]
        names = {"class": "class", "seed": "random_state", "step": "model", "table": "table"}
        differing = [told for key, told in names.items() if other[key] != self._fit[key]]
        if not differing:
            differing = [
                f"{name} ({other['parameters'].get(name)} there, {value} here)"
                for name, value in self._fit["parameters"].items()
                if other["parameters"].get(name) != value
            ]
        if differing:
            raise ValueError(
                f"checkpoint is {str(self.path)!r}, which belongs to a fit of another "
                f"{differing[0]}; name another file, or delete this one to begin anew."
            )

    def begin(self) -> bool:
        """Begin a run of training, and return whether the fit that was cut short has ended it."""
        self._run, self._is_over = self._run + 1, False
        return self._kept is not None and self._kept[1]["run"] > self._run

    def is_due(self) -> bool:
        """Return whether the time from one state to the next has passed."""
        return time.monotonic() - self._last >= self.every

    def keep(self, state: State, is_over: bool = False) -> None:
        """Write a state in place of the one before.

        Parameters
        ----------
        state : State
        is_over : bool, default=False
            Whether training has ended.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        tensors, values = state
        document = {"fit": self._fit, "run": self._run, "is_over": is_over, "training": values}
        try:
            write_file(self.path, {"tabgan_checkpoint": json.dumps(document)}, tensors)
        except OSError as error:
            raise OSError(
                f"checkpoint is {str(self.path)!r}, which could not be written ({error})."
            ) from error
        self._last, self._is_over = time.monotonic(), is_over

    def kept(self) -> State | None:
        """Return the state in which this run was cut short, if it was."""
        if self._kept is None or self._kept[1]["run"] != self._run:
            return None
        tensors, document = self._kept
        self._kept, self._is_over = None, document["is_over"]
        return tensors, document["training"]

    def finish(self) -> None:
        """Delete the file, unless training was interrupted and can go on."""
        if self._is_over:
            self.path.unlink(missing_ok=True)

    def _read(self) -> State | None:
        """Read the file, if it is there; another process may end the same fit and delete it."""
        try:
            with safe_open(str(self.path), framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}
            told = metadata.pop("checksum", None)
            if told != checksum(metadata, tensors):
                raise ValueError("its checksum is wrong")
            return tensors, json.loads(metadata["tabgan_checkpoint"])
        except FileNotFoundError:
            return None
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise ValueError(
                f"checkpoint is {str(self.path)!r}, which is no checkpoint of tabgan or is damaged "
                f"({error}); name another file, or delete this one to begin anew."
            ) from error


def _told(value: Any) -> str:
    """Describe the value of a parameter, in the same words in every process."""
    if isinstance(value, pd.Index | pd.Series | np.ndarray):
        value = value.tolist()
    try:
        return json.dumps(to_jsonable(value, CLASSES))
    except TypeError:
        return str(value) if isinstance(value, torch.device) else type(value).__name__
