"""`fewest cluster`: a study goes on while Dask's worker processes are killed under it, and ends with its budget."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster
from helpers import command, trials_of

from fewest.cluster import keep_placed, serve_on_cluster
from fewest.job import Places
from fewest.storage.errors import FewestError

N_TRIALS = 12

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def client() -> Iterator[Client]:
    """A cluster of two processes on this machine."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local,
        Client(local, set_as_default=False) as opened,
    ):
        yield opened


@pytest.mark.slow
def test_a_study_survives_that_its_dask_workers_are_killed(client, empty_postgresql):
    url = empty_postgresql

    def work(stop: str) -> str:
        """What a worker does to a study, without TensorFlow; nested, so that Dask sends it along."""
        import time

        import numpy as np

        from fewest.search.data.samples import SearchData
        from fewest.search.settings.config import StudyConfig
        from fewest.search.study.opening import open_study
        from fewest.search.training.outcome import EpochMetrics, Outcome
        from fewest.storage.trials.cohort_storage import optuna_storage

        budget = {"trials": N_TRIALS, "targets": [0.9]}
        config = StudyConfig.of({"name": "killed", "data": {"name": "none"}, "budget": budget})
        x, y = np.zeros((2, 4), np.float32), np.zeros(2, np.int32)
        epoch = EpochMetrics(0.1, 0.9, 0.1, 0.9)
        with open_study(optuna_storage(url), config, SearchData("none", x, y, x, y, 2, 1.0, 0.0, "none")) as study:
            while (tickets := study.ask(2)) or study.others_train():
                time.sleep(0.4)
                outcomes = [Outcome("complete", (epoch,), 0, 0.9, 0.1, [], None) for _ in tickets]
                if tickets:
                    study.tell(tickets, outcomes)
        return "done"

    said: list[str] = []
    victims: list[int] = []

    def kill_two() -> bool:
        """Asked now and then: kills a process once both have a worker, and another once that one was replaced."""
        begun = sum("begins" in line for line in said)
        if len(victims) < 2 and begun == 2 + len(victims):
            pids = client.run(os.getpid)
            if len(pids) == 2:
                victims.append(sorted(pids.values())[0])
                os.kill(victims[-1], signal.SIGKILL)
        return False

    keep_placed(client, 2, work, kill_two, said.append, poll_seconds=0.1)
    assert len(victims) == 2
    assert sum("is gone; its trials pass to the others" in line for line in said) == 2
    trials = trials_of(url, "killed")
    assert Counter(trial.state for trial in trials) == {"complete": N_TRIALS}
    assert [trial.number for trial in trials] == list(range(N_TRIALS))


def test_stopping_the_command_ends_the_tasks_and_what_fails_is_raised(client):

    def idle(stop: str) -> str:
        import time

        from distributed import Event

        while not Event(stop).is_set():
            time.sleep(0.05)
        return "left"

    said: list[str] = []
    keep_placed(client, 2, idle, lambda: len(said) >= 2, said.append, poll_seconds=0.1)
    assert [line.partition(": ")[2] for line in said[2:]] == ["left", "left"]

    def fail(stop: str) -> str:
        raise ValueError("no such disk")

    with pytest.raises(ValueError, match="no such disk"):
        keep_placed(client, 1, fail, lambda: False, said.append, poll_seconds=0.1)


@pytest.mark.parametrize(
    ("storage", "scheduler", "status", "line"),
    [
        ("sqlite:///studies.db", "tcp://127.0.0.1:1", 2, "must share a PostgreSQL storage, got the file"),
        ("{postgresql}", "tcp://127.0.0.1:1", 1, "There must be a Dask scheduler at 'tcp://127.0.0.1:1', got: "),
        ("{postgresql}", "no address", 1, "There must be a Dask scheduler at 'no address', got: "),
    ],
)
def test_what_cannot_be_used_is_one_line(storage, scheduler, status, line, server):
    url = storage.format(postgresql=server)
    with pytest.raises(FewestError) as raised:
        serve_on_cluster(scheduler, 2, [], url, wait=True, places=Places(), connect_seconds=0.2)
    assert raised.value.exit_status == status
    [said] = str(raised.value).splitlines()
    assert line in said


def test_without_distributed_the_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setattr("fewest.storage.extras.importlib.util.find_spec", lambda name: None)
    assert command("cluster", "--scheduler", "tcp://x:1", "--workers", 1, "--storage", "postgresql://me@host/db") == 1
    assert "pip install '.[cluster]'" in capsys.readouterr().err
