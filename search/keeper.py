"""The trained networks that are kept: those on the front, and the best network of each verified architecture.

"Best" is by validation accuracy, or by training loss where networks trained on the whole training file. A choice by
test accuracy would bias the test accuracy of the chosen network. A network that is not kept, or was deleted, can be
trained again from its seed: see `export.recovery`. So no failure here may stop a study.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from optuna.exceptions import UpdateFinishedTrialError

from fewest.search.answers.front import FrontPoint, pareto_front, points_of
from fewest.search.answers.results import best_seeds, merit
from fewest.search.settings.space import Architecture, Network, describe
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training.network import extract, save
from fewest.search.training.outcome import Outcome
from fewest.storage.trials.records import TrialRecord

__all__ = ["Keeper", "file_name"]


class Keeper:
    """A keeper of one study's networks, as artifacts of the study and of its trials.

    Args:
        study: The open study.
        say: Function that prints a line, called once if networks cannot be kept.
    """

    def __init__(self, study: OpenStudy, say: Callable[[str], None]) -> None:
        self._study, self._say = study, say
        self._warned = False
        self._noted: dict[Architecture, tuple[Network, Outcome]] = {}

    def keep_front(self, tickets: Sequence[Ticket], outcomes: Sequence[Outcome], before: Iterable[FrontPoint]) -> None:
        """Keep the networks of a cohort that are on the front, as artifacts of their trials, which still run.

        Args:
            tickets: Tickets of the cohort.
            outcomes: Outcome of each ticket's network, in the same order.
            before: The front before the cohort.
        """
        complete = {
            ticket.number: (ticket, outcome)
            for ticket, outcome in zip(tickets, outcomes, strict=True)
            if outcome.state == "complete"
        }
        points = [
            *before,
            *(FrontPoint(number, ticket.size, of.validation_accuracy) for number, (ticket, of) in complete.items()),
        ]
        for point in pareto_front(points):
            if point.trial in complete:
                ticket, outcome = complete[point.trial]
                self._keep(ticket.network, outcome, ticket.trial_id)

    def drop_dominated(self) -> None:
        """Delete the networks of trials that later trials have beaten. A search does so once, at its end.

        A trial that still trains may reach the front, so its files stay.
        """
        trials = self._study.trials()
        front = {point.trial for point in pareto_front(points_of(trials))}
        beaten = {trial.trial_id for trial in trials if _is_ours(trial) and trial.number not in front}
        self._study.drop_files([file for file in self._study.kept_files() if file.trial_id in beaten])

    def note_verified(self, networks: Sequence[Network], outcomes: Sequence[Outcome]) -> None:
        """Remember the best network of each architecture until `keep_noted`: most networks are not worth a file.

        Args:
            networks: Networks of a cohort that has ended.
            outcomes: Outcome of each network, in the same order.
        """
        for network, outcome in zip(networks, outcomes, strict=True):
            noted = self._noted.get(network.architecture)
            if outcome.state == "complete" and (noted is None or _rank(*noted) < _rank(network, outcome)):
                self._noted[network.architecture] = (network, outcome)

    def keep_noted(self) -> None:
        """Keep each noted network that is the best verified one of its architecture, and delete the former best."""
        best = best_seeds(self._study.results())
        fresh = [
            (network, of) for network, of in self._noted.values() if best.get(network.architecture) == network.seed
        ]
        self._noted.clear()
        before = [file for file in self._study.kept_files() if file.trial_id is None]
        kept = [network for network, outcome in fresh if self._keep(network, outcome, None)]
        openings = tuple(_opening(network.architecture) for network in kept)
        self._study.drop_files([former for former in before if former.name.startswith(openings)])

    def _keep(self, network: Network, outcome: Outcome, trial_id: int | None) -> bool:
        """Keep a network if possible; return whether it was kept."""
        try:
            with TemporaryDirectory(prefix="fewest-") as folder:
                file = Path(folder, file_name(network))
                save(extract(network, outcome.weights, self._study.data, self._study.config.training), file)
                self._study.keep_file(file, trial_id)
        except (UpdateFinishedTrialError, KeyError):
            return False  # Another worker has finished the trial, or somebody deleted it.
        except OSError as error:
            if not self._warned:
                self._say(f"Trained networks cannot be kept, and the study goes on without: {error}")
            self._warned = True
            return False
        return True


def file_name(network: Network) -> str:
    """Return the file name of a network's artifact.

    >>> file_name(Network((12, 8), 7)), file_name(Network((), 7))
    ('12-8-seed-7.keras', 'softmax-seed-7.keras')
    """
    return f"{_opening(network.architecture)}{network.seed}.keras"


def _is_ours(trial: TrialRecord) -> bool:
    """Say whether a trial's network can be compared: it is complete, and its architecture is in the space."""
    return trial.state == "complete" and trial.widths is not None


def _opening(architecture: Architecture) -> str:
    return f"{describe(architecture)}-seed-"


def _rank(network: Network, outcome: Outcome) -> tuple[float, int]:
    """Return the sort key that `best_seeds` compares."""
    return merit(outcome.validation_accuracy, outcome.training_loss), -network.seed
