"""Files written whole or not at all."""

from pathlib import Path

import pytest

from fewest.storage.files.atomic import replacing


@pytest.mark.parametrize("to_disk", [False, True])
def test_a_file_is_replaced_and_nothing_else_stays(tmp_path: Path, to_disk: bool) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", "utf-8")
    with replacing(target, suffix=".html", to_disk=to_disk) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".html")
        temporary.write_text("new", "utf-8")
        assert target.read_text("utf-8") == "old"
    assert target.read_text("utf-8") == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old", "utf-8")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half", "utf-8")
        raise RuntimeError
    assert target.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_writing_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "report.html"):
        pass
