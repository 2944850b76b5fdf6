"""The dashboard's guard with real WSGI calls, its server with real sockets, figures in a real study."""

import ctypes
import json
import logging
import os
import queue
import socket
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import optuna
import pytest
from forked import start
from synthetic import make_study

from fewest.dashboards.curves import plot_curves
from fewest.dashboards.front import plot_front
from fewest.dashboards.guard import HEADERS, Guard
from fewest.dashboards.saved import save_figures
from fewest.dashboards.server import ServerError, listening_at, make_app, serve
from fewest.storage.errors import FewestError, MisuseError
from fewest.storage.trials.cohort_storage import optuna_storage


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/studies.db"


@pytest.fixture
def study(url: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(storage=optuna_storage(url), study_name="mnist", directions=["minimize", "maximize"])


def call(app: Any, path: str = "/api/studies", method: str = "GET", **environ: str) -> tuple[str, Any, bytes]:
    """One request, checked against the WSGI specification."""
    answer: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answer[:] = [status, headers]
        return lambda _: None

    request: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": "localhost:8080"}
    request |= {"SCRIPT_NAME": "", "QUERY_STRING": ""}
    request |= environ
    setup_testing_defaults(request)
    if not environ.get("HTTP_HOST", "present"):
        del request["HTTP_HOST"]
    body = validator(app)(request, start_response)
    content = b"".join(body)
    body.close()  # type: ignore[attr-defined]  # The validator's has one.
    return answer[0], answer[1], content


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application behind the guard."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


# The guard


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST:9", "localhost.:80", "127.0.0.1:8080", "[::1]:8080"]
)
def test_loopback_names_are_served_at_any_port(host: str) -> None:
    """Any port: an SSH tunnel may end at another."""
    assert call(Guard(hello, "127.0.0.1"), HTTP_HOST=host)[0] == "200 OK"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example:8080",
        "evil@localhost",
        "localhost:8080,evil.example",
        "192.168.1.5",
        "localhost:",
        "[::1",
        "",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    status, headers, body = call(Guard(hello, "127.0.0.1"), HTTP_HOST=host)
    assert status == "403 Forbidden"
    assert b"Host header must name this machine" in body
    assert set(HEADERS) <= set(headers)


