"""`fewest.search`: an answer as an object, kept or not, continued, interrupted, refused."""

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import command

import fewest
from fewest.api.answer import StudyAnswer
from fewest.api.running import _config, searched
from fewest.search.settings.config import SettingsError

RNG = np.random.default_rng(0)
Y = np.array(["small", "large"])[np.arange(80) % 2]
X = RNG.normal(size=(80, 3)) + 6 * (np.arange(80) % 2)[:, None]
SHORT = {"space.max_depth": 1, "budget.verification_seeds": 3, "training.epochs": 20}


def search(x: Any = X, y: Any = Y, **options: Any) -> StudyAnswer:
    settings = {**SHORT, **options.pop("settings", {})}
    return fewest.search(x, y, **{"targets": [0.8], "trials": 5, "progress": False, "settings": settings, **options})


@pytest.fixture(scope="module")
def answer() -> StudyAnswer:
    return search(targets=[0.8, 0.999])


@pytest.mark.slow
def test_an_answer_has_each_target_with_its_interval(answer: StudyAnswer) -> None:
    typical = answer[0.8].typical
    assert (typical.neurons, typical.interval) == (0, (0, 0))
    assert [target.accuracy for target in answer.targets] == [0.8, 0.999]
    assert answer[0.8].by_depth[1]["typical"].neurons == 1
    assert answer.front[0].widths == ()
    with pytest.raises(KeyError, match=r"^The target must be one of 0\.8, 0\.999, got 0\.7\. Search with"):
        answer[0.7]


@pytest.mark.slow
def test_an_answer_shows_itself(answer: StudyAnswer, tmp_path: Path) -> None:
    assert repr(answer).startswith("Fewest hidden neurons, by test accuracy (95 % interval on this test set)\n")
    low, high = answer[0.8].typical.new_samples or (1, 0)
    assert low <= answer[0.8].typical.neurons and (high is None or high >= answer[0.8].typical.interval[1])
    assert "At least 80 % of test samples right: softmax alone" in repr(answer)
    assert "<th>typically</th>" in answer._repr_html_()
    assert answer.figure().data
    answer.report(tmp_path / "it.html")
    assert "data from Python" in (tmp_path / "it.html").read_text()
    assert [trial.number for trial in answer.study.trials] == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_its_network_takes_what_the_samples_were(answer: StudyAnswer, tmp_path: Path) -> None:
    model = answer.model(0.8)
    assert isinstance(model, keras.Model)
    probabilities = model.predict(X, verbose=0)
    assert answer.classes.tolist() == ["large", "small"]
    assert (answer.classes[probabilities.argmax(1)] == Y).mean() > 0.9
    np.testing.assert_array_equal(answer.predict(X, 0.8), answer.classes[probabilities.argmax(1)])
    model.save(tmp_path / "it.keras")
    loaded = keras.models.load_model(tmp_path / "it.keras")
    np.testing.assert_allclose(loaded.predict(X.astype(np.float32), verbose=0), probabilities, rtol=1e-5)
    assert answer.model(trial=0).count_params() == 8


@pytest.mark.slow
def test_a_data_frame_goes_in_and_other_rows_are_labelled() -> None:
    frame = pd.DataFrame({"a": X[:, 0], "colour": np.where(Y == "small", "red", "blue"), "kind": Y})
    answer = search(frame, "kind")
    assert (answer.predict(frame.drop(columns="kind")) == Y).all()


@pytest.mark.slow
def test_a_study_with_a_storage_goes_on(url: str, capsys: Any) -> None:
    first = search(storage=url, name="mine")
    again = search(storage=url, name="mine")
    assert again.known.summary == first.known.summary, "nothing is trained twice"
    more = search(storage=url, name="mine", trials=7)
    assert len(more.study.trials) == 7
    with pytest.raises(fewest.MisuseError, match="Study 'mine' was made on other data"):
        search(X + 1, storage=url, name="mine", trials=8)
    assert command("answer", "mine", "--storage", url) == 0
    capsys.readouterr()
    assert command("resume", "mine", "--trials", "9", "--storage", url) == 2
    assert "The data of this study came from Python and are in no file." in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_that_is_ended_answers_with_what_is_known() -> None:
    asked: list[bool] = []

    def should_stop() -> bool:
        asked.append(True)
        return len(asked) > 8

    settings = {**SHORT, "budget.targets": [0.8], "budget.trials": 40}
    answer = searched(X, Y, test=0.2, settings=settings, should_stop=should_stop)
    assert answer[0.8].typical.neurons is None
    assert answer[0.8].typical.interval is None
    assert "validation accuracy of single" in repr(answer)


