"""
The adversarial autoencoder's plane, and its walks
==================================================

An adversarial autoencoder matches its codes to a distribution that we choose. Where codes have two
dimensions the whole distribution can be looked at; where they are given the label too, they hold
what the label does not say, which is style.
"""

# %%
# A flower of ten petals
# ----------------------
# Codes of the 8 x 8 digits are matched to a mixture of ten normals, with no label given. The images
# drawn here were not trained on: colours tell what they truly show.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tabgan import AAESynthesizer
from tabgan.displays import LatentSpaceDisplay, RowGridDisplay

n_steps = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 600))
settings = {"n_steps": n_steps, "batch_size": 256, "hidden_dim": 128, "random_state": 0}
# Codes alone are looked at here, so no rows have to be made one column after another.
settings |= {"decoder": "joint", "early_stopping": False, "acceptance_rounds": 0}
X, X_valid, y, y_valid = train_test_split(*load_digits(return_X_y=True), random_state=0)

plane = AAESynthesizer(latent_dim=2, prior="mixture", **settings).fit(X)
display = LatentSpaceDisplay.from_estimator(plane, X_valid, y_valid)
display.ax_.set_title("validation rows, no label seen")

# %%
# Circles through the petals, decoded
# -----------------------------------
# Neighbouring points become neighbouring images. Each row of images is one round about the centre,
# beginning on the right; the innermost is at the top. Codes are scaled so that their variances add
# up to 0.25, and the circles go through quantiles of the codes' distances from the centre.

angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
distances = np.linalg.norm(plane.transform(X), axis=1)
radii = np.quantile(distances, [0.02, 0.2, 0.5, 0.8, 0.98])[:, None]
points = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1).reshape(-1, 2)
display = RowGridDisplay.from_rows(plane.inverse_transform(points), 16, image_shape=(8, 8))
display.ax_.set_title("points on five circles, decoded")

# %%
# Label fixed, code walked
# ------------------------
# Fitted with labels, the decoder is told the class. From left to right the code goes along one
# line in the code's space, the same one for every class: slant and stroke change, the digit stays.

supervised = AAESynthesizer(latent_dim=2, **settings).fit(X, y)
steps = np.linspace(-0.75, 0.75, 10)
line = np.column_stack([np.tile(steps, 10), np.zeros(100)])
labels = np.repeat(np.eye(10), 10, axis=0)
walked = supervised.inverse_transform(np.hstack([line, labels]))
display = RowGridDisplay.from_rows(walked, image_shape=(8, 8))
display.ax_.set_title("a class per row, the code walked")
print(f"classes of validation rows: {np.mean(supervised.predict(X_valid) == y_valid):.0%} right")
plt.show()
