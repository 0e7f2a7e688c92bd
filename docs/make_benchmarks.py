"""Write every table of the benchmark pages from ``benchmarks/results``.

    python docs/make_benchmarks.py FOLDER     # a Markdown file for each table
    python docs/make_benchmarks.py --summary  # the README's table of fidelity

The site's build calls `write`, so that no table on the site is typed, or out of date.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.append(str(BENCHMARKS))

from fidelity import MEASURES, cell  # noqa: E402
from fidelity_over_time import first_above  # noqa: E402
from rivals import (  # noqa: E402
    HALVES,
    LINES,
    PUBLISHED,
    averages,
    is_ours,
    other_lines,
    rungs,
    targets,
)

FIDELITY = {
    "c2st_xgb_test": "C2ST-XGB vs test",
    "c2st_xgb": "C2ST-XGB vs train",
    "c2st_trees": "C2ST trees",
    "c2st_mlp": "C2ST MLP",
    "trend": "Trend",
    "trend_all": "Trend, all pairs",
    "shape": "Shape",
}
USE_AND_PRIVACY = {
    "mle": "MLE",
    "beta_recall": "β-recall",
    "dcr": "DCR",
    "membership_distance": "attack, distance",
    "membership_density": "attack, density",
    "near_duplicates": "near duplicates",
}
COST = {"fit_s": "fit s", "rows_per_s": "rows/s", "peak_mb": "peak MB"}
SUMMARY_ROWS = {
    HALVES: "real rows against real rows",
    "AutoregressiveSynthesizer": "`AutoregressiveSynthesizer`",
    "ARAESynthesizer": "`ARAESynthesizer`",
    "WGANSynthesizer": "`WGANSynthesizer`",
}
SECONDS = ("fit_s", "fit_cpu_s", "seconds")
REAL_TABLES = ("adult", "shoppers", "beijing")
GAINS = {
    "auc": "AUC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "r2": "R²",
    "pinball": "pinball loss",
}

Entry = dict[str, Any]


def read(name: str) -> Any:
    """Read the results of one benchmark."""
    return json.loads((BENCHMARKS / "results" / f"{name}.json").read_text())["results"]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value: Any, digits: int = 3) -> str:
    """Write a number of a table; nothing for one that is not there."""
    if value is None or value != value:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"


def listing(entries: Iterable[Entry], columns: dict[str, str], digits: int = 3) -> str:
    """Write entries as a table, a row each; keys without a figure give empty cells."""
    rows = [[_shown(key, entry.get(key), digits) for key in columns] for entry in entries]
    return markdown(list(columns.values()), rows)


def _shown(key: str, value: Any, digits: int) -> str:
    if isinstance(value, str):
        return value
    if key in SECONDS and value is not None and value == value:
        return cell("fit_s", value)
    return number(value, digits)


# ---------------------------------------------------------------------- fidelity


def fidelity_tables(results: list[Entry], name: str) -> str:
    """Write the three tables of one real table: fidelity, use and privacy, and cost."""
    lines = averages(results, name)
    order = sorted(lines, key=lambda m: (m in LINES, not is_ours(m), -lines[m]["c2st_xgb_test"]))
    runs = [entry for entry in results if entry["table"] == name]
    n_train, n_test = max((entry["n_train"], entry["n_test"]) for entry in runs)
    measure = MEASURES[next(iter(lines.values()))["measure"]]
    parts = [f"{n_train:,} train rows, {n_test:,} test rows; MLE is {measure}.\n"]
    for title, columns in (
        ("Fidelity", FIDELITY),
        ("Use and privacy", USE_AND_PRIVACY),
        ("Cost", COST),
    ):
        rows = []
        for model in order:
            line = lines[model]
            cells = [cell(key, line.get(key), line["sd"].get(key)) for key in columns]
            if any(cells):
                seeds = str(line["seeds"]) + ", one thread" * (line.get("threads") == 1)
                rows.append([model, seeds, *cells])
        for label, figures in other_lines(name).items():
            cells = [cell(key, figures.get(key)) for key in columns]
            if any(cells):
                rows.append([label, "", *cells])
        parts.append(f"**{title}**\n\n" + markdown(["", "seeds", *columns.values()], rows))
    return "\n".join(parts)


def summary(results: list[Entry]) -> str:
    """Write the README's table: the honest judge on three tables, the published one beside it."""
    lines = {name: averages(results, name) for name in REAL_TABLES}
    header = ["C2ST-XGB, 1 is best"]
    header += [f"{name.capitalize()}, vs test" for name in REAL_TABLES]
    header += [f"{name.capitalize()}, vs train" for name in REAL_TABLES]
    rows = []
    for model, label in SUMMARY_ROWS.items():
        figures = [
            lines[name][model][key] for key in ("c2st_xgb_test", "c2st_xgb") for name in REAL_TABLES
        ]
        rows.append([label, *(f"{value:.3f}" for value in figures)])
    best = [max(by[name]["c2st_xgb"] for by in PUBLISHED.values()) for name in REAL_TABLES]
    rows.append(["best published figure", "", "", "", *(f"{value:.3f}" for value in best)])
    return markdown(header, rows)


