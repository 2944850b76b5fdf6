"""Optuna's private names: those written down here are those of the installed Optuna."""

from optuna.artifacts._upload import ARTIFACTS_ATTR_PREFIX
from optuna.storages import RDBStorage
from optuna.study.study import _SYSTEM_ATTR_METRIC_NAMES

from fewest.storage.database import optuna_private


def test_keys_are_optunas() -> None:
    assert optuna_private.ARTIFACT_PREFIX == ARTIFACTS_ATTR_PREFIX
    assert optuna_private.METRIC_NAMES == _SYSTEM_ATTR_METRIC_NAMES


def test_the_methods_that_the_cache_calls_are_there() -> None:
    for name in optuna_private.CACHED_METHODS:
        assert callable(getattr(RDBStorage, name))
