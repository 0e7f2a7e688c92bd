"""What every public class makes with fixed seeds, as digests: the same bits before and after.

A change of the code's structure must not change what the code makes. Run this script before the
change and after it, on one machine with one version of torch:

    python benchmarks/behaviour.py --out before.json
    python benchmarks/behaviour.py --out after.json --compare before.json

The script fits each class on three small tables and on a set of sequences, and writes a digest of
the rows, features, scores and saved tensors. `--compare` lists every digest that differs and exits
with 1 if there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor

import tabgan
import tabgan.models
from tabgan.datasets import make_mixed_table, make_waves

Thing = tuple[str, Callable[[], Any]]


def digest(thing: Any) -> str:
    """Hash a table, an array, a number or a list of such."""
    sha = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, pd.DataFrame):
            for i, label in enumerate(part.columns):
                column = part.iloc[:, i]
                sha.update(f"{label!r} {column.dtype} {column.tolist()!r}".encode())
        elif isinstance(part, pd.Series):
            sha.update(f"{part.name!r} {part.dtype} {part.tolist()!r}".encode())
        elif isinstance(part, np.ndarray):
            content = repr(part.tolist()).encode() if part.dtype == object else part.tobytes()
            sha.update(f"{part.dtype} {part.shape}".encode() + content)
        elif isinstance(part, list | tuple):
            for each in part:
                add(each)
        else:
            sha.update(repr(part).encode())

    add(thing)
    return sha.hexdigest()[:16]


def wine() -> pd.DataFrame:
    """Return the wine table, class included."""
    return load_wine(as_frame=True).frame.rename(columns={"target": "class"})


def narrow() -> pd.DataFrame:
    """Make a table of a number with atoms, three names and a flag."""
    rng = np.random.default_rng(0)
    n = 400
    kind = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    length = np.where(rng.random(n) < 0.3, 0.0, rng.normal(size=n) + (kind == "b"))
    table = pd.DataFrame({"length": length, "kind": kind, "flag": rng.random(n) < 0.4})
    table.loc[::7, "length"] = np.nan
    return table


TABLES: dict[str, tuple[Callable[[], pd.DataFrame], Any]] = {
    "mixed": (lambda: make_mixed_table(400, missing=0.1, random_state=0), "last"),
    "wine": (wine, "class"),
    "narrow": (narrow, "kind"),
}
SETTINGS = {"n_steps": 12, "batch_size": 64, "hidden_dim": 16, "random_state": 0}


def tensors_of(model: Any) -> list[str]:
    """Save a model and return the digests of its tensors, sorted: their names may change.

    A calibration that was never learnt is left out: files of models that have none need not hold
    it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tabgan")
        model.save(path)
        with safe_open(str(path), framework="np") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    idle = {"calibration.offset": 0.0, "calibration.knots": np.linspace(-1.0, 1.0, 257)}
    return sorted(
        digest(tensor)
        for name, tensor in tensors.items()
        if name not in idle or not np.allclose(tensor, idle[name])
    )


