"""Read a study with plain Optuna, without importing `fewest`: its trials, and the Pareto optimal ones.

    python examples/optuna_tools.py [sqlite:///wine.db] [wine]

A study is an ordinary Optuna study with two objectives. Every tool that reads Optuna studies, such as
optuna-dashboard, reads this one. `examples/table.py` makes the study that is read by default.
"""

import sys

import optuna


def main(storage: str = "sqlite:///wine.db", name: str = "wine") -> None:
    """Print the Pareto trials, from small to large."""
    study = optuna.load_study(study_name=name, storage=storage)
    print(f"{len(study.trials)} trials of '{name}', by {' and '.join(study.metric_names or ())}")
    for trial in sorted(study.best_trials, key=lambda trial: trial.values):
        size, accuracy = trial.values
        print(f"trial {trial.number:3}: {size:3.0f} at {accuracy:.3f}, widths {trial.user_attrs['widths']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
