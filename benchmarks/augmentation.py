r"""Does augmentation help a learner? Synthetic rows beside what else one can do with few rows.

    python benchmarks/augmentation.py --data DATA --out FILE.jsonl --half both
    python benchmarks/augmentation.py --out FILE.jsonl --summary \
        --plot docs/images_guide/augmentation.png
    python benchmarks/augmentation.py --smoke --out FILE.jsonl

Every method sees the same training rows of a table, and is scored with every learner on the same
test rows (`real_tables.py`, `learners.py`). A run writes one line of JSON for each table, number of
training rows, seed, method and learner, and leaves out what the file has already, so that a run may
be stopped at any time. Seeds are the outermost loop, so that what is there is balanced. `--jobs`
measures several cells at a time; set OMP_NUM_THREADS=1 then. A method that does not apply to a
learner or a table, or that fails, has a line that says so instead of figures.

The summary reads the lines and writes results/augmentation.json. A method's gain is its figure less
that of the learner alone, times 100. Where a method does not apply or fails, the learner alone is
left to the user, and the gain is 0. Settings that lack the line of any method are left out of the
summary; `--methods` takes a method out of it.

What chance does
----------------
Some settings are hurt by chance, whatever the method. Two figures enclose the share:

- "alone, another seed" is the learner alone with another `random_state`. That is the least that
  chance does; logistic regression and nearest neighbours have no randomness, and their gain is 0.
- "alone, bootstrap 1" and "alone, bootstrap 2" are the learner alone on two bootstrap samples of
  the training rows. They are compared with each other and not with the learner alone, as a
  bootstrap sample is worth less than the training rows. The share is half that of settings in
  which the two differ by more than a point, as either may be the better one. That is the most that
  chance does: a method that keeps the training rows moves a learner less than other rows do.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import commit, write
from comparing import compare_ranks, draw_ranks, interval, mean_over_tables
from imblearn.over_sampling import ADASYN, SMOTE, SMOTEN, SMOTENC, RandomOverSampler
from joblib import Parallel, delayed
from learners import (
    LARGER_IS_BETTER,
    LEARNERS,
    DoesNotApply,
    aligned_probabilities,
    class_scores,
    fit_with_class_weights,
    make_learner,
    number_scores,
)
from real_tables import SIZES, SOURCES, Split, half, names, sizes, split
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.model_selection import TunedThresholdClassifierCV, train_test_split

from tabgan import AugmentedClassifier, AugmentedRegressor, augment
from tabgan.pipeline import default_synthesizer

COPIES = 4
"""Rows added per training row by synthetic rows "as they come" and by jitter."""

JITTER = 0.1
"""Standard deviation of Gaussian jitter, in standard deviations of a column."""

N_BAGS = 10
MAIN_FIGURE = {"classes": "auc", "numbers": "r2"}
LEAST_R2 = -1.0
"""R squared has no lower bound; the summary takes lower values for this one."""

ALL = "all"
"""What stands for the learner of a method that uses all learners at once."""

KEY = ["table", "n", "seed", "method", "learner"]
SETTING = ["table", "n", "seed", "learner"]
CASE = ["table", "n", "learner"]

Table = tuple[pd.DataFrame, np.ndarray]


@dataclass
class Cell:
    """Training rows that all methods learn from, and what methods share.

    Attributes
    ----------
    split : Split
    is_numeric : bool
        Whether the target is a number.
    seed : int
    learners : sequence of str
        What the stack is made of.
    is_quick : bool
        Whether synthesizers train for a few steps only, as a test of this script does.
    saved_s : float
        CPU seconds of what was computed for an earlier method and is used again.
    """

    split: Split
    is_numeric: bool
    seed: int
    learners: Sequence[str] = LEARNERS
    is_quick: bool = False
    saved_s: float = 0.0
    _kept: dict[Any, tuple[Any, float]] = field(default_factory=dict)

    def once(self, make: Callable[[Cell], Any]) -> Any:
        """Return ``make(self)``, computed at most once; its seconds count every time."""
        if make in self._kept:
            value, seconds = self._kept[make]
            self.saved_s += seconds
            return value
        started = time.process_time() + self.saved_s
        value = make(self)
        self._kept[make] = value, time.process_time() + self.saved_s - started
        return value

    def learner(self, name: str, seed: int | None = None) -> Any:
        """Make an unfitted learner."""
        return make_learner(name, self.is_numeric, self.seed if seed is None else seed)

    def bootstrap(self, seed: int) -> Table:
        """Draw a bootstrap sample of the training rows, of each class by itself."""
        rng, y = np.random.default_rng(seed), self.split.y_train
        groups = np.zeros(len(y)) if self.is_numeric else y
        drawn = [
            rng.choice(rows, len(rows))
            for rows in (np.flatnonzero(groups == group) for group in np.unique(groups))
        ]
        rows = np.concatenate(drawn)
        return self.split.X_train.iloc[rows].reset_index(drop=True), y[rows]

    def scores(self, model: Any) -> dict[str, float]:
        """Score a fitted model on the test rows."""
        X, y = self.split.X_test, self.split.y_test
        if self.is_numeric:
            return number_scores(y, model.predict(X), float(np.median(self.split.y_train)))
        p = aligned_probabilities(model, X, len(np.unique(self.split.y_train)))
        return class_scores(y, p, model.predict(X))


# ------------------------------------------------------------------ methods


@dataclass(frozen=True)
class Method:
    """A way to make a fitted model from training rows.

    Attributes
    ----------
    fit : callable
        Takes a cell and the name of a learner; returns an object with ``predict`` and, for classes,
        ``predict_proba`` and ``classes_``. Raises `DoesNotApply` where it is not defined.
    for_classes, for_numbers : bool
    is_chance : bool
        Whether the method shows what chance does, and so has no rank.
    uses_all_learners : bool
        Whether the method is fitted once for all learners.
    """

    fit: Callable[[Cell, str], Any]
    for_classes: bool = True
    for_numbers: bool = True
    is_chance: bool = False
    uses_all_learners: bool = False


def on_rows(make_rows: Callable[[Cell], Table]) -> Callable[[Cell, str], Any]:
    """Fit a learner on other rows than the training rows; the rows are made once for a cell."""

    def fit(cell: Cell, name: str) -> Any:
        return cell.learner(name).fit(*cell.once(make_rows))

    return fit


def alone(cell: Cell, name: str) -> Any:
    return cell.learner(name).fit(cell.split.X_train, cell.split.y_train)


def another_seed(cell: Cell, name: str) -> Any:
    return cell.learner(name, cell.seed + 1000).fit(cell.split.X_train, cell.split.y_train)


def class_weights(cell: Cell, name: str) -> Any:
    return fit_with_class_weights(cell.learner(name), cell.split.X_train, cell.split.y_train)


def tuned_threshold(cell: Cell, name: str) -> Any:
    """Move the threshold of two classes for balanced accuracy; probabilities stay as they are."""
    if len(np.unique(cell.split.y_train)) > 2:
        raise DoesNotApply("TunedThresholdClassifierCV takes two classes.")
    tuned = TunedThresholdClassifierCV(cell.learner(name), random_state=cell.seed)
    return tuned.fit(cell.split.X_train, cell.split.y_train)


def oversampled(cell: Cell) -> Table:
    sampler = RandomOverSampler(random_state=cell.seed)
    return sampler.fit_resample(cell.split.X_train, cell.split.y_train)


def smote(cell: Cell) -> Table:
    """Level the classes by SMOTENC, or by SMOTE or SMOTEN where columns are of one kind.

    A row has as many neighbours as the smallest class allows, five at most.
    """
    X, y = imputed(cell.split.X_train), cell.split.y_train
    n_neighbors = min(5, int(np.bincount(y).min()) - 1)
    if n_neighbors < 1:
        raise DoesNotApply("a class has one row.")
    settings = {"k_neighbors": n_neighbors, "random_state": cell.seed}
    is_category = [isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes]
    if all(is_category):
        sampler = SMOTEN(**settings)
    elif any(is_category):
        sampler = SMOTENC(is_category, **settings)
    else:
        sampler = SMOTE(**settings)
    longer, labels = sampler.fit_resample(X, y)
    return longer.astype(dict(X.dtypes)), labels


def adasyn(cell: Cell) -> Table:
    """Level the classes by ADASYN, which is defined for numbers alone."""
    X, y = imputed(cell.split.X_train), cell.split.y_train
    if any(isinstance(dtype, pd.CategoricalDtype) for dtype in X.dtypes):
        raise DoesNotApply("ADASYN takes numbers alone.")
    n_neighbors = min(5, int(np.bincount(y).min()) - 1)
    if n_neighbors < 1:
        raise DoesNotApply("a class has one row.")
    sampler = ADASYN(n_neighbors=n_neighbors, random_state=cell.seed)
    try:
        return sampler.fit_resample(X, y)
    except (ValueError, RuntimeError) as error:
        # The classes are level already, or no row of a small class lies near another class.
        if "No samples will be generated" in str(error) or "Not any neigbours" in str(error):
            raise DoesNotApply(str(error).split(".")[0] + ".") from error
        raise


def imputed(X: pd.DataFrame) -> pd.DataFrame:
    """Put medians and most frequent categories where values are missing; numbers become floats."""
    columns = {
        name: column.fillna(column.mode()[0])
        if isinstance(column.dtype, pd.CategoricalDtype)
        else column.astype(float).fillna(column.median())
        for name, column in X.items()
    }
    return pd.DataFrame(columns)


def jittered(cell: Cell) -> Table:
    """Add copies of the training rows whose numbers have Gaussian noise; the target is kept."""
    X, y = cell.split.X_train, cell.split.y_train
    numbers = list(X.select_dtypes("number"))
    if not numbers:
        raise DoesNotApply("no column holds numbers.")
    rng = np.random.default_rng(cell.seed)
    X = X.astype(dict.fromkeys(numbers, float))
    copies = pd.concat([X] * COPIES, ignore_index=True)
    scale = JITTER * X[numbers].std(ddof=0).to_numpy()
    copies[numbers] += scale * rng.standard_normal((len(copies), len(numbers)))
    return pd.concat([X, copies], ignore_index=True), np.tile(y, COPIES + 1)


@dataclass
class Bag:
    """The mean of several fitted models."""

    models: Sequence[Any]
    classes_: np.ndarray | None

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Average the probabilities of the models."""
        assert self.classes_ is not None
        n_classes = len(self.classes_)
        return np.mean([aligned_probabilities(m, X, n_classes) for m in self.models], axis=0)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Average predicted numbers, or name the class that is most probable on average."""
        if self.classes_ is None:
            return np.mean([model.predict(X) for model in self.models], axis=0)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def bagging(cell: Cell, name: str) -> Bag:
    """Average learners on bootstrap samples; scikit-learn's own class would drop categories."""
    seeds = np.random.default_rng(cell.seed).integers(2**31, size=N_BAGS).tolist()
    models = [cell.learner(name, seed).fit(*cell.bootstrap(seed)) for seed in seeds]
    return Bag(models, None if cell.is_numeric else np.unique(cell.split.y_train))


