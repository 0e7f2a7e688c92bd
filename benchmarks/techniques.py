"""What each training technique does: on games of two numbers, on losses, on a real table.

    python benchmarks/techniques.py --data DIR [--parts dirac losses tables] [--quick]

DIR as for fidelity.py. "dirac": distance from the equilibrium after 500 steps of the Dirac-GAN, and
the eigenvalues of the joint Jacobian there; the same for consensus optimisation on the field
(cos psi, sin theta). "losses": twenty times during training rows are made and compared with real
ones, and the rank correlation of the loss with that fidelity is taken. "tables": the plain GAN
with each technique, at equal steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import load_table, write
from scipy.stats import spearmanr

from tabgan import GANSynthesizer, WGANSynthesizer
from tabgan.adversarial import (
    R1,
    R2,
    ConsensusOptimization,
    GradientPenalty,
    InstanceNoise,
    RelativisticPairing,
    SimultaneousUpdates,
    SpectralNormalization,
    WeightAveraging,
    WeightClipping,
    WeightNormalization,
)
from tabgan.adversarial.dynamics import DiracGame, RotatingGame, joint_jacobian, trajectory
from tabgan.adversarial.losses import MINIMAX, WASSERSTEIN
from tabgan.evaluation import c2st, mean_pair_trend, pair_trends

ON_TWO_NUMBERS = {
    "alternating updates": (MINIMAX, []),
    "simultaneous updates": (MINIMAX, [SimultaneousUpdates()]),
    "clipping": (WASSERSTEIN, [WeightClipping(1.0)]),
    "gradient penalty": (WASSERSTEIN, [GradientPenalty(1.0, every=1)]),
    "R1": (MINIMAX, [R1(1.0, every=1)]),
    "R2": (MINIMAX, [R2(1.0, every=1)]),
    "instance noise": (MINIMAX, [InstanceNoise(0.7, until=1.0)]),
    "consensus": (MINIMAX, [ConsensusOptimization(1.0)]),
    "relativistic": (MINIMAX, [RelativisticPairing()]),
    "relativistic, R1, R2": (
        MINIMAX,
        [RelativisticPairing(), R1(1.0, every=1), R2(1.0, every=1)],
    ),
}

ON_TABLES = {
    "plain": [],
    "instance noise": [InstanceNoise()],
    "gradient penalty": [GradientPenalty()],
    "R1": [R1()],
    "R2": [R2()],
    "clipping": [WeightClipping(0.05)],
    "spectral normalisation": [SpectralNormalization()],
    "weight normalisation": [WeightNormalization()],
    "relativistic": [RelativisticPairing()],
    "relativistic, R1, R2": [RelativisticPairing(), R1(), R2()],
    "simultaneous updates": [SimultaneousUpdates()],
    "consensus": [ConsensusOptimization(0.1)],
    "no weight averaging": [WeightAveraging(0.0)],
}


def on_two_numbers() -> list[dict[str, Any]]:
    """Distances and eigenvalues of the games of two numbers."""
    results = []
    for name, (loss, techniques) in ON_TWO_NUMBERS.items():
        path = trajectory(DiracGame(loss, n_rows=64), (1.0, 1.0), techniques, n_steps=500)
        jacobian = joint_jacobian(DiracGame(loss, n_rows=64), (0.0, 0.0), techniques)
        results.append(_game("Dirac-GAN", name, np.hypot(*path[-1]), jacobian))
    centre = (0.0, np.pi / 2)
    for weight in (0.0, 0.5):
        techniques = [ConsensusOptimization(weight)]
        path = trajectory(RotatingGame(), (0.4, np.pi / 2 + 0.4), techniques, 500, 0.05)
        jacobian = joint_jacobian(RotatingGame(), centre, techniques)
        distance = np.hypot(*(path[-1] - centre))
        results.append(_game("(cos psi, sin theta)", f"consensus {weight}", distance, jacobian))
    return results


def _game(game: str, name: str, distance: float, jacobian: np.ndarray) -> dict[str, Any]:
    eigenvalues = [[round(e.real, 3), round(e.imag, 3)] for e in np.linalg.eigvals(jacobian)]
    return {
        "part": "dirac",
        "game": game,
        "technique": name,
        "distance": round(float(distance), 4),
        "eigenvalues": eigenvalues,
    }


def fidelity(real: pd.DataFrame, made: pd.DataFrame, seed: int) -> dict[str, float]:
    """Trend over all pairs, and a two-sample test by gradient boosting."""
    return {
        "trend": mean_pair_trend(pair_trends(real, made)),
        "c2st": c2st(real, made, random_state=seed),
    }


def losses_and_fidelity(table: str, data: Path, n_steps: int, seed: int) -> list[dict[str, Any]]:
    """Watch losses and fidelity over training, before any calibration of marginals."""
    train, _, _ = load_table(table, data)
    real = train.sample(3000, random_state=seed)
    joint: dict[str, Any] = {"generator": "joint", "early_stopping": False}
    models = {
        "GAN": (GANSynthesizer(), ["discriminator", "generator"]),
        "WGAN-GP": (WGANSynthesizer(**joint), ["wasserstein"]),
        "WGAN, clipped": (
            WGANSynthesizer(lipschitz="clip", clip=0.05, **joint),
            ["wasserstein"],
        ),
    }
    results = []
    for name, (model, names) in models.items():
        watched: list[dict[str, float]] = []

        def watch(training: Any, model: Any = model, watched: Any = watched) -> None:
            if training.step % max(1, n_steps // 20) == 0:
                made = model.sample(3000, random_state=seed)
                recent = pd.DataFrame(training.history[-10:]).mean().to_dict()
                watched.append({**recent, "step": training.step, **fidelity(real, made, seed)})

        model.set_params(n_steps=n_steps, random_state=seed, callbacks=[watch]).fit(train)
        seen = pd.DataFrame(watched)
        correlation = {
            f"{loss} with {figure}": round(float(spearmanr(seen[loss], seen[figure])[0]), 3)
            for loss in names
            for figure in ("trend", "c2st")
        }
        results.append(
            {
                "part": "losses",
                "table": table,
                "seed": seed,
                "model": name,
                "rank_correlation": correlation,
                "watched": seen.drop(columns="seconds").round(4).to_dict("records"),
            }
        )
        print(table, name, correlation, flush=True)
    return results


def on_tables(table: str, data: Path, n_steps: int, seed: int) -> list[dict[str, Any]]:
    """Fit the plain GAN with each technique."""
    train, _, _ = load_table(table, data)
    results = []
    for name, techniques in ON_TABLES.items():
        model = GANSynthesizer(techniques=techniques, n_steps=n_steps, random_state=seed)
        model.fit(train)
        made = model.sample(len(train), random_state=seed)
        entry = {
            "part": "tables",
            "table": table,
            "seed": seed,
            "technique": name,
            "n_steps": n_steps,
            "fit_s": round(float(model.history_["seconds"].iloc[-1]), 1),
            **{k: round(v, 4) for k, v in fidelity(train, made, seed).items()},
            **model.history_[["discriminator", "generator"]].iloc[-20:].mean().round(3).to_dict(),
        }
        print(entry, flush=True)
        results.append(entry)
    return results


def main() -> None:
    """Run the parts asked for and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", default=["dirac", "losses", "tables"])
    parser.add_argument("--tables", nargs="+", default=["adult", "shoppers"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the steps")
    args = parser.parse_args()
    n_steps = 50 if args.quick else 1000
    results: list[dict[str, Any]] = []
    if "dirac" in args.parts:
        results += on_two_numbers()
    for part, run in (("losses", losses_and_fidelity), ("tables", on_tables)):
        if part in args.parts:
            for table in args.tables:
                results += run(table, args.data, n_steps, args.seed)
                write("techniques", results)
    write("techniques", results)


if __name__ == "__main__":
    main()
