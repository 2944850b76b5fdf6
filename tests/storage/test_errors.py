"""Errors have a program's spelling as text, and a shell's where a command prints them."""

import pickle

import pytest

from fewest.api.answer import NoTargetError
from fewest.search.answers.failures import NothingTrainedError
from fewest.search.data.errors import DataError
from fewest.search.settings.stored import DamagedStudyError
from fewest.storage.errors import FewestError, MisuseError, NotFoundError, Spelled, StorageError, StudyGoneError


@pytest.mark.parametrize("kind", [FewestError, MisuseError, NotFoundError, StorageError, DataError, NoTargetError])
def test_an_error_of_any_kind_has_both_spellings_also_after_pickling(kind: type[FewestError]) -> None:
    error = kind("Choose another ", Spelled("`name`", "`--name`"), ", or ", Spelled("`seed`", "`--seed`"), ".")
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert str(same) == "Choose another `name`, or `seed`."
        assert same.in_shell() == "Choose another `--name`, or `--seed`."


@pytest.mark.parametrize(
    "error", [StudyGoneError("mine"), NothingTrainedError("mine", {"no sample": 2}), DamagedStudyError("mine", "it is")]
)
def test_an_error_made_of_other_arguments_comes_back_from_another_process(error: FewestError) -> None:
    same = pickle.loads(pickle.dumps(error))
    assert (type(same), str(same), same.in_shell()) == (type(error), str(error), error.in_shell())


def test_an_error_without_a_spelling_is_the_same_for_both() -> None:
    assert str(StorageError("It is gone.")) == StorageError("It is gone.").in_shell() == "It is gone."
