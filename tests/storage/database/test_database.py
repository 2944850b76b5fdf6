"""Opening a storage: what is made, what is refused, and that a refusal changes nothing."""

import hashlib
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from sqlalchemy import make_url

from fewest.storage.database import migrations, optuna_private
from fewest.storage.database.database import open_database
from fewest.storage.database.driver_errors import explain
from fewest.storage.database.tables import HEAD_REVISION, VERSION_TABLE
from fewest.storage.errors import FewestError, MisuseError, NotFoundError, StorageError
from fewest.storage.trials.cohort_storage import CohortStorage, optuna_storage

Change = Callable[[Path], None]


def snapshot(folder: Path) -> dict[str, str]:
    """What is in a folder, by content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
    }


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def made(tmp_path: Path, sqlite_template: Path) -> Path:
    path = tmp_path / "made.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


def execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def cut_to_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def scramble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100:4096] = b"\xff" * 3996
    path.write_bytes(content)


def replace_by_text(path: Path) -> None:
    path.write_text("This is not a database at all, and quite a bit longer than a header. " * 3)


def of_newer_fewest(path: Path) -> None:
    execute(path, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")


def of_newer_optuna(path: Path) -> None:
    execute(path, "UPDATE alembic_version SET version_num = 'v9.0.0.a'")


def of_older_optuna(path: Path) -> None:
    execute(path, "UPDATE alembic_version SET version_num = 'v2.6.0.a'")


def of_another_program(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE bookmarks (url TEXT)")


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (truncate, "cut off"),
        (cut_to_header, "cut off"),
        (scramble, "damaged"),
        (replace_by_text, "something else"),
        (of_newer_fewest, "Upgrade fewest"),
        (of_newer_optuna, "pip install -U optuna"),
        (of_older_optuna, "optuna storage upgrade"),
        (of_another_program, "another program's tables"),
    ],
)
def test_an_unusable_file_is_refused_and_left_alone(made: Path, change: Change, said: str, create: bool) -> None:
    change(made)
    before = snapshot(made.parent)
    with pytest.raises(StorageError, match=said) as caught:
        open_database(sqlite_url(made), create=create)
    assert "\n" not in str(caught.value)
    assert snapshot(made.parent) == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://me:secret@host/db", "got 'mysql://\\*\\*\\*@host/db'"),
        ("fewest.db", "got 'fewest.db'"),
        ("", "got ''"),
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("sqlite:///x.db?mode=ro", "no options"),
        ("postgresql://me:secret@host:port/db", "got 'postgresql://\\*\\*\\*@host:port/db'"),
        ("postgresql://me:secret@host/db?prepare_threshold=never", "must be `none`, .*, got 'never'"),
        ("postgresql://me:secret@host/db?prepare_threshold=1&prepare_threshold=2", "got \\('1', '2'\\)"),
    ],
)
def test_a_url_of_no_storage_is_misuse_and_its_password_stays_secret(url: str, said: str) -> None:
    with pytest.raises(MisuseError, match=said) as caught:
        open_database(url, create=True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("create", [True, False])
def test_a_folder_is_misuse(tmp_path: Path, create: bool) -> None:
    with pytest.raises(MisuseError, match="is a folder"):
        open_database(sqlite_url(tmp_path), create=create)


@pytest.mark.parametrize("create", [True, False])
def test_a_named_pipe_is_misuse(tmp_path: Path, create: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MisuseError, match=r"is not\. Name another"):
        open_database(sqlite_url(tmp_path / "pipe"), create=create)


def test_a_missing_parent_folder_is_misuse_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="must exist"):
        open_database(sqlite_url(tmp_path / "missing" / "study.db"), create=True)
    assert snapshot(tmp_path) == {}


def test_reading_a_missing_storage_does_not_make_it(tmp_path: Path) -> None:
    for opening in (open_database, optuna_storage):
        with pytest.raises(NotFoundError, match="no studies"):
            opening(sqlite_url(tmp_path / "study.db"), create=False)
    assert snapshot(tmp_path) == {}


def test_reading_an_empty_file_finds_no_studies(tmp_path: Path) -> None:
    (tmp_path / "study.db").touch()
    with pytest.raises(NotFoundError, match="no studies"):
        open_database(sqlite_url(tmp_path / "study.db"), create=False)


def as_nobody(action: Callable[[], None]) -> str:
    """What an action says when a user without rights does it: the message of the error, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            action()
        except FewestError as error:
            os.write(writing, str(error).encode())
        except BaseException as error:
            os.write(writing, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        return pipe.read()


@pytest.fixture
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that any user can get at."""
    folder = tmp_path_factory.mktemp("open")
    for searchable in (folder, *folder.parents):
        if not searchable.stat().st_mode & stat.S_IXOTH:
            searchable.chmod(0o755)
    return folder


def test_a_read_only_folder_is_refused(open_to_all: Path) -> None:
    open_to_all.chmod(0o555)
    said = as_nobody(lambda: open_database(sqlite_url(open_to_all / "study.db"), create=True).dispose())
    assert "must be writable by you" in said
    assert snapshot(open_to_all) == {}


def test_a_read_only_file_is_refused_for_writing_and_read_otherwise(open_to_all: Path, sqlite_template: Path) -> None:
    path = open_to_all / "study.db"
    path.write_bytes(sqlite_template.read_bytes())
    path.chmod(0o444)
    open_to_all.chmod(0o555)
    before = snapshot(open_to_all)
    assert "must be writable by you" in as_nobody(lambda: open_database(sqlite_url(path), create=True).dispose())

    def read() -> None:
        database = open_database(sqlite_url(path), create=False)
        with database.connect() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM studies").scalar() == 0
        database.dispose()

    assert as_nobody(read) == ""
    assert snapshot(open_to_all) == before


def test_an_unreadable_file_is_refused(open_to_all: Path) -> None:
    path = open_to_all / "study.db"
    path.touch()
    path.chmod(0o000)
    said = as_nobody(lambda: open_database(sqlite_url(path), create=False).dispose())
    assert "must be readable by you" in said


def test_opening_for_reading_changes_nothing_and_cannot_write(made: Path) -> None:
    before = snapshot(made.parent)
    database = open_database(sqlite_url(made), create=False)
    with database.connect() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("DELETE FROM studies")
    database.dispose()
    assert snapshot(made.parent) == before


def test_an_engine_for_reading_cannot_write_on_postgresql(url: str) -> None:
    database = open_database(url, create=False)
    with database.connect() as connection, pytest.raises(sa.exc.DBAPIError, match=r"read-?only"):
        connection.exec_driver_sql("DELETE FROM studies")
    database.dispose()


def test_reading_a_database_of_optuna_alone_changes_nothing(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    plain = optuna.storages.RDBStorage(url)
    plain.engine.dispose()
    before = snapshot(tmp_path)
    open_database(url, create=False).dispose()
    assert snapshot(tmp_path) == before


def test_a_database_of_optuna_alone_gets_our_tables(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    optuna.storages.RDBStorage(url).engine.dispose()
    database = open_database(url, create=True)
    assert sa.inspect(database).has_table("fewest_curves")
    database.dispose()


def test_a_new_sqlite_file_has_a_write_ahead_log_foreign_keys_and_patience(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "study.db"), create=True)
    with database.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    database.dispose()
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 60_000, "synchronous": 1}


def test_optuna_itself_opens_what_we_made(url: str) -> None:
    CohortStorage(url).engine.dispose()
    plain = (
        optuna.storages.RDBStorage(str(make_url(url).render_as_string(False)).replace("://", "+psycopg://", 1))
        if url.startswith("postgresql")
        else optuna.storages.RDBStorage(url)
    )
    assert plain.get_current_version() == plain.get_head_version()
    plain.engine.dispose()


def test_an_empty_postgresql_database_gets_its_tables_in_one_go(empty_postgresql: str) -> None:
    with pytest.raises(NotFoundError, match="no studies"):
        open_database(empty_postgresql, create=False)
    database = open_database(empty_postgresql, create=True)
    with database.connect() as connection:
        assert connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar() == HEAD_REVISION
    database.dispose()
    open_database(empty_postgresql, create=False).dispose()


def test_a_failed_creation_leaves_no_tables(empty_postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("half-way")

    monkeypatch.setattr("fewest.storage.database.migrations.upgrade", fail)
    with pytest.raises(RuntimeError, match="half-way"):
        open_database(empty_postgresql, create=True)
    with pytest.raises(NotFoundError, match="no studies"):
        open_database(empty_postgresql, create=False)


CREATE = """
import sys
from fewest.storage.database.database import open_database
open_database(sys.argv[1], create=True).dispose()
"""


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_several_processes_create_a_storage_together(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite_url(tmp_path / "study.db") if database == "sqlite" else request.getfixturevalue("empty_postgresql")
    processes = [
        subprocess.Popen([sys.executable, "-c", CREATE, url], stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said


def test_a_server_out_of_reach_is_one_clear_line_without_the_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(StorageError, match="cannot be reached") as caught:
            open_database(f"postgresql://me:secret@127.0.0.1:{port}/db", create=True)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("threshold", "n_prepared"), [("none", 0), ("2", 1)])
def test_a_url_says_whether_statements_are_prepared(empty_postgresql: str, threshold: str, n_prepared: int) -> None:
    """PgBouncer before 1.21 cannot pool by transaction where they are."""
    database = open_database(f"{empty_postgresql}&prepare_threshold={threshold}", create=True)
    with database.connect() as connection:
        for _ in range(5):
            connection.exec_driver_sql("SELECT 1")
        prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 1'"
        assert connection.exec_driver_sql(prepared).scalar() == n_prepared
    database.dispose()


def test_a_pooler_that_forgets_prepared_statements_is_named() -> None:
    said = Exception('prepared statement "_pg3_0" already exists')
    line = str(explain(sa.exc.ProgrammingError("SELECT 1", {}, said), make_url("postgresql://me@host/db")))
    assert "Add `?prepare_threshold=none` to the URL" in line


def test_a_database_that_the_server_lacks_is_named(server: str) -> None:
    url = make_url(server).set(database="missing_one").render_as_string(hide_password=False)
    with pytest.raises(StorageError, match="no such database"):
        open_database(url, create=True)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StorageError, match=r"A PostgreSQL storage needs .*pip install '\.\[postgres\]'"):
        open_database("postgresql://host/db", create=True)


def test_the_revisions_read_from_optunas_files_are_those_it_names() -> None:
    storage_ = optuna.storages.RDBStorage("sqlite://")
    assert list(reversed(optuna_private.revisions())) == storage_.get_all_versions()
    storage_.engine.dispose()


def test_our_newest_revision_is_alembics_head() -> None:
    from alembic.script import ScriptDirectory

    from fewest.storage.database.tables import REVISIONS

    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert [revision.revision for revision in script.walk_revisions()] == list(reversed(REVISIONS))


def test_the_migrations_make_the_tables_that_the_models_describe(url: str) -> None:
    """Names and nullability of every column, and the keys."""
    from fewest.storage.database.tables import metadata

    database = open_database(url, create=False)
    inspector = sa.inspect(database)
    for table in metadata.tables.values():
        if not table.name.startswith("fewest_"):
            continue
        made = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert made == {column.name: column.nullable for column in table.columns}, table.name
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key], table.name
    database.dispose()


def test_reading_imports_neither_optuna_nor_alembic_nor_numpy() -> None:
    code = (
        "import sys\n"
        "import fewest.storage.database.database\n"
        "from fewest.storage.trials import curves, leases, results, studies\n"
        "print(sorted({'optuna', 'alembic', 'numpy', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("with_memory", "said"), [(True, "found"), (False, "copy both to a folder")])
def test_a_log_in_a_read_only_folder_is_read_or_its_line_says_what_to_do(
    open_to_all: Path, made: Path, with_memory: bool, said: str
) -> None:
    path = open_to_all / "study.db"
    writer = sqlite3.connect(made)
    with writer:
        writer.execute("INSERT INTO studies (study_name) VALUES ('in the log')")
    for suffix in ("", "-wal", "-shm") if with_memory else ("", "-wal"):
        shutil.copy(f"{made}{suffix}", f"{path}{suffix}")
    writer.close()
    open_to_all.chmod(0o555)
    before = snapshot(open_to_all)

    def read() -> None:
        database = open_database(sqlite_url(path), create=False)
        with database.connect() as connection:
            if connection.exec_driver_sql("SELECT study_name FROM studies").scalar() == "in the log":
                raise NotFoundError("found")

    assert said in as_nobody(read)
    assert snapshot(open_to_all) == before
