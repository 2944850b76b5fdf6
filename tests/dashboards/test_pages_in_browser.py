"""The pages that are files in a real browser with the network off: quiet, usable and accessible at any width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browsing, page_in
from synthetic import START
from test_comparison_page import compared
from test_report import data

from fewest.dashboards.comparison_report import render_comparison
from fewest.dashboards.report import render_report, write_page

NO_VIOLATION = "Found 0 accessibility violations:\n"

FITS_SOON = """() => new Promise(answer => {
  let frames = 600;
  const look = () => document.documentElement.scrollWidth <= innerWidth ? answer(true)
    : frames-- ? requestAnimationFrame(look) : answer(false);
  look();
})"""
"""Whether nothing is wider than the page, once figures have followed a new width."""

FIRST_INK = "() => getComputedStyle(document.querySelector('figure .xtick text')).fill"
"""The colour of a figure's text."""

LONG = "a study's name that nobody breaks: " + "x" * 120
REMARK = f"`fewest verify {LONG}` does it."

PAGES = {
    "searching": lambda: render_report(data()),
    "verified": lambda: render_report(data(verified=True)),
    "comparison": lambda: render_comparison(compared("relu", LONG, remarks=[REMARK]), START),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as browser:
        yield browser


@pytest.fixture(params=PAGES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    write_page(path, PAGES[request.param]())
    return path


@pytest.fixture(scope="module")
def axe() -> Any:
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.mark.slow
def test_it_opens_offline_and_for_everybody(browser: Any, axe: Any, file: Path) -> None:
    with page_in(browser, offline=True, color_scheme="light") as (page, heard):
        page.goto(file.as_uri())
        n_figures = page.locator("figure").count()
        assert n_figures >= (1 if page.get_by_text(LONG).count() else 4)
        page.locator("figure .cartesianlayer").nth(n_figures - 1).wait_for(state="attached")
        if page.locator("summary").count():
            page.locator("summary").click()
            assert page.get_by_role("cell", name="softmax").first.is_visible()
        assert page.evaluate(FITS_SOON)
        assert axe.run(page).generate_report() == NO_VIOLATION
        light = page.evaluate(FIRST_INK)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"light => ({FIRST_INK})() !== light", arg=light)
        page.set_viewport_size({"width": 400, "height": 1000})
        assert page.evaluate(FITS_SOON)
        assert axe.run(page).generate_report() == NO_VIOLATION
        assert heard.requests == [("GET", file.as_uri())]
        assert heard.complaints == []