def test_the_address_listened_at_is_served() -> None:
    assert call(Guard(hello, "192.168.1.5"), HTTP_HOST="192.168.1.5:8080")[0] == "200 OK"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("192.168.1.5:8080", "200 OK"),
        ("[fe80::1]:8080", "200 OK"),
        (socket.gethostname(), "200 OK"),
        ("evil.example", "403 Forbidden"),
    ],
)
def test_listening_everywhere_takes_addresses_but_no_foreign_names(host: str, status: str) -> None:
    assert call(Guard(hello, "0.0.0.0"), HTTP_HOST=host)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    ("says", "status"),
    [
        ({}, "200 OK"),
        ({"HTTP_ORIGIN": "http://localhost:8080"}, "200 OK"),
        ({"HTTP_ORIGIN": "https://localhost:8080"}, "200 OK"),
        ({"HTTP_ORIGIN": "http://localhost:8080", "HTTP_SEC_FETCH_SITE": "same-origin"}, "200 OK"),
        ({"HTTP_ORIGIN": "http://evil.example"}, "403 Forbidden"),
        ({"HTTP_ORIGIN": "http://localhost:9999"}, "403 Forbidden"),
        ({"HTTP_ORIGIN": "null"}, "403 Forbidden"),
        ({"HTTP_ORIGIN": ""}, "403 Forbidden"),
        ({"HTTP_SEC_FETCH_SITE": "cross-site"}, "403 Forbidden"),
        ({"HTTP_SEC_FETCH_SITE": "same-site"}, "403 Forbidden"),
    ],
)
def test_changes_must_come_from_the_dashboard_itself(method: str, says: dict[str, str], status: str) -> None:
    app = Guard(hello, "127.0.0.1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wsgiref's validator knows fewer methods than HTTP has
        assert call(app, method=method, **says)[0] == status


def test_reading_from_a_link_elsewhere_is_allowed() -> None:
    assert call(Guard(hello, "127.0.0.1"), HTTP_SEC_FETCH_SITE="cross-site")[0] == "200 OK"


def test_every_answer_forbids_framing_and_guessing() -> None:
    headers = call(Guard(hello, "127.0.0.1"))[1]
    assert ("X-Frame-Options", "DENY") in headers
    assert ("X-Content-Type-Options", "nosniff") in headers
    assert any("frame-ancestors 'none'" in value for name, value in headers if "Policy" in name)


# The real dashboard behind it


def test_the_dashboard_lists_studies(url: str, study: optuna.Study) -> None:
    _, headers, body = call(make_app(url))
    assert [summary["study_name"] for summary in json.loads(body)["study_summaries"]] == ["mnist"]
    assert ("X-Frame-Options", "DENY") in headers


def test_a_foreign_page_cannot_delete_a_study(url: str, study: optuna.Study) -> None:
    app = make_app(url, edit=True)
    attack = {"HTTP_ORIGIN": "http://evil.example", "CONTENT_TYPE": "application/json"}
    assert call(app, f"/api/studies/{study._study_id}", "DELETE", **attack)[0] == "403 Forbidden"
    assert len(json.loads(call(app)[2])["study_summaries"]) == 1


@pytest.mark.parametrize("path", ["missing.db", "no/folder/studies.db"])
def test_a_missing_database_is_one_line_and_stays_missing(tmp_path: Path, path: str) -> None:
    with pytest.raises(FewestError) as caught:
        serve(f"sqlite:///{tmp_path}/{path}", port=0)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# Listening


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def test_a_taken_port_is_one_line(url: str, study: optuna.Study, taken: int) -> None:
    with pytest.raises(ServerError, match=rf"Port {taken} of 127\.0\.0\.1 must be free.*--port") as caught:
        serve(url, port=taken)
    assert caught.value.exit_status == 1


def test_an_address_elsewhere_is_one_line() -> None:
    with pytest.raises(ServerError, match="must be able to listen at"):
        listening_at("192.0.2.1", 0)


def test_a_name_that_is_no_address_is_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MisuseError, match="`--host`"):
        listening_at("no such host", 0)


def test_an_impossible_port_is_misuse() -> None:
    with pytest.raises(MisuseError, match="`--port`"):
        listening_at("127.0.0.1", 70_000)


