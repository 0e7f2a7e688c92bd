"""Files of small models, and edits of them that leave the checksum right."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import functools
import json
import re
import tempfile
import warnings
from pathlib import Path

import contract
import contract_sequences
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import safetensors.torch
import torch
from hypothesis import strategies as st
from safetensors import safe_open

import tabgan
from tabgan.adversarial import R1, InstanceNoise
from tabgan.constraints import FixedCombinations, Inequality, Sum, Unique
from tabgan.estimators import files


def rich_table(n=60):
    """Make a table with a column of each kind, an equation, rare categories and an identifier."""
    rng = np.random.default_rng(0)
    price = rng.integers(1, 90, n) / 4
    table = pd.DataFrame(
        {
            "price": price,
            "tax": rng.integers(0, 9, n) / 4,
            "kind": rng.choice(["a", "b\0c", "ü"], n),
            "code": [f"c{i % 23}" for i in range(n)],
            "flag": rng.random(n) < 0.3,
            "day": [datetime.date(2020, 1, int(d)) for d in rng.integers(1, 29, n)],
            "zone": pd.Timestamp("2020-03-01", tz="Europe/Oslo")
            + pd.to_timedelta(rng.integers(0, 99, n), "h"),
            "grade": pd.Categorical(rng.choice(["lo", "hi"], n), ["lo", "hi", "no"], ordered=True),
            "id": [f"row {i:03d}" for i in range(n)],
            "count": pd.array(rng.integers(0, 5, n), dtype="Int64"),
        }
    )
    table["total"] = table["price"] + table["tax"]
    table.loc[::7, "count"] = None
    table.loc[::9, "kind"] = None
    return table


def ruled_table(n=60):
    rng = np.random.default_rng(0)
    start = rng.integers(0, 50, n)
    parts = rng.integers(0, 9, (n, 2))
    return pd.DataFrame(
        {
            "start": start,
            "end": start + rng.integers(0, 9, n),
            "one": parts[:, 0],
            "two": parts[:, 1],
            "sum": parts.sum(axis=1),
            "make": np.array(["x", "y"])[rng.integers(0, 2, n)],
            "type": "t",
            "key": np.arange(n),
        }
    )


def _rules():
    return [
        Inequality("start", "end"),
        Sum("sum", ("one", "two")),
        FixedCombinations(["make", "type"]),
        Unique("key"),
    ]


TINY = {"n_steps": 1, "hidden_dim": 4, "batch_size": 16, "random_state": 0}

MAKERS = {
    "autoregressive": lambda: tabgan.AutoregressiveSynthesizer(
        **TINY, max_categories=8, acceptance_rounds=0
    ).fit(rich_table()),
    "wgan": lambda: tabgan.WGANSynthesizer(
        **TINY, latent_dim=2, acceptance_rounds=1, techniques=[R1(), InstanceNoise()]
    ).fit(contract.narrow_table(220)),
    "gan with rules": lambda: tabgan.GANSynthesizer(**TINY, latent_dim=2, constraints=_rules()).fit(
        ruled_table()
    ),
    "cgan": lambda: tabgan.CGANSynthesizer(
        **TINY, latent_dim=2, acceptance_rounds=0, condition_columns=["kind", "length"]
    ).fit(contract.narrow_table()),
    "aae, array": lambda: tabgan.AAESynthesizer(
        **TINY, latent_dim=2, acceptance_rounds=0, decoder="joint"
    ).fit(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2),
    "infogan, polars": lambda: tabgan.InfoGANFeaturizer(
        **TINY, latent_dim=2, decoder="joint", early_stopping=False, acceptance_rounds=0
    ).fit(
        pl.DataFrame({"x": [1, 2, 3, 4] * 9, "e": ["a", "b", None, "a"] * 9}).with_columns(
            pl.col("e").cast(pl.Enum(["a", "b"])), t=pl.datetime(2020, 1, 1, time_unit="us")
        )
    ),
    "lsgan, arrow": lambda: tabgan.LSGANSynthesizer(**TINY, latent_dim=2).fit(
        pa.table(
            {"x": pa.array([1, 2, 3] * 9, pa.int8()), "d": pa.array([0, 1, 2] * 9, pa.date32())}
        )
    ),
    "cyclegan": lambda: tabgan.CycleGANTranslator(**TINY).fit(
        contract.narrow_table(), contract.narrow_table()[["flag", "length"]]
    ),
    "dagan": lambda: tabgan.DAGANAugmenter(**TINY, latent_dim=2).fit(
        contract.narrow_table(), np.arange(60) % 3
    ),
    "denoising": lambda: tabgan.DenoisingFeaturizer(**TINY).fit(contract.narrow_table()),
    "dp": lambda: tabgan.DPSynthesizer(n_steps=1, hidden_dim=4, random_state=0, epsilon=50.0).fit(
        contract.narrow_table()
    ),
    "gain": lambda: tabgan.GAINImputer(**TINY).fit(contract.narrow_table()),
    "genclass": lambda: tabgan.GenClassClassifier(**TINY, latent_dim=2).fit(
        contract.narrow_table(), np.array(["u", "v", "w"], dtype=object)[np.arange(60) % 3]
    ),
    "imputer": lambda: tabgan.SynthesizerImputer(
        tabgan.AutoregressiveSynthesizer(**TINY, acceptance_rounds=0), random_state=0
    ).fit(contract.narrow_table()),
    "rcgan": lambda: contract_sequences.fit_small(
        tabgan.RCGANSynthesizer, contract_sequences.long_table(12, 3), n_steps=1
    ),
    "seqgan, array": lambda: tabgan.SeqGANSynthesizer(**TINY).fit(
        np.random.default_rng(0).integers(0, 3, (12, 4, 1))
    ),
}


def write(path, document, tensors, **metadata):
    """Write a file with a checksum that fits; what is told of the metadata replaces it."""
    text = document if isinstance(document, str) else json.dumps(document)
    text = re.sub('"@nested ([a-z]+) ([0-9]+)"', nested, text)
    whole = {"tabgan": text, "format": str(files.FORMAT)} | metadata
    whole = {name: value for name, value in whole.items() if value is not None}
    if "checksum" not in metadata:
        whole["checksum"] = files.checksum(whole, tensors)
    content = safetensors.torch.save(tensors, {k: v for k, v in whole.items() if v is not None})
    path.write_bytes(content)
    return content


def read(path):
    """Read the document and the tensors of a file."""
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}
        return json.loads(file.metadata()["tabgan"]), tensors


@functools.cache
def model_file(name):
    """Return the document, the tensors and the bytes of a small model's file."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.tabgan"
        MAKERS[name]().save(path, card={"licence": "CC0", "scores": {"shape": 0.5}})
        return (*read(path), path.read_bytes())


