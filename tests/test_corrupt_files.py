"""Files that were damaged or edited: an error that names the file, or a model that works."""

from __future__ import annotations

import warnings

import corruptions
import pytest
from corruptions import MAKERS
from hypothesis import HealthCheck, Phase, given, settings

import tabgan
from tabgan import ModelFileError

quietly = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


def loads_or_refuses(path):
    """Load a file and use the model; return whether the file was refused, by the one error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = tabgan.load(path, device="cpu")
    except ModelFileError as error:
        assert repr(str(path)) in str(error)
        assert len(str(error)) < 1000
        return True
    for made in corruptions.use(model):
        assert len(made)
    return False


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("models") / "model.tabgan"


@pytest.mark.parametrize("name", MAKERS)
def test_whole_files_are_read(name, path):
    document, tensors, _ = corruptions.model_file(name)
    corruptions.write(path, document, tensors)
    assert not loads_or_refuses(path)


@settings(quietly, max_examples=500)
@given(file=corruptions.corruptions())
def test_500_corruptions(path, file):
    file.write(path)
    loads_or_refuses(path)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(quietly, max_examples=10_000)
@given(file=corruptions.corruptions())
def test_10_000_corruptions(path, file):
    file.write(path)
    loads_or_refuses(path)
