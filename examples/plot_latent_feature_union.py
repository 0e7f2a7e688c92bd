"""
Latent features from unlabelled rows, in a FeatureUnion
=======================================================

Labels are dear, rows are cheap: twenty thousand people have filled in a form, and of a hundred we
know the income. An adversarial autoencoder learns from all of the forms, labels not needed, and
its code, six numbers for a whole row, stands beside the columns in a `FeatureUnion`.
"""

# %%
# A form, mostly without labels
# -----------------------------

import os

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_validate
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tabgan import AAESynthesizer
from tabgan.datasets import load_adult

n_steps = int(os.environ.get("TABGAN_EXAMPLE_STEPS", 300))

adult, _ = load_adult()
adult = adult.drop(columns="fnlwgt")
unlabelled = adult[:20_000].drop(columns="income")
labelled = adult[20_000:]
X, y = labelled.drop(columns="income"), labelled["income"]
X.head()

# %%
# The featurizer learns from the unlabelled rows
# ----------------------------------------------
# `FrozenEstimator` keeps what it has learnt: cross-validation clones and fits everything else.

codes_alone = {"decoder": "joint", "early_stopping": False, "acceptance_rounds": 0}
featurizer = AAESynthesizer(
    n_steps=n_steps, latent_dim=6, hidden_dim=128, random_state=0, **codes_alone
)
featurizer.fit(unlabelled)

columns = make_column_transformer(
    (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        make_column_selector(dtype_include="category"),
    ),
    remainder=StandardScaler(),
    verbose_feature_names_out=False,
)
code = FrozenEstimator(featurizer)
both = FeatureUnion([("columns", columns), ("code", code)], verbose_feature_names_out=False)
both.set_output(transform="pandas")

# %%
# A DataFrame comes out, and the code has names of its own.

features = both.fit_transform(X[:100])
print(features.shape)
print(features.iloc[:3, -8:].round(2).to_string())

# %%
# What it is worth
# ----------------
# A hundred labelled rows to learn from, thousands to be scored on, ten times over.

splits = StratifiedShuffleSplit(n_splits=10, train_size=100, test_size=4000, random_state=0)
scores = {}
for name, transformer in {"columns": columns, "code": code, "both": both}.items():
    classifier = make_pipeline(transformer, LogisticRegression(C=0.1, max_iter=1000))
    result = cross_validate(classifier, X, y, cv=splits, scoring="roc_auc")
    scores[name] = result["test_score"]
scores = pd.DataFrame(scores)
print(scores.agg(["mean", "std"]).round(3).to_string())

# %%
# Compare within splits, since all three had the same rows: how much does the code add?

difference = scores["both"] - scores["columns"]
print(f"ROC AUC, both less columns: {difference.mean():+.4f} ± {difference.sem():.4f}")

# %%
# Six numbers learnt without a label come close to the sixty-odd columns they stand for, which is
# their use: as a small numeric view of a mixed table. Logistic regression had little to gain from
# them beside the columns themselves.

# %%
# The code in a picture
# ---------------------
# Income was not shown to the featurizer; its two codes that differ most with income are drawn.

codes = pd.DataFrame(featurizer.transform(X[:3000]), columns=featurizer.get_feature_names_out())
is_rich = (y[:3000] == ">50K").to_numpy()
gap = (codes[is_rich].mean() - codes[~is_rich].mean()).abs() / codes.std()
first, second = gap.nlargest(2).index
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for label, rows in {"<=50K": ~is_rich, ">50K": is_rich}.items():
    ax.plot(codes.loc[rows, first], codes.loc[rows, second], ".", alpha=0.4, label=label)
ax.set(xlabel=first, ylabel=second)
ax.legend(title="income")
plt.show()
