"""A network that a study trained, had again: from its artifact, or trained once more from its seed."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from fewest.search.data.samples import SearchData
from fewest.search.export.record import Had
from fewest.search.export.selection import Choice
from fewest.search.keeper import file_name
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.keras_settings import keras
from fewest.search.settings.seeds import SampleOrder, search_order, verification_index, verification_order
from fewest.search.settings.space import Network
from fewest.search.training.engines import ENGINES
from fewest.search.training.interface import Bystander, Engine
from fewest.search.training.network import build, extract
from fewest.storage.errors import FewestError, MisuseError
from fewest.storage.files.artifacts import Artifacts, KeptFile

__all__ = ["Recovered", "RecoveryError", "recover"]


class RecoveryError(FewestError, RuntimeError):
    """A network that trained once does not train again."""


class Recovered(NamedTuple):
    """A network that is had again: trained, not compiled."""

    network: keras.Sequential
    had: Had


def recover(
    choice: Choice,
    config: StudyConfig,
    data: SearchData,
    kept: list[KeptFile],
    artifacts: Artifacts,
    say: Callable[[str], None],
    *,
    verifies_on_whole: bool,
    engine: Engine | None = None,
) -> Recovered:
    """Have a trained network again.

    Args:
        choice: The network.
        config: Its study's settings.
        data: The study's data.
        kept: The study's artifacts.
        artifacts: Where their bytes are.
        say: Takes a line when the network has to be trained again.
        verifies_on_whole: Whether the study's verified networks trained on the whole training file.
        engine: Trains it again; None for the study's.

    Raises:
        RecoveryError: It failed to train this time.
    """
    trial_id = None if choice.trial is None else choice.trial.trial_id
    name = file_name(choice.network)
    for file in reversed(kept):
        if (file.trial_id, file.name) == (trial_id, name):
            network = _loaded(artifacts.read(file), choice, config, data)
            if network is not None:
                return Recovered(network, "kept")
    say(
        f"{choice.words}: its network is not kept in '{artifacts.place}', so it is trained again, "
        "from the same seed and data; equal to the first to rounding only."
    )
    samples = data.whole if verifies_on_whole and choice.trial is None else data
    return Recovered(_trained_again(choice, config, samples, engine or ENGINES[config.engine]()), "trained again")


def _loaded(content: bytes | None, choice: Choice, config: StudyConfig, data: SearchData) -> keras.Sequential | None:
    """Load a network from a `.keras` file, of which only the numbers are read; None if missing or damaged."""
    if content is None:
        return None
    network = build(choice.network, data, config.training.activation)
    with TemporaryDirectory(prefix="fewest-") as folder:
        path = Path(folder, "network.keras")
        path.write_bytes(content)
        try:
            network.load_weights(path)
        except Exception:  # whatever Keras, zipfile and HDF5 make of damage
            return None
    return network


def _trained_again(choice: Choice, config: StudyConfig, data: SearchData, engine: Engine) -> keras.Sequential:
    order = search_order(config.seed) if choice.trial is not None else _verification_order(config, choice.network)
    [outcome] = engine.train([choice.network], data, config.training, order=order, watcher=Bystander())
    if outcome.state != "complete":
        raise RecoveryError(f"{choice.words} must train as it did before, but failed: {outcome.reason}.")
    return extract(choice.network, outcome.weights, data, config.training)


def _verification_order(config: StudyConfig, network: Network) -> SampleOrder:
    """Find the order of the training samples that a verified network had."""
    index = verification_index(config.seed, network.seed)
    if index is None:
        raise MisuseError(
            f"The seed {network.seed} must be one that verification draws in a study of seed {config.seed}."
        )
    return verification_order(config.seed, config.training.order_index(index))
