"""GenClass: a classifier by generated rows, for classes without training rows too."""

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
from tabgan.checks import Rule, array_of, integer, listed, number, short
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.classes import RowsOfClasses
from tabgan.estimators.features import over_rows
from tabgan.models.gan import GANGame
from tabgan.networks.mlp import MLP
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

if TYPE_CHECKING:
    from typing_extensions import Self

N_TRAINING_DRAWS, N_DRAWS = 16, 256
"""Number of synthetic rows of a class that are averaged, in a training step and in prediction."""


class ClassSet:
    """Rows in shuffled batches; the condition of a row is the attributes of its class.

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
        """Yield batches for ever; the only code of the condition is the class number."""
        for index in shuffled(len(self.table), batch_size, rng):
            table, classes = self.table.rows(index), self.classes[index]
            codes = EncodedTable(classes[:, None], table.scalars[:, :0])
            row = self.layout.expand(*table)
            yield Batch(table, row, self.attributes[classes], codes, rng)


class GenClassGame(GANGame):
    """WGAN-GP with a classifier, given the attributes of classes.

    The generator learns to generate rows by which the classifier can tell the classes apart.

    Parameters
    ----------
    layout : Layout
    attributes : Tensor of shape (n_classes, n_attributes)
    seen : Tensor of shape (n_classes,), bool
        Whether the training table has rows of a class.
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
        """Return the critic, with `n_critic` updates, then generator and classifier as one."""
        return (
            Player("critic", (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator, self.classifier), self.generator_loss),
        )

    def class_means(self, n_draws: int, rng: torch.Generator) -> Tensor:
        """Return the mean features of rows generated for each class, (n_classes, hidden_dim)."""
        given = self.attributes.repeat_interleave(n_draws, dim=0)
        made = self.soften(self.generate(given, rng), rng)
        return self.classifier(made).unflatten(0, (-1, n_draws)).mean(dim=1)

    def logits(self, row: Tensor, means: Tensor) -> Tensor:
        """Return the negative mean squared distance of rows to each class, in features."""
        return -(self.classifier(row)[:, None] - means).square().mean(dim=2)

    def classifier_loss(self, batch: Batch) -> Tensor:
        """Return the cross-entropy of real rows' classes, among the classes with training rows."""
        means = self.class_means(N_TRAINING_DRAWS, batch.rng)
        logits = self.logits(batch.row, means).masked_fill(~self.seen, -torch.inf)
        return F.cross_entropy(logits, batch.condition_table.codes[:, 0])

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the negative critic score plus the weighted cross-entropy of the classes."""
        return super().generator_loss(batch) + self.classifier_weight * self.classifier_loss(batch)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the estimate of the Wasserstein distance and the cross-entropy of the classes."""
        return {**super().monitor(batch), "classifier": self.classifier_loss(batch)}


