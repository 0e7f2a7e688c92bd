"""Files of small models of each version, which later versions must read.

``python tests/golden_files.py`` writes those of the present version, where they are not there yet.
Files that were released are never written again.
"""

from __future__ import annotations

import json
from pathlib import Path

import contract
import contract_sequences  # noqa: F401  Found by the models that learn sequences.
import numpy as np
import pandas as pd

import tabgan

FOLDER = Path(__file__).parent / "golden"
NAMES = ("cgan", "gain", "gan with rules", "imputer", "infogan, polars", "seqgan, array")


def made_by(model):
    """Return twenty rows that a model makes, as a pandas DataFrame."""
    if hasattr(model, "add_indicator"):
        return model.sample(contract.narrow_table().head(20), n_draws=1, random_state=0)[0]
    rows = model.sample(20, random_state=0)
    if isinstance(rows, np.ndarray):
        return pd.DataFrame(rows.reshape(len(rows), -1))
    return rows.to_pandas() if hasattr(rows, "to_pandas") else rows


def described(rows):
    """Describe rows by what no machine changes: dtypes, and values that are no floats."""
    found = {}
    for name, values in rows.items():
        is_float = pd.api.types.is_float_dtype(values.dtype)
        texts = None if is_float else values.astype(object).map(str).tolist()
        found[str(name)] = {"dtype": str(values.dtype), "values": texts}
    return found


def main():
    import corruptions

    folder = FOLDER / tabgan.__version__
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        path = folder / f"{name.replace(', ', '_').replace(' ', '_')}.tabgan"
        if not path.exists():
            path.write_bytes(corruptions.model_file(name)[2])
            rows = described(made_by(tabgan.load(path, device="cpu")))
            path.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
