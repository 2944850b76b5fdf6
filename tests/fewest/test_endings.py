"""How commands end in the hands of the system: one line and a status, or a traceback that tells of a bug."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from helpers import command

from fewest.cli import cli
from fewest.ending import ending_of
from fewest.search.settings.files import load
from fewest.storage.trials.cohort_storage import optuna_storage

LONG = "x" * 300


def make_study(path: Path) -> str:
    """The URL of a storage with a study of ours that was never trained, and one of a stranger's with an odd name."""
    url = f"sqlite:///{path}"
    storage = optuna_storage(url)
    made = optuna.create_study(storage=storage, study_name="digits", directions=["minimize", "maximize"])
    made.set_user_attr("settings", load("digits").settings())
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300, "input_shape": [8, 8]}
    made.set_user_attr("data", {"name": "digits", "fingerprint": "0" * 64, **sizes})
    made.set_user_attr("environment", {"Python": "3.11", "fewest": "0.1.0"})
    attributes = {"widths": [4], "neurons": 4, "parameters": 310, "seed": 0, "epochs": 30, "seconds": 1.0}
    made.add_trial(optuna.trial.create_trial(values=[4.0, 0.9], user_attrs=attributes))
    optuna.create_study(storage=storage, study_name="a[red]b :smile: \x1b[31mé")
    storage.close()
    return url


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("all may enter")
    for entered in (folder, tmp_path_factory.getbasetemp(), tmp_path_factory.getbasetemp().parent):
        entered.chmod(0o755)
    return make_study(folder / "studies.db")


# In this process


PATHS = {
    "a storage's long name": ("studies", "--storage", f"sqlite:///{LONG}.db"),
    "a storage in a long folder": ("answer", "digits", "--storage", f"sqlite:///{LONG}/x.db"),
    "a storage of a long name to be made": ("run", "digits", "--storage", f"sqlite:///{LONG}.db"),
    "a report of a long name": ("report", "digits", "--output", f"{LONG}.html"),
    "a backup of a long name": ("backup", f"{LONG}.db"),
    "a backup in a file": ("backup", f"{__file__}/x.db"),
    "a backup at a stranger's": ("backup", "~nosuchuser/x.db"),
    "a report at a stranger's": ("report", "digits", "--output", "~nosuchuser/x.html"),
    "data of a long name": ("run", "digits", "--name", "new", "--data", f"{LONG}.npz"),
    "data at a stranger's": ("run", "digits", "--name", "new", "--data", "~nosuchuser/x.npz"),
    "a study file of a long name": ("run", f"{LONG}.toml"),
    "NUL in a URL": ("studies", "--storage", "sqlite:///a\0b.db"),
    "NUL in a URL, encoded": ("studies", "--storage", "postgresql://me%00@host/db"),
    "NUL in a data path": ("run", "digits", "--name", "new", "--data", "a\0b.npz"),
    "a study's name that is no UTF-8": ("answer", "y\udcff"),
    "a storage's name that is no UTF-8": ("answer", "digits", "--storage", "sqlite:///y\udcff.db"),
    "a name with escape codes": ("answer", "\x1b[31mred\nline"),
}


@pytest.mark.parametrize("arguments", PATHS.values(), ids=PATHS.keys())
def test_what_is_wrong_with_a_path_is_one_line(arguments, url, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "--storage" not in arguments:
        arguments = (*arguments, "--storage", url)
    assert command(*arguments) in (1, 2)
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert line.isprintable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(cli.commands))
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "a[b]/\x1b.npz"),
            r"The path 'a[b]/\x1b.npz' must be usable",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "The output must be written, got: No space left on device"),
        (RuntimeError("Could not determine home directory."), "must stand for a home directory"),
    ],
    ids=["path", "disk", "home"],
)
def test_what_the_system_says_is_one_line_of_every_command(name, error, said, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli.commands[name], "invoke", fail)
    monkeypatch.setattr(cli.commands[name], "params", [])
    assert command(name) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    "bug", [KeyError("x"), ValueError("x"), OSError("x"), TypeError("x"), UnicodeEncodeError("ascii", "é", 0, 1, "x")]
)
def test_a_bug_keeps_its_traceback(bug):
    assert ending_of(bug) is None


# In processes


def process(*arguments: str, **options) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "fewest", *arguments]
    return subprocess.run(line, stderr=subprocess.PIPE, text=True, timeout=120, check=False, **options)


