"""The screen of `fewest watch`, by value: what it says of a study, and that it fits every terminal."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_answer, make_study, trial

from fewest.dashboards.live_screen import screen
from fewest.dashboards.live_state import LiveState, RunningTrial, SeenWorker
from fewest.search.answers.front import FrontPoint, pareto_front, points_of
from fewest.storage.trials.workers import WorkerRecord

TRIALS = make_study(70)[0]
POINTS = points_of(TRIALS)


def state(**changes: Any) -> LiveState:
    """A search in which one worker trains two networks, with what a test cares about changed."""
    usual = LiveState(
        name="mnist",
        dataset="mnist",
        n_trials=500,
        n_epochs=15,
        counts={"complete": 50, "pruned": 20, "fail": 1, "running": 2, "waiting": 0},
        n_verified=0,
        finished=False,
        seconds_left=(130.0, 300.0),
        targets=(0.9, 0.95, 0.999),
        points=POINTS,
        front=tuple(pareto_front(POINTS)),
        answers=(),
        workers=(worker(),),
        running=(RunningTrial(71, (12, 8), (0.8, 0.9, 0.95)), RunningTrial(70, (), ())),
        pruned=(trial(69, "pruned", widths=(5,), reason="could reach 0.91 at best"),),
    )
    return replace(usual, **changes)


def worker(silent: float = 2.0, heard: bool = True, **changes: Any) -> SeenWorker:
    values = {"worker_id": "w", "host": "here", "pid": 7, "beat": 3, "lease_seconds": 30.0, "n_running": 2}
    return SeenWorker(WorkerRecord(**{**values, "process": "running", **changes}), silent, heard)


def lines(shown: LiveState, width: int = 100, height: int = 50, **options: Any) -> list[str]:
    return screen(shown, width, height, **options).plain.splitlines()


def test_the_command_that_goes_on_names_the_storage() -> None:
    opening = lines(state(workers=(worker(40.0),)), storage=" --storage sqlite:///x.db")[0]
    assert "`fewest resume mnist --storage sqlite:///x.db` goes on" in opening


def line_with(text: str, shown: LiveState) -> str:
    [found] = [line for line in lines(shown) if text in line]
    return found


def test_it_says_how_far_along_the_search_is() -> None:
    assert lines(state())[:2] == [
        "mnist on mnist: searching, about 2 min to 5 min left",
        "71 of 500 networks searched (20 pruned, 1 failed), 2 running",
    ]


STAGES = {
    "finished": ({"finished": True}, "mnist on mnist: finished"),
    "time unknown": ({"seconds_left": None}, "mnist on mnist: searching"),
    "time known": ({"seconds_left": (130.0, 130.4)}, "mnist on mnist: searching, about 2 min left"),
    "time passed": ({"seconds_left": (0.0, 0.0)}, "mnist on mnist: searching"),
    "verifying": (
        {"counts": {"complete": 9}, "running": (), "seconds_left": (40.0, 40.0)},
        "mnist on mnist: verifying, about 40 s left",
    ),
    "left alone": ({"workers": (worker(40.0),)}, "mnist on mnist: nobody works on it; `fewest resume mnist` goes on"),
    "not begun": ({"counts": {}, "workers": ()}, "mnist on mnist: nobody works on it; `fewest resume mnist` goes on"),
    "plain Optuna": ({"workers": ()}, "mnist on mnist: searching, about 2 min to 5 min left"),
}


@pytest.mark.parametrize(("changes", "opening"), STAGES.values(), ids=STAGES)
def test_it_opens_with_what_is_being_done(changes: dict[str, Any], opening: str) -> None:
    assert lines(state(**changes))[0] == opening


def test_before_verification_the_front_answers() -> None:
    front = (FrontPoint(0, 0, 0.91), FrontPoint(1, 13, 0.96))
    shown = state(front=front, points=front)
    assert [line_with(target, shown) for target in ("   90 %  ", "   95 %  ", "99.9 %  ")] == [
        "     90 %  0 neurons",
        "     95 %  13 neurons",
        "   99.9 %  not reached yet",
    ]


def test_after_verification_answers_have_intervals() -> None:
    shown = state(answers=make_answer(TRIALS, verified=True).targets, n_verified=40)
    assert "     95 %  13 (12-14) typically, 14 (12-14) to be safe, 12 (12-14) with luck" in lines(shown)


def test_the_intervals_for_new_samples_have_a_line_of_their_own() -> None:
    [_, target, _] = make_answer(TRIALS, verified=True).targets
    typical = replace(target.typical, new_samples=(11, None))
    shown = state(answers=(replace(target, overall={**target.overall, "typical": typical}),), n_verified=40)
    assert "           for new samples 11 or more typically" in lines(shown)
    assert (
        line_with("95 % interval", shown) == "fewest hidden neurons, by test accuracy (95 % interval on this test set)"
    )
    assert "on this test set and split)" in line_with("95 % interval", replace(shown, shares_split=True))


WORKERS = {
    "alive": (worker(), "here process 7: 2 trials, last heartbeat 2 s ago"),
    "not yet heard": (worker(3.0, heard=False), "here process 7: 2 trials, no heartbeat seen yet in 3 s"),
    "idle": (worker(n_running=0), "here process 7: no trial, last heartbeat 2 s ago"),
    "silent": (worker(34.0), "here process 7: 2 trials, silent for 34 s; another worker may take its trials"),
    "killed": (worker(process="gone"), "its process has ended; another worker may take its trials"),
    "stopped": (worker(process="stopped"), "here process 7: 2 trials, stopped, silent for 2 s"),
}


@pytest.mark.parametrize(("seen", "said"), WORKERS.values(), ids=WORKERS)
def test_a_worker_is_shown_with_its_heartbeat(seen: SeenWorker, said: str) -> None:
    assert said in line_with("process 7", state(workers=(seen,)))


def test_trials_in_training_have_their_curve() -> None:
    assert " ".join(line_with("trial 71", state()).split()) == "trial 71 12-8 epoch 3 of 15 0.9500 ▁▆█"
    assert " ".join(line_with("trial 70", state()).split()) == "trial 70 softmax epoch 0 of 15"


def test_what_was_pruned_last_has_its_reason() -> None:
    assert "  trial 69 (5): could reach 0.91 at best" in lines(state())


def test_a_storage_out_of_reach_is_said_above_what_was_last_known() -> None:
    shown = lines(state(trouble="The storage cannot be read."))
    assert shown[2] == "The storage cannot be read."
    assert len(shown) > 10


def test_a_small_terminal_keeps_answers_and_workers() -> None:
    shown = lines(state(), height=10)
    assert any("not reached yet" in line for line in shown)
    assert any("last heartbeat" in line for line in shown)
    assert not any("pruned last" in line for line in shown)


def test_names_cannot_steer_the_terminal() -> None:
    hostile = state(name="a\x1b[2Jb\nc", workers=(worker(host="\x1b[31m"),), pruned=(trial(1, "pruned", reason="\a"),))
    assert not {"\x1b", "\a"} & set(screen(hostile, 100, 50).plain)


@given(st.integers(1, 200), st.integers(1, 80), st.booleans())
def test_it_fits_every_terminal(width: int, height: int, plain: bool) -> None:
    shown = lines(state(answers=make_answer(TRIALS, verified=True).targets), width, height, plain=plain)
    assert len(shown) <= height
    assert all(len(line) <= width and (line.isascii() or not plain) for line in shown)
