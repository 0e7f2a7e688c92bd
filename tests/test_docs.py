"""Every Python block of the documentation runs, and every link and picture of it is there."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
# The blocks of this page quote files of the package, which tests/test_own_gan.py compares.
QUOTES = {"add_your_own_gan.md"}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MOST_BYTES, MOST_BYTES_IN_ALL = 80_000, 1_500_000


def sources() -> list[Path]:
    """Find the pages, those that a build has written left out."""
    found = [path.relative_to(DOCS) for path in DOCS.rglob("*.md")]
    return sorted(path for path in found if not path.parts[0].startswith("_"))


PAGES = sources()
PAGES_WITH_CODE = [
    page for page in PAGES if page.name not in QUOTES and BLOCK.search((DOCS / page).read_text())
]


def test_there_are_pages_with_code():
    assert len(PAGES_WITH_CODE) > 25


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=str)
def test_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    text = (DOCS / page).read_text(encoding="utf-8")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCK.finditer(text):
        # Empty lines in front, so that a traceback names the line of the page.
        code = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        with warnings.catch_warnings():
            # So few steps are too few for some models, which say so.
            warnings.filterwarnings("ignore", ".*has collapsed", UserWarning)
            exec(compile(code, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_of_a_page_lead_somewhere(page):
    folder = (DOCS / page).parent
    for target in LINK.findall((DOCS / page).read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert (folder / target).exists(), f"{page} links to {target}"


def test_pictures_of_the_guide_are_small_and_used():
    pictures = list((DOCS / "images_guide").glob("*.png"))
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < MOST_BYTES, picture.name
        assert f"images_guide/{picture.name}" in text, f"no page shows {picture.name}"
    assert sum(picture.stat().st_size for picture in pictures) < MOST_BYTES_IN_ALL


def test_every_system_has_a_page():
    import tabgan.models

    text = "".join((DOCS / page).read_text() for page in PAGES if page.parts[0] == "models")
    for name in tabgan.models.__all__:
        assert f"{{py:class}}`tabgan.{name}`" in text, name
