"""Reading a study: all of it of one moment, its answer worked out once, its curves for the report only."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from click.testing import CliRunner

from fewest import read_commands
from fewest.cli import cli
from fewest.dashboards.found import found, storage_at
from fewest.search.answers.summary import Summary, summarise
from fewest.search.settings.files import load
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.records import VerifiedNetwork
from fewest.storage.trials.results import read_results, write_results
from fewest.storage.trials.studies import read_study, read_trials


@pytest.fixture
def study(url: str) -> optuna.Study:
    """A study of ours with one complete trial of four neurons, which was never trained."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(storage=optuna_storage(url), study_name="digits", directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    made.set_user_attr("settings", load("digits").settings())
    made.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    made.set_user_attr("environment", {"Python": "3.11"})
    add_trial(made)
    return made


def add_trial(study: optuna.Study) -> None:
    attributes = {"widths": [4], "neurons": 4, "parameters": 310, "seed": 0, "epochs": 30, "seconds": 1.0}
    study.add_trial(optuna.trial.create_trial(values=[4.0, 0.9], user_attrs=attributes))


def test_what_is_written_meanwhile_is_not_seen(url: str, study: optuna.Study) -> None:
    network = VerifiedNetwork((4,), 0, 0.9, 0.9, 30, 1.0)
    with storage_at(url) as connection:
        key = read_study(connection, "digits").study_id
        add_trial(study)
        write_results(optuna_storage(url).engine, key, [network])
        assert len(read_trials(connection, key)) == 1
        assert read_results(connection, key) == []
    assert len(found("digits", url).trials) == 2
    assert found("digits", url).verified == [network]


@pytest.mark.parametrize("form", ["table", "json"])
def test_an_answer_is_worked_out_once_and_without_curves(
    form: str, url: str, study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked_out = []

    def counted(*arguments: Any) -> Summary:
        worked_out.append(arguments)
        return summarise(*arguments)

    monkeypatch.setattr("fewest.dashboards.found.summarise", counted)
    monkeypatch.delattr("fewest.storage.trials.curves.read_curves")
    result = CliRunner().invoke(cli, ["answer", "digits", "--format", form, "--storage", url])
    assert result.exit_code == 0, result.output
    assert len(worked_out) == 1


def test_a_report_is_written(url: str, study: optuna.Study, tmp_path: Path) -> None:
    read_commands.write_study_report("digits", url, tmp_path / "digits.html")
    assert "The search trained 1 network" in (tmp_path / "digits.html").read_text("utf-8").replace("\n", " ")
