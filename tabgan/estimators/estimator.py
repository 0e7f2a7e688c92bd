"""The shell that every estimator shares: parameters, seeds, training, files."""

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
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from tabgan.adversarial.game import Game
from tabgan.adversarial.techniques import Technique, apply_techniques
from tabgan.adversarial.training import BatchSource, Training, TrainingRule, seeded_weights
from tabgan.adversarial.updates import adam
from tabgan.adversarial.validation import Validation
from tabgan.estimators.inputs import check_integer, resolve_device

if TYPE_CHECKING:
    from typing_extensions import Self


class AdversarialEstimator(BaseEstimator):
    """What every estimator has in common: the parameters, and how a game is trained and kept.

    A subclass defines `_fit`, and `_build` where it keeps more than the game.

    Parameters
    ----------
    n_steps : int or None, default=None
        Training steps; in each, every player moves. None: the class's own number, 1,000 if it
        names no other.
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
    techniques : sequence of Technique, default=()
        Training techniques on top of the system's own, from `tabgan.adversarial`; for example
        ``[RelativisticPairing(), R1(), R2()]``.
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
    history_ : DataFrame
        Step, seconds, each player's loss, and other figures of the game.
    n_steps_ : int
        Training steps made.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when all column labels are strings.
    """

    _betas: ClassVar[tuple[float, float]] = (0.0, 0.9)
    _weight_decay: ClassVar[float] = 0.0
    _warm_up: ClassVar[int] = 1
    _default_steps: ClassVar[int] = 1000
    _schemas: ClassVar[tuple[str, ...]] = ("schema_",)
    _extra_state: ClassVar[tuple[str, ...]] = ()
    _tensor_holders: ClassVar[tuple[str, ...]] = ("_training",)

    def __init__(
        self,
        *,
        n_steps: int | None = None,
        batch_size: int = 500,
        learning_rate: float = 5e-4,
        latent_dim: int = 64,
        hidden_dim: int = 256,
        categorical_features: Sequence[Any] | None = None,
        max_categories: int = 256,
        techniques: Sequence[Technique] = (),
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
        self.techniques = techniques
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

    def _own_techniques(self) -> Sequence[Technique]:
        """Return what the system always uses; `techniques` come after."""
        return []

    def _fit(self, X: Any, y: Any, reset: bool) -> Self:
        """Train on `X`, from the start or on from where the last fit ended."""
        raise NotImplementedError

    def _starts_anew(self) -> bool:
        """Whether `fit` forgets what was learnt before."""
        return not (self.warm_start and self.__sklearn_is_fitted__())

    def _make_ready(self, reset: bool) -> None:
        """Check the parameters, and forget what was learnt before if `reset`."""
        self._check_parameters()
        if reset:
            self._forget()

    def _build(self) -> None:
        """Make networks and optimisers, from the schemas and the seed alone."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Start anew, the schemas being known: a seed, and fresh networks."""
        self._seed = draw_seed(self.random_state)
        self._n_draws = 0
        self._device = resolve_device(self.device)
        self._build()

    def _training_streams(self) -> tuple[np.random.Generator, torch.Generator]:
        """Begin the random streams of one run of training."""
        rng = np.random.default_rng([self._seed, self._training.step])
        return rng, begin_stream(rng, self._device)

    def _assemble(self, make_game: Callable[[], Game]) -> None:
        """Make the game and its training, with all techniques."""
        with seeded_weights(self._seed), warnings.catch_warnings():
            # A constant table has nothing to learn, and its networks have nothing to do.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            game = make_game()
            optimizer = adam(self.learning_rate, self._betas, self._weight_decay)
            rule = TrainingRule(optimizer, warm_up=self._warm_up)
            apply_techniques([*self._own_techniques(), *self.techniques], game, rule)
        self._training = Training(game.to(self._device), rule)

    def _train(
        self,
        data: BatchSource,
        noise: torch.Generator,
        n_steps: int,
        validation: Validation | None = None,
    ) -> None:
        """Run the training; a model that diverged is forgotten."""
        callbacks = self.callbacks or ()
        progress = self.verbose > 0
        try:
            self._training.run(
                data, n_steps, self.batch_size, noise, callbacks, progress, validation
            )
        except FloatingPointError:
            self._forget()
            raise

    @property
    def _n_steps(self) -> int:
        """Steps to make in one run of training."""
        return self._default_steps if self.n_steps is None else self.n_steps

    @property
    def _game(self) -> Any:
        """The trained game, its weights averaged over the last steps."""
        return self._training.averaged

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
        if self.n_steps is not None:
            check_integer("n_steps", self.n_steps, 0)
        check_integer("max_categories", self.max_categories, 2)
        if not isinstance(self.learning_rate, numbers.Real) or not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate!r}.")
        if not isinstance(self.techniques, Sequence) or not all(
            isinstance(each, Technique) for each in self.techniques
        ):
            raise TypeError(
                "techniques must be a list of objects of tabgan.adversarial, such as [R1()], "
                f"got {self.techniques!r}."
            )

    def _forced_categories(self, labels: Sequence[Hashable]) -> list[Hashable]:
        """Labels of the columns that `categorical_features` names."""
        given = list(self.categorical_features) if self.categorical_features is not None else []
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
                    f"columns: {list(labels)}."
                )
        return [item if item in labels else labels[int(item)] for item in given]

    def _streams(self, random_state: Any) -> tuple[np.random.Generator, torch.Generator]:
        """Begin the random streams of one call of `sample`."""
        if random_state is None:
            self._n_draws += 1
            rng = np.random.default_rng([self._seed, self._n_draws])
        else:
            rng = np.random.default_rng(draw_seed(random_state))
        return rng, begin_stream(rng, self._device)

    # ------------------------------------------------------------------ persistence

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to one file that holds no code; see `tabgan.load`."""
        from tabgan.persistence import save

        save(self, path)

    def _get_values(self) -> dict[str, Any]:
        """Return what was fitted, schemas and tensors aside, as values that have a JSON form."""
        names = ("_seed", "_n_draws", "n_features_in_", *self._extra_state)
        values = {name: getattr(self, name) for name in names}
        if hasattr(self, "feature_names_in_"):
            values["feature_names_in_"] = self.feature_names_in_.tolist()
        return values

    def _set_values(self, values: dict[str, Any]) -> None:
        """Restore what `_get_values` returned, and build; parameters and schemas must be set."""
        self.__dict__.update(values)
        if "feature_names_in_" in values:
            self.feature_names_in_ = np.array(values["feature_names_in_"], dtype=object)
        self._device = resolve_device(self.device)
        self._build()

    def _modules(self) -> dict[str, nn.Module]:
        """Return what holds fitted tensors beside the training."""
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """Pack tensors so that a pickle opens on a machine without this one's GPU."""
        state = super().__getstate__().copy()
        if "_training" in state:
            buffer = io.BytesIO()
            torch.save({name: state.pop(name) for name in self._tensor_holders}, buffer)
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


def draw_seed(random_state: int | np.random.RandomState | None) -> int:
    """Draw a seed without touching NumPy's global generator."""
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    return int(check_random_state(random_state).randint(2**31 - 1))


def begin_stream(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    """Begin a stream of torch's on a device."""
    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))
