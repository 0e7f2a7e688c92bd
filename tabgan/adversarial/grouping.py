"""Groups of rows that are found without labels: a loss on what a network infers of real rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tabgan.adversarial.corruption import swap_columns
from tabgan.adversarial.game import Batch
from tabgan.adversarial.training import TrainingSet
from tabgan.adversarial.updates import adam
from tabgan.networks.grouped import drop_units
from tabgan.randomness import Streams, seeded_weights
from tabgan.table.layout import Layout

BALANCE = 4.0
"""Weight of the entropy of the mean posterior, relative to the other terms ([1]_, section 4.2)."""

N_NEIGHBOURS = 3
"""Nearest rows of a batch, of which one must have the group of the row."""

SWAPPED = 0.3
"""Share of the columns that are swapped with other rows' in a copy of a row."""

SHARPENED = 0.5
"""Temperature of the inferred groups that the groups of copies are compared with."""


N_STEPS, BATCH_SIZE, LEARNING_RATE, DROPPED = 300, 256, 3e-3, 0.2
"""Training of a `Grouper`: steps, rows of a batch, first rate, share of units that are dropped."""

N_JUDGED = 32
"""Batches over which the loss of a trained `Grouper` is averaged, the same for every start."""


def grouping_loss(
    infer: Callable[[Tensor], Tensor],
    see: Callable[[Tensor], Tensor],
    batch: Batch,
    layout: Layout,
    code_layout: Layout,
) -> Tensor:
    """Compute how far inferred groups of real rows are from a good division of the rows.

    A division is good if each row has a certain group, if all groups are equally frequent, and if
    rows that are alike share a group. The loss is the sum of four terms for each categorical code,
    where p is the posterior of a row::

        mean of H(p)  -  4 H(mean of p)                        certain, and balanced [1]_
        mean of the cross-entropy of a copy's p from the row's     copies agree [1]_
        mean of -log <p, p'>                                 neighbours agree [2]_

    A copy of a row has three columns in ten from other rows of the batch. The posterior of the row
    is made sharper for the comparison, and gets no gradient from it. The neighbour is one of the
    three nearest rows of the batch.

    Parameters
    ----------
    infer : callable, Tensor of shape (n, width) -> Tensor of shape (n, code width)
        Infers raw posteriors of the codes of encoded rows. Scalar codes do not count.
    see : callable, Tensor of shape (n, width) -> Tensor of shape (n, d)
        Turns encoded rows into points, whose distances say how alike rows are.
    batch : Batch of n real rows
    layout, code_layout : Layout
        Layouts of the rows and of the codes.

    Returns
    -------
    Tensor, scalar
        In nats. It has no lower bound of 0: with K groups it is at least ``-4 log K``.

    References
    ----------
    .. [1] Hu et al. (2017), "Learning Discrete Representations via Information Maximizing Self-
       Augmented Training", arXiv 1702.08720, equations 2 and 7.
    .. [2] Van Gansbeke et al. (2020), "SCAN: Learning to Classify Images without Labels",
       arXiv 2005.12320, equation 2.
    """
    # NOTE[DIFF] [1]_ perturbs rows in the direction that changes the posterior most, which takes
    # two more passes. [2]_ looks for neighbours among all rows once, in features learnt before.
    n = len(batch.row)
    raw = infer(batch.row)
    posterior = code_layout.activate(raw)
    p = posterior[:, code_layout.n_scalars :]
    log_p = code_layout.log_probabilities(raw).nan_to_num(neginf=0.0)
    mean = p.mean(dim=0)
    loss = BALANCE * (mean * mean.clamp(min=1e-9).log()).sum() - (p * log_p).sum(dim=1).mean()
    copy, _ = swap_columns(batch.table, layout, SWAPPED, batch.rng)
    of_copy = code_layout.log_probabilities(infer(layout.expand(*copy))).nan_to_num(neginf=0.0)
    sharp = code_layout.activate(raw.detach(), temperature=SHARPENED)[:, code_layout.n_scalars :]
    loss = loss - (sharp * of_copy).sum(dim=1).mean()
    if n < 2:
        return loss
    other = neighbours(see(batch.row), batch.rng)
    both = code_layout.split(posterior * posterior[other], 1)
    shared = torch.cat([part.sum(dim=2) for part in both], dim=1)
    return loss - shared.clamp(min=1e-6).log().sum(dim=1).mean()


@torch.no_grad()
def neighbours(points: Tensor, rng: torch.Generator) -> Tensor:
    """Draw for each point one of the points nearest to it, other than itself.

    Parameters
    ----------
    points : Tensor of shape (n, d)
        At least two points.
    rng : torch.Generator

    Returns
    -------
    Tensor of shape (n,), int64
        Positions among the points.
    """
    n = len(points)
    distances = torch.cdist(points, points)
    distances.fill_diagonal_(torch.inf)
    nearest = distances.topk(min(N_NEIGHBOURS, n - 1), largest=False).indices
    which = torch.randint(nearest.shape[1], (n, 1), generator=rng, device=rng.device)
    return nearest.gather(1, which)[:, 0]


