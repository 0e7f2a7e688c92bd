"""Reading of fitted estimators from files that `Estimator.save` wrote."""

from __future__ import annotations

import os
from typing import Any

import tabgan.imputation  # noqa: F401  Fills the registry of what holds models.
import tabgan.models  # noqa: F401  Fills the registry that files are read by.
from tabgan.estimators import files
from tabgan.estimators.files import ModelFileError

__all__ = ["ModelFileError", "load", "read_card"]


def load(path: str | os.PathLike[str], device: str = "auto") -> Any:
    """Read a fitted estimator from a file that its method `save` wrote.

    The file holds numbers and text alone. Nothing in the file is executed, what it says is checked
    before it is used, and memory is taken in proportion to the size of the file, so a file from an
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
    ModelFileError
        A ValueError: the file was not written by tabgan, was damaged or edited, or has a format
        that this version of tabgan cannot read. The message names the file and what is wrong.
    TypeError
        If `path` is no path.
    ValueError
        If the machine does not have the device.

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


def read_card(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what the file of a model says about the model, without building the model.

    Parameters
    ----------
    path : str or Path
        A file that the method `save` of an estimator wrote.

    Returns
    -------
    dict
        "class", "versions" (of tabgan, Python and packages), "parameters", "seed", "rows" (learnt
        by the first call of `fit`), "columns", "steps" (of training), and what the user said in
        ``save(card=...)`` under its own names.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        As for `load`.
    TypeError
        If `path` is no path.

    Examples
    --------
    >>> import tempfile, pathlib, tabgan
    >>> from tabgan.datasets import make_mixed_table
    >>> table = make_mixed_table(60, random_state=0)
    >>> model = tabgan.GANSynthesizer(n_steps=2, random_state=0).fit(table)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.tabgan"
    ...     model.save(path, card={"licence": "CC0"})
    ...     card = tabgan.read_card(path)
    >>> card["class"], card["rows"], card["licence"]
    ('GANSynthesizer', 60, 'CC0')
    """
    return files.read_card(path)