def use(model):
    """Do with a loaded model what it is for, in rows few enough to be quick."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(model, "augment"):
            y = pd.Series(np.arange(60) % 3)
            made = model.augment(contract.narrow_table(), y, n_samples=4, random_state=0)
            return [made[0] if isinstance(made, tuple) else made]
        if isinstance(model, tabgan.CycleGANTranslator):
            return [model.transform(contract.narrow_table().head(3))]
        if hasattr(model, "predict_proba") and not hasattr(model, "sample"):
            return [model.predict_proba(contract.narrow_table().head(3))]
        if hasattr(model, "add_indicator"):
            return [model.transform(contract.narrow_table().head(8))]
        if not hasattr(model, "sample"):
            return [model.transform(contract.narrow_table().head(3))]
        return [model.sample(5, random_state=0), model.sample(3)]


# ---------------------------------------------------------------------- edits


def places(value, path=()):
    """List the places in a document, the document itself left out."""
    found = []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            found.append((*path, key))
            found += places(each, (*path, key))
    return found


def at(value, path):
    for key in path:
        value = value[key]
    return value


@functools.cache
def places_of(name):
    """List the places of a file's document; of long lists of numbers, the first few alone."""
    document = model_file(name)[0]

    def counts(path):
        is_first = not isinstance(path[-1], int) or path[-1] < 4
        return is_first or isinstance(at(document, path), list | dict)

    return [path for path in places(document) if counts(path)]


def nested(found):
    """Write the JSON text of lists, tuples or dicts within each other, too deep for objects."""
    kind, depth = found.groups()
    before, after = {
        "list": ("[", "]"),
        "tuple": ('{"type": "tuple", "value": [', "]}"),
        "dict": ('{"type": "dict", "value": [[1, ', "]]}"),
    }[kind]
    return before * int(depth) + "1" + after * int(depth)


