"""
Losses do not say how good the rows are
=======================================

A table of houses, numbers beside categories. The plain GAN's discriminator learns to tell one-hot
rows from softmax rows: its loss falls and the generator's climbs, while the rows get no better. The
critic of WGAN-GP estimates a distance between real and synthetic rows. The estimate climbs although
the rows get better, because the critic is still learning. ``early_stopping=True`` therefore judges
synthetic rows against rows held out, and looks at no loss.
"""

# %%
# Houses: price depends on area, district, age and state, all of which hang together.
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from tabgan import GANSynthesizer, WGANSynthesizer
from tabgan.displays import LossDisplay, MarginalsDisplay
from tabgan.evaluation import mean_pair_trend, pair_trends

N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 400))
rng = np.random.default_rng(0)
n = 4000
district = rng.choice(["centre", "harbour", "hills", "suburb"], n, p=[0.2, 0.1, 0.25, 0.45])
kind = np.where(rng.random(n) < np.where(district == "suburb", 0.7, 0.2), "house", "flat")
area = rng.lognormal(np.where(kind == "house", 4.9, 4.2), 0.3)
year = rng.integers(1900, 1960, n) + 60 * (rng.random(n) < np.where(kind == "house", 0.5, 0.7))
state = np.where(rng.random(n) < (2026 - year) / 160, "to renovate", "ready")
per_metre = pd.Series({"centre": 6.0, "harbour": 5.0, "hills": 4.5, "suburb": 3.0})[district]
price = (
    area * per_metre.to_numpy() * np.where(state == "ready", 1.0, 0.7) * rng.lognormal(0, 0.1, n)
)
houses = pd.DataFrame(
    {
        "district": district,
        "kind": kind,
        "area": area.round(1),
        "rooms": np.maximum(1, (area / 28 + rng.normal(0, 0.6, n)).round()).astype(int),
        "year": year,
        "state": state,
        "price": price.round(0),
    }
)

# %%
# Twenty times while it trains, each model is asked for rows, which are compared with the real ones.
figure, axes = plt.subplots(2, 2, figsize=(11, 6.5), sharex=True, layout="constrained")
synthetic = {}
for column, cls in enumerate([GANSynthesizer, WGANSynthesizer]):
    model = cls(n_steps=N_STEPS, random_state=0)
    steps, trends = [], []

    def judge(training, model=model, steps=steps, trends=trends):
        """Note the mean pair trend of rows drawn now."""
        if training.step % max(1, N_STEPS // 20) == 0:
            steps.append(training.step)
            rows = model.sample(len(houses), random_state=0)
            trends.append(mean_pair_trend(pair_trends(houses, rows)))

    model.set_params(callbacks=[judge]).fit(houses)
    synthetic[cls] = model.sample(n, random_state=0)
    LossDisplay.from_estimator(model, ax=axes[0, column])
    axes[0, column].set_title(cls.__name__)
    axes[1, column].plot(steps, trends, "k.-", label="pair trend, 1 is best")
    axes[1, column].set(xlabel="step", ylim=(0.75, 1.0))
    axes[1, column].legend(frameon=False, loc="lower right")

# %%
# What either makes in the end; marginals are calibrated after training, dependence is not.
for cls, rows in synthetic.items():
    MarginalsDisplay.from_frames(houses, rows, ["district", "rooms", "price"])
    print(f"{cls.__name__}: pair trend {mean_pair_trend(pair_trends(houses, rows)):.3f}")
plt.show()
