"""Rows of autoregressive networks, with calibrated rates of levels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tabgan.adversarial.game import Batch
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.level_rates import LevelRates
from tabgan.generation.source import Source
from tabgan.networks.precision import fast_matmul
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.evidence import FREE, Evidence

N_CALIBRATIONS = 3
"""Number of rounds of iterative proportional fitting after training."""

MAX_CALIBRATION_ROWS = 50_000
"""Most rows whose mean probabilities are compared with training rates."""

KEPT_ENTRIES = 64_000_000
"""Most entries of the networks' output that memory keeps from one round to the next."""


class CausalRows(Source):
    """Rows that `ColumnNetworks` draw one column after another, with calibrated rates of levels.

    Parameters
    ----------
    maker : CausalGenerator or AutoregressiveGame
        The networks with averaged weights, and how rows are drawn and scored with them.
    encoding : Encoding
    """

    has_likelihood = True

    def __init__(self, maker: Any, encoding: Encoding) -> None:
        self.maker, self.encoding = maker, encoding

    @torch.no_grad()
    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one encoded row for each condition."""
        condition = self.condition(given, noise)
        with fast_matmul():
            parts = condition.split(self.maker.networks.draws_at_once)
            codes = torch.cat([self.maker.draw(part, noise) for part in parts])
        return EncodedTable(codes, condition.new_zeros(len(codes), 0))

    def condition(self, given: EncodedTable, noise: torch.Generator) -> Tensor:
        """Lay conditions out for the networks, shape (n, condition width)."""
        return self.encoding.condition_layout.expand(*given)

    @torch.no_grad()
    def log_likelihood(self, real: Rows, own: bool = False) -> Tensor:
        """Return the log-probability of each row given its condition, shape (n,), in nats."""
        return torch.cat(
            [
                self.maker.log_likelihood(part.made, condition, own=own)
                for part, condition in self._parts(real)
            ]
        )

    @torch.no_grad()
    def learn(self, real: Rows, streams: Streams) -> None:
        """Correct the bias of each level so that its mean probability equals its training rate.

        The mean is taken over the real rows in which the level is known, each column given the
        columns before it. One round multiplies the odds of a level by the ratio of the two rates
        (iterative proportional fitting). Softmax blocks interact through the normalisation, so that
        a few rounds are needed.

        Training rates are those of all rows. Mean probabilities are those of at most
        `MAX_CALIBRATION_ROWS` rows, drawn at random, see `LevelRates`.
        """
        networks, layout = self.maker.networks, self.encoding.layout
        if not layout.width:
            return
        rates = LevelRates(layout, real.made.codes)
        some = real.at_most(MAX_CALIBRATION_ROWS, streams.rng)
        parts = self._parts(some, streams.noise)
        # Only biases change from round to round, so that one pass serves all rounds if memory
        # holds what the networks said.
        is_kept = some.n * layout.width <= KEPT_ENTRIES
        before = networks.bias.clone()
        raw = [self._known_raw(*part) for part in parts] if is_kept else []
        for _ in range(N_CALIBRATIONS):
            sums = torch.zeros(3, layout.width, device=before.device)
            for i, (part, given) in enumerate(parts):
                if is_kept:
                    chance = layout.activate(raw[i] + (networks.bias - before))
                else:
                    chance = layout.activate(self._known_raw(part, given))
                row = layout.expand(*part.made)
                # Rows in which a block is unknown do not count for the rates of that block.
                chance *= layout.in_known_blocks(row)
                sums += torch.stack([row.sum(dim=0), chance.sum(dim=0), (row * chance).sum(dim=0)])
            networks.bias += rates.correction(*sums)

    def _known_raw(self, part: Rows, condition: Tensor) -> Tensor:
        """Predict the blocks of rows that were counted."""
        return self.maker.raw(part.made.codes, condition, own=True)

    def _parts(self, real: Rows, noise: torch.Generator | None = None) -> list[tuple[Rows, Tensor]]:
        """Split rows into chunks, each beside its conditions as networks see them."""
        index = torch.arange(real.n, device=real.made.codes.device)
        parts = [real.take(part) for part in index.split(self.maker.networks.rows_at_once)]
        return [(part, self.encoding.condition_layout.expand(*part.given)) for part in parts]


class DecodedRows(CausalRows):
    """Rows that a game's `CausalDecoder` draws, each from a synthetic code.

    Rates of levels are corrected on real rows and their codes. The likelihood of a row is that
    given a code drawn for the row.

    Parameters
    ----------
    maker : CausalDecoder
        The game with averaged weights.
    encoding : Encoding
    """

    def _parts(self, real: Rows, noise: torch.Generator | None = None) -> list[tuple[Rows, Tensor]]:
        """Split rows into chunks, each beside codes drawn for its rows.

        Without a source of noise, codes of the same rows have the same noise every time.
        """
        layout, parts = self.encoding.layout, super()._parts(real)
        if noise is None:
            noise = torch.Generator(real.made.codes.device).manual_seed(0)
        return [
            (
                part,
                self.maker.real_codes(
                    Batch(part.made, layout.expand(*part.made), condition, part.given, noise)
                ),
            )
            for part, condition in parts
        ]


class ColumnRows(CausalRows):
    """Rows of an `AutoregressiveGame`, which also proposes values for unknown columns.

    Parameters
    ----------
    maker : AutoregressiveGame
        The game with averaged weights.
    encoding : Encoding
    """

    has_proposals = True

    def prepare(self, real: Rows, streams: Streams) -> None:
        """Count the categories of wide blocks."""
        if self.maker.wide.n_wide:
            self.maker.wide.learn(real.made.codes, streams.rng)

    def modules(self) -> dict[str, nn.Module]:
        """Return the model of wide blocks, if there are any."""
        return {"wide": self.maker.wide} if self.maker.wide.n_wide else {}

    @torch.no_grad()
    def propose(
        self, evidence: Evidence, given: EncodedTable, n_candidates: int, noise: torch.Generator
    ) -> tuple[EncodedTable, Tensor]:
        """Draw candidates from the any-order networks, weighted to follow the generator.

        Parameters
        ----------
        evidence : Evidence of n rows
        given : EncodedTable of n rows
        n_candidates : int >= 1
        noise : torch.Generator

        Returns
        -------
        candidates : EncodedTable of n * n_candidates rows
        log_weights : Tensor of shape (n, n_candidates)
        """
        any_order = self.maker.any_order
        condition = self.encoding.condition_layout.expand(*given)
        size = max(1, any_order.draws_at_once // n_candidates)
        drawn = []
        with fast_matmul():
            for rows in torch.arange(len(given), device=condition.device).split(size):
                drawn.append(
                    any_order.draw(evidence.rows(rows), condition[rows], n_candidates, noise)
                )
        codes, log_density = (torch.cat(parts) for parts in zip(*drawn, strict=True))
        table = EncodedTable(codes, condition.new_zeros(len(codes), 0))
        each = torch.arange(len(given), device=codes.device).repeat_interleave(n_candidates)
        with fast_matmul():
            log_weights = self.log_likelihood(Rows(table, given.rows(each))) - log_density
        return table, log_weights.view(len(given), n_candidates)

    @torch.no_grad()
    def any_order_posterior(self, rows: Rows, block: int) -> Tensor:
        """Estimate the probability of each level of one block from the known other blocks.

        Parameters
        ----------
        rows : Rows of n rows
            A negative code is unknown.
        block : int

        Returns
        -------
        Tensor of shape (n, n_levels of the block)
            Log-probabilities.
        """
        any_order = self.maker.any_order
        parts = []
        for part, condition in self._parts(rows):
            codes = part.made.codes.clone()
            codes[:, block] = FREE
            parts.append(any_order.posterior(codes, condition, block))
        return torch.cat(parts)
