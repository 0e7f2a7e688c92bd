"""Reading the files of fitted estimators; `Estimator.save` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tabgan.models  # noqa: F401  Fills the registry that files are read by.
from tabgan.estimators import files


def load(path: str | Path, device: str = "auto") -> Any:
    """Read an estimator that `save` wrote; nothing in the file is executed.

    Parameters
    ----------
    path : str or Path
    device : str, default="auto"
        Where to put it, whatever device it was trained on.

    Returns
    -------
    Estimator
        Fitted: it samples the same rows for the same `random_state`, and `partial_fit` goes on.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not one of tabgan's, is damaged or edited, or is of a version of tabgan that
        this one cannot read.

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
