"""The report as a page, in a real browser: complete in itself, and readable narrow and wide."""

from __future__ import annotations

import pytest
from browser import Browser, find_browser
from evaluation_cases import mixed_table, shuffled

from tabgan.evaluation import evaluate

pytestmark = pytest.mark.skipif(find_browser() is None, reason="needs a Chromium to open pages")

# Widths of the page and of the window, the narrowest picture, and what sticks out of the window.
MEASURE = """(() => {
  document.querySelector("details").open = true;
  const scrolls = (element) => element.closest(".scrolls") !== null;
  const parts = [...document.body.querySelectorAll("p, h1, h2, table, img, td, th")];
  return {
    page: document.documentElement.scrollWidth,
    window: innerWidth,
    pictures: [...document.images].map((image) => image.complete && image.naturalWidth > 0
                                       ? image.clientWidth : 0),
    outside: parts.filter((part) => !scrolls(part)
                          && part.getBoundingClientRect().right > innerWidth + 1).length,
    letters: parts.map((part) => parseFloat(getComputedStyle(part).fontSize)),
  };
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    train, test = mixed_table(300, 0), mixed_table(200, 1)
    names = {"size": "a_rather_long_name_of_a_column_" * 3, "kind": "<kind> & 'co'"}
    tables = [table.rename(columns=names) for table in (train, shuffled(train), test)]
    report = evaluate(*tables[:2], test=tables[2], target="large", audit=True)
    return report.to_html(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_asks_for_nothing_complains_of_nothing_and_fits(page, browser, width):
    seen = browser.visit(page, width, MEASURE)
    asked = [address for address in seen.requests if not address.startswith("data:")]
    assert asked == [page.as_uri()]
    assert seen.complaints == []
    assert seen.answer["window"] == width
    assert seen.answer["page"] <= width
    assert seen.answer["outside"] == 0
    assert len(seen.answer["pictures"]) == 8
    assert min(seen.answer["pictures"]) >= 300
    assert min(seen.answer["letters"]) >= 12


def test_the_browser_sees_requests_and_complaints(browser, tmp_path):
    """Else the test above could not fail."""
    page = tmp_path / "bad.html"
    page.write_text('<img src="picture.png"><script>console.log("x"); oops()</script>')
    seen = browser.visit(page, 400, "1 + 1")
    assert any(address.endswith("picture.png") for address in seen.requests)
    assert len(seen.complaints) >= 2
    assert seen.answer == 2
