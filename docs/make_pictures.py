"""Draw the pictures of the guide: python docs/make_pictures.py [NAME ...].

Each function below whose name is a picture's draws that picture. Without names all are drawn, which
takes about ten minutes on one core.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.patches import FancyBboxPatch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tabgan
from tabgan.adversarial import R1, R2, InstanceNoise, RelativisticPairing
from tabgan.adversarial.dynamics import DiracGame, trajectory
from tabgan.datasets import load_adult, make_markov_sequences, make_mixed_table, make_waves
from tabgan.displays import LatentSpaceDisplay, RowGridDisplay, TrajectoryDisplay

FOLDER = Path(__file__).parent / "images_guide"
DPI, N_COLOURS = 90, 64
# The report is large, and has a map of many colours.
REPORT_DPI, REPORT_COLOURS = 60, 256
COLOURS = {"red": "#c8433a", "green": "#4b9b5a", "blue": "#3c6fb4", "violet": "#8a4fb0"}
CODES_ALONE = {"decoder": "joint", "early_stopping": False, "acceptance_rounds": 0}
INK, PAPER = "#1f2d3d", "#eef3f8"


# ------------------------------------------------------------------ rows of the mixed table


def scatter_rows(ax: plt.Axes, table: pd.DataFrame, title: str) -> None:
    """Draw length against the day of joining, in the colour that a row names."""
    day = (table["joined"] - pd.Timestamp("2020-01-01")).dt.days
    ax.scatter(table["length"], day, c=table["colour"].map(COLOURS), s=5, alpha=0.6, linewidths=0)
    ax.set(title=title, xlabel="length", xlim=(-7, 12), ylim=(-60, 1520))


def beside_real(model: tabgan.GANSynthesizer, name: str) -> plt.Figure:
    """Fit a model to the mixed table, and draw its rows beside real ones."""
    table = make_mixed_table(2000, random_state=0)
    synthetic = model.fit(table).sample(1000, random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained", sharey=True)
    scatter_rows(axes[0], make_mixed_table(1000, random_state=1), "real rows, not trained on")
    scatter_rows(axes[1], synthetic, f"synthetic rows, {name}")
    axes[0].set_ylabel("joined, days from 2020")
    return figure


def autoregressive() -> plt.Figure:
    """Draw rows of `AutoregressiveSynthesizer`."""
    return beside_real(tabgan.AutoregressiveSynthesizer(random_state=0), "autoregressive")


def arae() -> plt.Figure:
    """Draw rows of `ARAESynthesizer`."""
    return beside_real(tabgan.ARAESynthesizer(random_state=0), "ARAE")


def wgan() -> plt.Figure:
    """Draw rows of `WGANSynthesizer`."""
    return beside_real(tabgan.WGANSynthesizer(n_steps=300, random_state=0), "WGAN-GP")


def cramer() -> plt.Figure:
    """Draw rows of `CramerGANSynthesizer`."""
    return beside_real(tabgan.CramerGANSynthesizer(n_steps=250, random_state=0), "Cramér GAN")


def gan() -> plt.Figure:
    """Draw rows of `GANSynthesizer`."""
    return beside_real(tabgan.GANSynthesizer(n_steps=1000, random_state=0), "GAN")


def lsgan() -> plt.Figure:
    """Draw rows of `LSGANSynthesizer`."""
    return beside_real(tabgan.LSGANSynthesizer(n_steps=1000, random_state=0), "LSGAN")


# ------------------------------------------------------------------ digits


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Load 1,797 images of 64 pixels, and the digits that they show."""
    return load_digits(return_X_y=True)


def grid(
    rows: np.ndarray, title: str, n_columns: int = 10, size: tuple[float, float] = (4.5, 4.5)
) -> plt.Figure:
    """Draw rows as images of 8 by 8 pixels."""
    figure, ax = plt.subplots(figsize=size, layout="constrained")
    RowGridDisplay.from_rows(rows, n_columns, image_shape=(8, 8), ax=ax)
    ax.set_title(title)
    return figure


def aae() -> plt.Figure:
    """Draw codes of digits in the plane, matched to a mixture of normals."""
    X, X_valid, _, y_valid = train_test_split(*digits(), random_state=0)
    settings = {"latent_dim": 2, "hidden_dim": 128, "batch_size": 256, "random_state": 0}
    model = tabgan.AAESynthesizer(prior="mixture", n_steps=600, **settings, **CODES_ALONE).fit(X)
    figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    LatentSpaceDisplay.from_estimator(model, X_valid, y_valid, ax=ax)
    ax.set_title("codes of held-out digits, no label seen")
    return figure


