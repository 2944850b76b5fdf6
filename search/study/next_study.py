"""Which study a worker takes up next: decided from what the storage says of all studies, so that no master is needed.

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
    """The study to take up: the oldest with trials that nobody has, else one that others may need help to end.

    Args:
        studies: All in the storage, oldest first.
        names: Those to choose from; none are all.
        passed_over: Names of studies that this worker cannot help with.
        last: Where it found nothing to do just now: of those that others have the rest of, this comes last.

    Returns:
        None if all are finished. A study whose settings cannot be read counts as unfinished.
    """
    wanted = [study for study in studies if study.name not in passed_over and (not names or study.name in names)]
    unfinished = [study for study in wanted if not _is_finished(study)]
    free = [study for study in unfinished if has_free_trials(study)]
    return next(iter(free or sorted(unfinished, key=lambda study: study.name == last)), None)


def has_free_trials(study: StudyRecord) -> bool:
    """Whether a study has trials that wait, or may have more than it has."""
    try:
        n_trials = our_study(study).config.n_trials
    except MisuseError:
        return False
    return study.n_trials.get("waiting", 0) > 0 or sum(study.n_trials.values()) < n_trials


def _is_finished(study: StudyRecord) -> bool:
    try:
        return is_finished(study, our_study(study).config)
    except MisuseError:
        return False
