"""Clustering by an adversarial autoencoder whose labels are all unknown."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from tabgan.checks import FLAG, Rule, integer, number
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.features import Inverse
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.models.aae import AAECodes
from tabgan.table.schema import Schema


class AAEClusterer(AAECodes, Inverse, Latent, TableSynthesizer):
    """Clustering by an adversarial autoencoder [1]_: the encoder infers a cluster beside the code.

    Use this class to divide rows into K groups without any label, and to draw rows of one group.
    The encoder maps each row to a code, another network maps the row to a cluster, and the decoder
    reconstructs the row from both. Clusters are equally frequent, and rows that are alike share a
    cluster: a row, a copy in which three columns in ten hold values of other rows, and one of the
    nearest rows of the batch ([2]_, [3]_). The code comes to stand for what the cluster does not
    say.

    `predict` gives the cluster of each row, a number from 0 to K - 1. `transform` gives the mean of
    the code, scaled as in `AAESynthesizer`, and the probability of each cluster.
    ``sample(conditions={"cluster": 3})`` draws rows of cluster 3.

    The class differs from the paper in three ways. Clusters are learnt from their agreement. In the
    paper, and with ``agreement_weight=0``, the encoder infers clusters as well as codes, clusters
    are whatever helps the reconstruction, and a discriminator makes them equally frequent. Codes
    have a least noise, half of that of rounding. The discriminator and the decoder get draws from
    the inferred probabilities, where the paper uses the probabilities.

    Parameters
    ----------
    n_clusters : int >= 1, default=10
        Number of clusters.
    agreement_weight : float >= 0, default=1
        Weight of the agreement of clusters. The network of clusters learns from nothing else, so
        that any positive weight gives nearly the same clusters. With 0, clusters are learnt as in
        the paper.
    n_steps : int >= 0 or None, default=None
        Number of training steps. None takes 2,000 steps, and fewer on small tables: at most 300
        passes over the rows if early stopping is off.
    learning_rate : float > 0, default=1e-3
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column, the cluster included.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, section 6.
    .. [2] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing Self-
       Augmented Training", arXiv 1702.08720, equations 2 and 7.
    .. [3] Van Gansbeke et al. (2020), "SCAN: Learning to Classify Images without Labels",
       arXiv 2005.12320, equation 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from tabgan import AAEClusterer
    >>> X = load_digits().data[:100]
    >>> model = AAEClusterer(n_clusters=3, latent_dim=2, n_steps=5, random_state=0).fit(X)
    >>> set(model.predict(X)) <= {0, 1, 2}
    True
    >>> model.transform(X).shape
    (100, 5)
    >>> model.sample(4, conditions={"cluster": 2}).shape
    (4, 64)
    """

    _saved = {**TableSynthesizer._saved, "_unlabelled": FLAG}
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "n_clusters": integer(1),
        "agreement_weight": number(0),
    }

    def __init__(
        self, *, n_clusters: int = 10, agreement_weight: float = 1.0, **shared: Any
    ) -> None:
        super().__init__(**shared)
        self.n_clusters = n_clusters
        self.agreement_weight = agreement_weight

    def _training_table(
        self, table: pd.DataFrame, y: Any, anew: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        unknown = pd.Series(np.nan, index=table.index, name="cluster")
        self._unlabelled = True
        return append_target(self, table, unknown, anew, are_known=False)

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        schema = super()._infer_schema(table)
        clusters = pd.DataFrame({self._target_name: np.arange(self.n_clusters)})
        label = Schema.infer(clusters, [self._target_name])
        return Schema((*schema.columns[:-1], *label.columns))
