"""
Filling gaps: means, draws, and honest intervals
================================================

A third of the working hours of two thousand people is lost, more often of old people than of young
ones. Three questions: what do filled values look like, what becomes of the dependence on age, and
how sure can we be of the mean?
"""

# %%
# A table with gaps
# -----------------
# The chance that the hours are missing rises with age, which is known: the values are missing at
# random. Hours are known of nearly all young people, many of whom work few hours, so that the mean
# of the known hours is too low.

import os

import matplotlib.pyplot as plt
import numpy as np

from tabgan import AutoregressiveSynthesizer, SynthesizerImputer
from tabgan.datasets import load_adult
from tabgan.imputation import pool

n_steps = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 4000))

people = load_adult()[0].dropna().head(2000).reset_index(drop=True)
people = people[["age", "education", "occupation", "sex", "income", "hours-per-week"]]
people = people.astype({"hours-per-week": float})
rng = np.random.default_rng(0)
chance = 1 / (1 + np.exp(-(people["age"] - 48) / 10))
is_gap = rng.random(len(people)) < chance
table = people.assign(**{"hours-per-week": people["hours-per-week"].mask(is_gap)})
print(f"{is_gap.mean():.0%} missing; mean of known hours {table['hours-per-week'].mean():.2f}, ")
print(f"of all hours {people['hours-per-week'].mean():.2f}")

# %%
# Filled values
# -------------
# `transform` draws each missing value from its distribution given what is known of the person. The
# mean of the known values, for comparison, is one tall bar, and hides how hours depend on age.

imputer = SynthesizerImputer(AutoregressiveSynthesizer(n_steps=n_steps), random_state=0)
completed = imputer.fit_transform(table)
means = table.fillna({"hours-per-week": table["hours-per-week"].mean()})

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
bins = np.arange(0, 101, 5)
for name, filled in {"true": people, "drawn": completed, "mean": means}.items():
    hours = filled["hours-per-week"]
    axes[0].hist(hours[is_gap], bins, histtype="step", label=name, linewidth=1.5)
    by_age = hours.groupby(people["age"] // 5 * 5).mean().loc[15:70]
    axes[1].plot(by_age.index + 2.5, by_age, marker="o", label=name)
axes[0].set(xlabel="hours of people with gaps", ylabel="people")
axes[1].set(xlabel="age", ylabel="mean hours")
axes[1].legend()
plt.show()

# %%
# How sure we are
# ---------------
# Ten completed tables differ in what was filled in. `pool` adds that uncertainty to the one that
# any mean of two thousand people has (Rubin's rules). The mean of the known hours is off, and
# filling in means keeps it off while it claims to be surer than the whole table would be.


def mean_and_variance(hours):
    """Estimate the mean and its variance, as if all hours had been known."""
    return hours.mean(), hours.var() / len(hours)


estimates = [mean_and_variance(each["hours-per-week"]) for each in imputer.sample(table)]
pooled = pool(*zip(*estimates, strict=True), df=len(table) - 1)

fig, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
rows = {"ten draws, pooled": (pooled.estimate, *pooled.interval())}
for name, hours in {
    "means filled in": means["hours-per-week"],
    "known hours alone": table["hours-per-week"].dropna(),
    "nothing missing": people["hours-per-week"],
}.items():
    estimate, variance = mean_and_variance(hours)
    rows[name] = (estimate, estimate - 1.96 * variance**0.5, estimate + 1.96 * variance**0.5)
for place, (estimate, low, high) in enumerate(rows.values()):
    ax.plot([low, high], [place, place], color="C0")
    ax.plot(estimate, place, "o", color="C0")
ax.axvline(people["hours-per-week"].mean(), color="0.6", zorder=0)
ax.set_yticks(range(len(rows)), rows)
ax.set_xlabel("mean hours, 95 % interval")
plt.show()
