"""Mixins of estimators that play a game against a critic: what such games have as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from tabgan.adversarial.techniques import Technique
from tabgan.checks import Rule, instance, integer, sequence_of


class Adversarial:
    """Mixin of estimators that have a critic or a discriminator, which techniques can change.

    Parameters
    ----------
    techniques : sequence of Technique, default=()
        Training techniques from `tabgan.adversarial` that are added to those of the system itself,
        for example ``[RelativisticPairing(), R1(), R2()]``. A technique that finds nothing to
        change in the system raises a ValueError.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "techniques": sequence_of(
            instance(Technique, "a technique"),
            "a list of objects of tabgan.adversarial, such as [R1()]",
        )
    }

    def __init__(self, *, techniques: Sequence[Technique] = (), **shared: Any) -> None:
        super().__init__(**shared)
        self.techniques = techniques


class Latent(Adversarial):
    """Mixin of adversarial estimators whose generator starts from a latent vector z.

    Parameters
    ----------
    latent_dim : int >= 1, default=64
        Width of z, the vector of standard normal noise that the generator turns into a row.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {"latent_dim": integer(1)}

    def __init__(self, *, latent_dim: int = 64, **shared: Any) -> None:
        super().__init__(**shared)
        self.latent_dim = latent_dim
