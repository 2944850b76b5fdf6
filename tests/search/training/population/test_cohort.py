"""The population engine gives the networks that stock Keras gives, whatever becomes of their neighbours."""

import gc
import math
import os
import weakref

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score

from fewest.search.data.metrics import score
from fewest.search.data.samples import SearchData
from fewest.search.settings.config import EngineName
from fewest.search.settings.keras_settings import tf
from fewest.search.settings.protocol import Protocol
from fewest.search.settings.seeds import search_order
from fewest.search.settings.space import Network, SearchSpace
from fewest.search.training.engines import ENGINES
from fewest.search.training.interface import Bystander, Watcher
from fewest.search.training.network import build, extract, initial_weights, optimizer, predict_labels
from fewest.search.training.outcome import EpochMetrics, Outcome
from fewest.search.training.population import cohort
from fewest.search.training.population.cohort import Tuning, right_of, train_cohort
from fewest.search.training.population.cohort_size import MEMORY_BYTES, cohort_size
from fewest.search.training.population.layout import deal
from fewest.search.training.population.model import MAX_MODELS, POPULATIONS, Populations, n_shards
from fewest.search.training.population.program import SCORE_CHUNK, DeviceData, Program
from fewest.search.training.snapshot import Snapshot
from fewest.storage.files.checkpoints import CheckpointStore
from fewest.storage.files.places import Folder

MIXED = [
    Network((), 1),
    Network((5,), 2),
    Network((40,), 3),
    Network((3, 70), 4),
    Network((33, 1), 5),
    Network((7, 40, 66), 6),
    Network((), 7),
    Network((50, 2, 9), 8),
]
"""Depths 0 to 3, widths of both classes and next to their edge."""


def blobs(n_train: int = 256, n_validation: int = 100) -> SearchData:
    """Four overlapping classes of 4 by 5 uint8 pixels, three of which are dark in training and not in validation."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(40, 200, (4, 20))
    y = rng.integers(0, 4, n_train + n_validation).astype(np.int32)
    x = np.clip(centers[y] + rng.normal(0, 60, (len(y), 20)), 0, 255).astype(np.uint8).reshape(-1, 4, 5)
    x[:n_train, [0, 1, 3], [2, 0, 4]] = 0
    return SearchData("blobs", x[:n_train], y[:n_train], x[n_train:], y[n_train:], 4, 1 / 255, 0.0, "0" * 64)


BLOBS = blobs()
VALIDATION = (BLOBS.x_validation, BLOBS.y_validation)
SHORT = Protocol(batch_size=64, epochs=4, learning_rate=5e-3)


def relative(found: list[NDArray[np.float32]], wanted: list[NDArray[np.float32]]) -> float:
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, wanted, strict=True))


def equal(one: Outcome, other: Outcome) -> bool:
    """Bit for bit, clocks apart."""
    fields = ("state", "curve", "best_epoch", "validation_accuracy", "reason")
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        map(np.array_equal, one.weights, other.weights)
    )


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_first_steps_match_stock(activation: str) -> None:
    """The same initial weights and batches give stock Keras's weights after four steps, and its metrics."""
    # Adam magnifies rounding where a unit is right at its kink: in this order of the samples none is.
    protocol = Protocol(batch_size=64, epochs=1, learning_rate=1e-3, schedule="constant", activation=activation)
    for network, outcome in zip(
        MIXED, train_cohort(MIXED, BLOBS, protocol, order=search_order(4), watcher=Bystander()), strict=True
    ):
        model = build(network, BLOBS, activation)
        model.compile(
            optimizer(protocol, 256), "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True
        )
        logs = [
            model.train_on_batch(BLOBS.x_train[rows], BLOBS.y_train[rows], return_dict=True)
            for rows in search_order(4).batches(0, 256, 64)
        ]
        trained = [float(np.mean([log[name] for log in logs])) for name in ("loss", "accuracy")]
        scores = model.evaluate(BLOBS.x_validation, BLOBS.y_validation, batch_size=100, verbose=0)
        assert relative(outcome.weights, model.get_weights()) < 1e-5, network
        assert outcome.curve[0] == pytest.approx([*trained, *scores], rel=1e-5)