class GenClassClassifier(ClassifierMixin, Latent, RowsOfClasses):
    """GenClass [1]_: a classifier whose classes may lack training rows (zero-shot learning).

    Attributes describe each class by numbers. A generator turns the attributes of a class and noise
    into rows, and the critic of WGAN-GP judges them. A network computes features of rows, and each
    class stands for the mean feature of its generated rows. A row belongs to the class with the
    nearest mean. Generator and network both learn from the error of that decision. Rows of a class
    can therefore be generated and recognised even if only its attributes are known.

    Use this class if new classes come with descriptions in place of rows. If every class has rows,
    an ordinary classifier is better.

    Parameters
    ----------
    latent_dim : int >= 1, default=8
    classifier_weight : float >= 0, default=10
        Weight of the cross-entropy of the classes, relative to the critic's score.
    n_critic : int >= 1, default=2
        Number of updates of the critic for each update of generator and classifier.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda of WGAN-GP.
    **shared
        See `Estimator`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        All classes, those without training rows included.
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Pambala et al. (2020), "Unified Generator-Classifier for Efficient Zero-Shot Learning",
       arXiv 1905.04511.

    Examples
    --------
    Three classes, one of which has no row:

    >>> import pandas as pd
    >>> from sklearn.datasets import load_iris
    >>> from tabgan import GenClassClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> attributes = pd.DataFrame({"size": [0.0, 0.5, 1.0]}, index=[0, 1, 2])
    >>> model = GenClassClassifier(n_steps=5, random_state=0)
    >>> model = model.fit(X[y != 1], y[y != 1], class_attributes=attributes)
    >>> model.classes_.tolist()
    [0, 1, 2]
    >>> model.predict_proba(X).shape
    (150, 3)
    >>> model.generate([1, 1]).shape
    (2, 4)
    """

    _saved = {
        "classes_": array_of(1, "biufOmM"),
        "_attributes": array_of(2, "f"),
        "_seen": array_of(1, "b"),
    }
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
        """Learn classes from their rows and their attributes.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with columns of any kind, missing values included.
        y : array-like of shape (n,)
            The class of each row.
        class_attributes : DataFrame or array-like of shape (n_classes, n_attributes), default=None
            Numbers that describe each class. They may describe classes that `y` does not have. The
            index of a DataFrame names the classes, and row i of an array describes class i. None
            gives each class one attribute of its own, so that nothing is known of classes without
            rows.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If a class of `y` has no attributes, if attributes are not finite numbers or describe a
            class twice, if X has no rows, no columns or infinite values, if a class is missing, or
            if a parameter is out of range.
        TypeError
            If X is not a table.
        FloatingPointError
            If a loss is no longer finite; a lower `learning_rate` helps.
        """
        return self._fit(X, y, attributes=class_attributes)

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train `n_steps` more steps on these rows, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the classes, the attributes and the schema of
        the first one.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with the columns of the first call.
        y : array-like of shape (n,)
            The class of each row.
        classes : array-like of shape (n_classes,), default=None
            All classes that `y` may have in this call and in later calls. Only the first call uses
            it; None takes the classes of `y`.

        Returns
        -------
        self
            The fitted classifier.

        Raises
        ------
        ValueError
            If `y` has a class that the first call did not announce, if the columns or the kinds of
            values differ from those of the first call, or if a parameter that shapes the networks
            was changed since.

        Warns
        -----
        UserWarning
            If X has categories that the first call did not see; see `handle_unknown`.
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
        """Set `classes_` and the standardised attributes of the classes."""
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
        """Compute the probability of each class for rows, classes without training rows included.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got. A category that `fit` did not see counts as
            unknown; see `handle_unknown`. A number outside the range that `fit` saw counts as the
            nearest end of that range.

        Returns
        -------
        ndarray of shape (n, n_classes), float64
            Probabilities in the order of `classes_`. Each row sums to one.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If the columns or the kinds of values differ from those that `fit` got.
        """
        check_is_fitted(self)
        table, core = self._encode_known(X), self._core
        noise = torch.Generator(core.device).manual_seed(self._seed)
        with torch.no_grad():
            means = core.game.class_means(N_DRAWS, noise)
        logits = over_rows(table, core.layout, lambda row: core.game.logits(row, means))
        return torch.softmax(logits.double(), dim=1).cpu().numpy()

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n,)
            Classes from `classes_`.
        """
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]

    def generate(
        self, classes: Any, random_state: int | np.random.RandomState | None = None
    ) -> Any:
        """Generate one row of each class that is asked for.

        Parameters
        ----------
        classes : array-like of shape (n,)
            Classes from `classes_`, those without training rows included.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model generates the same rows in each call.
            None continues the random stream that the estimator's own `random_state` began.

        Returns
        -------
        table of shape (n, d)
            The kind of table that `fit` got, with the same columns and dtypes, and a fresh index.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If a class has no attributes.
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
    """Return one attribute for each class, which is 1 for that class and 0 for all others."""
    return pd.DataFrame(np.eye(len(classes)), index=classes)
