"""The report in a real browser with the network off: nothing asked for, usable and accessible at any width."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browsing, page_in
from test_report import data

from fewest.dashboards.report import write_report

NO_VIOLATION = "Found 0 accessibility violations:\n"

FITS_SOON = """() => new Promise(answer => {
  let frames = 600;
  const look = () => document.documentElement.scrollWidth <= innerWidth ? answer(true)
    : frames-- ? requestAnimationFrame(look) : answer(false);
  look();
})"""
"""Whether nothing is wider than the page, once figures have followed a new width."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module", params=[False, True], ids=["searching", "verified"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "mnist.html"
    write_report(path, data(verified=request.param))
    return path


@pytest.fixture(scope="module")
def axe() -> Any:
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.mark.slow
def test_it_opens_offline_and_for_everybody(browser: Any, axe: Any, report: Path) -> None:
    with page_in(browser, offline=True, color_scheme="light") as (page, heard):
        page.goto(report.as_uri())
        n_figures = page.locator("figure").count()
        page.locator("figure .cartesianlayer").nth(n_figures - 1).wait_for(state="attached")
        assert n_figures >= 4
        page.locator("summary").click()
        assert page.get_by_role("cell", name="softmax").first.is_visible()
        for width in (1600, 400):
            page.set_viewport_size({"width": width, "height": 1000})
            assert page.evaluate(FITS_SOON)
            assert axe.run(page).generate_report() == NO_VIOLATION
        page.emulate_media(color_scheme="dark")
        assert axe.run(page, options={"runOnly": ["color-contrast"]}).generate_report() == NO_VIOLATION
        assert heard.requests == [("GET", report.as_uri())]
        assert heard.complaints == []
