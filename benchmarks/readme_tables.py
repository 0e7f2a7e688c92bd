"""Print the README's tables from the committed results: python benchmarks/readme_tables.py."""

from __future__ import annotations

import json

from common import RESULTS

COLUMNS = {
    "shape": "Shape",
    "trend": "Trend, all pairs",
    "trend_strong": "Trend, strong pairs",
    "c2st": "C2ST",
    "mle": "MLE",
    "nearer_to_train": "nearer to train",
    "fit_s": "fit s",
    "rows_per_s": "rows/s",
    "peak_mb": "peak MB",
}


def main() -> None:
    """Print one Markdown table per real table, a line per model."""
    document = json.loads((RESULTS / "main_job.json").read_text())
    tables = dict.fromkeys(entry["table"] for entry in document["results"])
    for table in tables:
        print(f"\n**{table.capitalize()}**\n")
        print("| model | " + " | ".join(COLUMNS.values()) + " |")
        print("|---" * (len(COLUMNS) + 1) + "|")
        for entry in document["results"]:
            if entry["table"] == table:
                entry["mle"] = entry.get("mle_log_rmse", entry.get("roc_auc"))
                cells = [_shown(entry.get(name)) for name in COLUMNS]
                print(f"| {entry['model']} | " + " | ".join(cells) + " |")


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if value < 2 and isinstance(value, float) else f"{value:,.0f}"


if __name__ == "__main__":
    main()
