"""GenClass: a classifier by generated rows, for classes without training rows too."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import scipy.special
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.linear_model import RidgeCV
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, Player, draw_normal
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import Training, shuffled
from tabgan.checks import FLAG, NONE, Rule, array_of, integer, listed, number, short
from tabgan.estimators.adversarial import Latent
from tabgan.estimators.classes import RowsOfClasses
from tabgan.estimators.features import over_rows
from tabgan.generation.source import CHUNK
from tabgan.models.gan import GANGame
from tabgan.networks.mlp import MLP, ResidualMLP
from tabgan.randomness import Streams, at_most
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout

if TYPE_CHECKING:
    from typing_extensions import Self

N_TRAINING_DRAWS, N_DRAWS = 16, 256
"""Number of synthetic rows of a class that are averaged, in a training step and in prediction."""

RIDGES = np.logspace(-1, 3, 9)
"""Strengths of the ridge regression from which a generator starts."""

ROW_SCALE, LEAST_RATE = 8.0, 1e-3
"""Scale of the features before training, and least rate of a level of a class."""

FEWEST_CLASSES, N_FOLDS, TEST_SHARE = 4, 3, 0.25
"""Seen classes from which on some are held out, the parts, and the share of rows held out."""

MOST_JUDGED = 50_000
"""Most rows of each part that penalties are judged by."""

N_PENALTIES = 401
"""Penalties on seen classes among which the best is found."""

_HELD_OUT = 1_000_000_007
"""Marks the random streams of the second games, apart from those of training and of draws."""


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


class LinearStart(nn.Module):
    """A generator whose raw rows are a regression on the attributes, plus a learnt change.

    The change depends on noise and on the attributes, and is zero before training. The regression
    stays as it is.

    Parameters
    ----------
    latent_dim, n_attributes, width, hidden_dim : int
    """

    slopes: Tensor
    base: Tensor

    def __init__(self, latent_dim: int, n_attributes: int, width: int, hidden_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim
        self.register_buffer("slopes", torch.zeros(n_attributes, width))
        self.register_buffer("base", torch.zeros(width))
        self.change = ResidualMLP(latent_dim + n_attributes, [hidden_dim] * 2, width)
        for parameter in self.change.out[1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, reads: Tensor) -> Tensor:
        """Generate raw rows.

        Parameters
        ----------
        x : Tensor of shape (n, latent_dim + n_attributes)
            Noise beside attributes.
        reads : Tensor of shape (n,), bool
            Whether the change reads the attributes. Where not, it is a change that suits any class.

        Returns
        -------
        Tensor of shape (n, width)
        """
        z, attributes = x[:, : self.latent_dim], x[:, self.latent_dim :]
        read = attributes * reads[:, None]
        return self.regression(attributes) + self.change(torch.cat([z, read], dim=1))

    def regression(self, attributes: Tensor) -> Tensor:
        """Return the raw rows before the change, shape (n, width)."""
        return self.base + attributes @ self.slopes

    def start(self, means: Tensor, attributes: Tensor) -> None:
        """Set the regression, by the ridge that predicts each class best from the others.

        Parameters
        ----------
        means : Tensor of shape (n, width)
            The mean raw row of each class.
        attributes : Tensor of shape (n, n_attributes)
        """
        self.slopes.zero_()
        self.base.copy_(means.mean(dim=0))
        if len(means) > 2:
            known = attributes.double().cpu().numpy()
            ridge = RidgeCV(RIDGES).fit(known, means.double().cpu().numpy())
            # For rows of one entry scikit-learn leaves the axis of entries out.
            self.slopes.copy_(torch.from_numpy(np.atleast_2d(ridge.coef_).T))
            self.base.copy_(torch.from_numpy(np.atleast_1d(ridge.intercept_)))


class ScaledRow(nn.Module):
    """Features that are the entries of the row, all times one learnt number."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(ROW_SCALE)))

    def forward(self, row: Tensor) -> Tensor:
        """Scale rows of shape (n, width)."""
        return self.log_scale.exp() * row


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
    linear_start : bool
        Whether generator and classifier are a `LinearStart` and a `ScaledRow`.
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
        linear_start: bool,
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
        self.classifier: nn.Module = MLP(layout.width, [hidden_dim], hidden_dim)
        if linear_start and layout.width:
            # NOTE[DIFF] The paper's generator starts from random weights, and a network computes
            # the features of a row. With few classes nothing then says what attributes between or
            # beyond those of the seen classes mean. A regression does, in the row itself; a network
            # that read attributes it has not seen, or features that are learnt to tell seen classes
            # apart, would spoil what it says.
            n_attributes = attributes.shape[1]
            self.generator = LinearStart(latent_dim, n_attributes, layout.width, hidden_dim)
            self.classifier = ScaledRow()

    def start(self, table: EncodedTable, classes: Tensor) -> None:
        """Start from the regression of the classes' mean rows on their attributes.

        Parameters
        ----------
        table : EncodedTable of n rows
        classes : Tensor of shape (n,), int64
        """
        if not isinstance(self.generator, LinearStart):
            return
        seen, place = classes.unique(return_inverse=True)
        sums = torch.zeros(len(seen), self.layout.width, device=place.device)
        for rows in torch.arange(len(table), device=place.device).split(CHUNK):
            sums.index_add_(0, place[rows], self.layout.expand(*table.rows(rows)))
        means = sums / torch.bincount(place)[:, None]
        n = self.layout.n_scalars
        means[:, n:] = means[:, n:].clamp(min=LEAST_RATE).log()
        self.generator.start(means, self.attributes[seen])

    def players(self) -> tuple[Player, ...]:
        """Return the critic, with `n_critic` updates, then generator and classifier as one."""
        return (
            Player("critic", (self.adversary,), self.critic_loss, self.n_critic),
            Player("generator", (self.generator, self.classifier), self.generator_loss),
        )

    def generate(
        self, condition: Tensor, rng: torch.Generator, is_seen: Tensor | None = None
    ) -> Tensor:
        """Generate raw rows.

        Parameters
        ----------
        condition : Tensor of shape (n, n_attributes)
            Attributes of classes.
        rng : torch.Generator
        is_seen : Tensor of shape (n,), bool, optional
            Whether a class has training rows. By default a random half of the rows is generated as
            those of unseen classes are, so that the generator learns to do that.

        Returns
        -------
        Tensor of shape (n, width)
        """
        if not isinstance(self.generator, LinearStart):
            return super().generate(condition, rng)
        z = draw_normal(len(condition), self.latent_dim, rng)
        if is_seen is None:
            is_seen = torch.rand(len(z), generator=rng, device=rng.device) < 0.5
        return self.generator(torch.cat([z, condition], dim=1), is_seen)

    def class_means(self, n_draws: int, rng: torch.Generator) -> Tensor:
        """Return the mean features of rows generated for each class, shape (n_classes, n_features).

        After a linear start, the change of rows of unseen classes does not count: nothing has
        taught it to leave their mean where the regression puts it.
        """
        of_row = torch.arange(len(self.seen), device=rng.device).repeat_interleave(n_draws)
        given, is_seen = self.attributes[of_row], self.seen[of_row]
        raw = self.generate(given, rng, is_seen)
        if isinstance(self.generator, LinearStart):
            raw = torch.where(is_seen[:, None], raw, self.generator.regression(given))
        made = self.soften(raw, rng)
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
    into rows, and the critic of WGAN-GP judges them. Each class stands for the mean of its
    generated rows, and a row belongs to the class with the nearest mean. The generator learns from
    the error of that decision too. Rows of a class can therefore be generated and recognised even
    if only its attributes are known.

    Use this class if new classes come with descriptions in place of rows. If every class has rows,
    an ordinary classifier is better.

    The class differs from the paper in two ways, both of which can be turned off. The generator
    starts from a ridge regression of the classes' mean rows on their attributes, and learns a
    change of that; see `linear_start`. And since seen classes win too often, something is taken off
    their scores; see `seen_penalty`.

    Parameters
    ----------
    batch_size : int >= 1, default=128
    latent_dim : int >= 1, default=8
    classifier_weight : float >= 0, default=10
        Weight of the cross-entropy of the classes, relative to the critic's score.
    n_critic : int >= 1, default=2
        Number of updates of the critic for each update of generator and classifier.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda of WGAN-GP.
    linear_start : bool, default=True
        Whether the generator starts from a regression. Rows of unseen classes are then the
        regression plus what all classes have in common, unseen classes stand for the regression
        alone, and distances are those of encoded rows, times a learnt number. With False, generator
        and features of rows are networks that start from random weights, as in the paper.
    seen_penalty : float or None, default=None
        What is taken off the scores of classes with training rows, in nats. None finds the number
        by which second games, out of which some of these classes are held, reach the best harmonic
        mean of the accuracies on seen and on held-out classes. That takes three times the time of
        the training itself, and is done only if a class has no rows and at least four have. 0 is
        the paper's decision.
    **shared
        See `Estimator`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        All classes, those without training rows included.
    seen_penalty_ : float
        What is taken off the scores of classes with training rows.
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

    plan = Plan(n_steps=200)
    _saved = {
        "classes_": array_of(1, "biufOmM"),
        "_attributes": array_of(2, "f"),
        "_seen": array_of(1, "b"),
        "seen_penalty_": number(-math.inf),
    }
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "classifier_weight": number(0),
        "n_critic": integer(1),
        "penalty_weight": number(0),
        "linear_start": FLAG,
        "seen_penalty": number(-math.inf) | NONE,
    }
    seen_penalty_: float

    def __init__(
        self,
        *,
        batch_size: int = 128,
        latent_dim: int = 8,
        classifier_weight: float = 10.0,
        n_critic: int = 2,
        penalty_weight: float = 1.0,
        linear_start: bool = True,
        seen_penalty: float | None = None,
        **shared: Any,
    ) -> None:
        super().__init__(batch_size=batch_size, latent_dim=latent_dim, **shared)
        self.classifier_weight = classifier_weight
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight
        self.linear_start = linear_start
        self.seen_penalty = seen_penalty

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
            self.linear_start,
        )

    def _learn(self, data: tuple[pd.DataFrame, Any], streams: Streams, anew: bool) -> None:
        core, (frame, classes) = self._core, data
        if anew:
            table = core.encode(frame)
            numbers = torch.from_numpy(classes).to(core.device)
            self._start(core.training, table, numbers)
        super()._learn(data, streams, anew)
        if anew:
            self.seen_penalty_ = 0.0 if self.seen_penalty is None else float(self.seen_penalty)
            if self.seen_penalty is None and core.layout.width and self._n_steps:
                self._calibrate(table, classes)

    def _start(self, training: Training, table: EncodedTable, classes: Tensor) -> None:
        """Tell a new game which classes have rows, and start from the regression of these."""
        games: tuple[Any, ...] = (training.game, training.averaged)
        for game in games:
            game.seen = torch.isin(torch.arange(len(game.seen), device=classes.device), classes)
            game.start(table, classes)

    def _calibrate(self, table: EncodedTable, classes: NDArray[Any]) -> None:
        """Set the penalty on seen classes by classes held out from a second game.

        Nothing is to do if all classes have rows, and nothing can be done with few classes.
        """
        # NOTE[DIFF] The paper takes the likeliest class. Networks that learnt from rows of a class
        # are surer of it than of a class without rows. Chao et al. (2016), arXiv 1605.04253, take a
        # constant off the scores of seen classes.
        core = self._core
        streams = Streams.begin([self._seed, _HELD_OUT], core.device)
        seen = streams.rng.permutation(np.flatnonzero(self._seen))
        if self._seen.all() or len(seen) < FEWEST_CLASSES:
            return
        run = replace(self._run(), callbacks=(), shows_progress=False)
        judged = []
        for held_out in np.array_split(seen, N_FOLDS):
            is_tested = np.isin(classes, held_out)
            is_tested |= streams.rng.random(len(classes)) < TEST_SHARE
            judges = at_most(np.flatnonzero(is_tested), MOST_JUDGED, streams.rng)
            known, tested = (
                torch.from_numpy(rows).to(core.device)
                for rows in (np.flatnonzero(~is_tested), judges)
            )
            probe = self._train_game(core.encoder, core.device)
            numbers = torch.from_numpy(classes[~is_tested]).to(core.device)
            self._start(probe, table.rows(known), numbers)
            batches = ClassSet(table.rows(known), core.layout, numbers, core.game.attributes)
            run.train(probe, batches, self._n_steps, streams.noise)
            logits = self._logits(probe.averaged, table.rows(tested), streams.noise)
            # Classes without any row are neither here nor there.
            logits[:, ~self._seen] = -np.inf
            is_new = np.isin(np.arange(len(self.classes_)), held_out)
            judged.append((logits, classes[judges], is_new))
        self.seen_penalty_ = best_penalty(judged)

    def _logits(
        self, game: Any, table: EncodedTable, noise: torch.Generator
    ) -> NDArray[np.float64]:
        """Compute the score of each class for encoded rows, without any penalty."""
        with torch.no_grad():
            means = game.class_means(N_DRAWS, noise)
            logits = over_rows(table, self._core.layout, lambda row: game.logits(row, means))
        return logits.double().cpu().numpy()

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
        logits = self._logits(core.game, table, noise) - self.seen_penalty_ * self._seen
        return scipy.special.softmax(logits, axis=1)

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
            asked_for = torch.from_numpy(numbers).to(self._core.device)
            given, is_seen = game.attributes[asked_for], game.seen[asked_for]
            raw = game.generate(given, streams.noise, is_seen)
        return self._rows(raw, streams)


