"""Every example runs from beginning to end on a small setting."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("plot_*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path):
    small = {"TABGAN_EXAMPLE_STEPS": "2", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        env=os.environ | small,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
