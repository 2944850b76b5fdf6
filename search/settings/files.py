"""Study files and overrides, and the rules by which stored settings are continued, extended or finished.

A study file is TOML. `--set` overrides any setting by its dotted name.
"""

import shlex
import tomllib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from fewest.search.settings.config import GOALS, BudgetConfig, SettingsError, StudyConfig, did_you_mean, shown
from fewest.search.settings.stored import checked_config, stored_config
from fewest.search.settings.study_file import as_toml
from fewest.storage import DEFAULT_URL
from fewest.storage.database.dialects import dialect_of
from fewest.storage.database.urls import parse_url
from fewest.storage.database.urls import shown as shown_url
from fewest.storage.errors import Spelled
from fewest.storage.trials.records import StudyRecord

__all__ = [
    "Override",
    "checked",
    "command_for",
    "command_on",
    "continued",
    "finished_mark",
    "flattened",
    "is_finished",
    "load",
    "overridden",
    "shipped_studies",
    "storage_option",
    "stored_config",
    "unknown_study",
]

Override: TypeAlias = str | tuple[str, Any]
"""A changed setting: `dotted.name=value` as typed after `--set`, or a pair of dotted name and value."""

CHANGEABLE = ("budget.", "output.", "data.name")
"""Prefixes of the settings in which a continued study may differ: they change no network.

The path of the data does not identify them. Their fingerprint does, and it is compared when a study is opened.
"""


def shipped_studies() -> list[str]:
    """Return the names of the study files that come with fewest."""
    files = resources.files("fewest.search.settings.studies").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load(study: str, overrides: Sequence[Override] = ()) -> StudyConfig:
    """Load a study file and apply overrides.

    Args:
        study: A shipped name, or the path of a TOML file.
        overrides: Settings to change, in this order. The value in `dotted.name=value` is TOML; what is not TOML
            is a string. The value of a pair is taken as it is.

    Raises:
        SettingsError: There is no such file, it is not TOML, or a setting is wrong.
    """
    return checked(_read(study), overrides)


def unknown_study(study: str, data_sets: Sequence[str] = ()) -> SettingsError:
    """Return the error for a name that is no study's.

    Args:
        study: What the user named.
        data_sets: Names of data sets, which may be given in place of a study's.
    """
    known = sorted({*shipped_studies(), *data_sets})
    return SettingsError(
        f"Unknown study {shown(study)}{did_you_mean(study, known) or '.'} Shipped: {', '.join(known)}; or give "
        "openml:NAME, or the path of a study file (.toml), a table (.csv, .parquet, ...), arrays (.npz, .npy), IDX "
        "files, or a folder of images by class."
    )


def checked(settings: dict[str, Any], overrides: Sequence[Override] = ()) -> StudyConfig:
    """Apply overrides to settings and check them; arguments and errors as for `load`."""
    for override in overrides:
        _override(settings, override)
    return StudyConfig.of(settings)


def overridden(config: StudyConfig, overrides: Sequence[Override]) -> StudyConfig:
    """Apply overrides to a configuration and check it again. Its name is in the storage, so it may be any text."""
    settings = config.settings()
    for override in overrides:
        _override(settings, override)
    if settings["name"] == config.name:
        return checked_config(settings, config.name)
    return StudyConfig.of(settings)


