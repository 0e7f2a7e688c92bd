"""
Waves on demand, and waves that turn into each other
====================================================

Sinusoids and sawtooths of random offset, frequency and amplitude: a recurrent conditional GAN, in
its paper's form, learns to make either when asked. Each wave is made from a latent draw of its own,
so that between the draws of four waves lies a plane of others.

This example trains for minutes. Its pictures come from a full run, not from the build of this site.
"""

# %%
# A long table, one row for each step; whether an entity is a sine or a sawtooth does not vary
# along it, so it is a condition by itself.
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from tabgan import RCGANSynthesizer
from tabgan.datasets import make_waves
from tabgan.displays import RowGridDisplay

# sphinx_gallery_thumbnail_path = "images/plot_waves_2.png"
N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 1000))
waves = make_waves(4000, n_steps=30, as_frame=True, random_state=0).frame
settings = {"generator": "joint", "batch_size": 128, "n_steps": N_STEPS, "random_state": 0}
model = RCGANSynthesizer(entity="entity", time="time", **settings).fit(waves)
waves.head()


def values(table: pd.DataFrame) -> np.ndarray:
    """Put the waves of a long table side by side, shape (n, 30)."""
    return table.pivot(index="entity", columns="time", values="value").to_numpy()


# %%
# On demand: above real waves of a class, below synthetic ones.
figure, axes = plt.subplots(2, 2, figsize=(10, 5), layout="constrained", sharex=True, sharey=True)
for column, kind in zip(axes.T, ("sine", "sawtooth"), strict=True):
    real = values(waves[waves["wave"] == kind])[:5]
    synthetic = values(model.sample(5, conditions={"wave": kind}, random_state=1))
    for ax, lines, name in zip(column, (real, synthetic), ("real", "synthetic"), strict=True):
        ax.plot(lines.T, linewidth=1.5)
        ax.set_title(f"{kind}, {name}")

# %%
# .. image:: /images/plot_waves_1.png
#    :alt: Real and synthetic sines and sawtooths

# %%
# Four latent draws in the corners, and between them all that lies on the way: the waves morph.
# What a point of the plane stands for is the same for both classes.
corners = np.random.default_rng(4).normal(size=(2, 2, model.latent_dim))
share = np.linspace(0, 1, 7)
weights = np.stack([1 - share, share])
plane = np.einsum("ai,bj,abd->ijd", weights, weights, corners).reshape(49, -1)
figure, axes = plt.subplots(1, 2, figsize=(12, 5.5), layout="constrained")
for ax, kind in zip(axes, ("sine", "sawtooth"), strict=True):
    morphs = values(model.sample(49, latent=plane, conditions={"wave": kind}, random_state=0))
    RowGridDisplay.from_rows(morphs, 7, ax=ax)
    ax.set_title(f"{kind}: from corner to corner of the latent plane")

# %%
# .. image:: /images/plot_waves_2.png
#    :alt: Two sheets of waves that turn into each other
plt.show()