class Grouper(nn.Module):
    """Infers groups of rows; two layers with batch normalisation and dropout.

    While the network learns, a batch is normalised by its own moments. Afterwards `settle` fixes
    the moments, so that the groups of a row depend on the row alone.

    Parameters
    ----------
    n_inputs, hidden_dim, n_outputs : int

    Attributes
    ----------
    moments : Tensor of shape (2, 2, hidden_dim)
        Mean and standard deviation of the units of each layer.
    has_learnt : Tensor, scalar
        Whether `learn` has ended.
    """

    moments: Tensor
    has_learnt: Tensor

    def __init__(self, n_inputs: int, hidden_dim: int, n_outputs: int) -> None:
        super().__init__()
        self.shape = n_inputs, hidden_dim, n_outputs
        self.layers = nn.ModuleList(
            [nn.Linear(n_inputs, hidden_dim), nn.Linear(hidden_dim, hidden_dim)]
        )
        self.out = nn.Linear(hidden_dim, n_outputs)
        standard = torch.tensor([0.0, 1.0])[None, :, None]
        self.register_buffer("moments", standard.repeat(len(self.layers), 1, hidden_dim))
        self.register_buffer("has_learnt", torch.zeros(()))

    def forward(self, seen: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Infer raw groups of rows, shape (n, n_outputs); with `rng`, as during training."""
        for layer, (mean, spread) in zip(self.layers, self.moments, strict=True):
            seen = layer(seen)
            if rng is None:
                seen = F.silu((seen - mean) / spread)
            else:
                seen = drop_units(F.silu(_normalised(seen)), DROPPED, rng)
        return self.out(seen)

    @torch.no_grad()
    def settle(self, seen: Tensor) -> None:
        """Fix the moments of the layers to those over given rows."""
        for layer, moments in zip(self.layers, self.moments, strict=True):
            seen = layer(seen)
            moments.copy_(_moments(seen))
            seen = F.silu((seen - moments[0]) / moments[1])

    def learn(
        self,
        data: TrainingSet,
        see: Callable[[Tensor], Tensor],
        code_layout: Layout,
        n_starts: int,
        streams: Streams,
    ) -> None:
        """Divide rows into groups from several starts, and keep the division of least loss.

        A division that is found from one start often has two kinds of rows in one group, and one
        kind in two. Its loss, `grouping_loss`, is mostly higher than that of better divisions.

        Parameters
        ----------
        data : TrainingSet
            All of its rows are held in memory as they are seen.
        see : callable, Tensor of shape (n, width) -> Tensor of shape (n, n_inputs)
            Turns encoded rows into what the network infers groups from.
        code_layout : Layout
            Layout of the groups, of `n_outputs` entries.
        n_starts : int >= 1
        streams : Streams
        """
        least = math.inf
        everything = see(data.layout.expand(*data.table))
        judging_seed = int(streams.rng.integers(2**62))
        for _ in range(n_starts):
            with seeded_weights(int(streams.rng.integers(2**31))):
                other = Grouper(*self.shape).to(everything.device)
            batches = data.batches(BATCH_SIZE, streams.noise)
            optimizer = adam(LEARNING_RATE, (0.9, 0.999))(list(other.parameters()))
            for i in range(N_STEPS):
                for group in optimizer.param_groups:
                    group["lr"] = LEARNING_RATE * min(1.0, 2 - 2 * i / N_STEPS)
                loss = other._loss(next(batches), see, data.layout, code_layout, drops=True)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            other.settle(everything)
            noise = torch.Generator(everything.device).manual_seed(judging_seed)
            batches = data.batches(BATCH_SIZE, noise)
            with torch.no_grad():
                judged = [
                    float(other._loss(next(batches), see, data.layout, code_layout))
                    for _ in range(N_JUDGED)
                ]
            if sum(judged) < least:
                least = sum(judged)
                self.load_state_dict(other.state_dict())
        self.has_learnt.fill_(1.0)

    def _loss(
        self,
        batch: Batch,
        see: Callable[[Tensor], Tensor],
        layout: Layout,
        code_layout: Layout,
        drops: bool = False,
    ) -> Tensor:
        """Compute the loss of the groups of a batch, with dropout or without."""
        rng = batch.rng if drops else None
        return grouping_loss(lambda row: self(see(row), rng), see, batch, layout, code_layout)


def _moments(x: Tensor) -> Tensor:
    """Return mean and standard deviation of each unit over rows, shape (2, n_units)."""
    variance, mean = torch.var_mean(x, dim=0, correction=0)
    return torch.stack([mean, (variance + 1e-5).sqrt()])


def _normalised(x: Tensor) -> Tensor:
    """Normalise each unit over the rows of a batch."""
    mean, spread = _moments(x)
    return (x - mean) / spread
