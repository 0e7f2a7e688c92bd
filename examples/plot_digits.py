"""
Digits without and with labels
==============================

Handwritten digits of 8 x 8 pixels as a table of 64 numbers: InfoGAN finds classes without a label,
the adversarial autoencoder lays them out in a plane, the conditional GAN makes one of each.

This example trains for minutes. Its pictures come from a full run, not from the build of this site.
"""

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits

from tabgan import AAESynthesizer, CGANSynthesizer, InfoGANFeaturizer
from tabgan.displays import LatentSpaceDisplay, LatentWalkDisplay, RowGridDisplay

# sphinx_gallery_thumbnail_path = "images/plot_digits_2.png"
N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 1000))
digits = load_digits()
X, y = digits.data, digits.target
IMAGE = (8, 8)

# %%
# InfoGAN: each row is a class of the categorical code; from left to right a continuous code goes
# from -1 to 1. No label was seen. The generator of the game draws the digits, smoother than a
# decoder of single pixels would.
infogan = InfoGANFeaturizer(
    n_steps=2 * N_STEPS,
    batch_size=128,
    decoder="joint",
    early_stopping=False,
    acceptance_rounds=0,
    random_state=0,
).fit(X)
codes = {0: np.repeat(np.arange(10), 10), 1: np.tile(np.linspace(-1, 1, 10), 10)}
display = RowGridDisplay.from_rows(infogan.sample(codes=codes, random_state=0), image_shape=IMAGE)
display.ax_.set_title("InfoGAN: rows by class, columns by continuous code")

counts = np.zeros((10, 10))
np.add.at(counts, (infogan.predict(X), y), 1)
matched = counts[linear_sum_assignment(-counts)].sum() / len(y)
print(f"codes agree with the true digit for {matched:.0%} of the images")

# %%
# .. image:: /images/plot_digits_1.png
#    :alt: A sheet of digits: InfoGAN finds ten classes without a label

# %%
# Adversarial autoencoder with a code of two dimensions.
codes_alone = {"decoder": "joint", "early_stopping": False, "acceptance_rounds": 0}
aae = AAESynthesizer(
    latent_dim=2, n_steps=N_STEPS, batch_size=256, random_state=0, **codes_alone
).fit(X)
LatentSpaceDisplay.from_estimator(aae, X, y)
display = LatentWalkDisplay.from_estimator(aae, extent=0.75, n=12, image_shape=IMAGE)
display.ax_.set_title("AAE: neighbouring points decoded")

# %%
# .. image:: /images/plot_digits_2.png
#    :alt: The codes of real digits in the plane, a colour for each digit
#
# .. image:: /images/plot_digits_3.png
#    :alt: Digits decoded from a lattice of codes

# %%
# Conditional GAN: one of each digit, asked for by label. Of few and smooth rows such as these, the
# generator of all columns at once makes more coherent ones.
joint = {"generator": "joint", "n_critic": 2, "early_stopping": False}
cgan = CGANSynthesizer(n_steps=N_STEPS, batch_size=256, random_state=0, **joint).fit(X, y)
asked = np.tile(np.arange(10), 5)
synthetic = cgan.sample(conditions=asked, random_state=0)
RowGridDisplay.from_rows(synthetic, image_shape=IMAGE).ax_.set_title("CGAN: digits on demand")

# %%
# .. image:: /images/plot_digits_4.png
#    :alt: Rows of the digits 0 to 9, made on demand
plt.show()
