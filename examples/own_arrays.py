"""Ask how many neurons your own arrays need: scikit-learn's wine data, as an `.npz` file, in about ten seconds.

    python examples/own_arrays.py

Shows the file that `fewest` reads, how `fewest.load` checks settings before anything is trained, and how a program
reads the answer. Writes `wine.npz`, `wine.db` and the networks beside them into the current folder. A second run trains
nothing: the study is finished, so only its answer is read.
"""

import json
import subprocess
import sys

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

import fewest

TARGET = 0.9
STORAGE = "sqlite:///wine.db"
SETTINGS = ["space.max_width=16", "space.max_depth=1", f"budget.targets=[{TARGET}]", "budget.verification_seeds=8"]


def write_arrays(path: str) -> None:
    """Write the four arrays of a data set: features are float32, labels are integers from 0."""
    features, labels = load_wine(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        features, labels, test_size=0.3, random_state=0, stratify=labels
    )
    np.savez(
        path,
        x_train=x_train.astype(np.float32),
        y_train=y_train,
        x_test=x_test.astype(np.float32),
        y_test=y_test,
    )


def run_fewest(*arguments: str) -> str:
    """Run one command of `fewest` and return what it prints."""
    command = [sys.executable, "-m", "fewest", *arguments, "--storage", STORAGE]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Write the data, run a small study, read its answer."""
    write_arrays("wine.npz")
    config = fewest.load("digits", ["name=wine", "data.name=wine.npz", *SETTINGS])
    space = config.space
    print(f"Up to {space.max_width} neurons in {space.max_depth} hidden layer, {config.training.epochs} epochs.")

    overrides = [part for setting in SETTINGS for part in ("--set", setting)]
    run_fewest("run", "digits", "--name", "wine", "--data", "wine.npz", "--trials", "12", "--quiet", *overrides)

    (target,) = json.loads(run_fewest("answer", "wine", "--format", "json"))["targets"]
    typical = target["typical"]
    if typical is None:
        print(f"No typical size for {TARGET:.0%}: {target['unanswered']['typical']}")
    else:
        low, high = typical["interval"]
        size = f"{typical['neurons']} hidden neurons (95 % interval {low}-{high})"
        print(f"{TARGET:.0%} of the test samples right: typically {size}.")


if __name__ == "__main__":
    main()