def target_table(results: list[Entry]) -> str:
    """Write what was aimed at on each table, and what each synthesizer reached."""
    aims = targets(results)
    models = list(dict.fromkeys(aims["model"]))
    rows = []
    keys = ["table", "figure", "relation", "target"]
    for (table, figure, relation, aim), group in aims.groupby(keys, sort=False):
        by_model = group.set_index("model")
        cells = []
        for model in models:
            value = by_model["value"].get(model, float("nan"))
            shown = "" if value != value else cell(figure.split(",")[0], value)
            cells.append(f"**{shown}**" if shown and by_model["met"][model] else shown)
        rows.append([table, figure, f"{relation} {cell(figure.split(',')[0], aim)}", *cells])
    return markdown(["table", "figure", "target", *models], rows)


def rung_table(results: list[Entry]) -> str:
    """Write every published C2ST-XGB, and which synthesizers are above it."""
    steps = rungs(results)
    models = list(dict.fromkeys(steps["model"]))
    rows = []
    for (table, rung, published), group in steps.groupby(
        ["table", "rung", "published"], sort=False
    ):
        passed = group.set_index("model")["passed"]
        cells = ["" if m not in passed else "passed" if passed[m] else "no" for m in models]
        rows.append([table, f"{rung}, {published:.3f}", *cells])
    return markdown(["table", "rung", *models], rows)


def over_time() -> str:
    """Write the curve of each model, and how soon it passes each published figure."""
    frame = pd.DataFrame(read("fidelity_over_time"))
    figures = ["fit_cpu_s", "c2st_xgb", "trend", "mle"]
    parts = []
    for table, of_table in frame.groupby("table", sort=False):
        curves = of_table.groupby(["model", "n_steps"])[figures].mean()
        rows = [
            [
                model,
                f"{n_steps:,}",
                f"{p['fit_cpu_s']:.0f}",
                *(f"{p[name]:.3f}" for name in figures[1:]),
            ]
            for (model, n_steps), p in curves.iterrows()
        ]
        header = ["model", "steps", "fit CPU s", "C2ST-XGB vs train", "Trend", "MLE"]
        models = list(dict.fromkeys(of_table["model"]))
        published = {name: by[table]["c2st_xgb"] for name, by in PUBLISHED.items() if table in by}
        passed = []
        for name, value in sorted(published.items(), key=lambda rung: rung[1]):
            seconds = [first_above(curves.loc[model], value) for model in models]
            cells = ["not passed" if s is None else f"{s:.0f}" for s in seconds]
            passed.append([f"{name}, {value:.3f}", *cells])
        parts += [
            f"**{table.capitalize()}**\n",
            markdown(header, rows),
            "Shortest fit, in processor seconds, that passes a published C2ST-XGB vs train:\n",
            markdown(["published", *models], passed),
        ]
    return "\n".join(parts)


# ---------------------------------------------------------------------- techniques


def dirac() -> str:
    """Write the games of two numbers: distances after 500 steps, and eigenvalues."""
    rows = []
    for entry in read("techniques"):
        if entry["part"] == "dirac":
            values = ", ".join(
                f"{real:g}"
                + (f" {'+' if imaginary > 0 else '-'} {abs(imaginary):g}i" * bool(imaginary))
                for real, imaginary in entry["eigenvalues"]
            )
            rows.append([entry["game"], entry["technique"], f"{entry['distance']:.2f}", values])
    return markdown(["game", "technique", "distance after training", "eigenvalues"], rows)


def techniques() -> str:
    """Write what each technique gives a plain GAN on a real table."""
    entries = [entry for entry in read("techniques") if entry["part"] == "tables"]
    columns = {
        "technique": "plain GAN with",
        "table": "table",
        "c2st": "C2ST vs train",
        "trend": "Trend",
        "fit_s": "fit s",
        "n_steps": "steps",
        "discriminator": "last discriminator loss",
        "generator": "last generator loss",
    }
    return listing(entries, columns)


def losses() -> str:
    """Write how losses follow fidelity over training, as rank correlations."""
    rows = []
    for entry in read("techniques"):
        if entry["part"] == "losses":
            for pair, value in entry["rank_correlation"].items():
                rows.append([entry["table"], entry["model"], pair, f"{value:+.2f}"])
    return markdown(["table", "model", "loss with figure", "rank correlation"], rows)


# ---------------------------------------------------------------------- augmentation


def augmentation() -> str:
    """Write the tables of both halves."""
    return augmentation_tables(read("augmentation"))


