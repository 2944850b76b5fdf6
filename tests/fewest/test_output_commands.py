"""Where `fewest report` and `fewest export` write: files, links, pipes, devices and stdout, and what they refuse."""

import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import command

from fewest.search.export.export import FORMATS


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a storage with one small study."""
    url = f"sqlite:///{tmp_path_factory.mktemp('storage') / 's.db'}"
    sets = ("training.epochs=2", "space.max_width=4", "budget.verification_seeds=0")
    options = [part for setting in sets for part in ("--set", setting)]
    assert command("run", "digits", *options, "--trials", 2, "--quiet", "--storage", url) == 0
    return url


COMMANDS = {"report": ("report", "digits"), "export": ("export", "digits", "--trial", 0, "--format", "onnx")}
each_command = pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())


def is_whole(content: bytes, words: tuple[object, ...], folder: Path) -> bool:
    """Whether this is all that the command writes."""
    if words[0] == "report":
        return content.startswith(b"<!DOCTYPE html>") and content.rstrip().endswith(b"</html>")
    (folder / "copy.onnx").write_bytes(content)
    return len(FORMATS["onnx"].run(folder / "copy.onnx", np.zeros((3, 8, 8), np.uint8))) == 3


@each_command
def test_a_dash_is_stdout_and_nothing_else_goes_there(
    words: tuple[object, ...],
    storage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(*words, "--output", "-", "--storage", storage) == 0
    out, err = capsysbinary.readouterr()
    assert list(tmp_path.iterdir()) == []
    assert is_whole(out, words, tmp_path)
    assert b"/dev/stdout" in err


def test_an_export_to_stdout_needs_its_format(storage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("export", "digits", "--trial", 0, "--output", "-", "--storage", storage) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: `--format` must be given for an output whose name does not end in one")


@each_command
def test_a_named_pipe_is_written_into(words: tuple[object, ...], storage: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert command(*words, "--output", pipe, "--storage", storage) == 0
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert is_whole(read[0], words, tmp_path)


@each_command
def test_a_device_stays_one(words: tuple[object, ...], storage: str) -> None:
    assert command(*words, "--output", "/dev/null", "--storage", storage) == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@each_command
def test_a_link_stays_one_and_its_file_keeps_its_mode(words: tuple[object, ...], storage: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real = tmp_path / "folder" / "real.onnx"
    real.write_text("old")
    real.chmod(0o640)
    link = tmp_path / "link.onnx"
    link.symlink_to(real)
    assert command(*words, "--output", link, "--storage", storage) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert is_whole(real.read_bytes(), words, tmp_path)


REFUSED = {
    "/dev/full": "No space left on device",
    "folder.onnx": "it is a folder",
    "missing/a.onnx": "there is no folder 'missing'",
    f"{'a' * 300}.onnx": "File name too long",
    "~nosuchuser/a.onnx": "there is no such user",
}


@each_command
@pytest.mark.parametrize(("output", "said"), REFUSED.items(), ids=[name[:14] for name in REFUSED])
def test_what_cannot_be_written_is_one_line(
    words: tuple[object, ...],
    output: str,
    said: str,
    storage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.onnx").mkdir()
    assert command(*words, "--output", output, "--storage", storage) in (1, 2)
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]
    assert list((tmp_path / "folder.onnx").iterdir()) == []


def test_a_file_called_dash_is_written_as_such(storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("report", "digits", "--output", "./-", "--storage", storage) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["-"]


def test_a_home_is_found(storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert command("report", "digits", "--output", "~/a.html", "--storage", storage) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