@pytest.mark.slow
def test_both_engines_give_the_same_networks() -> None:
    """Whole trainings, so the batches of every epoch are the same."""
    networks = [MIXED[0], MIXED[1], MIXED[5]]
    protocol = Protocol(batch_size=64, epochs=3, learning_rate=1e-3)
    ours, stock = (
        ENGINES[engine]().train(networks, BLOBS, protocol, order=search_order(4), watcher=Bystander())
        for engine in ("population", "keras")
    )
    for one, other in zip(ours, stock, strict=True):
        assert relative(one.weights, other.weights) < 1e-4
        assert np.array(one.curve) == pytest.approx(np.array(other.curve), rel=1e-4)


@pytest.mark.slow
def test_full_training_cannot_be_told_from_stock() -> None:
    """Over 8 seeds and depths 0 to 3, accuracies of both engines come from one distribution."""
    images = load_digits()
    x, y = images.images.astype(np.float32), images.target.astype(np.int32)
    data = SearchData("digits", x[:1200], y[:1200], x[1200:], y[1200:], 10, 1 / 16, 0.0, "0" * 64)
    protocol = Protocol(batch_size=64, epochs=6)
    for architecture in [(), (6,), (8, 40), (6, 5, 7)]:
        networks = [Network(architecture, seed) for seed in range(8)]
        trained = train_cohort(networks, data, protocol, order=search_order(0), watcher=Bystander())
        ours = [outcome.validation_accuracy for outcome in trained]
        model = build(networks[0], data, "relu")
        model.compile(optimizer(protocol, 1200), "sparse_categorical_crossentropy", jit_compile=False)
        theirs = []
        for network in networks:
            model.set_weights(initial_weights(network, 64, 10))
            for variable in model.optimizer.variables:
                variable.assign(keras.ops.zeros_like(variable))
            rows = np.concatenate([search_order(9).batches(epoch, 1200, 64) for epoch in range(6)]).ravel()
            model.fit(data.x_train[rows], data.y_train[rows], batch_size=64, shuffle=False, verbose=0)
            predicted = model(data.x_validation).numpy().argmax(1)
            theirs.append(float(np.mean(predicted == data.y_validation)))
        assert stats.mannwhitneyu(ours, theirs).pvalue > 0.01, (architecture, ours, theirs)


