"""Noisy counts of levels and of pairs of levels, put together for a model to agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabgan.private.curator import NoisyCounts, Places


@dataclass(frozen=True)
class Answer:
    """Noisy counts of one block, or of two blocks.

    Attributes
    ----------
    blocks : tuple of int
    counts : NoisyCounts
    """

    blocks: tuple[int, ...]
    counts: NoisyCounts


class Answers:
    """All answers about one table.

    Parameters
    ----------
    places : Places
        Where the levels of each block lie.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.answers: list[Answer] = []

    def add(self, blocks: tuple[int, ...], counts: NoisyCounts) -> None:
        """Add an answer; those about the same blocks are averaged by their precision."""
        self.answers.append(Answer(blocks, counts))

    def total(self, others: Sequence[NoisyCounts | None] = ()) -> float:
        """Estimate the number of rows, by inverse variances.

        Parameters
        ----------
        others : sequence of NoisyCounts or None
            Counts of whole columns beside those of single blocks, for a table of constant columns.

        Returns
        -------
        float >= 1
        """
        counts = [answer.counts for answer in self.answers if len(answer.blocks) == 1]
        counts = counts or [each for each in others if each is not None and len(each.values)]
        if not counts:
            return 1.0
        sums = [float(each.values.sum()) for each in counts]
        weights = [1.0 / (each.sigma**2 * len(each.values)) for each in counts]
        return max(1.0, float(np.average(sums, weights=weights)))

    def of_levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean count and the precision of each level, both of shape (width,)."""
        counts, precision = (np.zeros(self.places.width) for _ in range(2))
        for answer in self.answers:
            if len(answer.blocks) == 1:
                part = self.places.of(answer.blocks[0])
                weight = answer.counts.sigma**-2.0
                counts[part] += weight * answer.counts.values
                precision[part] += weight
        return counts / np.where(precision > 0, precision, 1.0), precision

    def of_pairs(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean count and the precision of each pair, both of shape (width, width).

        Each pair is at one place, and the precision elsewhere is 0.
        """
        width = self.places.width
        counts, precision = (np.zeros((width, width)) for _ in range(2))
        for answer in self.answers:
            if len(answer.blocks) == 2:
                rows, columns = map(self.places.of, answer.blocks)
                weight = answer.counts.sigma**-2.0
                values = answer.counts.values.reshape(
                    rows.stop - rows.start, columns.stop - columns.start
                )
                counts[rows, columns] += weight * values
                precision[rows, columns] += weight
        return counts / np.where(precision > 0, precision, 1.0), precision

    def to_list(self) -> list[dict[str, Any]]:
        """Return the answers as values that have a form in JSON."""
        return [
            {
                "blocks": list(answer.blocks),
                "counts": answer.counts.values,
                "sigma": answer.counts.sigma,
            }
            for answer in self.answers
        ]

    @classmethod
    def from_list(cls, data: list[dict[str, Any]], places: Places) -> Answers:
        """Rebuild answers from what `to_list` returned.

        Raises
        ------
        ValueError
            An answer does not belong to these places.
        """
        answers = cls(places)
        for each in data:
            blocks, counts = tuple(each["blocks"]), np.asarray(each["counts"])
            if not 1 <= len(blocks) <= 2 or not all(
                isinstance(block, int) and 0 <= block < len(places.starts) for block in blocks
            ):
                raise ValueError("an answer is about no blocks of the table")
            n = int(np.prod([places.n_levels[block] for block in blocks]))
            sigma = float(each["sigma"])
            if counts.shape != (n,) or counts.dtype != np.int64 or not 0 < sigma < np.inf:
                raise ValueError("an answer has not one count for each level")
            answers.add(blocks, NoisyCounts(counts, sigma))
        return answers