def first_bootstrap(cell: Cell, name: str) -> Any:
    return cell.learner(name).fit(*cell.bootstrap(10_000 + cell.seed))


def second_bootstrap(cell: Cell, name: str) -> Any:
    return cell.learner(name, cell.seed + 1000).fit(*cell.bootstrap(20_000 + cell.seed))


def stack(cell: Cell, name: str) -> Any:
    """Stack all learners, whose predictions of held-out rows a linear model weighs."""
    learners = [(each, cell.learner(each)) for each in cell.learners]
    model = StackingRegressor(learners) if cell.is_numeric else StackingClassifier(learners)
    return model.fit(cell.split.X_train, cell.split.y_train)


def synthesizer_of(cell: Cell) -> Any:
    """Make the default synthesizer, unfitted."""
    synthesizer = default_synthesizer(random_state=cell.seed)
    few = {"n_steps": 5, "hidden_dim": 32, "acceptance_rounds": 0}
    return synthesizer.set_params(**few) if cell.is_quick else synthesizer


def joint_table(cell: Cell) -> pd.DataFrame:
    """Lay the target beside the features; classes are a categorical column."""
    y = cell.split.y_train
    target = pd.Series(y if cell.is_numeric else pd.Categorical(y))
    return cell.split.X_train.assign(**{TARGET: target})


