"""Training techniques, each for every adversarial system: what users put into `techniques`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tabgan.adversarial.adversary import Adversary, Penalty
from tabgan.adversarial.game import Batch, Game
from tabgan.adversarial.losses import RELATIVISTIC
from tabgan.adversarial.penalties import gradient_penalty, r1_penalty, r2_penalty
from tabgan.adversarial.training import TrainingRule
from tabgan.adversarial.updates import ConsensusUpdate, SimultaneousUpdate
from tabgan.checks import check, integer, number


@dataclass(frozen=True)
class Technique:
    """A change to how a game is trained, whatever game it is.

    Both methods say whether there was something to change: a technique that changes nothing at all
    is refused rather than ignored.
    """

    def equip(self, adversary: Adversary) -> bool:
        """Change one of the game's critics, before training starts."""
        return False

    def amend(self, rule: TrainingRule) -> bool:
        """Change how losses become weights."""
        return False


@dataclass(frozen=True)
class _SlopePenalty(Technique):
    weight: float = 1.0
    every: int = 4

    function: ClassVar[Callable[..., Tensor]]

    def __post_init__(self) -> None:
        check("weight", self.weight, number(0))
        check("every", self.every, integer(1))

    def equip(self, adversary: Adversary) -> bool:
        """Add the penalty, in place of one of the same kind."""
        penalty = Penalty(type(self).function, self.weight, self.every)
        adversary.penalties[type(self).__name__] = penalty
        return True


@dataclass(frozen=True)
class GradientPenalty(_SlopePenalty):
    """WGAN-GP's penalty [1]_: ``weight * E (|grad D(x)| - 1)^2`` between real and made rows.

    Parameters
    ----------
    weight : float >= 0, default=1
        The paper's lambda.
    every : int >= 1, default=4
        Critic updates from one penalty to the next, which then weighs `every` times as much: as
        good as one with each update, at a fraction of the cost ([2]_, "lazy regularisation").

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028.
    .. [2] Karras et al. (2020), "Analyzing and Improving the Image Quality of StyleGAN",
       arXiv 1912.04958, section 3.1.
    """

    function = staticmethod(gradient_penalty)


@dataclass(frozen=True)
class R1(_SlopePenalty):
    """Zero-centred penalty on real rows [1]_: ``weight / 2 * E |grad D(x)|^2``.

    Parameters
    ----------
    weight : float >= 0, default=1
        The paper's gamma.
    every : int >= 1, default=4
        As in `GradientPenalty`.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 9.
    """

    function = staticmethod(r1_penalty)


@dataclass(frozen=True)
class R2(_SlopePenalty):
    """Zero-centred penalty on made rows [1]_: ``weight / 2 * E |grad D(G(z))|^2``.

    Parameters
    ----------
    weight : float >= 0, default=1
        The paper's gamma.
    every : int >= 1, default=4
        As in `GradientPenalty`.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 10.
    """

    function = staticmethod(r2_penalty)


@dataclass(frozen=True)
class InstanceNoise(Technique):
    """Normal noise on what the critic sees, real and made [1]_, annealed linearly to none.

    Parameters
    ----------
    scale : float > 0, default=0.5
        Standard deviation at the start, in units of an encoded row, whose entries lie in [-1, 1].
    until : float in (0, 1], default=0.5
        Share of a run's steps after which there is none.

    References
    ----------
    .. [1] Sønderby et al. (2017), "Amortised MAP Inference for Image Super-resolution",
       arXiv 1610.04490, section 3.4.
    """

    scale: float = 0.5
    until: float = 0.5

    def __post_init__(self) -> None:
        check("scale", self.scale, number(0, closed="neither"))
        check("until", self.until, number(0, 1, "right"))

    def equip(self, adversary: Adversary) -> bool:
        """Distort the critic's inputs."""
        adversary.distortions.append(self._add)
        return True

    def _add(self, x: Tensor, batch: Batch) -> Tensor:
        scale = self.scale * (1.0 - batch.progress / self.until)
        if scale <= 0.0:
            return x
        noise = torch.randn(x.shape, generator=batch.rng, dtype=x.dtype, device=x.device)
        return x + scale * noise


