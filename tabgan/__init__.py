"""Adversarial generators for tables, with a scikit-learn interface.

A synthesizer learns a table in `fit` and draws synthetic rows in `sample`. Other classes of this
package use the same game between two networks to compute features, to find clusters, to translate
rows, to classify rows, or to generate sequences.

Examples
--------
>>> import tabgan
>>> from tabgan.datasets import make_mixed_table
>>> table = make_mixed_table(100, random_state=0)
>>> model = tabgan.AutoregressiveSynthesizer(n_steps=5, random_state=0).fit(table)
>>> synthetic = model.sample(5, random_state=0)
>>> synthetic.shape
(5, 10)
>>> bool((synthetic.dtypes == table.dtypes).all())
True
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tabgan.evaluation import evaluate
    from tabgan.imputation import SynthesizerImputer
    from tabgan.models import (
        AAEClusterer,
        AAESynthesizer,
        ARAESynthesizer,
        AutoregressiveSynthesizer,
        BiGANSynthesizer,
        CGANSynthesizer,
        CramerGANSynthesizer,
        CycleGANTranslator,
        DAGANAugmenter,
        DenoisingFeaturizer,
        DPSynthesizer,
        GAINImputer,
        GANSynthesizer,
        GenClassClassifier,
        InfoGANFeaturizer,
        LSGANSynthesizer,
        RCGANSynthesizer,
        SeqGANSynthesizer,
        SequenceARAESynthesizer,
        TeachingSynthesizer,
        WGANSynthesizer,
    )
    from tabgan.persistence import ModelFileError, load, read_card
    from tabgan.pipeline import AugmentedClassifier, AugmentedRegressor, GANSampler, augment
    from tabgan.table.conditions import ANY, PRESENT
    from tabgan.table.privacy import Privacy

__version__ = version("sklearn-tabgan")

__all__ = [
    "ANY",
    "PRESENT",
    "AAEClusterer",
    "AAESynthesizer",
    "ARAESynthesizer",
    "AugmentedClassifier",
    "AugmentedRegressor",
    "AutoregressiveSynthesizer",
    "BiGANSynthesizer",
    "CGANSynthesizer",
    "CramerGANSynthesizer",
    "CycleGANTranslator",
    "DAGANAugmenter",
    "DPSynthesizer",
    "DenoisingFeaturizer",
    "GAINImputer",
    "GANSampler",
    "GANSynthesizer",
    "GenClassClassifier",
    "InfoGANFeaturizer",
    "LSGANSynthesizer",
    "ModelFileError",
    "Privacy",
    "RCGANSynthesizer",
    "SeqGANSynthesizer",
    "SequenceARAESynthesizer",
    "SynthesizerImputer",
    "TeachingSynthesizer",
    "WGANSynthesizer",
    "augment",
    "evaluate",
    "load",
    "read_card",
]

_ROOMS = (
    "adversarial",
    "constraints",
    "dask",
    "datasets",
    "displays",
    "evaluation",
    "imputation",
    "models",
    "pipeline",
)
"""Packages that are imported on first access as an attribute, such as `tabgan.evaluation`."""

_HOMES = {"augment": "pipeline", "evaluate": "evaluation"}
_HOMES |= dict.fromkeys(["ModelFileError", "load", "read_card"], "persistence")
_HOMES |= {"SynthesizerImputer": "imputation"}
_HOMES |= dict.fromkeys(["ANY", "PRESENT"], "table.conditions")
_HOMES |= {"Privacy": "table.privacy"}
_HOMES |= dict.fromkeys(["AugmentedClassifier", "AugmentedRegressor", "GANSampler"], "pipeline")


def __getattr__(name: str) -> Any:
    """Import a public name on first access, because the import of torch takes seconds."""
    if name in _ROOMS:
        return import_module(f"tabgan.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'tabgan' has no attribute {name!r}")
    return getattr(import_module(f"tabgan.{_HOMES.get(name, 'models')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