def augmentation_tables(parts: Iterable[Entry]) -> str:
    """Write two tables for each half and kind of target: gains, and gains by what they go with.

    Bootstrap samples have no row: they are compared with each other, see `by_chance`.
    """
    texts = []
    for part in parts:
        methods = [each for each in part["methods"] if "bootstrap" not in each["method"]]
        rows = [
            [
                each["method"],
                f"{each['gain']:+.2f} ({each['interval'][0]:+.2f}, {each['interval'][1]:+.2f})",
                *(f"{each[key]:.0%}" for key in ("hurt_runs", "hurt_cases")),
                f"{each['worst']['gain']:+.1f}, {each['worst']['case']}",
                *(number(each[key], 1) for key in ("mean_rank", "worst_rank", "fit_cpu_s")),
                f"{each['does_not_apply'] + each['failed']:.0%}",
            ]
            for each in methods
        ]
        header = ["method", "gain (95 %)", "runs hurt", "cases hurt", "worst case"]
        header += ["rank by mean", "rank by worst", "fit s", "no figure"]
        more = {
            f"{prefix}{GAINS.get(key, key)}": (group, key)
            for group, prefix in (("by_figure", ""), ("by_learner", ""), ("by_n", "n = "))
            for key in methods[0][group]
        }
        more_rows = [
            [each["method"], *(f"{each[group][key]:+.1f}" for group, key in more.values())]
            for each in methods
        ]
        chance = part["by_chance"]
        by_chance = (
            ""
            if chance is None
            else (
                f" Other training rows alone hurt {chance['runs']:.0%} of runs and "
                f"{chance['cases']:.0%} of cases."
            )
        )
        texts += [
            f"**{part['half'].capitalize()} half, {part['kind']}**: {part['n_tables']} tables, "
            f"{part['n_settings']:,} runs of {part['n_seeds']} seeds, points of "
            f"{GAINS[part['figure']]}.{by_chance}\n",
            markdown(header, rows),
            markdown(["gain in", *more], more_rows),
        ]
    return "\n".join(texts)


# ---------------------------------------------------------------------- gaps

IMPUTATION = {
    "method": "method",
    "energy": "energy",
    "rank energy": "rank",
    "learner": "learner",
    "rank learner": "rank",
    "learner, draws": "learner, draws",
    "rank learner, draws": "rank",
    "nrmse": "nrmse",
    "best nrmse": "nrmse, best guess",
    "accuracy": "accuracy",
    "best accuracy": "accuracy, best guess",
    "median seconds": "seconds",
}
COVERED = {
    f"covered {what}, {mechanism}": f"{what}, {mechanism}"
    for what in ("means", "coefficients")
    for mechanism in ("mcar", "mar", "mnar")
}


def imputation() -> str:
    """Write the figures of all imputers, and how often their intervals cover the truth."""
    found = read("imputation")
    entries = [{"method": name, **figures} for name, figures in found["methods"].items()]
    return "\n".join(
        [
            f"Means over {found['n_settings']} settings:\n",
            listing(entries, IMPUTATION),
            "Share of 95 % intervals that cover the truth:\n",
            listing(entries, {"method": "method", **COVERED}, digits=2),
        ]
    )


def features() -> str:
    """Write the gains of latent features beside the raw columns, by learner and labelled rows."""
    texts = []
    means = pd.DataFrame(read("features")["means"])
    for (half, form), part in means.groupby(["half", "form"], sort=False):
        part = part.assign(at=part["learner"] + ", " + part["n"].astype(str))
        order = list(dict.fromkeys(part["at"]))
        rows = [
            [system, *(f"{own[at]:+.1f}" if at in own else "" for at in order)]
            for system, of_system in part.groupby("system", sort=False)
            for own in [dict(zip(of_system["at"], of_system["gain"], strict=True))]
        ]
        texts += [f"**{half.capitalize()} half, {form}**\n", markdown(["system", *order], rows)]
    return "\n".join(texts)


# ---------------------------------------------------------------------- rules


def constraints() -> str:
    """Write one line for each made table: means over seeds, without rules and with them."""
    entries = pd.DataFrame(read("constraints"))
    lines = []
    for name in dict.fromkeys(entries["table"]):
        of_table = entries[entries["table"] == name]
        without, with_rules = (of_table[of_table["rules"] == kept] for kept in (False, True))
        line: dict[str, Any] = {"table": name}
        line["broken, no rules"] = f"{without['broken_rows'].mean():,.0f}"
        line["broken, rules"] = f"{with_rules['broken_rows'].max():,.0f}"
        for column, title, form in (
            ("c2st", "C2ST", "{:.3f}"),
            ("fit_cpu_s", "fit s", "{:.0f}"),
            ("sample_cpu_s", "sample s", "{:.2f}"),
        ):
            both = [form.format(part[column].mean()) for part in (without, with_rules)]
            line[f"{title}, no rules / rules"] = " / ".join(both)
        line["of sample: rules, s"] = f"{with_rules['rule_cpu_s'].mean():.3f}"
        lines.append(line)
    return markdown(list(lines[0]), [list(line.values()) for line in lines])


# ---------------------------------------------------------------------- privacy

AUDITED = {
    "copy": "copies",
    "redrawn": "redrawn rows",
    "jitter": "jittered copies",
    "tenth": "a copy of one row in ten",
    "fresh": "fresh rows",
    "autoregressive": "`AutoregressiveSynthesizer`",
    "autoregressive x10": "ten times as many rows of it",
}
AUDIT_FIGURES = {
    "singling_out_univariate": "singling out, one column",
    "singling_out_multivariate": "singling out, several",
    "linkability": "linkability",
    "inference": "inference",
    "membership_shadow_auc": "shadow models AUC",
    "membership_auc": "membership AUC",
    "membership_tpr_1": "found at 1 %",
    "membership_tpr_01": "found at 0.1 %",
    "outliers_auc": "outliers AUC",
    "extremes": "extremes",
}


