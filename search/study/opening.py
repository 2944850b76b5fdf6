"""Opening of a study in the storage: it is created, or continued and checked against the stored settings."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from fewest.search.answers.wording import accuracy_words
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.settings.config import StudyConfig, shown
from fewest.search.settings.files import continued
from fewest.search.settings.stored import OurStudy, our_study
from fewest.search.study.environment import environment
from fewest.search.study.pace import USUAL, Pace
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import facts_of, network_of, template_of
from fewest.storage.errors import MisuseError, Spelled
from fewest.storage.files.places import Place, place_for
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.studies import read_studies, read_study

__all__ = ["open_study"]

ACCURACY = "validation accuracy"
"""Name of the second objective, with underscores; the first is `neurons`."""


def open_study(
    storage: CohortStorage,
    config: StudyConfig,
    data: SearchData,
    test: SealedTest | None = None,
    *,
    checkpoints: Place | None = None,
    artifacts: Place | None = None,
    pace: Pace = USUAL,
) -> OpenStudy:
    """Create a study, or continue the one of that name.

    Args:
        storage: Storage of the study.
        config: Settings of the study. A budget larger than the stored one extends it.
        data: Training and validation samples.
        test: The sealed test set, of which numbers of samples are recorded; None records none.
        checkpoints: Place of checkpoints; None for the storage's usual place.
        artifacts: Place of trained networks; None for the storage's usual place.
        pace: Intervals between this worker's checkpoints, heartbeats and looks.

    Raises:
        MisuseError: A study of that name has other settings or other data, or another program made it.
    """
    created = False
    if config.name not in {study.name for study in read_studies(storage.engine)}:
        # Another process may create the study first; this one then continues it.
        with suppress(optuna.exceptions.DuplicatedStudyError):
            _create_study(storage, config, data, _description(config, data, test))
            created = True
    ours = our_study(read_study(storage.engine, config.name))
    study = optuna.load_study(storage=storage, study_name=config.name)
    _check_data(ours, config, data)
    config = continued(ours.config, config)
    if config != ours.config:
        study.set_user_attr("settings", config.settings())
    return OpenStudy(
        storage,
        study,
        config,
        data,
        ours.data.verifies_on_whole,
        checkpoints=checkpoints or place_for(storage.url, "checkpoints"),
        artifacts=artifacts or place_for(storage.url, "artifacts"),
        pace=pace,
        created=created,
    )


def _create_study(
    storage: CohortStorage, config: StudyConfig, data: SearchData, description: Mapping[str, Any]
) -> None:
    """Create a study with its first trials: the ladder, or the architectures that the settings list."""
    space = config.space.search_space()
    first = space.ladder() if config.space.architectures is None else config.space.architectures
    networks = [network_of(widths, number, config.seed) for number, widths in enumerate(first[: config.n_trials])]
    storage.create_whole_study(
        config.name,
        [StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE],
        [template_of(network, space, facts_of(network, data), TrialState.WAITING) for network in networks],
        attributes={
            "data": description,
            "environment": environment(),
            "settings": config.settings(),
        },
        metric_names=["neurons", accuracy_words(ACCURACY, config.data.metric).replace(" ", "_")],
    )


def _check_data(ours: OurStudy, config: StudyConfig, data: SearchData) -> None:
    """Compare fingerprints. They identify the data, whatever the name and path of the file."""
    before = ours.data.fingerprint
    if before != data.fingerprint:
        raise MisuseError(
            f"Study '{config.name}' was made on other data: fingerprint {before[:12]}, got {data.fingerprint[:12]} of "
            f"{shown(config.data.name)}. ",
            Spelled(
                "Give those, or another `name` for a new study.",
                "Say with `--data PATH` where its data are, or use `--name` for a new study.",
            ),
        )


def _description(config: StudyConfig, data: SearchData, test: SealedTest | None) -> dict[str, Any]:
    return {
        "name": data.name,
        "n_classes": data.n_classes,
        "input_shape": list(data.input_shape),
        "n_training": len(data.y_train),
        "n_validation": len(data.y_validation),
        "n_test": test.n_samples if test else 0,
        "fingerprint": data.fingerprint,
        "columns": list(data.table.words) if data.table else [],
        "guessing": dict(test.guessing) if test else {},
        "notes": list(data.notes),
        "verifies_on_whole": not config.training.restores_best,
        "test_counts": list(test.class_counts) if test else [],
    }
