"""The learnt state of a fitted estimator, apart from scikit-learn's interface and parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tabgan.adversarial.processes import ALONE, Processes
from tabgan.adversarial.training import Keeper, Training
from tabgan.adversarial.validation import Validation
from tabgan.generation.conditions import Combinations
from tabgan.generation.encoding import Encoding
from tabgan.table.encoder import EncodedTable, Encoder
from tabgan.table.layout import Layout


@dataclass(frozen=True)
class Run:
    """The user's settings of one run of training; `TableSynthesizer` describes the parameters.

    Attributes
    ----------
    name : str
        Name of the estimator, for progress bars and warnings.
    n_steps : int or None
        Training steps; None takes the plan's number.
    batch_size : int
    callbacks : sequence of callable
    shows_progress : bool
    early_stopping : bool, default=False
    n_iter_no_change : int, default=5
        Evaluations in a row without a new best score, after which training ends.
    validation_fraction : float in (0, 1), default=0.1
        Share of rows held out with early stopping.
    processes : Processes, default=ALONE
        The processes that train together.
    captures : bool, default=False
        Whether updates are recorded as CUDA graphs.
    keeper : Keeper, optional
        Keeps the state of training where a later process finds it.
    """

    name: str
    n_steps: int | None
    batch_size: int
    callbacks: Sequence[Callable[[Training], Any]]
    shows_progress: bool
    early_stopping: bool = False
    n_iter_no_change: int = 5
    validation_fraction: float = 0.1
    processes: Processes = ALONE
    captures: bool = False
    keeper: Keeper | None = None

    def train(
        self,
        training: Training,
        data: Any,
        n_steps: int,
        noise: torch.Generator,
        validation: Validation | None = None,
    ) -> None:
        """Run the training, one stage of players after the other.

        Parameters
        ----------
        training : Training
        data : BatchSource
        n_steps : int
            Steps of all stages together. Of two stages, the last one gets a third of the steps.
        noise : torch.Generator
        validation : Validation, optional
            Steers the last stage.
        """
        name = self.name if self.shows_progress else None
        stages = sorted({player.stage for player in training.update.players})
        n_last = max(1, n_steps // 3) if len(stages) > 1 else n_steps
        for stage in stages:
            is_last = stage == stages[-1]
            n_others = n_steps - n_last
            is_whole = training.run(
                data,
                n_last if is_last else n_others,
                self.batch_size,
                noise,
                self.callbacks,
                name,
                validation if is_last else None,
                self.processes,
                self.captures,
                self.keeper,
                stage if len(stages) > 1 else None,
                n_before=n_others if is_last else 0,
                n_after=0 if is_last else n_last,
            )
            if not is_whole:
                break


class Core:
    """A trained game, and everything that turns the game's output into rows.

    Parameters
    ----------
    training : Training
    device : torch.device

    Attributes
    ----------
    keeper : Keeper or None
        Keeps the state of the fit that is under way.
    """

    keeper: Keeper | None = None

    def __init__(self, training: Training, device: torch.device) -> None:
        self.training, self.device = training, device

    @property
    def game(self) -> Any:
        """The trained game, whose weights are averaged over the last steps."""
        return self.training.averaged

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoders of the table that was learnt."""
        return ()

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules with learnt tensors.

        Returns
        -------
        dict of str to Module
            By the name that the module has in files.
        """
        return {"game": self.training.game, "averaged": self.training.averaged}

    def values(self) -> dict[str, Any]:
        """Return the learnt values that are not tensors.

        Returns
        -------
        dict of str to object
            Values that have a form in JSON.
        """
        return {}

    def restore(self, values: dict[str, Any]) -> None:
        """Restore the values that `values` returned.

        Parameters
        ----------
        values : dict of str to object
        """


class ConditionedCore(Core):
    """A core whose generator is given conditions, and a chain of sources that draws its rows.

    Parameters
    ----------
    encoding : Encoding
        How rows and conditions are encoded.
    training : Training
    chain : Source
        Draws encoded rows for encoded conditions.
    """

    def __init__(self, encoding: Encoding, training: Training, chain: Any) -> None:
        super().__init__(training, encoding.layout.offsets.device)
        self.encoding, self.chain = encoding, chain

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoders of the generated columns and of the conditions."""
        return self.encoding.encoder, self.encoding.conditions.encoder

    def modules(self) -> dict[str, nn.Module]:
        """Return the modules of the chain and of the game, by their names in files."""
        return {**self.chain.modules(), **super().modules()}

    def values(self) -> dict[str, Any]:
        """Return the histogram of conditions."""
        return {"combinations": vars(self.encoding.conditions.combinations)}

    def restore(self, values: dict[str, Any]) -> None:
        """Restore the histogram of conditions."""
        self.encoding.conditions.restore(Combinations(**values["combinations"]))


class RowCore(Core):
    """A core whose game reads rows as well as generates rows, with one encoder for both.

    Parameters
    ----------
    encoder : Encoder
    training : Training
    device : torch.device
    """

    def __init__(self, encoder: Encoder, training: Training, device: torch.device) -> None:
        super().__init__(training, device)
        self.encoder = encoder

    @property
    def encoders(self) -> tuple[Encoder, ...]:
        """The encoder of rows."""
        return (self.encoder,)

    @property
    def layout(self) -> Layout:
        """Layout of an encoded row."""
        return self.encoder.layout

    def encode(self, table: Any, rng: Any = None) -> EncodedTable:
        """Encode a table on the device.

        Parameters
        ----------
        table : DataFrame of n rows
        rng : numpy Generator, optional
            Draws ranks within ties; without a generator, ties get their middle rank.

        Returns
        -------
        EncodedTable of n rows
        """
        return self.encoder.encode(table, rng).to(self.device)


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the device that a name stands for.

    Parameters
    ----------
    device : str or torch.device
        "auto" takes CUDA if there is a CUDA device, else MPS if there is an MPS device, else the
        CPU. Of several CUDA devices it takes the one whose number is the environment variable
        LOCAL_RANK, which ``torchrun`` sets, or else the first. Every other name is a device name of
        PyTorch.

    Returns
    -------
    torch.device
        A device that can hold tensors on this machine.

    Raises
    ------
    ValueError
        The machine or this build of PyTorch does not have the device.

    Examples
    --------
    >>> from tabgan.generation.core import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if str(device) == "auto":
        if torch.cuda.is_available():
            # Of the processes on one machine, each takes a GPU of its own.
            rank = int(os.environ.get("LOCAL_RANK", "0"))
            return torch.device("cuda", rank % torch.cuda.device_count())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(1, device=resolved)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ValueError(
            f'device is {device!r}, which is not available here ({error}); use "auto" or "cpu".'
        ) from error
    return resolved
