"""
Two numbers that show why GANs circle
=====================================

In the Dirac-GAN all real rows are 0, all synthetic rows are theta, and the critic is ``psi * x``.
The one equilibrium is (0, 0). Plain training circles it for ever; some techniques damp the circle,
and some, clipping and WGAN-GP's penalty among them, do not.
"""

# %%
# Techniques are the same objects as every synthesizer takes.
import os

import matplotlib.pyplot as plt
import numpy as np

from tabgan.adversarial import (
    R1,
    R2,
    ConsensusOptimization,
    GradientPenalty,
    InstanceNoise,
    RelativisticPairing,
    SimultaneousUpdates,
    WeightClipping,
)
from tabgan.adversarial.dynamics import (
    DiracGame,
    RotatingGame,
    joint_jacobian,
    trajectory,
    vector_field,
)
from tabgan.adversarial.losses import MINIMAX, WASSERSTEIN
from tabgan.displays import TrajectoryDisplay

N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 500))
line = np.linspace(-1.8, 1.8, 13)
grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)

# %%
# Each picture: the field that training follows, and the path from (1, 1), the circle, to the star.
settings = {
    "alternating updates": (MINIMAX, []),
    "simultaneous updates": (MINIMAX, [SimultaneousUpdates()]),
    "weight clipping (WGAN)": (WASSERSTEIN, [WeightClipping(1.0)]),
    "gradient penalty (WGAN-GP)": (WASSERSTEIN, [GradientPenalty(1.0, every=1)]),
    "R1": (MINIMAX, [R1(1.0, every=1)]),
    "instance noise": (MINIMAX, [InstanceNoise(0.7, until=1.0)]),
    "consensus optimisation": (MINIMAX, [ConsensusOptimization(1.0)]),
    "relativistic, R1 and R2": (
        MINIMAX,
        [RelativisticPairing(), R1(1.0, every=1), R2(1.0, every=1)],
    ),
}
figure, axes = plt.subplots(2, 4, figsize=(14, 7.2), layout="constrained")
for ax, (name, (loss, techniques)) in zip(axes.flat, settings.items(), strict=True):
    path = trajectory(DiracGame(loss, n_rows=64), (1.0, 1.0), techniques, N_STEPS)
    field = vector_field(DiracGame(loss, n_rows=64), grid, techniques)
    TrajectoryDisplay.from_points({name: path}, grid, field, ax=ax)
    eigenvalues = np.linalg.eigvals(joint_jacobian(DiracGame(loss, 64), (0.0, 0.0), techniques))
    ax.set(title=name, xlim=(-2, 2), ylim=(-2, 2))
    ax.get_legend().remove()
    print(f"{name:28s} ends {np.hypot(*path[-1]):.3f} from the equilibrium; {eigenvalues}")

# %%
# Consensus optimisation on the field (cos psi, sin theta), the gradient of nothing. It damps the
# centres (dots); with a weight below one saddles (crosses) stay what they are.
figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
line = np.linspace(-1.5, 6.2, 19)
grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
for ax, (name, techniques) in zip(
    axes,
    {"plain": [SimultaneousUpdates()], "consensus": [ConsensusOptimization(0.5)]}.items(),
    strict=True,
):
    paths = {
        f"from {start}": trajectory(RotatingGame(), start, techniques, 2 * N_STEPS, 0.05)
        for start in [(0.6, 2.2), (2.6, 4.0)]
    }
    field = vector_field(RotatingGame(), grid, techniques)
    names = ("theta", "psi")
    TrajectoryDisplay.from_points(paths, grid, field, names=names, ax=ax)
    ax.plot([0, np.pi], [np.pi / 2, 1.5 * np.pi], "k.", [0, np.pi], [1.5 * np.pi, np.pi / 2], "kx")
    ax.set(title=name, xlim=(-1.7, 6.4), ylim=(-1.7, 6.4))
plt.show()
