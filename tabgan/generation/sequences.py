"""The core of every synthesizer of sequences: encoding, sources of steps, and drawing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tabgan.generation.conditions import ConditionModel
from tabgan.generation.core import ConditionedCore
from tabgan.generation.encoding import Encoding
from tabgan.generation.sequence_set import SequenceSet, SequenceTable, length_mask
from tabgan.generation.source import Source
from tabgan.randomness import Streams
from tabgan.table.columns import IdentifierColumn
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema
from tabgan.table.sequences import Sequences

CHUNK = 32_768
"""Most steps that one pass of the generator makes."""


class Outline(NamedTuple):
    """What sequences are generated for: conditions, lengths and perhaps latent draws.

    Attributes
    ----------
    given : EncodedTable of n rows
        Conditions, on the device.
    lengths : Tensor of shape (n,), int64
        Number of steps of each sequence.
    latent : Tensor of shape (n, latent_dim) or None
        Latent draw of each sequence. With None the game draws.
    begun : Tensor of shape (n, T, n_blocks) or None
        Levels of the first steps of each sequence, negative for the steps that are drawn. Only a
        `Written` source takes such levels.
    """

    given: EncodedTable
    lengths: Tensor
    latent: Tensor | None = None
    begun: Tensor | None = None


class SequenceEncoding(Encoding):
    """The encoding of steps, and of the values that a sequence has once (its context).

    The context includes the sequence's length. All columns of the context except identifiers are
    conditions of the generator. Identifiers say nothing of a sequence, and new ones are made.

    Parameters
    ----------
    encoder : Encoder
        Encoder of a step.
    given_schema : Schema
        Schema of the context.
    length : hashable
        Label of the column of lengths.
    max_categories : int
        Most levels of a categorical column.
    n_rows : int
        Number of steps in training, each counted once.
    device : torch.device
        Device of the layouts.
    """

    def __init__(
        self,
        encoder: Encoder,
        given_schema: Schema,
        length: Hashable,
        max_categories: int,
        n_rows: int,
        device: torch.device,
    ) -> None:
        told = [c.name for c in given_schema.columns if not isinstance(c, IdentifierColumn)]
        conditions = ConditionModel(given_schema.select(told), max_categories)
        super().__init__(encoder, conditions, n_rows, device)
        self.given_schema, self.length = given_schema, length

    def lengths(self, given: pd.DataFrame) -> Tensor:
        """Return the lengths of sequences, from their context.

        Parameters
        ----------
        given : DataFrame of n rows

        Returns
        -------
        Tensor of shape (n,), int64, on the device
        """
        lengths = given[self.length].to_numpy(dtype=np.int64)
        return torch.tensor(lengths, device=self.layout.offsets.device)

    def told(self, given: EncodedTable, rng: np.random.Generator) -> pd.DataFrame:
        """Decode the context of sequences, with new identifiers.

        Parameters
        ----------
        given : EncodedTable of n rows
        rng : numpy Generator

        Returns
        -------
        DataFrame of n rows
        """
        told = self.conditions.encoder.decode(given, rng)
        for column in self.given_schema.columns:
            if isinstance(column, IdentifierColumn):
                told[column.name] = column.series(rng.random(len(told)) < column.missing_rate)
        return told

    def outline(
        self,
        given: EncodedTable,
        told: pd.DataFrame,
        latent: Tensor | None = None,
        begun: Tensor | None = None,
    ) -> Outline:
        """Join conditions, lengths, latent draws and first steps.

        Parameters
        ----------
        given : EncodedTable of n rows
            Encoded conditions.
        told : DataFrame of n rows
            The decoded context, which holds the lengths.
        latent : Tensor of shape (n, latent_dim), optional
        begun : Tensor of shape (n, T, n_blocks), optional

        Returns
        -------
        Outline of n sequences
        """
        return Outline(given.to(self.layout.offsets.device), self.lengths(told), latent, begun)

    def encode_sequences(self, sequences: Sequences, rng: np.random.Generator) -> SequenceSet:
        """Encode sequences and their context, on the device.

        Parameters
        ----------
        sequences : Sequences
        rng : numpy Generator
            Draws ranks within ties.

        Returns
        -------
        SequenceSet
        """
        device = self.layout.offsets.device
        steps = self.encoder.encode(sequences.steps[self.encoder.schema.names], rng)
        given = self.conditions.encode(sequences.given, rng)
        table = SequenceTable(steps.to(device), self.lengths(sequences.given))
        return SequenceSet(table, self.layout, given.to(device), self.condition_layout)


class Unrolled(Source):
    """A source that unrolls a game step by step, and returns all steps of all sequences as rows.

    Parameters
    ----------
    game : Game
        The method `unroll` takes conditions of shape (n, condition width), the number T of steps, a
        generator of noise and perhaps latent draws, and returns raw steps of shape (n, T, width).
    encoding : SequenceEncoding
    """

    def __init__(self, game: Any, encoding: SequenceEncoding) -> None:
        self.game, self.encoding = game, encoding

    @torch.no_grad()
    def raw(self, given: Outline, noise: torch.Generator) -> Tensor:
        """Unroll the game for at most `CHUNK` steps at a time.

        Parameters
        ----------
        given : Outline of n sequences
        noise : torch.Generator

        Returns
        -------
        Tensor of shape (N, width), or (N, n_blocks) from a game that returns codes
            The steps of all sequences, N in all, in the order of the sequences. Padding is left
            out.
        """
        condition, lengths = self.encoding.condition_layout.expand(*given.given), given.lengths
        size = max(1, CHUNK // int(lengths.max()))
        parts = []
        for start in range(0, len(lengths), size):
            part = slice(start, start + size)
            n_steps = int(lengths[part].max())
            drawn = [] if given.latent is None else [given.latent[part]]
            if given.begun is None:
                made = self.game.unroll(condition[part], n_steps, noise, *drawn)
            else:
                begun = given.begun[part, :n_steps]
                made = self.game.unroll(condition[part], n_steps, noise, *drawn, begun=begun)
            parts.append(made[length_mask(lengths[part], n_steps)])
        return torch.cat(parts)

    def typical(self, real: SequenceSet, rng: np.random.Generator) -> Outline:
        """Draw outlines at training rates, with some 20,000 steps in all.

        Parameters
        ----------
        real : SequenceSet
        rng : numpy Generator

        Returns
        -------
        Outline
        """
        given = self.encoding.conditions.draw(1 + 20_000 // real.table.n_steps, rng)
        return self.encoding.outline(given, self.encoding.told(given, rng))


class Written(Unrolled):
    """A source whose game draws the levels of each step itself.

    The method `unroll` of the game returns codes of shape (n, T, n_blocks), because each step is an
    input of the next step. It takes the levels of first steps as `begun`, and goes on from there.
    The rates of levels stay as the game has learnt the rates.

    Parameters
    ----------
    game : Game
    encoding : SequenceEncoding
    """

    def draw(self, given: Outline, noise: torch.Generator) -> EncodedTable:
        """Draw the steps of sequences.

        Parameters
        ----------
        given : Outline of n sequences
        noise : torch.Generator

        Returns
        -------
        EncodedTable of N rows
            The steps of all sequences, in the order of the sequences.
        """
        codes = self.raw(given, noise)
        return EncodedTable(codes, torch.zeros(len(codes), 0))


class SequenceCore(ConditionedCore):
    """The core of a synthesizer of sequences: encoding, trained game, and the chain.

    Parameters
    ----------
    encoding : SequenceEncoding
    training : Training
    chain : Source
    """

    encoding: SequenceEncoding

    @property
    def goes_on(self) -> bool:
        """Whether sequences can be drawn that begin with given steps."""
        return isinstance(self.chain, Written)

    def draw(
        self,
        given: EncodedTable,
        told: pd.DataFrame,
        streams: Streams,
        latent: Tensor | None = None,
        begun: Tensor | None = None,
    ) -> tuple[EncodedTable, pd.DataFrame]:
        """Draw the steps of sequences.

        Parameters
        ----------
        given : EncodedTable of n rows
            Encoded conditions.
        told : DataFrame of n rows
            The decoded context, which holds the lengths.
        streams : Streams
        latent : Tensor of shape (n, latent_dim) or None
        begun : Tensor of shape (n, T, n_blocks) or None
            Levels of the first steps of each sequence, negative for steps to draw.

        Returns
        -------
        encoded : EncodedTable of N rows
        table : DataFrame of N rows
            The steps of all sequences, in the order of the sequences.
        """
        outline = self.encoding.outline(given, told, latent, begun)
        steps = self.chain.draw(outline, streams.noise)
        return steps, self.encoding.encoder.decode(steps, streams.rng)
