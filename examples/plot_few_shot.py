"""
Classes with few rows, or none
==============================

Digits again, as tables of 64 numbers. The augmentation GAN makes variants of single images of
digits it was not trained on. GenClass makes, and recognises, a digit of which it only knows how it
is drawn. The teaching network distils the whole data set to a few hundred rows.

This example trains for minutes. Its pictures come from a full run, not from the build of this site.
"""

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from tabgan import DAGANAugmenter, GenClassClassifier, TeachingSynthesizer
from tabgan.displays import RowGridDisplay

# sphinx_gallery_thumbnail_path = "images/plot_few_shot_1.png"
N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 300))
X, y = load_digits(return_X_y=True)
new = np.isin(y, [3, 5, 9])

# %%
# Variants of single images of 3, 5 and 9. Training saw the other digits alone.
augmenter = DAGANAugmenter(
    n_steps=N_STEPS, n_critic=2, batch_size=128, strength=1.0, random_state=0
)
augmenter.fit(X[~new], y[~new])
single = np.array([np.flatnonzero(y == digit)[0] for digit in (3, 5, 9)])
variants = augmenter.augment(X[single], n_samples=24, random_state=0)
variants = np.concatenate(
    [X[single][:, None], variants.reshape(8, 3, 64).transpose(1, 0, 2)], axis=1
)

# %%
# Each digit as the lit segments of a seven-segment display, and its loops; no 9 in training.
segments = ["1110111", "0010010", "1011101", "1011011", "0111010"]
segments += ["1101011", "1101111", "1010010", "1111111", "1111011"]
described = pd.DataFrame([[int(lit) for lit in lights] for lights in segments])
described["loops"] = [1, 0, 0, 0, 0, 0, 1, 0, 2, 1]
described.columns = described.columns.astype(str)
genclass = GenClassClassifier(n_steps=N_STEPS, batch_size=128, random_state=0)
genclass.fit(X[y != 9], y[y != 9], described)
unseen = genclass.generate(np.repeat([8, 9], 9), random_state=0).reshape(2, 9, 64)
found = genclass.score(X[y == 9], y[y == 9])
print(f"recognised {found:.0%} of the nines, with ten digits to choose from and none seen")

# %%
# Rows that teach: no likeness is asked of them.
teacher = TeachingSynthesizer(n_steps=N_STEPS, random_state=0).fit(X[::2], y[::2])
rows, labels = teacher.distil(random_state=0)
distilled = np.stack([rows[labels == digit][:4] for digit in range(10)], axis=1)
taught = LogisticRegression(max_iter=1000).fit(rows / 16, labels).score(X[1::2] / 16, y[1::2])
print(f"logistic regression on {len(rows)} taught rows: {taught:.0%} of the other half")

# %%
# The three side by side.
figure, axes = plt.subplots(3, 1, figsize=(6.4, 7.2), layout="constrained", height_ratios=[3, 2, 4])
sheets = {
    "Augmentation: one real image (left) of an unseen digit, and variants": variants,
    "GenClass: the 8, seen in training, and the 9, made from its description": unseen,
    "Teaching: distilled digits 0 to 9": distilled,
}
for ax, (title, images) in zip(axes, sheets.items(), strict=True):
    rows = images.reshape(-1, 64)
    display = RowGridDisplay.from_rows(rows, images.shape[1], image_shape=(8, 8), ax=ax)
    display.ax_.set_title(title, fontsize="medium")

# %%
# .. image:: /images/plot_few_shot_1.png
#    :alt: Variants of unseen digits, digits made from a description, and distilled digits
plt.show()