class Spectator(Bystander):
    """Starts a cohort from a snapshot if it has one, and takes one after each epoch."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshots: list[Snapshot] = []
        self._start = snapshot

    def start(self) -> Snapshot | None:
        return self._start

    def checkpoint(self, take: Callable[[], Snapshot] | None) -> None:
        assert take is not None
        self.snapshots.append(take())


class PruneSome(Bystander):
    """Prunes three members after their second epoch."""

    def judge(self, member: int, epoch: int, accuracy: float) -> str | None:
        return "told to" if epoch == 1 and member in (0, 2, 5) else None


def run(
    networks: list[Network] = MIXED,
    protocol: Protocol = SHORT,
    *,
    watcher: Watcher | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    tuning: Tuning | None = None,
) -> list[Outcome]:
    return train_cohort(
        networks,
        BLOBS,
        protocol,
        order=search_order(1),
        watcher=watcher or Bystander(),
        callbacks=callbacks,
        tuning=tuning,
    )


def snapshots(protocol: Protocol = SHORT, tuning: Tuning | None = None) -> list[Snapshot]:
    run(MIXED, protocol, watcher=(spectator := Spectator()), tuning=tuning)
    return spectator.snapshots


@pytest.mark.slow
def test_broken_member_touches_no_other() -> None:
    """A member of NaN and infinite weights fails; the rest is bit for bit what it was."""
    start = snapshots()[0]
    whole = run(watcher=Spectator(start))
    for broken, value in ((1, np.nan), (3, np.inf), (5, np.nan), (0, np.inf)):
        start.members[broken].weights = [np.full_like(array, value) for array in start.members[broken].weights]
    outcomes = run(watcher=Spectator(start))
    for position, outcome in enumerate(outcomes):
        if position in (0, 1, 3, 5):
            assert outcome.state == "failed" and outcome.reason and "after epoch 1" in outcome.reason
            assert outcome.weights == [] and len(outcome.curve) == 1
        else:
            assert equal(outcome, whole[position])


@pytest.mark.slow
def test_diverging_member_fails() -> None:
    """A loss that overflows during training ends that member alone."""
    start = snapshots()[0]
    start.members[4].weights[0] *= np.float32(1e38)
    outcomes = run(watcher=Spectator(start))
    assert [outcome.state for outcome in outcomes].count("failed") == 1
    assert outcomes[4].state == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("spare_share", [0.05, 1.0])
def test_removal_changes_no_other(spare_share: float) -> None:
    """Those who stay end as if nobody had left: exactly where they do not move, to rounding where they do."""
    whole = run()
    outcomes = run(watcher=PruneSome(), tuning=Tuning(spare_share=spare_share))
    for position, (outcome, other) in enumerate(zip(outcomes, whole, strict=True)):
        if position in (0, 2, 5):
            assert (outcome.state, outcome.reason, len(outcome.curve)) == ("pruned", "told to", 2)
        elif spare_share == 1.0:
            assert equal(outcome, other)
        else:
            assert relative(outcome.weights, other.weights) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("compile_seconds", [2.0, 1e-3])
@pytest.mark.parametrize("protocol", [SHORT, Protocol(protocol="notebook", batch_size=64, epochs=9, patience=2)])
def test_continues_bit_for_bit(protocol: Protocol, compile_seconds: float) -> None:
    """A cohort continued from any snapshot ends as the uninterrupted one."""
    tuning = Tuning(compile_seconds=compile_seconds)
    whole = run(protocol=protocol, tuning=tuning)
    for start in snapshots(protocol, tuning):
        assert all(map(equal, run(protocol=protocol, watcher=Spectator(start), tuning=tuning), whole))


@pytest.mark.slow
def test_snapshot_survives_a_file(tmp_path: Path) -> None:
    """Written as a checkpoint and read back, a snapshot continues bit for bit."""
    whole, start = run(), snapshots()[1]
    store = CheckpointStore(Folder(tmp_path))
    store.save("cohort", *start.to_parts())
    saved = store.load("cohort")
    assert saved is not None
    read = Snapshot.from_parts(saved.arrays, saved.meta)
    assert read.placed == start.placed
    assert all(map(equal, run(watcher=Spectator(read)), whole))


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 3, 64])
def test_continues_on_any_number_of_cores(n: int) -> None:
    """A snapshot does not know by how many cores it was taken; more of them than members are as good."""
    whole, start = run(), snapshots()[1]
    for outcome, other in zip(run(watcher=Spectator(start), tuning=Tuning(n_shards=n)), whole, strict=True):
        assert relative(outcome.weights, other.weights) < 1e-4


@pytest.mark.slow
def test_part_of_a_cohort_continues() -> None:
    """Some members continued without the others end as they would have, to rounding."""
    whole, start = run(), snapshots()[1]
    kept = (1, 3, 6)
    part = replace(
        start,
        networks=tuple(MIXED[position] for position in kept),
        members=tuple(start.members[position] for position in kept),
        placed=(0, 1, 2),
    )
    for position, outcome in zip(
        kept, run([MIXED[position] for position in kept], watcher=Spectator(part)), strict=True
    ):
        assert relative(outcome.weights, whole[position].weights) < 1e-4


class Uncurious(Bystander):
    """Wants no curve."""

    wants_curve = False


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["population", "keras"])
def test_without_a_curve_the_networks_are_the_same(engine: EngineName) -> None:
    """Validation is measured at the end alone, and no bit of a network depends on it."""
    networks = [MIXED[0], MIXED[1], MIXED[5]]
    whole, bare = (
        ENGINES[engine]().train(networks, BLOBS, SHORT, order=search_order(4), watcher=watcher)
        for watcher in (Bystander(), Uncurious())
    )
    for one, other in zip(whole, bare, strict=True):
        assert all(map(np.array_equal, one.weights, other.weights))
        assert (one.validation_accuracy, one.curve[-1]) == (other.validation_accuracy, other.curve[-1])
        assert [np.isnan(seen.val_accuracy) for seen in other.curve] == [True, True, True, False]
        assert [seen.loss for seen in one.curve] == [seen.loss for seen in other.curve]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["population", "keras"])
def test_early_stopping_sees_every_epoch_all_the_same(engine: EngineName) -> None:
    protocol = Protocol(protocol="notebook", batch_size=64, epochs=5, patience=2)
    [outcome] = ENGINES[engine]().train([MIXED[1]], BLOBS, protocol, order=search_order(4), watcher=Uncurious())
    assert not any(np.isnan(seen.val_accuracy) for seen in outcome.curve)


@pytest.mark.slow
def test_patience_restores_best_weights() -> None:
    """Without improvement for `patience` epochs a member is complete, with the weights of its best epoch."""
    protocol = Protocol(protocol="notebook", batch_size=64, epochs=30, patience=2, learning_rate=2e-2)
    outcomes = run(protocol=protocol)
    assert len({len(outcome.curve) for outcome in outcomes}) > 1
    for outcome in outcomes:
        accuracies = [seen.val_accuracy for seen in outcome.curve]
        assert outcome.best_epoch == int(np.argmax(accuracies))
        assert len(outcome.curve) in (outcome.best_epoch + 3, 30)
        assert outcome.validation_accuracy == max(accuracies)
    right = right_of(MIXED, [o.weights for o in outcomes], *VALIDATION, BLOBS, protocol)
    assert right.mean(axis=1) == pytest.approx([outcome.validation_accuracy for outcome in outcomes])


@pytest.mark.slow
def test_without_validation_samples_both_engines_train_alike_and_measure_none() -> None:
    whole, given = BLOBS.whole, {"order": search_order(0), "watcher": Bystander()}
    together, alone = (ENGINES[name]().train(MIXED[:3], whole, SHORT, **given) for name in ("population", "keras"))
    for one, other in zip(together, alone, strict=True):
        assert (one.state, other.state) == ("complete", "complete")
        assert math.isnan(one.validation_accuracy) and math.isnan(other.validation_accuracy)
        assert all(math.isnan(seen.val_accuracy) for outcome in (one, other) for seen in outcome.curve)
        assert one.training_loss == pytest.approx(other.training_loss, rel=1e-3)


def test_raising_ends_training_and_passes_on() -> None:
    """What the caller raises at an epoch's end comes out of `train_cohort`."""

    class Stop(Bystander):
        def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(watcher=Stop())


