"""GenClass: classes decided by the rows generated for them, unseen classes included."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional as F

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, Player
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import shuffled
from tabgan.checks import Rule, integer, listed, number, short
from tabgan.estimators.classes import RowsOfClasses
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import over_rows
from tabgan.models.gan import GANGame
from tabgan.networks.mlp import MLP
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

if TYPE_CHECKING:
    from typing_extensions import Self

N_TRAINING_DRAWS, N_DRAWS = 16, 256
"""Rows whose mean stands for a class, in a training step and when predicting."""


class ClassSet:
    """Rows dealt out in shuffled batches; the attributes of a row's class are its condition.

    Parameters
    ----------
    table : EncodedTable of n rows
    layout : Layout
    classes : Tensor of shape (n,), int64
    attributes : Tensor of shape (n_classes, n_attributes)
    """

    def __init__(
        self, table: EncodedTable, layout: Layout, classes: Tensor, attributes: Tensor
    ) -> None:
        self.table, self.layout = table, layout
        self.classes, self.attributes = classes, attributes

    def batches(self, batch_size: int, rng: torch.Generator) -> Iterator[Batch]:
        """Yield batches for ever; the condition's one code is the class."""
        for index in shuffled(len(self.table), batch_size, rng):
            table, classes = self.table.rows(index), self.classes[index]
            codes = EncodedTable(classes[:, None], table.scalars[:, :0])
            row = self.layout.expand(*table)
            yield Batch(table, row, self.attributes[classes], codes, rng)


