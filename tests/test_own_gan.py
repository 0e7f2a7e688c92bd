"""The page that says how to add a system, against the system that was added by it."""

from __future__ import annotations

import re
from pathlib import Path

import torch

import tabgan.models
from tabgan.models.lsgan import critic_least_squares, generator_least_squares

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add_your_own_gan.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_least_squares_losses():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert critic_least_squares(real, fake).item() == (0 + 4) / 4 + (0 + 4) / 4
    assert generator_least_squares(real, fake).item() == (1 + 1) / 4


def test_the_page_quotes_the_files():
    file, name, test = BLOCKS
    models = ROOT / "tabgan" / "models"
    assert file == (models / "lsgan.py").read_text(encoding="utf-8")
    assert name in (models / "__init__.py").read_text(encoding="utf-8")
    assert test in Path(__file__).read_text(encoding="utf-8")
    assert f"one file of {len(file.splitlines())} lines" in PAGE


def test_the_files_that_the_page_points_to_are_there():
    for path in re.findall(r"`((?:models|adversarial)/\w+\.py)`", PAGE):
        assert (ROOT / "tabgan" / path).is_file(), path
    assert tabgan.LSGANSynthesizer is tabgan.models.LSGANSynthesizer
