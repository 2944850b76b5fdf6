"""Ask how many neurons a table needs: scikit-learn's wine data as a data frame, in about ten seconds.

    python examples/table.py

The study is kept in `wine.db` in the current folder. A second run trains nothing: it reads the answer.
"""

from sklearn.datasets import load_wine

import fewest

TARGET = 0.9


def main() -> None:
    """Search, print the answer, label rows."""
    frame = load_wine(as_frame=True).frame
    answer = fewest.search(
        frame,
        "target",
        targets=[TARGET],
        name="wine",
        storage="sqlite:///wine.db",
        trials=12,
        settings={"space.max_width": 16, "space.max_depth": 1, "budget.verification_seeds": 8},
    )
    print(answer)

    typical = answer[TARGET].typical
    if typical.interval is not None:
        low, high = typical.interval
        print(f"{TARGET:.0%} of the test samples right: typically {typical.neurons} neurons, {low} to {high}.")
    print("The first three wines are of the classes", *answer.predict(frame.head(3)))


if __name__ == "__main__":
    main()
