"""A network had again: as it was kept, else trained once more in the order of samples that it had."""

import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fewest.search.data.samples import SearchData
from fewest.search.export.recovery import RecoveryError, recover
from fewest.search.export.selection import Choice, Recorded
from fewest.search.keeper import file_name
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import overridden
from fewest.search.settings.seeds import SampleOrder, search_order, trial_seed, verification_order, verification_seed
from fewest.search.settings.space import Network
from fewest.search.training.network import extract, initial_weights, save
from fewest.search.training.outcome import EpochMetrics, Outcome, Weights
from fewest.storage.errors import MisuseError
from fewest.storage.files.artifacts import Artifacts, KeptFile
from fewest.storage.files.places import Folder
from fewest.storage.trials.records import TrialRecord

WIDTHS = (3,)
SEED = 3
"""Of the study `tiny_config`."""


class Scripted:
    """An engine that trains nothing, gives what it is told to, and remembers what it was asked.

    Attributes:
        asked: The networks and the order of samples of each training.
        n_samples: The numbers of training and validation samples of each training.
    """

    def __init__(self, outcome: Outcome | None = None) -> None:
        self.asked: list[tuple[list[Network], SampleOrder]] = []
        self.n_samples: list[tuple[int, int]] = []
        self._outcome = outcome

    def cohort_size(self, *_: Any) -> int:
        return 1

    def train(
        self, networks: Sequence[Network], data: SearchData, *_: Any, order: SampleOrder, watcher: Any
    ) -> list[Outcome]:
        self.asked.append((list(networks), order))
        self.n_samples.append((len(data.y_train), len(data.y_validation)))
        return [self._outcome or trained(weights_of(networks[0], data))]

    def right(self, *_: Any) -> NDArray[np.bool_]:
        raise AssertionError("nothing is scored")


def trained(weights: Weights, **changes: Any) -> Outcome:
    """A network that trained to its end in one epoch."""
    as_complete: dict[str, Any] = {"state": "complete", "validation_accuracy": 0.75, "reason": None, **changes}
    return Outcome(
        curve=(EpochMetrics(1.0, 0.5, 1.0, 0.75),), best_epoch=0, seconds=1.0, weights=weights, **as_complete
    )


def weights_of(network: Network, data: SearchData, shift: float = 0.0) -> Weights:
    return [array + np.float32(shift) for array in initial_weights(network, data.n_features, data.n_classes)]


def trial_of(network: Network) -> TrialRecord:
    values: dict[str, Any] = dict.fromkeys(("epochs", "best_epoch", "seconds", "reason", "started", "completed"))
    return TrialRecord(
        trial_id=100,
        number=0,
        state="complete",
        widths=network.architecture,
        neurons=3,
        parameters=63,
        seed=network.seed,
        validation_accuracy=0.75,
        **values,
    )


OF_TRIAL = Network(WIDTHS, trial_seed(SEED, 0))
VERIFIED = Network(WIDTHS, verification_seed(SEED, 2))
TRIAL = Choice(OF_TRIAL, trial_of(OF_TRIAL), "Trial 0: 3 neurons", Recorded(0.75, None))
ANSWER = Choice(VERIFIED, None, "Typical answer for 0.9: 3 neurons", Recorded(0.75, 0.75))


on_split = partial(recover, verifies_on_whole=False)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "artifacts")


def keep(folder: Folder, artifact_id: str, network: Network, weights: Weights, data: SearchData, **of: Any) -> KeptFile:
    """Keeps a network's weights as the study's, or as those of the trial `trial_id`."""
    path = folder.path.parent / "scratch.keras"
    save(extract(network, weights, data, StudyConfig.of(SETTINGS).training), path)
    folder.write(artifact_id, path.read_bytes())
    return KeptFile(artifact_id, of.get("trial_id"), file_name(network))


SETTINGS = {"name": "any", "data": {"name": "tiny.npz"}, "budget": {"trials": 1, "targets": [0.5]}}


@pytest.mark.parametrize(("choice", "trial_id"), [(TRIAL, 100), (ANSWER, None)], ids=["trial", "answer"])
def test_what_is_kept_is_taken_and_nothing_is_trained_or_said(choice, trial_id, folder, tiny_config, tiny_data):
    weights = weights_of(choice.network, tiny_data, shift=0.5)
    kept = [keep(folder, "one", choice.network, weights, tiny_data, trial_id=trial_id)]
    engine, said = Scripted(), list[str]()
    network, _ = on_split(choice, tiny_config, tiny_data, kept, Artifacts(folder), said.append, engine=engine)
    assert all(map(np.array_equal, network.get_weights(), weights))
    assert (engine.asked, said) == ([], [])


