"""Reading of fitted estimators from files that `Estimator.save` wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tabgan.imputation  # noqa: F401  Fills the registry of what holds models.
import tabgan.models  # noqa: F401  Fills the registry that files are read by.
from tabgan.estimators import files


def load(path: str | Path, device: str = "auto") -> Any:
    """Read a fitted estimator from a file that its method `save` wrote.

    The file holds numbers and text alone. Nothing in the file is executed, so a file from an
    untrusted source can do no harm when it is read.

    Parameters
    ----------
    path : str or Path
        The file.
    device : str, default="auto"
        Device that the networks are put on, whatever device they were trained on: "auto", "cpu",
        "cuda", "mps" or another device name of PyTorch. "auto" takes a GPU if there is one.

    Returns
    -------
    Estimator
        The fitted estimator. For the same `random_state` it samples the same rows as the estimator
        that was saved, and `partial_fit` continues its training.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file was not written by tabgan, was damaged or edited, or has a format that this
        version of tabgan cannot read; or if the machine does not have the device.

    Examples
    --------
    >>> import tempfile, pathlib, tabgan
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(60, random_state=0)
    >>> model = tabgan.GANSynthesizer(n_steps=2, random_state=0).fit(table)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(pathlib.Path(folder) / "model.tabgan")
    ...     copy = tabgan.load(pathlib.Path(folder) / "model.tabgan", device="cpu")
    >>> copy.sample(5, random_state=1).equals(model.sample(5, random_state=1))
    True
    """
    return files.load(path, device)