class GenClassGame(GANGame):
    """WGAN-GP given attributes of classes, whose generator learns to make classes tell apart.

    Parameters
    ----------
    layout : Layout
    attributes : Tensor of shape (n_classes, n_attributes)
    seen : Tensor of shape (n_classes,), bool
        Which classes there are rows of.
    latent_dim, hidden_dim, n_critic : int
    classifier_weight : float
    """

    attributes: Tensor
    seen: Tensor

    def __init__(
        self,
        layout: Layout,
        attributes: Tensor,
        seen: Tensor,
        latent_dim: int,
        hidden_dim: int,
        n_critic: int,
        classifier_weight: float,
    ) -> None:
        super().__init__(
            layout,
            attributes.shape[1],
            latent_dim,
            hidden_dim,
            WASSERSTEIN,
            n_critic=n_critic,
            temperature=GUMBEL_TEMPERATURE,
        )
        self.classifier_weight = classifier_weight
        self.register_buffer("attributes", attributes, persistent=False)
        self.register_buffer("seen", seen, persistent=False)
        self.classifier = MLP(layout.width, [hidden_dim], hidden_dim)

    def players(self) -> tuple[Player, ...]:
        """Critic, `n_critic` times, then generator and classifier as one."""
        return (
            Player("critic", (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator, self.classifier), self.generator_loss),
        )

    def class_means(self, n_draws: int, rng: torch.Generator) -> Tensor:
        """Mean of what the classifier sees in rows made for each class, (n_classes, hidden_dim)."""
        given = self.attributes.repeat_interleave(n_draws, dim=0)
        made = self.soften(self.generate(given, rng), rng)
        return self.classifier(made).unflatten(0, (-1, n_draws)).mean(dim=1)

    def logits(self, row: Tensor, means: Tensor) -> Tensor:
        """Negative squared distance of encoded rows to each class, per hidden unit."""
        return -(self.classifier(row)[:, None] - means).square().mean(dim=2)

    def classifier_loss(self, batch: Batch) -> Tensor:
        """Cross-entropy of real rows' classes among those seen."""
        means = self.class_means(N_TRAINING_DRAWS, batch.rng)
        logits = self.logits(batch.row, means).masked_fill(~self.seen, -torch.inf)
        return F.cross_entropy(logits, batch.condition_table.codes[:, 0])

    def generator_loss(self, batch: Batch) -> Tensor:
        """Negative critic score, plus the weighted error of the classes."""
        return super().generator_loss(batch) + self.classifier_weight * self.classifier_loss(batch)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Wasserstein estimate and error of the classes."""
        return {**super().monitor(batch), "classifier": self.classifier_loss(batch)}


class GenClassClassifier(ClassifierMixin, Latent, RowsOfClasses):
    """GenClass [1]_: a generator and a classifier trained as one, for classes without a row too.

    The generator makes rows from the attributes of a class, judged by WGAN-GP's critic. A network
    looks at rows, and a row belongs to the class whose generated rows, as seen by that network,
    have the nearest mean; both learn from the error of that decision. A class of which only the
    attributes are known is generated, and so decided, like any other.

    Parameters
    ----------
    latent_dim : int, default=8
        Width of the latent draw z.
    classifier_weight : float, default=10
        Weight of the decision's cross-entropy beside the critic's score.
    n_critic : int, default=2
        Critic updates per update of generator and classifier.
    penalty_weight : float, default=1
        The gradient penalty's lambda.
    **shared
        See `Estimator`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        All classes, those without rows included.
    schema_ : Schema
        What each column is.

    References
    ----------
    .. [1] Pambala et al. (2020), "Unified Generator-Classifier for Efficient Zero-Shot Learning",
       arXiv 1905.04511.
    """

    _saved = ("classes_", "_attributes", "_seen")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "classifier_weight": number(0),
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        latent_dim: int = 8,
        classifier_weight: float = 10.0,
        n_critic: int = 2,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(latent_dim=latent_dim, **shared)
        self.classifier_weight = classifier_weight
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def fit(self, X: Any, y: Any, class_attributes: Any = None) -> Self:
        """Learn classes.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d)
            Any kinds of columns, missing values included.
        y : array-like of shape (n,)
        class_attributes : DataFrame or array-like of shape (n_classes, n_attributes), default=None
            Numbers that describe each class, also of classes that `y` lacks. A DataFrame's index
            names the classes; row i of an array describes class i. None tells classes apart by
            nothing but that they differ.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            A class without attributes, attributes that are no finite numbers, missing classes, or
            what every estimator refuses.
        """
        return self._fit(X, y, attributes=class_attributes)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train `n_steps` steps more; classes, attributes and schema stay. The first call is a fit.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d)
        y : array-like of shape (n,)
        classes : array-like of shape (n_classes,), default=None
            All classes there will be; only looked at by the first call, which takes those of `y`
            without.

        Returns
        -------
        self
        """
        attributes = None if classes is None else _one_hot(pd.Index(np.unique(classes)))
        return self._fit(X, y, goes_on=True, attributes=attributes)

    def _read_classes(
        self, codes: NDArray[Any], labels: pd.Index, anew: bool, **about: Any
    ) -> NDArray[Any]:
        check_classification_targets(labels.to_numpy()[codes])
        if anew:
            self._describe(labels, about["attributes"])
        numbers = pd.Index(self.classes_).get_indexer(labels)
        if (numbers < 0).any():
            raise ValueError(
                f"y has class {short(labels[numbers < 0].tolist()[0])}, which has no attributes; "
                f"classes: {listed(self.classes_.tolist())}."
            )
        if anew:
            self._seen = np.isin(np.arange(len(self.classes_)), numbers)
        return numbers[codes]

    def _batches(self, table: EncodedTable, classes: Tensor) -> ClassSet:
        return ClassSet(table, self._core.layout, classes, self._core.game.attributes)

    def _describe(self, labels: pd.Index, class_attributes: Any) -> None:
        """Set the classes and their standardised attributes."""
        given = _one_hot(labels) if class_attributes is None else pd.DataFrame(class_attributes)
        if not given.index.is_unique:
            raise ValueError("class_attributes describes a class more than once.")
        given = given.sort_index()
        self.classes_ = given.index.to_numpy()
        attributes = given.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
        if not np.isfinite(attributes).all():
            raise ValueError(
                "class_attributes must hold finite numbers alone; turn categories into one column "
                "of 0 and 1 each, for example by pandas.get_dummies."
            )
        spread = attributes.std(axis=0)
        centred = attributes - attributes.mean(axis=0)
        self._attributes = centred / np.where(spread > 0, spread, 1.0)

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_game(self, encoding: Encoder) -> GenClassGame:
        return GenClassGame(
            encoding.layout,
            torch.tensor(self._attributes, dtype=torch.float32),
            torch.tensor(self._seen),
            self.latent_dim,
            self.hidden_dim,
            self.n_critic,
            self.classifier_weight,
        )

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Give the probability of each class, seen or not, for rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)
            Categories not seen in training count as unknown, numbers out of range as the nearest.

        Returns
        -------
        ndarray of shape (n, n_classes)
            In the order of `classes_`.
        """
        check_is_fitted(self)
        table, core = self._encode_known(X), self._core
        noise = torch.Generator(core.device).manual_seed(self._seed)
        with torch.no_grad():
            means = core.game.class_means(N_DRAWS, noise)
        logits = over_rows(table, core.layout, lambda row: core.game.logits(row, means))
        return torch.softmax(logits.double(), dim=1).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Give the most probable class of rows; parameters as in `predict_proba`."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def generate(
        self, classes: Any, random_state: int | np.random.RandomState | None = None
    ) -> Any:
        """Make a row of each class asked for, seen or not.

        Parameters
        ----------
        classes : array-like of shape (n,)
        random_state : int, RandomState or None, default=None

        Returns
        -------
        DataFrame or ndarray of shape (n, d)
            Columns and dtypes as in `fit`.

        Raises
        ------
        ValueError
            A class without attributes.
        """
        check_is_fitted(self)
        asked = pd.Index(classes)
        numbers = pd.Index(self.classes_).get_indexer(asked)
        if (numbers < 0).any():
            raise ValueError(
                f"classes names {short(asked[numbers < 0].tolist()[0])}, which has no attributes; "
                f"classes: {listed(self.classes_.tolist())}."
            )
        streams, game = self._streams(random_state), self._core.game
        with torch.no_grad():
            given = game.attributes[torch.from_numpy(numbers).to(self._core.device)]
            raw = game.generate(given, streams.noise)
        return self._rows(raw, streams)


def _one_hot(classes: pd.Index) -> pd.DataFrame:
    """Attributes that say of classes nothing but that they differ."""
    return pd.DataFrame(np.eye(len(classes)), index=classes)
