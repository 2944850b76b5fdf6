"""A goal says where a study ends, a further one goes on from there, and the first answer stands meanwhile."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from helpers import command, results_of, trials_of

from fewest.search.settings.space import Network
from fewest.search.training.population.engine import PopulationEngine

pytestmark = pytest.mark.slow

SMALL = ["--set", "training.epochs=8", "--set", "space.max_depth=2", "--set", "space.max_width=16", "--target", "0.7"]
SMALL += ["--set", "budget.verification_seeds=8", "--set", "budget.patience=10", "--trials", "40"]


def answer_in(url: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert command("answer", "digits", "--format", "json", "--storage", url) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)["targets"][0]
    return found


def test_the_answer_alone_needs_no_search_and_a_further_goal_extends_it(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command("run", "digits", "--goal", "answer", *SMALL, "--storage", url) == 0
    said = capsys.readouterr().err
    assert "First answer: At least 70 % of digits right" in said
    assert "The answers stand, so the study ends here" in said
    n_trials, n_verified = len(trials_of(url)), len(results_of(url))
    assert n_trials < 20
    found = answer_in(url, capsys)
    assert found["typical"] is not None and found["could_beat"] == []
    assert command("resume", "digits", "--goal", "answer", "--quiet", "--storage", url) == 0
    assert (len(trials_of(url)), len(results_of(url))) == (n_trials, n_verified)
    assert command("resume", "digits", "--goal", "depths", "--quiet", "--storage", url) == 0
    assert len(trials_of(url)) > n_trials
    assert answer_in(url, capsys)["by_depth"]["2"]["typical"] is not None
    assert command("report", "digits", "--storage", url, "--output", tmp_path / "report.html") == 0


def test_deeper_networks_are_searched_before_they_are_verified_where_one_layer_is_not_enough(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bracket has tried none: their verification would have to try every size without knowing any shape."""
    trained: list[tuple[str, int]] = []
    train = PopulationEngine.train

    def spy(self: PopulationEngine, networks: Sequence[Network], *arguments: Any, **named: Any) -> Any:
        stage = "search" if named["watcher"].wants_curve else "verification"
        trained.append((stage, max(len(network.architecture) for network in networks)))
        return train(self, networks, *arguments, **named)

    monkeypatch.setattr(PopulationEngine, "train", spy)
    sizes = ["--set", "space.max_depth=2", "--set", "space.max_width=2", "--set", "training.epochs=1"]
    budget = ["--trials", "6", "--set", "budget.verification_seeds=4", "--target", "0.99", "--goal", "answer"]
    assert command("run", "digits", *sizes, *budget, "--quiet", "--storage", url) == 0
    assert ("verification", 1) in trained
    assert trained.index(("search", 2)) < trained.index(("verification", 2))
