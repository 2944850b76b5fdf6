"""Studies side by side: what differs in words, what is not shared, every target of any, and the finding."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fewest.search.answers.comparison import ComparedStudy, Comparison, compare
from fewest.search.answers.comparison_sentences import difference_sentences, headline
from fewest.search.answers.unlike import WORDS, unlike_settings
from fewest.search.settings.files import flattened, load
from fewest.search.settings.space import Architecture
from fewest.search.settings.stored import OurStudy, our_study
from fewest.storage.trials.records import StudyRecord

SEEDS = [place / 1000 for place in (-4, -2, -1, 1, 2, 4)] * 3
Accuracies = Mapping[Architecture, Sequence[float]]


def ours(name: str, *overrides: str, **data: Any) -> OurStudy:
    described = {"n_training": 1000, "n_validation": 300, "n_test": 360, "fingerprint": "f" * 64, **data}
    return our_study(
        StudyRecord(
            1,
            name,
            {
                "settings": load("digits", ["budget.targets=[0.905]", *overrides]).settings(),
                "data": {"name": "digits", "n_classes": 10, "input_shape": [8, 8], **described},
                "environment": {"fewest": "0.2"},
            },
            {},
        )
    )


def study(name: str, results: Accuracies, *overrides: str, **data: Any) -> ComparedStudy:
    return ComparedStudy(name, ours(name, *overrides, **data), results, ())


def layer(more: int = 0) -> dict[Architecture, list[float]]:
    """One layer of 1 to 12 whose answer to 0.905 is 5, and `more` neurons more."""
    return {(width,): [0.86 + 0.01 * (width - more) + seed for seed in SEEDS] for width in range(1, 13)}


def compared(*studies: ComparedStudy) -> Comparison:
    return compare(studies)


def said(comparison: Comparison) -> list[str]:
    return [sentence for target in comparison.targets for sentence in difference_sentences(target)]


def test_fewer_neurons_are_said_with_how_sure() -> None:
    found = compared(study("relu", layer(3)), study("tanh", layer()))
    [sentence] = said(found)
    assert sentence == (
        "At least 90.5 % of test samples right: typically 'tanh' needs 3 neurons fewer than 'relu' (5 against 8; "
        "99 % sure); to be safe 'tanh' needs 2 to 4 neurons fewer than 'relu' (5 against 8; 99 % sure); with luck "
        "'tanh' needs 2 to 4 neurons fewer than 'relu' (5 against 8; 99 % sure)"
    )
    assert headline(found) == sentence


def test_equal_answers_are_said_to_be_equal() -> None:
    found = compared(study("a", layer()), study("b", layer()))
    assert said(found) == ["At least 90.5 % of test samples right: typically 'b' needs as many neurons as 'a', 5"]
    assert headline(found) == "No study is shown to need fewer or more neurons than 'a'"


def test_a_target_out_of_reach_is_so_many_neurons_more() -> None:
    found = compared(study("a", layer()), study("b", {width: [0.5 + s for s in SEEDS] for width in layer()}))
    assert (
        "'b' needs at least 8 neurons more than 'a' (not reached up to 12 neurons against 5; 99 % sure)"
        in (said(found)[0])
    )


def test_softmax_alone_leaves_one_layer_to_compare() -> None:
    enough = {(): [0.96 + seed for seed in SEEDS]}
    found = compared(study("a", {**enough, **layer(2)}), study("b", {**enough, **layer()}))
    assert said(found)[0].startswith(
        "At least 90.5 % of test samples right with one hidden layer: typically 'b' needs 2 neurons fewer than 'a'"
    )


def test_the_others_are_compared_with_the_first_only() -> None:
    found = compared(study("a", layer()), study("b", layer(1)), study("c", layer(2)))
    [first, second, third] = found.targets[0].of_depth(None)
    assert first.against_first is None
    assert second.against_first["typical"].at_least == 1
    assert third.against_first["typical"].at_least == 2


def test_a_depth_that_the_first_lacks_is_shown_and_not_compared() -> None:
    found = compared(study("a", {(): [0.9] * 4}), study("b", layer()))
    [only] = found.targets[0].of_depth(1)
    assert (only.study, only.against_first) == ("b", None)


def test_settings_that_differ_are_in_words() -> None:
    studies = [ours("a"), ours("b", "training.activation=tanh", "training.epochs=60", "space.max_depth=1")]
    found = {row.words: row.values for row in unlike_settings(studies)}
    assert found == {
        "activation": ("relu", "tanh"),
        "epochs at most": ("30", "60"),
        "hidden layers at most": ("2", "1"),
    }


def test_a_file_that_moved_is_no_difference() -> None:
    assert unlike_settings([ours("a", "data.name=x.csv"), ours("b", "data.name=elsewhere/x.csv")]) == []
    [row] = unlike_settings([ours("a", "data.name=x.csv"), ours("b", "data.name=y.csv", fingerprint="0" * 64)])
    assert row == ("data set", ("x.csv", "y.csv"))


def test_every_setting_that_decides_networks_has_words() -> None:
    deciding = {name for name, _ in flattened(load("digits").settings())}
    assert deciding - {"name", "output.monitor_every", "reference"} == WORDS.keys()


REMARKS = {
    "other samples": ((), {"fingerprint": "0" * 64}, "do not share their samples"),
    "other test samples": ((), {"n_test": 90}, "do not share their test samples"),
    "another test table": (("data.test=0.3",), {}, "do not share their test samples"),
    "another split": (("seed=7",), {}, "split training and validation samples differently"),
    "another kind": ((), {"verifies_on_whole": True}, "only those of one of them train on the validation samples"),
    "another target": (("budget.targets=[0.9]",), {}, "'a' was not verified for 90 %"),
}


@pytest.mark.parametrize(("overrides", "data", "remark"), REMARKS.values(), ids=REMARKS)
def test_what_is_not_shared_is_said(overrides: tuple[str, ...], data: dict[str, Any], remark: str) -> None:
    found = compared(study("a", layer()), study("b", layer(), *overrides, **data))
    assert any(remark in line for line in found.remarks), found.remarks


def test_studies_that_share_all_but_the_activation_need_no_remark() -> None:
    assert compared(study("a", layer()), study("b", layer(), "training.activation=tanh")).remarks == ()


def test_studies_verified_on_the_whole_training_file_share_no_split() -> None:
    one, other = study("a", layer(), verifies_on_whole=True), study("b", layer(), "seed=7", verifies_on_whole=True)
    assert compared(one, other).remarks == ()


def test_a_split_by_the_files_end_needs_no_seed() -> None:
    tail = "data.validation=tail"
    assert compared(study("a", layer(), tail), study("b", layer(), tail, "seed=7")).remarks == ()


def test_a_study_not_verified_for_a_target_has_a_sentence_only_if_it_differs() -> None:
    other = "budget.targets=[0.89]"
    assert said(compared(study("a", layer()), study("b", layer(), other))) == []
    found = said(compared(study("a", layer()), study("b", layer(3), other)))
    assert ["needs 3 neurons more than 'a'" in sentence for sentence in found] == [True, True]


def test_targets_are_those_of_any_study_and_their_commands_are_named() -> None:
    found = compared(study("a", layer()), study("b", layer(), "budget.targets=[0.89]"))
    assert [(target.accuracy, target.asked_by) for target in found.targets] == [(0.89, ("b",)), (0.905, ("a",))]
    assert [remark.rpartition("`fewest ")[2] for remark in found.remarks] == [
        "verify a --target 0.89` does it.",
        "verify b --target 0.905` does it.",
    ]


def test_commands_name_the_storage_of_their_study() -> None:
    elsewhere = replace(study("b", {}, "budget.targets=[0.89]"), storage=" --storage sqlite:///x.db")
    commands = [remark.split("`")[1] for remark in compared(study("a", layer()), elsewhere).remarks]
    assert commands == [
        "fewest verify b --storage sqlite:///x.db",
        "fewest verify a --target 0.89",
        "fewest verify b --target 0.905 --storage sqlite:///x.db",
    ]


def test_an_unverified_study_is_said_to_be() -> None:
    found = compared(study("a", layer()), study("b", {}))
    assert "'b' is not verified yet, so it has no answers; `fewest verify b` verifies it." in found.remarks
    assert said(found)[0].endswith("'b' and 'a' are not told apart (unknown against 5; at most 5 fewer)")
    assert headline(compared(study("a", {}), study("b", {}))) == "There are no answers to compare yet"


def test_json_has_every_answer_and_difference() -> None:
    found = compared(study("a", layer()), study("b", layer(3))).to_json()
    [first, second, *_] = found["targets"][0]["answers"]
    assert (first["study"], first["depth"], first["against_first"]) == ("a", None, None)
    assert second["typical"]["neurons"] == 8
    assert second["against_first"]["typical"] == {"outcome": "more", "at_least": 3, "at_most": 3, "sure": 0.99}