def test_keras_callbacks_see_every_epoch() -> None:
    seen: list[int] = []
    run(callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))])
    assert seen == [0, 1, 2, 3]


@pytest.mark.slow
def test_extracted_network_predicts_the_same() -> None:
    """The stock network of a member agrees with the scores of its cohort and of either engine, in accuracy exactly."""
    outcomes = run()
    right, by_stock = (
        ENGINES[engine]().right(MIXED, [o.weights for o in outcomes], *VALIDATION, BLOBS, SHORT)
        for engine in ("population", "keras")
    )
    assert by_stock.tolist() == right.tolist()
    for network, outcome, of in zip(MIXED, outcomes, right, strict=True):
        predicted = extract(network, outcome.weights, BLOBS, SHORT)(BLOBS.x_validation).numpy()
        assert (predicted.argmax(1) == BLOBS.y_validation).tolist() == of.tolist()
        assert np.mean(of) == outcome.validation_accuracy
        picked = predicted[np.arange(100), BLOBS.y_validation]
        assert -np.log(picked).mean() == pytest.approx(outcome.curve[-1].val_loss, rel=1e-5)


@pytest.mark.slow
def test_a_cohort_predicts_like_any_keras_model() -> None:
    """`predict`, in batches, gives the probabilities of each member's stock network."""
    shards = deal([network.architecture for network in MIXED], 20, 4, 3, 3)
    weights = {member: initial_weights(network, 20, 4) for member, network in enumerate(MIXED)}
    with POPULATIONS.lent(shards, BLOBS, SHORT) as (model, device_data):
        model.load(device_data, shards, weights, {}, 0)
        predicted = model.predict(BLOBS.x_validation, batch_size=32, verbose=0)
    for member, network in enumerate(MIXED):
        stock = extract(network, weights[member], BLOBS, SHORT)(BLOBS.x_validation).numpy()
        assert predicted[:, member] == pytest.approx(stock, abs=1e-5)


