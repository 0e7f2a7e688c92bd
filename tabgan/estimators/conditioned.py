"""Estimators that make some columns, perhaps given others: what fits them, and their files."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from tabgan.adversarial.game import Game
from tabgan.estimators.calibration import Calibration
from tabgan.estimators.conditioning import ConditionModel
from tabgan.estimators.estimator import AdversarialEstimator
from tabgan.table.encoder import Encoder, NumericEncoding
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema


class ConditionedEstimator(AdversarialEstimator):
    """Keeps an encoder of what is made, a model of what is given, and a calibration."""

    _numeric_encoding: ClassVar[NumericEncoding] = "scalar"
    _tensor_holders: ClassVar[tuple[str, ...]] = (
        "_encoder",
        "_layout",
        "_conditions",
        "_calibration",
        "_training",
    )

    def _make_game(self, layout: Layout, condition_layout: Layout) -> Game:
        """Build the networks for encoded rows and conditions of these layouts."""
        raise NotImplementedError

    def _set_up(self, made: Schema, given: Schema, **cut: int) -> None:
        """Build what is fitted; `cut` says how finely numbers are cut, as `Encoder` takes it."""
        self._encoder = Encoder(
            made, self._numeric_encoding, max_categories=self.max_categories, **cut
        )
        self._layout = self._encoder.layout.to(self._device)
        self._conditions = ConditionModel(given, self.max_categories)
        condition_layout = self._conditions.encoder.layout.to(self._device)
        self._calibration = Calibration(self._layout).to(self._device)
        self._assemble(lambda: self._make_game(self._layout, condition_layout))

    def _modules(self) -> dict[str, nn.Module]:
        return {"calibration": self._calibration}

    def _get_values(self) -> dict[str, Any]:
        return super()._get_values() | {"combinations": vars(self._conditions.combinations)}

    def _set_values(self, values: dict[str, Any]) -> None:
        combinations = values.pop("combinations")
        super()._set_values(values)
        vars(self._conditions.combinations).update(combinations)