def audit() -> str:
    """Write one line for each audited table of synthetic rows: means over seeds."""
    entries = read("audit")
    rows = []
    for name in dict.fromkeys(entry["table"] for entry in entries):
        for (case, shown), shadows in product(AUDITED.items(), (False, True)):
            key = (name, case, shadows)
            runs = [e for e in entries if (e["table"], e["case"], e["shadows"]) == key]
            if not runs:
                continue
            shown += ", with shadow models" if shadows else ""
            figures = [
                np.mean([e["figures"][key][0] for e in runs if key in e["figures"]] or [np.nan])
                for key in AUDIT_FIGURES
            ]
            at_risk = [e["rows at risk"]["above_0.5"] / e["rows at risk"]["attacked"] for e in runs]
            seconds = np.median([e["processor seconds"] for e in runs])
            rows.append(
                [f"{name}, {runs[0]['rows']:,} rows", shown, str(len(runs))]
                + [number(np.mean([e["mean risk"] for e in runs])), *map(number, figures)]
                + [f"{np.mean(at_risk):.0%}", f"{seconds:.0f}"]
            )
    header = ["table", "synthetic rows", "seeds", "mean risk", *AUDIT_FIGURES.values()]
    return markdown([*header, "rows at risk", "processor s"], rows)


WITHHELD_FITS = {
    "c2st": "C2ST-XGB vs test",
    "trend_test": "Trend vs test",
    "trend_common": "same bins",
    "shape": "Shape",
    "trend": "Trend, strong pairs, vs train",
    "mle": "MLE",
}
WITHHELD_ATTACKS = {
    "distance_auc": "attack, distance",
    "density_auc": "attack, density",
    "shape": "Shape",
    "trend": "Trend",
    "trend_common": "same bins",
}


def withheld_fits() -> str:
    """Write one line for each model, table and `privacy`: means over seeds."""
    lines: dict[tuple[str, ...], list[Entry]] = {}
    for entry in read("withheld_fits"):
        key = (entry["table"], entry["model"], number(entry["rows"]), entry["privacy"])
        lines.setdefault(key, []).append(entry)
    order = sorted(lines, key=lambda key: (key[0] not in REAL_TABLES, key))
    rows = [
        [*key, str(len(lines[key]))]
        + [number(np.mean([entry[figure] for entry in lines[key]])) for figure in WITHHELD_FITS]
        for key in order
    ]
    return markdown(["table", "model", "rows", "privacy", "seeds", *WITHHELD_FITS.values()], rows)


def withheld_rows(is_encoded: bool) -> str:
    """Write what is withheld of few rows: under attack, or only encoded and decoded."""
    figures = {k: v for k, v in WITHHELD_ATTACKS.items() if not (is_encoded and "auc" in k)}
    entries = [e for e in read("withheld") if ("encoded" in e["model"]) == is_encoded]
    entries.sort(key=lambda e: (e["table"], e["rows"], e["privacy"]))
    rows = [
        [e["table"], number(e["rows"]), e["privacy"], str(e.get("seeds", 1))]
        + [number(e["mean"].get(figure)) for figure in figures]
        for e in entries
    ]
    return markdown(["table", "rows", "privacy", "seeds", *figures.values()], rows)


BOUNDS = {
    "model": "model",
    "rows": "rows",
    "reading_cpu_seconds": "before training, s",
    "training_cpu_seconds": "training, s",
    "after_cpu_seconds": "after training, s",
    "table_mb": "table, MB",
    "before_peak_mb": "peak before, MB",
    "peak_mb": "peak, MB",
}


def bounds() -> str:
    """Write what follows training on millions of rows, a line for each model and size."""
    return listing(read("bounds"), BOUNDS, digits=1)


# ---------------------------------------------------------------------- what we tried to break

TRIED = {
    "tables": "random tables",
    "files": "corrupt files",
    "kills": "kills",
    "interrupts": "interrupts",
    "disks": "full disk",
    "at_once": "at once",
    "attacks": "attacks on privacy",
}
REFUSED = "refused: "


def adversarial_day() -> str:
    """Write how often each part was tried and what happened, and the risks that attacks found."""
    entries = read("adversarial_day")
    rows, details = [], []
    for part, shown in TRIED.items():
        blocks = [entry for entry in entries if entry["part"] == part]
        if not blocks:
            continue
        counts: dict[str, int] = {}
        for block in blocks:
            for told, n in block["counts"].items():
                told = "refused clearly" if told.startswith(REFUSED) else told
                counts[told] = counts.get(told, 0) + n
        failed = counts.pop("failed", 0)
        tried, hours = (sum(block[key] for block in blocks) for key in ("tried", "seconds"))
        rows.append([shown, f"{tried:,}", f"{failed:,}", f"{hours / 60:,.0f}"])
        most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        details.append([shown, "; ".join(f"{told} {n:,}" for told, n in most)])
    parts = [
        markdown(["", "tried", "failed", "minutes"], rows),
        markdown(["", "outcomes"], details),
    ]
    figures = [
        found
        for entry in entries
        if entry["part"] == "attacks"
        for found in entry["figures"].values()
    ]
    if figures:
        risks = [
            [AUDITED[case], number(np.mean([found["risks"][case] for found in figures]))]
            for case in figures[0]["risks"]
        ]
        title = (
            f"Mean risk that the audit finds, 300 rows of the mixed table, {len(figures)} seeds:"
        )
        parts.append(f"{title}\n\n" + markdown(["synthetic rows", "mean risk"], risks))
    return "\n".join(parts)


# ---------------------------------------------------------------------- many categories

