"""Networks for columns of very many categories, none of which has weights of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.counts import Counts
from tabgan.networks.profiles import Profiles
from tabgan.table.layout import Layout

ENTRY_DIM = 64
"""Entries of the vector by which networks see a category."""

GATE_DIM = 32
"""Hidden units of the network that weighs contexts."""

CONTEXT_FIGURES = 4
"""Figures of a context that the weights depend on."""

MOST_COMBINATIONS = 2_000_000
"""Most rows whose combinations of categories are counted; of more rows, a random choice is."""

N_DIRECTIONS = 32
"""Random directions of the profiles by which categories are clustered."""

MOST_GATE_ROWS, GATE_BATCH, GATE_STEPS = 30_000, 2_000, 200
"""Rows from which the weights of contexts are learnt, rows of a batch, and steps."""

LEAST_RATE = 1e-12
"""Least rate of a category in a context, of which the logarithm is taken."""

N_NEGATIVES = 1024
"""Categories, drawn at their rates, that stand for all categories in a step of training."""


class Context(NamedTuple):
    """What a category of one wide block may depend on: other wide blocks.

    Attributes
    ----------
    kind : {"none", "level", "cluster", "prefix"}
        Nothing, the category of the block `source`, the cluster of that category, or the categories
        of all blocks before the block that is predicted.
    source : int
        Position among the wide blocks.
    """

    kind: str
    source: int = -1


class WideModel(nn.Module):
    """A model of the wide blocks of a row, each given those before it.

    A category is drawn from a mixture of what occurred in the contexts of the row, see
    `ContextGate`. No softmax over all categories is computed, and no category has weights of its
    own. The model is learnt before any other network is trained, in seconds. All other blocks
    follow, given the profiles of the categories.

    Parameters
    ----------
    layout : Layout
    masses, level_ranks : sequence of ndarray
        See `Profiles`.

    Attributes
    ----------
    profiles : Profiles
    n_wide : int
        Number of wide blocks.
    """

    combinations: Tensor
    numbers: Tensor

    def __init__(
        self,
        layout: Layout,
        masses: Sequence[NDArray[np.float64]],
        level_ranks: Sequence[NDArray[np.float64]],
    ) -> None:
        super().__init__()
        self.layout = layout
        self.n_wide = len(layout.n_levels_wide)
        self.profiles = Profiles(layout, masses, level_ranks)
        self.register_buffer("combinations", torch.zeros(0, self.n_wide, dtype=torch.int32))
        self.register_buffer("numbers", torch.zeros(0, dtype=torch.int32))
        for wide, k in enumerate(layout.n_levels_wide):
            self.register_buffer(f"cluster_{wide}", torch.zeros(k, dtype=torch.int32))
        self._counts: dict[tuple[Context, int], Counts] = {}
        self._prefixes: list[Tensor] = []
        self.gates = nn.ModuleList(ContextGate(self, j, True) for j in range(self.n_wide))
        self.requires_grad_(False)
        self.register_load_state_dict_pre_hook(WideModel._make_room)
        self.register_load_state_dict_post_hook(lambda model, _: model.index())

    def _make_room(self, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
        """Size the combinations as those of a file are, before the file's are copied."""
        for name in ("combinations", "numbers"):
            if prefix + name in state:
                own = self.get_buffer(name)
                setattr(self, name, own.new_empty(state[prefix + name].shape))

    def __deepcopy__(self, memo: dict[int, Any]) -> WideModel:
        """Return the same object: a copy of a game counts nothing anew."""
        return self

    @property
    def width(self) -> int:
        """Entries by which networks see the categories of a row."""
        return ENTRY_DIM * self.n_wide

    def learn(self, codes: Tensor, rng: np.random.Generator) -> None:
        """Count training rows.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
        rng : numpy Generator
            Draws the directions and the starts of clustering.
        """
        self.profiles.add(codes)
        if len(codes) > MOST_COMBINATIONS:
            chosen = torch.from_numpy(rng.choice(len(codes), MOST_COMBINATIONS, replace=False))
            codes = codes[chosen]
        wide = self.layout.wide_codes(codes).to(torch.int32)
        rows = torch.cat([self.combinations.repeat_interleave(self.numbers.long(), 0), wide])
        self.combinations, numbers = torch.unique(rows, dim=0, return_counts=True)
        self.numbers = numbers.to(torch.int32)
        for block in range(self.n_wide):
            self.get_buffer(f"cluster_{block}").copy_(self._clusters(block, rng))
        self.index()
        chosen = torch.from_numpy(rng.permutation(len(codes))[:MOST_GATE_ROWS])
        for gate in self.gates:
            gate.learn(self.layout.wide_codes(codes[chosen]), rng)

    def log_likelihood(self, codes: Tensor, own: bool) -> Tensor:
        """Return the log-probability of the wide blocks of rows, shape (n,), in nats.

        Parameters
        ----------
        codes : Tensor of shape (n, n_blocks)
            A negative code is unknown and adds nothing.
        own : bool
            Whether the rows were counted, and are left out of the counts.
        """
        wide_codes = self.layout.wide_codes(codes)
        total = torch.zeros(len(codes), device=codes.device)
        for gate in self.gates:
            total = total + gate.log_likelihood(wide_codes, own)
        return total

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw the wide blocks of rows.

        Parameters
        ----------
        n : int
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n, n_wide), int64
        """
        device = rng.device
        codes = torch.full((n, self.n_wide), -1, dtype=torch.long, device=device)
        for gate in self.gates:
            ids, figures, usable = gate.look(codes, False)
            weights = gate.log_weights(figures, usable).exp().cumsum(dim=1)
            u = torch.rand(n, 1, generator=rng, device=device) * weights[:, -1:]
            chosen = (weights <= u).sum(dim=1).clamp(max=weights.shape[1] - 1)
            # One number from each of n equal strata, in random order, keeps rates of categories
            # near to those of training.
            order = torch.randperm(n, generator=rng, device=device)
            share = (order + torch.rand(n, generator=rng, device=device)) / n
            for c, (context, number) in enumerate(zip(gate.possible, ids, strict=True)):
                rows = (chosen == c).nonzero().squeeze(1)
                if len(rows):
                    counts = self.counts(context, gate.wide)
                    codes[rows, gate.wide] = counts.draw(number[rows], share[rows])
        return codes

    def _clusters(self, wide: int, rng: np.random.Generator) -> Tensor:
        """Cluster the categories of a block by their profiles, about as many as the square root."""
        k = self.layout.n_levels_wide[wide]
        everyone = torch.arange(k, device=self.numbers.device)
        profiles = self.profiles.of(wide, everyone)[:, : self.profiles.n_numbers].cpu().numpy()
        directions = rng.standard_normal((profiles.shape[1], N_DIRECTIONS))
        points = np.round(profiles @ (directions / max(1, profiles.shape[1]) ** 0.5), 3)
        n_clusters = min(max(2, round(k**0.5)), len(np.unique(points, axis=0)))
        means = MiniBatchKMeans(
            n_clusters, n_init=1, max_iter=20, batch_size=4096, random_state=int(rng.integers(2**31))
        )
        return torch.from_numpy(means.fit_predict(points).astype(np.int32))

    def index(self) -> None:
        """Sort the counts, after `learn` or after a file was read."""
        codes, numbers = self.combinations.long(), self.numbers
        self._prefixes, self._counts = [], {}
        prefix = codes[:, 0]
        for wide in range(1, self.n_wide):
            keys = prefix * self.layout.n_levels_wide[wide] + codes[:, wide]
            keys = keys[(prefix >= 0) & (codes[:, wide] >= 0)]
            self._prefixes.append(torch.unique(keys))
            prefix = self._extended(prefix, wide, codes[:, wide])
        numbered = {
            context: self.contexts(context, codes)
            for context in (c for wide in range(self.n_wide) for c in self.possible(wide, True))
        }
        for wide in range(self.n_wide):
            for context in {*self.possible(wide, True), *self.possible(wide, False)}:
                ids = numbered.get(context)
                if ids is None:
                    ids = self.contexts(context, codes)
                n_contexts = int(ids.max()) + 1 if len(ids) else 1
                k = self.layout.n_levels_wide[wide]
                self._counts[context, wide] = Counts(
                    ids, codes[:, wide], numbers, max(1, n_contexts), k
                )

    def possible(self, wide: int, in_order: bool) -> list[Context]:
        """List what a block's category may depend on.

        Parameters
        ----------
        wide : int
            Position among the wide blocks.
        in_order : bool
            Whether only the blocks before are known; otherwise any other block may be.

        Returns
        -------
        list of Context
        """
        sources = [i for i in range(wide if in_order else self.n_wide) if i != wide]
        contexts = [Context("none")]
        contexts += [Context(kind, i) for i in sources for kind in ("cluster", "level")]
        if in_order and wide >= 2:
            contexts.append(Context("prefix", wide))
        return contexts

    def contexts(self, context: Context, wide_codes: Tensor) -> Tensor:
        """Number the contexts of rows.

        Parameters
        ----------
        context : Context
        wide_codes : Tensor of shape (n, n_wide), int64

        Returns
        -------
        Tensor of shape (n,), int64
            -1 where the context is unknown or did not occur.
        """
        if context.kind == "none":
            return torch.zeros_like(wide_codes[:, 0])
        if context.kind == "prefix":
            prefix = wide_codes[:, 0]
            for wide in range(1, context.source):
                prefix = self._extended(prefix, wide, wide_codes[:, wide])
            return prefix
        levels = wide_codes[:, context.source]
        if context.kind == "level":
            return levels
        clusters = self.get_buffer(f"cluster_{context.source}")
        return torch.where(levels >= 0, clusters[levels.clamp(min=0)].long(), -1)

    def _extended(self, prefix: Tensor, wide: int, levels: Tensor) -> Tensor:
        """Number prefixes that are one block longer, -1 for those that did not occur."""
        known = self._prefixes[wide - 1]
        if not len(known):
            return torch.full_like(prefix, -1)
        keys = prefix * self.layout.n_levels_wide[wide] + levels
        place = torch.searchsorted(known, keys).clamp(max=len(known) - 1)
        return torch.where((prefix >= 0) & (levels >= 0) & (known[place] == keys), place, -1)

    def counts(self, context: Context, wide: int) -> Counts:
        """Return the counts of a block's categories in the contexts of one kind."""
        return self._counts[context, wide]