def clusterer() -> plt.Figure:
    """Draw the first digits of each of ten clusters."""
    X, _ = digits()
    model = tabgan.AAEClusterer(n_clusters=10, n_steps=1000, batch_size=256, random_state=0)
    found = model.fit(X).predict(X)
    rows = np.concatenate([X[found == cluster][:10] for cluster in range(10)])
    return grid(rows, "real digits, each row of images a cluster")


def bigan() -> plt.Figure:
    """Draw digits, and what encoder and generator make of them."""
    X, X_valid, _, _ = train_test_split(*digits(), random_state=0)
    model = tabgan.BiGANSynthesizer(
        n_steps=1500, batch_size=128, hidden_dim=128, random_state=0, **CODES_ALONE
    ).fit(X)
    rebuilt = model.inverse_transform(model.transform(X_valid[:10]))
    rows = np.concatenate([X_valid[:10], rebuilt])
    return grid(rows, "held-out digits, and below each G(E(x))", size=(5, 1.5))


def cgan() -> plt.Figure:
    """Draw digits asked for."""
    X, y = digits()
    joint = {"generator": "joint", "n_critic": 2, "early_stopping": False}
    model = tabgan.CGANSynthesizer(n_steps=700, batch_size=256, random_state=0, **joint)
    rows = model.fit(X, y).sample(conditions=np.tile(np.arange(10), 5), random_state=0)
    return grid(rows, "digits asked for: 0 to 9", size=(4.5, 2.6))


def infogan() -> plt.Figure:
    """Draw digits by two codes."""
    X, _ = digits()
    model = tabgan.InfoGANFeaturizer(n_steps=1500, batch_size=128, random_state=0, **CODES_ALONE)
    codes = {0: np.repeat(np.arange(10), 10), 1: np.tile(np.linspace(-1, 1, 10), 10)}
    rows = model.fit(X).sample(codes=codes, random_state=0)
    return grid(rows, "down: categorical code; across: continuous code")


def teaching() -> plt.Figure:
    """Draw taught digits."""
    X, y = digits()
    model = tabgan.TeachingSynthesizer(n_steps=150, random_state=0).fit(X, y)
    taught, labels = model.distil(random_state=0)
    order = np.argsort(labels, kind="stable")
    picked = [order[labels[order] == digit][:10] for digit in range(10)]
    return grid(taught[np.concatenate(picked)], "taught rows, one label a row of images")


def dagan() -> plt.Figure:
    """Draw rows made from one row of each of three unseen classes."""
    X, y = digits()
    seen = y < 7
    model = tabgan.DAGANAugmenter(strength=1.0, random_state=0).fit(X[seen], y[seen])
    given = np.stack([X[y == digit][0] for digit in (7, 8, 9)])
    made = model.augment(given, n_samples=27, random_state=0).reshape(9, 3, 64).transpose(1, 0, 2)
    rows = np.concatenate([given[:, None], made], axis=1).reshape(-1, 64)
    return grid(rows, "left: a real 7, 8, 9; right: made from it", size=(5, 2))


def genclass() -> plt.Figure:
    """Draw digits generated by class, three of them unseen."""
    X, y = digits()
    segments = seven_segments()
    seen = ~np.isin(y, [2, 4, 6])
    model = tabgan.GenClassClassifier(n_steps=500, batch_size=256, random_state=0)
    model.fit(X[seen], y[seen], class_attributes=segments)
    rows = model.generate(np.repeat(np.arange(10), 10), random_state=0)
    return grid(np.asarray(rows), "generated by class; no real 2, 4 or 6 was seen")


def seven_segments() -> pd.DataFrame:
    """Describe each digit by the segments of a calculator's display that show it."""
    lit = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"]
    return pd.DataFrame([[segment in each for segment in "abcdefg"] for each in lit]).astype(int)


# ------------------------------------------------------------------ two tables, sequences


def cyclegan() -> plt.Figure:
    """Draw rows of two tables, and translated ones."""
    rng = np.random.default_rng(0)
    a, b = make_mixed_table(1500, random_state=0), make_mixed_table(1500, random_state=1)
    names = ["colour", "length", "count"]
    a, b = a[names], b[names].assign(length=0.5 * b["length"] + 4)
    model = tabgan.CycleGANTranslator(n_steps=300, random_state=0).fit(a, b)
    shown = a.iloc[rng.permutation(len(a))[:700]]
    figure, axes = plt.subplots(1, 3, figsize=(8, 2.8), layout="constrained", sharey=True)
    titles = ("A", "A translated to B", "B")
    for ax, table, title in zip(
        axes, (shown, model.transform(shown), b[:700]), titles, strict=True
    ):
        ax.scatter(table["length"], table["count"], c=table["colour"].map(COLOURS), s=5, alpha=0.6)
        ax.set(title=title, xlabel="length", xlim=(-7, 12))
    axes[0].set_ylabel("count")
    return figure


