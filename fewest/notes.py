"""The notes that a running study stores with itself and its front, for optuna-dashboard to show."""

from fewest.dashboards.found import Found
from fewest.dashboards.notes import VERIFIED_KEYS, study_note, trial_note, verified_attributes
from fewest.search.study.study import OpenStudy

__all__ = ["write_notes"]


def write_notes(study: OpenStudy, known: Found) -> None:
    """Write a study's note, and a note and the verified accuracy of each trial on its front.

    Two workers may write at once: both write what the storage holds, and only what has changed.

    Args:
        study: The study.
        known: The study as the storage had it just now.
    """
    summary = known.summary
    ids = {trial.number: trial.trial_id for trial in known.trials}
    front = {ids[member.trial]: member for member in summary.front}
    notes: dict[int | None, str] = {None: study_note(summary, known.config, known.verified)}
    notes |= {trial_id: trial_note(member, summary.study) for trial_id, member in front.items()}
    attributes = {trial_id: verified_attributes(member) for trial_id, member in front.items()}
    study.remark(notes, attributes, keys=VERIFIED_KEYS)
