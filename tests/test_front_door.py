"""The README and the tables that the documentation writes by itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import tabgan.models

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def make_benchmarks():
    """Return the script that writes the tables; the script imports benchmarks by bare names."""
    before = list(sys.path)
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import make_benchmarks

        yield make_benchmarks
    finally:
        sys.path[:] = before


def test_the_readme_is_short():
    assert len(README.encode()) <= 8192


@pytest.mark.parametrize("name", ["demo", "test"])
def test_the_readme_marks_its_two_commands(name):
    block = re.findall(rf"<!-- command: {name} -->\n```bash\n(.+)\n```\n", README)
    assert len(block) == 1


def test_the_readme_names_every_model():
    named = set(re.findall(r"^\| `(\w+)` \|", README, flags=re.MULTILINE))
    assert named == set(tabgan.models.__all__)


def test_the_readme_points_to_what_there_is():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert targets and not missing


def test_the_readme_holds_the_table_that_the_results_give(make_benchmarks):
    assert make_benchmarks.summary(make_benchmarks.read("fidelity")) in README


def test_every_generated_table_has_a_page(make_benchmarks, tmp_path):
    make_benchmarks.write(tmp_path)
    made = {path.stem for path in tmp_path.glob("*.md")}
    pages = (ROOT / "docs" / "benchmarks").glob("*.md")
    shown = {
        name
        for page in pages
        for name in re.findall(r"^```\{include\} generated/(\w+)\.md$", page.read_text(), re.M)
    }
    assert shown == made


def test_tables_have_as_many_cells_in_every_row(make_benchmarks, tmp_path):
    make_benchmarks.write(tmp_path)
    for path in tmp_path.glob("*.md"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for above, line in zip(lines, lines[1:], strict=False):
            if above.startswith("|") and line.startswith("|"):
                assert above.count("|") == line.count("|"), path
