"""Build the wheel and the sdist, install each into an empty environment, and run the program beside files of a user.

    python tests/check_package.py

The environment is new, and the folder holds a `search.py`, a `storage/` and a `dashboards.py` that end whoever imports
them: `fewest` must be the only name that it puts into site-packages, and the only one that it imports from there.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
TRAP = "raise SystemExit('a file of the user was imported')\n"
COMMANDS = (
    ("python", "-c", "import fewest"),
    ("python", "-m", "fewest", "--help"),
    ("fewest", "--help"),
    ("fewest", "run", "digits", "--trials", "12", "--quiet"),
    ("fewest", "answer", "digits"),
)


def main() -> None:
    """Check both distributions; ends with status 1 at the first thing that is wrong."""
    with tempfile.TemporaryDirectory(prefix="fewest-package-") as scratch:
        folder = Path(scratch)
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        environment = folder / "environment"
        venv.create(environment, with_pip=True)
        pip = (environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check")
        run(*pip, "install", "-r", ROOT / "requirements.lock")
        before = installed(environment)
        listed = []
        for distribution in (*folder.glob("dist/*.whl"), *folder.glob("dist/*.tar.gz")):
            run(*pip, "install", "--no-deps", "--force-reinstall", distribution)
            added = sorted(name for name in installed(environment) - before if not name.endswith(".dist-info"))
            if added != ["fewest"]:
                sys.exit(f"{distribution.name} must put nothing but fewest into site-packages, got {added}.")
            listed.append(modules(environment))
            try_out(environment, folder / distribution.name.replace(".", "-"))
        if listed[0] != listed[1]:
            sys.exit(f"Wheel and sdist must install the same files, these differ: {sorted(listed[0] ^ listed[1])}.")
    print("wheel and sdist install fewest alone, and run beside a user's search, storage and dashboards")


def try_out(environment: Path, folder: Path) -> None:
    """Run the commands in a folder of a user's."""
    (folder / "storage").mkdir(parents=True)
    for trap in ("search.py", "dashboards.py", "storage/__init__.py"):
        (folder / trap).write_text(TRAP, "utf-8")
    for program, *arguments in COMMANDS:
        run(environment / "bin" / program, *arguments, cwd=folder)
    shutil.rmtree(folder)


def installed(environment: Path) -> set[str]:
    """Names at the top of site-packages."""
    return {path.name for path in site_packages(environment).iterdir()}


def modules(environment: Path) -> set[str]:
    """Files of the package as installed."""
    root = site_packages(environment)
    return {str(path.relative_to(root)) for path in (root / "fewest").rglob("*") if path.suffix not in ("", ".pyc")}


def site_packages(environment: Path) -> Path:
    """The folder that packages are installed into."""
    [folder] = environment.glob("lib/python*/site-packages")
    return folder


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a command; its output is shown if it fails."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
