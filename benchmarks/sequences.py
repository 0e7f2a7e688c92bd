"""Sequences: waves on demand, days of air in Beijing, and chains whose truth is known.

    python benchmarks/sequences.py --data DIR [--parts waves beijing prices chain] [--quick]

DIR, or the environment variable TABGAN_DATA, holds beijing_pm25.csv.gz (UCI Machine Learning
Repository). Everything is at its defaults but where the table says otherwise.

- waves: a classifier that learnt from real waves labels generated ones; offset, frequency and
  amplitude of each, by least squares, against those of real waves (Kolmogorov-Smirnov).
- beijing: days of 24 hours; TimeGAN's discriminative and predictive scores on held-out days.
- prices: one long series of daily prices (open, high, low, close, volume), cut into windows of 24
  days; spread of the returns of closing prices against real, rules within a day, and the clustering
  of large returns.
- chain: a Markov chain of order two; negative log-likelihood of made sequences under the truth,
  and of real ones under a chain estimated from made sequences, which notices what is left out.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import write
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn.neural_network import MLPClassifier

import tabgan
from tabgan.constraints import Inequality
from tabgan.datasets import make_markov_sequences, make_prices, make_waves
from tabgan.evaluation import discriminative_score, predictive_score

# ---------------------------------------------------------------------- waves

N_STEPS = 30
FREQUENCIES = np.linspace(0.5, 6.0, 111)
OFFSETS = np.linspace(-np.pi, np.pi, 48, endpoint=False)


def fit_waves(data: NDArray[np.float64], is_sine: bool) -> pd.DataFrame:
    """Fit offset, frequency and amplitude to waves of a known shape by least squares.

    Frequencies, and a sawtooth's offsets, are tried on a grid; the rest has a closed form.
    """
    turns = FREQUENCIES[:, None] * np.arange(N_STEPS) / N_STEPS
    if is_sine:
        parts = np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=2)
        weights = np.einsum("fkt,nt->nfk", np.linalg.pinv(parts), data)
        rest = ((data[:, None] - np.einsum("ftk,nfk->nft", parts, weights)) ** 2).mean(axis=2)
        best = rest.argmin(axis=1)
        sine, cosine = weights[np.arange(len(data)), best].T
        fitted = np.arctan2(cosine, sine), FREQUENCIES[best], np.hypot(sine, cosine)
    else:
        teeth = 2 * ((turns[:, None] + OFFSETS[:, None] / (2 * np.pi)) % 1) - 1
        teeth = teeth.reshape(-1, N_STEPS)
        overlap, power = data @ teeth.T, (teeth**2).sum(axis=1)
        amplitude = overlap.clip(0) / power
        rest = ((data**2).sum(axis=1)[:, None] - amplitude * overlap) / N_STEPS
        best = rest.argmin(axis=1)
        fitted = (
            OFFSETS[best % len(OFFSETS)],
            FREQUENCIES[best // len(OFFSETS)],
            amplitude[np.arange(len(data)), best],
        )
    error = np.sqrt(rest.min(axis=1).clip(0))
    return pd.DataFrame(
        dict(zip(("offset", "frequency", "amplitude"), fitted, strict=True))
    ).assign(error=error)


def wave_features(data: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shape and spectrum, the size taken out."""
    unit = data / np.abs(data).max(axis=1, keepdims=True)
    return np.hstack([unit, np.abs(np.fft.rfft(unit, 2 * N_STEPS))])


def waves(quick: bool, seed: int) -> dict[str, Any]:
    """Judge waves that were asked for by class."""
    train = make_waves(500 if quick else 5000, N_STEPS, as_frame=True, random_state=seed)
    other, test = (make_waves(4000, N_STEPS, random_state=1000 + seed + i) for i in range(2))
    judge = MLPClassifier(max_iter=40, early_stopping=True, random_state=0)
    judge.fit(wave_features(other.data), other.target)
    synthesizer = tabgan.RCGANSynthesizer(entity="entity", time="time", random_state=seed)
    if quick:
        synthesizer.set_params(n_steps=20)
    started = time.perf_counter()
    synthesizer.fit(train.frame)
    seconds = time.perf_counter() - started
    asked = np.array(test.target_names)[test.target]
    made = synthesizer.sample(conditions={"wave": asked}, random_state=0)
    data = made["value"].to_numpy().reshape(-1, N_STEPS)
    figures: dict[str, Any] = {
        "seed": seed,
        "fit_s": round(seconds, 1),
        "n_steps": synthesizer.n_steps_,
        "judge_on_real": float(judge.score(wave_features(test.data), test.target)),
        "labelled_as_asked": float(judge.score(wave_features(data), test.target)),
    }
    for i, name in enumerate(test.target_names):
        real, fake, again = (
            fit_waves(each[which == i], name == "sine")
            for each, which in (
                (test.data, test.target),
                (data, test.target),
                (other.data, other.target),
            )
        )
        figures[name] = {
            column: {
                "ks": float(ks_2samp(real[column], fake[column]).statistic),
                "ks_of_real": float(ks_2samp(real[column], again[column]).statistic),
            }
            for column in ("offset", "frequency", "amplitude")
        } | {"error": {"real": float(real["error"].mean()), "made": float(fake["error"].mean())}}
    return figures


