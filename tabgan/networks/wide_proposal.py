"""Proposals for columns of very many categories, whichever other columns are known."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from tabgan.networks.contexts import Context, ContextGate
from tabgan.networks.wide import ENTRY_DIM, Entries, WideModel

N_NEGATIVES = 1024
"""Categories, drawn at their rates, that stand for all categories in a step of training."""


class WideProposal(nn.Module):
    """Proposes categories of wide blocks, whichever other blocks of a row are known.

    The probability of a category is a mixture of what occurred in the contexts of the row (see
    `ContextGate`) and of a softmax over all categories. The logits of the softmax are the products
    of a vector of the row and a vector of the category's profile, plus the logarithm of the
    category's rate. In training, categories drawn at their rates stand for all [1]_.

    Parameters
    ----------
    model : WideModel
    n_seen : int
        Entries of a row, with zeros for what is unknown.
    hidden_dim : int

    References
    ----------
    .. [1] Bengio and Senécal (2008), "Adaptive Importance Sampling to Accelerate Training of a
       Neural Probabilistic Language Model", IEEE Transactions on Neural Networks 19(4).
    """

    def __init__(self, model: WideModel, n_seen: int, hidden_dim: int) -> None:
        super().__init__()
        self._model = (model,)
        everyone = range(model.n_wide)
        self.gates = nn.ModuleList(ContextGate(model.contexts, j, False, 1) for j in everyone)
        self.looks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(n_seen, hidden_dim), nn.SiLU(), nn.Linear(hidden_dim, ENTRY_DIM)
            )
            for _ in everyone
        )
        self.outputs = Entries(model)

    @property
    def model(self) -> WideModel:
        """The model of wide blocks, which is no part of this module."""
        return self._model[0]

    def loss(
        self,
        wide: int,
        seen: Tensor,
        shown: Tensor,
        levels: Tensor,
        own: Tensor,
        rng: torch.Generator,
    ) -> Tensor:
        """Return the negative log-probability of one block's categories, estimated, in nats.

        Parameters
        ----------
        wide : int
            Position among the wide blocks.
        seen : Tensor of shape (n, n_seen)
            Rows in which the block is unknown.
        shown : Tensor of shape (n, n_wide)
            The known wide codes.
        levels : Tensor of shape (n,)
            The categories.
        own : Tensor of shape (n, n_numbers)
            See `Profiles.of`.
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n,)
        """
        gate = cast(ContextGate, self.gates[wide])
        shown = shown.clone()
        shown[:, wide] = levels
        figures, usable, log_rates = gate.look_back(shown, True)
        look = self.looks[wide](seen)
        share = torch.rand(N_NEGATIVES, generator=rng, device=rng.device)
        everyone = self.model.contexts.counts(Context("none"), wide)
        others = everyone.draw(torch.zeros_like(share, dtype=torch.long), share)
        fit = (look * self.outputs.one(wide, levels, own)).sum(dim=1)
        of_others = look @ self.outputs.one(wide, others).T
        excess = fit - of_others.logsumexp(dim=1) + np.log(N_NEGATIVES)
        by_look = (log_rates[:, 0] + excess).clamp(max=0.0)
        log_rates = torch.cat([log_rates, by_look[:, None]], dim=1)
        return -(gate.log_weights(figures, usable) + log_rates).logsumexp(dim=1)

    def chance(self, wide: int, seen: Tensor, wide_codes: Tensor) -> Tensor:
        """Compute the probability of every category of one block.

        Parameters
        ----------
        wide : int
            Position among the wide blocks.
        seen : Tensor of shape (n, n_seen)
        wide_codes : Tensor of shape (n, n_wide)
            A negative code is unknown.

        Returns
        -------
        Tensor of shape (n, n_levels)
        """
        gate, model = cast(ContextGate, self.gates[wide]), self.model
        ids, figures, usable = gate.look(wide_codes)
        weights = gate.log_weights(figures, usable).exp()
        everyone = torch.arange(model.layout.n_levels_wide[wide], device=seen.device)
        of_levels = self.outputs.one(wide, everyone)
        n_rows = model.profiles.n_rows(wide)
        raw = self.looks[wide](seen.float()) @ of_levels.T + n_rows.log()
        chance = torch.softmax(raw, dim=1) * weights[:, -1:]
        rates = n_rows / n_rows.sum()
        for c, (context, number) in enumerate(zip(gate.possible, ids, strict=True)):
            if context.kind == "none":
                chance.addcmul_(weights[:, c : c + 1], rates)
            else:
                model.contexts.counts(context, wide).add_shares(number, weights[:, c], chance)
        return chance
