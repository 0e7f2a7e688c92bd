"""Clustering by an adversarial autoencoder none of whose labels is known."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from tabgan.checks import Rule, integer
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import Inverse
from tabgan.estimators.tables import TableSynthesizer
from tabgan.estimators.target import append_target
from tabgan.models.aae import AAECodes
from tabgan.table.schema import Schema


class AAEClusterer(AAECodes, Inverse, Latent, TableSynthesizer):
    """Clustering adversarial autoencoder [1]_: the encoder says a cluster beside the code.

    Of K clusters all are to be as frequent, and to decide what the code does not say. `predict`
    gives the cluster, 0 to K - 1; `transform` the code's mean and the probability of each cluster;
    ``sample(conditions={"cluster": 3})`` makes rows of one.

    Parameters
    ----------
    n_clusters : int, default=10
        Clusters to find.
    n_steps : int or None, default=None
        Training steps. None: 2,000, and fewer on small tables.
    latent_dim : int, default=16
        Width of the code.
    prior : {"normal", "uniform", "mixture"}, default="normal"
        What codes are matched to: a normal distribution; an even one; or a mixture of normals
        that lie like a flower's petals in the code's first two dimensions.
    prior_scale : float > 0, default=1
        The normal's standard deviation, half the even one's width, a factor on the mixture.
    n_components : int, default=10
        Petals of the mixture.
    adversarial_weight : float >= 0, default=3
        Weight of fooling the discriminator beside the reconstruction (in nats per row).
    learning_rate : float, default=1e-3
        Adam's.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Makhzani et al. (2016), "Adversarial Autoencoders", arXiv 1511.05644, section 6.
    """

    _saved = (*TableSynthesizer._saved, "_unlabelled")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {"n_clusters": integer(1)}

    def __init__(
        self,
        *,
        n_clusters: int = 10,
        latent_dim: int = 16,
        prior: Literal["normal", "uniform", "mixture"] = "normal",
        prior_scale: float = 1.0,
        n_components: int = 10,
        adversarial_weight: float = 3.0,
        learning_rate: float = 1e-3,
        **shared: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim, learning_rate=learning_rate, **shared)
        self.n_clusters = n_clusters
        self.prior = prior
        self.prior_scale = prior_scale
        self.n_components = n_components
        self.adversarial_weight = adversarial_weight

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
