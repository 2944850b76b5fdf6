"""`fewest export`: which network it takes, from where, what it prints, and what it refuses."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import command, results_of, sqlite_url, stored, trials_of

from fewest.search.answers.results import best_seeds
from fewest.search.data.loading import load_for
from fewest.search.settings.files import load as read_config
from fewest.storage.files.artifacts import read_kept
from fewest.storage.trials.records import TrialRecord

TINY = (
    *("--set", "training.epochs=4", "--set", "space.max_width=6", "--set", "space.max_depth=1"),
    *("--set", "budget.targets=[0.3, 0.999]", "--trials", 7, "--quiet"),
)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a storage with the studies 'digits', which is verified, and 'young', which is not."""
    url = sqlite_url(tmp_path_factory.mktemp("studies") / "studies.db")
    assert command("run", "digits", *TINY, "--set", "budget.verification_seeds=3", "--storage", url) == 0
    young = ("--name", "young", "--set", "budget.verification_seeds=0")
    assert command("run", "digits", *TINY, *young, "--storage", url) == 0
    return url


@pytest.fixture
def bare(studies: str, tmp_path: Path) -> str:
    """The URL of a copy of that storage without its artifacts."""
    with closing(sqlite3.connect(studies.removeprefix("sqlite:///"))) as whole:
        whole.execute("VACUUM INTO ?", [str(tmp_path / "bare.db")])
    return sqlite_url(tmp_path / "bare.db")


def front_of(trials: list[TrialRecord]) -> list[TrialRecord]:
    """Those that no network as small beats."""
    complete = [trial for trial in trials if trial.state == "complete"]
    return [
        trial
        for trial in complete
        if not any(
            (other.neurons, -other.validation_accuracy) < (trial.neurons, -trial.validation_accuracy)
            and other.validation_accuracy >= trial.validation_accuracy
            for other in complete
        )
    ]


def validation_accuracy(path: Path) -> float:
    data, _ = load_for(read_config("digits"))
    scores = keras.models.load_model(path).predict(data.x_validation, verbose=0)
    return float(np.mean(scores.argmax(1) == data.y_validation))


def printed(text: str, row: str) -> str:
    """The value in a row of the printed table."""
    found = re.search(rf"{row} +│ +(.*?) +│", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("name", ["a.keras", "a.tflite", "a.int8.tflite", "a.onnx"])
def test_the_answer_in_every_format(name, studies, tmp_path, capsys):
    path = tmp_path / name
    options = ("--target", 0.3, "--depth", 1, "--tolerance", 0.2)
    assert command("export", "digits", *options, "--output", path, "--storage", studies) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Typical answer for 0.3 with 1 hidden layer: ")
    assert printed(out, "bytes") == f"{path.stat().st_size:,}"
    assert printed(out, "test labels changed").endswith(" of 359")
    for row in ("format", "parameters", "test accuracy before export", "test accuracy after export"):
        assert printed(out, row)


def test_the_answer_is_the_kept_network_of_the_least_training_loss(studies, tmp_path, capsys):
    """Softmax alone answers the target; a choice by test accuracy would be biased."""
    assert command("export", "digits", "--target", 0.3, "--output", tmp_path / "a.keras", "--storage", studies) == 0
    out = capsys.readouterr().out
    assert "softmax alone, the best of 3 seeds by training loss" in out
    networks = [network for network in results_of(studies) if network.widths == ()]
    best = min(networks, key=lambda network: network.training_loss)
    assert printed(out, "test accuracy before export") == f"{best.test_accuracy:.4f}"


def test_of_each_verified_architecture_one_network_is_kept(studies):
    with stored(studies, "digits") as (database, study_id):
        kept = read_kept(database, study_id)
    best = best_seeds(results_of(studies))
    expected = {f"{'-'.join(map(str, widths)) or 'softmax'}-seed-{seed}.keras" for widths, seed in best.items()}
    assert sorted(file.name for file in kept if file.trial_id is None) == sorted(expected)


def test_the_front_is_kept_with_its_trials(studies):
    with stored(studies, "young") as (database, study_id):
        kept = read_kept(database, study_id)
    assert {file.trial_id for file in kept} == {trial.trial_id for trial in front_of(trials_of(studies, "young"))}


def test_a_front_member_is_exported_as_it_was_kept(studies, tmp_path, capsys):
    member = front_of(trials_of(studies, "young"))[-1]
    path = tmp_path / "a.keras"
    assert command("export", "young", "--trial", member.number, "--output", path, "--storage", studies) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Trial {member.number}: ")
    assert printed(out, "parameters") == f"{member.parameters:,}"
    assert validation_accuracy(path) == pytest.approx(member.validation_accuracy, abs=1e-6)


@pytest.mark.slow
def test_a_missing_network_of_a_trial_is_trained_again_and_said_so(bare, tmp_path, capsys):
    member = front_of(trials_of(bare, "young"))[-1]
    path = tmp_path / "a.keras"
    assert command("export", "young", "--trial", member.number, "--output", path, "--storage", bare) == 0
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "is trained again, from the same seed and data; equal to the first to rounding only." in line
    assert validation_accuracy(path) == pytest.approx(member.validation_accuracy, abs=0.01)


@pytest.mark.slow
def test_a_missing_network_of_the_answer_is_trained_again(bare, studies, tmp_path, capsys):
    for url, name in ((bare, "again.keras"), (studies, "kept.keras")):
        options = ("--target", 0.3, "--depth", 1, "--output", tmp_path / name)
        assert command("export", "digits", *options, "--storage", url) == 0
    assert capsys.readouterr().err.count("trained again") == 1
    again, kept = (keras.models.load_model(tmp_path / name).get_weights() for name in ("again.keras", "kept.keras"))
    for ours, theirs in zip(again, kept, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02)


@pytest.mark.slow
def test_a_damaged_network_is_trained_again(studies, bare, tmp_path, capsys):
    folder = shutil.copytree(Path(f"{studies.removeprefix('sqlite:///')}.artifacts"), tmp_path / "damaged")
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:1000])
    options = ("--trial", 0, "--output", tmp_path / "a.keras", "--artifacts", folder)
    assert command("export", "young", *options, "--storage", bare) == 0
    assert "trained again" in capsys.readouterr().err


