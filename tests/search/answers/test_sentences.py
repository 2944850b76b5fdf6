"""Answers as sentences: whole ones, from hand-made answers."""

from dataclasses import replace

import pytest

from fewest.search.answers.answer import Answer, NoAnswer, TargetAnswer
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.sentences import best_words, statement, statements
from fewest.search.answers.summary import Summary, TrialCounts
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.stored import Best
from fewest.storage.trials.records import VerifiedNetwork


def of(neurons: int, low: int, high: int) -> Answer:
    return Answer(neurons, (neurons,) if neurons else (), (low, high), 0.95, 20)


OVERALL = {"possible": of(12, 11, 12), "typical": of(13, 12, 14), "reliable": of(14, 13, 15)}


def test_statement() -> None:
    assert statement(TargetAnswer(0.95, OVERALL, {}), 0.926, "digits") == (
        "At least 95 % of digits right: 13 neurons typically (95 % interval 12-14 on this test set), 14 to be safe, "
        "12 with luck; 0 hidden neurons already give 92.6 %"
    )


def test_statement_where_softmax_is_enough() -> None:
    softmax = dict.fromkeys(SHARES, Answer(0, (), (0, 0), 0.926, 4))
    one = {"possible": of(5, 5, 5), "typical": of(5, 5, 6), "reliable": of(6, 5, 6)}
    assert statement(TargetAnswer(0.9, softmax, {0: softmax, 1: one}), 0.926, "digits") == (
        "At least 90 % of digits right: softmax alone, 0 hidden neurons, typically gives 92.6 %; "
        "with one hidden layer 5 neurons typically (95 % interval 5-6 on this test set), 6 to be safe, 5 with luck"
    )


def test_statement_without_answers() -> None:
    never = dict.fromkeys(SHARES, NoAnswer("not reached", 32, 33))
    assert statement(TargetAnswer(0.995, never, {})) == (
        "At least 99.5 % of test samples right: not reached up to 32 neurons"
    )


def test_statement_with_some_answers() -> None:
    some = {**OVERALL, "reliable": NoAnswer("needs more seeds", 16, 14)}
    assert statement(TargetAnswer(0.95, some, {})) == (
        "At least 95 % of test samples right: 13 neurons typically (95 % interval 12-14 on this test set), "
        "to be safe needs more seeds (at least 14 neurons), 12 with luck"
    )


def test_an_interval_of_one_size_is_one_number() -> None:
    alone = TargetAnswer(0.95, {**OVERALL, "typical": of(1, 1, 1)}, {})
    assert "right: 1 neuron typically (95 % interval 1 on this test set), " in statement(alone)


@pytest.mark.parametrize(
    ("new_samples", "said"), [((11, 15), "11-15 for new samples"), ((11, None), "11 or more for new samples")]
)
def test_both_intervals_are_named(new_samples: tuple[int, int | None], said: str) -> None:
    typical = replace(OVERALL["typical"], new_samples=new_samples)
    target = TargetAnswer(0.95, {**OVERALL, "typical": typical}, {})
    assert f"13 neurons typically (95 % interval 12-14 on this test set, {said}), 14 to be safe" in statement(target)


def test_an_interval_that_holds_for_one_split_says_so() -> None:
    networks = [VerifiedNetwork((2,), 0, 0.95, 0.95, 15, 1.0)]
    [said] = statements(replace(summary("mnist"), shares_split=True), networks)
    assert "(95 % interval 12-14 on this test set and split)" in said


def summary(dataset: str) -> Summary:
    targets = (TargetAnswer(0.95, OVERALL, {}),)
    return Summary("mine", dataset, Protocol(), 10, TrialCounts(1, 0, 0, 0, 0), 1, 15, 0, 1.0, (), targets)


@pytest.mark.parametrize(
    ("dataset", "samples"), [("mnist", "digits"), ("fashion_mnist", "images"), ("mine.npz", "test samples")]
)
def test_samples_are_called_what_they_are(dataset: str, samples: str) -> None:
    """Softmax alone scored 0.92 and 0.93, which have a mean of 0.925."""
    softmax = [VerifiedNetwork((), seed, 0.92 + seed / 100, 0.9, 15, 1.0) for seed in (0, 1)]
    (said,) = statements(summary(dataset), softmax)
    assert said.startswith(f"At least 95 % of {samples} right: 13 neurons typically")
    assert said.endswith("; 0 hidden neurons already give 92.5 %")


def test_before_verification_nothing_is_said() -> None:
    assert statements(summary("mnist"), []) == []


def test_a_deeper_network_that_could_beat_it_is_told() -> None:
    said = statement(TargetAnswer(0.95, OVERALL, {}, could_beat=(2, 3)))
    assert said.endswith("12 with luck; a deeper network could still beat it")


def test_a_relative_target_is_said_with_its_value() -> None:
    found = replace(summary("digits"), targets=(TargetAnswer(0.9514, OVERALL, {}, "best - 0.01"),))
    [said] = statements(found, [VerifiedNetwork((2,), 0, 0.95, 0.95, 15, 1.0)])
    assert said.startswith("At least 95.14 % of digits right (best - 0.01): 13 neurons typically")


def test_a_target_that_guessing_reaches_is_told() -> None:
    found = replace(summary("digits"), guessing={"accuracy": 0.95, "balanced_accuracy": 0.5})
    verified = [VerifiedNetwork((2,), 0, 0.95, 0.95, 15, 1.0)]
    assert statements(found, verified)[0].endswith("12 with luck. Guessing the largest class already reaches 95 %")
    [said] = statements(replace(found, metric="balanced_accuracy"), verified)
    assert said.startswith("Balanced accuracy of at least 95 %: 13 neurons typically")
    assert "Guessing" not in said


def test_the_best_is_said_or_that_it_is_not_known_yet() -> None:
    plain = summary("digits")
    assert best_words(plain) is None
    assert best_words(replace(plain, unvalued=("best - 0.01",))) == (
        "Without a value yet: best - 0.01. A relative target has no value before the search has ended and its best "
        "network is verified"
    )
    assert best_words(replace(plain, best=Best(accuracy=0.9814, widths=[96, 40], seeds=8))) == (
        "Best: 98.14 %, the mean test accuracy of 8 seeds of the network that was the most accurate when the search "
        "first ended (hidden layers: 96-40)"
    )
