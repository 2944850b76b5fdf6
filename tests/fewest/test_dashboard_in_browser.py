"""`fewest dashboard` in a real browser over a study that a user ran: what it shows, and that it stays quiet."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from chromium import Heard, browsing, page_in
from helpers import command, trials_of
from optuna_dashboard import wsgi
from serving import ask, serving_app

from fewest.dashboards.notes import in_words
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.settings.keras_settings import keras

SETTINGS = ("training.epochs=8", "space.max_depth=1", "budget.verification_seeds=2")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A storage with a finished study of digits."""
    url = f"sqlite:///{tmp_path_factory.mktemp('browsed')}/studies.db"
    options = [word for setting in SETTINGS for word in ("--set", setting)]
    assert command("run", "digits", "--trials", 40, "--target", 0.9, *options, "--quiet", "--storage", url) == 0
    return url


@contextmanager
def dashboard(url: str) -> Iterator[str]:
    """Start the command; yields the dashboard's address, and checks that the terminal says nothing else."""
    command_line = [sys.executable, "-m", "fewest", "dashboard", "--port", "0", "--storage", url]
    with subprocess.Popen(command_line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as started:
        assert started.stdout is not None
        try:
            found = re.fullmatch(r"Dashboard at (http://127\.0\.0\.1:\d+)/ .*\n", started.stdout.readline())
            assert found is not None
            yield found[1]
            started.send_signal(signal.SIGINT)
            assert started.communicate()[0] == "Dashboard ended.\n"
            assert started.returncode == 0
        finally:
            started.kill()


@pytest.mark.slow
def test_a_study_is_seen_and_its_network_downloaded(url: str, tmp_path: Path) -> None:
    trials = trials_of(url)
    pruned = next(trial for trial in trials if trial.state == "pruned")
    best = {trial.number: trial for trial in trials}[pareto_front(points_of(trials))[-1].trial]
    with browsing() as browser, dashboard(url) as address, page_in(browser) as (page, heard):
        page.goto(address)
        page.get_by_role("link", name="digits").click()
        for figure in ("fewest-front", "fewest-learning-curves"):
            page.locator(f"[id='user-defined-plot:{figure}'] svg.main-svg").first.wait_for()
        page.goto(f"{address}/dashboard/studies/1/trials?numbers={pruned.number}")
        page.get_by_role("heading", name=f"Trial {pruned.number} ").wait_for()
        page.get_by_text(str(pruned.reason)).wait_for()
        page.goto(f"{address}/dashboard/studies/1/trials?numbers={best.number}")
        page.get_by_text(in_words(best.widths or ())).wait_for()
        with page.expect_download() as download:
            page.get_by_role("link", name="download").click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        page.goto(f"{address}/dashboard/studies/1/note")
        page.get_by_role("heading", name="The answer so far").wait_for()
        page.get_by_text("At least 90 % of digits right").wait_for()
        page.get_by_role("link", name="The report").click()
        page.wait_for_url(f"{address}/report/digits")
        assert page.title() == "How many neurons? digits"
        assert_quiet(heard, address)
    [file] = tmp_path.iterdir()
    network = keras.saving.load_model(file)
    assert network.count_params() == best.parameters


def assert_quiet(heard: Heard, address: str) -> None:
    """Showing a study takes no request that a read-only dashboard refuses, and none to anywhere else."""
    assert heard.complaints == []
    assert heard.refused == []
    assert {method for method, _ in heard.requests} == {"GET"}
    assert all(asked.startswith((f"{address}/", "data:", "blob:")) for _, asked in heard.requests), heard.requests


@pytest.mark.slow
def test_plain_optuna_dashboard_shows_the_same(url: str) -> None:
    with serving_app(wsgi(url)) as port:
        study: dict[str, Any] = json.loads(ask(port, "/api/studies/1").body)
    front = study["best_trials"]
    assert "## The answer so far" in study["note"]["body"]
    assert len(study["plotly_graph_objects"]) >= 2
    assert all("On the front" in trial["note"]["body"] and trial["artifacts"] for trial in front)
    attributes = [{one["key"]: one["value"] for one in trial["user_attrs"]} for trial in front]
    verified = [seen for seen in attributes if "verified_accuracy" in seen]
    assert verified
    assert all(0.5 < float(seen["verified_accuracy"]) < 1 and int(seen["verified_seeds"]) > 0 for seen in verified)
