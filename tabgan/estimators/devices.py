"""Devices by name."""

from __future__ import annotations

import torch


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
