"""Settings of the whole suite."""

from __future__ import annotations

import os

# Two workers of two threads each on two cores crawl; one thread each does not.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import products  # noqa: E402
import pytest  # noqa: E402

# On and off are settings that every test must pass in, as tests/products.py describes them.
products.force(os.environ.get("TABGAN_BFLOAT16", ""))


@pytest.fixture(autouse=True)
def repeatable_global_generator():
    """Seed what ``random_state=None`` of scikit-learn's estimators draws from."""
    np.random.seed(0)  # noqa: NPY002
