"""Pictures: a real browser draws them, and where there is none one line says so."""

import shutil
from pathlib import Path

import pytest
from synthetic import trial

from fewest.dashboards.pictures import WIDTH, PictureError, require_folder, write_pictures
from fewest.dashboards.pruning import plot_pruning

PNG_START = b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_draws_svg_and_png(tmp_path: Path) -> None:
    figure = plot_pruning([trial(0)], 15)
    write_pictures({tmp_path / "new" / "one.svg": figure, tmp_path / "one.png": figure})
    svg, png = (tmp_path / "new" / "one.svg").read_text("utf-8"), (tmp_path / "one.png").read_bytes()
    assert svg.startswith("<svg") and "Nothing was pruned: 1 network trained 15 epochs" in svg
    assert png.startswith(PNG_START) and int.from_bytes(png[16:20], "big") == 2 * WIDTH
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "one.png"]


def test_without_a_browser_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "missing"))
    with pytest.raises(PictureError, match="needs Chromium or Chrome, and none was found") as caught:
        write_pictures({tmp_path / "new" / "one.svg": plot_pruning([], 15)})
    assert "\n" not in str(caught.value) and "BROWSER_PATH" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_one_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "figures"):
        with pytest.raises(PictureError, match=r"is no folder.*`--output`"):
            require_folder(folder)
    require_folder(tmp_path / "new" / "figures")