CATEGORY_FIGURES = {
    "tie": ("tie", "{:.3f}"),
    "r2": ("R2", "{:.3f}"),
    "real_r2": ("R2, real", "{:.3f}"),
    "c2st": ("C2ST", "{:.3f}"),
    "c2st_test": ("C2ST, test", "{:.3f}"),
    "mle": ("MLE", "{:.3f}"),
    "real_mle": ("MLE, real", "{:.3f}"),
    "unseen": ("unseen pairs", "{:.3f}"),
    "unseen_test": ("unseen, test", "{:.3f}"),
    "fit_seconds": ("fit s", "{:.0f}"),
    "rows_per_second": ("rows/s", "{:,.0f}"),
    "peak_gb": ("peak GB", "{:.2f}"),
}


def many_categories() -> str:
    """Write one line for each table and way: means over seeds."""
    entries = pd.DataFrame(read("many_categories"))
    lines = []
    for (name, way), of_way in entries.groupby(["table", "way"], sort=False):
        line = [name, way, str(len(of_way))]
        for figure, (_, form) in CATEGORY_FIGURES.items():
            mean = of_way[figure].mean() if figure in of_way else np.nan
            line.append("" if np.isnan(mean) else form.format(mean))
        lines.append(line)
    titles = [title for title, _ in CATEGORY_FIGURES.values()]
    return markdown(["table", "way", "seeds", *titles], lines)


# ---------------------------------------------------------------------- linked numbers


def linked() -> str:
    """Write one table of all linked tables, one line for each way to learn them."""
    entries = read("linked")
    rows = []
    for name in dict.fromkeys(entry["table"] for entry in entries):
        for way, label in (("links", "with equations"), ("none", "without")):
            own = [e for e in entries if e["table"] == name and e["way"] == way]
            if not own:
                continue
            if not own[0]["equations"]:
                searched = " ".join(f"{e['search_cpu_s']:.1f}" for e in own)
                rows.append([name, "no equations", *[""] * 5, "", searched, ""])
                continue

            def told(figure: str, own: list[Entry] = own) -> str:
                return " ".join(f"{e[figure]:.3f}" for e in own)

            rows.append(
                [
                    name,
                    f"{label} ({len(own[0]['equations'])})" if way == "links" else label,
                    told("c2st_xgb"),
                    told("c2st_xgb_test"),
                    told("real_c2st_xgb"),
                    *(" ".join(_relations(e, i) for e in own) for i in (0, 1)),
                    " ".join(f"{e['fit_cpu_s']:.0f}" for e in own),
                    " ".join(f"{e['search_cpu_s']:.1f}" for e in own),
                    " ".join(f"{e['cpu_s_for_50000_rows']:.1f}" for e in own),
                ]
            )
    header = ["table", "learnt", "C2ST-XGB vs train", "vs test", "test rows vs train"]
    header += ["explained (off by)", "exact (off by)", "CPU s, fit", "search", "50,000 rows"]
    return markdown(header, rows)


def _relations(entry: Entry, place: int) -> str:
    """Write the mean of a figure over relations, and the greatest distance from the test rows."""
    made = [figures[place] for figures in entry["relations"].values()]
    real = [figures[place] for figures in entry["real_relations"].values()]
    off = max(abs(one - other) for one, other in zip(made, real, strict=True))
    return f"{sum(made) / len(made):.3f} ({off:.3f})"


# ---------------------------------------------------------------------- differential privacy


PRIVATE = {
    "tv_2": "2-way, vs train",
    "tv_3": "3-way, vs train",
    "tv_2_test": "2-way, vs test",
    "tv_3_test": "3-way, vs test",
    "trend": "Trend",
    "mle": "MLE",
}


def differential_privacy() -> str:
    """Write one table for each real or made table, a line for each epsilon and system."""
    return differential_privacy_tables(read("differential_privacy"))


def differential_privacy_tables(entries: list[Entry]) -> str:
    """Write means over seeds; a fit that was ended says after how many processor seconds."""
    parts = []
    header = ["epsilon", "system", "seeds", *PRIVATE.values(), "fit CPU s", "peak MB"]
    for name in dict.fromkeys(entry["table"] for entry in entries):
        own = [entry for entry in entries if entry["table"] == name]
        rows = []
        for epsilon, system in sorted({(e["epsilon"], e["system"]) for e in own}):
            runs = [e for e in own if (e["epsilon"], e["system"]) == (epsilon, system)]
            rows.append(_private_line(epsilon, system, runs))
        n_rows = f"{own[0]['n_train']:,} train rows, {own[0]['n_columns']} columns"
        title = f"**{name.replace('_', ' ').capitalize()}**, {n_rows}\n"
        parts.append(f"{title}\n{markdown(header, rows)}")
    return "\n".join(parts)


def _private_line(epsilon: float, system: str, runs: list[Entry]) -> list[str]:
    shown = "" if system == "real test rows" else f"{epsilon:g}"
    ended = [e["ended_after_cpu_s"] for e in runs if "ended_after_cpu_s" in e]
    runs = [e for e in runs if "ended_after_cpu_s" not in e]
    if not runs:
        return [shown, system, "0", *[""] * len(PRIVATE), f"ended after {max(ended):,}", ""]
    figures = pd.DataFrame(runs)
    means = {key: figures[key].mean() if key in figures else None for key in PRIVATE}
    cost = [
        number(figures[key].mean(), digits) if key in figures else ""
        for key, digits in (("fit_cpu_s", 1), ("peak_mb", 0))
    ]
    return [shown, system, str(len(runs)), *(number(means[key]) for key in PRIVATE), *cost]


