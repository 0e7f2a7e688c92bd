"""
Rows on demand
==============

A table of conditions goes in, exactly those rows come out, in order. The default model draws given
any columns: values, intervals, one of several values, other columns from row to row. `rates`
rebalances a column, and `conditional_proba` gives probabilities without drawing.
"""

# %%
# The table: Adult, 6,000 people.
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import tabgan
from tabgan.datasets import load_adult

N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 400))
train, test = load_adult()
train = train.sample(6000, random_state=0).reset_index(drop=True)
# Values of fewer than five training rows can be asked for as well if nothing is withheld.
model = tabgan.AutoregressiveSynthesizer(privacy="none", n_steps=N_STEPS, random_state=0).fit(train)

# %%
# One row for each row of conditions.
asked = pd.DataFrame(
    {
        "education": ["Doctorate", "HS-grad", "Masters"] * 100,
        "sex": ["Female", "Male", "Female"] * 100,
    }
)
synthetic = model.sample(conditions=asked, random_state=0)
assert (synthetic[["education", "sex"]].astype(str) == asked).all().all()
print(synthetic.groupby("education", observed=True)["age"].describe().round(1))

# %%
# Intervals and sets hold for all rows.
young = model.sample(
    200,
    random_state=0,
    conditions={
        "age": pd.Interval(17, 25, closed="both"),
        "workclass": {"Private", "Self-emp-inc"},
        "income": ">50K",
    },
)
assert young["age"].between(17, 25).all() and (young["income"] == ">50K").all()

# %%
# Half of the values of real people are hidden and drawn anew. `tabgan.ANY` asks for nothing.
people = train.head(500)
hidden = np.random.default_rng(0).random(people.shape) < 0.5
redrawn = model.sample(conditions=people.astype(object).mask(hidden, tabgan.ANY), random_state=0)
kept = (redrawn.astype(object) == people.astype(object)) | (redrawn.isna() & people.isna())
assert (kept | hidden).all(axis=None)

# %%
# As many high incomes as low ones; the other columns follow.
even = model.sample(400, rates={"income": {">50K": 0.5}}, random_state=0)
print(even["income"].value_counts())

# %%
# Probabilities of one column given the others, without drawing.
chances = model.conditional_proba(test.head(3).drop(columns="income"), "income")
print(chances.round(3))

# %%
# Synthetic rows beside the real rows of the same education.
figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharex=True, layout="constrained")
for ax, education in zip(axes, ["Doctorate", "HS-grad", "Masters"], strict=True):
    bins = range(15, 95, 5)
    for label, table in (("real", train), ("synthetic", synthetic)):
        ages = table.loc[table["education"] == education, "age"]
        ax.hist(ages, bins=bins, density=True, alpha=0.5, label=f"{label} (n = {len(ages)})")
    ax.set(title=education, xlabel="age")
    ax.legend()
axes[0].set_ylabel("density")
plt.show()