TARGET = "target"
"""As the augmented estimators call a target without a name."""


def fitted_synthesizer(cell: Cell) -> Any:
    return synthesizer_of(cell).fit(joint_table(cell))


def augmented(cell: Cell, **amount: Any) -> Table:
    """Add rows of the synthesizer of the cell; the amount goes to `tabgan.augment`."""
    model = cell.once(fitted_synthesizer)
    longer = augment(joint_table(cell), model=model, random_state=cell.seed, **amount)
    y = longer[TARGET].to_numpy(dtype=cell.split.y_train.dtype)
    return longer.drop(columns=TARGET), y


def levelled(cell: Cell) -> Table:
    return augmented(cell, balance=TARGET)


def as_they_come(cell: Cell) -> Table:
    return augmented(cell, ratio=COPIES)


class SynthesizerOfCell(BaseEstimator):
    """The default synthesizer, fitted once a cell; its seconds count for each learner."""

    def __init__(self, cell: Any, random_state: Any = None) -> None:
        self.cell = cell
        self.random_state = random_state

    def __sklearn_clone__(self) -> SynthesizerOfCell:
        return SynthesizerOfCell(self.cell)

    def fit(self, X: pd.DataFrame, y: None = None) -> SynthesizerOfCell:
        """Take the cell's synthesizer, which has learnt the same table."""
        self.fitted_ = self.cell.once(fitted_synthesizer)
        assert list(X.columns) == list(self.fitted_.feature_names_in_)
        return self

    def sample(self, *arguments: Any, **options: Any) -> pd.DataFrame:
        """Draw rows from the cell's synthesizer."""
        return self.fitted_.sample(*arguments, **options)


