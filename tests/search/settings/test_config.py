"""Study files: what they say, what they may not say, and how a study may go on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewest.search.settings.config import SettingsError, StudyConfig
from fewest.search.settings.files import continued, load, overridden, shipped_studies

SHIPPED = ("digits", "mnist", "notebook")


def test_the_shipped_studies_are_these_three():
    assert tuple(shipped_studies()) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_study_survives_being_stored(name):
    config = load(name)
    assert StudyConfig.of(config.settings()) == config


def test_the_named_protocol_fills_what_the_file_leaves_out():
    training = load("notebook").training
    assert (training.batch_size, training.epochs, training.patience) == (32, 200, 10)


def test_a_file_on_disk_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n[data]\nname = "digits"\n[budget]\ntrials = 3\ntargets = [0.9]\n', "utf-8")
    assert load(str(path)).budget.trials == 3


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("training.epochs=20", lambda c: c.training.epochs == 20),
        ("data.name=my file.npz", lambda c: c.data.name == "my file.npz"),
        ("budget.targets=[0.99, 0.5]", lambda c: c.budget.targets == (0.5, 0.99)),
        ("pruning.enabled=false", lambda c: c.pruning.enabled is False),
    ],
)
def test_any_setting_can_be_overridden(override, value):
    assert value(load("mnist", [override]))


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("training.epoch=3", "Unknown setting `training.epoch`; did you mean 'training.epochs'?"),
        ("training.epochs=0", "`training.epochs` must be at least 1, got 0."),
        ("budget.targets=[1.0]", "`budget.targets` must be less than 1.0, got 1.0."),
        ("budget.targets=[0.9, 1.5]", "`budget.targets` must be less than 1.0, got 1.5."),
        ("budget.targets=[0]", "`budget.targets` must be greater than 0.0, got 0."),
        ("budget.trials=2.5", "`budget.trials` must be a valid integer"),
        (
            "space.min_width=200",
            "`space.min_width` must be at most `space.max_width`, got 200 > 128.",
        ),
        ("space.architectures=[[4, 200]]", "`space.architectures` must lie within the space, got [4, 200]"),
        (
            "training.schedule=cosine",
            "`training.schedule` must be one of 'one_cycle' or 'constant', got 'cosine'.",
        ),
        ("name=a b", "`name` must match"),
        ("nonsense", "A changed setting must be name=value such as training.epochs=20, got 'nonsense'."),
        ("seed.x=1", "Unknown setting `seed.x`: `seed` has no settings of its own."),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(override, line):
    with pytest.raises(SettingsError) as caught:
        load("mnist", [override])
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value) and "more after" not in str(caught.value)


def test_an_unknown_study_names_the_nearest_and_all():
    with pytest.raises(SettingsError, match=r"Unknown study 'minst'; did you mean 'mnist'\? Shipped: digits, mnist"):
        load("minst")


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", None], ids=["not toml", "not utf-8", "missing"])
def test_an_unreadable_file_is_one_line(tmp_path: Path, content: bytes | None):
    path = tmp_path / "study.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="Study file"):
        load(str(path))


@given(
    trials=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    targets=st.tuples(*[st.lists(st.sampled_from([0.5, 0.7, 0.9]), min_size=1)] * 2),
)
def test_budgets_are_totals_and_the_larger_counts(trials, targets):
    stored, given = (
        overridden(load("mnist"), [f"budget.trials={n}", f"budget.targets={t}"])
        for n, t in zip(trials, targets, strict=True)
    )
    budget = continued(stored, given).budget
    assert budget.trials == max(trials)
    assert set(budget.targets) == {*targets[0], *targets[1]}


def test_a_study_without_a_timeout_stays_without():
    stored = load("mnist")
    assert continued(stored, overridden(stored, ["budget.timeout=5"])).budget.timeout is None


def test_other_settings_are_refused_with_the_differences():
    with pytest.raises(SettingsError, match=r"space.max_depth is 3, not 2; training.epochs is 15, not 20"):
        continued(load("mnist"), load("mnist", ["space.max_depth=2", "training.epochs=20"]))


def test_what_is_said_while_training_may_differ():
    given = load("mnist", ["output.monitor_every=2"])
    assert continued(load("mnist"), given).output.monitor_every == 2
