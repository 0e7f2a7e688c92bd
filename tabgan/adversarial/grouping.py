"""Groups of rows that are found without labels: a loss on what a network infers of real rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tabgan.adversarial.corruption import swap_columns
from tabgan.adversarial.game import Batch
from tabgan.table.layout import Layout

BALANCE = 4.0
"""Weight of the entropy of the mean posterior, relative to the other terms ([1]_, section 4.2)."""

N_NEIGHBOURS = 3
"""Nearest rows of a batch, of which one must have the group of the row."""

SWAPPED = 0.3
"""Share of the columns that are swapped with other rows' in a copy of a row."""

SHARPENED = 0.5
"""Temperature of the inferred groups that the groups of copies are compared with."""


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
