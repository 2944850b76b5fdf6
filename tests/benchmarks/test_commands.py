"""Every benchmark still loads against today's modules and says how it is used; what it measures is its own affair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef main(" in path.read_text("utf-8"))
HELP_OF_ALL = """
import contextlib, importlib, io, json, sys
said = {}
for name in sys.argv[1:]:
    out = io.StringIO()
    sys.argv = [name, "--help"]
    try:
        with contextlib.redirect_stdout(out):
            importlib.import_module("benchmarks." + name).main()
        said[name] = "did not end"
    except SystemExit as exit_:
        said[name] = out.getvalue() if exit_.code == 0 else f"status {exit_.code}"
    except Exception as error:
        said[name] = repr(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    """What each benchmark prints when asked for help; one process for all, since most load TensorFlow."""
    command = [sys.executable, "-c", HELP_OF_ALL, *NAMES]
    out = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_says_how_it_is_used(name, said):
    assert said[name].startswith("usage: ")
