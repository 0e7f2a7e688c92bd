"""A source that rejects rows which boosted trees recognise as synthetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabgan.generation.encoding import Encoding, Rows
from tabgan.generation.judge import RowJudge
from tabgan.generation.source import Source, fill
from tabgan.generation.trees import (
    MAX_DEPTH,
    MAX_TREES,
    N_LEAVES,
    N_SPLITS,
    complete_tree,
    learn_trees,
)
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable
from tabgan.table.evidence import Evidence

MIN_REAL_ROWS, MAX_REAL_ROWS = 200, 50_000
"""Bounds on the real rows that trees learn from.

Trees learn nothing reliable from fewer real rows, and then every row is kept. Of more real rows, a
random choice is used.
"""

POOL_SIZE = 6
"""Synthetic rows that trees learn from, for each real row."""

HELD_OUT = 0.2
"""Share of rows held out, on which a round must show a gain to be kept."""

CAP_RATE = 0.99
"""Quantile of the synthetic rows' log-ratios beyond which every row is kept."""

MAX_DRAWS = 50
"""Most candidates for one row. If all are rejected, the first candidate stays."""

LEAST_POOL = 512
"""Candidates that are drawn at once, for few rows several for each."""

_CHUNK = 512
"""Rows that pass through the trees at once, few enough for a processor's cache."""


class Accepted(Source):
    """Keeps rows of a source with a probability that grows with how real trees find a row.

    A rejected row is drawn anew for the same condition, so that conditions keep their rates. See
    `Acceptance` for the probability.

    Parameters
    ----------
    source : Source
    encoding : Encoding
    judge : RowJudge
        Turns encoded rows into the features that trees split by.
    n_rounds : int >= 0
        Most rounds in which trees learn; with 0 every row is kept.

    Attributes
    ----------
    acceptance : Acceptance
    """

    def __init__(self, source: Source, encoding: Encoding, judge: RowJudge, n_rounds: int) -> None:
        self.source, self.encoding, self.judge = source, encoding, judge
        self.has_proposals = source.has_proposals
        self.acceptance = Acceptance(n_rounds, judge.n_features)
        self.acceptance.to(encoding.layout.offsets.device)

    def draw(self, given: EncodedTable, noise: torch.Generator) -> EncodedTable:
        """Draw one accepted row for each condition, from at most `MAX_DRAWS` candidates each.

        Parameters
        ----------
        given : EncodedTable of n rows
        noise : torch.Generator

        Returns
        -------
        EncodedTable of n rows
        """
        if not self.acceptance.is_active:
            return self.source.draw(given, noise)
        return redrawn(
            self.source,
            given,
            noise,
            lambda rows: self.acceptance.accept(self.judge.features(rows), noise),
        )

    def propose(
        self, evidence: Evidence, given: EncodedTable, n_candidates: int, noise: torch.Generator
    ) -> tuple[EncodedTable, Tensor]:
        """Draw candidates, and multiply their weights by the probability that a row is kept.

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
        made, log_weights = self.source.propose(evidence, given, n_candidates, noise)
        if self.acceptance.is_active:
            each = torch.arange(len(given), device=made.codes.device)
            candidates = Rows(made, given.rows(each.repeat_interleave(n_candidates)))
            kept = self.acceptance.log_chance(self.judge.features(candidates))
            log_weights = log_weights + kept.view(log_weights.shape)
        return made, log_weights

    def log_density(self, rows: Rows) -> Tensor:
        """Add the log-probability that a row is kept to the log-density of the source.

        Parameters
        ----------
        rows : Rows of n rows

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        log_density = self.source.log_density(rows)
        if self.acceptance.is_active:
            log_density = log_density + self.acceptance.log_chance(self.judge.features(rows))
        return log_density

    def learn(self, real: Rows, streams: Streams) -> None:
        """Let the source learn, then let trees learn to tell the source's rows from real rows.

        Levels of real rows that are unknown are drawn first, because trees would tell rows apart by
        their gaps.

        Parameters
        ----------
        real : Rows
        streams : Streams
        """
        self.source.learn(real, streams)
        self.acceptance.clear()
        if not self.acceptance.n_rounds:
            return
        real = fill(self.source, real.some(MAX_REAL_ROWS, streams.rng), streams.noise)
        given = self.encoding.conditions.draw(POOL_SIZE * real.n, streams.rng)
        given = given.to(real.made.codes.device)
        pool = Rows(self.source.draw(given, streams.noise), given)
        self.acceptance.fit(self.judge.features(real), self.judge.features(pool), streams.rng)

    def modules(self) -> dict[str, nn.Module]:
        """Return the acceptance, and the modules of the source."""
        return {**self.source.modules(), "acceptance": self.acceptance}


