"""Data are what their fingerprint says: the file may move, and `--data` says where it is."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import command

from fewest.dashboards.found import found

pytestmark = pytest.mark.slow

SMALL = (
    *("--set", "training.epochs=2", "--set", "space.max_depth=0", "--set", "budget.verification_seeds=0"),
    *("--trials", 1, "--quiet"),
)


@pytest.fixture
def made(url, tiny_file, tmp_path, monkeypatch, capsys) -> Path:
    """A finished study 'digits' on `tiny.npz` in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert command("run", "digits", "--data", "tiny.npz", *SMALL, "--storage", url) == 0
    capsys.readouterr()
    return tiny_file


def name_of(url: str) -> str:
    return found("digits", url).config.data.name


@pytest.mark.parametrize("spelling", ["./tiny.npz", "{folder}/tiny.npz", "sub/../tiny.npz"])
def test_another_spelling_of_the_path_continues_the_study(spelling, made, url, tmp_path):
    (tmp_path / "sub").mkdir()
    path = spelling.format(folder=tmp_path)
    assert command("run", "digits", "--data", path, *SMALL, "--storage", url) == 0
    assert name_of(url) == path


def test_a_moved_file_is_asked_for_and_remembered(made, url, tmp_path, capsys):
    moved = tmp_path / "elsewhere" / "other name.npz"
    moved.parent.mkdir()
    made.rename(moved)
    assert command("verify", "digits", "--seeds", 3, "--quiet", "--storage", url) == 2
    assert "There is no file 'tiny.npz'. Say with `--data PATH` where it is" in capsys.readouterr().err
    assert command("verify", "digits", "--seeds", 3, "--data", moved, "--quiet", "--storage", url) == 0
    assert name_of(url) == str(moved)
    assert command("verify", "digits", "--seeds", 4, "--quiet", "--storage", url) == 0
    assert len(found("digits", url).verified) == 4


def test_a_study_is_resumed_and_helped_with_where_its_data_are_now(made, url, tmp_path):
    for place, words in (("a.npz", "resume"), ("b.npz", "worker")):
        made = made.rename(tmp_path / place)
        assert command(words, "digits", "--data", place, "--quiet", "--storage", url) == 0
    assert command("resume", "digits", "--data", "b.npz", "--quiet", "--storage", url) == 0
    assert name_of(url) == "b.npz"


def test_a_network_is_exported_where_the_data_are_now(made, url, tmp_path, capsys):
    made.rename(tmp_path / "moved.npz")
    export = ("export", "digits", "--trial", 0, "--output", "net.keras", "--storage", url)
    assert command(*export) == 2
    assert "`--data PATH`" in capsys.readouterr().err
    assert command(*export, "--data", "moved.npz") == 0
    assert (tmp_path / "net.keras").exists()


@pytest.mark.parametrize("words", [("run", "digits", *SMALL), ("resume", "digits"), ("verify", "digits", "--seeds", 3)])
def test_other_data_are_refused_in_one_line(words, made, url, tiny_arrays, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", **{**tiny_arrays, "x_train": tiny_arrays["x_train"][::-1]})
    assert command(*words, "--data", "other.npz", "--storage", url) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "Study 'digits' was made on other data: fingerprint" in line
    assert name_of(url) == "tiny.npz"


def test_other_data_are_refused_for_an_export_and_passed_over_by_a_worker(made, url, tiny_arrays, tmp_path, capsys):
    np.savez(tmp_path / "other.npz", **{**tiny_arrays, "y_train": tiny_arrays["y_train"][::-1]})
    export = ("export", "digits", "--trial", 0, "--output", "net.keras")
    assert command(*export, "--data", "other.npz", "--storage", url) == 2
    assert "was made on other data" in capsys.readouterr().err
    assert command("submit", "digits", "--name", "more", "--data", "tiny.npz", *SMALL[:-1], "--storage", url) == 0
    assert command("worker", "more", "--data", "other.npz", "--quiet", "--storage", url) == 0
    assert "Study 'more' is passed over: Study 'more' was made on other data" in capsys.readouterr().err


@pytest.mark.parametrize("names", [(), ("digits", "more")])
def test_a_worker_takes_a_place_for_one_study_only(names, made, url, capsys):
    assert command("worker", *names, "--data", "tiny.npz", "--storage", url) == 2
    assert f"`--data` must go with one study, got {len(names)}." in capsys.readouterr().err


def test_a_file_of_the_same_arrays_is_the_same_data(made, url, tmp_path):
    with np.load(made) as arrays:
        np.savez_compressed(tmp_path / "packed.npz", **arrays)
    shutil.copy(tmp_path / "packed.npz", tmp_path / "again.npz")
    assert command("resume", "digits", "--data", "again.npz", "--quiet", "--storage", url) == 0
