"""The base of estimators that learn rows together with the class of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from torch import Tensor

from tabgan.adversarial.game import draw_gumbel
from tabgan.estimators.estimator import Estimator
from tabgan.estimators.reading import read_fitted, read_known
from tabgan.estimators.target import class_codes
from tabgan.generation.core import RowCore, resolve_device
from tabgan.randomness import Streams
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self


class RowsOfClasses(Estimator):
    """Base of estimators whose networks read rows of labelled classes as well as generate rows.

    The estimator keeps one encoder of rows. A subclass defines what is learnt about the classes.
    """

    _core: RowCore

    def partial_fit(self, X: Any, y: Any) -> Self:
        """Train `n_steps` more steps on these rows, from the present weights and optimisers.

        The first call is a `fit`. Later calls keep the schema of the first one.

        Parameters
        ----------
        X : table or numeric array-like of shape (n, d)
            Rows with the columns of the first call. A category that the first call did not see
            counts as unknown. A number outside the range that the first call saw counts as the
            nearest end of that range.
        y : array-like of shape (n,)
            Class of each row.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the columns or the kinds of values differ from those of the first call, if a class is
            missing, or if a parameter that shapes the networks was changed since the first call.

        Warns
        -----
        UserWarning
            If X has categories that the first call did not see; see `handle_unknown`.
        """
        return self._fit(X, y, goes_on=True)

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> tuple[pd.DataFrame, Any]:
        frame = read_fitted(self, X, anew)
        classes = self._read_classes(*class_codes(self, frame, y), anew, **about)
        if anew:
            self.schema_ = Schema.infer(frame, self._forced_categories(self._format.labels))
            return frame, classes
        return read_known(self, frame, self.schema_), classes

    def _read_classes(
        self, codes: NDArray[Any], labels: pd.Index, anew: bool, **about: Any
    ) -> NDArray[Any]:
        """Return a class number for each row, from the codes of the rows and the classes coded."""
        return codes

    def _make_core(self) -> RowCore:
        # A network that reads rows learns from the order of numbers. Ranks keep that order, and
        # levels would hide it.
        encoder = Encoder(self.schema_, "rank", max_categories=self.max_categories)
        device = resolve_device(self.device)
        encoder.layout.to(device)
        return RowCore(encoder, self._train_game(encoder, device), device)

    def _learn(self, data: tuple[pd.DataFrame, Any], streams: Streams, anew: bool) -> None:
        core, (frame, classes) = self._core, data
        table = core.encode(frame, streams.rng)
        if core.layout.width and self._n_steps:
            batches = self._batches(table, torch.from_numpy(classes).to(core.device))
            self._run().train(core.training, batches, self._n_steps, streams.noise)

    def _batches(self, table: EncodedTable, classes: Tensor) -> Any:
        """Return the object that deals out encoded rows and their class numbers in batches."""
        raise NotImplementedError

    def _encode_known(self, X: Any) -> EncodedTable:
        """Encode later rows on the device, without random ranks."""
        return self._core.encode(read_known(self, read_fitted(self, X, anew=False), self.schema_))

    def _rows(self, raw: Tensor, streams: Streams) -> Any:
        """Draw rows from raw output and decode them into the kind of table that `fit` got."""
        core = self._core
        drawn = core.layout.draw(raw, draw_gumbel(len(raw), core.layout.width, streams.noise))
        return self._format.restore(core.encoder.decode(EncodedTable(*drawn), streams.rng))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
