"""Which network a request means: hand-made trials and verified networks, and every refusal."""

import math
from typing import Any

import pytest

from fewest.search.export.selection import Recorded, network_for_target, network_of_trial
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.space import Network
from fewest.storage.errors import MisuseError
from fewest.storage.trials.records import TrialRecord, TrialState, VerifiedNetwork

CONFIG = StudyConfig.of({"name": "mine", "data": {"name": "digits"}, "budget": {"trials": 9, "targets": [0.9, 0.95]}})


def trial(
    number: int, widths: tuple[int, ...] | None, accuracy: float | None, state: TrialState = "complete"
) -> TrialRecord:
    values: dict[str, Any] = dict.fromkeys(("epochs", "best_epoch", "seconds", "reason", "started", "completed"))
    neurons = None if widths is None else sum(widths)
    return TrialRecord(
        trial_id=number + 100,
        number=number,
        state=state,
        widths=widths,
        neurons=neurons,
        parameters=neurons,
        seed=10 + number,
        validation_accuracy=accuracy,
        **values,
    )


TRIALS = [
    trial(0, (), 0.85),
    trial(1, (8,), 0.96),
    trial(2, (4,), 0.92),
    trial(3, (2, 2), 0.91),
    trial(4, (5,), None, "pruned"),
    trial(5, (6,), None, "fail"),
    trial(6, None, 0.5),
]
# Four seeds of four neurons reach 0.9, the best on validation samples being seed 2; two neurons reach nothing.
VERIFIED = [
    *(VerifiedNetwork((4,), seed, 0.92, 0.92 + 0.01 * (seed == 2), 15, 1.0) for seed in range(4)),
    *(VerifiedNetwork((2,), seed, 0.5, 0.5, 15, 1.0) for seed in range(4)),
]


def test_a_trial_is_taken_by_its_number() -> None:
    choice = network_of_trial(CONFIG, TRIALS, 3)
    assert choice.network == Network((2, 2), 13)
    assert choice.trial is TRIALS[3]
    assert (choice.words, choice.caution) == ("Trial 3: 4 neurons in layers of 2-2", None)
    assert choice.recorded == Recorded(validation=0.91, test=None)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (7, r"has no trial 7\. Its trials are 0 to 6\."),
        (4, r"4 of study 'mine' is pruned\. On the front are 0, 2, 1\."),
        (5, r"5 of study 'mine' is failed\."),
        (6, r"Trial 6 of study 'mine' was not trained by fewest\."),
    ],
)
def test_a_trial_without_a_network_is_refused(number: int, said: str) -> None:
    with pytest.raises(MisuseError, match=said):
        network_of_trial(CONFIG, TRIALS, number)


def test_a_study_without_trials_says_so() -> None:
    with pytest.raises(MisuseError, match=r"has no trial 0\. It has none yet\."):
        network_of_trial(CONFIG, [], 0)


def test_a_target_means_the_typical_answers_best_seed_on_validation() -> None:
    choice = network_for_target(CONFIG, TRIALS, VERIFIED, 0.9)
    assert choice.network == Network((4,), 2)
    assert choice.trial is None
    assert choice.words == "Typical answer for 0.9: 4 neurons, the best of 4 seeds by validation accuracy"
    assert choice.recorded == Recorded(validation=0.92 + 0.01, test=0.92)


def test_without_validation_samples_it_is_the_seed_of_the_least_training_loss() -> None:
    whole = [of._replace(validation_accuracy=math.nan, training_loss=0.1 * (of.seed % 3)) for of in VERIFIED]
    choice = network_for_target(CONFIG, TRIALS, whole, 0.9)
    assert choice.network == Network((4,), 0)
    assert choice.words == "Typical answer for 0.9: 4 neurons, the best of 4 seeds by training loss"
    assert choice.recorded.validation is None


def test_a_depth_is_named_with_the_answer() -> None:
    words = network_for_target(CONFIG, TRIALS, VERIFIED, 0.9, depth=1).words
    assert words.startswith("Typical answer for 0.9 with 1 hidden layer: 4 neurons")


@pytest.mark.parametrize(
    ("target", "depth", "said"),
    [
        (1.5, None, r"The target must be between 0 and 1, got 1\.5\."),
        (0.8, None, r"verified for 0\.9, 0\.95, not for 0\.8\. Search with `targets=\[0\.8\]` first\."),
        (0.9, 2, "has verified networks of 1 hidden layers, not of 2"),
        (0.95, None, r"has no typical answer for 0\.95: "),
        (0.95, 1, r"has no typical answer for 0\.95 with 1 hidden layer: "),
    ],
)
def test_a_target_without_an_answer_is_refused(target: float, depth: int | None, said: str) -> None:
    with pytest.raises(MisuseError, match=said):
        network_for_target(CONFIG, TRIALS, VERIFIED, target, depth)


def test_what_to_do_next_is_a_command_in_a_shell() -> None:
    with pytest.raises(MisuseError) as refused:
        network_for_target(CONFIG.model_copy(update={"name": "my study"}), TRIALS, VERIFIED, 0.8)
    assert refused.value.in_shell().endswith("Run `fewest verify 'my study' --target 0.8` first.")
    with pytest.raises(MisuseError) as refused:
        network_for_target(CONFIG, TRIALS, VERIFIED, 0.95)
    assert str(refused.value).endswith("Choose a trial with `trial`, or another target.")
    assert refused.value.in_shell().endswith("Choose a trial with `--trial`, or another target.")


@pytest.mark.parametrize(
    ("target", "depth", "trial_number"),
    [(0.8, None, 0), (0.9, None, 2), (0.95, None, 1), (0.8, 1, 2), (0.9, 2, 3)],
)
def test_before_verification_it_is_the_smallest_that_reached_the_target_in_one_training(
    target: float, depth: int | None, trial_number: int
) -> None:
    choice = network_for_target(CONFIG, TRIALS, [], target, depth)
    assert choice.trial is TRIALS[trial_number]
    assert choice.caution is not None and choice.caution.startswith(f"Not verified yet: Trial {trial_number}: ")
    assert f"to reach {target:g} on validation samples" in choice.caution


def test_before_verification_a_target_that_no_network_reached_is_refused() -> None:
    with pytest.raises(
        MisuseError, match=r"has found no network with 2 hidden layers that reaches 0\.95 on validation"
    ):
        network_for_target(CONFIG, TRIALS, [], 0.95, depth=2)
