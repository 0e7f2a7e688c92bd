"""Rows of a mixture of products, whose distributions given any levels are exact."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tabgan.adversarial.game import draw_gumbel
from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.source import CHUNK, Source
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.evidence import OPEN, Evidence


class MixtureRows(Source):
    """Rows of a `ProductMixture`: a component is drawn, then the level of each block.

    Parameters
    ----------
    maker : MarginalGame
        The game with averaged weights.
    encoding : Encoding
    """

    has_likelihood = True
    has_proposals = True

    def __init__(self, maker: Any, encoding: Encoding) -> None:
        self.maker, self.encoding = maker, encoding

    def learn(self, real: Any, streams: Streams) -> None:
        """Learn nothing: what was answered about rows is in the weights."""

    @torch.no_grad()
    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one row for each of n conditions, which are empty.

        Components are drawn by systematic sampling, so that each occurs as often as its share says,
        rounded up or down.
        """
        mixture, n = self.maker.mixture, len(given)
        component = mixture.draw(n, noise)
        order = torch.randperm(n, generator=noise, device=component.device)
        return self._levels_of(mixture.log_levels(), component[order], noise)

    def _log_parts(self) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of components, (k,), and of levels in each, (k, width)."""
        mixture = self.maker.mixture
        return mixture.log_shares(), mixture.log_levels()

    def _levels_of(self, levels: Tensor, component: Tensor, noise: torch.Generator) -> EncodedTable:
        """Draw levels of each block from the components of rows."""
        layout, parts = self.encoding.layout, []
        for some in component.split(CHUNK):
            gumbel = draw_gumbel(len(some), layout.width, noise)
            parts.append(layout.draw(levels[some], gumbel)[0])
        codes = torch.cat(parts)
        return EncodedTable(codes, levels.new_zeros(len(codes), 0))

    @torch.no_grad()
    def log_likelihood(self, real: Rows, own: bool = False) -> Tensor:
        """Return the log-probability of each row, in nats; unknown levels are certain."""
        evidence = Evidence(real.made.codes.long(), {}, {})
        parts = torch.arange(real.n, device=evidence.codes.device).split(CHUNK)
        return torch.cat([torch.logsumexp(self._joint(evidence.rows(i)), 1) for i in parts])

    def _joint(self, evidence: Evidence) -> Tensor:
        """Return the log-probability of each component beside the evidence, shape (n, k)."""
        shares, levels = self._log_parts()
        layout, codes = self.encoding.layout, evidence.codes
        hot = layout.expand(codes, levels.new_zeros(len(codes), 0))
        # Padded places are impossible, and no row is there.
        joint = hot @ levels.masked_fill(layout.level_mask.isinf(), 0.0).T + shares
        for block, vectors in evidence.shares.items():
            allowed = levels[:, self._places(block)].exp() @ vectors.T.to(levels.dtype)
            of_rows = allowed.clamp(min=1e-38).log().T[evidence.which[block]]
            joint += torch.where((codes[:, block] == OPEN)[:, None], of_rows, 0.0)
        return joint

    def _places(self, block: int) -> slice:
        """Return where the levels of a block lie in a row."""
        start = int(self.encoding.layout.offsets[block])
        return slice(start, start + self.encoding.layout.n_levels[block])

    @torch.no_grad()
    def propose(
        self, evidence: Evidence, given: EncodedTable, n_candidates: int, noise: torch.Generator
    ) -> tuple[EncodedTable, Tensor]:
        """Draw candidates from the distribution given the evidence, which is exact.

        Parameters
        ----------
        evidence : Evidence of n rows
        given : EncodedTable of n rows
            Empty.
        n_candidates : int >= 1
        noise : torch.Generator

        Returns
        -------
        candidates : EncodedTable of n * n_candidates rows
        log_weights : Tensor of shape (n, n_candidates)
            All zero.
        """
        _, levels = self._log_parts()
        layout, device = self.encoding.layout, levels.device
        drawn = []
        for rows in torch.arange(len(evidence), device=device).split(max(1, CHUNK // n_candidates)):
            some = evidence.rows(rows)
            chances = torch.softmax(self._joint(some), 1)
            component = torch.multinomial(chances, n_candidates, True, generator=noise)
            raw = levels[component.flatten()]
            for block, vectors in some.shares.items():
                is_open = (some.codes[:, block] == OPEN).repeat_interleave(n_candidates)
                which = some.which[block].repeat_interleave(n_candidates)
                allowed = vectors.to(levels.dtype)[which].clamp(min=1e-38).log()
                place = self._places(block)
                raw[:, place] += torch.where(is_open[:, None], allowed, 0.0)
            codes = layout.draw(raw, draw_gumbel(len(raw), layout.width, noise))[0]
            wanted = some.codes.repeat_interleave(n_candidates, dim=0)
            drawn.append(torch.where(wanted >= 0, wanted, codes))
        table = EncodedTable(torch.cat(drawn), levels.new_zeros(len(evidence) * n_candidates, 0))
        return table, levels.new_zeros(len(evidence), n_candidates)
