"""Files that were damaged or edited: an error that names the file, or a model that works."""

from __future__ import annotations

import copy

import corruptions
import pytest
import torch
from contract import says
from corruptions import MAKERS
from hypothesis import HealthCheck, Phase, given, settings
from torch.utils._python_dispatch import TorchDispatchMode

import tabgan
from tabgan import ModelFileError
from tabgan.estimators.restoring import SPARE_BYTES

quietly = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("models") / "model.tabgan"


@pytest.mark.parametrize("name", MAKERS)
def test_whole_files_are_read(name, path):
    document, tensors, _ = corruptions.model_file(name)
    corruptions.write(path, document, tensors)
    assert not corruptions.loads_or_refuses(path)


QUICK = (
    "cgan",
    "denoising",
    "gain",
    "gan with rules",
    "imputer",
    "infogan, polars",
    "seqgan, array",
)


@settings(quietly, max_examples=500)
@given(file=corruptions.corruptions(QUICK))
def test_500_corruptions(path, file):
    file.write(path)
    corruptions.loads_or_refuses(path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(quietly, max_examples=10_000)
@given(file=corruptions.corruptions())
def test_10_000_corruptions(path, file):
    file.write(path)
    corruptions.loads_or_refuses(path)


# ---------------------------------------------------------------------- single edits, by name


def refused(path, name, told, edit=None, tensor=None, **metadata):
    """Check that a file is refused with this error, after an edit of its document or a tensor."""
    document, tensors, _ = corruptions.model_file(name)
    document, tensors = copy.deepcopy(document), dict(tensors)
    if edit is not None:
        edit(document)
    if tensor is not None:
        key = next(key for key in sorted(tensors) if key.startswith("game."))
        tensors[key] = tensor(tensors[key])
    corruptions.write(path, document, tensors, **metadata)
    with pytest.raises(ModelFileError, match=says(f"{str(path)!r} {told}")) as raised:
        tabgan.load(path)
    assert isinstance(raised.value, ValueError)


def parameters(**values):
    """Return an edit of parameters."""

    def edit(document):
        pairs = document["parameters"]["value"]
        assert set(values) <= {key for key, _ in pairs}
        pairs[:] = [[key, values.get(key, value)] for key, value in pairs]

    return edit


NO_MODEL = "holds no model that can be used ({}); save the model again."


@pytest.mark.parametrize("written", ["abc", "-1", "0", "01", "1.0", "", "١"])
def test_formats_that_are_none(path, written):
    refused(path, "denoising", f"has format {written!r}, which is none.", format=written)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(path, value):
    def edit(weight):
        weight = weight.clone()
        weight.view(-1)[0] = value
        return weight

    told = NO_MODEL.format("tensor game... has 1 entries that are not finite")
    refused(path, "denoising", told, tensor=edit)


def test_weights_of_another_shape_or_dtype(path):
    told = NO_MODEL.format("tensor game... is of shape ..., instead of ...")
    refused(path, "denoising", told, tensor=lambda weight: weight[:-1].clone())
    refused(path, "denoising", told, tensor=lambda weight: weight.double())


@pytest.mark.parametrize("name", MAKERS)
def test_networks_larger_than_the_file_are_not_built(path, name):
    """The largest tensor that was created, ten million hidden units wide, would take far more."""

    class Largest(TorchDispatchMode):
        n_bytes = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            made = func(*args, **(kwargs or {}))
            if isinstance(made, torch.Tensor) and made.device.type == "cpu":
                self.n_bytes = max(self.n_bytes, made.untyped_storage().nbytes())
            return made

    def edit(document):
        parameters(hidden_dim=10**7)(document.get("held", document))

    told = NO_MODEL.format("its networks are larger than the tensors that it holds")
    with Largest() as largest:
        refused(path, name, told, edit)
    n_bytes = sum(tensor.nbytes for tensor in corruptions.model_file(name)[1].values())
    assert largest.n_bytes <= n_bytes + SPARE_BYTES


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"batch_size": -5}, "batch_size must be a positive integer, got -5"),
        ({"hidden_dim": "wide"}, "hidden_dim must be a positive integer, got 'wide'"),
        ({"callbacks": ["print"]}, "callbacks are code, which no file holds"),
        ({"swap_rate": {"type": "eval", "value": "1"}}, "'eval' is no kind of value"),
        (
            {"random_state": {"type": "array", "dtype": "U9999999", "value": ["x"]}},
            "... no dtype ...",
        ),
    ],
)
def test_parameters_that_no_model_takes(path, values, told):
    refused(path, "denoising", NO_MODEL.format(told), parameters(**values))


