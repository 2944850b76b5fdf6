"""The answer as one object: hand-made trials and networks, hand-computed numbers, and its JSON."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from fewest.search.answers import summary as summaries
from fewest.search.answers.answer import Answer
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import overridden
from fewest.storage.trials.records import StudyRecord, TrialRecord, TrialState, VerifiedNetwork


def config(**space: Any) -> StudyConfig:
    """Settings of a study that trains ten epochs at most."""
    settings = {"training": {"epochs": 10}, "budget": {"trials": 9, "targets": [0.95, 0.9]}}
    return StudyConfig.of({"name": "mine", "data": {"name": "digits"}, "space": space, **settings})


def trial(number: int, widths: tuple[int, ...], accuracy: float | None, **changes: Any) -> TrialRecord:
    """A trial of 100 parameters a neuron that trained for a second and ten epochs."""
    state: TrialState = changes.pop("state", "complete")
    values = {
        "neurons": sum(widths),
        "parameters": 100 * sum(widths),
        "epochs": 10,
        "seconds": 1.0,
    } | changes
    return TrialRecord(
        trial_id=number + 100,
        number=number,
        state=state,
        widths=widths,
        seed=number,
        best_epoch=None,
        validation_accuracy=accuracy,
        reason=None,
        started=None,
        completed=None,
        **values,
    )


def networks(widths: tuple[int, ...], *accuracies: float) -> list[VerifiedNetwork]:
    return [VerifiedNetwork(widths, seed, score, score, 10, 0.25) for seed, score in enumerate(accuracies)]


STUDY = StudyRecord(
    study_id=1,
    name="mine",
    attributes={"data": {"name": "digits", "n_classes": 10}},
    n_trials={"complete": 3, "pruned": 1, "fail": 1, "waiting": 2},
)
TRIALS = [
    trial(0, (), 0.88),
    trial(1, (8,), 0.96),
    trial(2, (4,), 0.93),
    trial(3, (6,), None, state="pruned", epochs=3, seconds=0.3),
    trial(4, (5,), None, state="fail", epochs=None, seconds=None),
    trial(5, (7,), None, state="waiting", epochs=None, seconds=None),
]
VERIFIED = [*networks((), 0.86, 0.88), *networks((4,), 0.919, 0.92, 0.921, 0.92)]


def test_work_and_savings_are_counted_over_trials_and_verification() -> None:
    """Four trials trained 10 + 10 + 10 + 3 epochs in 3.3 s; six networks 10 each in 0.25 s; pruning saved 7."""
    found = summaries.summarise(STUDY, config(), TRIALS, VERIFIED)
    assert found.trials == summaries.TrialCounts(complete=3, pruned=1, failed=1, running=0, waiting=2)
    assert (found.networks_trained, found.epochs_trained, found.epochs_saved) == (10, 93, 7)
    assert found.seconds == pytest.approx(4.8)


def test_the_front_has_the_test_accuracies_of_what_was_verified() -> None:
    """Of 0.919, 0.92, 0.921, 0.92 the mean is 0.92 and the variance 0.000002 / 3."""
    found = summaries.summarise(STUDY, config(), TRIALS, VERIFIED)
    assert [(one.trial, one.neurons, one.parameters) for one in found.front] == [(0, 0, 0), (2, 4, 400), (1, 8, 800)]
    four, eight = found.front[1].test_accuracy, found.front[2].test_accuracy
    assert four is not None and eight is None
    assert (four.mean, four.sd) == (pytest.approx(0.92), pytest.approx(math.sqrt(0.000002 / 3)))
    assert (four.min, four.max, four.seeds) == (0.919, 0.921, 4)


def test_a_single_seed_has_no_deviation() -> None:
    found = summaries.TestAccuracy.over([0.9])
    assert found is not None and (found.mean, found.sd, found.seeds) == (0.9, 0.0, 1)


def test_a_trial_of_another_program_that_lacks_a_size_is_not_listed() -> None:
    foreign = trial(9, (3,), 0.99, parameters=None)
    found = summaries.summarise(STUDY, config(), [*TRIALS, foreign])
    assert [member.trial for member in found.front] == [0]


def test_targets_are_answered_lowest_first() -> None:
    """Four seeds of four neurons all reach 0.9; none reaches 0.95, and no other size has three seeds."""
    low, high = summaries.summarise(STUDY, config(), TRIALS, VERIFIED).targets
    assert (low.accuracy, high.accuracy) == (0.9, 0.95)
    typical = low.overall["typical"]
    assert isinstance(typical, Answer) and typical.widths == (4,)
    assert not isinstance(high.overall["typical"], Answer)


def test_the_smallest_on_validation_is_that_of_the_front() -> None:
    found = summaries.summarise(STUDY, config(), TRIALS)
    sizes = {accuracy: found.smallest_on_validation(accuracy) for accuracy in (0.8, 0.9, 0.93, 0.94, 0.99)}
    assert [one and one.neurons for one in sizes.values()] == [0, 4, 4, 8, None]


def test_json_follows_the_schema() -> None:
    written = summaries.summarise(STUDY, config(), TRIALS, VERIFIED).to_json()
    assert json.loads(json.dumps(written)) == written
    assert list(written) == [
        *("study", "dataset", "protocol", "classes", "metric", "shares_split", "best", "trials"),
        *("networks_trained", "epochs_trained", "epochs_saved", "seconds", "front", "targets"),
    ]
    assert written["protocol"]["epochs"] == 10
    assert written["trials"] == {"complete": 3, "pruned": 1, "failed": 1, "running": 0, "waiting": 2}
    assert written["front"][2] == {
        "trial": 1,
        "widths": [8],
        "neurons": 8,
        "parameters": 800,
        "validation_accuracy": 0.96,
        "test_accuracy": None,
    }
    assert list(written["front"][1]["test_accuracy"]) == ["mean", "sd", "min", "max", "seeds"]
    assert written["targets"][1]["unanswered"]["typical"].startswith("needs more seeds")


def test_bits_give_the_interval_for_new_samples_and_without_them_there_is_none() -> None:
    """Each size is right on the first samples of 1,000: one more for each seed."""

    def size(width: int, *hits: int) -> list[VerifiedNetwork]:
        bits = [(1 << 1000) - (1 << (1000 - n)) for n in hits]
        return [
            VerifiedNetwork((width,), seed, n / 1000, math.nan, 10, 0.25, 0.1, of.to_bytes(125))
            for seed, (n, of) in enumerate(zip(hits, bits, strict=True))
        ]

    verified = [of for width in range(1, 9) for of in size(width, *(800 + 20 * width + k for k in (0, 1, 2, 3)))]
    new = replace(STUDY, attributes={"data": {**STUDY.attributes["data"], "n_test": 1000, "verifies_on_whole": True}})
    found = summaries.summarise(new, config(), TRIALS, verified)
    [answer, _] = [target.typical for target in found.targets]
    assert not found.shares_split
    assert answer.interval == (5, 6)
    low, high = answer.new_samples or (5, 6)
    assert low < 5 and (high is None or high > 6)
    assert found.to_json()["targets"][0]["typical"]["new_samples"] == [low, high]
    old = [of._replace(test_bits=None) for of in verified]
    found = summaries.summarise(STUDY, config(), TRIALS, old)
    assert found.shares_split
    assert found.targets[0].typical.new_samples is None


def relative(*, best: float | None, **data: Any) -> dict[str, Any]:
    """The JSON of a study with a relative target, whose attributes know the best or not yet."""
    known = {} if best is None else {"best": {"accuracy": best, "widths": [8], "seeds": 8}}
    study = replace(STUDY, attributes={"data": {**STUDY.attributes["data"], **data}, **known})
    settings = overridden(config(), [("budget.targets", [0.9, "best - 0.01"])])
    return summaries.summarise(study, settings, TRIALS, VERIFIED).to_json()


def test_a_relative_target_stands_with_its_value_and_as_it_was_asked() -> None:
    written = relative(best=0.96)
    assert [(target["accuracy"], target.get("asked")) for target in written["targets"]] == [
        (0.9, None),
        (0.95, "best - 0.01"),
    ]
    assert written["best"] == {"accuracy": 0.96, "widths": [8], "seeds": 8}
    plain = summaries.summarise(STUDY, config(), TRIALS, VERIFIED).to_json()["targets"][1]
    assert written["targets"][1] == {**plain, "asked": "best - 0.01"}


def test_a_relative_target_without_a_value_has_no_answers() -> None:
    plain, unvalued = relative(best=None)["targets"]
    assert plain["accuracy"] == 0.9
    assert (unvalued["accuracy"], unvalued["typical"], unvalued["by_depth"]) == (None, None, {})
    assert unvalued["unanswered"]["typical"] == summaries.NO_VALUE_YET
    assert unvalued.keys() >= plain.keys()


def test_what_guessing_reaches_stands_beside_every_target() -> None:
    written = relative(best=None, guessing={"accuracy": 0.63, "balanced_accuracy": 0.5})
    assert [(target["guessing"], target["largest_class_share"]) for target in written["targets"]] == [(0.63, 0.63)] * 2
    older = relative(best=None)["targets"][0]
    assert (older["guessing"], older["largest_class_share"]) == (None, None)