@dataclass(frozen=True)
class AugmentedEstimator:
    """Fit `AugmentedClassifier` or `AugmentedRegressor` at its defaults around one learner."""

    name: str

    def __call__(self, cell: Cell) -> Any:
        """Return the fitted estimator."""
        make = AugmentedRegressor if cell.is_numeric else AugmentedClassifier
        learner, synthesizer = cell.learner(self.name), SynthesizerOfCell(cell)
        quick = {"cv": 2} if cell.is_quick else {}
        model = make(learner, synthesizer, random_state=cell.seed, **quick)
        return model.fit(cell.split.X_train, cell.split.y_train)


def augmented_estimator(cell: Cell, name: str) -> Any:
    return cell.once(AugmentedEstimator(name))


def balanced_estimator(cell: Cell, name: str) -> Any:
    """Let the augmented classifier decide for balanced accuracy; probabilities are the same."""
    model = copy.copy(cell.once(AugmentedEstimator(name)))
    return model.set_params(threshold="balanced")


METHODS = {
    "alone": Method(alone),
    "alone, another seed": Method(another_seed, is_chance=True),
    "alone, bootstrap 1": Method(first_bootstrap, is_chance=True),
    "alone, bootstrap 2": Method(second_bootstrap, is_chance=True),
    "class weights": Method(class_weights, for_numbers=False),
    "tuned threshold": Method(tuned_threshold, for_numbers=False),
    "random oversampling": Method(on_rows(oversampled), for_numbers=False),
    "SMOTENC": Method(on_rows(smote), for_numbers=False),
    "ADASYN": Method(on_rows(adasyn), for_numbers=False),
    "Gaussian jitter": Method(on_rows(jittered)),
    "bagging": Method(bagging),
    "stack": Method(stack, uses_all_learners=True),
    "default synthesizer, level": Method(on_rows(levelled), for_numbers=False),
    "default synthesizer, as they come x4": Method(on_rows(as_they_come)),
    "augmented estimator": Method(augmented_estimator),
    "augmented, balanced threshold": Method(balanced_estimator, for_numbers=False),
}
"""In this order; "augmented estimator" is `AugmentedClassifier` or `AugmentedRegressor`."""


# ------------------------------------------------------------------ running


def measure(cell: Cell, method: Method, learner: str) -> dict[str, Any]:
    """Fit and score one method with one learner.

    Returns
    -------
    entry : dict
        The figures, and the CPU seconds of fitting and of predicting; or "does_not_apply" or
        "failure", the reason why there are none.
    """
    cell.saved_s = 0.0
    started = time.process_time()
    try:
        model = method.fit(cell, learner)
        fitted = time.process_time()
        scores = cell.scores(model)
    except DoesNotApply as error:
        return {"does_not_apply": str(error)}
    except Exception as error:  # noqa: BLE001
        return {"failure": f"{type(error).__name__}: {error}"[:300]}
    return {
        **{name: round(value, 6) for name, value in scores.items()},
        "fit_cpu_s": round(fitted - started + cell.saved_s, 3),
        "predict_cpu_s": round(time.process_time() - fitted, 3),
    }