@pytest.mark.slow
def test_cohorts_share_one_program() -> None:
    """Random cohorts of a study, and those who are left of them, train in one traced program."""
    rng = np.random.default_rng(0)
    data, protocol = blobs(), Protocol(batch_size=64, epochs=3)
    for seed in range(4):
        depths = [3, *rng.integers(0, 4, 11)]
        networks = [
            Network(tuple(np.exp(rng.uniform(0, np.log(128), depth)).astype(int).tolist()), seed) for depth in depths
        ]
        train_cohort(networks, data, protocol, order=search_order(0), watcher=PruneSome())
    with POPULATIONS.lent(deal([()] * 12, 20, 4, 3, n_shards()), data, protocol) as (model, _):
        assert model.n_traced == 1


SHALLOW = [Network((), 1), Network((5,), 2), Network((40,), 3), Network((7,), 4)]

SAME_KIND = {
    "no dark pixel": (replace(BLOBS, x_train=np.maximum(BLOBS.x_train, 1)), SHORT),
    "fewer samples than a batch": (blobs(50, 30), SHORT),
    "no validation sample": (BLOBS.whole, SHORT),
    "fewer pixels and classes": (
        replace(
            BLOBS,
            x_train=BLOBS.x_train[:, :3],
            y_train=BLOBS.y_train % 3,
            x_validation=BLOBS.x_validation[:, :3],
            y_validation=BLOBS.y_validation % 3,
            n_classes=3,
        ),
        SHORT,
    ),
    "other batches and rates": (BLOBS, Protocol(batch_size=20, epochs=2, learning_rate=1e-3, schedule="constant")),
}
OTHER_KINDS = {
    "floats": (
        replace(BLOBS, x_train=np.float32(BLOBS.x_train) / 3, x_validation=np.float32(BLOBS.x_validation) / 3),
        SHORT,
    ),
    "an offset": (replace(BLOBS, offset=np.linspace(-1, 1, 20, dtype=np.float32).reshape(4, 5)), SHORT),
    "another metric": (replace(BLOBS, metric="balanced_accuracy"), SHORT),
    "another activation": (BLOBS, Protocol(batch_size=64, epochs=4, learning_rate=5e-3, activation="tanh")),
}


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Populations], None]:
    """Makes cohorts take their models from a pool."""
    return lambda pool: monkeypatch.setattr(cohort, "POPULATIONS", pool)