# ---------------------------------------------------------------------- on demand


def on_demand() -> str:
    """Write one table of all parts: means over seeds, one column for each real table."""
    entries = read("on_demand")
    names = [name for name in REAL_TABLES if any(e["table"] == name for e in entries)]
    found: dict[str, dict[str, list[str]]] = {}

    def put(table: str, line: str, value: str) -> None:
        found.setdefault(line, {}).setdefault(table, []).append(value)

    for entry in entries:
        table, figures = entry["table"], entry["figures"]
        for each in figures:
            if entry["part"] == "speed":
                known = each["known"]
                line = known if isinstance(known, str) else f"{known} known columns"
                put(table, f"rows/s, {line}", f"{each['rows_per_s']:,} ({each['honoured']:.0%})")
            elif entry["part"] == "target":
                measure = "auc" if "auc" in each else "r2"
                of_trees = each[f"{measure}_trees"]
                put(
                    table,
                    "target hidden, AUC or R² (trees)",
                    f"{each[measure]:.3f} ({of_trees:.3f})",
                )
                if "agree" in each:
                    put(
                        table,
                        "drawn targets that are right (expected)",
                        f"{each['agree']:.3f} ({each['agree_expected']:.3f})",
                    )
            elif entry["part"] == "refill":
                put(table, "five columns drawn anew, C2ST-XGB", f"{each['c2st_xgb']:.3f}")
            elif entry["part"] == "rare":
                put(
                    table,
                    "rare condition, distance (noise)",
                    f"{each['distance']:.3f} ({each['distance_by_noise']:.3f})",
                )
            elif entry["part"] == "cost":
                put(
                    table,
                    "fit s (without any-order networks)",
                    f"{each['fit_s']} ({each['fit_s_without']})",
                )
                put(table, "C2ST-XGB vs test", f"{each['c2st_xgb_test']:.3f}")
        if entry["part"] == "columns":
            ratios = [each["score"] / each["trees"] for each in figures if each["trees"] > 0.05]
            ratio = sum(ratios) / len(ratios)
            put(table, "every column hidden, mean of ours over trees", f"{ratio:.3f}")
    rows = [
        [line, *("; ".join(of_table.get(name, [])) for name in names)]
        for line, of_table in found.items()
    ]
    return markdown(["figure", *names], rows)


# ---------------------------------------------------------------------- one system each


SCALING = {
    "size": "",
    "fit_cpu_seconds": "fit s",
    "read_cpu_seconds": "of which before training",
    "steps": "steps",
    "fit_peak_mb": "peak MB of the fit",
    "cpu_rows_per_second": "rows/s of a core",
    "peak_mb": "peak MB with sampling",
    "imports_peak_mb": "MB of imports",
}


def scaling(what: str) -> str:
    """Table time and memory over the sizes of one kind."""
    found = [entry for entry in read("scaling") if entry["what"] == what]
    columns = {**SCALING, "size": what}
    rows = [
        [f"{entry['size']:,}", *(f"{entry[key]:,}" for key in list(columns)[1:])]
        for entry in sorted(found, key=lambda entry: entry["size"])
    ]
    return markdown(list(columns.values()), rows)


def _plain(name: str, columns: dict[str, str], digits: int = 3) -> Callable[[], str]:
    return lambda: listing(read(name), columns, digits)


def cyclegan() -> str:
    """Write the errors of translated rows for each table, column by column."""
    parts = []
    for table, group in itertools.groupby(read("cyclegan"), key=lambda entry: entry["table"]):
        entries = list(group)
        columns = {
            "rows": "rows",
            "seed": "seed",
            "changed_columns": "changed columns",
            "other_columns": "other columns",
        }
        columns |= {key: key for key in entries[0] if key.startswith("of ")}
        columns |= {"auc_on_b": "AUC on B", "n_steps": "steps", "fit_s": "fit s"}
        parts.append(f"{table.capitalize()}:\n\n{listing(entries, columns)}")
    return "\n\n".join(parts)


def dagan() -> str:
    """Write the accuracies on classes never seen, by rows a class."""
    entries = [
        {
            **entry,
            "accuracy": f"{entry['mean']:.3f} ± {entry['std']:.3f}",
            "over_alone": _gain(entry.get("gain"), entry.get("gain_error")),
        }
        for entry in read("dagan")
    ]
    columns = {
        "table": "table",
        "k": "real rows a class",
        "rows": "rows learnt from",
        "classifier": "classifier",
        "accuracy": "accuracy",
        "over_alone": "gain over the real rows alone",
        "strengths": "strengths chosen",
        "count": "runs",
        "n_steps": "steps",
    }
    measured = [name for name in columns if any(entry.get(name) for entry in entries)]
    return listing(entries, {name: columns[name] for name in measured})


def _gain(gain: float | None, error: float | None) -> str:
    """Write a gain beside its standard error, if both were measured."""
    if gain is None:
        return ""
    return f"{gain:+.3f}" if error is None else f"{gain:+.3f} ± {error:.3f}"


