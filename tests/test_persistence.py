"""Files of fitted models: nothing is lost, nothing is executed, nothing damaged is accepted."""

from __future__ import annotations

import datetime
import decimal
import json
import pickle
import struct

import contract
import numpy as np
import pandas as pd
import pytest
import torch
from contract import every_synthesizer, fit_small, narrow_table, says
from safetensors import safe_open
from safetensors.torch import save_file

import tabgan
from tabgan.estimators import files

CHANGED = "{path!r} was changed after it was written: its checksum is wrong. Save the model again."
FOREIGN = "{path!r} is not a tabgan model, or is truncated (...)."


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Bytes of a small model's file."""
    path = tmp_path_factory.mktemp("models") / "model.tabgan"
    contract.fitted(tabgan.WGANSynthesizer).save(path)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.tabgan"


def header_of(content):
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def with_header(header, tensors):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def refuses(path, content, told):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says(told.replace("{path!r}", repr(str(path))))):
        tabgan.load(path)


# ---------------------------------------------------------------------- what the file is


@every_synthesizer
def test_file_holds_json_and_numbers_alone(cls, path):
    contract.fitted(cls).save(str(path))
    content = path.read_bytes()
    header, tensors = header_of(content)
    document = json.loads(header["__metadata__"]["tabgan"])
    assert document["class"] == cls.__name__
    assert header["__metadata__"]["format"] == str(files.FORMAT)
    with safe_open(path, framework="pt") as file:
        sizes = [file.get_tensor(name).nbytes for name in file.keys()]
    assert sum(sizes) == len(tensors)


@every_synthesizer
def test_nothing_is_unpickled(cls, path, monkeypatch):
    contract.fitted(cls).save(path)

    def forbidden(*args, **kwargs):
        raise AssertionError("a pickle was opened")

    for module, name in ((pickle, "load"), (pickle, "loads"), (torch, "load")):
        monkeypatch.setattr(module, name, forbidden)
    assert len(tabgan.load(path).sample(3)) == 3


@every_synthesizer
def test_saving_changes_nothing(cls, path):
    synthesizer = contract.carry_by_pickle(contract.fitted(cls))
    expected = contract.carry_by_pickle(synthesizer).partial_fit(narrow_table()).sample(9)
    synthesizer.save(path)
    tabgan.load(path).partial_fit(narrow_table())
    made = synthesizer.partial_fit(narrow_table()).sample(9)
    pd.testing.assert_frame_equal(made, expected, check_exact=True)


def test_saving_replaces_what_was_there(path, whole):
    path.write_bytes(10 * whole)
    contract.fitted(tabgan.GANSynthesizer).save(path)
    assert type(tabgan.load(path)) is tabgan.GANSynthesizer


def test_device_of_loading(path, whole):
    path.write_bytes(whole)
    assert tabgan.load(path).device == "auto"
    assert tabgan.load(path, device="cpu").device == "cpu"
    told = 'device is \'warp\', which is not available here (...); use "auto" or "cpu".'
    with pytest.raises(ValueError, match=says(told)):
        tabgan.load(path, device="warp")


