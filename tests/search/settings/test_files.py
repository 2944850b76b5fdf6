"""Overrides and study files: any text arrives as it was typed, and what cannot be read is one line."""

import os
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from fewest import cli
from fewest.search.settings.config import SettingsError, StudyConfig, shown
from fewest.search.settings.files import command_for, continued, load, overridden

STUDY = 'name = "mine"\n[data]\nname = "digits"\n[budget]\ntrials = 3\ntargets = [0.9]\n'

PATHS = ["🎉.npz", "naïve.npz", "a\"b'c.npz", "C:\\new\\x.npz", "two\nlines.npz", "a\x7fb\x01.npz", "#1 = [2].npz", "7"]


def refusal(study: str, *overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load(study, overrides)
    line = str(caught.value)
    assert line.isprintable()
    return line


# Overrides


@pytest.mark.parametrize("path", PATHS)
def test_a_data_path_given_on_the_command_line_arrives_as_it_is(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[StudyConfig] = []

    def submitted(config: StudyConfig, url: str) -> str:
        seen.append(config)
        return ""

    monkeypatch.setattr("fewest.train_commands.submit_study", submitted)
    result = CliRunner().invoke(cli.cli, ["submit", "digits", "--data", path], catch_exceptions=False)
    assert result.exit_code == 0
    assert seen[0].data.name == path


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_text_arrives_by_a_pair_and_by_the_printed_command(text: str) -> None:
    config = load("digits", [("data.name", text)])
    assert config.data.name == text
    words = shlex.split(command_for(config))
    assert load(words[2], words[4::2]) == config


@pytest.mark.parametrize("path", ["\udcff.npz", "a\ud83c.npz", "a\0.npz"])
def test_a_file_name_that_no_study_can_keep_is_one_line(path: str) -> None:
    assert refusal("digits", ("data.name", path)).startswith("`data.name` must be UTF-8 without NUL")
    assert refusal("digits", ("data.test", path)).startswith("`data.test` must be UTF-8 without NUL")
    assert refusal("digits", ("data.ignore", [path])).endswith("rename the column.")


@pytest.mark.parametrize("test", [0, 1.0, 2, -0.1, float("nan"), True, ["a.csv"], None])
def test_test_rows_are_a_share_or_a_path(test: object) -> None:
    said = f"`data.test` must be a share above 0 and below 1, or the path of a table, got {test!r}."
    assert refusal("digits", ("data.test", test)) == said


@pytest.mark.parametrize("text", ["1\nseed = 3", "7\n[data]", "1\r\nx.y = 2"])
def test_a_line_break_begins_no_other_setting(text: str) -> None:
    assert load("digits", [f"data.name={text}"]).data.name == text


@pytest.mark.parametrize("override", ["seed=" + "9" * 5000, "seed=" + "[" * 5000, "a\nb=1", "se\x7fed=1", "seed.x\n=1"])
def test_an_odd_override_is_one_line(override: str) -> None:
    refusal("digits", override)


def test_a_pair_is_checked_like_any_setting() -> None:
    with pytest.raises(SettingsError, match=r"`budget.trials` must be at least 1, got 0"):
        overridden(load("digits"), [("budget.trials", 0)])


@given(st.text())
def test_shown_text_is_one_line(text: str) -> None:
    assert shown(text).isprintable()


# Study files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(STUDY.replace("\n", line_end).encode(encoding))
    assert load(str(path)).name == "mine"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_told_to_be_saved_as_utf_8(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(STUDY.encode(encoding))
    assert refusal(str(path)).endswith("must be UTF-8 text, got UTF-16. Save it as UTF-8.")


def test_latin_1_is_told_to_be_saved_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes("# naïve".encode("latin-1"))
    assert refusal(str(path)).endswith("must be UTF-8 text, got other bytes. Save it as UTF-8.")


@pytest.mark.parametrize("content", ["a = " + "[" * 5000, "a = " + "9" * 5000, "name = "])
def test_what_is_no_toml_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    assert "is not valid TOML" in refusal(str(path))


@pytest.mark.parametrize("name", ["no\nwhere.toml", "a\0.toml", "x" * 300 + ".toml", "\udcff.toml", "~nobody/x.toml"])
def test_a_path_that_cannot_be_opened_is_one_line(name: str) -> None:
    assert "cannot be read" in refusal(name)


def test_a_folder_and_a_pipe_are_no_study_files(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("folder.toml", "pipe.toml"):
        assert "must be a regular file" in refusal(str(tmp_path / name))
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    assert "cannot be read" in refusal(str(tmp_path / "loop.toml"))


@pytest.mark.parametrize(
    ("before", "now", "kept"),
    [("answer", "front", "front"), ("depths", "answer", "depths"), ("front", "front", "front")],
)
def test_of_two_goals_the_further_one_counts(before: str, now: str, kept: str) -> None:
    one, other = (load("digits", [f"budget.goal={goal}"]) for goal in (before, now))
    assert continued(one, other).budget.goal == kept


def test_an_unknown_goal_is_one_line() -> None:
    with pytest.raises(SettingsError, match=r"`budget.goal` must be one of 'answer', 'front' or 'depths', got 'all'"):
        load("digits", ["budget.goal=all"])
