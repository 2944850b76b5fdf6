"""A missing package is one line that works from where the program runs."""

from pathlib import Path

import pytest

from fewest.storage.errors import StorageError
from fewest.storage.extras import install_command, load, require


def test_a_checkout_installs_itself(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "fewest"\n', "utf-8")
    assert install_command("s3", tmp_path) == ".venv/bin/pip install '.[s3]'"
    assert install_command("s3") == ".venv/bin/pip install '.[s3]'"


@pytest.mark.parametrize("other", [None, '[project]\nname = "fewest-plots"\n'])
def test_an_installed_package_comes_from_the_index(tmp_path: Path, other: str | None) -> None:
    if other is not None:
        (tmp_path / "pyproject.toml").write_text(other, "utf-8")
    assert install_command("s3", tmp_path) == "pip install 'fewest[s3]'"


@pytest.mark.parametrize("get", [require, load])
def test_what_needs_a_missing_package_says_so(get) -> None:
    with pytest.raises(StorageError, match=r"^Magic needs 'no_such_package', .* '\.\[s3\]'`\.$"):
        get("no_such_package", "s3", StorageError, what="Magic")


def test_what_is_there_is_imported() -> None:
    require("json", "s3", StorageError, what="Magic")
    assert load("json.decoder", "s3", StorageError, what="Magic").__name__ == "json.decoder"
