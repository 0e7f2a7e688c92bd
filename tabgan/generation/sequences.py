"""The core of every synthesizer of sequences: encodings, sources that unroll a game, learning."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from tabgan.adversarial.training import Training
from tabgan.generation.conditions import Combinations, ConditionModel
from tabgan.generation.core import Core
from tabgan.generation.encoding import Encoding
from tabgan.generation.sequence_set import SequenceSet
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.columns import IdentifierColumn
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema
from tabgan.table.sequences import Sequences, SequenceTable, length_mask

CHUNK = 32_768
"""Steps generated at once."""


class Outline(NamedTuple):
    """What sequences are drawn for: what each has once, and how long each is.

    Attributes
    ----------
    given : EncodedTable of n rows
        Conditions, on the device.
    lengths : Tensor of shape (n,), int64
    latent : Tensor of shape (n, latent_dim) or None
        The latent draw of each sequence; None leaves it to the game.
    """

    given: EncodedTable
    lengths: Tensor
    latent: Tensor | None = None


class SequenceEncoding(Encoding):
    """How steps, and what a sequence has once, are encoded.

    Parameters
    ----------
    encoder : Encoder
        Of a step.
    given_schema : Schema
        Of what a sequence has once. Identifiers say nothing of a sequence, and are made anew.
    length : hashable
        What a sequence's length is called.
    max_categories : int
    device : torch.device
    """

    def __init__(
        self,
        encoder: Encoder,
        given_schema: Schema,
        length: Hashable,
        max_categories: int,
        device: torch.device,
    ) -> None:
        told = [c.name for c in given_schema.columns if not isinstance(c, IdentifierColumn)]
        conditions = ConditionModel(given_schema.select(told), max_categories)
        super().__init__(encoder, conditions, 0, device)
        self.given_schema, self.length = given_schema, length

    def lengths(self, given: pd.DataFrame) -> Tensor:
        """Read sequences' lengths off what they have once, shape (n,)."""
        lengths = given[self.length].to_numpy(dtype=np.int64)
        return torch.tensor(lengths, device=self.layout.offsets.device)

    def told(self, given: EncodedTable, rng: np.random.Generator) -> pd.DataFrame:
        """Decode what sequences have once, identifiers included."""
        told = self.conditions.encoder.decode(given, rng)
        for column in self.given_schema.columns:
            if isinstance(column, IdentifierColumn):
                told[column.name] = column.series(rng.random(len(told)) < column.missing_rate)
        return told

    def outline(
        self, given: EncodedTable, told: pd.DataFrame, latent: Tensor | None = None
    ) -> Outline:
        """Put together what sequences are drawn for."""
        return Outline(given.to(self.layout.offsets.device), self.lengths(told), latent)

    def encode_sequences(self, sequences: Sequences, rng: np.random.Generator) -> SequenceSet:
        """Encode sequences and what they have once, on the device."""
        device = self.layout.offsets.device
        steps = self.encoder.encode(sequences.steps[self.encoder.schema.names], rng)
        given = self.conditions.encode(sequences.given, rng)
        table = SequenceTable(steps.to(device), self.lengths(sequences.given))
        return SequenceSet(table, self.layout, given.to(device), self.condition_layout)


class Unrolled(Source):
    """A game that makes sequences step by step: raw steps, one below the other.

    Parameters
    ----------
    game : Game
        Its `unroll` takes conditions of shape (n, condition width), the number T of steps, a
        generator of noise and perhaps latent draws, and returns raw steps (n, T, width).
    encoding : SequenceEncoding
    """

    def __init__(self, game: Any, encoding: SequenceEncoding) -> None:
        self.game, self.encoding = game, encoding

    @torch.no_grad()
    def raw(self, given: Outline, noise: torch.Generator) -> Tensor:
        """Unroll the game, some thousands of steps at a time; shape (N, width) or (N, n_blocks)."""
        condition, lengths = self.encoding.condition_layout.expand(*given.given), given.lengths
        size = max(1, CHUNK // int(lengths.max()))
        parts = []
        for start in range(0, len(lengths), size):
            part = slice(start, start + size)
            n_steps = int(lengths[part].max())
            drawn = [] if given.latent is None else [given.latent[part]]
            made = self.game.unroll(condition[part], n_steps, noise, *drawn)
            parts.append(made[length_mask(lengths[part], n_steps)])
        return torch.cat(parts)

    def typical(self, real: SequenceSet, rng: np.random.Generator) -> Outline:
        """Draw outlines of sequences at the rates of training, of some 20,000 steps in all."""
        given = self.encoding.conditions.draw(1 + 20_000 // real.table.n_steps, rng)
        return self.encoding.outline(given, self.encoding.told(given, rng))


class Written(Unrolled):
    """A game that writes sequences of levels itself: its `unroll` returns codes (n, T, n_blocks).

    Rates of levels are left as the game has learnt them.
    """

    def draw(self, given: Outline, noise: torch.Generator) -> EncodedTable:
        """Draw the steps of sequences, one below the other."""
        codes = self.raw(given, noise)
        return EncodedTable(codes, torch.zeros(len(codes), 0))


class SequenceCore(Core):
    """A generator of sequences: encodings, a trained game, and the chain to encoded steps.

    Parameters
    ----------
    encoding : SequenceEncoding
    training : Training
    chain : Source
    """

    def __init__(self, encoding: SequenceEncoding, training: Training, chain: Source) -> None:
        super().__init__(training, encoding.layout.offsets.device)
        self.encoding, self.chain = encoding, chain

    def draw(self, given: EncodedTable, told: pd.DataFrame, streams: Streams, latent: Any) -> Any:
        """Draw the steps of sequences as a table, one below the other."""
        steps = self.chain.draw(self.encoding.outline(given, told, latent), streams.noise)
        return self.encoding.encoder.decode(steps, streams.rng)

    def modules(self) -> dict[str, nn.Module]:
        """Return the game, and what the chain has learnt."""
        return {**self.chain.modules(), **super().modules()}

    def values(self) -> dict[str, Any]:
        """Return how often which conditions occurred together."""
        return {"combinations": vars(self.encoding.conditions.combinations)}

    def restore(self, values: dict[str, Any]) -> None:
        """Take back how often which conditions occurred together."""
        self.encoding.conditions.combinations = Combinations(**values["combinations"])