SMOKE_TABLES = {"classes": ("adult", "iris"), "numbers": ("diabetes",)}
"""Tables that need no archive."""

SMOKE_LEARNERS = ("linear", "neighbours")


def half_of(table: str) -> str:
    """Return the half of a table; "smoke" for those that tests of this script use besides."""
    return half(table) if table in SOURCES else "smoke"


def read_split(table: str, data: Path, n: int, seed: int) -> Split:
    """Draw training rows and test rows."""
    if table in SOURCES:
        return split(table, data, n, seed)
    X, y = load_iris(return_X_y=True, as_frame=True)
    parts = train_test_split(X, y.to_numpy(), train_size=n, stratify=y, random_state=seed)
    X_train, X_test, y_train, y_test = parts
    return Split(X_train.reset_index(drop=True), y_train, X_test.reset_index(drop=True), y_test)


def cells(options: argparse.Namespace) -> Iterator[tuple[str, str, int, int]]:
    """Yield kind of target, table, number of training rows and seed; seeds outermost."""
    kinds = ["classes", "numbers"] if options.kind == "both" else [options.kind]
    halves = ["design", "final"] if options.half == "both" else [options.half]
    found = []
    for kind in kinds:
        if options.smoke:
            found += [(kind, table, [100]) for table in SMOKE_TABLES[kind]]
        else:
            tables = [table for each in halves for table in names(each, kind == "numbers")]
            found += [(kind, table, sizes(table, options.data)) for table in tables]
    if options.tables is not None:
        found = [each for each in found if each[1] in options.tables]
    for seed in options.seeds:
        for n in options.sizes:
            for kind, table, allowed in found:
                if n in allowed:
                    yield kind, table, n, seed