@dataclass(frozen=True)
class WeightClipping(Technique):
    """Clip the critic's weights to ``[-bound, bound]`` after each of its updates [1]_.

    Parameters
    ----------
    bound : float > 0, default=0.01
        The paper's c.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        check("bound", self.bound, number(0, closed="neither"))

    def equip(self, adversary: Adversary) -> bool:
        """Constrain the critic."""
        adversary.constraints.append(self._clip)
        return True

    def _clip(self, critic: nn.Module) -> None:
        torch._foreach_clamp_min_(list(critic.parameters()), -self.bound)
        torch._foreach_clamp_max_(list(critic.parameters()), self.bound)


@dataclass(frozen=True)
class SpectralNormalization(Technique):
    """Divide each of the critic's linear layers by its largest singular value [1]_.

    References
    ----------
    .. [1] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks",
       arXiv 1802.05957, Algorithm 1.
    """

    def equip(self, adversary: Adversary) -> bool:
        """Reparametrise the critic."""
        layers = _linear_layers(adversary.critic)
        for layer in layers:
            parametrizations.spectral_norm(layer)
        return bool(layers)


@dataclass(frozen=True)
class WeightNormalization(Technique):
    """Learn length and direction of the critic's weight vectors apart [1]_.

    References
    ----------
    .. [1] Salimans and Kingma (2016), "Weight Normalization: A Simple Reparameterization to
       Accelerate Training of Deep Neural Networks", arXiv 1602.07868, equation 2.
    """

    def equip(self, adversary: Adversary) -> bool:
        """Reparametrise the critic."""
        layers = _linear_layers(adversary.critic)
        for layer in layers:
            parametrizations.weight_norm(layer)
        return bool(layers)


@dataclass(frozen=True)
class RelativisticPairing(Technique):
    """Play for real rows to score above made ones, pair by pair [1]_ [2]_.

    With `R1` and `R2` this is the loss of R3GAN [2]_.

    References
    ----------
    .. [1] Jolicoeur-Martineau (2018), "The relativistic discriminator: a key element missing from
       standard GAN", arXiv 1807.00734.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2.
    """

    def equip(self, adversary: Adversary) -> bool:
        """Replace the loss."""
        adversary.loss = RELATIVISTIC
        return True


@dataclass(frozen=True)
class SimultaneousUpdates(Technique):
    """Let all players move at once rather than one after the other [1]_.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, section 2.
    """

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the update."""
        rule.make_update = SimultaneousUpdate
        return True


@dataclass(frozen=True)
class ConsensusOptimization(Technique):
    """Follow ``v - weight * grad |v|^2 / 2``, v being the joint gradient field [1]_.

    Costs about three times a plain step.

    Parameters
    ----------
    weight : float >= 0, default=1
        The paper's gamma.

    References
    ----------
    .. [1] Mescheder et al. (2017), "The Numerics of GANs", arXiv 1705.10461, Algorithm 2.
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        check("weight", self.weight, number(0))

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the update."""
        rule.make_update = partial(ConsensusUpdate, weight=self.weight)
        return True


@dataclass(frozen=True)
class WeightAveraging(Technique):
    """Sample from an exponential moving average of the weights [1]_; every system does.

    Parameters
    ----------
    decay : float in [0, 1), default=0.999
        Per step; 0 takes the last weights.

    References
    ----------
    .. [1] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training",
       arXiv 1806.04498.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check("decay", self.decay, number(0, 1, "left"))

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the decay."""
        rule.averaging = self.decay
        return True


TECHNIQUES: dict[str, type[Technique]] = {
    technique.__name__: technique
    for technique in (
        ConsensusOptimization,
        GradientPenalty,
        InstanceNoise,
        R1,
        R2,
        RelativisticPairing,
        SimultaneousUpdates,
        SpectralNormalization,
        WeightAveraging,
        WeightClipping,
        WeightNormalization,
    )
}
"""All techniques by name."""


def apply_techniques(
    techniques: Iterable[Technique], game: Game, rule: TrainingRule, owner: str = "this game"
) -> None:
    """Let techniques change a fresh game's critics and the rule it is trained by, in order.

    Parameters
    ----------
    techniques : iterable of Technique
    game : Game
    rule : TrainingRule
    owner : str
        How errors name what is trained.

    Raises
    ------
    ValueError
        A technique that finds nothing to change, such as a penalty on the critic of a game that
        has no critic.
    """
    adversaries = [module for module in game.modules() if isinstance(module, Adversary)]
    for technique in techniques:
        changes = [technique.equip(adversary) for adversary in adversaries]
        if not any([*changes, technique.amend(rule)]):
            raise ValueError(
                f"techniques holds {technique!r}, which finds nothing to change in {owner}; "
                "leave it out."
            )


def _linear_layers(critic: nn.Module) -> list[nn.Linear]:
    return [module for module in critic.modules() if isinstance(module, nn.Linear)]
