"""InfoGAN: codes with a meaning, found without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, Player, draw_normal
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.checks import Rule, integer, number, sequence_of
from tabgan.estimators.estimator import Latent
from tabgan.estimators.features import CriticFeatures
from tabgan.estimators.reading import check_n_samples
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import RawRows, Source
from tabgan.models.gan import GANGame
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

Code = int | Literal["continuous"]


class InfoGANGame(GANGame):
    """WGAN-GP whose generator is also given codes, which Q, a layer on the critic, infers.

    Parameters
    ----------
    layout : Layout
    code_layout : Layout
        Continuous codes are scalars, categorical ones softmax blocks.
    latent_dim, hidden_dim : int
    n_critic : int
    info_weight : float
    """

    def __init__(
        self,
        layout: Layout,
        code_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        n_critic: int,
        info_weight: float,
    ) -> None:
        n_inputs = latent_dim + code_layout.width
        super().__init__(
            layout,
            0,
            n_inputs,
            hidden_dim,
            WASSERSTEIN,
            n_critic=n_critic,
            temperature=GUMBEL_TEMPERATURE,
        )
        self.noise_dim = latent_dim
        self.code_layout = code_layout
        self.info_weight = info_weight
        self.q_head = nn.Linear(hidden_dim, code_layout.width)

    def players(self) -> tuple[Player, ...]:
        """Critic and Q, which share their layers, then generator."""
        return (
            Player("critic", (self.adversary, self.q_head), self.critic_loss, self.n_critic),
            Player("generator", (self.generator,), self.generator_loss),
        )

    def draw_codes(self, n: int, rng: torch.Generator) -> EncodedTable:
        """Draw codes, all classes alike and continuous codes evenly from [-1, 1]."""
        layout = self.code_layout
        share = torch.rand(n, layout.n_blocks, generator=rng, device=rng.device)
        n_classes = torch.tensor(layout.n_levels, device=rng.device)
        even = torch.rand(n, layout.n_scalars, generator=rng, device=rng.device)
        return EncodedTable((share * n_classes).long(), 2 * even - 1)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Make raw rows, shape (n, width), of the codes given; of drawn ones if none are."""
        n = len(condition)
        if not condition.shape[1]:
            condition = self.code_layout.expand(*self.draw_codes(n, rng))
        return self.generator(torch.cat([draw_normal(n, self.noise_dim, rng), condition], dim=1))

    def infer(self, row: Tensor) -> Tensor:
        """Q's raw posterior of the codes of encoded rows, shape (n, code width)."""
        return self.q_head(self.adversary.critic.features(row))

    def information_loss(self, fake: Tensor, codes: EncodedTable) -> Tensor:
        """Weighted ``-L_I(G, Q)`` of Chen et al. (2016), equation 5, without the constant H(c).

        Q is a softmax per categorical code, and a Gaussian of unit variance per continuous one.
        """
        raw = self.infer(fake)
        wrong = raw[:, : self.code_layout.n_scalars] - codes.scalars
        nats = self.code_layout.cross_entropy(raw, codes.codes) + wrong.square().sum(dim=1) / 2
        return self.info_weight * nats.mean()

    def _fake_of_codes(self, batch: Batch) -> tuple[Tensor, EncodedTable]:
        codes = self.draw_codes(len(batch.row), batch.rng)
        raw = self.generate(self.code_layout.expand(*codes), batch.rng)
        return self.soften(raw, batch.rng), codes

    def critic_loss(self, batch: Batch) -> Tensor:
        """WGAN-GP's critic loss, plus the error of inferring the codes."""
        fake, codes = self._fake_of_codes(batch)
        loss = self.adversary.critic_loss(batch, batch.row, fake, batch.condition)
        return loss + self.information_loss(fake, codes)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Negative critic score, plus the error of inferring the codes."""
        fake, codes = self._fake_of_codes(batch)
        loss = self.adversary.generator_loss(batch, batch.row, fake, batch.condition)
        return loss + self.information_loss(fake, codes)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Wasserstein estimate and error of inferring the codes."""
        fake, codes = self._fake_of_codes(batch)
        information = self.information_loss(fake, codes)
        return {"wasserstein": self.score_gap(batch, fake), "information": information}


