"""Mixins of estimators that play a game against a critic: what such games have as parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from tabgan.adversarial.causal import CausalGenerator
from tabgan.adversarial.game import GUMBEL_TEMPERATURE
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.techniques import Technique
from tabgan.checks import NONE, Rule, choice, instance, integer, number, sequence_of
from tabgan.generation.column_rows import CausalRows, DecodedRows
from tabgan.generation.encoding import Encoding
from tabgan.generation.source import Source
from tabgan.networks.columns import ColumnNetworks, default_dropout


class Adversarial:
    """Mixin of estimators that have a critic or a discriminator, which techniques can change.

    Parameters
    ----------
    techniques : sequence of Technique, default=()
        Training techniques from `tabgan.adversarial` that are added to those of the system itself,
        for example ``[RelativisticPairing(), R1(), R2()]``. A technique that finds nothing to
        change in the system raises a ValueError.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "techniques": sequence_of(
            instance(Technique, "a technique"),
            "a list of objects of tabgan.adversarial, such as [R1()]",
        )
    }

    def __init__(self, *, techniques: Sequence[Technique] = (), **shared: Any) -> None:
        super().__init__(**shared)
        self.techniques = techniques


class Latent(Adversarial):
    """Mixin of adversarial estimators whose generator starts from a latent vector z.

    Parameters
    ----------
    latent_dim : int >= 1, default=64
        Width of z, the vector of standard normal noise that the generator turns into a row.
    """

    _parameter_constraints: ClassVar[dict[str, Rule]] = {"latent_dim": integer(1)}

    def __init__(self, *, latent_dim: int = 64, **shared: Any) -> None:
        super().__init__(**shared)
        self.latent_dim = latent_dim


CAUSAL_PLAN = Plan(
    n_steps=600,
    warm_up=50,
    n_looks=160,
    steps_per_look=25,
    rate_cuts=1,
    settled=0.2,
    fewest_steps=400,
    numbers="bins",
    max_bins=256,
    max_halvings=4,
)
"""The plan of a game with a causal generator, whose likelihood says when to stop.

A table whose held-out rows gain less than .2 nats from the 100th to the 200th step is learnt in 400
steps. Other tables have up to 600.
"""


def column_networks(encoding: Encoding, n_given: int, hidden_dim: int) -> ColumnNetworks:
    """Make networks that draw one column after another, each half as wide as the game's networks.

    Parameters
    ----------
    encoding : Encoding
    n_given : int
        Width of what every network is given beside the columns before its own.
    hidden_dim : int
        Hidden units of a layer of the game's other networks.

    Returns
    -------
    ColumnNetworks
    """
    return ColumnNetworks(
        encoding.layout,
        encoding.masses,
        encoding.level_ranks,
        encoding.n_rows,
        n_given,
        max(1, hidden_dim // 2),
        default_dropout(encoding.n_rows),
    )


class Causal:
    """Mixin of adversarial estimators whose generator draws one column after another.

    Parameters
    ----------
    generator : {"causal", "joint"}, default="causal"
        How a row is made. "causal" draws each column given the columns before it. The generator
        then also minimises the negative log-likelihood of real rows, which is known exactly.
        "joint" is the generator of the papers: it turns z into all columns at once, and learns from
        the critic alone. Its rows are poorer, and it takes longer. The constants of its training
        are in `joint_plan`.
    likelihood_weight : float >= 0, default=1
        Weight of the negative log-likelihood of a row, in nats, beside the loss of the game, with
        ``generator="causal"``. With 0 the generator learns from the critic alone.
    n_critic : int >= 1 or None, default=None
        Number of updates of the critic for each update of the generator. None takes 1 with
        ``generator="causal"`` and 5 with ``generator="joint"``.
    early_stopping : bool, default=True
        Whether held-out rows decide when training stops: by their likelihood with
        ``generator="causal"``, and otherwise by a comparison with synthetic rows.
    n_iter_no_change : int >= 1, default=2
    acceptance_rounds : int >= 0, default=3
    """

    hidden_dim: int
    plan: ClassVar[Plan] = CAUSAL_PLAN
    joint_plan: ClassVar[Plan] = Plan(numbers="bins")
    _n_critic_of_joint: ClassVar[int] = 5
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "generator": choice("causal", "joint"),
        "likelihood_weight": number(0),
        "n_critic": integer(1) | NONE,
    }

    def __init__(
        self,
        *,
        generator: Literal["causal", "joint"] = "causal",
        likelihood_weight: float = 1.0,
        n_critic: int | None = None,
        early_stopping: bool = True,
        n_iter_no_change: int = 2,
        acceptance_rounds: int = 3,
        **shared: Any,
    ) -> None:
        shared |= {
            "early_stopping": early_stopping,
            "n_iter_no_change": n_iter_no_change,
            "acceptance_rounds": acceptance_rounds,
        }
        super().__init__(**shared)
        self.generator = generator
        self.likelihood_weight = likelihood_weight
        self.n_critic = n_critic

    @property
    def _is_causal(self) -> bool:
        """Whether the generator draws one column after another."""
        return self.generator == "causal"

    @property
    def _plan(self) -> Plan:
        return self.plan if self._is_causal else self.joint_plan

    def _n_critic(self) -> int:
        """Return the number of updates of the critic for each update of the generator."""
        if self.n_critic is not None:
            return self.n_critic
        return 1 if self._is_causal else self._n_critic_of_joint

    def _causal_generator(
        self, encoding: Encoding, temperature: float | None = None
    ) -> CausalGenerator | None:
        """Make the causal generator of rows given their conditions, if one is asked for."""
        if not self._is_causal:
            return None
        networks = column_networks(encoding, encoding.condition_layout.width, self.hidden_dim)
        temperature = GUMBEL_TEMPERATURE if temperature is None else temperature
        return CausalGenerator(networks, self.likelihood_weight, temperature)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        if self._is_causal:
            return CausalRows(game.generator, encoding)
        source: Source = super()._make_source(game, encoding)  # type: ignore[misc]
        return source


