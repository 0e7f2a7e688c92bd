"""What users pass in, checked and turned into a DataFrame; and what they get back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_feature_names, check_array

from tabgan.table.schema import check_unique_names


def check_table(estimator: BaseEstimator, X: Any, reset: bool) -> pd.DataFrame:
    """Turn X into a DataFrame with a fresh index and check it against what was fitted.

    Sets `n_features_in_`, and `feature_names_in_` when all labels are strings, if `reset`.

    Raises
    ------
    ValueError
        No rows, no columns, two columns of one name, or other columns than in `fit`.
    TypeError
        Sparse input.
    """
    if isinstance(X, pd.DataFrame):
        for kind, n, least in (("sample", len(X), 1), ("feature", X.shape[1], 1)):
            if n < least:
                raise ValueError(
                    f"Found array with 0 {kind}(s) (shape={X.shape}) while a minimum of 1 is "
                    f"required by {type(estimator).__name__}."
                )
        check_unique_names(X, "X")
        labels = list(X.columns)
        frame = X.reset_index(drop=True)
        if all(isinstance(label, str) for label in labels):
            _check_feature_names(estimator, X, reset=reset)
        elif reset:
            vars(estimator).pop("feature_names_in_", None)
    else:
        _check_feature_names(estimator, X, reset=reset)
        array = check_array(
            X, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X"
        )
        frame = pd.DataFrame(array).infer_objects()
        labels = None
    if reset:
        estimator.n_features_in_ = frame.shape[1]
        estimator._input_dtype = None if isinstance(X, pd.DataFrame) else frame_dtype(frame)
        estimator._input_labels = list(frame.columns)
        return frame
    if frame.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {frame.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    if labels is not None and estimator._input_dtype is None and labels != estimator._input_labels:
        raise ValueError(
            f"X has columns {labels}, but {type(estimator).__name__} was fitted on "
            f"{estimator._input_labels}."
        )
    return frame.set_axis(pd.Index(estimator._input_labels, tupleize_cols=False), axis=1)


def check_integer(name: str, value: Any, least: int = 1) -> None:
    """Raise a ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {kind}, got {value!r}.")


def check_not_negative(name: str, value: Any) -> None:
    """Raise a ValueError unless `value` is a number of at least zero."""
    if not value >= 0:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}.")


def check_choice(name: str, value: Any, *choices: str) -> None:
    """Raise a ValueError unless `value` is one of the names."""
    if value not in choices:
        *others, last = [f'"{choice}"' for choice in choices]
        raise ValueError(f"{name} must be {', '.join(others)} or {last}, got {value!r}.")


def frame_dtype(frame: pd.DataFrame) -> str:
    """Name the one dtype that an array of these columns has."""
    return str(frame.to_numpy().dtype)


def table_like(frame: pd.DataFrame, dtype: str | None) -> Any:
    """Return the frame itself, or an array of `dtype` for an estimator fitted on an array."""
    return frame if dtype is None else frame.to_numpy().astype(np.dtype(dtype))


def resolve_device(device: str | torch.device) -> torch.device:
    """Turn "auto" into the best device there is, and any other name into that device.

    Raises
    ------
    ValueError
        A device that this machine or this build of PyTorch does not have.
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f'device is {device!r}, which is not available here ({error}); use "auto" or "cpu".'
        ) from error
    return resolved