def loaded(model: Any) -> Any:
    """Carry a model through a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tabgan")
        model.save(path)
        return tabgan.load(path)


def of_table_model(cls: Any, table: pd.DataFrame, target: str, **more: Any) -> Iterator[Thing]:
    """Yield what a synthesizer of tables makes of one table."""
    settings = {**SETTINGS, **more}
    wants_y = cls in (tabgan.CGANSynthesizer, tabgan.TeachingSynthesizer, tabgan.AAESynthesizer)
    X = table.drop(columns=target) if wants_y else table
    y = table[target] if wants_y else None
    model = cls(**settings).fit(X, y)
    yield "rows", lambda: model.sample(300, random_state=1)
    yield "rows of the stream", lambda: [model.sample(20), model.sample(20)]
    yield "history", lambda: model.history_.drop(columns="seconds")
    yield "score", lambda: model.score(X, y)
    yield "tensors", lambda: tensors_of(model)
    number = next(c for c in X.columns if pd.api.types.is_float_dtype(X[c]))
    some = X[number].quantile([0.3, 0.7]).to_list()
    given = {number: pd.Interval(*some, closed="both")}
    yield "rows on demand", lambda: model.sample(40, random_state=2, conditions=given)
    if wants_y:
        value = y.mode()[0]
        yield "rows of a label", lambda: model.sample(40, random_state=2, conditions=[value] * 40)
    else:
        asked = table[[target]].head(30)
        yield "rows of labels", lambda: model.sample(random_state=3, conditions=asked)
    for name in ("transform", "score_samples", "predict"):
        if hasattr(model, name):
            yield name, lambda name=name: getattr(model, name)(X)
    if hasattr(model, "inverse_transform"):
        yield "inverse", lambda: model.inverse_transform(model.transform(X.head(50)))
    if hasattr(model, "distil"):
        yield "distil", lambda: list(model.distil(random_state=4))
    yield "rows after loading", lambda: loaded(model).sample(100, random_state=5)

    def further() -> Any:
        again = loaded(model).partial_fit(X, y)
        return [again.sample(100, random_state=6), again.history_.drop(columns="seconds")]

    yield "rows after partial_fit", further


def of_array(cls: Any) -> Iterator[Thing]:
    """Yield what a synthesizer makes of an array."""
    X = load_wine().data.astype(np.float32)
    y = load_wine().target
    wants_y = cls in (tabgan.CGANSynthesizer, tabgan.TeachingSynthesizer)
    model = cls(**SETTINGS).fit(X, y if wants_y else None)
    yield "rows of an array", lambda: model.sample(100, random_state=1)


def of_others() -> Iterator[Thing]:
    """Yield what classes make whose `fit` is their own."""
    table = make_mixed_table(400, missing=0.1, random_state=0)
    X, y = table.drop(columns=table.columns[-1]), np.arange(400) % 3
    model = tabgan.DAGANAugmenter(**SETTINGS).fit(X, y)
    yield "DAGAN augment", lambda: list(model.augment(X.head(20), y[:20], n_samples=90))
    yield "DAGAN seeded", lambda: model.augment(X, random_state=1)
    yield "DAGAN tensors", lambda: tensors_of(model)
    yield "DAGAN loaded", lambda: loaded(model).augment(X, random_state=1)
    yield "DAGAN more", lambda: loaded(model).partial_fit(X, y).augment(X, random_state=1)
    gen = tabgan.GenClassClassifier(**SETTINGS).fit(X, y)
    yield "GenClass proba", lambda: gen.predict_proba(X)
    yield "GenClass rows", lambda: gen.generate([0, 1, 2, 2], random_state=1)
    yield "GenClass tensors", lambda: tensors_of(gen)
    attributes = np.eye(4)
    unseen = tabgan.GenClassClassifier(**SETTINGS).fit(X, y, attributes)
    yield "GenClass unseen", lambda: [unseen.predict(X), unseen.generate([3], random_state=0)]
    cycle = tabgan.CycleGANTranslator(**SETTINGS).fit(X[::2], X[1::2])
    yield "CycleGAN there", lambda: cycle.transform(X)
    yield "CycleGAN back", lambda: cycle.inverse_transform(X)
    yield "CycleGAN tensors", lambda: tensors_of(cycle)
    other = X.rename(columns={X.columns[0]: "other"})
    apart = tabgan.CycleGANTranslator(**SETTINGS).fit(X, other)
    yield "CycleGAN apart", lambda: apart.transform(X)
    info = tabgan.InfoGANFeaturizer(**SETTINGS).fit(X)
    yield "InfoGAN codes", lambda: info.sample(30, random_state=0, codes={0: 3, 1: 0.5})
    aae = tabgan.AAESynthesizer(**SETTINGS)
    few = pd.Series(y, dtype="Int64").mask(np.arange(400) % 4 > 0)
    aae.fit(X, few)
    yield "AAE few labels", lambda: [aae.predict(X), aae.sample(50, random_state=0)]
    stop = tabgan.WGANSynthesizer(**{**SETTINGS, "n_steps": 40}, early_stopping=True).fit(X)
    yield "WGAN early stopping", lambda: [stop.sample(50), stop.history_.drop(columns="seconds")]
    clip = tabgan.WGANSynthesizer(**SETTINGS, lipschitz="clip", temperature=None).fit(X)
    yield "WGAN clip", lambda: clip.sample(50)
    columns = [table.columns[1], table.columns[-1]]
    cgan = tabgan.CGANSynthesizer(**SETTINGS, condition_columns=columns).fit(table)
    yield "CGAN columns", lambda: cgan.sample(conditions=table[columns].dropna().head(40))
    plain = tabgan.CGANSynthesizer(**SETTINGS, loss="gan").fit(X, y)
    yield "CGAN gan", lambda: plain.sample(50)
    from tabgan.adversarial import R1, R2, ConsensusOptimization, RelativisticPairing

    r3 = tabgan.GANSynthesizer(**SETTINGS, techniques=[RelativisticPairing(), R1(), R2()]).fit(X)
    yield "R3GAN", lambda: [r3.sample(50), r3.score_samples(X)]
    consensus = tabgan.GANSynthesizer(**SETTINGS, techniques=[ConsensusOptimization()]).fit(X)
    yield "consensus", lambda: consensus.sample(50)
    warm = tabgan.WGANSynthesizer(**SETTINGS, warm_start=True).fit(X)
    yield "warm start", lambda: warm.fit(X).sample(50)


def of_sequences(cls: Any) -> Iterator[Thing]:
    """Yield what a synthesizer of sequences makes."""
    waves = make_waves(60, as_frame=True, random_state=0).frame
    bunch = make_waves(60, random_state=0)
    array, labels = bunch.data[..., None], bunch.target
    settings = {**SETTINGS, "batch_size": 20, "n_steps": 6}
    model = cls(entity="entity", time="time", **settings).fit(waves)
    yield "sequences", lambda: model.sample(8, random_state=1)
    yield "stream", lambda: [model.sample(3), model.sample(3)]
    yield "on demand", lambda: model.sample(5, random_state=2, conditions={"wave": "sine"})
    yield "history", lambda: model.history_.drop(columns="seconds")
    yield "tensors", lambda: tensors_of(model)
    yield "loaded", lambda: loaded(model).sample(5, random_state=3)
    yield "partial_fit", lambda: loaded(model).partial_fit(waves).sample(5, random_state=4)
    if hasattr(model, "score_samples"):
        yield "score_samples", lambda: model.score_samples(waves)
    else:
        latent = np.random.default_rng(0).normal(size=(4, model.latent_dim))
        yield "latent", lambda: model.sample(random_state=0, latent=latent)
    of_array = cls(**settings).fit(array, labels)
    yield "array", lambda: of_array.sample(7, random_state=1)


def of_pipeline() -> Iterator[Thing]:
    """Yield what augments other estimators."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    keep = np.r_[np.arange(59), np.arange(59, 89), np.arange(130, 150)]
    X, y = X.iloc[keep].reset_index(drop=True), y.iloc[keep].reset_index(drop=True)
    model = tabgan.AAESynthesizer(n_steps=5, hidden_dim=16)
    sampler = tabgan.GANSampler(synthesizer=model, random_state=0)
    yield "GANSampler", lambda: list(sampler.fit_resample(X, y))
    classifier = tabgan.AugmentedClassifier(
        LogisticRegression(max_iter=50), model, cv=2, random_state=0
    )
    yield "AugmentedClassifier", lambda: classifier.fit(X, y).predict_proba(X)
    regressor = tabgan.AugmentedRegressor(
        DecisionTreeRegressor(max_depth=3, random_state=0), model, ratio=0.5, random_state=0
    )
    yield "AugmentedRegressor", lambda: regressor.fit(X, X["alcohol"]).predict(X)
    table = narrow()
    yield "augment", lambda: tabgan.augment(table, ratio=0.2, model=model, random_state=0)
    yield "augment balance", lambda: tabgan.augment(table, balance="kind", model=model)[:1]


