"""Requests to a real server: what it shows, and what it refuses."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import optuna
import pytest
from optuna.trial import TrialState
from serving import ask, serving

from fewest.dashboards.server import make_app
from fewest.dashboards.uploads import MOST_BYTES
from fewest.search.settings.files import load
from fewest.storage.errors import StorageError
from fewest.storage.files.artifacts import Artifacts
from fewest.storage.files.places import place_for
from fewest.storage.trials.cohort_storage import optuna_storage
from fewest.storage.trials.finished_trials import FinishedTrial

PASSWORD = "swordfish: ünseen"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A storage with a study of ours, `mine/ä`, that kept one file."""
    folder = tmp_path_factory.mktemp("served")
    url = f"sqlite:///{folder}/studies.db"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made = optuna.create_study(storage=optuna_storage(url), study_name="mine/ä", directions=["minimize", "maximize"])
    sizes = {"n_classes": 10, "n_training": 1000, "n_validation": 300, "n_test": 300}
    made.set_user_attr("settings", load("digits").settings())
    made.set_user_attr("data", {"name": "digits", "input_shape": [8, 8], "fingerprint": "f" * 64, **sizes})
    made.set_user_attr("environment", {"fewest": "0"})
    kept = folder / "page.html"
    kept.write_text("<script>fetch('/api/studies/1', {method: 'DELETE'})</script>")
    Artifacts(place_for(url, "artifacts")).keep(made, kept)
    optuna.create_study(storage=optuna_storage(url), study_name="theirs")
    return url


@pytest.fixture(scope="module")
def artifact(url: str) -> str:
    """The path under which the study's file is served."""
    study = optuna.load_study(study_name="mine/ä", storage=optuna_storage(url))
    [key] = [key for key in study._storage.get_study_system_attrs(1) if key.startswith("artifacts:")]
    return f"/artifacts/1/{key.removeprefix('artifacts:')}"


@pytest.fixture(scope="module")
def port(url: str) -> Iterator[int]:
    """A dashboard as users start it."""
    with serving(url, artifact_store=Artifacts(place_for(url, "artifacts")).store()) as port:
        yield port


@pytest.fixture(scope="module")
def editing(url: str) -> Iterator[int]:
    """A dashboard that takes changes."""
    with serving(url, edit=True) as port:
        yield port


@pytest.fixture(scope="module")
def locked(url: str) -> Iterator[int]:
    """A dashboard with a password."""
    with serving(url, password=PASSWORD) as port:
        yield port


@pytest.fixture(scope="module")
def editing_locked(url: str) -> Iterator[int]:
    """A dashboard that takes changes, with a password."""
    with serving(url, edit=True, password=PASSWORD) as port:
        yield port


def test_it_serves_the_pages_and_what_they_ask_for(port: int) -> None:
    for path in ("/dashboard", "/dashboard/studies/1", "/api/meta", "/api/studies", "/api/studies/1", "/csv/1"):
        assert ask(port, path).status == 200, path
    assert ask(port, "/dashboard").headers["X-Frame-Options"] == "DENY"


def test_the_server_does_not_say_what_it_is(port: int) -> None:
    assert "Server" not in ask(port).headers


def test_many_ask_at_once(port: int) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: ask(port, "/api/studies/1").status, range(64)))
    assert answers == [200] * 64


def test_two_hundred_readers_fail_no_write_of_a_study_and_no_request_fails(tmp_path: Path) -> None:
    """All in one SQLite file. `benchmarks.dashboard readers` measures what they cost the study."""
    url = f"sqlite:///{tmp_path}/studies.db"
    storage = optuna_storage(url)
    study = optuna.create_study(storage=storage, study_name="digits", directions=["minimize", "maximize"])
    written, ended = 0, threading.Event()

    def read_on(port: int) -> list[int]:
        statuses = [ask(port, "/api/studies/1").status]
        while not ended.is_set():
            statuses.append(ask(port, f"/api/studies/1?after={written}").status)
        return statuses

    with serving(url) as port, ThreadPoolExecutor(200) as pool:
        readers = [pool.submit(read_on, port) for _ in range(200)]
        try:
            for _ in range(20):
                ids = storage.create_trials(study._study_id, [None] * 8)
                storage.finish_trials([FinishedTrial(trial_id, TrialState.COMPLETE, [4.0, 0.9]) for trial_id in ids])
                written += len(ids)
        finally:
            ended.set()
        assert {status for reader in readers for status in reader.result()} == {200}
    assert storage.get_n_trials(study._study_id, TrialState.COMPLETE) == written == 160


