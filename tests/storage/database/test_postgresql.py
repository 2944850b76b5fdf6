"""PostgreSQL servers as they are met: passwords, owners, and servers that take no changes."""

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from helpers import admin
from sqlalchemy import make_url

from fewest.storage.database.database import open_database
from fewest.storage.database.transactions import reading, write
from fewest.storage.database.urls import parse_url, shown
from fewest.storage.errors import MisuseError, NotFoundError, StorageError
from fewest.storage.trials.cohort_storage import CohortStorage
from fewest.storage.trials.studies import read_studies


@pytest.mark.parametrize(
    "password", ["p@ss", "a/b", "50%", "x:y", "#1", "q?", "ü&=", "%41", "@/#%:", " blank "], ids=lambda text: text
)
def test_any_password_works_if_encoded(password: str) -> None:
    from urllib.parse import quote

    parsed = parse_url(f"postgresql://me:{quote(password, safe='')}@host:1/db")
    assert (parsed.password, parsed.host, parsed.port, parsed.database) == (password, "host", 1, "db")
    assert shown(parsed) == "postgresql://me@host:1/db"
    _, arguments = parsed.get_dialect()().create_connect_args(parsed)
    assert arguments["password"] == password


@pytest.mark.parametrize("password", ["a/b", "x:y", "#1", "q?"])
def test_a_password_that_can_be_told_works_as_it_is(password: str) -> None:
    assert parse_url(f"postgresql://me:{password}@host/db").password == password


@pytest.mark.parametrize("password", ["p@ss", "a@b/c", "a@b:c", "50%", "50%zz", "@", "a/b@c", "x?@y"])
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_password_that_cannot_be_told_is_one_line_that_says_how(password: str, scheme: str) -> None:
    with pytest.raises(MisuseError, match="@ as %40, % as %25") as caught:
        parse_url(f"{scheme}://me:{password}@host/db")
    assert str(caught.value).endswith(f"got '{scheme}://***@host/db'.")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:se/cret@host/db",
        "mysql://me:secret/db",
        "postgresql://me:secret/db",
        "postgresql://me:secret",
        "postgresql://me:x@secret@host:port/db",
        "postgresql://me:secret\n@host:port/db",
    ],
)
def test_no_message_has_a_password(url: str) -> None:
    with pytest.raises(MisuseError) as caught:
        parse_url(url)
    assert "cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def stranger(server: str, empty_postgresql: str) -> Iterator[str]:
    """The URL of another's database for a user without any rights in it."""
    name = f"stranger_{uuid.uuid4().hex[:8]}"
    with admin(empty_postgresql) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN")
    yield make_url(empty_postgresql).set(username=name).render_as_string(hide_password=False)
    with admin(empty_postgresql) as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def grants_in(error: Exception) -> list[str]:
    """The statements that a message asks for."""
    return [part for part in str(error).split("`")[1::2] if part.startswith("GRANT")]


def test_each_missing_right_is_named_by_its_grant(stranger: str, empty_postgresql: str) -> None:
    """Whoever runs what the messages say can then use the storage."""
    with admin(empty_postgresql) as connection:
        connection.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    open_database(empty_postgresql, create=True).dispose()
    for _ in range(5):
        try:
            use(stranger)
            break
        except StorageError as error:
            assert "\n" not in str(error)
            granted = grants_in(error)
            assert granted, error
            with admin(empty_postgresql) as connection:
                connection.exec_driver_sql(granted[0])
    use(stranger)


def use(url: str) -> None:
    storage = CohortStorage(url)
    try:
        storage.create_trials(storage.create_new_study([0, 1]), [None])  # type: ignore[list-item]
    finally:
        storage.close()


def test_a_reader_who_may_not_see_the_tables_is_told_so(stranger: str, empty_postgresql: str) -> None:
    open_database(empty_postgresql, create=True).dispose()
    with admin(empty_postgresql) as connection:
        connection.exec_driver_sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    with pytest.raises(NotFoundError, match=r"`GRANT USAGE ON SCHEMA public TO stranger_\w+`"):
        open_database(stranger, create=False)


def test_an_empty_database_of_another_asks_for_the_schema(stranger: str) -> None:
    with pytest.raises(StorageError, match=r"`GRANT USAGE, CREATE ON SCHEMA public TO stranger_\w+`"):
        open_database(stranger, create=True)


def test_a_database_that_lets_nobody_in_asks_for_the_right_to_connect(stranger: str, empty_postgresql: str) -> None:
    database = make_url(empty_postgresql).database
    with admin(empty_postgresql) as connection:
        connection.exec_driver_sql(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
    with pytest.raises(StorageError, match=rf"`GRANT CONNECT ON DATABASE \"?{database}\"? TO stranger"):
        open_database(stranger, create=True)


def test_a_server_that_takes_no_changes_is_read_and_says_so_else(empty_postgresql: str) -> None:
    """As a hot standby does: the server's words are the same."""
    with pytest.raises(StorageError, match="takes no changes, as a standby does"):
        open_database(read_only(empty_postgresql), create=True)
    use(empty_postgresql)
    database = open_database(read_only(empty_postgresql), create=False)
    with reading(database) as connection:
        assert [study.n_ended for study in read_studies(connection)] == [0]
    database.dispose()
    writer = open_database(read_only(empty_postgresql), create=True)
    with pytest.raises(StorageError, match="Name the server that takes them"):
        write(writer, lambda connection: connection.execute(sa.text("DELETE FROM trials")))
    writer.dispose()


def read_only(url: str) -> str:
    """The same server, which takes no changes from this connection."""
    option = {"options": "-c default_transaction_read_only=on"}
    return make_url(url).update_query_dict(option).render_as_string(hide_password=False)