@pytest.mark.slow
def test_a_search_in_a_thread_needs_no_signals() -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(search).result()[0.8].typical.neurons == 0


@pytest.mark.slow
def test_nothing_is_printed_without_progress(capfd: Any) -> None:
    search()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"targets": [95]}, "`budget.targets` must be less than 1.0, got 95."),
        ({"targets": 95}, "`budget.targets` must be less than 1.0, got 95."),
        ({"targets": "0"}, "`budget.targets` must be greater than 0.0, got '0'."),
        ({"trials": 0}, "`budget.trials` must be at least 1, got 0."),
        ({"storage": Path("it.db")}, f"`storage` must be a URL such as 'sqlite:///mine.db', got {Path('it.db')!r}."),
        ({"settings": {"seed": 3}}, "`settings` must leave `seed` to the argument `seed`."),
        ({"settings": {"budget": {"trials": 3}}}, "`settings` must leave `budget.trials` to the argument `trials`."),
        ({"settings": {"data.name": "mnist"}}, "`settings` must leave `data.name` to the argument `x`."),
        ({"settings": {"data": {"label": "kind"}}}, "`settings` must leave `data.label` to the argument `y`."),
        ({"settings": {"data.test": 0.3}}, "`settings` must leave `data.test` to the argument `test`."),
        ({"settings": {"space.max_dept": 2}}, "Unknown setting `space.max_dept`; did you mean 'space.max_depth'?"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        search(**options)
    assert str(refused.value) == said


def test_a_sample_of_rows_decides_how_long_networks_train() -> None:
    assert _config({}, 60_000).training.batch_size == 128
    assert _config({"data.rows": 150}, 60_000).training == _config({}, 150).training
    assert _config({"data.rows": 1000}, 150).training == _config({}, 150).training


@pytest.mark.slow
def test_errors_advise_what_a_program_can_do(url: str, tmp_path: Path) -> None:
    found = search(storage=url, name="mine", targets=[0.8, 0.999])
    frame = pd.DataFrame(X, columns=list("abc"))
    calls: dict[str, Callable[[], Any]] = {
        "Use another `name` for a new study, or these settings": lambda: search(storage=url, name="mine", seed=1),
        "Give those, or another `name` for a new study": lambda: search(X + 1, storage=url, name="mine"),
        "leave it out with `settings={'data.ignore': ['row']}`": lambda: search(frame.assign(row=range(80))),
        "Search with `targets=[0.7]`": lambda: found[0.7],
        "Search with `targets=[0.75]` first": lambda: found.model(0.75),
        "A depth goes with a target": lambda: found.model(depth=1, trial=0),
        "has no trial 99": lambda: found.model(trial=99),
        "The target must be one that study 'mine' has, 0.8, 0.999": lambda: found.model("best - 0.1"),
        "Name another with `path`": lambda: found.report(tmp_path),
    }
    for advice, call in calls.items():
        with pytest.raises(fewest.FewestError) as refused:
            call()
        said = str(refused.value)
        assert advice in said
        assert "--" not in said and "`fewest " not in said and "\n" not in said


def test_settings_are_a_mapping() -> None:
    with pytest.raises(
        SettingsError, match=r"^`settings` must be a mapping such as \{'space.max_depth': 1\}, got \[1\]\.$"
    ):
        fewest.search(X, Y, settings=[1])


def test_the_function_hides_the_room_and_the_room_stays_importable() -> None:
    from fewest.search.settings.space import n_neurons

    assert callable(fewest.search)
    assert n_neurons((2, 3)) == 5
    assert pickle.loads(pickle.dumps(fewest.search)) is fewest.search


def test_every_public_name_is_there() -> None:
    assert all(hasattr(fewest, name) for name in fewest.__all__)
    with pytest.raises(AttributeError, match="module 'fewest' has no attribute 'serch'"):
        _ = fewest.serch  # type: ignore[attr-defined]  # That is what is tested.


@pytest.mark.slow
def test_a_target_may_be_relative_to_the_best() -> None:
    answer = search(targets=["best - 0.05"])
    assert answer["best - 0.05"].accuracy == answer.targets[0].accuracy > 0.8
