"""Estimators that learn from rows of classes, which they read as well as make."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import Tags
from torch import Tensor

from tabgan.adversarial.game import Game, draw_gumbel
from tabgan.estimators.estimator import AdversarialEstimator
from tabgan.estimators.inputs import table_like
from tabgan.table.encoder import EncodedTable, Encoder


class RowsOfClasses(AdversarialEstimator):
    """Keeps an encoder of rows; a subclass says what is learnt of their classes."""

    _extra_state: ClassVar[tuple[str, ...]] = ("_input_dtype", "_input_labels")
    _tensor_holders = ("_encoder", "_layout", "_training")

    def _make_game(self) -> Game:
        """Build the networks for rows of this layout."""
        raise NotImplementedError

    def _build(self) -> None:
        # Of a row that is read as well as made, numbers count in their order.
        self._encoder = Encoder(self.schema_, "rank", max_categories=self.max_categories)
        self._layout = self._encoder.layout.to(self._device)
        self._assemble(self._make_game)

    def _rows(self, raw: Tensor, noise: torch.Generator, rng: np.random.Generator) -> Any:
        """Draw and decode rows of a generator's raw output, in the form that `fit` got."""
        drawn = self._layout.draw(raw, draw_gumbel(len(raw), self._layout.width, noise))
        frame = self._encoder.decode(EncodedTable(*drawn), rng)
        return table_like(frame[self._input_labels], self._input_dtype)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
