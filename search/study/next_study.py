"""The next study for a worker, chosen from the records of all studies in the storage, so that no master is needed.

study = next_study(read_studies(engine))        # None: all are finished
"""

from collections.abc import Collection, Sequence

from fewest.search.settings.files import is_finished
from fewest.search.settings.stored import our_study
from fewest.storage.errors import MisuseError
from fewest.storage.trials.records import StudyRecord

__all__ = ["has_free_trials", "next_study"]


def next_study(
    studies: Sequence[StudyRecord],
    names: Collection[str] = (),
    passed_over: Collection[str] = (),
    last: str | None = None,
) -> StudyRecord | None:
    """Choose the oldest study with trials that no worker has, else a study that other workers are about to finish.

    Args:
        studies: Records of all studies in the storage, oldest first.
        names: Names of the studies to choose from; empty for all.
        passed_over: Names of studies that this worker cannot work on.
        last: Name of the study in which the worker just found nothing to do. It is chosen last: it may have budget for
            trials that it gives out only if its answer wants them.

    Returns:
        None if all are finished. A study with unreadable settings counts as unfinished.
    """
    wanted = [study for study in studies if study.name not in passed_over and (not names or study.name in names)]
    unfinished = [study for study in wanted if not _is_finished(study)]
    free = [study for study in unfinished if has_free_trials(study)]
    return next(iter(sorted(free or unfinished, key=lambda study: study.name == last)), None)


def has_free_trials(study: StudyRecord) -> bool:
    """Say whether a study has waiting trials, or budget for new ones.

    Where the goal is the answer, verification comes before most of the budget, and usually instead of it.
    """
    try:
        config = our_study(study).config
    except MisuseError:
        return False
    if study.n_trials.get("waiting", 0) > 0:
        return True
    verifies = config.budget.goal == "answer" and study.n_verified > 0
    return not verifies and sum(study.n_trials.values()) < config.n_trials


def _is_finished(study: StudyRecord) -> bool:
    try:
        return is_finished(study, our_study(study).config)
    except MisuseError:
        return False
