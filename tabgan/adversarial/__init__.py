"""The adversarial game and its training, with the techniques that every adversarial model takes.

A game (`game`) consists of networks and players. An adversary (`adversary`) is a discriminator or
critic with its loss (`losses`), its penalties (`penalties`) and its constraints. Updates
(`updates`) turn the players' losses into new weights, and training (`training`) repeats the
updates. A technique (`techniques`) changes an adversary or the update of any game. This package
exports the techniques, because users pass them to a model's parameter `techniques`.
"""

from tabgan.adversarial.techniques import (
    R1,
    R2,
    ConsensusOptimization,
    GradientPenalty,
    InstanceNoise,
    RelativisticPairing,
    SimultaneousUpdates,
    SpectralNormalization,
    Technique,
    WeightAveraging,
    WeightClipping,
    WeightNormalization,
)

__all__ = [
    "R1",
    "R2",
    "ConsensusOptimization",
    "GradientPenalty",
    "InstanceNoise",
    "RelativisticPairing",
    "SimultaneousUpdates",
    "SpectralNormalization",
    "Technique",
    "WeightAveraging",
    "WeightClipping",
    "WeightNormalization",
]