@pytest.mark.slow
def test_before_verification_the_smallest_on_validation_and_said_so(studies, tmp_path, capsys):
    path = tmp_path / "a.keras"
    options = ("--target", 0.3, "--depth", 1, "--output", path)
    assert command("export", "young", *options, "--storage", studies) == 0
    out, err = capsys.readouterr()
    reaching = [
        trial
        for trial in trials_of(studies, "young")
        if trial.state == "complete" and len(trial.widths) == 1 and trial.validation_accuracy >= 0.3
    ]
    smallest = min(reaching, key=lambda trial: trial.neurons or 0)
    assert err.startswith(f"Not verified yet: Trial {smallest.number}: ")
    assert out.startswith(f"Trial {smallest.number}: ")


REFUSED = {
    "neither": (("digits",), "either with `--target` or with `--trial`"),
    "both": (("digits", "--target", 0.3, "--trial", 0), "either with `--target` or with `--trial`"),
    "depth of a trial": (
        ("digits", "--trial", 0, "--depth", 1),
        "A depth goes with a target: a trial has the depth it has.",
    ),
    "unknown trial": (("digits", "--trial", 99), "has no trial 99. Its trials are 0 to 6."),
    "no answer": (("digits", "--target", 0.999), "has no typical answer for 0.999"),
    "no target of the study": (("digits", "--target", 0.5), "Run `fewest verify digits --target 0.5` first."),
    "a depth not verified": (("digits", "--target", 0.3, "--depth", 2), "not of 2."),
    "not reached on validation": (("young", "--target", 0.9999), "no network that reaches 0.9999 on validation"),
    "target out of range": (("young", "--target", 1.5), "The target must be between 0 and 1, got 1.5."),
    "unknown study": (("digit", "--trial", 0), "There is no study 'digit'"),
    "unknown ending": (("digits", "--trial", 0, "--output", "a.h5"), "must end in one of"),
    "no such folder": (("young", "--trial", 1, "--output", "b/a.onnx"), "got: there is no folder 'b'."),
    "format of another ending": (("digits", "--trial", 0, "--format", "onnx"), "must end in .onnx"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_request_is_misuse_in_one_line_and_writes_nothing(
    arguments, said, studies, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    output = () if "--output" in arguments else ("--output", "a.keras")
    assert command("export", *arguments, *output, "--storage", studies) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_a_pruned_trial_has_no_network(studies, bare, tmp_path, capsys):
    with closing(sqlite3.connect(bare.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute("UPDATE trials SET state = 'PRUNED' WHERE number = 1")
    assert command("export", "young", "--trial", 1, "--output", tmp_path / "a.keras", "--storage", bare) == 2
    assert "1 of study 'young' is pruned. On the front are 0" in capsys.readouterr().err


@pytest.mark.slow
def test_networks_that_cannot_be_kept_are_one_line_and_stop_nothing(tmp_path, url, capsys):
    (tmp_path / "blocked").write_text("")
    short = ("--set", "budget.verification_seeds=1", "--set", "training.epochs=1", "--trials", 2)
    options = ("--artifacts", tmp_path / "blocked", "--storage", url)
    assert command("run", "digits", *TINY, *short, *options) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "cannot be kept" in line]
    assert len(warnings) == 1
    assert (tmp_path / "blocked").is_file()


def test_the_dashboard_gets_the_artifacts_and_makes_no_folder_for_them(studies, bare, monkeypatch):
    stores = []
    monkeypatch.setattr(
        "fewest.dashboards.server.serve", lambda url, **options: stores.append(options["artifact_store"])
    )
    assert command("dashboard", "--storage", studies) == 0
    assert command("dashboard", "--storage", bare) == 0
    assert all(store is not None for store in stores)
    assert not Path(bare.removeprefix("sqlite:///") + ".artifacts").exists()
