"""The `population` engine: a cohort trained as one Keras model."""

from collections.abc import Mapping, Sequence

from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.interface import Watcher
from fewest.search.training.outcome import EpochMetrics, Outcome

__all__ = ["PopulationEngine"]


class PopulationEngine:
    """A cohort as one Keras model."""

    def __init__(self) -> None:
        from fewest.search.training.population.model import use_one_thread_per_operation

        use_one_thread_per_operation()

    def cohort_size(self, data: SearchData, protocol: Protocol, space: SearchSpace) -> int:
        """As many as memory and arithmetic favour."""
        from fewest.search.training.population.cost import cohort_size

        return cohort_size(data, protocol, space)

    def train(
        self,
        networks: Sequence[Network],
        data: SearchData,
        protocol: Protocol,
        *,
        batch_seed: int,
        watcher: Watcher,
    ) -> list[Outcome]:
        """See `Engine.train`."""
        from fewest.search.training.population.cohort import train_cohort

        def on_epoch_end(epoch: int, metrics: Mapping[int, EpochMetrics]) -> dict[int, str]:
            watcher.record(epoch, metrics)
            verdicts = {member: watcher.judge(member, epoch, seen.val_accuracy) for member, seen in metrics.items()}
            return {member: reason for member, reason in verdicts.items() if reason is not None}

        return train_cohort(
            networks,
            data,
            protocol,
            batch_seed=batch_seed,
            on_epoch_end=on_epoch_end,
            on_checkpoint=lambda epoch, take: watcher.checkpoint(take),
            start=watcher.start(),
        )