def trained(
    data: SearchData, protocol: Protocol, tuning: Tuning | None = None
) -> tuple[list[Outcome], NDArray[np.bool_]]:
    """Train networks, and label training samples with them."""
    outcomes = train_cohort(SHALLOW, data, protocol, order=search_order(1), watcher=Bystander(), tuning=tuning)
    weights = [outcome.weights for outcome in outcomes]
    return outcomes, right_of(SHALLOW, weights, data.x_train, data.y_train, data, protocol)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compile_seconds", "kinds"), [(1e9, SAME_KIND), (0.0, ["no dark pixel", "other batches and rates"])]
)
def test_one_trace_serves_all_data_of_a_kind(
    compile_seconds: float,
    kinds: Iterable[str],
    use: Callable[[Populations], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other data and protocols trace nothing, and give bit for bit the networks of a process of their own."""
    tuning = Tuning(compile_seconds=compile_seconds)
    pool, traced = Populations(), create_autospec(Program._plan, side_effect=Program._plan)
    monkeypatch.setattr(Program, "_plan", traced)
    use(pool)
    trained(BLOBS, SHORT, tuning=tuning)
    assert traced.called
    for name in kinds:
        data, protocol = SAME_KIND[name]
        use(pool)
        traced.reset_mock()
        outcomes, right = trained(data, protocol, tuning=tuning)
        assert not traced.called, name
        use(Populations())
        alone, right_alone = trained(data, protocol, tuning=tuning)
        assert all(map(equal_but_for_nan, outcomes, alone)) and np.array_equal(right, right_alone), name


@pytest.mark.slow
def test_what_a_trace_depends_on_is_told_apart(use: Callable[[Populations], None]) -> None:
    """In one process, each kind of data and protocol gives the networks of a process of its own."""
    use(Populations())
    together = {name: trained(*kind) for name, kind in {"first": (BLOBS, SHORT), **OTHER_KINDS}.items()}
    for name, kind in OTHER_KINDS.items():
        use(Populations())
        outcomes, right = trained(*kind)
        assert all(map(equal, outcomes, together[name][0])) and np.array_equal(right, together[name][1]), name


def equal_but_for_nan(one: Outcome, other: Outcome) -> bool:
    """Say whether two outcomes are equal bit for bit, clocks apart, where what was not measured is equal, too."""
    return (
        np.array_equal(np.array(one.curve), np.array(other.curve), equal_nan=True)
        and one.state == other.state
        and all(map(np.array_equal, one.weights, other.weights))
    )


@pytest.mark.slow
def test_a_search_within_a_search_disturbs_neither(use: Callable[[Populations], None]) -> None:
    """A model is lent to one cohort at a time; so are those of threads."""
    other, within = SAME_KIND["no dark pixel"][0], []

    class Busy(Bystander):
        def record(self, epoch: int, metrics: Mapping[int, EpochMetrics]) -> None:
            within.append(trained(other, SHORT)[0])

    use(Populations())
    outcomes = train_cohort(SHALLOW, BLOBS, SHORT, order=search_order(1), watcher=Busy())
    use(Populations())
    for found, data in ((outcomes, BLOBS), *((outcome, other) for outcome in within)):
        assert all(map(equal, found, trained(data, SHORT)[0]))


@pytest.mark.slow
def test_models_that_wait_hold_no_data(use: Callable[[Populations], None]) -> None:
    """When other data come, those before are freed, and so are a cohort's weights at its end."""
    pool, data = Populations(), blobs()
    use(pool)
    trained(data, SHORT)
    with pool.lent(deal([(5,)] * 4, 20, 4, 1, n_shards()), BLOBS, SHORT) as (model, _):
        held = (model._variables, model._samples)
        assert model.n_traced == 1 and sum(v.numpy().size for v in tf.nest.flatten(held)) == 0
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None


def test_the_program_in_use_outlives_compiled_ones() -> None:
    """Cohorts that are compiled to their end, each for itself, leave the model that all train in where it is."""
    pool = Populations()
    any_shards = deal([(3,)] * 4, 20, 4, 1, 2)
    with pool.lent(any_shards, BLOBS, SHORT) as (used, _):
        pass
    for width in range(1, MAX_MODELS + 1):
        with pool.lent(deal([(width,)], 20, 4, 1, 1), BLOBS, SHORT, compiled=True):
            pass
        with pool.lent(any_shards, BLOBS, SHORT) as (model, _):
            assert model is used


@pytest.mark.slow
def test_compiled_gives_the_same_networks() -> None:
    """Compiled for its layout, a cohort ends as in the executor, to rounding, and members leave as they do there."""
    some = MIXED[3:7]
    whole = run(some, watcher=PruneSome())
    compiled = run(some, watcher=PruneSome(), tuning=Tuning(compile_seconds=1e-3))
    for outcome, other in zip(compiled, whole, strict=True):
        assert (outcome.state, len(outcome.curve)) == (other.state, len(other.curve))
        assert outcome.state == "pruned" or relative(outcome.weights, other.weights) < 1e-4


def test_features_without_gradient_come_last() -> None:
    """Zero throughout once scaled, whatever they are as loaded."""
    x = np.array([[3, 0, 5, 7], [3, 0, 6, 9]], np.float32)
    y = np.array([0, 1], np.int32)
    plain = SearchData("four", x, y, x, y, 2, 0.5, 0.0, "0" * 64)
    device = DeviceData(plain, SHORT)
    assert (device.order.tolist(), device.n_live) == ([0, 2, 3, 1], 3)
    assert device.samples.x_train.numpy().tolist() == [[3, 5, 7], [3, 6, 9]]
    shifted = replace(plain, scale=np.float32([1, 1, 1, 0.5]), offset=np.float32([-3, 2, -5, -4]))
    device = DeviceData(shifted, SHORT)
    assert (device.order.tolist(), device.n_live) == ([1, 2, 3, 0], 3)
    assert device.samples.x_train.numpy().tolist() == [[0, 5, 7], [0, 6, 9]]
    live, rest = ([of.numpy().tolist() for of in scaling] for scaling in (device.samples.live, device.samples.rest))
    assert (live, rest) == ([[1, 1, 0.5], [2, -5, -4]], [[1], [-3]])


def test_softmax_alone() -> None:
    """A cohort without any hidden layer trains too."""
    outcomes = run([Network((), 1), Network((), 2)])
    assert [outcome.state for outcome in outcomes] == ["complete", "complete"]


def test_cohort_size_falls_with_work_per_network() -> None:
    space = SearchSpace(max_depth=3, min_width=1, max_width=128)
    small = cohort_size(BLOBS, Protocol(), space)
    wide = SearchSpace(max_depth=3, min_width=512, max_width=4096)
    assert small > cohort_size(BLOBS, Protocol(), wide) >= 1


def test_memory_bounds_a_cohort_of_class_scores() -> None:
    """Networks without hidden layers take what the scores of a chunk of samples take."""
    data = replace(BLOBS, n_classes=100)
    size = cohort_size(data, Protocol(batch_size=1), SearchSpace(max_depth=0, min_width=1, max_width=1))
    assert 1 < size * 100 * SCORE_CHUNK * 4 < MEMORY_BYTES


@pytest.mark.slow
def test_both_engines_count_balanced_accuracy_as_scikit_learn_does() -> None:
    """On the networks' own predictions, bit for bit; with one class four times in training; compiled or not."""
    rare = np.flatnonzero(BLOBS.y_train == 3)[4:]
    x_train, y_train = np.delete(BLOBS.x_train, rare, 0), np.delete(BLOBS.y_train, rare)
    data = replace(BLOBS, x_train=x_train, y_train=y_train, metric="balanced_accuracy")
    networks, given = MIXED[:2], {"order": search_order(0), "watcher": Bystander()}
    compiled, plain = (
        train_cohort(networks, data, SHORT, tuning=Tuning(compile_seconds=seconds), **given) for seconds in (0.0, 1e9)
    )
    alone = ENGINES["keras"]().train(networks, data, SHORT, **given)
    for outcomes in (compiled, plain, alone):
        weights = [outcome.weights for outcome in outcomes]
        right = [ENGINES[name]().right(networks, weights, *VALIDATION, data, SHORT) for name in ("population", "keras")]
        labels = [
            predict_labels(extract(*of, data, SHORT), data.x_validation) for of in zip(networks, weights, strict=True)
        ]
        wanted = [round(balanced_accuracy_score(data.y_validation, of), 12) for of in labels]
        assert [outcome.validation_accuracy for outcome in outcomes] == wanted
        assert [outcome.curve[-1].val_accuracy for outcome in outcomes] == wanted
        assert right[0].tolist() == right[1].tolist()
        assert [score(data.metric, data.y_validation, of) for of in labels] == wanted
    for one, other in zip(plain, alone, strict=True):
        assert [seen.accuracy for seen in one.curve] == pytest.approx([seen.accuracy for seen in other.curve], abs=0.02)