def redrawn(
    source: Source,
    given: EncodedTable,
    noise: torch.Generator,
    accept: Callable[[Rows], Tensor],
) -> EncodedTable:
    """Draw rows from a source, and draw those that are rejected anew for the same conditions.

    Parameters
    ----------
    source : Source
    given : EncodedTable of n rows
        The conditions.
    noise : torch.Generator
    accept : callable, Rows of m rows -> Tensor of shape (m,), bool
        Says which rows stay.

    Returns
    -------
    EncodedTable of n rows
        If the first `MAX_DRAWS` candidates for a row are rejected, the first of them stays.
    """
    made = source.draw(given, noise)
    waiting = torch.arange(len(given), device=made.codes.device)
    candidates, n_each, n_drawn = Rows(made, given), 1, 1
    while True:
        is_met, first = accept(candidates).view(-1, n_each).max(dim=1)
        taken = (n_each * torch.arange(len(first), device=first.device) + first)[is_met]
        made.codes[waiting[is_met]] = candidates.made.codes[taken]
        made.scalars[waiting[is_met]] = candidates.made.scalars[taken]
        waiting = waiting[~is_met]
        if not len(waiting) or n_drawn == MAX_DRAWS:
            return made
        # The last few rows get several candidates at once, of which the first accepted one
        # counts: a pool of one row takes as long as a pool of a hundred.
        n_each = min(max(1, LEAST_POOL // len(waiting)), MAX_DRAWS - n_drawn)
        n_drawn += n_each
        rejected = given.rows(waiting.repeat_interleave(n_each))
        candidates = Rows(source.draw(rejected, noise), rejected)


class Acceptance(nn.Module):
    """Rejection sampling by an estimated density ratio, for synthetic rows more like real rows.

    Boosted trees learn to tell real rows from synthetic rows, both with equal total weight. The
    logit T(x) of such a discriminator estimates the log-ratio of densities r(x), and a row is kept
    with probability w(x)::

        r(x) = log p_real(x) - log p_synthetic(x)
        w(x) = min(1, exp(r(x) - cap))

    With the exact r, and with the maximum of r as the cap, kept rows have exactly the real density
    ([1]_, section 3). The cap is a high quantile of r over synthetic rows instead, because the
    maximum would reject almost all rows.

    One discriminator leaves differences. The next round therefore learns to tell real rows from
    synthetic rows weighted by w, and the logits add up: ``r = T_1 + T_2 + ...`` (boosted density
    estimation, [2]_).

    A round is kept if, on held-out rows, the round lowers the Kullback-Leibler divergence of real
    rows from kept rows. With weights w before the round and w' after the round, the divergence
    falls by the Donsker-Varadhan bound [3]_ of the function ``log w' - log w``::

        E_real[log w' - log w] - log(E_synthetic[w'] / E_synthetic[w])

    Where the trees find no difference, the estimate of the fall is not positive, the first round is
    dropped, and no row is rejected.

    Parameters
    ----------
    n_rounds : int >= 0
        Most rounds; with 0 every row is kept, at no cost.
    n_features : int
        Number of features of a row.

    References
    ----------
    .. [1] Azadi et al. (2019), "Discriminator Rejection Sampling", arXiv 1810.06758.
    .. [2] Cranko and Nock (2019), "Boosted Density Estimation Remastered", arXiv 1803.08178.
    .. [3] Donsker and Varadhan (1983), "Asymptotic Evaluation of Certain Markov Process
       Expectations for Large Time. IV", Communications on Pure and Applied Mathematics 36(2).

    Examples
    --------
    Real rows lie above 0, synthetic rows on both sides of 0; rows below 0 are then mostly rejected:

    >>> import numpy as np
    >>> import torch
    >>> from tabgan.generation.accepted import Acceptance
    >>> rng = torch.Generator().manual_seed(0)
    >>> synthetic = torch.randn(2000, 1, generator=rng)
    >>> acceptance = Acceptance(n_rounds=1, n_features=1)
    >>> acceptance.fit(synthetic[:1000].abs(), synthetic[1000:], np.random.default_rng(0))
    >>> kept = acceptance.accept(synthetic, rng)
    >>> bool((synthetic[kept] > 0).float().mean() > 0.9)
    True
    """

    may_be_infinite: ClassVar[tuple[str, ...]] = ("threshold",)
    """Buffers that hold infinite numbers: a leaf above the lowest level has no threshold."""

    feature: Tensor
    threshold: Tensor
    value: Tensor
    n_trees: Tensor
    cap: Tensor

    def __init__(self, n_rounds: int, n_features: int) -> None:
        super().__init__()
        self.n_rounds, self.n_features = n_rounds, n_features
        n_trees = n_rounds * MAX_TREES
        for name, empty in (
            ("feature", torch.zeros(n_trees, N_SPLITS, dtype=torch.long)),
            ("threshold", torch.zeros(n_trees, N_SPLITS)),
            ("value", torch.zeros(n_trees, N_LEAVES)),
            ("n_trees", torch.zeros((), dtype=torch.long)),
            ("cap", torch.zeros(())),
        ):
            self.register_buffer(name, empty)

    @property
    def is_active(self) -> bool:
        """Whether any row may be rejected."""
        return bool(self.n_trees)

    def check_loaded(self) -> None:
        """Refuse trees of a file that cannot be followed.

        Raises
        ------
        ValueError
        """
        n_trees = int(self.n_trees)
        if not 0 <= n_trees <= len(self.feature):
            raise ValueError(f"there are {n_trees} trees among {len(self.feature)}")
        feature = self.feature[:n_trees]
        if (feature < 0).any() or (feature >= self.n_features).any():
            raise ValueError("a tree splits by a feature that rows lack")
        if self.threshold.isnan().any():
            raise ValueError("a threshold of a tree is no number")

    def clear(self) -> None:
        """Forget all trees, so that every row is kept."""
        self.n_trees.zero_()
        self.cap.zero_()

    def fit(self, real: Tensor, made: Tensor, rng: np.random.Generator) -> None:
        """Learn to tell synthetic rows from real rows.

        Parameters
        ----------
        real : Tensor of shape (n_real, n_features)
            Features of real rows, neither NaN nor infinite.
        made : Tensor of shape (n_made, n_features)
            Features of synthetic rows, neither NaN nor infinite.
        rng : numpy Generator
            Draws the held-out rows and the trees' seeds.
        """
        self.clear()
        if len(real) < MIN_REAL_ROWS:
            return
        splits = [_split(len(rows), rng) for rows in (real, made)]
        (seen_real, held_real), (seen_made, held_made) = (
            (rows[torch.from_numpy(seen)], rows[torch.from_numpy(held)])
            for rows, (seen, held) in zip((real, made), splits, strict=True)
        )
        # Each round's logits are added to the log-ratios of three sets of rows: the synthetic rows
        # that trees learn from, whose weights follow from the ratios, and both held-out sets.
        judged = (seen_made, held_real, held_made)
        ratios = [rows.new_zeros(len(rows)) for rows in judged]
        weights = [self._log_weight(ratio) for ratio in ratios]
        known_real, known_made = _array(seen_real), _array(seen_made)
        for _ in range(self.n_rounds):
            n_trees, cap = int(self.n_trees), self.cap.clone()
            weight, seed = _array(weights[0].exp()), int(rng.integers(2**31))
            self._append(learn_trees(known_real, known_made, weight, seed))
            for ratio, rows in zip(ratios, judged, strict=True):
                ratio += self.log_ratio(rows, since=n_trees)
            self.cap = ratios[0].quantile(CAP_RATE)
            before, weights = weights, [self._log_weight(ratio) for ratio in ratios]
            # A round without a gain on held-out rows is taken back, and is the last.
            if fall(before[1:], weights[1:]) <= 0:
                self.n_trees.fill_(n_trees)
                self.cap.copy_(cap)
                break

    def _append(self, trees: list[NDArray[Any]]) -> None:
        """Append trees to the buffers, each laid out as a complete tree."""
        start = int(self.n_trees)
        for i, nodes in enumerate(trees, start):
            feature, threshold, value = complete_tree(nodes)
            self.feature[i] = torch.from_numpy(feature)
            self.threshold[i] = torch.from_numpy(threshold)
            self.value[i] = torch.from_numpy(value)
        self.n_trees.add_(len(trees))

    def _log_weight(self, ratio: Tensor) -> Tensor:
        """Return the logarithm of the probability that a row of this log-ratio is kept."""
        return (ratio - self.cap).clamp(max=0.0)

    @torch.no_grad()
    def log_ratio(self, rows: Tensor, since: int = 0) -> Tensor:
        """Estimate the logarithm of real density over synthetic density, up to a constant.

        All trees are complete and of one depth, so that a row moves through all trees by one gather
        and one comparison for each level of depth, without a loop over trees.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features)
        since : int, default=0
            Number of the first tree that counts.

        Returns
        -------
        Tensor of shape (n,), in nats
        """
        own = slice(since, int(self.n_trees))
        feature, threshold, value = self.feature[own], self.threshold[own], self.value[own]
        n_trees = len(feature)
        if not n_trees:
            return rows.new_zeros(len(rows))
        levels = [slice(2**depth - 1, 2 ** (depth + 1) - 1) for depth in range(MAX_DEPTH)]
        splits = [(feature[:, level], threshold[:, level]) for level in levels]
        parts = []
        for part in rows.split(_CHUNK):
            columns = part.T.contiguous()
            node = torch.zeros(n_trees, len(part), dtype=torch.long, device=rows.device)
            for features, thresholds in splits:
                seen = columns.gather(0, features.gather(1, node))
                node = 2 * node + (seen > thresholds.gather(1, node))
            parts.append(value.gather(1, node).sum(dim=0))
        return torch.cat(parts)

    def accept(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        """Draw which rows to keep.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features)
        rng : torch.Generator

        Returns
        -------
        Tensor of shape (n,), bool
            True for rows to keep.
        """
        chance = self.log_chance(rows).exp()
        return torch.rand(len(rows), generator=rng, device=rows.device) < chance

    def log_chance(self, rows: Tensor) -> Tensor:
        """Compute the logarithm of the probability that each row is kept.

        Parameters
        ----------
        rows : Tensor of shape (n, n_features)

        Returns
        -------
        Tensor of shape (n,), at most 0
        """
        return self._log_weight(self.log_ratio(rows))


def _split(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split 0 to n - 1 at random into the rows to learn from and the held-out rows."""
    order = rng.permutation(n)
    n_held = int(np.ceil(HELD_OUT * n))
    return order[n_held:], order[:n_held]


def _array(rows: Tensor) -> NDArray[np.float64]:
    """Copy a tensor to a float64 array on the CPU."""
    return rows.cpu().numpy().astype(np.float64)


def fall(before: list[Tensor], after: list[Tensor]) -> float:
    """Estimate how far new weights lower the divergence, by the formula of `Acceptance`.

    Parameters
    ----------
    before, after : list of two Tensor
        Log-weights of held-out real rows, shape (n_real,), and of held-out synthetic rows,
        (n_made,), before and after.

    Returns
    -------
    float
        In nats; positive if the new weights help.
    """
    of_real = (after[0] - before[0]).double().mean()
    kept_before, kept_after = (made.double().exp().mean() for _, made in (before, after))
    return float(of_real - (kept_after / kept_before).log())
