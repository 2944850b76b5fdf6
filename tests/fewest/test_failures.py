"""Networks that all fail are no answer: the commands say why and fail."""

import json
import math

import pytest
from helpers import command

from fewest.dashboards.found import found
from fewest.search.answers import summary
from fewest.search.answers.evidence import bound, evidence
from fewest.search.answers.failures import NothingTrainedError, reasons_of_failure
from fewest.search.answers.intervals import answer_target
from fewest.storage.trials.records import TrialRecord, VerifiedNetwork

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("engine", ["population", "keras"])
def test_a_study_whose_networks_all_fail_has_no_answer(engine, url, tiny_file, capsys):
    options = ("--set", "training.learning_rate=1e38", "--set", "training.epochs=2", "--set", "space.max_width=4")
    run = ("run", "digits", "--data", tiny_file, *options, "--engine", engine, "--trials", 4, "--quiet")
    assert command(*run, "--storage", url) == 1
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("Error: All 4 networks of study 'digits' failed, so it has no answer (3 networks: loss is ")
    assert "`training.learning_rate`" in line
    assert found("digits", url).verified == []
    for again in (("answer", "digits"), ("resume", "digits", "--quiet"), ("verify", "digits", "--quiet")):
        assert command(*again, "--storage", url) == 1
        assert "so it has no answer" in capsys.readouterr().err
    assert command("answer", "digits", "--format", "json", "--storage", url) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["trials"]["failed"] == 4
    assert answer["front"] == []


def trial(number, state, reason=None) -> TrialRecord:
    values = dict.fromkeys(TrialRecord.__dataclass_fields__)
    return TrialRecord(**{**values, "trial_id": number, "number": number, "state": state, "reason": reason})


def network(accuracy, seed=0, widths=(2,)) -> VerifiedNetwork:
    return VerifiedNetwork(widths, seed, accuracy, accuracy, 3, 1.0)


def test_the_commonest_reasons_come_first():
    reasons = ["b", "a", "a", None, "c", "d", "d", "d"]
    failed = [trial(number, "fail", reason) for number, reason in enumerate(reasons)]
    counted = reasons_of_failure(failed, [])
    assert counted["d"] == 3
    assert counted["no reason is known"] == 1
    said = str(NothingTrainedError("mine", counted))
    assert "All 8 networks of study 'mine' failed" in said
    assert "(3 networks: d; 2 networks: a; 1 network: b; and 2 other reasons)" in said


@pytest.mark.parametrize("other", ["complete", "pruned"])
def test_one_network_that_trained_is_enough_for_an_answer(other):
    assert not reasons_of_failure([trial(0, "fail", "x"), trial(1, other)], [])
    assert not reasons_of_failure([trial(0, "fail", "x")], [network(0.5)])
    assert not reasons_of_failure([], [])
    assert reasons_of_failure([trial(0, "fail", "x"), trial(1, "waiting")], [network(math.nan)])


GOOD = [0.95, 0.951, 0.949, 0.952, 0.948, 0.95, 0.951]


def test_a_failed_seed_misses_every_target_and_moves_no_mean():
    found = evidence({(5,): [*GOOD, math.nan]}, 0.0)[(5,)]["typical"]
    assert (found.seeds, found.share) == (8, 7 / 8)
    spread = summary.TestAccuracy.over([*GOOD, math.nan])
    assert spread == summary.TestAccuracy.over(GOOD)
    answer = answer_target({(5,): [*GOOD, *GOOD, math.nan]}, 0.9).overall["typical"]
    assert answer.test_accuracy == pytest.approx(0.95014, abs=1e-4)
    assert answer.seeds == 15


def test_a_size_with_failed_seeds_is_judged_by_its_count():
    """Seven passes of eight: 9/256 at p = 1/2, so z = 1.81, short of the bound of 2.74."""
    found = evidence({(5,): [*GOOD, math.nan]}, 0.9)[(5,)]
    assert found["typical"].z == pytest.approx(1.81, abs=0.01)
    assert found["typical"].verdict == "open"
    clear = evidence({(5,): [*GOOD * 2, math.nan]}, 0.9)[(5,)]
    assert clear["typical"].verdict == "at least"
    assert clear["reliable"].verdict == "open"


def test_a_size_that_always_fails_is_below_where_the_count_shows_it():
    """Of twelve at p = 1/2 none passes with 1/4096: z = -3.49; of eight, with -2.66. Twenty do not exclude 1/20."""
    assert bound(8) > 2.66
    assert evidence({(5,): [math.nan] * 8}, 0.5)[(5,)]["typical"].verdict == "open"
    found = evidence({(5,): [math.nan] * 12}, 0.5)[(5,)]
    assert found["typical"].verdict == found["reliable"].verdict == "below"
    assert evidence({(5,): [math.nan] * 20}, 0.5)[(5,)]["possible"].verdict == "open"


def test_failed_seeds_leave_their_neighbours_variance_alone():
    """The accuracies of a size are as telling to its neighbours without its failed seeds."""
    family = {(n,): [accuracy + n / 100 for accuracy in GOOD] for n in range(1, 6)}
    failing = {**family, (3,): [*family[3,], math.nan]}
    before, after = evidence(family, 0.97), evidence(failing, 0.97)
    assert [before[n,] for n in (1, 2, 4, 5)] == [after[n,] for n in (1, 2, 4, 5)]


def test_what_always_errs_rarely_is_shown_rarely():
    """Counts alone show too much with at most 2.5 %, whatever the looks: exactly, for a share at its limit."""
    for required, quantity in ((0.5, "typical"), (0.9, "reliable")):
        chances = {0: 1.0}
        wrong = 0.0
        for seeds in range(1, 21):
            chances = {
                passes: chances.get(passes, 0.0) * (1 - required) + chances.get(passes - 1, 0.0) * required
                for passes in range(seeds + 1)
            }
            if seeds % 4 == 0:
                for passes in range(seeds):  # With one failed seed at least.
                    judged = evidence({(5,): [0.9] * passes + [math.nan] * (seeds - passes)}, 0.5)[(5,)][quantity]
                    if judged.verdict == "at least":
                        wrong += chances.pop(passes, 0.0)
        assert wrong <= 0.025
