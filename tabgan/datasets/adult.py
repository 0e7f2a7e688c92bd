"""The Adult census table, shipped with the package."""

from __future__ import annotations

from importlib.resources import files

import pandas as pd


def load_adult() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load the Adult census table, split into train and test rows as its source is.

    Each row is a person; ``income`` says whether that person earned more than 50,000 dollars in
    1994 (``">50K"``, 24 % of the rows) or not (``"<=50K"``). Nothing is downloaded.

    Returns
    -------
    train : DataFrame of shape (32561, 15)
    test : DataFrame of shape (16281, 15)
        Six ``int64`` columns (``age``, ``fnlwgt``, ``education-num``, ``capital-gain``,
        ``capital-loss``, ``hours-per-week``) and nine ``category`` columns, whose categories are
        the same, and in the same alphabetical order, in both tables. ``workclass``,
        ``occupation`` and ``native-country`` have missing values, which the source writes as
        ``?``.

    References
    ----------
    .. [1] Becker, B. and Kohavi, R. (1996). Adult [Dataset]. UCI Machine Learning Repository,
       CC BY 4.0. https://doi.org/10.24432/C5XW20

    Examples
    --------
    >>> from tabgan.datasets import load_adult
    >>> train, test = load_adult()
    >>> train.shape, test.shape
    ((32561, 15), (16281, 15))
    """
    train, test = _read("adult_train.csv.gz"), _read("adult_test.csv.gz")
    # Every category of the test rows occurs in the train rows too.
    return train, test.astype(train.dtypes)


def _read(name: str) -> pd.DataFrame:
    """Read a file of the package; integers become ``int64``, all other columns ``category``."""
    with (files("tabgan.datasets") / "data" / name).open("rb") as file:
        frame = pd.read_csv(file, compression="gzip", na_values="?", keep_default_na=False)
    text = frame.columns[frame.dtypes != "int64"]
    return frame.astype(dict.fromkeys(text, "category"))