def rcgan() -> plt.Figure:
    """Draw waves of two shapes."""
    waves = make_waves(1500, as_frame=True, random_state=0).frame
    model = tabgan.RCGANSynthesizer(entity="entity", time="time", n_steps=700, random_state=0)
    model.fit(waves)
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained", sharey=True)
    for ax, kind in zip(axes, ("sine", "sawtooth"), strict=True):
        made = model.sample(4, conditions={"wave": kind}, random_state=1)
        lines = made.pivot(index="time", columns="entity", values="value")
        ax.plot(lines.to_numpy(), linewidth=1.4)
        ax.set(title=f"asked for: {kind}", xlabel="time")
    return figure


def pair_rates(frame: pd.DataFrame, states: list[str]) -> np.ndarray:
    """Count how often each state follows each, as rates of shape (k, k)."""
    following = frame.groupby("entity")["state"].shift(-1)
    both = pd.crosstab(frame["state"].astype(str), following.astype(object))
    both = both.reindex(index=states, columns=states, fill_value=0).to_numpy(dtype=float)
    return both / np.maximum(both.sum(axis=1, keepdims=True), 1)


def beside_chain(model: tabgan.SeqGANSynthesizer, name: str) -> plt.Figure:
    """Fit a model to a chain of states; draw how often each state follows each, beside real."""
    real = make_markov_sequences(600, n_steps=10, order=1, as_frame=True, random_state=0)
    made = model.fit(real.frame).sample(600, random_state=0)
    figure, axes = plt.subplots(1, 2, figsize=(6, 2.9), layout="constrained")
    for ax, frame, title in zip(
        axes, (real.frame, made), ("real", f"synthetic, {name}"), strict=True
    ):
        ax.imshow(pair_rates(frame, real.state_names), vmin=0, vmax=1, cmap="Blues")
        ticks = range(len(real.state_names))
        ax.set_xticks(ticks, real.state_names)
        ax.set_yticks(ticks, real.state_names)
        ax.set(title=title, xlabel="next state", ylabel="state")
    return figure


def seqgan() -> plt.Figure:
    """Draw what states follow each other in sequences of `SeqGANSynthesizer`."""
    model = tabgan.SeqGANSynthesizer(entity="entity", time="time", n_steps=250, random_state=0)
    return beside_chain(model, "SeqGAN")


def sequence_arae() -> plt.Figure:
    """Draw what states follow each other in sequences of `SequenceARAESynthesizer`."""
    model = tabgan.SequenceARAESynthesizer(
        entity="entity", time="time", n_steps=300, random_state=0
    )
    return beside_chain(model, "sequence ARAE")


# ------------------------------------------------------------------ the guide's own


def how_it_works() -> plt.Figure:
    """Draw the way of a row, from table to table."""
    figure, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
    ax.set(xlim=(0, 10), ylim=(0, 4))
    ax.axis("off")
    upper = ["DataFrame", "schema", "layout and\nencoder", "game", "raw rows"]
    lower = ["DataFrame", "on demand", "accepted", "calibrated", "source"]
    hints = {
        "schema": "what each\ncolumn is",
        "layout and\nencoder": "numbers a\nnetwork sees",
        "game": "networks\ntrained",
        "raw rows": "scores of\nlevels",
        "source": "levels and\nranks drawn",
        "calibrated": "rates of\ntraining",
        "accepted": "telltale rows\nrejected",
        "on demand": "conditions\nmet",
    }
    places = [(0.2 + 2 * i, 2.6) for i in range(5)], [(0.2 + 2 * i, 0.6) for i in range(5)]
    for names, spots in zip((upper, lower), places, strict=True):
        for name, (x, y) in zip(names, spots, strict=True):
            face = INK if name == "DataFrame" else PAPER
            box = FancyBboxPatch((x, y), 1.5, 0.7, "round,pad=0.06", facecolor=face, edgecolor=INK)
            ax.add_patch(box)
            ink = "white" if name == "DataFrame" else INK
            ax.text(x + 0.75, y + 0.35, name, ha="center", va="center", color=ink, fontsize=10)
            ax.text(
                x + 0.75,
                y - 0.14,
                hints.get(name, ""),
                ha="center",
                va="top",
                fontsize=8,
                color=INK,
            )
    arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.4}
    for i in range(4):
        ax.annotate("", (2.1 + 2 * i, 2.95), (1.78 + 2 * i, 2.95), arrowprops=arrow)
        ax.annotate("", (1.78 + 2 * i, 0.95), (2.1 + 2 * i, 0.95), arrowprops=arrow)
    ax.annotate("", (9.75, 1.38), (9.75, 2.5), arrowprops=arrow)
    ax.text(0.2, 3.75, "fit", fontsize=12, fontweight="bold", color=INK)
    ax.text(0.2, 1.75, "sample", fontsize=12, fontweight="bold", color=INK)
    return figure


