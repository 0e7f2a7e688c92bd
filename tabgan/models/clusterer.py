"""Clustering by an adversarial autoencoder none of whose labels is known."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from tabgan.estimators.conditioning import Combinations
from tabgan.estimators.inputs import check_integer
from tabgan.models.aae import AAESynthesizer
from tabgan.table.schema import Schema


class AAEClusterer(AAESynthesizer):
    """Clustering adversarial autoencoder [1]_: the encoder says a cluster beside the code.

    Of K clusters all are to be as frequent, and to decide what the code does not say. `predict`
    gives the cluster, 0 to K - 1; `transform` the code's mean and the probability of each cluster;
    ``sample(conditions={"cluster": 3})`` makes rows of one.

    Parameters
    ----------
    n_clusters : int, default=10
        Clusters to find.
    **shared
        See `AAESynthesizer` and `AdversarialEstimator`.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, section 6.
    """

    def __init__(self, *, n_clusters: int = 10, **shared: Any) -> None:
        super().__init__(**shared)
        self.n_clusters = n_clusters

    def _training_table(
        self, table: pd.DataFrame, y: Any, reset: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        check_integer("n_clusters", self.n_clusters)
        unknown = pd.Series(np.nan, index=table.index, name="cluster")
        return super()._training_table(table, unknown, reset)

    def _infer_label(self, labels: pd.DataFrame) -> Schema:
        clusters = pd.DataFrame({self._target_name: np.arange(self.n_clusters)})
        return Schema.infer(clusters, [self._target_name])

    def _build(self) -> None:
        super()._build()
        # No training row has a cluster that could be counted; a single one needs no code.
        codes = np.arange(self.n_clusters)[:, None][:, : self._conditions.encoder.layout.n_blocks]
        even = np.ones(self.n_clusters, dtype=np.int64)
        self._conditions.combinations = Combinations(codes, codes[:, :0], even)