KINDS = [
    *("float", "NaT", "Timestamp", "Timedelta", "datetime", "date", "time", "timedelta", "bytes"),
    *("Decimal", "tuple", "dict", "array", "Period", "Interval", "CategoricalColumn", "R1", "Sum"),
    *("NumericColumn", "IdentifierColumn", "QuantileTable", "Header", "Predicate", "eval", "type"),
]
SIMPLE = st.one_of(
    st.sampled_from([None, True, False, 0, 1, -1, 2, 7, 1.5, -0.5, 1e-300, 1e300, 2**31, 2**63]),
    st.sampled_from([10**7, 10**30, -(10**18), 10**400, float("nan"), float("inf"), -float("inf")]),
    st.sampled_from(["", "x", "a", "float64", "object", "int8", "category", "U99999999", "warn"]),
    st.sampled_from(["__class__", "os.system", "sample", "_core", "cuda:7", "meta", "read_csv"]),
    st.sampled_from(["datetime64[ns, dateutil//etc/passwd]", "arrow:AAAA", "NaN", "\0", "\ud800"]),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=5),
)
TAGGED = st.builds(
    lambda kind, value, dtype: {"type": kind, "value": value, "dtype": dtype},
    st.sampled_from(KINDS),
    st.one_of(SIMPLE, st.lists(SIMPLE, max_size=3), st.just([[1, 2]])),
    st.sampled_from(["float64", "object", "U99999999", "V1000000000", "int64", "M8[ns]", "x", 3]),
)
DEEP = st.builds(
    "@nested {} {}".format,
    st.sampled_from(["list", "tuple", "dict"]),
    st.sampled_from([5, 40, 900, 5000]),
)
VALUES = st.one_of(
    SIMPLE, SIMPLE, TAGGED, DEEP, st.lists(SIMPLE, max_size=3), st.just({}), st.just([])
)


@dataclasses.dataclass
class Edited:
    """A file with edits, which are listed in short."""

    name: str
    document: object = dataclasses.field(repr=False)
    tensors: dict = dataclasses.field(repr=False)
    edits: list = dataclasses.field(default_factory=list)
    metadata: dict = dataclasses.field(default_factory=dict)

    def write(self, path):
        write(path, self.document, self.tensors, **self.metadata)


@dataclasses.dataclass
class Damaged:
    """The bytes of a file with damage, which is described in short."""

    name: str
    content: bytes = dataclasses.field(repr=False)
    what: tuple = ()

    def write(self, path):
        path.write_bytes(self.content)


@st.composite
def edited_documents(draw, name):
    """Draw a document in which one to three places were changed."""
    document, tensors, _ = model_file(name)
    document, edits = copy.deepcopy(document), []
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        known = places_of(name)
        path = draw(st.sampled_from(known))
        try:
            parent, key = at(document, path[:-1]), path[-1]
            old = parent[key]
        except (KeyError, IndexError, TypeError):
            continue
        if not isinstance(parent, dict | list):
            continue
        way = draw(st.sampled_from(["value", "value", "value", "near", "delete", "other", "more"]))
        edits.append((path, way, repr(old)[:40]))
        if way == "value":
            parent[key] = draw(VALUES)
            edits[-1] += (repr(parent[key])[:80],)
        elif way == "near":
            parent[key] = draw(near(old))
            edits[-1] += (repr(parent[key])[:80],)
        elif way == "delete":
            del parent[key]
        elif way == "other":
            parent[key] = copy.deepcopy(at(model_file(name)[0], draw(st.sampled_from(known))))
            edits[-1] += (repr(parent[key])[:80],)
        elif isinstance(parent, list):
            parent.insert(key, copy.deepcopy(old))
        else:
            parent[draw(st.sampled_from(["type", "value", "dtype", "held", "more"]))] = draw(VALUES)
    return Edited(name, document, tensors, edits)


