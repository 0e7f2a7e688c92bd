"""Settings of the whole suite."""

from __future__ import annotations

import os

# Two workers of two threads each on two cores crawl; one thread each does not.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import warnings  # noqa: E402

import numpy as np  # noqa: E402
import products  # noqa: E402
import pytest  # noqa: E402

# On and off are settings that every test must pass in, as tests/products.py describes them.
products.force(os.environ.get("TABGAN_BFLOAT16", ""))


@pytest.fixture(autouse=True)
def repeatable_private_noise(request):
    """Let the noise of private models follow from a seed, but for tests of the noise itself."""
    from tabgan.private.noise import reproducible_noise

    if request.module.__name__.startswith("test_private"):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noise = reproducible_noise(0)
        noise.__enter__()
    yield
    noise.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def repeatable_global_generator():
    """Seed what ``random_state=None`` of scikit-learn's estimators draws from."""
    np.random.seed(0)  # noqa: NPY002
