"""The base of every estimator: parameters, checks, seeds, training and files."""

from __future__ import annotations

import inspect
import io
import os
import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from tabgan.adversarial.game import Game
from tabgan.adversarial.plan import Plan
from tabgan.adversarial.processes import ALONE, Processes
from tabgan.adversarial.techniques import Technique, apply_techniques
from tabgan.adversarial.training import Training, TrainingRule
from tabgan.checks import (
    CALLABLE,
    FLAG,
    LABEL,
    NONE,
    SEED,
    ParameterError,
    Rule,
    check_parameters,
    choice,
    instance,
    integer,
    listed,
    number,
    sequence_of,
    short,
    unexpected_argument,
)
from tabgan.estimators.checkpoints import Checkpoint
from tabgan.estimators.composing import compose
from tabgan.estimators.files import save
from tabgan.estimators.restoring import get_values, set_values
from tabgan.generation.core import Core, Run, resolve_device
from tabgan.notices import warn
from tabgan.paths import PATH
from tabgan.randomness import Streams, draw_seed, seeded_weights
from tabgan.registry import register

if TYPE_CHECKING:
    from typing_extensions import Self


class Estimator(BaseEstimator):
    """Base of every estimator: shared parameters, and the training and keeping of a game.

    A subclass defines four steps. `_read` checks and reads what `fit` gets. `_make_core` and
    `_make_game` build what the estimator keeps. `_learn` trains it. `fit` and `partial_fit` run
    these steps in the same order for all subclasses.

    Parameters
    ----------
    n_steps : int >= 0 or None, default=None
        Number of training steps. In each step every player of the game is updated. None takes the
        number of steps in the class's `plan`.
    batch_size : int >= 1, default=500
        Number of rows in a batch. A table with fewer rows is one batch.
    learning_rate : float > 0, default=5e-4
        Learning rate of the optimiser, AdamW. The rate is constant for the first half of the steps
        and then falls linearly to zero.
    hidden_dim : int >= 1, default=256
        Number of units in each hidden layer of the networks.
    categorical_features : sequence of labels, booleans or positions, default=None
        Columns to treat as categories whatever their dtype: their labels, their positions, or a
        boolean for each column. Columns of strings, categories or booleans are always treated as
        categories.
    max_categories : int >= 2, default=256
        Largest number of levels of a categorical column. In a column of more categories, the most
        frequent ones have a level each and the rarer ones share the last level. Categories of the
        shared level are drawn at their rates in training, and `fit` warns of them.
        `AutoregressiveSynthesizer` pools no categories: in a column of more categories it draws
        each of them from the rows that have other categories in common.
    handle_unknown : {"warn", "ignore", "error"}, default="warn"
        What follows from a category in later rows that the first `fit` did not see. "warn" counts
        the category as unknown and warns once in each call. "ignore" counts it as unknown without a
        warning. "error" raises a ValueError.
    device : {"auto", "cpu", "cuda", "mps"} or a torch device, default="auto"
        Device that networks are trained and used on. "auto" takes a GPU if there is one.
    distributed : bool, default=False
        Whether the processes of a torch.distributed group train one model together, each on its
        share of every batch; all must fit the same rows. Under ``torchrun`` the group is started.
        Without either, True changes nothing.
    cuda_graph : bool, default=False
        Whether a CUDA device replays recorded updates, which saves the time of launching kernels.
        On other devices nothing changes.
    random_state : int, RandomState or None, default=None
        Seed of the initial weights, the batches and the noise. With an int, `fit` and the later
        calls of `sample` give the same results bit for bit on one kind of processor, with one
        version of torch and one number of threads. Across those, results are alike but not equal.
        The global random generators are neither read nor changed.
    warm_start : bool, default=False
        Whether a second `fit` continues from the weights and optimisers of the first one. By
        default it starts anew.
    callbacks : sequence of callable or None, default=None
        Functions that are called with the `Training` object about 200 times in a run. Training
        stops when a function returns True.
    checkpoint : str, Path or None, default=None
        A file in which training keeps its state, so that a fit survives the end of its process. If
        the file exists, `fit` goes on from it and ends where the fit that was cut short would have
        ended, bit for bit on the same machine. `fit` deletes the file when it has ended. The file
        is refused if it belongs to a fit of another table or of other parameters.
    checkpoint_every : float >= 0, default=60
        Seconds of training from one state in the `checkpoint` to the next. With 0, every step is
        kept.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    plan : Plan
        The constants of training and encoding that are not parameters; each class has its own plan.
    history_ : DataFrame
        A record of training: the step, the seconds, the loss of each player, and other figures of
        the game.
    n_steps_ : int
        Number of training steps done so far.
    n_features_in_ : int
        Number of columns that `fit` saw.
    feature_names_in_ : ndarray of str
        Labels of the columns that `fit` saw; defined only if all labels are strings.

    Notes
    -----
    `set_params` may change some parameters between two calls of `partial_fit`, or of `fit` with
    ``warm_start=True``: `n_steps`, `batch_size`, `learning_rate`, `callbacks`, `verbose`,
    `warm_start`, `distributed`, `cuda_graph`, `handle_unknown`, `on_violation`, and the parameters
    of early stopping. The new values hold from the next call on. All other parameters shape what
    the first `fit` built. If one of those was changed, the next call raises an error that names it.
    """

    plan: ClassVar[Plan] = Plan()
    _core: Any
    _schemas: ClassVar[tuple[str, ...]] = ("schema_",)
    _saved: ClassVar[dict[str, Rule]] = {}
    _of_a_run: ClassVar[frozenset[str]] = frozenset(
        ("n_steps", "batch_size", "learning_rate", "callbacks", "verbose", "warm_start")
        + ("distributed", "cuda_graph", "checkpoint", "checkpoint_every")
        + (
            "handle_unknown",
            "on_violation",
            "early_stopping",
            "n_iter_no_change",
            "validation_fraction",
        )
    )
    _parameter_constraints: ClassVar[dict[str, Rule]] = {
        "n_steps": integer(0) | NONE,
        "batch_size": integer(1),
        "learning_rate": number(0, closed="neither"),
        "hidden_dim": integer(1),
        "categorical_features": sequence_of(
            LABEL, "a list of column labels, of booleans or of positions"
        )
        | NONE,
        "max_categories": integer(2),
        "handle_unknown": choice("warn", "ignore", "error"),
        "device": instance(str, 'a device name such as "auto" or "cpu"')
        | instance(torch.device, "a torch.device"),
        "distributed": FLAG,
        "cuda_graph": FLAG,
        "random_state": SEED,
        "warm_start": FLAG,
        "callbacks": sequence_of(CALLABLE, "a list of callables") | NONE,
        "checkpoint": PATH | NONE,
        "checkpoint_every": number(0),
        "verbose": FLAG | integer(0),
    }

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Refuse an unknown parameter, and suggest the nearest one that the class has."""
        known = inspect.signature(cls.__init__).parameters
        for name in parameters:
            if name not in known:
                raise unexpected_argument(cls, name)
        if args:
            raise TypeError(
                f"{cls.__name__} takes parameters by name alone, got {listed(args, 3)}; "
                f"write {cls.__name__}(name=value)."
            )
        return super().__new__(cls)

    def __init__(
        self,
        *,
        n_steps: int | None = None,
        batch_size: int = 500,
        learning_rate: float = 5e-4,
        hidden_dim: int = 256,
        categorical_features: Sequence[Any] | None = None,
        max_categories: int = 256,
        handle_unknown: str = "warn",
        device: str = "auto",
        distributed: bool = False,
        cuda_graph: bool = False,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        callbacks: Sequence[Callable[[Training], Any]] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float = 60.0,
        verbose: int = 0,
    ) -> None:
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.hidden_dim = hidden_dim
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.handle_unknown = handle_unknown
        self.device = device
        self.distributed = distributed
        self.cuda_graph = cuda_graph
        self.random_state = random_state
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Write out the inherited parameters of a subclass, and register it as a model."""
        super().__init_subclass__(**kwargs)
        compose(cls)
        register(cls)

    # ------------------------------------------------------------------ what a subclass defines

    def _read(self, X: Any, y: Any, anew: bool, **about: Any) -> Any:
        """Turn what `fit` got into checked tables; if `anew`, remember schema and format."""
        raise NotImplementedError

    def _make_core(self) -> Core:
        """Build encoders and networks from schemas, parameters and the seed alone."""
        raise NotImplementedError

    def _make_game(self, encoding: Any) -> Game:
        """Build the networks for rows that are encoded in this way."""
        raise NotImplementedError

    def _learn(self, data: Any, streams: Streams, anew: bool) -> None:
        """Train the core on the data that `_read` returned."""
        raise NotImplementedError

    def _own_techniques(self) -> Sequence[Technique]:
        """Return the techniques of the system itself, which come before those in `techniques`."""
        return []

    # ------------------------------------------------------------------ training

    def _fit(self, X: Any, y: Any, goes_on: bool = False, **about: Any) -> Self:
        """Train on `X`, and return the estimator.

        Training starts from new weights, unless the estimator is fitted and the call `goes_on` or
        `warm_start` is set: it then continues from the present weights.
        """
        check_parameters(self)
        keeper = self._keeper()
        anew = not (self.__sklearn_is_fitted__() and (goes_on or self.warm_start))
        if anew:
            self._forget()
        else:
            self._check_unchanged()
        data = self._read(X, y, anew, **about)
        self._card: dict[str, Any] = {}
        if anew:
            self._seed = self._processes().first(draw_seed(self.random_state))
            if self.random_state is None and keeper is not None and keeper.seed is not None:
                self._seed = keeper.seed
            self._n_draws = 0
            self._built_with = self._shaping_parameters()
            self._core = self._make_core()
            self._warn_of_pooling()
        core = self._core
        core.training.update.set_rate(self.learning_rate)
        streams = Streams.begin([self._seed, core.training.step], core.device)
        try:
            if keeper is not None:
                keeper.identify(self)
                core.keeper = keeper
            self._learn(data, streams, anew)
            self._processes().align(core.modules())
        except FloatingPointError:
            # Diverged weights can neither be trained further nor sampled from.
            self._forget()
            raise
        except BaseException:
            if anew:
                self._forget()
            raise
        finally:
            core.keeper = None
        if keeper is not None:
            keeper.finish()
        return self

    def _keeper(self) -> Checkpoint | None:
        """Open the checkpoint, if there is to be one."""
        if self.checkpoint is None:
            return None
        if self.distributed:
            raise ParameterError(
                "checkpoint and distributed=True are both given, and a checkpoint keeps the state "
                "of one process; set one of them to its default."
            )
        return Checkpoint(self.checkpoint, self.checkpoint_every)

    def _warn_of_pooling(self) -> None:
        """Warn if categories share a level, and lose their ties to other columns."""
        pooled = [words for encoder in self._core.encoders for words in encoder.pooling()]
        if pooled:
            warn(
                f"{type(self).__name__} draws rare categories of {', '.join(pooled)} at their "
                f"rates, without their ties to other columns, because max_categories is "
                f"{self.max_categories}; raise it, or use AutoregressiveSynthesizer, which has "
                "no such limit."
            )

    def _train_game(self, encoding: Any, device: torch.device) -> Training:
        """Build the game, apply all techniques, and return the game ready for training."""
        with seeded_weights(self._seed), warnings.catch_warnings():
            # A constant table has nothing to learn, so its networks have layers without units.
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            game = self._make_game(encoding)
            rule = TrainingRule.of(self._plan, self.learning_rate)
            asked = getattr(self, "techniques", ())
            apply_techniques([*self._own_techniques(), *asked], game, rule, type(self).__name__)
        return Training(game.to(device), rule)

    def _run(self) -> Run:
        """Collect the parameters that concern one run of training."""
        stopping = ("early_stopping", "n_iter_no_change", "validation_fraction")
        return Run(
            type(self).__name__,
            self.n_steps,
            self.batch_size,
            self.callbacks or (),
            self.verbose > 0,
            processes=self._processes(),
            captures=self.cuda_graph,
            keeper=self._core.keeper,
            **{name: getattr(self, name) for name in stopping if hasattr(self, name)},
        )

    def _processes(self) -> Processes:
        """Return the processes that train this estimator together."""
        return Processes.join(resolve_device(self.device)) if self.distributed else ALONE

    @property
    def _plan(self) -> Plan:
        """The plan that holds for the present parameters."""
        return self.plan

    @property
    def _n_steps(self) -> int:
        """Number of steps in one run of training."""
        return self._plan.n_steps if self.n_steps is None else self.n_steps

    @property
    def history_(self) -> pd.DataFrame:
        """Record of training: step, seconds, loss of each player, other figures of the game."""
        check_is_fitted(self)
        return pd.DataFrame(self._core.training.history)

    @property
    def n_steps_(self) -> int:
        """Number of training steps done so far."""
        check_is_fitted(self)
        return self._core.training.step

    def __sklearn_is_fitted__(self) -> bool:
        return "_core" in vars(self)

    def _forget(self) -> None:
        """Return to the state before `fit`."""
        self.__dict__.pop("_core", None)

    def _shaping_parameters(self) -> dict[str, Any]:
        """Return the parameters that shape what `fit` builds."""
        parameters = self.get_params(deep=False)
        return {name: value for name, value in parameters.items() if name not in self._of_a_run}

    def _check_unchanged(self, but: Sequence[str] = ()) -> None:
        """Raise a ValueError if a parameter that shaped the networks was changed since `fit`."""
        for name, value in self._shaping_parameters().items():
            before = self._built_with[name]
            if name not in but and not _same(value, before):
                raise ValueError(
                    f"{name} was {short(before)} when {type(self).__name__} was fitted and is "
                    f"{short(value)} now, but it shapes what was built; set it back, or fit anew."
                )

    def _forced_categories(self, labels: Sequence[Hashable]) -> list[Hashable]:
        """Return the labels of the columns that `categorical_features` names."""
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
                    f"categorical_features names {short(item)}, which is not a column; "
                    f"columns: {listed(labels)}."
                )
        return [item if item in labels else labels[int(item)] for item in given]

    def _streams(self, random_state: Any) -> Streams:
        """Begin the random streams of one call of `sample`."""
        if random_state is None:
            self._n_draws += 1
            return Streams.begin([self._seed, self._n_draws], self._core.device)
        return Streams.begin(draw_seed(random_state), self._core.device)

    # ------------------------------------------------------------------ persistence

    def save(self, path: str | os.PathLike[str], card: Mapping[str, Any] | None = None) -> None:
        """Write the fitted estimator to one file, which `tabgan.load` reads.

        The file holds parameters, schema, weights and the state of the optimisers. It holds no
        training rows and no code. The schema includes categories, quantiles of numbers and rates,
        and a model with conditions keeps a histogram of them; so the file tells these about the
        training data.

        Parameters
        ----------
        path : str or Path
            The file to write. An existing regular file is replaced once the new one is whole, and
            keeps its permissions. Of a symbolic link, what the link points to is replaced.
        card : mapping of str to object or None, default=None
            What else the file shall say about the model, such as ``{"licence": "CC BY 4.0",
            "source": "census of 1994", "evaluation": report}``: texts, numbers, lists and dicts of
            these, and reports of `tabgan.evaluate`, of which the figures are kept. The file says of
            itself the versions of the packages, the parameters, the seed and how many rows were
            learnt. `tabgan.read_card` and ``tabgan info`` show the card. A model that is loaded and
            saved again keeps its card until it is trained further.

        Raises
        ------
        NotFittedError
            If the estimator was not fitted.
        OSError
            If the file cannot be written, or is no regular file.
        TypeError
            If `path` is no path, if `card` holds something else than described, if a column label
            or a category has no JSON form, or if the class is not one of tabgan's own.
        ValueError
            If a parameter that shapes the networks was changed after `fit`.

        Warns
        -----
        UserWarning
            If `callbacks` or `random_state` holds an object, which is saved as None.
        """
        check_is_fitted(self)
        self._check_unchanged(but=("device", "random_state"))
        save(self, path, card)

    def _get_values(self) -> dict[str, Any]:
        """Return the fitted state, except schemas and tensors, as values that have a JSON form."""
        return get_values(self) | self._core.values()

    def _set_values(self, values: dict[str, Any]) -> None:
        """Restore the values that `_get_values` returned, and build the networks.

        Parameters and schemas must be set before.
        """
        set_values(self, values)
        self._built_with = self._shaping_parameters()
        self._core = self._make_core()
        self._core.restore(values)

    def __getstate__(self) -> dict[str, Any]:
        """Pack tensors so that a pickle can be opened on a machine without the same GPU."""
        state = super().__getstate__().copy()
        if "_core" in state:
            buffer = io.BytesIO()
            torch.save(state.pop("_core"), buffer)
            state["_fitted"] = buffer.getvalue()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        fitted = state.pop("_fitted", None)
        super().__setstate__(state)
        if fitted is not None:
            try:
                device = resolve_device(self.device)
            except ValueError:
                device = torch.device("cpu")
            buffer = io.BytesIO(fitted)
            self._core = torch.load(buffer, map_location=device, weights_only=False)
            self._core.device = device

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.required = False
        return tags


def _same(one: Any, other: Any) -> bool:
    """Whether two values of a parameter are equal."""
    if one is other:
        return True
    arrays = np.ndarray | pd.Index | pd.Series
    if isinstance(one, arrays) or isinstance(other, arrays):
        return type(one) is type(other) and list(one) == list(other)
    return type(one) is type(other) and one == other
