"""InfoGAN: interpretable codes of rows, found without labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from tabgan.adversarial.causal import CausalDecoder
from tabgan.adversarial.game import GUMBEL_TEMPERATURE, Batch, Player, draw_gumbel, draw_normal
from tabgan.adversarial.grouping import Grouper, grouping_loss
from tabgan.adversarial.losses import WASSERSTEIN
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import GradientPenalty, Technique
from tabgan.adversarial.training import TrainingSet
from tabgan.checks import Rule, integer, number, sequence_of
from tabgan.estimators.adversarial import STAGED_PLAN, Decoding, Latent
from tabgan.estimators.features import CriticFeatures, Scaled
from tabgan.estimators.reading import check_n_samples
from tabgan.estimators.tables import TableSynthesizer
from tabgan.generation.calibrated import Calibrated
from tabgan.generation.column_rows import MAX_CALIBRATION_ROWS, DecodedRows
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.source import RawRows, Source
from tabgan.models.gan import GANGame
from tabgan.networks.columns import ColumnNetworks
from tabgan.networks.ranks import RankView
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.layout import Layout

Code = int | Literal["continuous"]


class InfoGANGame(CausalDecoder, GANGame):
    """WGAN-GP whose generator also gets codes, which Q, an output layer on the critic, infers.

    Parameters
    ----------
    layout : Layout
    code_layout : Layout
        Layout of the codes. Continuous codes are scalars, and categorical codes are softmax blocks.
    latent_dim, hidden_dim : int
    n_critic : int
    info_weight : float
    networks : ColumnNetworks, optional
        Networks that draw columns in turn, given codes.
    code_noise : float >= 0, default=0
        See `CausalDecoder`.
    view : RankView, optional
        What critic and generator see in place of rows; `layout` is then its layout.
    agreement_weight : float >= 0, default=0
        Weight of `grouping_loss` of the classes that Q infers of real rows.
    table_layout : Layout, optional
        Layout of rows as they are encoded; by default `layout`.
    n_starts : int >= 0, default=0
        Starts of the search for classes of real rows before the game, see `Grouper.learn`. With 0,
        Q learns classes from their agreement during the game.

    Attributes
    ----------
    grouper : Grouper or None
        What has divided the real rows, and teaches Q their classes.
    class_rates : Tensor of shape (code width,)
        Rate of each class of the categorical codes among real rows, which rows without given codes
        follow if columns are drawn in turn.
    """

    code_scale = 3**-0.5
    column_rate = 16.0
    column_stage = 1
    n_classes: Tensor
    class_rates: Tensor
    grouper: Grouper | None

    def __init__(
        self,
        layout: Layout,
        code_layout: Layout,
        latent_dim: int,
        hidden_dim: int,
        n_critic: int,
        info_weight: float,
        networks: ColumnNetworks | None = None,
        code_noise: float = 0.0,
        view: RankView | None = None,
        agreement_weight: float = 0.0,
        table_layout: Layout | None = None,
        n_starts: int = 0,
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
        self.networks, self.code_noise, self.view = networks, code_noise, view
        self.noise_dim = latent_dim
        self.code_layout = code_layout
        self.info_weight, self.agreement_weight = info_weight, agreement_weight
        self.table_layout = layout if table_layout is None else table_layout
        self.q_head = nn.Linear(hidden_dim, code_layout.width)
        self.n_starts, self.grouper = n_starts, None
        if n_starts and agreement_weight and code_layout.n_softmax:
            self.grouper = Grouper(layout.width, hidden_dim, code_layout.width)
            self.grouper.requires_grad_(False)
        n_classes = torch.tensor(code_layout.n_levels)
        self.register_buffer("n_classes", n_classes, persistent=False)
        self.register_buffer(
            "class_rates", code_layout.activate(torch.zeros(1, code_layout.width))[0]
        )

    def players(self) -> tuple[Player, ...]:
        """Return the critic with Q, which share their layers, then the generator."""
        return (
            Player(
                "critic",
                (self.adversary, self.q_head),
                self.critic_loss,
                self.n_critic * self.n_coded,
            ),
            Player("generator", (self.generator,), self.generator_loss, self.n_coded),
            *self.column_players(),
        )

    def shared(self) -> tuple[nn.Module, ...]:
        """Return the network that has divided the real rows before the game, if there is one."""
        return () if self.grouper is None else (self.grouper,)

    def draw_codes(self, n: int, rng: torch.Generator) -> EncodedTable:
        """Draw codes from uniform distributions: over classes, or over the interval [-1, 1]."""
        layout = self.code_layout
        share = torch.rand(n, layout.n_blocks, generator=rng, device=rng.device)
        even = torch.rand(n, layout.n_scalars, generator=rng, device=rng.device)
        return EncodedTable((share * self.n_classes).long(), 2 * even - 1)

    def free_codes(self, n: int, rng: torch.Generator) -> EncodedTable:
        """Draw codes for rows: as for training, or, for columns in turn, classes at their rates."""
        codes = self.draw_codes(n, rng)
        if self.networks is None:
            return codes
        raw = self.class_rates.clamp(min=1e-9).log().expand(n, -1)
        classes, _ = self.code_layout.draw(raw, draw_gumbel(n, raw.shape[1], rng))
        return EncodedTable(classes, codes.scalars)

    def real_codes(self, batch: Batch) -> Tensor:
        """Return what Q infers of each row of a batch: the likeliest classes, and noisy means."""
        raw = self.infer(self.seen(batch.row))
        means = raw[:, : self.code_layout.n_scalars]
        return self.code_layout.expand(
            self.code_layout.draw(raw)[0], self.blurred(means, batch.rng)
        )

    def synthetic_codes(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Return the codes that Q infers from the generator's rows, of which classes are given.

        Means of continuous codes lie nearer to zero than the codes, in real and in generated rows.
        """
        n, n_scalars = len(condition), self.code_layout.n_scalars
        if not condition.shape[1]:
            condition = self.code_layout.expand(*self.free_codes(n, rng))
        means = self.infer(self.soften(self.generate(condition, rng), rng))[:, :n_scalars]
        return torch.cat([self.blurred(means, rng), condition[:, n_scalars:]], dim=1)

    def generate(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """Generate raw rows, shape (n, width), from given codes; without any, codes are drawn."""
        n = len(condition)
        if not condition.shape[1]:
            condition = self.code_layout.expand(*self.draw_codes(n, rng))
        return self.generator(torch.cat([draw_normal(n, self.noise_dim, rng), condition], dim=1))

    def infer(self, row: Tensor) -> Tensor:
        """Compute Q's raw posterior of the codes of encoded rows, shape (n, code width)."""
        return self.q_head(self.adversary.critic.features(row))

    def information_loss(self, fake: Tensor, codes: EncodedTable) -> Tensor:
        """Return the weighted ``-L_I(G, Q)`` of Chen et al. (2016), equation 5, without H(c).

        The entropy H(c) of the codes is constant. Q is a softmax for each categorical code, and a
        normal distribution of unit variance for each continuous code.
        """
        raw = self.infer(fake)
        wrong = raw[:, : self.code_layout.n_scalars] - codes.scalars
        nats = self.code_layout.cross_entropy(raw, codes.codes) + wrong.square().sum(dim=1) / 2
        return self.info_weight * nats.mean()

    def _as_seen(self, batch: Batch) -> Batch:
        """Return a batch whose rows are as the critic sees them."""
        return replace(batch, row=self.seen(batch.row))

    def _fake_of_codes(self, batch: Batch) -> tuple[Tensor, EncodedTable]:
        """Generate soft rows from drawn codes; return rows and codes."""
        codes = self.draw_codes(len(batch.row), batch.rng)
        raw = self.generate(self.code_layout.expand(*codes), batch.rng)
        return self.soften(raw, batch.rng), codes

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the critic loss of WGAN-GP plus the error of the inferred codes."""
        agreement = self.agreement_loss(batch)
        batch = self._as_seen(batch)
        fake, codes = self._fake_of_codes(batch)
        loss = self.adversary.critic_loss(batch, batch.row, fake, batch.condition)
        return loss + self.information_loss(fake, codes) + agreement

    def agreement_loss(self, batch: Batch) -> Tensor:
        """Return the weighted loss of classes that do not agree between real rows that are alike.

        `batch` holds rows as they are encoded, not as the critic sees them.
        """
        # NOTE[DIFF] In the paper Q learns from generated rows alone. Ojha et al. (2020), "Elastic-
        # InfoGAN", arXiv 1910.01112, equation 4, let Q give a real row and a changed copy one code.
        if not self.agreement_weight or not self.code_layout.n_softmax:
            return batch.row.new_zeros(())
        if self.grouper is not None:
            return self.agreement_weight * self._error_of_classes(self.grouper, batch)
        loss = grouping_loss(
            lambda row: self.infer(self.seen(row)),
            self.seen,
            batch,
            self.table_layout,
            self.code_layout,
        )
        return self.agreement_weight * loss

    def _error_of_classes(self, grouper: Grouper, batch: Batch) -> Tensor:
        """Return the cross-entropy of the classes that Q infers from those found before."""
        row, n_scalars = self.seen(batch.row), self.code_layout.n_scalars
        found = self.code_layout.activate(grouper(row))[:, n_scalars:]
        log_p = self.code_layout.log_probabilities(self.infer(row)).nan_to_num(neginf=0.0)
        return -(found * log_p).sum(dim=1).mean()

    def find_classes(self, real: Rows, condition_layout: Layout, streams: Streams) -> None:
        """Divide real rows into classes before the game, unless that was done before.

        Parameters
        ----------
        real : Rows
        condition_layout : Layout
        streams : Streams
        """
        if self.grouper is None or self.grouper.has_learnt or real.n < 2:
            return
        data = TrainingSet(real.made, self.table_layout, real.given, condition_layout)
        self.grouper.learn(data, self.seen, self.code_layout, self.n_starts, streams)

    def generator_loss(self, batch: Batch) -> Tensor:
        """Return the negative critic score plus the error of the inferred codes."""
        batch = self._as_seen(batch)
        fake, codes = self._fake_of_codes(batch)
        loss = self.adversary.generator_loss(batch, batch.row, fake, batch.condition)
        return loss + self.information_loss(fake, codes)

    def monitor(self, batch: Batch) -> dict[str, Tensor]:
        """Return the estimate of the Wasserstein distance and the error of the inferred codes."""
        batch = self._as_seen(batch)
        fake, codes = self._fake_of_codes(batch)
        information = self.information_loss(fake, codes)
        return {"wasserstein": self.score_gap(batch, fake), "information": information}


MAX_GROUPED_ROWS = 20_000
"""Most real rows that are divided into classes before the game."""


class GivenCodes:
    """Mixin of sources of rows of InfoGAN, which take codes in place of conditions.

    A class number of -1, or a number of NaN, leaves that code free: it is then drawn. If there are
    no codes at all, every code is drawn.
    """

    game: InfoGANGame
    encoding: Encoding

    def prepare(self, real: Rows, streams: Streams) -> None:
        """Let the source count what it needs of real rows, and the game find their classes."""
        super().prepare(real, streams)  # type: ignore[misc]
        if self.game.n_starts:
            some = real.at_most(MAX_GROUPED_ROWS, streams.rng)
            self.game.find_classes(some, self.encoding.condition_layout, streams)

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Expand codes into what the game sees, and draw the free codes."""
        if not given.codes.shape[1] and not given.scalars.shape[1]:
            empty: Tensor = super().condition(given, noise)  # type: ignore[misc]
            return empty
        drawn = self.game.free_codes(len(given), noise)
        codes = torch.where(given.codes < 0, drawn.codes, given.codes)
        scalars = torch.where(given.scalars.isnan(), drawn.scalars, given.scalars)
        return self.game.code_layout.expand(codes, scalars)


class CodedRows(GivenCodes, RawRows):
    """Raw rows of InfoGAN's generator, for given codes or for drawn ones."""


MAX_DRAWS = 50
"""Most draws of a row whose class is asked for. If all have other classes, the last one stays."""


class CodedColumns(GivenCodes, DecodedRows):
    """Rows whose columns are drawn in turn, for given codes or for drawn ones.

    The class of a row is what Q infers of the row. Rows of asked classes are therefore drawn until
    Q infers the classes.

    Parameters
    ----------
    game : InfoGANGame
        The game with averaged weights.
    encoding : Encoding
    """

    def __init__(self, game: InfoGANGame, encoding: Encoding) -> None:
        super().__init__(game, encoding)
        self.game = game

    @torch.no_grad()
    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one encoded row for each line of codes, of the classes that are asked for."""
        made, wanted = super().draw(given, noise), given.codes
        if not (wanted >= 0).any():
            return made
        for _ in range(MAX_DRAWS):
            raw = self.game.infer(self.game.seen(self.encoding.layout.expand(*made)))
            is_other = (self.game.code_layout.draw(raw)[0] != wanted) & (wanted >= 0)
            wrong = is_other.any(dim=1).nonzero().squeeze(1)
            if not len(wrong):
                break
            made.codes[wrong] = super().draw(given.rows(wrong), noise).codes
        return made

    @torch.no_grad()
    def learn(self, real: Rows, streams: Streams) -> None:
        """Correct the rates of levels, and take the rates of classes from real rows."""
        super().learn(real, streams)
        some = real.at_most(MAX_CALIBRATION_ROWS, streams.rng)
        sums = torch.zeros_like(self.game.class_rates)
        for _, codes in self._parts(some, streams.noise):
            sums += codes.sum(dim=0)
        self.game.class_rates.copy_(sums / some.n)


class InfoGANFeaturizer(CriticFeatures, Decoding, Latent, TableSynthesizer):
    """InfoGAN [1]_ on WGAN-GP: categorical and continuous codes of rows, found without labels.

    The generator turns codes c and noise z into rows. Q, an output layer on the critic, infers the
    codes from a row. Generator and Q maximise a lower bound of the mutual information ``I(c; G(z,
    c))``, so that each code comes to control something visible in the rows.

    Use this class to explore a table: which kinds of rows there are, and what varies within a kind.
    Another seed may find other codes. For rows alone, other classes are simpler.

    The generator makes all columns of a row at once, and finds the codes. By default a decoder of
    columns makes the synthetic rows, which are then far more faithful. The decoder learns after the
    game, from real rows and the codes that Q infers from them, and draws one column after another,
    each given the codes and the columns before it. It sees numbers cut into bins; generator and
    critic see the ranks of the bins.

    `transform` gives Q's posterior: first the mean of each continuous code, then the probability of
    each class of the categorical codes, both in the order of `codes`. Posteriors of more than three
    numbers are rounded, and all are times one factor by which their variances over the training
    rows add up to 0.25. `predict` gives the most probable class. `sample` draws rows, from given
    codes if there are any.

    The class differs from the paper in three ways: the game is that of WGAN-GP, Q learns from real
    rows too (`agreement_weight`), and there is the decoder.

    Parameters
    ----------
    codes : sequence of int >= 2 or "continuous", default=(10, "continuous", "continuous")
        The codes. An integer K is a categorical code of K classes, and "continuous" is a code in
        [-1, 1].
    info_weight : float >= 0, default=1
        Weight of the error of the inferred codes, lambda in [1]_.
    agreement_weight : float >= 0, default=1
        Weight of the agreement of classes between real rows that are alike: a row, a copy in which
        three columns in ten hold values of other rows, and one of the nearest rows of the batch
        ([2]_, [3]_). The classes are also made certain and equally frequent. With 0, Q learns from
        the generator's rows alone, as in [1]_.
    n_init : int >= 0, default=0
        Starts of a search for classes of the real rows. Each start is a network of its own that
        learns from the agreement of classes in 300 steps, before the game. The division of least
        loss is kept, and teaches Q in place of the agreement. A few seconds a start find better
        classes than the game by itself. With 0, Q finds classes during the game. With
        ``agreement_weight=0`` there is no search.
    n_steps : int >= 0 or None, default=None
        Number of training steps, of which the decoder of columns has the last third, after the
        others. None takes 1,500, or 1,000 with ``decoder="joint"``, and fewer on small tables: at
        most 300 passes over the rows if early stopping is off.
    n_critic : int >= 1, default=2
        Number of updates of the critic for each update of the generator.
    penalty_weight : float >= 0, default=1
        Weight of the gradient penalty on the critic, lambda of WGAN-GP.
    **shared
        See `TableSynthesizer`.

    Attributes
    ----------
    schema_ : Schema
        The kind, the dtype and the distribution of each column.

    References
    ----------
    .. [1] Chen et al. (2016), "InfoGAN: Interpretable Representation Learning by Information
       Maximizing Generative Adversarial Nets", arXiv 1606.03657, equation 6.
    .. [2] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing Self-
       Augmented Training", arXiv 1702.08720, equations 2 and 7.
    .. [3] Van Gansbeke et al. (2020), "SCAN: Learning to Classify Images without Labels",
       arXiv 2005.12320, equation 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from tabgan import InfoGANFeaturizer
    >>> X = load_digits().data[:100]
    >>> model = InfoGANFeaturizer(codes=(10, "continuous"), n_steps=5, random_state=0).fit(X)
    >>> model.transform(X).shape
    (100, 11)
    >>> model.predict(X).shape
    (100,)

    Five rows of class 3, whose continuous code goes from -1 to 1:

    >>> model.sample(codes={0: 3, 1: [-1, -0.5, 0, 0.5, 1]}).shape
    (5, 64)
    """

    # Features of numbers, such as pixels, depend on their order. Levels would hide the order.
    plan = replace(STAGED_PLAN, n_steps=1500)
    joint_plan = Plan(numbers="rank")
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
        "agreement_weight": number(0),
        "n_init": integer(0),
        "n_critic": integer(1),
        "penalty_weight": number(0),
    }

    def __init__(
        self,
        *,
        codes: Sequence[Code] = (10, "continuous", "continuous"),
        info_weight: float = 1.0,
        agreement_weight: float = 1.0,
        n_init: int = 0,
        n_critic: int = 2,
        penalty_weight: float = 1.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.codes = codes
        self.info_weight = info_weight
        self.agreement_weight = agreement_weight
        self.n_init = n_init
        self.n_critic = n_critic
        self.penalty_weight = penalty_weight

    def _own_techniques(self) -> Sequence[Technique]:
        return [GradientPenalty(self.penalty_weight)]

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        if self.decoder == "causal":
            return CodedColumns(game, encoding)
        return Calibrated(CodedRows(game, encoding))

    def _make_game(self, encoding: Encoding) -> InfoGANGame:
        codes = list(self.codes)
        n_classes = [int(code) for code in codes if code != "continuous"]
        code_layout = Layout(n_classes, [-1] * (len(codes) - len(n_classes)))
        networks = self._column_networks(encoding, code_layout.width)
        view = None if networks is None else RankView(encoding.layout, encoding.level_ranks)
        return InfoGANGame(
            encoding.layout if view is None else view.layout,
            code_layout,
            self.latent_dim,
            self.hidden_dim,
            self.n_critic,
            self.info_weight,
            networks,
            self.code_noise,
            view,
            self.agreement_weight,
            encoding.layout,
            self.n_init,
        )

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
        rates: Mapping[Hashable, Mapping[Any, float]] | None = None,
        on_shortfall: Literal["raise", "partial"] = "raise",
        time_limit: float | None = None,
        into: Any = None,
        resume: bool = False,
        codes: Any = None,
    ) -> Any:
        """Draw synthetic rows, from given codes if there are any.

        Parameters
        ----------
        n_samples : int >= 1, default=1
            Number of rows.
        random_state : int, RandomState or None, default=None
            Seed of the noise. With an int, a fitted model draws the same rows in each call. None
            continues the random stream that the estimator's own `random_state` began, so that each
            call draws other rows.
        conditions : dict, Series, table or array-like, default=None
            Values that columns of the synthetic rows must have, met by rejection; see
            `TableSynthesizer.sample`. Conditions and codes cannot be given together.
        rates : dict of column label to dict of condition to float, default=None
            Shares of the rows in which columns meet conditions. Rates and codes cannot be given
            together.
        on_shortfall : {"raise", "partial"}, default="raise"
            What happens if rejection finds too few rows: an error, or a warning and fewer rows.
        time_limit : float > 0 or None, default=None
            Seconds after which rejection ends.
        into : str, Path or None, default=None
            A file to write the rows to, in parts; see `TableSynthesizer.sample`. Files and codes
            cannot be given together.
        resume : bool, default=False
            Whether to go on with a file that an earlier call left unfinished.
        codes : mapping, or array-like of shape (n, n_codes), default=None
            Values of codes: a class number for a categorical code, a number in [-1, 1] for a
            continuous one. A mapping from the position of a code to its value, or to one value for
            each row, leaves the other codes free. An array of n rows gives the codes of n rows, and
            NaN leaves a code free. Free codes are drawn.

        Returns
        -------
        table of shape (n_samples, d)
            The kind of table that `fit` got, with the same columns, order and dtypes, and a fresh
            index. With `into`, the path of the file.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If conditions and codes are both given, if a code does not exist or has a value out of
            range, if the numbers of rows do not agree, or if a condition cannot be met.
        """
        if codes is None:
            return super().sample(
                n_samples,
                random_state,
                conditions=conditions,
                rates=rates,
                on_shortfall=on_shortfall,
                time_limit=time_limit,
                into=into,
                resume=resume,
            )
        check_is_fitted(self)
        for other, value in (("conditions", conditions), ("rates", rates), ("into", into)):
            if value is not None:
                raise ValueError(f"{other} and codes are both given; pass one of them.")
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
        """Return the codes that are asked for as an array (n, n_codes), with NaN for free codes."""
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

    def _score(self, row: Tensor) -> Tensor:
        return super()._score(self._core.game.seen(row))

    def _inferred(self, row: Tensor) -> Tensor:
        """Compute Q's raw posterior of the codes of encoded rows."""
        game = self._core.game
        return game.infer(game.seen(row))

    def _unscaled(self, row: Tensor) -> Tensor:
        """Compute Q's posterior: means of continuous codes, then probabilities of classes."""
        layout = self._core.game.code_layout
        blocks = zip(layout.offsets.tolist(), layout.n_levels, strict=True)
        classes = [place for start, k in blocks for place in range(start, start + k)]
        return layout.activate(self._inferred(row))[:, [*range(layout.n_scalars), *classes]]

    def _make_scaling(self, game: InfoGANGame) -> Scaled:
        return Scaled(int((game.code_layout.level_mask == 0).sum()))

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Infer the most probable class of each categorical code of rows.

        Parameters
        ----------
        X : table or array-like of shape (n, d)
            Rows with the columns that `fit` got.

        Returns
        -------
        ndarray of shape (n,), or (n, n_categorical) if there are several categorical codes
            Class numbers from 0 on.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        ValueError
            If `codes` has no categorical code, or if the columns or the kinds of values differ from
            those that `fit` got.
        """
        check_is_fitted(self)
        layout = self._core.game.code_layout
        if not layout.n_blocks:
            raise ValueError(f"predict needs a categorical code, but codes is {self.codes!r}.")
        raw = torch.from_numpy(self._over_rows(X, self._inferred)).to(self._core.device)
        classes = layout.draw(raw)[0].cpu().numpy()
        return classes[:, 0] if layout.n_blocks == 1 else classes
