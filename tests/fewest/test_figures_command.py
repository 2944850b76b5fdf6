"""`fewest figures`, and the figures that a running study keeps for optuna-dashboard."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from helpers import command

from fewest import figures_command
from fewest.figures import Figures
from fewest.search.settings.files import load
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.records import VerifiedNetwork


@pytest.fixture
def study(url: str) -> str:
    """The URL of a storage with a study of ours, which has one trial."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(storage=optuna_storage(url), study_name="digits", directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    made.set_user_attr("settings", load("digits").settings())
    made.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    attributes = {"widths": [4], "neurons": 4, "parameters": 310, "seed": 0, "epochs": 30, "seconds": 1.0}
    made.add_trial(optuna.trial.create_trial(values=[4.0, 0.9], user_attrs=attributes))
    return url


def test_every_figure_is_written_as_svg_and_png(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[Path, Any] = {}
    monkeypatch.setattr("fewest.dashboards.pictures.write_pictures", asked.update)
    assert command("figures", "digits", "--output", tmp_path / "drawn", "--storage", study) == 0
    named = {path.name for path in asked}
    assert {"intervals.svg", "intervals.png", "front.svg", "timeline.png", "hypervolume-time.svg"} <= named
    assert len(named) == 22
    assert all(figure.layout.title.subtitle.text.startswith("digits: ") for figure in asked.values())
    assert capsys.readouterr().out.split() == [str(tmp_path / "drawn" / path.name) for path in asked]


def test_figures_can_be_drawn_on_dark_paper(study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[Path, Any] = {}
    monkeypatch.setattr("fewest.dashboards.pictures.write_pictures", asked.update)
    figures_command.write_figures("digits", study, tmp_path, dark=True)
    assert {figure.layout.template.layout.paper_bgcolor for figure in asked.values()} == {"#14181d"}


def test_without_a_browser_the_command_fails_with_one_line(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "missing"))
    assert command("figures", "digits", "--output", tmp_path / "drawn", "--storage", study) == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: Drawing pictures needs Chromium or Chrome, and none was found.")
    assert not (tmp_path / "drawn").exists()


def test_without_kaleido_it_says_how_to_install_it(
    study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    assert command("figures", "digits", "--output", tmp_path / "drawn", "--storage", study) == 1
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("Error: Drawing pictures needs 'kaleido'") and "[figures]" in line


def test_an_unknown_study_has_no_figures(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("figures", "digit", "--storage", study) == 2
    assert "Did you mean 'digits'?" in capsys.readouterr().err


# Those that a running study keeps


class Clock:
    """A clock that moves by `step` seconds whenever it is read."""

    def __init__(self) -> None:
        self.seconds, self.step = 0.0, 0.0

    def __call__(self) -> float:
        self.seconds += self.step
        return self.seconds


def running(verified: list[VerifiedNetwork]) -> Any:
    """What `Figures` asks of an open study; `kept` takes what is read for what is found."""
    config = load("digits")
    found = SimpleNamespace(
        study=SimpleNamespace(study_id=1),
        ours=SimpleNamespace(accuracies=[0.95]),
        config=config,
        trials=[],
        verified=verified,
        summary=SimpleNamespace(targets=()),
    )
    return SimpleNamespace(optuna=None, config=config, reading=lambda: nullcontext(found))


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The figures of each drawing."""
    drawings: list[dict[str, Any]] = []
    monkeypatch.setattr("fewest.figures.save_figures", lambda _, figures: drawings.append(figures))
    monkeypatch.setattr("fewest.figures.write_notes", lambda study, known: None)
    monkeypatch.setattr("fewest.figures.read_curves", lambda found, study_id: {})
    monkeypatch.setattr("fewest.figures.read_found", lambda found, name: found)
    return drawings


def test_intervals_are_kept_once_networks_are_verified(kept: list[dict[str, Any]]) -> None:
    Figures(running([])).refresh()
    Figures(running([VerifiedNetwork((8,), seed, 0.97, 0.97, 30, 0.1) for seed in range(5)])).refresh()
    assert [sorted(figures) for figures in kept] == [
        ["curves", "front", "hypervolume"],
        ["curves", "front", "hypervolume", "intervals"],
    ]


def test_what_takes_long_to_draw_is_drawn_seldom(kept: list[dict[str, Any]]) -> None:
    """A drawing of 4 seconds is followed by 200 without one."""
    clock = Clock()
    figures = Figures(running([]), clock)
    for moment, n_drawings in ((29.0, 0), (31.0, 1)):
        clock.seconds = moment
        clock.step = 4.0 if moment > 30 else 0.0
        figures.refresh_if_old()
        assert len(kept) == n_drawings
    clock.step, drawn_until = 0.0, clock.seconds
    for after, n_drawings in ((199.0, 1), (201.0, 2)):
        clock.seconds = drawn_until + after
        figures.refresh_if_old()
        assert len(kept) == n_drawings