def test_functions_of_polars_are_no_dtypes(path):
    """A name of a dtype from a file is looked up in polars, which has functions that read files."""

    def edit(document):
        state = dict(document["state"]["value"])
        form = dict(state["formats"]["value"])["_format"][1]
        columns = dict(form["value"])["columns"]
        inner = [["type", "dict"], ["value", [["source", "/etc/passwd"]]]]
        columns[0] = ["read_csv", {"type": "dict", "value": inner}]

    told = NO_MODEL.format("['read_csv', {'source': '/etc/passwd'}] is no dtype of polars")
    refused(path, "infogan, polars", told, edit)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("missing_rate", 1.5, "its missing rate is 1.5"),
        ("decimals", 10**9, "it has 1000000000 decimals"),
        ("step", 0, "its steps are negative"),
        ("dtype", "datetime64[ns, dateutil//etc/passwd]", "...is no name of a time zone"),
    ],
)
def test_columns_that_no_table_has(path, field, value, told):
    def edit(document):
        document["schemas"]["schema_"]["columns"][0]["value"][field] = value

    refused(path, "denoising", NO_MODEL.format(f"column 'length': {told}"), edit)


@pytest.mark.parametrize("length", [0, 10**9])
def test_sequences_of_no_length(path, length):
    def edit(document):
        (column,) = document["schemas"]["given_schema_"]["columns"]
        table = column["value"]["table"]["value"]
        column["value"]["origin"] = length
        table["low"]["value"], table["high"]["value"] = [0.0], [0.0]

    told = NO_MODEL.format(f"sequences have from {length} to {length} steps")
    refused(path, "seqgan, array", told, edit)


@pytest.mark.parametrize(("name", "label"), [("seqgan, array", False), ("aae, array", True)])
def test_labels_that_only_equal_those_of_the_table(path, name, label):
    def edit(document):
        state = dict(document["state"]["value"])
        form = dict(state["formats"]["value"])["_format"][1]
        dict(form["value"])["labels"][int(label)] = label

    refused(path, name, NO_MODEL.format(f"nothing is known of column {label}"), edit)


@pytest.mark.parametrize("name", ["gain", "imputer"])
def test_names_of_features_of_another_table(path, name):
    def edit(document):
        dict(document["state"]["value"])["feature_names_in_"][0] = "width"

    told = NO_MODEL.format("the columns of the table are those of another table")
    refused(path, name, told, edit)


def test_labels_and_histograms_of_another_table(path):
    def edit(document):
        state = dict(document["state"]["value"])
        dict(state["combinations"]["value"])["counts"]["value"][0] = -1

    told = NO_MODEL.format("the histogram of conditions is not one of these columns")
    refused(path, "cgan", told, edit)


def test_errors_are_short(path):
    def edit(document):
        document["version"] = "9" * 10**6
        document["class"] = "R1" * 10**6

    told = "holds a R1..., which this version of tabgan lacks; upgrade sklearn-tabgan."
    refused(path, "denoising", told, edit)


@pytest.mark.parametrize("statics", [["arrow:AAAA", "age"], ["age"], ["age", "age"], ["length"]])
def test_columns_of_entities_that_are_none(path, statics):
    def edit(document):
        state = dict(document["state"]["value"])
        form = dict(dict(state["formats"]["value"])["_sequence_format"][1]["value"])
        dict(form["statics"]["value"])["value"][:] = statics

    refused(path, "rcgan", NO_MODEL.format("nothing is known of column ..."), edit)
