"""The page that says how to add a system, against the system that was added by it."""

from __future__ import annotations

import re
from pathlib import Path

import torch

import tabgan.models
from tabgan.models.lsgan import critic_least_squares, generator_least_squares

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add_your_own_gan.md").read_text(encoding="utf-8")


def test_least_squares_losses():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    assert critic_least_squares(real, fake).item() == (0 + 4) / 4 + (0 + 4) / 4
    assert generator_least_squares(real, fake).item() == (1 + 1) / 4


def test_what_the_page_shows_is_there():
    """The site includes files by name, and a function of one of them."""
    for path in re.findall(r"\{literalinclude\} (\S+)", PAGE):
        assert (ROOT / "docs" / path).resolve().is_file(), path
    for name in re.findall(r":pyobject: (\w+)", PAGE):
        assert name in globals()
    (name,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert name in (ROOT / "tabgan" / "models" / "__init__.py").read_text(encoding="utf-8")


def test_the_files_that_the_page_points_to_are_there():
    for path in re.findall(r"`((?:models|adversarial)/\w+\.py)`", PAGE):
        assert (ROOT / "tabgan" / path).is_file(), path
    assert tabgan.LSGANSynthesizer is tabgan.models.LSGANSynthesizer
