"""The estimator shell that every system shares."""

from __future__ import annotations

import inspect
import io
import numbers
import warnings
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from tabgan.adversarial.game import Game
from tabgan.adversarial.training import Training, TrainingSet
from tabgan.models.calibration import Calibration
from tabgan.models.conditioning import ConditionModel, MadeRows, equal_wishes, fulfil
from tabgan.models.inputs import check_integer, check_table, resolve_device, table_like
from tabgan.table.conditions import as_frame, encode_wish
from tabgan.table.encoder import EncodedTable, Encoder, NumericEncoding
from tabgan.table.layout import Layout
from tabgan.table.schema import Schema

if TYPE_CHECKING:
    from typing_extensions import Self

CHUNK = 16_384
"""Rows generated at once."""

_FITTED = ("_encoder", "_layout", "_conditions", "_calibration", "_training")
"""What holds tensors in a fitted estimator."""


class TableSynthesizer(BaseEstimator):
    """Learns a table and makes rows like it; the base of every system.

    Parameters
    ----------
    n_steps : int, default=1000
        Training steps; in each, every player moves.
    batch_size : int, default=500
        Rows per update; tables with fewer rows are taken whole.
    learning_rate : float, default=5e-4
        Adam's; constant for the first half of the steps, then falling linearly to zero.
    latent_dim : int, default=64
        Width of the latent draw z.
    hidden_dim : int, default=256
        Width of the networks' hidden layers.
    categorical_features : sequence of column labels, or of booleans or positions, default=None
        Columns to take as categories whatever their dtype. Strings, categories and booleans always
        are, and numbers of few values are modelled as ordered levels anyway.
    max_categories : int, default=256
        Levels modelled per categorical column. The rarer ones of more share one level, within
        which they are drawn at their own rates.
    device : {"auto", "cpu", "cuda", "mps"} or a torch device string, default="auto"
    random_state : int, RandomState or None, default=None
        Seeds weights, batches and noise; with an int, `fit` and the rows that `sample` then
        makes are the same bit for bit on a CPU. The global generators are left alone.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit, optimisers included, instead of starting anew.
    callbacks : sequence of callable, default=None
        Each is called with the `Training` about 200 times a run; training stops when one
        returns True.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    schema_ : Schema
        What each column is.
    history_ : DataFrame
        Step, seconds, each player's loss, and other figures of the game.
    n_steps_ : int
        Training steps made.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when all column labels are strings.
    """

    _numeric_encoding: ClassVar[NumericEncoding] = "scalar"
    _n_bins: ClassVar[int] = 64
    _betas: ClassVar[tuple[float, float]] = (0.0, 0.9)
    _averaging: ClassVar[float] = 0.999
    _extra_state: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        *,
        n_steps: int = 1000,
        batch_size: int = 500,
        learning_rate: float = 5e-4,
        latent_dim: int = 64,
        hidden_dim: int = 256,
        categorical_features: Sequence[Any] | None = None,
        max_categories: int = 256,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        callbacks: Sequence[Callable[[Training], Any]] | None = None,
        verbose: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.device = device
        self.random_state = random_state
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.verbose = verbose

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Show the shared parameters in the signature of a subclass that takes ``**shared``.

        scikit-learn reads an estimator's parameters off that signature.
        """
        super().__init_subclass__(**kwargs)
        if "__init__" not in vars(cls):
            return
        own = inspect.signature(vars(cls)["__init__"]).parameters
        parent = next(base for base in cls.__mro__[1:] if "__init__" in vars(base))
        inherited = inspect.signature(vars(parent)["__init__"]).parameters
        merged = {"self": own["self"], **inherited, **own}
        by_keyword = [p for p in merged.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        merged_signature = inspect.Signature(by_keyword)
        vars(cls)["__init__"].__signature__ = merged_signature

    def _make_game(self, layout: Layout, condition_layout: Layout) -> Game:
        """Build the networks for encoded rows and conditions of these layouts."""
        raise NotImplementedError

    def _training_table(
        self, table: pd.DataFrame, y: Any, reset: bool
    ) -> tuple[pd.DataFrame, list[Hashable]]:
        """Return the table to learn, and which of its columns are conditions.

        `reset` says that nothing was fitted before.
        """
        return table, []

    def _infer_schema(self, table: pd.DataFrame) -> Schema:
        return Schema.infer(table, self._forced_categories())

    # ------------------------------------------------------------------ training

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d), n >= 1
            Any kinds of columns, missing values included.
        y : array-like of shape (n,), default=None
            Ignored, unless the class says otherwise.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            No rows or columns, infinite values, duplicate column names, or a parameter out of
            range.
        """
        return self._fit(X, y, reset=not (self.warm_start and self.__sklearn_is_fitted__()))

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train `n_steps` steps more, on these rows, with weights and optimisers as they are.

        The first call is a `fit`. Later ones keep the schema: categories not seen before count as
        unknown, numbers out of range as the nearest in it.

        Parameters
        ----------
        X : DataFrame or numeric array-like of shape (n, d)
        y : array-like of shape (n,), default=None

        Returns
        -------
        self
        """
        return self._fit(X, y, reset=not self.__sklearn_is_fitted__())

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        self._check_parameters()
        if reset:
            self._forget()
        frame = check_table(self, X, reset=reset)
        table, conditions = self._training_table(frame, y, reset)
        if reset:
            self.schema_ = self._infer_schema(table)
            self._seed = _draw_seed(self.random_state)
            self._n_draws = 0
            self._build(conditions)
        rng = np.random.default_rng([self._seed, self._training.step])
        noise = _torch_generator(rng, self._device)
        made = self._encoder.encode(table[self._encoder.schema.names], rng)
        given = self._conditions.encode(table, rng)
        if reset:
            self._conditions.learn(given)
        made, given = made.to(self._device), given.to(self._device)
        if self._layout.width and self.n_steps:
            data = TrainingSet(made, self._layout, given, self._conditions.encoder.layout)
            try:
                self._training.run(
                    data,
                    self.n_steps,
                    self.batch_size,
                    noise,
                    self.callbacks or (),
                    self.verbose > 0,
                )
            except FloatingPointError:
                self._forget()
                raise
            self._calibrate(len(made), noise, rng)
        return self

    @property
    def history_(self) -> pd.DataFrame:
        """Step, seconds, each player's loss and other figures of the game."""
        check_is_fitted(self)
        return pd.DataFrame(self._training.history)

    @property
    def n_steps_(self) -> int:
        """Training steps made."""
        check_is_fitted(self)
        return self._training.step

    def __sklearn_is_fitted__(self) -> bool:
        return "_training" in vars(self)

    def _forget(self) -> None:
        """Count as not fitted, until networks are built again."""
        self.__dict__.pop("_training", None)

    def _check_parameters(self) -> None:
        for name in ("batch_size", "latent_dim", "hidden_dim"):
            check_integer(name, getattr(self, name))
        check_integer("n_steps", self.n_steps, 0)
        check_integer("max_categories", self.max_categories, 2)
        if not isinstance(self.learning_rate, numbers.Real) or not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate!r}.")

    def _forced_categories(self) -> list[Hashable]:
        """Labels of the columns that `categorical_features` names."""
        given = list(self.categorical_features) if self.categorical_features is not None else []
        labels = self._input_labels
        if given and all(isinstance(item, bool | np.bool_) for item in given):
            if len(given) != len(labels):
                raise ValueError(
                    f"categorical_features is a mask of {len(given)} entries for "
                    f"{len(labels)} columns; give one per column."
                )
            return [label for label, is_one in zip(labels, given, strict=True) if is_one]
        for item in given:
            is_position = isinstance(item, int | np.integer) and 0 <= item < len(labels)
            if item not in labels and not is_position:
                raise ValueError(
                    f"categorical_features names {item!r}, which is not a column; "
                    f"columns: {labels}."
                )
        return [item if item in labels else labels[int(item)] for item in given]

    def _build(self, conditions: list[Hashable]) -> None:
        """Make encoders, networks and optimisers from the schema and the seed."""
        self._device = resolve_device(self.device)
        names = self.schema_.names
        made = [name for name in names if name not in conditions]
        self._encoder = Encoder(
            self.schema_.select(made), self._numeric_encoding, self._n_bins, self.max_categories
        )
        self._layout = self._encoder.layout.to(self._device)
        self._conditions = ConditionModel(self.schema_.select(conditions), self.max_categories)
        self._conditions.encoder.layout.to(self._device)
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # A constant table has nothing to learn, and its networks have nothing to do.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            # torch.manual_seed would reach the GPUs' generators, which are not put back.
            torch.default_generator.manual_seed(self._seed)
            game = self._make_game(self._layout, self._conditions.encoder.layout)
        self._calibration = Calibration(self._layout).to(self._device)
        self._training = Training(
            game.to(self._device), self.learning_rate, self._betas, self._averaging
        )

    @property
    def _game(self) -> Any:
        """The trained game, its weights averaged over the last steps."""
        return self._training.averaged

    @torch.no_grad()
    def _generate(self, condition: Tensor, noise: torch.Generator) -> Tensor:
        """Make raw rows, one per row of conditions, some thousands at a time."""
        return torch.cat([self._game.generate(part, noise) for part in condition.split(CHUNK)])

    def _calibrate(self, n_rows: int, noise: torch.Generator, rng: np.random.Generator) -> None:
        # Rates need be no truer than the training rows know them; wide rows must fit in memory.
        n = max(256, min(20_000, 2_000 + 10 * n_rows, 20_000_000 // self._layout.width))
        given = self._conditions.draw(n, rng).to(self._device)
        condition = self._conditions.encoder.layout.expand(*given)
        raw = self._generate(condition, noise)
        self._calibration.fit(self._layout, self._encoder.masses, raw, noise)

    # ------------------------------------------------------------------ sampling

    def sample(
        self,
        n_samples: int = 1,
        random_state: int | np.random.RandomState | None = None,
        *,
        conditions: Any = None,
    ) -> Any:
        """Make rows.

        Parameters
        ----------
        n_samples : int >= 1, default=1
        random_state : int, RandomState or None, default=None
            None goes on with the stream that the estimator's own `random_state` began.
        conditions : dict, Series or DataFrame, default=None
            What columns are to be: values, missing values, or ``pandas.Interval`` for numbers and
            dates. A dict, or a Series indexed by column, holds for all rows; a DataFrame of m
            rows makes m rows, in its order. Columns that the model was not trained to be given
            are met by making rows until enough are right. A number without mass of its own counts
            as met within 2 % of the training rows, and then is set to what was asked.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, d)
            Columns, order and dtypes as in `fit`, and a fresh index; an array if `fit` got one.

        Raises
        ------
        ValueError
            `n_samples` below one; a condition that names no column, an unknown category, a number
            out of range, or a combination of which too few rows can be made.
        """
        check_is_fitted(self)
        check_integer("n_samples", n_samples)
        rng, noise = self._streams(random_state)
        if conditions is None:
            frame = self._make(self._conditions.draw(int(n_samples), rng), noise, rng).frame
        else:
            frame = self._make_wished(self._wishes(conditions, int(n_samples)), noise, rng)
        return table_like(frame[self._input_labels], self._input_dtype)

    def _streams(self, random_state: Any) -> tuple[np.random.Generator, torch.Generator]:
        """Begin the random streams of one call of `sample`."""
        if random_state is None:
            self._n_draws += 1
            rng = np.random.default_rng([self._seed, self._n_draws])
        else:
            rng = np.random.default_rng(_draw_seed(random_state))
        return rng, _torch_generator(rng, self._device)

    def _wishes(self, conditions: Any, n_samples: int) -> pd.DataFrame:
        return as_frame(conditions, n_samples, self.schema_)

    def _make(
        self, given: EncodedTable, noise: torch.Generator, rng: np.random.Generator
    ) -> MadeRows:
        """Make one row for each condition, all columns of the schema included."""
        condition = self._conditions.encoder.layout.expand(*given.to(self._device))
        raw = self._generate(condition, noise)
        table = self._calibration.draw(self._layout, raw, noise)
        frame = self._encoder.decode(table, rng)
        if self._conditions.names:
            told = self._conditions.encoder.decode(given, rng)
            frame = pd.concat([frame, told], axis=1)[self.schema_.names]
        return MadeRows(frame, table)

    def _make_wished(
        self, asked: pd.DataFrame, noise: torch.Generator, rng: np.random.Generator
    ) -> pd.DataFrame:
        """Make one row for each row of wishes."""
        trained = self._conditions.names
        given = {
            c: encode_wish(self._conditions.encoder, c, asked[c]) for c in asked if c in trained
        }
        others = {c: encode_wish(self._encoder, c, asked[c]) for c in asked if c not in trained}

        def make(wanted: NDArray[np.int64]) -> MadeRows:
            return self._make(self._conditions.draw_given(given, wanted, rng), noise, rng)

        everyone = np.arange(len(asked))
        if others:
            group = equal_wishes(given | others)
            frame = fulfil(make, self._encoder, others, group, shared=not given)
        else:
            frame = make(everyone).frame
        for name, wish in (given | others).items():
            frame[name] = wish.impose(frame[name], everyone)
        return frame

    # ------------------------------------------------------------------ persistence

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one file that holds no code; see `tabgan.load`."""
        from tabgan.persistence import save

        save(self, path)

    def __getstate__(self) -> dict[str, Any]:
        """Pack tensors so that a pickle opens on a machine without this one's GPU."""
        state = super().__getstate__().copy()
        if "_training" in state:
            buffer = io.BytesIO()
            torch.save({name: state.pop(name) for name in _FITTED}, buffer)
            state["_fitted"] = buffer.getvalue()
            del state["_device"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        fitted = state.pop("_fitted", None)
        super().__setstate__(state)
        if fitted is not None:
            try:
                self._device = resolve_device(self.device)
            except ValueError:
                self._device = torch.device("cpu")
            buffer = io.BytesIO(fitted)
            self.__dict__.update(torch.load(buffer, map_location=self._device, weights_only=False))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = False
        return tags


def _draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed without touching NumPy's global generator."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def _torch_generator(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))
