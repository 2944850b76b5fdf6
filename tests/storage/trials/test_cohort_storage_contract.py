"""Optuna's own contract for storages, on ours, bare and behind Optuna's cache."""

import pytest
from optuna.storages import BaseStorage, _CachedStorage
from optuna.testing.pytest_storages import StorageTestCase

from fewest.storage.trials.cohort_storage import CohortStorage


class TestBare(StorageTestCase):
    @pytest.fixture
    def storage(self, storage: CohortStorage) -> BaseStorage:
        return storage


@pytest.mark.slow
class TestCached(StorageTestCase):
    @pytest.fixture
    def storage(self, storage: CohortStorage) -> BaseStorage:
        return _CachedStorage(storage)