DECODING_PLAN = replace(CAUSAL_PLAN, averaging=0.99)
"""The plan of a game of codes with a causal decoder, whose likelihood says when to stop."""


STAGED_PLAN = replace(DECODING_PLAN, n_steps=1200)
"""The plan of a game of codes whose causal decoder learns after the codes, in a third of the steps.

Codes then are those of the game alone, however soon the decoder's likelihood ends the last stage.
"""


class Decoding:
    """Mixin of adversarial estimators that decode codes into rows, one column after another.

    Parameters
    ----------
    decoder : {"causal", "joint"}, default="causal"
        How a synthetic code becomes a row. "causal" draws each column given the code and the
        columns before it, by networks that learn from real rows and their codes beside the game.
        "joint" is the decoder of the papers: it makes all columns at once, independently of each
        other given the code. Its rows are poorer, and it takes longer. The constants of its
        training are in `joint_plan`. Codes of rows and the way back from codes to rows are those of
        the paper's decoder either way.
    code_noise : float >= 0, default=1
        Standard deviation of the noise on the codes from which columns are drawn in turn, with
        ``decoder="causal"``. Codes themselves have a standard deviation of about 1. With more noise
        rows are more faithful, and depend less on their codes.
    early_stopping : bool, default=True
        Whether held-out rows decide when training stops: with ``decoder="causal"`` by their
        likelihood given their codes, and otherwise by a comparison with synthetic rows. On tables
        of a few hundred rows, the decoder knows training rows by heart without it.
    n_iter_no_change : int >= 1, default=4
    acceptance_rounds : int >= 0, default=3
    """

    hidden_dim: int
    plan: ClassVar[Plan] = DECODING_PLAN
    joint_plan: ClassVar[Plan]
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "decoder": choice("causal", "joint"),
        "code_noise": number(0),
    }

    def __init__(
        self,
        *,
        decoder: Literal["causal", "joint"] = "causal",
        code_noise: float = 1.0,
        early_stopping: bool = True,
        n_iter_no_change: int = 4,
        acceptance_rounds: int = 3,
        **shared: Any,
    ) -> None:
        shared |= {
            "early_stopping": early_stopping,
            "n_iter_no_change": n_iter_no_change,
            "acceptance_rounds": acceptance_rounds,
        }
        super().__init__(**shared)
        self.decoder = decoder
        self.code_noise = code_noise

    @property
    def _plan(self) -> Plan:
        return self.plan if self.decoder == "causal" else self.joint_plan

    def _column_networks(self, encoding: Encoding, n_given: int) -> ColumnNetworks | None:
        """Make the networks of the causal decoder, if one is asked for."""
        if self.decoder == "joint":
            return None
        return column_networks(encoding, n_given, self.hidden_dim)

    def _make_source(self, game: Any, encoding: Encoding) -> Source:
        if self.decoder == "causal":
            return DecodedRows(game, encoding)
        source: Source = super()._make_source(game, encoding)  # type: ignore[misc]
        return source
