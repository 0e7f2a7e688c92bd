"""The adversarial game, and the training techniques that every system takes as `techniques`."""

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
