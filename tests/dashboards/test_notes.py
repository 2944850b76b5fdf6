"""Notes say in words what a study asks, what it found so far, and what a network on its front is."""

from dataclasses import replace
from typing import Any

import pytest
from synthetic import make_answer, make_study, make_verified

from fewest.dashboards.notes import VERIFIED_KEYS, study_note, trial_note, verified_attributes
from fewest.search.answers.summary import FrontMember, Summary
from fewest.search.answers.summary import TestAccuracy as Spread
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import load

MEMBER = FrontMember(17, (13,), 13, 10_345, 0.95126, None)
TESTED = replace(MEMBER, test_accuracy=Spread(0.9521, 0.0031, 0.9466, 0.9575, 20))


def found(*overrides: str, verified: bool = False) -> tuple[Summary, StudyConfig, Any]:
    config = load("mnist", ["budget.targets=[0.9, 0.95, 0.99]", *overrides])
    summary = make_answer(make_study(70)[0], verified=verified)
    return summary, config, make_verified() if verified else ()


def test_the_question_comes_first() -> None:
    note = study_note(*found())
    assert note.startswith(
        "# How many neurons?\n\n"
        "How many hidden neurons does a network need to reach an accuracy of 90 %, 95 % and 99 % on `mnist`, "
        "with its 10 classes?\n\n## The answer so far\n\n- Validation accuracy of at least 90 %: "
    )


def test_before_verification_the_answer_is_of_validation_samples() -> None:
    note = study_note(*found())
    assert "one training, not yet verified." in note
    assert "- Validation accuracy of at least 99 %: no network has reached it yet." in note
    assert "typically" not in note
    assert "export" not in note


def test_after_verification_the_answer_has_its_intervals() -> None:
    note = study_note(*found(verified=True))
    assert (
        "- At least 95 % of digits right: 13 neurons typically (95 % interval 12-14 on this test set), 14 to be safe"
        in note
    )
    assert "\nfewest export mnist --target 0.95 --output network.keras\n" in note


def test_settings_are_words() -> None:
    note = study_note(*found("training.epochs=20", "pruning.risk=0.02", "budget.trials=500", "seed=3"))
    assert "- Networks with at most 3 hidden layers of 1 to 128 neurons, activation relu.\n" in note
    assert "- 20 epochs in batches of 128, a learning rate that rises to 0.02 and falls to 0.\n" in note
    assert "at an accepted risk of 2 %.\n" in note
    assert "- The search ends after 500 networks or 100 networks without improvement of the front; verification" in note
    assert "- Seed 3; 15 % of the training samples are for validation." in note


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("pruning.enabled=false",), "- No network is pruned."),
        (("space.max_depth=0",), "- Networks without hidden layers."),
        (("space.max_depth=1",), "at most 1 hidden layer of"),
        (("space.architectures=[[3], [4]]",), "- Only 2 listed architectures, activation relu."),
        (("budget.timeout=90", "budget.patience=9"), "networks or 90 seconds of training or 9 networks without"),
        (("budget.verification_seeds=0",), "; no verification."),
        (("training.protocol=notebook",), "rate of 0.001, ended after 10 epochs without improvement."),
        (
            ("training.schedule=constant", "training.patience=10"),
            "constant learning rate of 0.02, ended after 10 epochs",
        ),
    ],
)
def test_other_settings_are_words_too(overrides: tuple[str, ...], said: str) -> None:
    assert said in study_note(*found(*overrides))


def test_the_report_is_linked_under_a_quoted_name() -> None:
    summary, config, verified = found()
    note = study_note(replace(summary, study="a b/c"), config, verified)
    assert "[The report](/report/a%20b%2Fc)" in note
    assert "\nfewest resume 'a b/c' --trials " in note


def test_a_front_network_in_words() -> None:
    note = trial_note(MEMBER, "mnist")
    assert note.startswith("**13 neurons in one layer** (10,345 parameters).")
    assert "On the front: 95.13 % of validation samples right, the best so far with 13 neurons or fewer." in note
    assert "Not verified" in note
    assert "`fewest export mnist --trial 17 --output network.keras`" in note


def test_a_verified_network_has_its_spread() -> None:
    assert (
        "Verified from 20 seeds on the test set: 95.21 % right on average, from 94.66 % to 95.75 %, "
        "with a standard deviation of 0.31 points."
    ) in trial_note(TESTED, "mnist")


def test_one_seed_has_no_spread() -> None:
    once = replace(MEMBER, test_accuracy=Spread(0.9521, 0.0, 0.9521, 0.9521, 1))
    assert "Verified from one seed on the test set: 95.21 % right." in trial_note(once, "mnist")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (replace(MEMBER, widths=(), neurons=0), "the best so far without hidden neurons."),
        (replace(MEMBER, widths=(1,), neurons=1), "the best so far with 1 neuron or fewer."),
    ],
)
def test_the_bound_is_a_number_of_neurons(member: FrontMember, said: str) -> None:
    assert said in trial_note(member, "mnist")


def test_verified_accuracy_is_attributes() -> None:
    assert verified_attributes(TESTED) == dict(zip(VERIFIED_KEYS, (0.9521, 0.0031, 0.9466, 0.9575, 20), strict=True))
    assert verified_attributes(MEMBER) == {}
