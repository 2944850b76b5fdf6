"""The dashboard's password: from a file or the environment, and never a short one."""

from pathlib import Path

import pytest

from fewest.dashboards import login
from fewest.dashboards.login import PASSWORD_VARIABLE
from fewest.storage.errors import MisuseError


@pytest.fixture(autouse=True)
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


def given_password(file: str | None) -> str | None:
    """What is given where there is nothing to warn of."""
    said: list[str] = []
    password = login.given_password(file, said.append)
    assert said == []
    return password


def kept(folder: Path, content: bytes) -> Path:
    """A file that only its owner reads."""
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_bytes(content)
    return file


def test_there_is_none_by_default() -> None:
    assert given_password(None) is None


def test_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, " swordfish ")
    assert given_password(None) == " swordfish "


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_goes_first_without_its_last_line_feed(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "swordfish")
    assert given_password(str(kept(tmp_path, f"two words ä{ending}".encode()))) == "two words ä"


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_can_read_is_warned_of(mode: int, tmp_path: Path) -> None:
    said: list[str] = []
    file = kept(tmp_path, b"swordfish")
    file.chmod(mode)
    assert login.given_password(str(file), said.append) == "swordfish"
    assert said == [f"Warning: other users can read the password in '{file}'. `chmod 600` keeps it to you."]


@pytest.mark.parametrize("password", ["", "\n", "1234567\n"])
def test_a_short_one_is_refused_and_not_shown(password: str, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"must have at least 8 characters, got [07]") as caught:
        given_password(str(kept(tmp_path, password.encode())))
    assert "1234567" not in str(caught.value)


def test_a_short_one_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    with pytest.raises(MisuseError, match=PASSWORD_VARIABLE):
        given_password(None)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00 not text"])
def test_a_file_that_cannot_be_read_is_one_line(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "password").write_bytes(content)
    with pytest.raises(MisuseError, match="`--password-file` must name a text file that can be read") as caught:
        given_password(str(tmp_path / "password"))
    assert "\n" not in str(caught.value)