class ContextGate(nn.Module):
    """Weighs contexts: the probability of a category is a weighted mean of its rates in contexts.

    The weights depend on how many rows and how many categories each context has seen, as in
    interpolated language models [1]_, and are learnt with each training row left out of the counts.

    Parameters
    ----------
    model : WideModel
    wide : int
        Position of the block that is predicted among the wide blocks.
    in_order : bool
        See `WideModel.possible`.
    n_further : int, default=0
        Further distributions that take part, beside the contexts.

    References
    ----------
    .. [1] Jelinek and Mercer (1980), "Interpolated Estimation of Markov Source Parameters from
       Sparse Data", Pattern Recognition in Practice.
    """

    def __init__(
        self,
        model: WideModel,
        wide: int,
        in_order: bool,
        n_further: int = 0,
    ) -> None:
        super().__init__()
        self._model = (model,)
        self.wide = wide
        self.possible = model.possible(wide, in_order)
        n = len(self.possible)
        self.inward = nn.Linear(CONTEXT_FIGURES * n, GATE_DIM)
        self.outward = nn.Linear(GATE_DIM, n + n_further)

    @property
    def model(self) -> WideModel:
        """The counts, which no copy of the network copies."""
        return self._model[0]

    def look(
        self, wide_codes: Tensor, own: bool
    ) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """Look up the contexts of rows.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
            The block's own category matters only if `own`.
        own : bool
            Whether the rows were counted, and are left out of the counts.

        Returns
        -------
        ids : list of Tensor of shape (n,)
            For each context, its number.
        figures : Tensor of shape (n, CONTEXT_FIGURES * n_contexts)
        usable : Tensor of shape (n, n_contexts), bool
            Whether the context has rows.
        """
        model, ids, figures, usable = self.model, [], [], []
        levels = wide_codes[:, self.wide]
        for context in self.possible:
            number = model.contexts(context, wide_codes)
            counts = model.counts(context, self.wide)
            rows, distinct = counts.totals(number)
            if own:
                same = counts.of(number, levels)
                rows = rows - (same >= 1).float()
                distinct = distinct - (same == 1).float()
            ids.append(number)
            usable.append(rows >= 1)
            share = distinct / rows.clamp(min=1.0)
            figures += [rows.log1p() / 5, distinct.log1p() / 5, share, (rows >= 1).float()]
        return ids, torch.stack(figures, dim=1), torch.stack(usable, dim=1)

    def learn(self, wide_codes: Tensor, rng: np.random.Generator) -> None:
        """Learn the weights from rows that were counted, each left out of the counts.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        rng : numpy Generator
            Draws the batches.
        """
        known = wide_codes[wide_codes[:, self.wide] >= 0]
        if not len(known):
            return
        self.requires_grad_(True)
        ids, figures, usable = self.look(known, True)
        rates = self.rates(ids, known[:, self.wide], True).clamp(min=LEAST_RATE).log()
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        for _ in range(GATE_STEPS):
            rows = torch.from_numpy(rng.integers(0, len(known), min(len(known), GATE_BATCH)))
            log_weights = self.log_weights(figures[rows], usable[rows])
            loss = -(log_weights + rates[rows]).logsumexp(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.requires_grad_(False)

    def log_likelihood(self, wide_codes: Tensor, own: bool) -> Tensor:
        """Return the log-probability of the block's categories, shape (n,); 0 if unknown."""
        levels = wide_codes[:, self.wide]
        ids, figures, usable = self.look(wide_codes, own)
        rates = self.rates(ids, levels, own).clamp(min=LEAST_RATE).log()
        log_p = (self.log_weights(figures, usable) + rates).logsumexp(dim=1)
        return log_p * (levels >= 0)

    def log_weights(self, figures: Tensor, usable: Tensor) -> Tensor:
        """Compute the logarithm of each distribution's weight.

        Parameters
        ----------
        figures, usable : Tensor
            What `look` returned.

        Returns
        -------
        Tensor of shape (n, n_contexts + n_further)
        """
        raw = self.outward(F.silu(self.inward(figures)))
        n_further = raw.shape[1] - usable.shape[1]
        possible = F.pad(usable, (0, n_further), value=True)
        return torch.log_softmax(raw.masked_fill(~possible, -torch.inf), dim=1)

    def rates(self, ids: list[Tensor], levels: Tensor, own: bool) -> Tensor:
        """Compute the rate of a category in each context.

        Parameters
        ----------
        ids : list of Tensor of shape (n,)
        levels : Tensor of shape (n,)
        own : bool

        Returns
        -------
        Tensor of shape (n, n_contexts)
            With `own`, each row is left out of the counts. A category of this row alone then has
            the rate of such categories among all categories, in the context without a condition.
        """
        model, rates = self.model, []
        for context, number in zip(self.possible, ids, strict=True):
            counts = model.counts(context, self.wide)
            rows, _ = counts.totals(number)
            same = counts.of(number, levels)
            if own:
                rows, same = rows - 1, same - 1
                if context.kind == "none":
                    k = counts.n_levels
                    single = (counts.running.diff() == 1).sum().clamp(min=1) / k
                    rows, same = rows + single * k, same + single
            rates.append(same.clamp(min=0.0) / rows.clamp(min=1.0))
        return torch.stack(rates, dim=1)


class Entries(nn.Module):
    """Turns the profile of each known category into the vector by which networks see it.

    Parameters
    ----------
    model : WideModel
    """

    def __init__(self, model: WideModel) -> None:
        super().__init__()
        self._model = (model,)
        n_numbers = model.profiles.n_numbers + 2
        self.linear = nn.ModuleList(
            nn.Linear(n_numbers, ENTRY_DIM, bias=False) for _ in range(model.n_wide)
        )

    @property
    def width(self) -> int:
        """Entries of a row."""
        return self.model.width

    @property
    def model(self) -> WideModel:
        """The counts, which no copy of the network copies."""
        return self._model[0]

    def one(self, wide: int, levels: Tensor, own: Tensor | None = None) -> Tensor:
        """Return the entries of categories of one block, shape (n,) to (n, ENTRY_DIM)."""
        return self.linear[wide](self.model.profiles.of(wide, levels, own))

    def forward(self, wide_codes: Tensor, own: Tensor | None = None) -> Tensor:
        """Return the entries of rows, zero for unknown categories.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        own : Tensor of shape (n, n_numbers), optional
            See `Profiles.of`.

        Returns
        -------
        Tensor of shape (n, width)
        """
        parts = [self.one(j, levels, own) for j, levels in enumerate(wide_codes.T)]
        return torch.cat(parts, dim=1) if parts else wide_codes.float()


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
        self.gates = nn.ModuleList(ContextGate(model, j, False, 1) for j in everyone)
        self.looks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(n_seen, hidden_dim), nn.SiLU(), nn.Linear(hidden_dim, ENTRY_DIM)
            )
            for _ in everyone
        )
        self.outputs = Entries(model)

    @property
    def model(self) -> WideModel:
        """The counts, which no copy of the network copies."""
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
        gate = self.gates[wide]
        shown = shown.clone()
        shown[:, wide] = levels
        ids, figures, usable = gate.look(shown, True)
        rates = gate.rates(ids, levels, True)
        look = self.looks[wide](seen)
        share = torch.rand(N_NEGATIVES, generator=rng, device=rng.device)
        everyone = self.model.counts(Context("none"), wide)
        others = everyone.draw(torch.zeros_like(share, dtype=torch.long), share)
        fit = (look * self.outputs.one(wide, levels, own)).sum(dim=1)
        of_others = look @ self.outputs.one(wide, others).T
        excess = fit - of_others.logsumexp(dim=1) + np.log(N_NEGATIVES)
        log_rates = rates.clamp(min=LEAST_RATE).log()
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
        gate, model = self.gates[wide], self.model
        ids, figures, usable = gate.look(wide_codes, False)
        weights = gate.log_weights(figures, usable).exp()
        everyone = torch.arange(model.layout.n_levels_wide[wide], device=seen.device)
        of_levels = self.outputs.one(wide, everyone)
        n_rows = model.profiles.n_rows(wide)
        raw = self.looks[wide](seen.float()) @ of_levels.T + n_rows.log()
        chance = torch.softmax(raw, dim=1) * weights[:, -1:]
        for c, (context, number) in enumerate(zip(gate.possible, ids, strict=True)):
            model.counts(context, wide).add_shares(number, weights[:, c], chance)
        return chance