# ---------------------------------------------------------------------- Beijing


def load_days(path: Path) -> pd.DataFrame:
    """Read the hourly series as days of 24 hours."""
    table = pd.read_csv(path / "beijing_pm25.csv.gz").drop(columns="No")
    day = pd.to_datetime(table[["year", "month", "day"]])
    table.insert(0, "date", day.dt.strftime("%Y-%m-%d"))
    return table.drop(columns=["year", "day"])


def beijing(path: Path, quick: bool, seed: int) -> list[dict[str, Any]]:
    """Judge made days of air and weather by days that were held out."""
    days = load_days(path)
    dates = days["date"].unique()
    rng = np.random.default_rng(seed)
    held_out = rng.permutation(dates)[: len(dates) // 3]
    is_test = days["date"].isin(held_out)
    train, test = (part.reset_index(drop=True) for part in (days[~is_test], days[is_test]))
    n = len(held_out)

    def rcgan() -> pd.DataFrame:
        model = tabgan.RCGANSynthesizer(
            entity="date", time="hour", random_state=seed, **({"n_steps": 20} if quick else {})
        )
        return model.fit(train).sample(n, random_state=seed)

    def bootstrap() -> pd.DataFrame:
        taken = rng.choice(train["date"].unique(), n)
        rows = train.set_index("date").loc[taken].reset_index()
        return rows.assign(date=np.repeat(np.arange(n), 24))

    def shuffled() -> pd.DataFrame:
        by_hour = [
            rows.sample(n, random_state=24 * seed + hour) for hour, rows in train.groupby("hour")
        ]
        return pd.concat([rows.assign(date=np.arange(n)) for rows in by_hour])

    results = []
    ways: dict[str, Callable[[], pd.DataFrame]] = {
        "RCGANSynthesizer": rcgan,
        "bootstrap of days": bootstrap,
        "hours drawn apart": shuffled,
    }
    for name, make in ways.items():
        started = time.perf_counter()
        made = make()
        seconds = time.perf_counter() - started
        how = {"entity": "date", "time": "hour", "n_steps": 50 if quick else 1000}
        figures = {
            "model": name,
            "seed": seed,
            "seconds": round(seconds, 1),
            "discriminative": discriminative_score(test, made, **how),
            "predictive": predictive_score(test, made, **how),
        }
        results.append(figures)
        print(figures, flush=True)
    return results


# ---------------------------------------------------------------------- prices

WINDOW = 24


def returns_of(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the log-returns of closing prices, shape (n_windows, WINDOW - 1)."""
    close = np.log(table["close"].to_numpy())
    return np.diff(close.reshape(-1, WINDOW), axis=1)


def clustering(returns: NDArray[np.float64]) -> float:
    """Return the correlation of squared returns with those of the day after."""
    squares = returns**2
    return float(np.corrcoef(squares[:, :-1].ravel(), squares[:, 1:].ravel())[0, 1])


def prices(quick: bool, seed: int) -> dict[str, Any]:
    """Judge windows of a share's daily prices."""
    table = make_prices(200 if quick else 2000, random_state=seed)
    rules = [
        Inequality(low, high)
        for low, high in (("low", "open"), ("low", "close"), ("open", "high"), ("close", "high"))
    ]
    synthesizer = tabgan.RCGANSynthesizer(
        time="date", window=WINDOW, constraints=rules, random_state=seed
    )
    if quick:
        synthesizer.set_params(n_steps=20)
    started = time.perf_counter()
    synthesizer.fit(table)
    fitted = time.perf_counter()
    made = synthesizer.sample(20 if quick else 500, random_state=seed)
    sampled = time.perf_counter()
    starts = np.arange(len(table) - WINDOW + 1)
    windows = table.iloc[(starts[:, None] + np.arange(WINDOW)).ravel()]
    real, fake = returns_of(windows), returns_of(made)
    how: dict[str, Any] = {"time": "date", "window": WINDOW, "n_steps": 50 if quick else 1000}
    return {
        "seed": seed,
        "fit_s": round(fitted - started, 1),
        "sample_s": round(sampled - fitted, 1),
        "n_steps": synthesizer.n_steps_,
        "spread_of_returns": {"real": float(real.std()), "made": float(fake.std())},
        "spread_ratio": float(fake.std() / real.std()),
        "clustering": {"real": clustering(real), "made": clustering(fake)},
        "broken_rules": int(sum(rule.broken(made).sum() for rule in rules)),
        "discriminative": discriminative_score(table, made, **how),
        "predictive": predictive_score(table, made, **how),
    }


# ---------------------------------------------------------------------- a chain

K, LENGTH = 6, 20


def smoothed_chain(data: NDArray[np.int64]) -> Callable[[NDArray[np.int64]], float]:
    """Estimate a chain of order two, and return what scores sequences by it, in nats a step."""
    padded = np.pad(data, ((0, 0), (2, 0)), constant_values=K)
    counts = np.full((K + 1, K + 1, K), 0.1)
    np.add.at(counts, (padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), 1)
    log_rates = np.log(counts / counts.sum(axis=2, keepdims=True))

    def score(other: NDArray[np.int64]) -> float:
        padded = np.pad(other, ((0, 0), (2, 0)), constant_values=K)
        return -float(log_rates[padded[:, :-2], padded[:, 1:-1], padded[:, 2:]].mean())

    return score


def chain(quick: bool, seed: int, systems: list[str] | None = None) -> list[dict[str, Any]]:
    """Judge sequences of a known chain, of all systems or of some."""
    train = make_markov_sequences(2000, LENGTH, as_frame=True, random_state=seed)
    test = make_markov_sequences(5000, LENGTH, as_frame=True, random_state=1000 + seed)
    states = pd.CategoricalDtype(test.state_names)

    def judged(frame: pd.DataFrame) -> dict[str, float]:
        data = frame["state"].astype(states).cat.codes.to_numpy(np.int64).reshape(-1, LENGTH)
        return {
            "nll_under_truth": -float(train.log_likelihood(data).mean()) / LENGTH,
            "nll_of_real": smoothed_chain(data)(test.data),
        }

    results: list[dict[str, Any]] = [
        {"model": "the chain itself", **judged(test.frame)},
        {"model": "training sequences", **judged(train.frame)},
    ]
    small = {"n_steps": 20} if quick else {}

    def run(name: str, cls: str, **parameters: Any) -> None:
        if systems is not None and name not in systems:
            return
        model = getattr(tabgan, cls)(
            entity="entity", time="time", random_state=seed, **(parameters | small)
        )
        path: list[dict[str, float]] = []

        def follow(training: Any) -> None:
            if training.step >= len(path) * (model.n_steps or model.plan.n_steps) / 20:
                path.append({"step": training.step, **judged(model.sample(2000, 0))})

        model.set_params(callbacks=[follow])
        started = time.perf_counter()
        model.fit(train.frame)
        figures = {"model": name, "seed": seed, "fit_s": round(time.perf_counter() - started, 1)}
        figures |= judged(model.sample(5000, random_state=0))
        if hasattr(model, "score_samples"):
            figures["real_under_model"] = -float(model.score_samples(test.frame).mean()) / LENGTH
        print(figures, flush=True)
        results.append(figures | {"path": path})

    run("RCGANSynthesizer", "RCGANSynthesizer")
    run("SeqGANSynthesizer", "SeqGANSynthesizer")
    run(
        "SeqGANSynthesizer, hardly any likelihood",
        "SeqGANSynthesizer",
        pretraining=0.15,
        n_steps=600,
    )
    run("likelihood alone, as many steps", "SeqGANSynthesizer", pretraining=1.0)
    run("SequenceARAESynthesizer", "SequenceARAESynthesizer")
    return results


def main() -> None:
    """Run the parts asked for and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("TABGAN_DATA"))
    parser.add_argument("--parts", nargs="+", default=["waves", "beijing", "prices", "chain"])
    parser.add_argument("--systems", nargs="+", help="of the chain; by default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="sequences")
    parser.add_argument("--quick", action="store_true", help="see that it runs")
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for part in args.parts:
        if part == "waves":
            results[part] = waves(args.quick, args.seed)
        elif part == "beijing":
            results[part] = beijing(Path(args.data), args.quick, args.seed)
        elif part == "prices":
            results[part] = prices(args.quick, args.seed)
        else:
            results[part] = chain(args.quick, args.seed, args.systems)
        print(part, results[part] if part in ("waves", "prices") else "", flush=True)
        write(args.name, results)


if __name__ == "__main__":
    main()
