"""The reading commands: they print a stored study as an answer, a list or a report.

Reading loads neither TensorFlow nor Optuna and never writes to the storage.
"""

from pathlib import Path

from fewest.dashboards.console import out
from fewest.dashboards.found import found
from fewest.dashboards.text import print_answer, print_comparison
from fewest.search.answers.failures import NothingTrainedError, reasons_of_failure
from fewest.search.answers.results import collect, trained
from fewest.search.answers.sentences import statements

__all__ = ["print_answer_of", "write_study_report"]


def print_answer_of(name: str, url: str) -> None:
    """Print a study's answer, beside its reference figures if it has any.

    Raises:
        MisuseError: There is no such study, or it is not ours.
        NothingTrainedError: All networks failed, so that there is no answer.
    """
    known = found(name, url)
    if reasons := reasons_of_failure(known.trials, known.verified):
        raise NothingTrainedError(name, reasons)
    console = out()
    print_answer(console, known.summary, statements(known.summary, known.verified))
    results = collect(known.verified)
    architectures = known.config.space.architectures or ()
    listed = {architecture: trained(results.get(architecture, [])) for architecture in architectures}
    if known.config.reference is not None and all(len(accuracies) > 1 for accuracies in listed.values()):
        print_comparison(console, known.config.reference, listed)


def write_study_report(name: str, url: str, output: Path) -> None:
    """Write a study's report as one HTML file.

    Raises:
        NotFoundError: There is no such study.
        ReportError: The file cannot be written.
    """
    from fewest.dashboards.report import write_report
    from fewest.dashboards.report_of_study import report_of

    write_report(output, report_of(name, url))
