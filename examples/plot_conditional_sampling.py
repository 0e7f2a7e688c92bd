"""
Rows on demand
==============

A table of conditions goes in, exactly those rows come out, in order. `CGANSynthesizer` is trained
to be given some columns; any other synthesizer meets conditions by making rows until enough are
right.
"""

# %%
# The table: a rare category, prices that depend on it, missing values.
import os

import matplotlib.pyplot as plt
import pandas as pd

from tabgan import AAESynthesizer, CGANSynthesizer
from tabgan.datasets import load_adult

N_STEPS = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 200))
train, test = load_adult()
train = train.sample(6000, random_state=0)

# %%
# Learn everything else given education and sex.
cgan = CGANSynthesizer(condition_columns=["education", "sex"], n_steps=N_STEPS, random_state=0).fit(
    train
)

asked = pd.DataFrame(
    {
        "education": ["Doctorate", "HS-grad", "Masters"] * 200,
        "sex": ["Female", "Male", "Female"] * 200,
    }
)
synthetic = cgan.sample(conditions=asked, random_state=0)
assert (synthetic[["education", "sex"]].astype(str) == asked).all().all()
print(synthetic.groupby("education", observed=True)["age"].describe().round(1))

# %%
# A synthesizer that was not trained for it serves conditions too: values, intervals, several at
# once.
aae = AAESynthesizer(n_steps=N_STEPS, random_state=0).fit(train)
young = aae.sample(
    300,
    random_state=0,
    conditions={"age": pd.Interval(17, 25, closed="both"), "income": "<=50K"},
)
assert young["age"].between(17, 25).all() and (young["income"] == "<=50K").all()

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
