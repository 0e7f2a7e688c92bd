"""Contexts: which categories of wide blocks went together, and how much each context counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.networks.counts import Counts

GATE_DIM = 32
"""Hidden units of the network that weighs contexts."""

CONTEXT_FIGURES = 4
"""Figures of a context that the weights depend on."""

MOST_GATE_ROWS, GATE_BATCH, GATE_STEPS = 30_000, 2_000, 200
"""Rows from which the weights of contexts are learnt, rows of a batch, and steps."""

LEAST_RATE = 1e-12
"""Least rate of a category in a context, of which the logarithm is taken."""


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


class WideContexts(nn.Module):
    """Which categories of wide blocks occurred together in training rows.

    Parameters
    ----------
    n_levels : sequence of int
        Levels of each wide block.

    Attributes
    ----------
    n_wide : int
        Number of wide blocks.
    """

    sized_by_data: ClassVar[tuple[str, ...]] = ("combinations", "numbers")
    """Buffers of which the training rows decide the first size."""

    combinations: Tensor
    numbers: Tensor

    def __init__(self, n_levels: Sequence[int]) -> None:
        super().__init__()
        self.n_levels, self.n_wide = tuple(n_levels), len(n_levels)
        self.register_buffer("combinations", torch.zeros(0, self.n_wide, dtype=torch.int32))
        self.register_buffer("numbers", torch.zeros(0, dtype=torch.int32))
        for wide, k in enumerate(n_levels):
            self.register_buffer(f"cluster_{wide}", torch.zeros(k, dtype=torch.int32))
        self._counts: dict[tuple[Context, int], Counts] = {}
        self._prefixes: list[Tensor] = []
        self.register_load_state_dict_pre_hook(WideContexts._make_room)
        self.register_load_state_dict_post_hook(WideContexts._after_loading)

    def _make_room(self, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
        """Size the combinations as those of a file are, before the file's are copied."""
        for name in ("combinations", "numbers"):
            if prefix + name in state:
                own = self.get_buffer(name)
                setattr(self, name, own.new_empty(state[prefix + name].shape))

    def _after_loading(self, _: Any) -> None:
        """Sort the counts that a file had, if they can be.

        Raises
        ------
        ValueError
        """
        most = torch.tensor(self.n_levels, device=self.combinations.device)
        clusters = [self.get_buffer(f"cluster_{wide}") for wide in range(self.n_wide)]
        is_sound = (
            len(self.combinations) == len(self.numbers)
            and (self.combinations >= -1).all()
            and (self.combinations < most).all()
            and (self.numbers > 0).all()
            and all(
                ((c >= 0) & (c < k)).all() for c, k in zip(clusters, self.n_levels, strict=True)
            )
        )
        if not is_sound:
            raise ValueError("the counts of rare categories are those of no table")
        self._index()

    def learn(self, wide_codes: Tensor, clusters: Sequence[Tensor]) -> None:
        """Count training rows, in addition to those that were counted before.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        clusters : sequence of Tensor
            For each block, the cluster of each category.
        """
        rows = torch.cat([self.combinations, wide_codes.to(torch.int32)])
        of_row = torch.cat([self.numbers, self.numbers.new_ones(len(wide_codes))])
        self.combinations, place = torch.unique(rows, dim=0, return_inverse=True)
        numbers = self.numbers.new_zeros(len(self.combinations))
        self.numbers = numbers.index_add_(0, place, of_row)
        for wide, of_block in enumerate(clusters):
            self.get_buffer(f"cluster_{wide}").copy_(of_block)
        self._index()

    def _index(self) -> None:
        """Sort the combinations into counts for each context and block."""
        codes, numbers = self.combinations.long(), self.numbers
        self._prefixes, self._counts = [], {}
        prefix = codes[:, 0]
        for wide in range(1, self.n_wide):
            keys = prefix * self.n_levels[wide] + codes[:, wide]
            self._prefixes.append(torch.unique(keys[(prefix >= 0) & (codes[:, wide] >= 0)]))
            prefix = self._extended(prefix, wide, codes[:, wide])
        for wide, k in enumerate(self.n_levels):
            for context in {*self.possible(wide, True), *self.possible(wide, False)}:
                ids, n_contexts = self.ids(context, codes), self._number(context)
                self._counts[context, wide] = Counts(ids, codes[:, wide], numbers, n_contexts, k)

    def _number(self, context: Context) -> int:
        """Return how many contexts of one kind there may be, those that did not occur too."""
        if context.kind == "none":
            return 1
        if context.kind == "prefix":
            return max(1, len(self._prefixes[context.source - 2]))
        # A category may lack in the combinations, and clusters are fewer than categories.
        return self.n_levels[context.source]

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

    def ids(self, context: Context, wide_codes: Tensor) -> Tensor:
        """Return the numbers of the contexts of rows.

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
        """Return the numbers of prefixes one block longer, -1 for those that did not occur."""
        known = self._prefixes[wide - 1]
        if not len(known):
            return torch.full_like(prefix, -1)
        keys = prefix * self.n_levels[wide] + levels
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
    contexts : WideContexts
    wide : int
        Position of the block that is predicted among the wide blocks.
    in_order : bool
        See `WideContexts.possible`.
    n_further : int, default=0
        Further distributions that take part, beside the contexts.

    References
    ----------
    .. [1] Jelinek and Mercer (1980), "Interpolated Estimation of Markov Source Parameters from
       Sparse Data", Pattern Recognition in Practice.
    """

    def __init__(
        self,
        contexts: WideContexts,
        wide: int,
        in_order: bool,
        n_further: int = 0,
    ) -> None:
        super().__init__()
        self._contexts = (contexts,)
        self.wide = wide
        self.possible = contexts.possible(wide, in_order)
        n = len(self.possible)
        self.inward = nn.Linear(CONTEXT_FIGURES * n, GATE_DIM)
        self.outward = nn.Linear(GATE_DIM, n + n_further)

    @property
    def contexts(self) -> WideContexts:
        """The counts, which are no part of this module."""
        return self._contexts[0]

    def look(self, wide_codes: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """Look up the contexts of rows whose category of the block is to be drawn.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
            The block's own category does not matter.

        Returns
        -------
        ids : list of Tensor of shape (n,)
            For each context, its number.
        figures : Tensor of shape (n, CONTEXT_FIGURES * n_contexts)
        usable : Tensor of shape (n, n_contexts), bool
            Whether the context has rows.
        """
        contexts = self.contexts
        ids = [contexts.ids(context, wide_codes) for context in self.possible]
        seen = [
            contexts.counts(context, self.wide).totals(number)
            for context, number in zip(self.possible, ids, strict=True)
        ]
        return ids, *_figures(seen)

    def look_back(self, wide_codes: Tensor, own: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Look up the contexts of rows whose category of the block is known, and its rates there.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        own : bool
            Whether the rows were counted, and are left out of the counts. A category of one such
            row alone has the rate of such categories among all categories, in the context without a
            condition.

        Returns
        -------
        figures : Tensor of shape (n, CONTEXT_FIGURES * n_contexts)
        usable : Tensor of shape (n, n_contexts), bool
            Whether the context has rows.
        log_rates : Tensor of shape (n, n_contexts)
        """
        contexts, levels, seen, rates = self.contexts, wide_codes[:, self.wide], [], []
        for context in self.possible:
            number = contexts.ids(context, wide_codes)
            counts = contexts.counts(context, self.wide)
            rows, distinct = counts.totals(number)
            same = counts.of(number, levels)
            if own:
                is_counted, is_single = (same >= 1).float(), (same == 1).float()
                rows, distinct, same = rows - is_counted, distinct - is_single, same - is_counted
            seen.append((rows, distinct))
            if own and context.kind == "none":
                rows, same = rows + counts.n_single, same + counts.n_single / counts.n_levels
            rates.append(same / rows.clamp(min=1.0))
        log_rates = torch.stack(rates, dim=1).clamp(min=LEAST_RATE).log()
        return *_figures(seen), log_rates

    def learn(self, wide_codes: Tensor, rng: np.random.Generator) -> None:
        """Learn the weights from rows that were counted, each left out of the counts.

        Parameters
        ----------
        wide_codes : Tensor of shape (n, n_wide)
        rng : numpy Generator
            Draws the rows and the batches.
        """
        chosen = torch.from_numpy(rng.permutation(len(wide_codes))[:MOST_GATE_ROWS])
        known = wide_codes[chosen.to(wide_codes.device)].long()
        known = known[known[:, self.wide] >= 0]
        if not len(known):
            return
        self.requires_grad_(True)
        figures, usable, log_rates = self.look_back(known, True)
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        for _ in range(GATE_STEPS):
            rows = torch.from_numpy(rng.integers(0, len(known), min(len(known), GATE_BATCH)))
            log_weights = self.log_weights(figures[rows], usable[rows])
            loss = -(log_weights + log_rates[rows]).logsumexp(dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        self.requires_grad_(False)

    def log_likelihood(self, wide_codes: Tensor, own: bool) -> Tensor:
        """Return the log-probability of the block's categories, shape (n,); 0 if unknown."""
        figures, usable, log_rates = self.look_back(wide_codes, own)
        log_p = (self.log_weights(figures, usable) + log_rates).logsumexp(dim=1)
        return log_p * (wide_codes[:, self.wide] >= 0)

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


def _figures(seen: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Lay out what contexts have seen for `ContextGate.log_weights`.

    Parameters
    ----------
    seen : sequence of two Tensor of shape (n,)
        For each context, its rows and its distinct categories.

    Returns
    -------
    figures : Tensor of shape (n, CONTEXT_FIGURES * n_contexts)
    usable : Tensor of shape (n, n_contexts), bool
    """
    figures, usable = [], []
    for rows, distinct in seen:
        usable.append(rows >= 1)
        share = distinct / rows.clamp(min=1.0)
        figures += [rows.log1p() / 5, distinct.log1p() / 5, share, (rows >= 1).float()]
    return torch.stack(figures, dim=1), torch.stack(usable, dim=1)