class CodedRows(RawRows):
    """Raw rows of InfoGAN's generator, for codes that may be given.

    The codes of a row come in place of conditions, of which InfoGAN has none: class numbers, -1
    where the class is free, and numbers, NaN where they are free. Without any, all are free.
    """

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Lay codes out as the game sees them; free ones are drawn."""
        if not given.codes.shape[1] and not given.scalars.shape[1]:
            return super().condition(given, noise)
        drawn = self.game.draw_codes(len(given), noise)
        codes = torch.where(given.codes < 0, drawn.codes, given.codes)
        scalars = torch.where(given.scalars.isnan(), drawn.scalars, given.scalars)
        return self.game.code_layout.expand(codes, scalars)


class InfoGANFeaturizer(CriticFeatures, Latent, TableSynthesizer):
    """InfoGAN [1]_ on WGAN-GP: unsupervised categorical and continuous codes of rows.

    The generator makes rows of codes c and noise z, and Q, an output layer on the critic, infers c:
    what is maximised is a lower bound of the mutual information ``I(c; G(z, c))``.

    `transform` gives Q's posterior: the means of continuous codes, then the class probabilities of
    categorical ones, both in the order of `codes`. `predict` gives the most probable class.
    `sample` makes rows, of given codes if asked.

    Parameters
    ----------
    codes : sequence, default=(10, "continuous", "continuous")
        An int K >= 2 for a categorical code of K classes, "continuous" for a code in [-1, 1].
    info_weight : float, default=1
        The paper's lambda.
    n_critic : int, default=5
        Critic updates per generator update.
    penalty_weight : float, default=1
        The gradient penalty's lambda.
    **shared
        See `TableSynthesizer`.

    References
    ----------
    .. [1] Chen et al. (2016), "InfoGAN: Interpretable Representation Learning by Information
       Maximizing Generative Adversarial Nets", arXiv 1606.03657, equation 6.
    """

    # A featurizer reads numbers in order, images among them; levels would hide the order.
    plan = Plan(numbers="rank")
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "codes": sequence_of(
            Rule(
                "a code",
                lambda code: (
                    (isinstance(code, str) and code == "continuous") or integer(2).accepts(code)
                ),
            ),
            'a list of integers of at least 2 and "continuous"',
            least=1,
        ),
        "info_weight": number(0),
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        codes: Sequence[Code] = (10, "continuous", "continuous"),
        info_weight: float = 1.0,
        n_critic: int = 5,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.codes = codes
        self.info_weight = info_weight
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        return Calibrated(CodedRows(game, encoding))

    def _make_game(self, encoding: Encoding) -> InfoGANGame:
        codes = list(self.codes)
        n_classes = [int(code) for code in codes if code != "continuous"]
        code_layout = Layout(n_classes, [-1] * (len(codes) - len(n_classes)))
        return InfoGANGame(
            encoding.layout,
            code_layout,
            self.latent_dim,
            self.hidden_dim,
            self.n_critic,
            self.info_weight,
        )

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        codes: Any = None,
    ) -> Any:
        """Make rows, of given codes if asked.

        Parameters
        ----------
        n_samples : int >= 1, default=1
        random_state : int, RandomState or None, default=None
        conditions : dict, Series or DataFrame, default=None
            As for every synthesizer.
        codes : mapping, or array-like of shape (n, n_codes), default=None
            For some codes by position, or for all, what they are to be: a class number, or a
            number in [-1, 1]. One value holds for all rows; NaN leaves a code free. An array of
            n rows makes n rows.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, d)
        """
        if codes is None:
            return super().sample(n_samples, random_state, conditions=conditions)
        check_is_fitted(self)
        if conditions is not None:
            raise ValueError("conditions and codes are both given; pass one of them.")
        check_n_samples(n_samples)
        wanted = self._wanted_codes(codes, n_samples)
        is_class = np.array([code != "continuous" for code in self.codes])
        classes, numbers = wanted[:, is_class], wanted[:, ~is_class]
        given = EncodedTable(
            torch.from_numpy(np.where(np.isnan(classes), -1, classes).astype(np.int64)),
            torch.from_numpy(numbers.astype(np.float32)),
        )
        rows = self._core.rows.of_conditions(given, self._streams(random_state))
        return self._format.restore(rows.frame)

    def _wanted_codes(self, codes: Any, n_samples: int) -> NDArray[np.float64]:
        """Codes asked for as an array of shape (n, n_codes), NaN where free."""
        n_codes = len(self.codes)
        if isinstance(codes, Mapping):
            bad = [i for i in codes if i not in range(n_codes)]
            if bad:
                raise ValueError(
                    f"codes names code {bad[0]!r}; there are codes 0 to {n_codes - 1}."
                )
            lengths = {np.size(value) for value in codes.values() if np.ndim(value)}
            if len(lengths) > 1:
                raise ValueError(
                    f"codes holds lists of different lengths, {sorted(lengths)}; "
                    "give every code one value, or lists of one length."
                )
            wanted = np.full((lengths.pop() if lengths else n_samples, n_codes), np.nan)
            for i, value in codes.items():
                wanted[:, i] = value
        else:
            wanted = np.atleast_2d(np.asarray(codes, dtype=np.float64))
            if wanted.ndim != 2 or wanted.shape[1] != n_codes:
                raise ValueError(
                    f"codes has shape {np.shape(codes)}; give one column per code, {n_codes}."
                )
            if len(wanted) == 1:
                wanted = np.repeat(wanted, n_samples, axis=0)
        if n_samples not in (1, len(wanted)):
            raise ValueError(f"n_samples is {n_samples} but codes has {len(wanted)} rows.")
        if not len(wanted):
            raise ValueError("codes has 0 rows; give at least one.")
        for i, code in enumerate(self.codes):
            column = wanted[~np.isnan(wanted[:, i]), i]
            if code == "continuous":
                is_right, told = np.abs(column) <= 1, "in [-1, 1]"
            else:
                is_right = np.isin(column, np.arange(code))
                told = f"a class from 0 to {code - 1}"
            if not is_right.all():
                raise ValueError(f"codes: code {i} must be {told}, got {column[~is_right][0]}.")
        return wanted

    def _features(self, row: Tensor) -> Tensor:
        """Q's posterior: means of continuous codes, then probabilities of categorical ones."""
        layout = self._core.game.code_layout
        blocks = zip(layout.offsets.tolist(), layout.n_levels, strict=True)
        classes = [place for start, k in blocks for place in range(start, start + k)]
        return layout.activate(self._core.game.infer(row))[:, [*range(layout.n_scalars), *classes]]

    @property
    def _n_features_out(self) -> int:
        return int((self._core.game.code_layout.level_mask == 0).sum())

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Infer the most probable class of each row's categorical codes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,), or (n, n_categorical) if there are several categorical codes
        """
        check_is_fitted(self)
        layout = self._core.game.code_layout
        if not layout.n_blocks:
            raise ValueError(f"predict needs a categorical code, but codes is {self.codes!r}.")
        raw = torch.from_numpy(self._over_rows(X, self._core.game.infer)).to(self._core.device)
        classes = layout.draw(raw)[0].cpu().numpy()
        return classes[:, 0] if layout.n_blocks == 1 else classes