def near(value):
    """Return values like one that is there, but another."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int):
        return st.sampled_from([value + 1, value - 1, -value, 9 * value, value * 10**6, str(value)])
    if isinstance(value, float):
        return st.sampled_from([value * 1.01, -value, value + 1, value * 1e9, str(value)])
    if isinstance(value, str):
        return st.sampled_from([value + "x", value[:-1], value.upper(), value * 50, f"{value}\0"])
    if isinstance(value, list) and value:
        return st.sampled_from([value[:-1], value[::-1], value * 2, value[1:], [value], value[0]])
    return VALUES


@st.composite
def edited_tensors(draw, name):
    """Draw tensors of which some lack, are renamed, or are of other shapes, dtypes or values."""
    document, tensors, _ = model_file(name)
    tensors, edits = dict(tensors), []
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        key = draw(st.sampled_from(sorted(tensors)))
        old = tensors[key]
        ways = ["drop", "rename", "add", "shape", "dtype", "fill", "swap", "bit", "bit"]
        way = draw(st.sampled_from(ways))
        edits.append((key, way))
        if way == "drop" and len(tensors) > 1:
            del tensors[key]
        elif way == "rename":
            tensors[draw(st.sampled_from([f"{key}x", key[1:], "x", f"optimizer.{key}", ""]))] = (
                tensors.pop(key)
            )
        elif way == "add":
            tensors[draw(st.sampled_from(["x", f"{key}.x", "optimizer.generator.99.step"]))] = old
        elif way == "shape":
            shapes = [old[None], old.flatten(), torch.cat([old.flatten()] * 2), old.flatten()[:-1]]
            tensors[key] = draw(st.sampled_from([*shapes, old.new_zeros(0), old.new_zeros(3, 3)]))
        elif way == "dtype":
            dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool]
            tensors[key] = old.to(draw(st.sampled_from(dtypes)))
        elif way == "fill":
            number = draw(st.sampled_from([float("nan"), float("inf"), -1, 0, 1, 100, 1e30, -1e38]))
            edits[-1] += (number,)
            try:
                tensors[key] = torch.full_like(old, number)
            except (RuntimeError, OverflowError, ValueError):
                tensors[key] = torch.full_like(old, 1)
        elif way == "swap":
            other = draw(st.sampled_from(sorted(tensors)))
            tensors[key], tensors[other] = tensors[other], old
        elif old.numel():
            flat = old.clone().flatten()
            raw = flat.view(torch.uint8)
            raw[draw(st.integers(0, len(raw) - 1))] ^= 1 << draw(st.integers(0, 7))
            tensors[key] = flat.reshape(old.shape)
    tensors = {k: v.contiguous().clone() for k, v in tensors.items()}
    return Edited(name, document, tensors, edits)


@st.composite
def edited_metadata(draw, name):
    """Draw a file whose format, checksum or text is not what it should be."""
    document, tensors, _ = model_file(name)
    what = draw(st.sampled_from(["format", "checksum", "text"]))
    if what == "text":
        text = draw(
            st.one_of(
                st.sampled_from(
                    ["", "{", "[]", "null", "1", '"x"', "[" * 100_000, "{}{}", "\ud800"]
                ),
                st.sampled_from(['{"a":' * 50_000, "9" * 5000, '{"class": "R1"}', "NaN", "-"]),
                st.text(max_size=20),
            )
        )
        text = text.encode("utf-8", "replace").decode()
        return Edited(name, text, tensors, [text[:40]])
    values = ["", "abc", "-1", "0", "01", "1.0", "1 ", " 1", "²", "١", "99", "9" * 400, "1e3", None]
    value = draw(st.sampled_from(values))
    return Edited(name, document, tensors, [], {what: value})


def edits(name):
    """Return edits of every kind of one model's file, each with a checksum that fits."""
    parts = [edited_documents(name)] * 5 + [edited_tensors(name)] * 2 + [edited_metadata(name)]
    return st.one_of(*parts)


@st.composite
def damaged_bytes(draw, name):
    """Draw the bytes of a file that was cut, or that has other bits, or more at its end."""
    content = model_file(name)[2]
    way = draw(st.sampled_from(["cut", "flip", "more", "start"]))
    place = draw(st.one_of(st.integers(0, len(content) - 1), st.integers(0, 6000)))
    place %= len(content)
    if way == "cut":
        return Damaged(name, content[:place], (way, place))
    if way == "more":
        return Damaged(name, content + draw(st.binary(min_size=1, max_size=9)), (way,))
    if way == "start":
        return Damaged(name, draw(st.binary(max_size=16)) + content[8:], (way,))
    damaged = bytearray(content)
    damaged[place] ^= 1 << draw(st.integers(0, 7))
    return Damaged(name, bytes(damaged), (way, place))


@st.composite
def corruptions(draw, names=tuple(MAKERS)):
    """Draw a corrupt file of one of some models."""
    name = draw(st.sampled_from(names))
    return draw(damaged_bytes(name) if draw(st.integers(0, 9)) == 0 else edits(name))
