"""Which networks of a search stay kept; what `fewest export` makes of them is tested with the command."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from helpers import trials_of

from fewest.search.keeper import Keeper
from fewest.search.listener import Listener
from fewest.search.loop import search
from fewest.search.study.opening import open_study
from fewest.search.training.population.engine import PopulationEngine
from fewest.storage.files.artifacts import KeptFile
from fewest.storage.trials.cohort_storage import optuna_storage


def run(url, config, data) -> list[KeptFile]:
    """Searches until the budget is spent; the artifacts of the study's trials."""
    with open_study(optuna_storage(url), config, data) as study:
        listener = Listener(lambda progress: None, lambda: None, print, lambda: False)
        search(study, PopulationEngine(), listener, Keeper(study, print))
        return [kept for kept in study.kept_files() if kept.trial_id is not None]


@pytest.mark.slow
def test_a_search_ends_with_the_networks_of_its_front_alone(url, tiny_config, tiny_data):
    """The most accurate network of the first search is beaten afterwards, by changing what is written of it."""
    before = run(url, tiny_config, tiny_data)
    trials = trials_of(url, "tiny")
    complete = [trial for trial in trials if trial.state == "complete"]
    largest = max(complete, key=lambda trial: trial.validation_accuracy or 0.0)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        beaten = "UPDATE trial_values SET value = 0.0 WHERE trial_id = ? AND objective = 1"
        connection.execute(beaten, [largest.trial_id])
    after = run(url, tiny_config, tiny_data)
    assert largest.trial_id in {kept.trial_id for kept in before}
    assert largest.trial_id not in {kept.trial_id for kept in after}
    assert {kept.name for kept in after} <= {kept.name for kept in before}
    files = {file.name for file in Path(url.removeprefix("sqlite:///") + ".artifacts").iterdir()}
    assert files == {kept.artifact_id for kept in after}
