"""Check that no page of the built site asks for anything from outside: scripts, styles, pictures.

    python .ci/check_site.py docs/_build/html

Links that a reader follows may lead outside. Exits with 1 and names the pages that ask.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

# Attributes by which a page fetches something by itself, for each tag that has one.
FETCHES = {
    "audio": ["src"],
    "embed": ["src"],
    "iframe": ["src"],
    "img": ["src", "srcset"],
    "link": ["href"],
    "object": ["data"],
    "script": ["src"],
    "source": ["src", "srcset"],
    "video": ["src", "poster"],
}
# Links that browsers do not fetch.
RELATIONS = {"author", "canonical", "index", "license", "next", "prev", "search"}
OUTSIDE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:@import\s*|url\(\s*)['"]?((?:https?:)?//[^'")\s]+)""", re.IGNORECASE)


class Fetched(HTMLParser):
    """Collect what a page fetches from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at the attributes of one tag."""
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel") in RELATIONS:
            return
        addresses = [given[name] for name in FETCHES.get(tag, []) if name in given]
        self.found += [address for address in addresses if OUTSIDE.match(address)]
        self.found += IN_STYLE.findall(given.get("style", ""))


def main(site: Path) -> int:
    """Look at all pages and styles, and return the exit status."""
    pages = sorted(site.rglob("*.html"))
    if not pages:
        print(f"{site} has no pages.", file=sys.stderr)
        return 1
    failed = False
    for path in [*pages, *sorted(site.rglob("*.css"))]:
        text = path.read_text(encoding="utf-8")
        found = IN_STYLE.findall(text) if path.suffix == ".css" else []
        if path.suffix == ".html":
            page = Fetched()
            page.feed(text)
            found = page.found
        for address in found:
            print(f"{path.relative_to(site)} asks for {address}", file=sys.stderr)
            failed = True
    if not failed:
        print(f"{len(pages)} pages ask for nothing from outside")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