def genclass() -> str:
    """Write the accuracies on classes known by their attributes alone, and their means."""
    entries = read("genclass")
    figures = ["seen", "unseen", "harmonic_mean", "unseen_among_unseen"]
    means = pd.DataFrame(entries).groupby(["table", "model"], sort=False)[figures].mean()
    shown = [
        {**entry, "split": ", ".join(map(str, entry["unseen_classes"]))} for entry in entries
    ] + [
        {"table": table, "split": "mean", "model": model, **row}
        for (table, model), row in means.iterrows()
    ]
    columns = {
        "table": "table",
        "split": "unseen classes",
        "model": "model",
        "seen": "seen",
        "unseen": "unseen",
        "harmonic_mean": "harmonic mean",
        "unseen_among_unseen": "unseen among unseen",
        "fit_s": "fit s",
    }
    return listing(shown, columns)


def teaching() -> str:
    """Write how well learners do that were taught on a few hundred rows."""
    entries = read("teaching")
    columns = {
        "table": "table",
        "rows": "rows",
        "n_rows": "number of rows",
        "accuracy_after_1": "accuracy after 1 step",
        "accuracy_after_8": "8 steps",
        "accuracy_after_32": "32 steps",
        "rate": "learning rate",
        "n_steps": "training steps",
        "fit_s": "fit s",
    }
    correlations = {"table": "table", "rows": "rows", "rank_correlation": "rank correlation"}
    return "\n".join(
        [
            listing([e for e in entries if "n_rows" in e], columns),
            "Rank correlation of what learners score on these rows with what they score in the "
            "end:\n",
            listing([e for e in entries if "rank_correlation" in e], correlations),
        ]
    )


def waves() -> str:
    """Write how near asked-for waves are to real ones."""
    found = read("sequences")["waves"]
    rows = []
    for wave in ("sine", "sawtooth"):
        for figure in ("offset", "frequency", "amplitude"):
            both = found[wave][figure]
            rows.append(
                [wave, f"{figure}, KS distance", *map(number, (both["ks"], both["ks_of_real"]))]
            )
        error = found[wave]["error"]
        rows.append(
            [wave, "error about the fitted wave", number(error["made"]), number(error["real"])]
        )
    rows.append(
        [
            "both",
            "labelled as asked",
            *map(number, (found["labelled_as_asked"], found["judge_on_real"])),
        ]
    )
    text = markdown(["wave", "figure", "synthetic", "real"], rows)
    return text + f"\n{found['n_steps']:,} steps, {found['fit_s']:,.0f} s.\n"


def chain() -> str:
    """Write the likelihoods of categorical sequences of a known Markov chain."""
    columns = {
        "model": "sequences of",
        "nll_under_truth": "nats a step under the truth",
        "nll_of_real": "of real ones under a chain fitted to them",
        "real_under_model": "of real ones under the model",
        "fit_s": "fit s",
    }
    return listing(read("sequences")["chain"], columns)


def beijing_days() -> str:
    """Write the scores of days of hourly weather."""
    columns = {
        "model": "days of",
        "discriminative": "discriminative score, 0 is best",
        "predictive": "predictive score, lower is better",
        "seconds": "fit s",
    }
    return listing(read("sequences")["beijing"], columns)


def prices() -> str:
    """Write the figures of windows of one long series of prices."""
    found = read("sequences")["prices"]
    rows = [
        ["standard deviation of returns", *map(number, pair(found["spread_of_returns"]))],
        ["clustering of large returns", *map(number, pair(found["clustering"]))],
        ["rows that break a rule", number(found["broken_rules"]), "0"],
        ["discriminative score, 0 is best", number(found["discriminative"]), ""],
    ]
    text = markdown(["figure", "synthetic", "real"], rows)
    return text + f"\n{found['n_steps']:,} steps, {found['fit_s']:,.0f} s.\n"


def pair(figures: dict[str, float]) -> tuple[float, float]:
    """Return a figure of synthetic and of real sequences."""
    return figures["made"], figures["real"]


def sdmetrics() -> str:
    """Write our figures beside SDMetrics' of the same rows."""
    document = json.loads((BENCHMARKS / "results" / "sdmetrics_agreement.json").read_text())
    rows = []
    for name, found in document["comparisons"].items():
        for figure in ("shape", "trend", "trend_strong"):
            both = found[figure]
            values = [f"{both[k]:.4f}" for k in ("tabgan", "sdmetrics")]
            difference = f"{both['difference']:.0e}" if both["difference"] else "0"
            rows.append([name, figure.replace("_", ", "), *values, difference])
        both = found["c2st_xgboost"]
        shown = [
            f"{both[k]['median']:.4f} ({both[k]['lowest']:.4f} to {both[k]['highest']:.4f})"
            for k in ("tabgan", "sdmetrics")
        ]
        rows.append([name, "C2ST, XGBoost", *shown, ""])
        seconds = found["shape and trend seconds"]
        rows.append(
            [
                name,
                "shape and trend, seconds",
                *(f"{seconds[k]:.2f}" for k in ("tabgan", "sdmetrics")),
                "",
            ]
        )
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    table = markdown(["synthetic rows", "figure", "tabgan", "SDMetrics", "difference"], rows)
    return f"{table}\nVersions: {versions}.\n"


