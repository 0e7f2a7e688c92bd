"""Draw the picture of the README and of the site's first page: python docs/draw_overview.py.

Learns the Adult table with the default synthesizer at its defaults, and draws real and synthetic
people side by side.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["MPLBACKEND"] = "agg"

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from make_benchmarks import REAL_TABLES, SUMMARY_ROWS, averages, read
from matplotlib.axes import Axes

from tabgan import AutoregressiveSynthesizer
from tabgan.datasets import load_adult

TARGET = Path(__file__).parent / "_static" / "overview.png"
REAL, SYNTHETIC, RICH = "#4c566a", "#0b7a75", "#d1495b"
N_POINTS = 2500
MIN_ROWS = 200


def people(ax: Axes, table: pd.DataFrame, title: str) -> None:
    """Draw age against working hours, those who earn more in another colour."""
    drawn = table.sample(N_POINTS, random_state=0)
    jitter = np.random.default_rng(0).uniform(-0.5, 0.5, (2, N_POINTS))
    for income, colour in (("<=50K", REAL), (">50K", RICH)):
        of = (drawn["income"] == income).to_numpy()
        x, y = (
            drawn[name].to_numpy()[of] + j[of]
            for name, j in zip(["age", "hours-per-week"], jitter, strict=True)
        )
        ax.scatter(x, y, s=3, alpha=0.45, color=colour, linewidths=0, label=income)
    ax.set(xlim=(15, 92), ylim=(0, 100), xlabel="age", title=title)


def occupations(ax: Axes, real: pd.DataFrame, synthetic: pd.DataFrame) -> None:
    """Draw who earns more than 50,000 dollars, by occupation."""
    shares = [
        (table["income"] == ">50K").groupby(table["occupation"], observed=True).mean()
        for table in (real, synthetic)
    ]
    often = real["occupation"].value_counts() >= MIN_ROWS
    names = shares[0][often[often].index].sort_values().index[-8:]
    places = np.arange(len(names))
    for share, offset, colour, label in zip(
        shares, (0.2, -0.2), (REAL, SYNTHETIC), ("test rows", "synthetic rows"), strict=True
    ):
        ax.barh(places + offset, share.reindex(names), 0.4, color=colour, label=label)
    ax.set_yticks(places, [name.replace("-", " ") for name in names], fontsize=7)
    ax.set(title="share that earns more", xlim=(0, 0.6))
    ax.legend(frameon=False, fontsize=7, loc="lower right")


def judged(ax: Axes) -> None:
    """Draw how hard synthetic rows are to tell from test rows."""
    results = read("fidelity")
    lines = {name: averages(results, name) for name in REAL_TABLES}
    labels = {
        model: label.strip("`").replace("Synthesizer", "") for model, label in SUMMARY_ROWS.items()
    }
    labels = {model: label.replace(" against real rows", "") for model, label in labels.items()}
    places = np.arange(len(labels))[::-1]
    for shift, (name, of) in zip((0.25, 0, -0.25), lines.items(), strict=True):
        values = [of[model]["c2st_xgb_test"] for model in labels]
        colours = [REAL if place == places[0] else SYNTHETIC for place in places]
        ax.barh(places + shift, values, 0.22, color=colours)
        for place, value in zip(places, values, strict=True):
            label = f"{name.capitalize()} {value:.2f}"
            ax.text(0.03, place + shift, label, fontsize=6, va="center", color="white")
    ax.set_yticks(places, labels.values(), fontsize=7)
    ax.set(xlim=(0, 1), title="C2ST against test rows, 1 is best")


def main() -> None:
    """Fit, sample and draw."""
    train, test = load_adult()
    rows = AutoregressiveSynthesizer(random_state=0).fit(train).sample(len(test))
    plt.rcParams.update({"font.size": 8, "axes.spines.right": False, "axes.spines.top": False})
    figure, axes = plt.subplots(
        1, 4, figsize=(12, 3), layout="constrained", width_ratios=[1, 1, 0.9, 0.9]
    )
    people(axes[0], test, "test rows")
    people(axes[1], rows, "synthetic rows")
    axes[0].set_ylabel("hours a week")
    axes[0].legend(frameon=False, fontsize=7, markerscale=3, loc="upper right", title="income")
    occupations(axes[2], test, rows)
    judged(axes[3])
    figure.savefig(TARGET, dpi=110)
    print(f"wrote {TARGET}, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