# Refused


def test_another_name_is_refused(port: int) -> None:
    assert ask(port, Host="evil.example").status == 403


def test_a_foreign_page_changes_nothing(editing: int) -> None:
    answer = ask(editing, "/api/studies/1", "DELETE", Origin="http://evil.example")
    assert (answer.status, answer.body.count(b"\n")) == (403, 1)
    assert len(json.loads(ask(editing).body)["study_summaries"]) == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/studies"),
        ("DELETE", "/api/studies/1"),
        ("POST", "/api/studies/1/rename"),
        ("PUT", "/api/studies/1/note"),
        ("POST", "/api/artifacts/1"),
        ("POST", "/report/theirs"),
        ("PATCH", "/"),
        ("BREW", "/"),
    ],
)
def test_a_read_only_dashboard_refuses_changes_in_a_line(port: int, method: str, path: str) -> None:
    answer = ask(port, path, method, Origin=f"http://127.0.0.1:{port}")
    assert answer.status == 403
    assert answer.body == b"This dashboard is read-only. `fewest dashboard --edit` lets its pages change studies.\n"


def test_behind_the_guard_the_database_refuses_too(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Mock()
    monkeypatch.setattr("optuna_dashboard.wsgi", seen)
    make_app(url)
    with pytest.raises(StorageError):
        seen.call_args.args[0].set_study_user_attr(1, "name", "value")


def test_an_editing_dashboard_takes_changes_from_its_own_pages(editing: int) -> None:
    answer = ask(editing, "/api/studies/9", "DELETE", Origin=f"http://127.0.0.1:{editing}")
    assert answer.status == 404  # There is no such study; the request has passed.


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()},
        {"Authorization": "Basic " + base64.b64encode(b"me:wrong").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"me:").decode()},
        {"Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD[:-1]}".encode()).decode()},
        {"Authorization": "Basic " + base64.b64encode(PASSWORD.encode()).decode()},
    ],
)
def test_a_wrong_or_missing_password_is_asked_for(locked: int, given: dict[str, str]) -> None:
    for path in ("/", "/dashboard", "/api/studies", "/report/theirs", "/artifacts/1/0"):
        answer = ask(locked, path, **given)
        assert (answer.status, answer.body.count(b"\n")) == (401, 1)
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("user", ["", "me"])
def test_the_password_opens_for_any_user(locked: int, user: str) -> None:
    given = base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()
    assert ask(locked, Authorization=f"Basic {given}").status == 200
    assert ask(locked, Authorization=f"basic {given}").status == 200


@pytest.mark.parametrize("path", ["/api/studies", "/report/theirs"])
def test_oversized_headers_are_refused(port: int, path: str) -> None:
    assert ask(port, path, X="x" * 20_000).status == 431


def test_an_oversized_body_is_refused(editing: int) -> None:
    assert ask(editing, "/api/studies", "POST", Content_Length=str(1 << 40)).status == 413


