"""Training techniques, which users pass to the parameter `techniques` of any adversarial model."""

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
    """A change to the training of a game that works for every game.

    A subclass overrides `equip`, `amend` or both. Both methods return whether the technique changed
    something. `apply_techniques` refuses a technique that changed nothing.

    Examples
    --------
    A technique of one's own clips each fake and real row before a discriminator scores the row:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import Technique
    >>> @dataclass(frozen=True)
    ... class RowClipping(Technique):
    ...     bound: float = 1.0
    ...     def equip(self, adversary):
    ...         adversary.distortions.append(lambda x, batch: x.clamp(-self.bound, self.bound))
    ...         return True
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> synthesizer = GANSynthesizer(techniques=[RowClipping(0.9)], n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    def equip(self, adversary: Adversary) -> bool:
        """Change one discriminator or critic of the game, before training starts.

        Parameters
        ----------
        adversary : Adversary
            Changed in place.

        Returns
        -------
        bool
            Whether the technique changed something.
        """
        return False

    def amend(self, rule: TrainingRule) -> bool:
        """Change how losses become new weights, before training starts.

        Parameters
        ----------
        rule : TrainingRule
            Changed in place.

        Returns
        -------
        bool
            Whether the technique changed something.
        """
        return False


@dataclass(frozen=True)
class _SlopePenalty(Technique):
    """A lazy penalty on the gradient of the scores; each subclass sets `function`."""

    weight: float = 1.0
    every: int = 4

    function: ClassVar[Callable[..., Tensor]]

    def __post_init__(self) -> None:
        check("weight", self.weight, number(0))
        check("every", self.every, integer(1))

    def equip(self, adversary: Adversary) -> bool:
        """Add the penalty to a discriminator or critic.

        Returns
        -------
        bool
            True. The penalty replaces an earlier penalty of the same class.
        """
        penalty = Penalty(type(self).function, self.weight, self.every)
        adversary.penalties[type(self).__name__] = penalty
        return True


@dataclass(frozen=True)
class GradientPenalty(_SlopePenalty):
    """Penalise gradients of norm other than one between real and fake rows (WGAN-GP) [1]_.

    The penalty is ``weight * E (|grad D(x)| - 1)^2``, at x uniform on lines from fake to real rows.

    Parameters
    ----------
    weight : float >= 0, default=1
        Factor on the penalty, the paper's lambda.
    every : int >= 1, default=4
        Updates of the discriminator or critic from one computation of the penalty to the next. The
        penalty is multiplied by `every`, so that the mean gradient is the same as with a penalty in
        each update, at a fraction of the cost ([2]_, lazy regularisation).

    References
    ----------
    .. [1] Gulrajani et al. (2017), "Improved Training of Wasserstein GANs", arXiv 1704.00028,
       equation 3.
    .. [2] Karras et al. (2020), "Analyzing and Improving the Image Quality of StyleGAN",
       arXiv 1912.04958, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import GradientPenalty
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [GradientPenalty(weight=10.0)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    function = staticmethod(gradient_penalty)


@dataclass(frozen=True)
class R1(_SlopePenalty):
    """Penalise gradients at real rows [1]_, by ``weight / 2 * E |grad D(x)|^2``.

    Parameters
    ----------
    weight : float >= 0, default=1
        Factor on the penalty, the paper's gamma.
    every : int >= 1, default=4
        Updates of the discriminator or critic from one computation of the penalty to the next. The
        penalty is multiplied by `every`, so that the mean gradient is the same as with a penalty in
        each update, at a fraction of the cost ([2]_, lazy regularisation).

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 9.
    .. [2] Karras et al. (2020), "Analyzing and Improving the Image Quality of StyleGAN",
       arXiv 1912.04958, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import R1
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [R1(weight=0.1)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)

    The penalty makes the Dirac-GAN converge to the equilibrium at (0, 0), which plain training
    circles:

    >>> from tabgan.adversarial.dynamics import DiracGame, trajectory
    >>> path = trajectory(DiracGame(), (1.0, 1.0), techniques=[R1(weight=1.0)])
    >>> bool((abs(path[-1]) < 0.01).all())
    True
    """

    function = staticmethod(r1_penalty)


@dataclass(frozen=True)
class R2(_SlopePenalty):
    """Penalise gradients at fake rows [1]_, by ``weight / 2 * E |grad D(G(z))|^2``.

    Parameters
    ----------
    weight : float >= 0, default=1
        Factor on the penalty, the paper's gamma.
    every : int >= 1, default=4
        Updates of the discriminator or critic from one computation of the penalty to the next. The
        penalty is multiplied by `every`, so that the mean gradient is the same as with a penalty in
        each update, at a fraction of the cost ([2]_, lazy regularisation).

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, equation 10.
    .. [2] Karras et al. (2020), "Analyzing and Improving the Image Quality of StyleGAN",
       arXiv 1912.04958, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import R2
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [R2(weight=0.1)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)

    The penalty makes the Dirac-GAN converge to the equilibrium at (0, 0), which plain training
    circles:

    >>> from tabgan.adversarial.dynamics import DiracGame, trajectory
    >>> path = trajectory(DiracGame(), (1.0, 1.0), techniques=[R2(weight=1.0)])
    >>> bool((abs(path[-1]) < 0.01).all())
    True
    """

    function = staticmethod(r2_penalty)


@dataclass(frozen=True)
class InstanceNoise(Technique):
    """Add normal noise to the rows that the discriminator or critic scores [1]_.

    Real and fake rows get the same amount of noise. The standard deviation falls linearly to zero
    during the first part of training.

    Parameters
    ----------
    scale : float > 0, default=0.5
        Standard deviation at the start, in units of an encoded row, whose scalars lie in [-1, 1]
        and whose levels lie in [0, 1].
    until : float in (0, 1], default=0.5
        Share of a run's steps after which there is no noise.

    References
    ----------
    .. [1] Sønderby et al. (2017), "Amortised MAP Inference for Image Super-resolution",
       arXiv 1610.04490, section 3.4.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import InstanceNoise
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [InstanceNoise(scale=0.2)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    scale: float = 0.5
    until: float = 0.5

    def __post_init__(self) -> None:
        check("scale", self.scale, number(0, closed="neither"))
        check("until", self.until, number(0, 1, "right"))

    def equip(self, adversary: Adversary) -> bool:
        """Add the noise to a discriminator or critic.

        Returns
        -------
        bool
            True.
        """
        adversary.distortions.append(self._add)
        return True

    def _add(self, x: Tensor, batch: Batch) -> Tensor:
        """Add the noise of this share of the run; the shape stays."""
        scale = self.scale * (1.0 - batch.progress / self.until)
        if scale <= 0.0:
            return x
        noise = torch.randn(x.shape, generator=batch.rng, dtype=x.dtype, device=x.device)
        return x + scale * noise


@dataclass(frozen=True)
class WeightClipping(Technique):
    """Clip the weights of the discriminator or critic after each of its updates [1]_.

    All weights lie in ``[-bound, bound]`` after an update.

    Parameters
    ----------
    bound : float > 0, default=0.01
        The paper's c.

    References
    ----------
    .. [1] Arjovsky et al. (2017), "Wasserstein GAN", arXiv 1701.07875, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import WeightClipping
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [WeightClipping(bound=0.1)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    bound: float = 0.01

    def __post_init__(self) -> None:
        check("bound", self.bound, number(0, closed="neither"))

    def equip(self, adversary: Adversary) -> bool:
        """Add the bound to a discriminator or critic.

        Returns
        -------
        bool
            True.
        """
        adversary.constraints.append(self._clip)
        return True

    def _clip(self, critic: nn.Module) -> None:
        """Clip all parameters of a module, in place."""
        torch._foreach_clamp_min_(list(critic.parameters()), -self.bound)
        torch._foreach_clamp_max_(list(critic.parameters()), self.bound)


@dataclass(frozen=True)
class SpectralNormalization(Technique):
    """Divide the weights of each linear layer by the largest singular value [1]_.

    The technique changes the linear layers of the discriminator or critic. Each layer is then
    1-Lipschitz, and so is a network of such layers and leaky rectifiers. Power iteration estimates
    the singular value.

    References
    ----------
    .. [1] Miyato et al. (2018), "Spectral Normalization for Generative Adversarial Networks",
       arXiv 1802.05957, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import SpectralNormalization
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [SpectralNormalization()]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    def equip(self, adversary: Adversary) -> bool:
        """Add the normalisation to a discriminator or critic.

        Returns
        -------
        bool
            Whether the discriminator or critic has a linear layer.
        """
        layers = _linear_layers(adversary.critic)
        for layer in layers:
            parametrizations.spectral_norm(layer)
        return bool(layers)


@dataclass(frozen=True)
class WeightNormalization(Technique):
    """Learn the length and the direction of each weight vector of the scoring network apart [1]_.

    The technique changes the linear layers of the discriminator or critic. The weight vector of
    output i is ``length_i * direction_i / |direction_i|``.

    References
    ----------
    .. [1] Salimans and Kingma (2016), "Weight Normalization: A Simple Reparameterization to
       Accelerate Training of Deep Neural Networks", arXiv 1602.07868, equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import WeightNormalization
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [WeightNormalization()]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    def equip(self, adversary: Adversary) -> bool:
        """Add the normalisation to a discriminator or critic.

        Returns
        -------
        bool
            Whether the discriminator or critic has a linear layer.
        """
        layers = _linear_layers(adversary.critic)
        for layer in layers:
            parametrizations.weight_norm(layer)
        return bool(layers)


@dataclass(frozen=True)
class RelativisticPairing(Technique):
    """Replace the game's losses by the relativistic losses, which compare pairs of rows [1]_ [2]_.

    The discriminator learns to score each real row above the fake row of its pair, and the
    generator learns the opposite. Together with `R1` and `R2` this is the loss of R3GAN [2]_.

    References
    ----------
    .. [1] Jolicoeur-Martineau (2018), "The relativistic discriminator: a key element missing from
       standard GAN", arXiv 1807.00734.
    .. [2] Huang et al. (2024), "The GAN is dead; long live the GAN! A Modern GAN Baseline",
       arXiv 2501.05441, equation 2.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import R1, R2, RelativisticPairing
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [RelativisticPairing(), R1(), R2()]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    def equip(self, adversary: Adversary) -> bool:
        """Replace the losses of a discriminator or critic.

        Returns
        -------
        bool
            True.
        """
        adversary.loss = RELATIVISTIC
        return True


@dataclass(frozen=True)
class SimultaneousUpdates(Technique):
    """Update all players at once, by gradients at the same weights [1]_.

    By default one player moves after the other, and each player sees the new weights of the players
    before it.

    References
    ----------
    .. [1] Mescheder et al. (2018), "Which Training Methods for GANs do actually Converge?",
       arXiv 1801.04406, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import SimultaneousUpdates
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [SimultaneousUpdates()]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the update of the training rule.

        Returns
        -------
        bool
            True.
        """
        rule.make_update = SimultaneousUpdate
        return True


@dataclass(frozen=True)
class ConsensusOptimization(Technique):
    """Move along ``v - weight * grad |v|^2 / 2``, where v is the joint gradient field [1]_.

    The field v holds the negative gradient of each player's loss by the player's own parameters.
    The second term pulls all players towards points where the field vanishes. A step costs about
    three times a plain step.

    Parameters
    ----------
    weight : float >= 0, default=1
        Factor on the second term, the paper's gamma.

    References
    ----------
    .. [1] Mescheder et al. (2017), "The Numerics of GANs", arXiv 1705.10461, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import ConsensusOptimization
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [ConsensusOptimization(weight=0.1)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)

    The second term makes the Dirac-GAN converge to the equilibrium at (0, 0), which plain training
    circles:

    >>> from tabgan.adversarial.dynamics import DiracGame, trajectory
    >>> path = trajectory(DiracGame(), (1.0, 1.0), techniques=[ConsensusOptimization(weight=1.0)])
    >>> bool((abs(path[-1]) < 0.01).all())
    True
    """

    weight: float = 1.0

    def __post_init__(self) -> None:
        check("weight", self.weight, number(0))

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the update of the training rule.

        Returns
        -------
        bool
            True.
        """
        rule.make_update = partial(ConsensusUpdate, weight=self.weight)
        return True


@dataclass(frozen=True)
class WeightAveraging(Technique):
    """Set the decay of the moving average of the weights, from which rows are generated [1]_.

    Every model averages the weights already; the technique changes the decay.

    Parameters
    ----------
    decay : float in [0, 1), default=0.999
        Share of the average that stays at each step; 0 generates from the last weights.

    References
    ----------
    .. [1] Yazici et al. (2019), "The Unusual Effectiveness of Averaging in GAN Training",
       arXiv 1806.04498.

    Examples
    --------
    >>> import numpy as np
    >>> from tabgan import GANSynthesizer
    >>> from tabgan.adversarial import WeightAveraging
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> techniques = [WeightAveraging(decay=0.9)]
    >>> synthesizer = GANSynthesizer(techniques=techniques, n_steps=20, random_state=0)
    >>> synthesizer.fit(X).sample(3).shape
    (3, 2)
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check("decay", self.decay, number(0, 1, "left"))

    def amend(self, rule: TrainingRule) -> bool:
        """Replace the decay of the training rule.

        Returns
        -------
        bool
            True.
        """
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
"""The library's techniques by class name."""


def apply_techniques(
    techniques: Iterable[Technique], game: Game, rule: TrainingRule, owner: str = "this game"
) -> None:
    """Let techniques change the adversaries of a fresh game and the game's training rule, in order.

    Parameters
    ----------
    techniques : iterable of Technique
    game : Game
        Changed in place.
    rule : TrainingRule
        Changed in place.
    owner : str, default="this game"
        Name of what is trained, for errors.

    Raises
    ------
    ValueError
        A technique finds nothing to change. An example is a penalty on the scores of a game that
        has neither a discriminator nor a critic.
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
    """Return all linear layers of a module."""
    return [module for module in critic.modules() if isinstance(module, nn.Linear)]
