"""The page about the Python interface says what the docstrings say."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_made_from_the_docstrings_as_they_are() -> None:
    made = runpy.run_path(str(DOCS / "make_api.py"))["page"]()
    assert (DOCS / "api.md").read_text() == made, "run `python docs/make_api.py`"
    assert "## `fewest.search`" in made