def everything() -> Iterator[tuple[str, Callable[[], Iterator[Thing]]]]:
    """Yield every case's name and what makes its things."""
    others = ("DAGANAugmenter", "GenClassClassifier", "CycleGANTranslator")
    sequences = ("RCGANSynthesizer", "SeqGANSynthesizer", "SequenceARAESynthesizer")
    for name in tabgan.models.__all__:
        cls = getattr(tabgan.models, name)
        if name in sequences:
            yield name, lambda cls=cls: of_sequences(cls)
        elif name not in others:
            for table, (make, target) in TABLES.items():
                frame = make()
                label = frame.columns[-1] if target == "last" else target
                if name == "CGANSynthesizer" or pd.api.types.is_float_dtype(frame[label]):
                    label = next(c for c in frame if frame[c].dtype.kind not in "f")
                yield (
                    f"{name} {table}",
                    lambda cls=cls, frame=frame, label=label: of_table_model(cls, frame, label),
                )
            yield f"{name} array", lambda cls=cls: of_array(cls)
    yield "others", of_others
    yield "pipeline", of_pipeline


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--compare", type=Path)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    digests: dict[str, str] = {}
    for case, things in everything():
        if arguments.only not in case:
            continue
        try:
            for name, make in things():
                try:
                    digests[f"{case}: {name}"] = digest(make())
                except Exception as error:  # noqa: BLE001
                    digests[f"{case}: {name}"] = f"{type(error).__name__}: {error}"[:200]
        except Exception as error:  # noqa: BLE001
            digests[case] = f"{type(error).__name__}: {error}"[:200]
        print(case, flush=True)
    arguments.out.write_text(json.dumps(digests, indent=1), encoding="utf-8")
    if arguments.compare is None:
        return 0
    before = json.loads(arguments.compare.read_text(encoding="utf-8"))
    wanted = {name: value for name, value in before.items() if arguments.only in name}
    differ = [n for n in {**wanted, **digests} if wanted.get(n) != digests.get(n)]
    for name in differ:
        print(f"differs: {name}: {wanted.get(name)} -> {digests.get(name)}")
    print(f"{len(digests) - len(differ)} of {len(digests)} digests are the same")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