def digits() -> str:
    """Write what is found and made of handwritten digits, and the means over seeds."""
    columns = {
        "seed": "seed",
        "infogan": "InfoGAN's codes, classes from ten starts, agree",
        "agreement": "InfoGAN's codes, classes found in the game, agree",
        "aae": "neighbours in the AAE's plane agree",
        "cgan": "CGAN's digits read as asked",
    }
    figures = ("matched_accuracy", "plane_knn_accuracy", "made_as_asked")
    table = pd.DataFrame(read("digits"))
    table["figure"] = table[list(figures)].bfill(axis=1).iloc[:, 0]
    seeds = table.pivot(index="seed", columns="part", values="figure")
    seeds = seeds.reindex(columns=[part for part in columns if part in seeds])
    rows = [{"seed": str(seed), **row} for seed, row in seeds.to_dict("index").items()]
    mean = {"seed": "mean", **seeds.mean().to_dict()}
    return listing([*rows, mean], {key: columns[key] for key in ("seed", *seeds)})


def processes() -> str:
    """Write what several processes gain, one line for each way to divide the cores."""
    results = json.loads((BENCHMARKS / "results" / "processes.json").read_text())["results"]
    rows = []
    for what, shapes in results["medians"].items():
        is_rate = what == "rows a second"
        for shape, each in shapes.items():
            shown = [
                f"{each[part]:,.0f}" if is_rate else f"{1000 * each[part]:.1f}"
                for part in ("wall", "processor")
            ]
            rows.append([what if is_rate else f"{what}: ms a step", shape, *shown])
    load = f"Programs that wanted to run, mean of five minutes: {results['load']:.1f}.\n\n"
    return load + markdown(["what", "processes x threads", "wall", "processor"], rows)


def machines() -> str:
    """Name the processors and versions of the fidelity figures."""
    found = json.loads((BENCHMARKS / "results" / "fidelity.json").read_text())["machines"]
    lines = set()
    for machine in found.values():
        versions = ", ".join(
            f"{name} {number}" for name, number in machine["versions"].items() if number
        )
        threads = f"{machine['threads']} thread" + "s" * (machine["threads"] > 1)
        lines.add(f"- {machine['processor']}, {threads}, Python {machine['python']}: {versions}")
    return "\n".join(sorted(lines)) + "\n"


CRAMER = {
    "table": "table",
    "model": "model",
    "c2st": "C2ST",
    "c2st_categorical": "C2ST, categories alone",
    "c2st_numeric": "C2ST, numbers alone",
    "trend_categorical": "Trend, categories",
    "trend_mixed": "Trend, mixed",
    "trend_numeric": "Trend, numbers",
    "shape_categorical": "Shape, categories",
    "shape_numeric": "Shape, numbers",
    "mle_auc": "MLE",
    "n_steps": "steps",
    "fit_cpu_s": "fit s",
}
ROUND_TRIP = {
    "model": "codes of",
    "cells_right": "categorical cells right",
    "rank_error": "error in ranks, numbers",
    "auc_features_alone": "AUC, features alone",
    "auc": "AUC, columns and features",
    "fit_cpu_s": "fit s",
}
CLUSTERS = {
    "model": "model",
    "accuracy": "accuracy",
    "matched_accuracy": "accuracy, matched",
    "logistic_regression": "logistic regression",
    "fit_cpu_s": "fit s",
}


def pages() -> dict[str, Callable[[], str]]:
    """Name every table and what writes it."""
    real, small = read("fidelity"), read("fidelity_small")
    made: dict[str, Callable[[], str]] = {
        "summary": lambda: summary(real),
        "targets": lambda: target_table(real),
        "rungs": lambda: rung_table(real),
        "over_time": over_time,
        "machines": machines,
        "dirac": dirac,
        "techniques": techniques,
        "losses": losses,
        "augmentation": augmentation,
        "imputation": imputation,
        "features": features,
        "on_demand": on_demand,
        "linked": linked,
        "processes": processes,
        "constraints": constraints,
        "audit": audit,
        "withheld_fits": withheld_fits,
        "withheld_attacks": partial(withheld_rows, False),
        "withheld_encoded": partial(withheld_rows, True),
        "adversarial_day": adversarial_day,
        "bounds": bounds,
        "differential_privacy": differential_privacy,
        "many_categories": many_categories,
        "cramer": _plain("cramer", CRAMER),
        "round_trip": _plain("autoencoders_round_trip", ROUND_TRIP),
        "clusters": _plain("autoencoders_digits", CLUSTERS),
        "digits": digits,
        "cyclegan": cyclegan,
        "dagan": dagan,
        "genclass": genclass,
        "teaching": teaching,
        "waves": waves,
        "chain": chain,
        "beijing_days": beijing_days,
        "prices": prices,
        "sdmetrics": sdmetrics,
        **{f"scaling_{what}": partial(scaling, what) for what in ("rows", "columns", "categories")},
    }
    for prefix, results in (("real", real), ("small", small)):
        for name in dict.fromkeys(entry["table"] for entry in results):
            made[f"{prefix}_{name}"] = lambda results=results, name=name: fidelity_tables(
                results, name
            )
    return made


def write(folder: Path) -> None:
    """Write all tables; files that would not change are left alone, so that pages stay built."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in pages().items():
        path, text = folder / f"{name}.md", make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def main() -> None:
    """Print the summary, or write all tables."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--summary":
        print(summary(read("fidelity")))
    else:
        write(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