@pytest.fixture
def ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes as soon as the server runs."""

    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("waitress.wasyncore.loop", interrupted)


def test_it_says_where_it_is_and_that_it_ended(url: str, study: optuna.Study, ended_at_once: None) -> None:
    said: list[str] = []
    serve(url, port=0, say=said.append)
    where, empty, ended = said[-2], said[:-2], said[-1]
    assert where.startswith("Dashboard at http://127.0.0.1:")
    assert where.endswith("/ (read-only; Ctrl-C ends it).")
    assert (empty, ended) == ([], "Dashboard ended.")


def test_it_warns_when_others_can_reach_it(url: str, study: optuna.Study, ended_at_once: None) -> None:
    said: list[str] = []
    serve(url, host="0.0.0.0", port=0, password="long enough", say=said.append)
    assert said[0].startswith("Warning: all who can reach 0.0.0.0 and know the password can see the studies.")
    assert "not encrypted" in said[0]


def test_it_warns_that_every_user_of_the_machine_may_edit(url: str, study: optuna.Study, ended_at_once: None) -> None:
    said: list[str] = []
    serve(url, port=0, edit=True, say=said.append)
    assert said[0].startswith("Warning: every user of this machine can change the studies here")
    assert "FEWEST_DASHBOARD_PASSWORD" in said[0] and "--password-file" in said[0]
    said.clear()
    serve(url, port=0, edit=True, password="long enough", say=said.append)
    assert said[0].startswith("Dashboard at ")


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5"])
def test_others_need_a_password(url: str, study: optuna.Study, host: str) -> None:
    with pytest.raises(MisuseError, match=r"must have a password.*FEWEST_DASHBOARD_PASSWORD.*--password-file"):
        serve(url, host=host, port=0)


def test_a_storage_without_studies_is_said(url: str, ended_at_once: None) -> None:
    optuna_storage(url)
    said: list[str] = []
    serve(url, port=0, say=said.append)
    command = f"fewest run STUDY --storage {url}"
    assert said[0] == f"The storage has no study yet. Start one with `{command}`; it appears here."


def test_it_opens_a_browser(
    url: str, study: optuna.Study, ended_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("webbrowser.open", opened.put)
    serve(url, port=0, open_browser=True, say=lambda line: None)
    assert opened.get(timeout=60).startswith("http://127.0.0.1:")


def test_without_a_browser_it_says_the_address_again(
    url: str, study: optuna.Study, ended_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: queue.Queue[str] = queue.Queue()
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    serve(url, port=0, open_browser=True, say=said.put)
    lines = [said.get(timeout=60) for _ in range(3)]
    assert any(line.startswith("No browser could be opened here. Open http://127.0.0.1:") for line in lines)


def test_libraries_say_errors_in_one_line_and_nothing_else(
    url: str, study: optuna.Study, ended_at_once: None, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    serve(url, port=0, say=said.append)
    for name in ("optuna.study", "optuna_dashboard._app", "waitress.queue"):
        logging.getLogger(name).warning("Task queue depth is 3")
    warnings.warn("Some regimes have less than 2 trials.", stacklevel=1)
    logging.getLogger("optuna_dashboard._app").error("Exception: no such table\nTraceback ...")
    assert said[-1] == "Exception: no such table"
    assert len(said) == 3
    assert capfd.readouterr() == ("", "")


# Figures kept in a study


def test_saved_figures_replace_each_other(url: str, study: optuna.Study) -> None:
    trials, curves = make_study(60)
    for n_trials in (60, 20):
        drawn_from = (trials[:n_trials], curves, (0.9,))
        save_figures(study, {"front": plot_front(*drawn_from), "curves": plot_curves(*drawn_from)})
    body = call(make_app(url), f"/api/studies/{study._study_id}")[2]
    saved = {one["id"]: json.loads(one["graph_object"]) for one in json.loads(body)["plotly_graph_objects"]}
    assert sorted(saved) == ["fewest-front", "fewest-learning-curves"]
    assert saved["fewest-front"]["layout"]["title"]["text"] == plot_front(*drawn_from).layout.title.text


# A storage that can only be read


def answer_without_rights(url: str, edit: bool, requests: Sequence[tuple[str, str]], statuses: Path) -> None:
    """Write down the statuses of requests to a dashboard whose user may do no more than the files allow.

    That is still root, without capabilities: another user might not even be let into the folder of the interpreter.
    """
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(header, none) == 0
    app = make_app(url, edit=edit)
    statuses.write_text(json.dumps([call(app, path, method)[0] for path, method in requests]))


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can give files away.")
@pytest.mark.parametrize("left_open", [False, True], ids=["settled", "with a log"])
@pytest.mark.parametrize(("mode", "edit"), [(0o555, False), (0o755, True)])
def test_a_storage_that_can_only_be_read_is_shown_and_not_changed(
    mode: int, edit: bool, left_open: bool, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("read-only")
    url = f"sqlite:///{folder}/studies.db"
    storage = optuna_storage(url)
    made = optuna.create_study(storage=storage, study_name="mnist", directions=["minimize", "maximize"])
    if not left_open:
        storage.close()
    for file in folder.iterdir():
        file.chmod(0o444)
        os.chown(file, 65534, 65534)
    folder.chmod(mode)
    os.chown(folder, 65534, 65534)
    before = {file.name: file.read_bytes() for file in folder.iterdir() if not left_open}
    path = f"/api/studies/{made._study_id}"
    requests = [("/api/studies", "GET"), (path, "GET"), (path, "DELETE")]
    # Not forked from here: the threads of other tests would be missing there, and what they held stay locked.
    process = start(answer_without_rights, url, edit, requests, tmp_path / "statuses")
    process.join(60)
    assert json.loads((tmp_path / "statuses").read_text()) == ["200 OK", "200 OK", "403 Forbidden"]
    assert {file.name: file.read_bytes() for file in folder.iterdir() if not left_open} == before
    folder.chmod(0o755)
