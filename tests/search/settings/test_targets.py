"""Targets: numbers and those relative to the best, written in one way, in order, with a value or without."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.config import SettingsError
from fewest.search.settings.files import continued, load, overridden
from fewest.search.settings.targets import Target, mean_rounded_down, parsed, unvalued, valued


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("best", "best"),
        ("BEST - 0", "best"),
        ("best-.01", "best - 0.01"),
        (" best -  0.0100 ", "best - 0.01"),
        (0.5, 0.5),
    ],
)
def test_a_target_is_written_in_one_way(asked, written):
    assert parsed(asked) == written


@given(less=st.integers(0, 999_999_999))
def test_what_is_written_reads_as_the_same(less):
    written = parsed(f"best - {less / 10**9:.9f}")
    assert parsed(written) == written


@pytest.mark.parametrize("asked", ["worst", "best - 1", "best + 0.01", "best - -0.1", "best - 1e-3", True, None, [0.9]])
def test_anything_else_is_refused_with_an_example(asked):
    with pytest.raises(SettingsError, match=r"`budget\.targets` must be .* such as 'best - 0\.01', got "):
        overridden(load("digits"), [("budget.targets", [asked])])


def test_both_kinds_are_merged_when_a_study_goes_on():
    stored, given = (
        overridden(load("digits"), [("budget.targets", targets)])
        for targets in ([0.9, "best - 0.01"], ["best-.010", "best", 0.8])
    )
    assert continued(stored, given).budget.targets == (0.8, 0.9, "best - 0.01", "best")


def test_relative_targets_have_a_value_once_the_best_is_known():
    targets = ("best - 0.01", 0.9, "best")
    assert valued(targets, None) == [Target(0.9)]
    assert valued(targets, 0.9612) == [Target(0.9), Target(0.9512, "best - 0.01"), Target(0.9612, "best")]
    assert (unvalued(targets, None), unvalued(targets, 0.9612)) == (("best - 0.01", "best"), ())


def test_a_target_far_below_the_best_is_0():
    assert valued(["best - 0.9"], 0.5) == [Target(0.0, "best - 0.9")]


@given(accuracies=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_the_best_never_lies_above_what_the_seeds_reach(accuracies):
    found = mean_rounded_down(accuracies)
    assert 0 <= found <= 1
    assert -1e-9 <= sum(accuracies) / len(accuracies) - found < 1e-4 + 1e-9
