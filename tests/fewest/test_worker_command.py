"""`fewest submit` and `fewest worker`: what they say, whom they help, what they pass over."""

import os
import signal
from collections.abc import Callable

import optuna
import pytest
from helpers import command

from fewest.dashboards.found import all_studies
from fewest.job import Manner
from fewest.search.study.pace import Pace
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.records import StudyRecord

TINY = (
    "--trials",
    "4",
    "--set",
    "training.epochs=2",
    "--set",
    "space.max_width=4",
    "--set",
    "data.validation_share=0.5",
)


def submit(url: str, *more: object) -> int:
    return command("submit", "digits", *TINY, "--set", "budget.verification_seeds=0", "--storage", url, *more)


def waiting(pause: Callable[[float], None]) -> Manner:
    """Waits for work by calling a function."""
    return Manner(pace=Pace(sleep=pause))


def studies_of(url: str) -> dict[str, StudyRecord]:
    return {study.name: study for study in all_studies(url)}


def test_a_submitted_study_waits_for_a_worker_which_trains_and_ends_it(url, capsys):
    assert submit(url) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"Study 'digits' has 4 of 4 networks left to train. `fewest worker digits --storage {url}` takes it up.\n"
    )
    assert studies_of(url)["digits"].n_trials["waiting"] == 4
    assert command("worker", "--quiet", "--storage", url) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line == "No study has work left. Trained 4 networks of digits."
    assert studies_of(url)["digits"].n_trials["complete"] == 4
    assert command("worker", "digits", "--quiet", "--storage", url) == 0
    assert "Trained no network." in capsys.readouterr().err


def test_submitting_again_extends_the_budget_and_refuses_other_settings(url, capsys):
    assert submit(url) == 0
    assert submit(url, "--trials", 6) == 0
    assert "6 of 6 networks" in capsys.readouterr().out
    assert submit(url, "--seed", 1) == 2
    assert "seed is 0, not 1" in capsys.readouterr().err


def test_a_study_it_cannot_help_with_takes_no_worker_down(url, tiny_file, capsys):
    optuna.create_study(storage=optuna_storage(url), study_name="foreign")
    assert submit(url, "--name", "elsewhere", "--data", tiny_file) == 0
    tiny_file.unlink()
    assert submit(url, "--trials", 2) == 0
    capsys.readouterr()
    assert command("worker", "--quiet", "--storage", url) == 0
    foreign, elsewhere, last = sorted(capsys.readouterr().err.splitlines(), reverse=True)
    assert foreign == (
        "Study 'foreign' is passed over: Study 'foreign' was not made by fewest: it has no settings. Choose another."
    )
    assert "'elsewhere' is passed over: There is no file" in elsewhere
    assert "Trained 2 networks of digits." in last


def test_an_idle_worker_waits_for_the_next_study_and_leaves_cleanly(url, capsys):
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            submit(url, "--trials", 2)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    assert command("worker", "--idle", "wait", "--quiet", "--storage", url, manner=waiting(pause)) == 130
    assert "Interrupted; nothing is lost. Trained 2 networks of digits." in capsys.readouterr().err
    assert len(pauses) == 2


@pytest.mark.slow
def test_an_idle_worker_waits_for_a_storage_that_was_there(url, tmp_path, capsys):
    """As while a database server restarts; one that never answered is an error at once."""
    path = tmp_path / "studies.db"
    submit(url)
    assert command("worker", "--quiet", "--storage", url) == 0
    whole = path.read_bytes()
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) < 3:
            path.write_bytes(b"nonsense")
        elif len(pauses) == 3:
            path.write_bytes(whole)
            submit(url, "--trials", 6)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    capsys.readouterr()
    assert command("worker", "--idle", "wait", "--quiet", "--storage", url, manner=waiting(pause)) == 130
    away, _, account = capsys.readouterr().err.splitlines()
    assert "This worker waits for it." in away
    assert account.endswith("Trained 2 networks of digits.")
    path.write_bytes(b"nonsense")
    assert command("worker", "--idle", "wait", "--quiet", "--storage", url) == 1


@pytest.mark.parametrize("arguments", [(), ("digits",)])
def test_without_a_storage_there_is_nothing_to_help_with(arguments, url, capsys):
    assert command("worker", *arguments, "--storage", url) == 2
    assert "There are no studies in" in capsys.readouterr().err