@pytest.mark.parametrize(
    ("which", "given"),
    [
        ("port", {}),
        ("locked", {}),
        ("editing", {"Origin": "http://evil.example"}),
        ("editing", {"Host": "evil.example"}),
        ("editing_locked", {}),
        ("editing_locked", {"Authorization": "Basic " + base64.b64encode(b"me:wrong").decode()}),
    ],
)
def test_no_body_is_stored_of_a_request_that_will_be_refused(
    which: str, given: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """A request is read to its end before the application refuses it."""
    port = request.getfixturevalue(which)
    assert ask(port, "/api/artifacts/1/1", "POST", Content_Length=str(1 << 20), **given).status == 413


def test_no_body_in_chunks_is_stored_either(editing_locked: int) -> None:
    head = b"POST /api/artifacts/1/1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n"
    with socket.create_connection(("127.0.0.1", editing_locked), timeout=60) as client:
        client.sendall(head + chunk + b"x" * (MOST_BYTES - len(chunk)))
        assert client.makefile("rb").readline().startswith(b"HTTP/1.1 413 ")


def test_an_upload_that_may_be_made_is_read(editing_locked: int) -> None:
    """Optuna-dashboard has no such study."""
    given = {"Authorization": "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()}
    body = b"x" * (1 << 20)
    assert ask(editing_locked, "/api/studies/9", "DELETE", body=body, **given).status == 404


def test_no_file_can_be_named_after_a_name_with_a_line_break(
    url: str, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    study = optuna.create_study(storage=optuna_storage(url), study_name="a\r\nInjected: b")
    answer = ask(port, f"/csv/{study._study_id}")
    optuna.delete_study(study_name=study.study_name, storage=optuna_storage(url))
    assert (answer.status, answer.body.count(b"\n"), answer.headers["Injected"]) == (501, 1, None)
    assert b"has a line break in it" in answer.body
    assert capfd.readouterr() == ("", "")


# Artifacts


def test_a_kept_file_is_served_where_it_can_do_no_harm(port: int, artifact: str) -> None:
    """It may be a page with a script: a sandbox has no origin, so its requests are foreign."""
    answer = ask(port, artifact, Origin="http://evil.example")
    assert answer.status == 200
    assert b"<script>" in answer.body
    assert "sandbox" in answer.headers.get_all("Content-Security-Policy", [])
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/artifacts/1/../../studies.db",
        "/artifacts/1/%2e%2e/%2e%2e/studies.db",
        "/artifacts/1/..%2f..%2fstudies.db",
        "/artifacts/1//etc/passwd",
        "/artifacts/1/%00",
        "/artifacts/1/00000000-0000-0000-0000-000000000000",
        "/static/../_app.py",
        "/static/%2e%2e/_app.py",
        "/static/..%2f_app.py",
        "/static//etc/passwd",
    ],
)
def test_no_path_leads_to_another_file(port: int, path: str) -> None:
    assert ask(port, path).status in (403, 404)


def test_a_file_that_is_gone_is_one_line(
    url: str, artifact: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(url, artifact_store=Artifacts(place_for(url, "artifacts", str(tmp_path / "empty"))).store()) as port:
        answer = ask(port, artifact)
    assert (answer.status, answer.body.count(b"\n")) == (404, 1)
    assert b"not kept any more" in answer.body
    assert capfd.readouterr() == ("", "")


# Reports


def test_a_report_is_made_when_it_is_asked_for(port: int) -> None:
    answer = ask(port, "/report/mine%2F%C3%A4")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "<title>How many neurons? mine/ä</title>" in answer.body.decode()


def test_a_report_needs_no_more_quoting_than_a_browser_does(port: int) -> None:
    assert ask(port, "/report/mine/%C3%A4").status == 200


def test_the_head_of_a_report_has_no_body(port: int) -> None:
    answer = ask(port, "/report/mine%2F%C3%A4", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 1_000_000


def test_a_report_cannot_be_posted(editing: int) -> None:
    assert ask(editing, "/report/theirs", "POST").status == 405


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/report/unknown", "There is no study 'unknown'"),
        ("/report/", "There is no study ''"),
        ("/report/../x", "There is no study '../x'"),
        ("/report/%2e%2e/x", "There is no study '../x'"),
        ("/report/..%2f..%2fstudies.db", "There is no study '../../studies.db'"),
        ("/report//etc/passwd", "There is no study '/etc/passwd'"),
        ("/report/%00", "There is no study '"),
        ("/report/a%0aInjected:%20b", "There is no study '"),
        ("/report/%ff", "There is no study '"),
        ("/report/theirs", "Study 'theirs' was not made by fewest"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_line(port: int, path: str, said: str) -> None:
    answer = ask(port, path)
    assert answer.status == 404
    assert answer.body.decode().startswith(said)
    assert answer.body.count(b"\n") == 1