def test_a_full_disk_behind_stdout_is_one_line(url):
    with Path("/dev/full").open("w") as full:
        done = process("answer", "digits", "--storage", url, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: The output must be written, got: No space left on device. Make room or write elsewhere, then try again."
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "export --help",
        "answer digits --storage URL",
        "answer digits --storage URL --format json",
        "report digits --storage URL --output -",
        "backup FOLDER/copy.db --storage URL",
    ],
)
def test_a_reader_that_leaves_is_no_error(line, url, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    words = [word.replace("URL", url).replace("FOLDER", str(tmp_path)) for word in line.split()]
    done = process(*words, stdout=writing)
    os.close(writing)
    assert done.returncode == 141
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_backup_takes_a_home_and_no_stream(url, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert process("backup", "~/copy.db", "--storage", url).returncode == 0
    assert (tmp_path / "copy.db").exists()
    done = process("backup", "-", "--storage", url, cwd=tmp_path)
    assert done.returncode == 2
    assert "is a pipe or a device" in done.stderr
    assert not (tmp_path / "-").exists()


SEVERAL = """
import sys
from fewest.cli import main
for line in sys.stdin.read().splitlines():
    try:
        main(line.split("\\t"))
    except SystemExit as ended:
        assert not ended.code, (line, ended.code)
"""
"""Runs a command a line, in one process."""


def without_rights() -> tuple[str, ...]:
    """Begins a command that even root runs with no more rights than others have."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("Root can write to everything, and setpriv is missing.")
    return ("setpriv", "--bounding-set=-all")


def several(
    *commands: tuple[str, ...], env: dict[str, str], prefix: tuple[str, ...] = (), **options
) -> "subprocess.CompletedProcess[bytes]":
    lines = "\n".join("\t".join(words) for words in commands).encode()
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": os.environ["PATH"], **env}
    line = [*prefix, sys.executable, "-c", SEVERAL]
    return subprocess.run(line, input=lines, env=environment, capture_output=True, check=False, **options)


def test_stdout_that_is_closed_takes_no_place_of_a_database(url):
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    for closing in (">&-", ">&- 2>&-", "<&- >&-"):
        line = f'"$0" -m fewest answer digits --storage "$1" {closing}'
        done = subprocess.run(["bash", "-c", line, sys.executable, url], stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before


ENVIRONMENTS = {
    "no home": {},
    "a home that is not there": {"HOME": "/nowhere"},
    "an ASCII locale": {"LC_ALL": "C"},
    "an ASCII terminal": {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    "20 columns": {"COLUMNS": "20", "TERM": "xterm"},
    "no columns": {"COLUMNS": "0", "LINES": "0"},
    "a dumb terminal": {"TERM": "dumb", "FORCE_COLOR": "1"},
}


@pytest.mark.slow
@pytest.mark.parametrize("env", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_the_quick_commands_work_in_odd_environments(env, url, tmp_path):
    report = tmp_path / "r[1].html"
    commands = (("--help",), ("studies",), ("answer", "digits"), ("report", "digits", "--output", str(report)))
    done = several(*commands, env={"FEWEST_STORAGE": url, **env})
    assert (done.returncode, done.stderr) == (0, b"")
    printed = done.stdout.decode("ascii" if "PYTHONIOENCODING" in env else "utf-8")
    assert "Usage: fewest" in printed
    assert r"a[red]b :smile: \x1b[31m" in printed
    assert "Pareto front by validation accuracy" in printed.replace("\n", " ")
    assert report.exists()


@pytest.mark.slow
def test_a_study_runs_by_a_user_without_a_home_in_a_folder_that_can_only_be_read(tmp_path_factory):
    folder, current = tmp_path_factory.mktemp("studies [of] nobody"), tmp_path_factory.mktemp("read-only")
    current.chmod(0o555)
    url = f"sqlite:///{folder}/é.db"
    settings = ("training.epochs=1", "space.max_width=4", "budget.verification_seeds=0", "budget.trials=2")
    run = ("run", "digits", *(word for setting in settings for word in ("--set", setting)))
    env = {"FEWEST_STORAGE": url, "PYTHONIOENCODING": "ascii", "COLUMNS": "0", "TERM": "dumb"}
    done = several(run, ("studies",), ("answer", "digits"), env=env, prefix=without_rights(), cwd=current)
    assert done.returncode == 0, done.stderr.decode()
    assert "finished" in done.stdout.decode("ascii")
    told = done.stderr.decode().splitlines()
    assert told[-1].startswith("Report: `fewest report digits --storage ")
    assert list(current.iterdir()) == []