def methods_of(kind: str, wanted: Sequence[str]) -> dict[str, Method]:
    """Return the wanted methods that there are for a kind of target."""
    return {
        name: method
        for name, method in METHODS.items()
        if name in wanted and (method.for_classes if kind == "classes" else method.for_numbers)
    }


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a run; a line that was cut off when a run was stopped is left out."""
    lines = []
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            print(f"left out: {line[:60]}")
    return lines


def run(options: argparse.Namespace) -> None:
    """Measure what the file lacks, cell by cell; `options.jobs` cells at a time."""
    done = {tuple(line[part] for part in KEY) for line in read_lines(options.out)}
    written = options.out.read_text(encoding="utf-8") if options.out.exists() else ""
    append(options.out, "" if written.endswith("\n") or not written else "\n")
    code = commit()
    work = Parallel(n_jobs=options.jobs, pre_dispatch="all", batch_size=1)
    work(delayed(run_cell)(options, done, code, *cell) for cell in cells(options))


def run_cell(
    options: argparse.Namespace,
    done: set[tuple[Any, ...]],
    code: str | None,
    kind: str,
    table: str,
    n: int,
    seed: int,
) -> None:
    """Measure what the file lacks of one cell, and append each line once it is known."""
    missing = [
        (name, method, learner)
        for name, method in methods_of(kind, options.methods).items()
        for learner in ([ALL] if method.uses_all_learners else options.learners)
        if (table, n, seed, name, learner) not in done
    ]
    if not missing:
        return
    warnings.simplefilter("ignore")
    rows = read_split(table, options.data, n, seed)
    stacked = options.learners if options.smoke else LEARNERS
    cell = Cell(rows, kind == "numbers", seed, stacked, options.smoke)
    for name, method, learner in missing:
        setting = dict(zip(KEY, (table, n, seed, name, learner), strict=True))
        about = {"kind": kind, "half": half_of(table), "commit": code}
        entry = measure(cell, method, learner)
        append(options.out, json.dumps({**setting, **about, **entry}) + "\n")
    print(f"{table} n={n} seed={seed}: {len(missing)} lines", flush=True)


def append(path: Path, text: str) -> None:
    """Append a text in one piece, so that processes may share a file."""
    with path.open("ab", buffering=0) as file:
        file.write(text.encode())


# ------------------------------------------------------------------ summary


def gains(lines: pd.DataFrame, figure: str) -> pd.Series:
    """Compute the gain of every line over the learner alone, in points.

    Parameters
    ----------
    lines : DataFrame
        Of one kind of target.
    figure : str
        The figure, a column of `lines`.

    Returns
    -------
    gains : Series
        By method and setting (`SETTING`), of settings that have a line of every method.
    """
    wide = expanded(lines).set_index([*SETTING, "method"])
    values = wide[figure].unstack("method")
    is_whole = wide["is_there"].unstack("method").notna().all(axis=1)
    values = values[is_whole].dropna(subset=["alone"])
    if figure == "r2":
        values = values.clip(lower=LEAST_R2)
    sign = 100 if LARGER_IS_BETTER[figure] else -100
    differences = sign * values.sub(values["alone"], axis=0)
    return differences.fillna(0.0).stack()


def expanded(lines: pd.DataFrame) -> pd.DataFrame:
    """Repeat the lines of methods that use all learners, once for each learner.

    A new column "is_there" is True, so that a line that is not there is told from a line without
    a figure once the lines are unstacked.
    """
    is_for_all = lines["learner"] == ALL
    learners = lines.loc[~is_for_all, ["learner"]].drop_duplicates()
    repeated = lines[is_for_all].drop(columns="learner").merge(learners, how="cross")
    return pd.concat([lines[~is_for_all], repeated], ignore_index=True).assign(is_there=True)


def summarize(lines: pd.DataFrame, kind: str) -> dict[str, Any]:
    """Summarize the lines of one half and one kind of target."""
    figure = MAIN_FIGURE[kind]
    by_setting = gains(lines, figure)
    settings = by_setting.index.droplevel("method").unique()
    # The mean over seeds, of each table, number of rows and learner.
    by_case = by_setting.groupby(["method", *CASE]).mean()
    tables = by_case.groupby(["table", "method"]).mean().unstack("method")
    families = pd.Series({t: SOURCES[t].family if t in SOURCES else t for t in tables.index})
    is_chance = [name for name in tables if METHODS[name].is_chance]
    mean_ranks = compare_ranks(tables.drop(columns=is_chance))
    worst = by_case.groupby(["table", "method"]).min().unstack("method").drop(columns=is_chance)
    worst_ranks = compare_ranks(worst)
    of_figures = {
        name: mean_over_tables(gains(lines, name).groupby(["method", *CASE]).mean())
        for name in LARGER_IS_BETTER
        if name in lines and lines[name].notna().any()
    }
    shares = lines.groupby("method")[["does_not_apply", "failure"]].agg(lambda c: c.notna().mean())
    seconds = lines.groupby(["method", "table"])[["fit_cpu_s", "predict_cpu_s"]].mean()
    seconds = seconds.groupby("method").mean()
    hurt_runs = mean_over_tables((by_setting < -1).astype(float))
    hurt_cases = mean_over_tables((by_case < -1).astype(float))
    methods = []
    for name in METHODS:
        if name not in tables:
            continue
        case = by_case[name].idxmin()
        methods.append(
            {
                "method": name,
                "gain": tables[name].mean(),
                "interval": interval(tables[name], families),
                "hurt_runs": hurt_runs[name],
                "hurt_cases": hurt_cases[name],
                "worst": {"gain": by_case[name].min(), "case": " ".join(map(str, case))},
                "mean_rank": mean_ranks["ranks"].get(name),
                "worst_rank": worst_ranks["ranks"].get(name),
                "fit_cpu_s": seconds["fit_cpu_s"][name],
                "predict_cpu_s": seconds["predict_cpu_s"][name],
                "does_not_apply": shares["does_not_apply"][name],
                "failed": shares["failure"][name],
                "by_figure": {each: values[name] for each, values in of_figures.items()},
                "by_learner": _means(by_case[name], ["learner"]),
                "by_n": _means(by_case[name], ["n"]),
                "by_learner_and_n": _means(by_case[name], ["learner", "n"]),
            }
        )
    return {
        "kind": kind,
        "figure": figure,
        "n_tables": len(tables),
        "n_settings": len(settings),
        "n_seeds": settings.get_level_values("seed").nunique(),
        "commits": sorted(lines["commit"].dropna().unique()),
        "by_chance": by_chance(by_setting),
        "methods": methods,
        "comparison": mean_ranks,
    }


def _means(by_case: pd.Series, levels: list[str]) -> dict[str, float]:
    """Average the gains of one method over tables, for each value of some levels of the index."""
    means = by_case.groupby([*levels, "table"]).mean().groupby(levels).mean()
    keys = [key if isinstance(key, tuple) else (key,) for key in means.index]
    return {", ".join(map(str, key)): v for key, v in zip(keys, means, strict=True)}


def by_chance(by_setting: pd.Series) -> dict[str, Any] | None:
    """Compute the shares of settings that new rows of training would hurt by more than a point.

    Returns
    -------
    shares : dict or None
        "runs", of settings of one seed, and "cases", of means over seeds: half the shares of
        settings in which two bootstrap samples differ by more than a point. None if the lines lack
        bootstrap samples.
    """
    wide = by_setting.unstack("method")
    pair = ["alone, bootstrap 1", "alone, bootstrap 2"]
    if not set(pair) <= set(wide):
        return None
    difference = wide[pair[0]] - wide[pair[1]]
    of_cases = difference.groupby(CASE).mean()
    return {
        name: float(((each.abs() > 1) / 2).groupby("table").mean().mean())
        for name, each in (("runs", difference), ("cases", of_cases))
    }


def summary(options: argparse.Namespace) -> None:
    """Print tables, write results/augmentation.json, and draw the ranks if asked to."""
    lines = pd.DataFrame(read_lines(options.out))
    for column in ("does_not_apply", "failure"):
        if column not in lines:
            lines[column] = np.nan
    lines = lines[lines["method"].isin(options.methods)].drop_duplicates(KEY, keep="last")
    lines["half"] = lines["table"].map(half_of)
    parts = []
    for (which, kind), part in lines.groupby(["half", "kind"], sort=False):
        found = {"half": which, **summarize(part, kind)}
        parts.append(_rounded(found))
        frame = pd.DataFrame(found["methods"]).set_index("method")
        print(f"\n{which}, {kind}: {found['n_tables']} tables, {found['n_settings']} settings")
        print(f"hurt by chance, by new rows: {found['by_chance']}")
        shown = ["gain", "interval", "hurt_runs", "hurt_cases", "mean_rank", "worst_rank"]
        shown += ["fit_cpu_s", "does_not_apply", "failed"]
        print(frame[shown].round(2).to_string())
        for key in ("by_learner", "by_n", "by_figure"):
            print(pd.DataFrame(dict(frame[key])).T.round(2).to_string())
        for name, worst in frame["worst"].items():
            print(f"worst of {name}: {worst['gain']:.1f} at {worst['case']}")
    write(options.name, parts)
    if options.plot is not None:
        draw(parts, options.plot)


def _rounded(value: Any) -> Any:
    """Round all numbers to four digits after the point."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) else round(float(value), 4)
    return value.item() if isinstance(value, np.generic) else value