def test_of_several_the_latest_that_is_whole_is_taken(folder, tiny_config, tiny_data):
    kept = [
        keep(folder, name, VERIFIED, weights_of(VERIFIED, tiny_data, shift=shift), tiny_data)
        for name, shift in (("first", 1.0), ("second", 2.0), ("third", 3.0))
    ]
    folder.write("third", b"damaged")
    network, _ = on_split(ANSWER, tiny_config, tiny_data, kept, Artifacts(folder), pytest.fail, engine=Scripted())
    assert all(map(np.array_equal, network.get_weights(), weights_of(VERIFIED, tiny_data, shift=2.0)))


def nothing(folder: Folder) -> None:
    """Leaves it as it is."""


def delete(folder: Folder) -> None:
    folder.delete("one")


def truncate(folder: Folder) -> None:
    folder.write("one", (folder.read("one") or b"")[:-100])


def replace_by_text(folder: Folder) -> None:
    folder.write("one", b"no network")


def empty(folder: Folder) -> None:
    with zipfile.ZipFile(folder.path / "one", "w"):
        pass


@pytest.mark.parametrize(
    ("damage", "network", "trial_id"),
    [
        (delete, OF_TRIAL, 100),
        (truncate, OF_TRIAL, 100),
        (replace_by_text, OF_TRIAL, 100),
        (empty, OF_TRIAL, 100),
        (nothing, OF_TRIAL, 101),
        (nothing, OF_TRIAL, None),
        (nothing, Network(WIDTHS, 8), 100),
    ],
    ids=["missing", "truncated", "no archive", "empty archive", "another trial's", "the study's", "another seed's"],
)
def test_what_is_missing_or_damaged_is_trained_again_and_said_so(
    damage, network, trial_id, folder, tiny_config, tiny_data
):
    weights = weights_of(network, tiny_data, shift=0.5)
    kept = [keep(folder, "one", network, weights, tiny_data, trial_id=trial_id)]
    damage(folder)
    engine, said = Scripted(), list[str]()
    again, _ = on_split(TRIAL, tiny_config, tiny_data, kept, Artifacts(folder), said.append, engine=engine)
    assert all(map(np.array_equal, again.get_weights(), weights_of(OF_TRIAL, tiny_data)))
    assert engine.asked == [([OF_TRIAL], search_order(SEED))]
    [line] = said
    assert line.startswith(f"Trial 0: 3 neurons: its network is not kept in '{folder}', so it is trained again, ")


def test_a_file_with_other_weights_under_its_name_is_trained_again(folder, tiny_config, tiny_data):
    wide = Network((5,), VERIFIED.seed)
    other = keep(folder, "one", wide, weights_of(wide, tiny_data), tiny_data)
    engine, said = Scripted(), list[str]()
    kept = [other._replace(name=file_name(VERIFIED))]
    again, _ = on_split(ANSWER, tiny_config, tiny_data, kept, Artifacts(folder), said.append, engine=engine)
    assert all(map(np.array_equal, again.get_weights(), weights_of(VERIFIED, tiny_data)))
    assert len(engine.asked) == len(said) == 1


@pytest.mark.parametrize(("schedule", "which"), [("one_cycle", 0), ("constant", 2)])
def test_a_verified_network_has_the_order_it_had(schedule, which, folder, tiny_config, tiny_data):
    """A schedule that ends at zero shares one order; with a constant rate, seed 2 has its own."""
    config, engine = overridden(tiny_config, [f"training.schedule={schedule}"]), Scripted()
    on_split(ANSWER, config, tiny_data, [], Artifacts(folder), lambda line: None, engine=engine)
    assert engine.asked == [([VERIFIED], verification_order(SEED, which))]


def test_a_seed_that_verification_does_not_draw_is_refused(folder, tiny_config, tiny_data):
    choice, engine = ANSWER._replace(network=Network(WIDTHS, 8)), Scripted()
    with pytest.raises(MisuseError, match="The seed 8 must be one that verification draws in a study of seed 3"):
        on_split(choice, tiny_config, tiny_data, [], Artifacts(folder), lambda line: None, engine=engine)
    assert engine.asked == []


@pytest.mark.parametrize(
    ("choice", "whole", "n_samples"), [(ANSWER, True, (240, 0)), (ANSWER, False, (180, 60)), (TRIAL, True, (180, 60))]
)
def test_a_verified_network_has_the_samples_it_had(choice, whole, n_samples, folder, tiny_config, tiny_data):
    """The whole training file, unless its study is of an older version or its protocol needs validation samples."""
    engine = Scripted()
    recover(
        choice, tiny_config, tiny_data, [], Artifacts(folder), lambda _: None, verifies_on_whole=whole, engine=engine
    )
    assert engine.n_samples == [n_samples]


def test_a_network_that_does_not_train_again_is_one_line(folder, tiny_config, tiny_data):
    reason = "loss is nan after epoch 0"
    engine = Scripted(trained(weights_of(OF_TRIAL, tiny_data), state="failed", reason=reason))
    with pytest.raises(RecoveryError) as raised:
        on_split(TRIAL, tiny_config, tiny_data, [], Artifacts(folder), lambda line: None, engine=engine)
    assert str(raised.value) == f"Trial 0: 3 neurons must train as it did before, but failed: {reason}."