def command_on(verb: str, name: str, options: str = "") -> str:
    r"""Write the command for a study, ready to be typed: any text may be a name.

    >>> command_on("resume", "my study", " --storage x"), command_on("report", "-n", " --storage x")
    ("fewest resume 'my study' --storage x", 'fewest report --storage x -- -n')
    >>> print(command_on("answer", "a\nb"))
    fewest answer $'a\x0ab'
    """
    quoted = shlex.quote(name)
    if not name.isprintable():
        escaped = name.replace("\\", "\\\\").replace("'", "\\'")
        quoted = "$'" + "".join(f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + "'"
    return f"fewest {verb}{options} -- {quoted}" if name.startswith("-") else f"fewest {verb} {quoted}{options}"


def storage_option(url: str) -> str:
    """Return the option of a command that names a storage, without its password; empty for the default storage.

    >>> storage_option("sqlite:///fewest.db"), storage_option("sqlite:///my studies.db")
    ('', " --storage 'sqlite:///my studies.db'")
    >>> storage_option("postgresql://me:secret@server/studies")
    ' --storage postgresql://me@server/studies'
    """
    if url == DEFAULT_URL:
        return ""
    parsed = parse_url(url)
    return f" --storage {shlex.quote(url if dialect_of(parsed).IS_FILE else shown_url(parsed))}"


def continued(stored: StudyConfig, given: StudyConfig) -> StudyConfig:
    """Merge stored and given settings of a study that is run again.

    Budgets are totals: the larger one counts, and so does the further goal. The targets of both are
    kept. Patience, output and the path of the data are taken from `given`. No other setting may differ.

    Raises:
        SettingsError: Another setting differs.
    """
    unlike = _differences(stored, given)
    if unlike:
        raise SettingsError(
            f"Study '{stored.name}' has other settings ({'; '.join(unlike)}). ",
            Spelled(
                "Use another `name` for a new study, or these settings to continue it.",
                f"Use `--name` for a new study, or `{command_on('resume', stored.name)}` to continue it.",
            ),
        )
    old, new = stored.budget, given.budget
    unbounded = old.timeout is None or new.timeout is None
    budget = BudgetConfig(
        trials=max(old.trials, new.trials),
        patience=new.patience,
        timeout=None if unbounded else max(old.timeout or 0.0, new.timeout or 0.0),
        targets=(*old.targets, *new.targets),
        verification_seeds=max(old.verification_seeds, new.verification_seeds),
        goal=max(old.goal, new.goal, key=GOALS.index),
    )
    return stored.model_copy(update={"budget": budget, "output": given.output, "data": given.data})


def finished_mark(budget: BudgetConfig, n_waiting: int, n_verified: int = 0) -> dict[str, Any]:
    """Return the mark stored with a study when its budget is spent. After a timeout, trials still wait."""
    return {**budget.model_dump(mode="json"), "waiting": n_waiting, "verified": n_verified}


def is_finished(study: StudyRecord, config: StudyConfig) -> bool:
    """Say whether a study has spent the budget of `config`, no trial runs, and none was enqueued since.

    Optuna copies the mark with a study, but not our tables. A copy without its verified networks is not finished.
    """
    mark = study.attributes.get("finished")
    if study.n_trials.get("running", 0) or not isinstance(mark, Mapping):
        return False
    n_verified = mark.get("verified", 0)  # An older version's mark has no such entry.
    if not isinstance(n_verified, int) or study.n_verified < n_verified:
        return False
    expected = finished_mark(config.budget, study.n_trials.get("waiting", 0), n_verified)
    # An older version's mark has no goal either: it answered for every depth.
    return {"verified": n_verified, "goal": config.budget.goal, **mark} == expected


def command_for(config: StudyConfig) -> str:
    """Return a command that creates a study with these settings: the nearest shipped file, and every difference."""
    base = config.name if config.name in shipped_studies() else "digits"
    shipped, wanted = (dict(flattened(settings.settings())) for settings in (load(base), config))
    options = [
        shlex.quote(f"{name}={as_toml(value)}")
        for name, value in wanted.items()
        if value != shipped.get(name) and value is not None
    ]
    return " --set ".join([f"fewest run {base}", *options])


def flattened(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """List nested settings as (dotted name, value), each name after `prefix`."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _read(study: str) -> dict[str, Any]:
    if study in shipped_studies():
        text = resources.files("fewest.search.settings.studies").joinpath(f"{study}.toml").read_text("utf-8")
    elif study.endswith(".toml"):
        text = _text_of(study)
    else:
        raise unknown_study(study)
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, lists in thousands of lists
        raise SettingsError(f"Study file {shown(study)} is not valid TOML: {error}.") from None


def _text_of(study: str) -> str:
    """Read a study file as text, whether or not it begins with a byte-order mark."""
    try:
        path = Path(study)
        if path.exists() and not path.is_file():
            raise SettingsError(f"Study file {shown(study)} must be a regular file; it is a folder, pipe or device.")
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"Study file {shown(study)} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # a NUL in the path
        raise SettingsError(f"Study file {shown(study)} cannot be read: {error}.") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        found = "UTF-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b"\0" in content else "other bytes"
        raise SettingsError(f"Study file {shown(study)} must be UTF-8 text, got {found}. Save it as UTF-8.")
    return text


def _override(settings: dict[str, Any], override: Override) -> None:
    name, value = _parsed(override) if isinstance(override, str) else override
    *path, last = name.strip().split(".")
    table: Any = settings
    for key in path:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise SettingsError(f"Unknown setting `{shown(name)[1:-1]}`: `{key}` has no settings of its own.")
    table[last] = value


def _parsed(override: str) -> tuple[str, Any]:
    name, equals, text = override.partition("=")
    if not equals or not name:
        raise SettingsError(f"A changed setting must be name=value such as training.epochs=20, got {shown(override)}.")
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return name, text
    return name, table["value"] if len(table) == 1 else text  # a line break may begin another setting


def _differences(stored: StudyConfig, given: StudyConfig) -> list[str]:
    before, after = dict(flattened(stored.settings())), dict(flattened(given.settings()))
    return [
        f"{name} is {before.get(name)!r}, not {after.get(name)!r}"
        for name in sorted(before | after)
        if before.get(name) != after.get(name) and not name.startswith(CHANGEABLE)
    ]
