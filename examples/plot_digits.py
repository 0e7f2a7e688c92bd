"""
Digits without and with labels
==============================

Handwritten digits of 8 x 8 pixels as a table of 64 numbers: InfoGAN finds classes without a label,
the adversarial autoencoder lays them out in a plane, the conditional GAN makes one of each.
"""

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits

from tabgan import AAESynthesizer, CGANSynthesizer, InfoGANFeaturizer
from tabgan.displays import LatentSpaceDisplay

N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 1000))
digits = load_digits()
X, y = digits.data, digits.target


def show(images: np.ndarray, title: str) -> None:
    """Draw an array of shape (rows, columns, 64) as images side by side."""
    n_rows, n_columns, _ = images.shape
    framed = np.pad(images.reshape(n_rows, n_columns, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sheet = framed.transpose(0, 2, 1, 3)
    figure, ax = plt.subplots(figsize=(n_columns * 0.6, n_rows * 0.6 + 0.4), layout="constrained")
    ax.imshow(sheet.reshape(n_rows * 10, n_columns * 10), cmap="gray_r")
    ax.set_axis_off()
    ax.set_title(title)


# %%
# InfoGAN: rows are the categorical code, columns are draws of the rest. No label was seen.
infogan = InfoGANFeaturizer(n_steps=2 * N_STEPS, n_critic=2, batch_size=128, random_state=0).fit(X)
classes = np.repeat(np.arange(10), 10)
show(infogan.sample(codes={0: classes}, random_state=0).reshape(10, 10, 64), "One code per row")

counts = np.zeros((10, 10))
np.add.at(counts, (infogan.predict(X), y), 1)
matched = counts[linear_sum_assignment(-counts)].sum() / len(y)
print(f"codes agree with the true digit for {matched:.0%} of the images")

# %%
# Adversarial autoencoder with a code of two dimensions.
aae = AAESynthesizer(latent_dim=2, n_steps=N_STEPS, batch_size=256, random_state=0).fit(X)
LatentSpaceDisplay.from_estimator(aae, X, y)
grid = np.linspace(-2, 2, 12)
plane = np.stack(np.meshgrid(grid, grid[::-1]), axis=-1).reshape(-1, 2)
show(aae.inverse_transform(plane).reshape(12, 12, 64), "Decoded neighbours in the plane")

# %%
# Conditional GAN: one of each digit, asked for by label.
cgan = CGANSynthesizer(n_steps=N_STEPS, n_critic=2, batch_size=256, random_state=0).fit(X, y)
show(
    cgan.sample(conditions=np.tile(np.arange(10), 5), random_state=0).reshape(5, 10, 64),
    "On demand",
)
plt.show()
