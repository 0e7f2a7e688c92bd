"""The clustering autoencoder: clusters found, asked for, kept, and one or many of them."""

from __future__ import annotations

import contract
import numpy as np
import pandas as pd
import pytest
from contract import narrow_table, says, small
from seeds import seed
from sklearn.metrics import accuracy_score

from tabgan import AAEClusterer


def test_clusters_are_found():
    """Two kinds of rows that share nothing become two clusters, no label seen.

    Of 14 fits by other seeds, with bfloat16 products and without, all rows were in their cluster,
    70 % or more of the rows made for a cluster were of it, and 43 to 59 % of all were of one kind.
    """
    kind = np.arange(300) % 2
    X = pd.DataFrame({f"c{i}": np.where(kind, "a", "b") for i in range(4)})
    X["x"] = np.random.default_rng(seed(0)).normal(size=300)
    parameters = {"n_steps": 150, "hidden_dim": 32, "latent_dim": 1, "learning_rate": 1e-2}
    clustering = small(AAEClusterer, n_clusters=2, random_state=seed(0), **parameters).fit(X)
    cluster = clustering.predict(X)
    assert cluster.dtype == np.int64 and set(cluster) == {0, 1}
    assert max(accuracy_score(kind, cluster), accuracy_score(kind, 1 - cluster)) == 1
    codes = clustering.transform(X)
    assert codes.shape == (300, 1 + 2)
    np.testing.assert_array_equal(codes[:, 1:].argmax(axis=1), cluster)
    # A cluster can be asked for and makes rows of its kind (half of them would be chance, give or
    # take ten points in four standard errors); rows of all are made if none is.
    for i in (0, 1):
        made = clustering.sample(400, random_state=seed(0), conditions={"cluster": i})
        assert list(made) == list(X)
        assert (clustering.predict(made) == i).mean() > 0.6
    made = clustering.sample(300, random_state=seed(0))
    assert 0.3 < (made["c0"] == "a").mean() < 0.7
    loaded = contract.carry_by_file(clustering)
    pd.testing.assert_frame_equal(loaded.sample(300, random_state=seed(0)), made)
    assert loaded.partial_fit(X).n_steps_ == 300


def test_labels_are_not_looked_at():
    one, other = (small(AAEClusterer).fit(narrow_table(), y) for y in (None, [0, 1] * 30))
    np.testing.assert_array_equal(one.transform(narrow_table()), other.transform(narrow_table()))


def test_many_clusters_are_all_drawn():
    """Of 30 clusters at even rates, 3000 draws miss one with a chance of e-100."""
    clustering = small(AAEClusterer, n_clusters=30).fit(narrow_table())
    assert clustering.transform(narrow_table()).shape == (60, 3 + 30)
    given = clustering._core.encoding.conditions.draw(3000, np.random.default_rng(seed(0)))
    assert set(given.codes[:, 0].tolist()) == set(range(30))


def test_one_cluster_is_no_cluster():
    clustering = small(AAEClusterer, n_clusters=1).fit(narrow_table())
    assert (clustering.predict(narrow_table()) == 0).all()
    assert clustering.transform(narrow_table()).shape == (60, 3)
    assert len(contract.carry_by_file(clustering).sample(7)) == 7


def test_a_column_may_be_called_cluster():
    table = narrow_table().rename(columns={"kind": "cluster"})
    clustering = small(AAEClusterer, n_clusters=2).fit(table)
    assert set(clustering.predict(table)) <= {0, 1}
    assert (clustering.sample(5, conditions={"cluster": "b"})["cluster"] == "b").all()


@pytest.mark.parametrize("n_clusters", [0, 2.0])
def test_n_clusters_must_be_a_positive_integer(n_clusters):
    told = f"n_clusters must be a positive integer, got {n_clusters}."
    with pytest.raises(ValueError, match=says(told)):
        small(AAEClusterer, n_clusters=n_clusters).fit(narrow_table())
