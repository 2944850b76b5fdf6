"""Outputs that are no regular files are written into; links, permissions and folders are left as they are."""

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import (
    STDOUT,
    is_stdout,
    is_stream,
    output_path,
    replacing,
    require_writable,
    write_whole,
)

ROOT = Path(__file__).parents[3]


def reason(target: Path) -> str:
    """Why an output is refused; nothing must have been written."""
    around = target.parent
    before = sorted(around.iterdir()) if around.is_dir() else []
    with pytest.raises(OSError) as caught:
        write_whole(target, b"new")
    assert (sorted(around.iterdir()) if around.is_dir() else []) == before
    return str(caught.value.strerror)


def test_a_named_pipe_stays_one_and_gets_the_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert is_stream(pipe)
    write_whole(pipe, b"x" * 200_000)
    reader.join()
    assert read == [b"x" * 200_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("linked", [False, True])
def test_a_device_stays_one(linked: bool, tmp_path: Path) -> None:
    target = Path("/dev/null")
    if linked:
        target = tmp_path / "link"
        target.symlink_to("/dev/null")
    before = Path("/dev/null").stat()
    write_whole(target, b"gone")
    after = Path("/dev/null").stat()
    assert (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    assert target.is_symlink() == linked


def test_a_full_device_says_so() -> None:
    with pytest.raises(OSError) as caught:
        write_whole(Path("/dev/full"), b"x")
    assert caught.value.errno == errno.ENOSPC
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_nothing_goes_into_a_pipe_when_writing_fails(tmp_path: Path) -> None:
    """Nobody reads: opening the pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RuntimeError), replacing(tmp_path / "pipe") as partial:
        partial.write_bytes(b"half")
        raise RuntimeError


def test_stdout_by_its_sign(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    target = output_path("-")
    assert is_stream(target)
    assert is_stdout(target)
    write_whole(target, b"\x00\xff")
    assert capsysbinary.readouterr().out == b"\x00\xff"


@pytest.mark.parametrize("name", ["/dev/stdout", "out"])
def test_a_file_that_stdout_goes_to_is_written_through_it(name: str, tmp_path: Path) -> None:
    """What was printed before and is printed after stands around it."""
    script = (
        "import sys; from pathlib import Path; from fewest.storage.files.atomic import write_whole\n"
        f"print('before'); write_whole(Path({name!r}), b'content\\n'); print('after')"
    )
    with (tmp_path / "out").open("wb") as file:
        subprocess.run(
            [sys.executable, "-c", script], check=True, stdout=file, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}
        )
    assert (tmp_path / "out").read_text() == "before\ncontent\nafter\n"


def test_stdout_that_is_closed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OSError, match="stdout is closed"):
        write_whole(STDOUT, b"x")


@pytest.mark.parametrize("exists", [True, False], ids=["file", "nothing yet"])
def test_a_link_keeps_being_one(exists: bool, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "elsewhere" / "real"
    if exists:
        real.write_text("old")
    (tmp_path / "link").symlink_to("elsewhere/real")
    (tmp_path / "link of a link").symlink_to("link")
    write_whole(tmp_path / "link of a link", b"new")
    assert real.read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link of a link").is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == [real]


@pytest.mark.parametrize("mode", [0o640, 0o600, 0o777])
def test_permissions_of_a_file_are_kept(mode: int, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.write_text("old")
    target.chmod(mode)
    write_whole(target, b"new")
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    write_whole(tmp_path / "new", b"new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to("circle")
    assert reason(tmp_path / "folder") == "it is a folder"
    assert reason(tmp_path / "no" / "a") == f"there is no folder '{tmp_path / 'no'}'"
    assert reason(tmp_path / "file" / "a") == f"there is no folder '{tmp_path / 'file'}'"
    assert reason(tmp_path / ("a" * 300)) == "File name too long"
    assert "symbolic links" in reason(tmp_path / "circle")


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_is_write_protected_is_refused_beforehand(
    which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renaming would replace a protected file; root, whom nothing stops, is told otherwise here."""
    target = tmp_path / "file"
    target.write_text("old")
    protected = target if which == "file" else tmp_path
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != protected)
    with pytest.raises(PermissionError, match="may not be written"):
        require_writable(target)
    assert reason(target).endswith("may not be written" if which == "folder" else "it may not be written")
    assert target.read_text() == "old"


def test_the_longest_name_that_fits_is_written(tmp_path: Path) -> None:
    for name in ("a" * 255, "ä" * 127):
        write_whole(tmp_path / name, b"new")
        assert (tmp_path / name).read_text() == "new"


def test_an_unknown_home_is_one_line() -> None:
    with pytest.raises(MisuseError, match=r"got '~nosuchuser/a': there is no such user\.") as caught:
        output_path("~nosuchuser/a")
    assert "\n" not in str(caught.value)


def test_a_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert output_path("~/report.html") == Path("/somewhere/report.html")