def marginals_and_trends() -> plt.Figure:
    """Draw a report of the Adult table."""
    train, _ = load_adult()
    train = train.head(4000)
    model = tabgan.AutoregressiveSynthesizer(random_state=0).fit(train)
    report = tabgan.evaluate(train, model.sample(4000, random_state=0))
    return report.plot(n_marginals=3)


def scaling() -> plt.Figure:
    """Draw time and memory over sizes, from the results of the benchmark."""
    path = FOLDER.parent.parent / "benchmarks" / "results" / "scaling.json"
    found = pd.DataFrame(json.loads(path.read_text())["results"])
    kinds = ("rows", "columns", "categories")
    figure, axes = plt.subplots(2, 3, figsize=(8, 4.5), layout="constrained", sharey="row")
    figures = (("fit_cpu_seconds", "seconds of a fit"), ("fit_peak_mb", "peak MB of a fit"))
    for row, (key, label) in zip(axes, figures, strict=True):
        row[0].set_ylabel(label)
        for ax, kind in zip(row, kinds, strict=True):
            some = found[found["what"] == kind].sort_values("size")
            ax.plot(some["size"], some[key], "o-", color=COLOURS["blue"], markersize=4)
            ax.set(xscale="log", xlabel=kind, ylim=(0, None))
    return figure


def critic_features() -> plt.Figure:
    """Draw an autoencoder's plane of the mixed table."""
    table = make_mixed_table(2000, random_state=0)
    model = tabgan.AAESynthesizer(latent_dim=2, n_steps=500, random_state=0, **CODES_ALONE)
    model.fit(table)
    held_out = make_mixed_table(800, random_state=1)
    figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
    LatentSpaceDisplay.from_estimator(model, held_out, held_out["channel"], ax=ax)
    ax.set_title("codes of rows not trained on, by channel")
    return figure


def dirac() -> plt.Figure:
    """Draw a game of two numbers with and without what damps it."""
    chosen = {
        "plain": (),
        "instance noise": (InstanceNoise(2.0, until=1.0),),
        "R1": (R1(1.0, every=1),),
        "relativistic, R1, R2": (RelativisticPairing(), R1(0.5, every=1), R2(0.5, every=1)),
    }
    paths = {
        name: trajectory(DiracGame(n_rows=64), (1.0, 1.0), techniques)
        for name, techniques in chosen.items()
    }
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained", sharey=True)
    for ax, (name, path) in zip(axes, paths.items(), strict=True):
        TrajectoryDisplay.from_points({name: path}, ax=ax)
        ax.get_legend().remove()
        ax.set(title=name, xlim=(-2, 2), ylim=(-2, 2), xlabel="generator", ylabel="")
    axes[0].set_ylabel("discriminator")
    return figure


PICTURES: dict[str, Callable[[], plt.Figure]] = {
    function.__name__: function
    for function in (
        how_it_works,
        marginals_and_trends,
        critic_features,
        dirac,
        autoregressive,
        arae,
        aae,
        clusterer,
        bigan,
        wgan,
        cgan,
        cramer,
        scaling,
        infogan,
        gan,
        lsgan,
        teaching,
        dagan,
        cyclegan,
        genclass,
        rcgan,
        seqgan,
        sequence_arae,
    )
}


def save(figure: plt.Figure, path: Path, dpi: int, n_colours: int) -> None:
    """Write a figure as a PNG file of a few colours, which is a third as large as one of all."""
    figure.savefig(path, dpi=dpi)
    plt.close("all")
    with Image.open(path) as image:
        few = image.convert("RGB").quantize(n_colours, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def main() -> None:
    """Draw the pictures named, or all."""
    FOLDER.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for name in sys.argv[1:] or PICTURES:
        started = time.perf_counter()
        figure = PICTURES[name]()
        path = FOLDER / f"{name}.png"
        is_report = name == "marginals_and_trends"
        save(figure, path, *((REPORT_DPI, REPORT_COLOURS) if is_report else (DPI, N_COLOURS)))
        seconds, size = time.perf_counter() - started, path.stat().st_size / 1000
        print(f"{name}: {seconds:.0f} s, {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
