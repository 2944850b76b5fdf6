"""Candidates retrained from many seeds, each network scored once on the sealed test set.

`allocation` chooses candidates and numbers of seeds, `answers` interprets the scores, and this module trains. Networks
train on the whole training file where no validation sample is needed (`docs/decisions/0041-two-intervals.md`). A
cohort's scores are written in one transaction, and then the next cohort is planned anew. It depends only on what is
stored, so a verification that was interrupted, anywhere, trains the networks of one that was not.

An architecture's networks have different initial weights. With a constant learning rate, networks that share the order
of their training samples end up alike, so each has an order of its own. A schedule that ends at zero averages the
order out (`docs/measurements/verification.md`). All then share one order, since networks that train together must.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from fewest.search.answers.evidence import Sampling
from fewest.search.answers.results import Results, collect, trained
from fewest.search.answers.sampling import sampling_variances
from fewest.search.data.samples import SealedTest
from fewest.search.keeper import Keeper
from fewest.search.listener import Listener, Progress, wait
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.seeds import SampleOrder, verification_order, verification_seed
from fewest.search.settings.space import Architecture, Network
from fewest.search.settings.stored import Best
from fewest.search.settings.targets import mean_rounded_down
from fewest.search.study.history import finished_curves
from fewest.search.study.pruning import expected_final
from fewest.search.study.study import OpenStudy
from fewest.search.training.checkpoints import CohortCheckpoints
from fewest.search.training.interface import Bystander, Engine
from fewest.search.training.outcome import EpochMetrics
from fewest.search.training.snapshot import Snapshot
from fewest.search.verification.allocation import Rule, candidates, next_seeds
from fewest.search.verification.contenders import Found, seeds_for_answers
from fewest.search.verification.new_samples import seeds_for_new_samples
from fewest.search.verification.scoring import scored
from fewest.search.watch import save_or_stop

__all__ = ["verify", "verify_bracket"]

SEEDS_OF_BEST = 8
"""Seeds that say what the best is: their mean's error is a third of a seed's (docs/decisions/0038)."""


def verify(
    study: OpenStudy, engine: Engine, sealed: SealedTest, listener: Listener, keeper: Keeper | None = None
) -> None:
    """Train and score networks until every target of the study is settled or the allowed seeds are spent.

    One worker verifies. All others wait for it, and take over if it is gone. If every trial failed, there is nothing to
    verify.

    Args:
        study: The study to verify.
        engine: The engine that trains and scores the networks.
        sealed: The test set, unsealed only to score networks after their training.
        listener: Receives progress, and may stop the verification.
        keeper: Keeps the best network of each architecture; None keeps none.

    Raises:
        SearchInterruptedError: `listener.should_stop` returned true; all scores so far are kept.
        LeftToOthersError: `listener.should_leave` returned true; another worker verifies.
    """
    if study.all_failed():
        return
    while True:
        while not study.may_verify():
            wait(listener)
        verified = study.results()
        results = collect(verified)
        sampling = partial(sampling_variances, verified, sealed.n_samples, sealed.class_counts)
        plan = _seeds_of_best(study, results) or _plan(study, results, sampling, lambda: _found(study))
        if not plan:
            return
        _train_cohort(plan, results, study, engine, sealed, listener, keeper)


def verify_bracket(
    study: OpenStudy,
    engine: Engine,
    sealed: SealedTest,
    listener: Listener,
    keeper: Keeper | None = None,
    *,
    deeper: bool,
) -> bool:
    """Verify what ladder and bracket have shown: softmax and one hidden layer, and what could beat them if `deeper`.

    Only trials of ladder and bracket count, whatever else has been trained since. So the moment changes nothing. The
    arguments and errors are those of `verify`.

    Returns:
        False if another worker verifies; True when nothing is left to do, or the bracket has not ended. That the first
        answer has been verified is stored, as the last verification may have begun when a study goes on.
    """
    known, config = study.bracketed(), study.config
    if known is None or study.all_failed() or (not deeper and study.has_first_answer()):
        return True
    found = [(architecture, accuracy) for architecture, accuracy in known.items() if accuracy is not None]
    while True:
        verified = study.results()
        results = collect(verified)
        sampling = partial(sampling_variances, verified, sealed.n_samples, sealed.class_counts)
        plan = _plan(study, results, sampling, lambda: found, bracket=True, deeper=deeper)
        if not plan:
            if not deeper:
                study.keep_first_answer()
            return True
        if not study.may_verify():
            return False
        n_to_search = 0 if config.budget.goal == "answer" else max(0, config.n_trials - len(study.history.ended))
        _train_cohort(plan, results, study, engine, sealed, listener, keeper, n_to_search)


def _train_cohort(
    plan: Mapping[Architecture, int],
    results: Results,
    study: OpenStudy,
    engine: Engine,
    sealed: SealedTest,
    listener: Listener,
    keeper: Keeper | None,
    n_to_search: int = 0,
) -> None:
    """Train and score the first cohort of the planned networks; another worker that takes over trains it instead."""
    config, data = study.config, study.verification_data
    n = engine.cohort_size(data, config.training, config.space.search_space())
    n_finished = sum(map(len, results.values()))
    order, cohort = next(_cohorts(plan, results, config, n))
    checkpoints = study.verification_checkpoints(cohort)
    standing = Progress(
        "verification",
        n_finished,
        n_networks=n_finished + sum(plan.values()),
        n_training=len(cohort),
        epoch=0,
        n_epochs=config.training.epochs,
        n_to_search=n_to_search,
    )
    watch = _Watch(listener, checkpoints, standing)
    outcomes = engine.train(cohort, data, config.training, order=order, watcher=watch)
    if not study.write_results(scored(cohort, outcomes, engine, data, config.training, sealed.unseal())):
        return  # Stopped for longer than its lease.
    checkpoints.remove()
    if keeper is not None:
        keeper.note_verified(cohort, outcomes)
        keeper.keep_noted()
    listener.on_cohort()


def _seeds_of_best(study: OpenStudy, results: Results) -> dict[Architecture, int]:
    """Return the seeds still to train before the best is known; once they are there, store what it is.

    If every one of them failed to train, nothing is stored: relative targets stay without a value.
    """
    n, widths = min(SEEDS_OF_BEST, study.config.budget.verification_seeds), study.widths_of_best()
    if widths is None or n == 0:
        return {}
    accuracies = results.get(widths, [])[:n]
    if len(accuracies) < n:
        return {widths: n - len(accuracies)}
    if known := trained(accuracies):
        study.keep_best(Best(accuracy=mean_rounded_down(known), widths=list(widths), seeds=len(known)))
    return {}


def _plan(
    study: OpenStudy,
    results: Results,
    sampling: Callable[[], Sampling],
    found: Callable[[], Found],
    *,
    bracket: bool = False,
    deeper: bool = True,
) -> dict[Architecture, int]:
    """Return the next seeds of each architecture: where they decide, or equally for the settings' architectures.

    Args:
        study: The study.
        results: Test accuracies so far.
        sampling: Function that returns what the test set itself leaves open.
        found: Function that returns the trials.
        bracket: Whether this is the bracket's verification, which never answers for every depth.
        deeper: Whether networks of more than one hidden layer count in the bracket's, and the upper ends for new
            samples.
    """
    config, targets = study.config, study.targets()
    cap, space = config.budget.verification_seeds, config.space.search_space()
    if cap == 0:
        return {}
    if config.space.architectures is not None:
        done = {listed: len(results.get(listed, ())) for listed in config.space.architectures}
        return {listed: cap - n for listed, n in done.items() if n < cap}
    rule, trials = Rule(cap=cap, look=min(Rule.look, cap)), found()
    if config.budget.goal == "depths" and not bracket:
        first: Results = {architecture: [] for architecture in candidates(trials, targets, space)}
        plan = next_seeds({**first, **results}, targets, space, rule)
    else:
        plan = seeds_for_answers(trials, results, targets, space, rule, deeper=deeper)
    if plan or not deeper:
        return plan
    return seeds_for_new_samples(trials, results, targets, space, rule, sampling())


def _found(study: OpenStudy) -> Found:
    """Return every trial with its validation accuracy; a pruned trial has the one expected at its end."""
    trials, curves = study.trials_and_curves()
    finished = list(finished_curves(trials, curves).values())
    found = []
    for trial in trials:
        if trial.widths is not None and trial.validation_accuracy is not None:
            found.append((trial.widths, trial.validation_accuracy))
        elif trial.widths is not None and trial.state == "pruned" and trial.trial_id in curves:
            last = curves[trial.trial_id][-1]
            found.append((trial.widths, expected_final(last.epoch, last.val_accuracy, finished)))
    return found


def _cohorts(
    plan: Mapping[Architecture, int], done: Results, config: StudyConfig, n: int
) -> Iterator[tuple[SampleOrder, list[Network]]]:
    """Group the planned networks into cohorts of at most `n` that share an order of the training samples."""
    by_order: dict[int, list[Network]] = {}
    for architecture, n_seeds in plan.items():
        before = len(done.get(architecture, ()))
        for index in range(before, before + n_seeds):
            network = Network(architecture, verification_seed(config.seed, index))
            by_order.setdefault(config.training.order_index(index), []).append(network)
    for which, networks in sorted(by_order.items()):
        for start in range(0, len(networks), n):
            yield verification_order(config.seed, which), networks[start : start + n]


class _Watch(Bystander):
    """A watcher that shows progress, saves checkpoints, and stops on request."""

    wants_curve = False

    def __init__(self, listener: Listener, checkpoints: CohortCheckpoints, standing: Progress) -> None:
        self._listener, self._checkpoints, self._standing = listener, checkpoints, standing

    def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
        """Record an epoch."""
        self._listener.on_progress(self._standing._replace(n_training=len(metrics), epoch=epoch))

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        """Save the cohort when a checkpoint is due, and stop here if the listener asks for it."""
        save_or_stop(self._listener, self._checkpoints, take)

    def start(self) -> Snapshot | None:
        """Return the cohort's last checkpoint from an earlier run, or None."""
        return self._checkpoints.load()