def best_penalty(
    judged: Sequence[tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]],
) -> float:
    """Find what to take off the scores of seen classes, so that new classes have a fair chance.

    The penalty maximises the harmonic mean of the accuracies on seen and on new classes, in which
    each class counts the same, averaged over the parts.

    Parameters
    ----------
    judged : sequence of (scores, classes, is_new)
        For each part the scores of all classes, shape (n, n_classes), the true class of each row,
        shape (n,), and whether a class is new, shape (n_classes,). Both kinds have rows.

    Returns
    -------
    float
        Negative if new classes win too often.

    Examples
    --------
    Rows of the new class 1 lack 2 and 3 to win; a row of the class 0 wins by 4:

    >>> import numpy as np
    >>> from tabgan.models.genclass import best_penalty
    >>> scores = np.array([[2.0, 0.0], [3.0, 0.0], [4.0, 0.0]])
    >>> 3 < best_penalty([(scores, np.array([1, 1, 0]), np.array([False, True]))]) < 4
    True
    """
    parts = []
    for scores, classes, is_new in judged:
        seen, new = (np.where(kind, scores, -np.inf) for kind in (~is_new, is_new))
        gap = seen.max(axis=1) - new.max(axis=1)
        weight = 1.0 / np.bincount(classes)[classes]
        of_new = is_new[classes]
        right = np.where(of_new, new.argmax(axis=1), seen.argmax(axis=1)) == classes
        parts.append((gap, weight, of_new, right))
    gaps = np.unique(np.concatenate([gap for gap, *_ in parts]))
    between = np.r_[0.0, (gaps[1:] + gaps[:-1]) / 2]
    tried = np.unique(np.quantile(between, np.linspace(0.0, 1.0, N_PENALTIES)))
    curve = np.zeros(len(tried))
    for gap, weight, of_new, right in parts:
        taken = gap < tried[:, None]
        accuracies = [
            (right & (taken == kind))
            @ (weight * (of_new == kind))
            / max(weight[of_new == kind].sum(), 1e-12)
            for kind in (False, True)
        ]
        total = np.maximum(accuracies[0] + accuracies[1], 1e-12)
        curve += 2 * accuracies[0] * accuracies[1] / total
    return float(tried[curve.argmax()])


def _one_hot(classes: pd.Index) -> pd.DataFrame:
    """Return one attribute for each class, which is 1 for that class and 0 for all others."""
    return pd.DataFrame(np.eye(len(classes)), index=classes)