def draw(parts: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw a critical-difference plot of each half and kind of target."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    from PIL import Image

    heights = [len(part["comparison"]["ranks"]) for part in parts]
    figure, axes = plt.subplots(
        len(parts),
        1,
        figsize=(9, 0.6 + 0.27 * sum(heights)),
        layout="constrained",
        squeeze=False,
        height_ratios=heights,
    )
    for ax, part in zip(axes[:, 0], parts, strict=True):
        title = f"{part['half']} half, {part['kind']}: mean rank over {part['n_tables']} tables"
        draw_ranks(part["comparison"], ax, title)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    with Image.open(path) as image:
        few = image.convert("L").quantize(16)
    few.save(path, optimize=True)
    print(f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark, or summarize what it has written."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the archives, see real_tables.py")
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines")
    parser.add_argument("--half", choices=["design", "final", "both"], default="design")
    parser.add_argument("--kind", choices=["classes", "numbers", "both"], default="both")
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--seeds", nargs="+", type=int, help="0 to 4 by default")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, help="all by default")
    parser.add_argument("--jobs", type=int, default=1, help="cells measured at the same time")
    parser.add_argument("--smoke", action="store_true", help="small tables, hardly any training")
    parser.add_argument("--summary", action="store_true", help="summarize what the file holds")
    parser.add_argument("--plot", type=Path, help="where the summary draws the ranks")
    parser.add_argument("--name", default="augmentation", help="name of the summary's results")
    options = parser.parse_args(arguments)
    options.seeds = options.seeds or ([0] if options.smoke else list(range(5)))
    options.learners = options.learners or (SMOKE_LEARNERS if options.smoke else LEARNERS)
    if options.summary:
        summary(options)
        return
    if options.data is None and not options.smoke:
        parser.error("--data is needed unless --smoke or --summary is given.")
    run(options)


if __name__ == "__main__":
    main()
