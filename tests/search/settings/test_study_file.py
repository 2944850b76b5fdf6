"""Study files that fewest writes: what is read again is what was written."""

import tomllib
from typing import Any

import pytest

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import flattened
from fewest.search.settings.study_file import COMMENTS, OPTIONAL, study_file

BASE: dict[str, Any] = {"name": "a", "data": {"name": "x.csv"}, "budget": {"trials": 9, "targets": [0.9, 0.5]}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"name": 'my "data" \\ größe\x7f.csv', "label": "a # b", "ignore": ["c", "d\n"], "group": "e"}},
        {"data": {"name": "x", "order": "day", "rows": 100, "test": "other.csv"}, "seed": 7},
        {"space": {"max_depth": 2, "architectures": [[], [4, 2]]}, "training": {"protocol": "notebook"}},
        {"budget": {"trials": 9, "timeout": 1e-7, "patience": None, "targets": [0.9]}, "output": {"monitor_every": 2}},
    ],
)
def test_a_written_file_has_the_same_settings(changes: dict[str, Any]) -> None:
    config = StudyConfig.of({**BASE, **changes})
    text = study_file(config, ["Found: \t# something.", "word " * 60], "fewest run a.toml", of_table=True)
    read = StudyConfig.of(tomllib.loads(text))
    if config.budget.patience is None:  # TOML has no word for it.
        read = read.model_copy(update={"budget": read.budget.model_copy(update={"patience": None})})
    assert read == config
    assert max(map(len, text.splitlines())) < 121


def test_what_was_found_stands_above_the_settings() -> None:
    text = study_file(StudyConfig.of(BASE), ["Classes: a 50.0%, b 50.0%."], "fewest run a.toml", of_table=True)
    above = text.split("\nname = ")[0]
    assert above.splitlines()[2:5] == ["#     fewest run a.toml", "#", "# - Classes: a 50.0%, b 50.0%."]
    assert all(line.startswith("#") or not line for line in above.splitlines())
    assert '# group = "COLUMN"          # rows of one group' in text


def test_arrays_have_no_settings_of_columns() -> None:
    text = study_file(StudyConfig.of(BASE), [], "fewest run a.toml", of_table=False)
    data = tomllib.loads(text)["data"]
    assert set(data) == {"name", "validation", "validation_share", "metric"}
    assert "COLUMN" not in text


def test_every_comment_is_of_a_setting() -> None:
    known = {name for name, _ in flattened(StudyConfig.of(BASE).settings())}
    assert set(COMMENTS) | set(OPTIONAL) <= known