# ---------------------------------------------------------------------- damaged and foreign files


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.tabgan", tmp_path):
        with pytest.raises(
            FileNotFoundError, match=says(f"path is {str(path)!r}, which is not a file.")
        ):
            tabgan.load(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated_file(path, whole, share):
    refuses(path, whole[: int(share * len(whole))], FOREIGN)


def test_file_with_something_behind_it(path, whole):
    refuses(path, whole + b"more", FOREIGN)


def test_foreign_files(path, tmp_path):
    refuses(path, pickle.dumps({"a": 1}), FOREIGN)
    refuses(path, pickle.dumps(contract.fitted(tabgan.GANSynthesizer)), FOREIGN)
    refuses(path, b"a,b\n1,2\n" * 100, FOREIGN)
    torch.save({"weight": torch.zeros(3)}, path)
    refuses(path, path.read_bytes(), FOREIGN)
    save_file({"weight": torch.zeros(3)}, path)
    refuses(path, path.read_bytes(), "{path!r} is a safetensors file but not a tabgan model.")
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    refuses(path, path.read_bytes(), "{path!r} is a safetensors file but not a tabgan model.")


def test_every_byte_counts(path, whole):
    """One bit flipped anywhere: in the header's 180 evenly spaced places, and in tensors."""
    (length,) = struct.unpack("<Q", whole[:8])
    text = whole[8 : 8 + length].rstrip()
    header_places = range(8, 8 + len(text), max(1, len(text) // 180))
    tensor_places = range(8 + length, len(whole), (len(whole) - length) // 20)
    for place in [*range(8), *header_places, *tensor_places, len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"model.tabgan' (is|was|has) "):
            tabgan.load(path)


def test_edited_header(path, whole):
    header, tensors = header_of(whole)
    document = header["__metadata__"]["tabgan"]
    assert '"flag"' in document
    edited = {**header["__metadata__"], "tabgan": document.replace('"flag"', '"flog"')}
    refuses(path, with_header({**header, "__metadata__": edited}, tensors), CHANGED)
    for part in ("checksum", "format"):
        edited = {k: v for k, v in header["__metadata__"].items() if k != part}
        refuses(path, with_header({**header, "__metadata__": edited}, tensors), CHANGED)
    matrix = next(k for k, v in header.items() if k.startswith("game.") and len(v["shape"]) == 2)
    for edit in ({"shape": header[matrix]["shape"][::-1]}, {"dtype": "I32"}):
        edited = {**header, matrix: {**header[matrix], **edit}}
        refuses(path, with_header(edited, tensors), CHANGED)
    first, second = [k for k in header if k.endswith("inward.bias")][:2]
    edited = {**header, first: header[second], second: header[first]}
    refuses(path, with_header(edited, tensors), CHANGED)


def test_newer_format(path, whole):
    header, tensors = header_of(whole)
    header["__metadata__"]["format"] = "99"
    told = (
        "{path!r} has format 99, and this version of tabgan reads up to "
        f"{files.FORMAT}; upgrade sklearn-tabgan."
    )
    refuses(path, with_header(header, tensors), told)


def rewritten(path, whole, edit):
    """Bytes of the same model with another document, and a checksum that fits."""
    header, tensors = header_of(whole)
    document = json.loads(header["__metadata__"]["tabgan"])
    edit(document)
    metadata = {"tabgan": json.dumps(document), "format": str(files.FORMAT)}
    path.write_bytes(whole)
    with safe_open(path, framework="pt") as file:
        loaded = {key: file.get_tensor(key) for key in file.keys()}
    metadata["checksum"] = files.checksum(metadata, loaded)
    return with_header({**header, "__metadata__": metadata}, tensors)


@pytest.mark.parametrize("name", ["NoSuchSynthesizer", "load", "base", "__builtins__"])
def test_class_that_is_not_a_model(path, whole, name):
    """Even with a checksum that fits."""
    content = rewritten(path, whole, lambda document: document.update({"class": name}))
    told = f"{{path!r}} holds a {name}, which this version of tabgan lacks; upgrade sklearn-tabgan."
    refuses(path, content, told)


def test_model_of_another_version(path, whole):
    def edit(document):
        document["version"] = "0.0.7"
        document["parameters"]["value"].append(["of_old", 1])

    told = (
        "{path!r} was written by sklearn-tabgan 0.0.7, and this version cannot read it "
        "(...'of_old'...); use that one, or fit again."
    )
    refuses(path, rewritten(path, whole, edit), told)


# ---------------------------------------------------------------------- what cannot be saved


def test_where_nothing_can_be_written(tmp_path):
    synthesizer = contract.fitted(tabgan.WGANSynthesizer)
    for path in (tmp_path / "no" / "model.tabgan", tmp_path):
        with pytest.raises(OSError, match=says(f"{str(path)!r} could not be written (...).")):
            synthesizer.save(path)


def test_objects_are_left_out_with_a_warning(path):
    synthesizer = fit_small(
        tabgan.WGANSynthesizer,
        narrow_table(),
        random_state=np.random.RandomState(0),
        callbacks=[lambda training: None],
    )
    with pytest.warns(UserWarning) as warned:
        synthesizer.save(path)
    assert [str(each.message) for each in warned] == [
        f"{name} holds objects and is saved as None; set it again after loading."
        for name in ("callbacks", "random_state")
    ]
    assert {each.filename for each in warned} == {__file__}
    loaded = tabgan.load(path)
    assert loaded.callbacks is loaded.random_state is None
    assert loaded.sample(9).equals(synthesizer.sample(9))


@pytest.mark.parametrize("name", ["hidden_dim", "n_critic", "learning_rate"])
def test_parameters_changed_after_fit(path, name):
    """A file that could not be loaded again is not written."""
    synthesizer = contract.carry_by_pickle(contract.fitted(tabgan.WGANSynthesizer))
    before = synthesizer.get_params()[name]
    synthesizer.set_params(**{name: 1})
    if name == "learning_rate":
        synthesizer.save(path)
        assert tabgan.load(path).learning_rate == 1
        return
    told = (
        f"{name} was {before} when WGANSynthesizer was fitted and is 1 now, but it shapes what was "
        "built; set it back, or fit anew."
    )
    with pytest.raises(ValueError, match=says(told)):
        synthesizer.save(path)
    assert not path.exists()


def test_classes_of_others(path):
    class Own(tabgan.WGANSynthesizer):
        pass

    told = "Own is not a class of tabgan.models, and has no file format; pickle it."
    with pytest.raises(TypeError, match=says(told)):
        fit_small(Own, narrow_table()).save(path)


def test_values_without_a_json_form(path):
    table = pd.DataFrame({"c": pd.Series([object(), object()] * 5, dtype=object)})
    synthesizer = fit_small(tabgan.WGANSynthesizer, table)
    told = (
        "<object object at ...> of type object has no JSON form; convert such values to strings "
        "or numbers, or use pickle."
    )
    with pytest.raises(TypeError, match=says(told)):
        synthesizer.save(path)


# ---------------------------------------------------------------------- odd labels and values

ODD = {
    "dates": [datetime.date(2020, 2, 29), datetime.date(1, 1, 1)],
    "decimals": [decimal.Decimal("1.10"), decimal.Decimal("-2.00")],
    "tuples": [("a", 1), ("b", (2, None))],
    "numbers and text": [1, "1"],
    "floats and text": [1.5, "1.5"],
    "flags and text": [True, "True"],
    "intervals": [pd.Interval(0, 1), pd.Interval(1.5, 2.5, closed="both")],
    "periods": [pd.Period("2020-01", "M"), pd.Period("2020-02", "M")],
    "times": [pd.Timestamp("2020-01-01", tz="Europe/Berlin"), "never"],
    "unicode": ["\x00\n\"'", "👩‍👩‍👧 \u2028"],
    "long": [-(10**30), "x"],
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_categories_survive(path, kind):
    table = pd.DataFrame({"c": pd.Series(ODD[kind] * 20, dtype=object)})
    synthesizer = fit_small(tabgan.WGANSynthesizer, table)
    synthesizer.save(path)
    made, again = synthesizer.sample(60), tabgan.load(path).sample(60)
    assert made["c"].tolist() == again["c"].tolist()
    assert made["c"].map(type).tolist() == again["c"].map(type).tolist()
    assert {repr(value) for value in again["c"]} == {repr(value) for value in ODD[kind]}


def test_odd_labels_survive(path):
    labels = [1, "1", 2.5, ("a", 1), datetime.date(2020, 1, 1), pd.Timestamp("2020-01-01"), ""]
    table = pd.DataFrame({i: narrow_table()["kind"] for i in range(len(labels))})
    table.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    synthesizer = fit_small(tabgan.WGANSynthesizer, table)
    synthesizer.save(path)
    again = tabgan.load(path).sample(9)
    pd.testing.assert_frame_equal(again, synthesizer.sample(9))
    assert [type(label) for label in again.columns] == [type(label) for label in labels]


def test_every_kind_of_column_survives(path):
    synthesizer = contract.carry_by_pickle(contract.fitted(tabgan.WGANSynthesizer, "every kind"))
    synthesizer.save(path)
    made = synthesizer.sample(50)
    pd.testing.assert_frame_equal(tabgan.load(path).sample(50), made, check_exact=True)


@pytest.mark.parametrize(
    "value", [["kind"], ("kind",), np.array([False, True, False]), pd.Index(["kind"])]
)
def test_parameters_in_any_form(path, value):
    synthesizer = fit_small(tabgan.WGANSynthesizer, narrow_table(), categorical_features=value)
    synthesizer.save(path)
    assert list(tabgan.load(path).categorical_features) == list(value)


def test_array_in_array_out_after_loading(path):
    array = np.random.default_rng(0).integers(0, 9, (50, 2)).astype(np.float32)
    synthesizer = fit_small(tabgan.WGANSynthesizer, array)
    synthesizer.save(path)
    made = tabgan.load(path).sample(9)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, synthesizer.sample(9))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_synthesizer
def test_models_move_between_devices(cls, path):
    synthesizer = fit_small(cls, narrow_table(), device="cuda")
    synthesizer.save(path)
    expected = torch.cat([p.flatten().cpu() for p in synthesizer._core.game.parameters()])
    for device in ("cpu", "cuda"):
        moved = tabgan.load(path, device=device)
        weights = torch.cat([p.flatten() for p in moved._core.game.parameters()])
        assert weights.device.type == device
        assert torch.equal(weights.cpu(), expected)
        assert len(moved.partial_fit(narrow_table()).sample(5, conditions={"kind": "a"})) == 5
