"""Ask how many neurons images need: scikit-learn's digits as arrays, with test images of their own, in half a minute.

    python examples/images.py

Writes the network that answers as `digits.keras`, and everything that was found as `digits.html`.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fewest

TARGET = 0.9


def main() -> None:
    """Search, draw, keep the network."""
    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images.astype(np.uint8), digits.target, test_size=0.2, random_state=0, stratify=digits.target
    )
    answer = fewest.search(
        x_train,
        y_train,
        test=(x_test, y_test),
        targets=[TARGET],
        trials=24,
        settings={"space.max_depth": 1, "space.max_width": 32, "budget.verification_seeds": 8},
    )
    print(answer)
    answer.report("digits.html")

    model = answer.model(TARGET, depth=1)
    model.save("digits.keras")
    right = (model.predict(x_test, verbose=0).argmax(axis=1) == y_test).mean()
    print(f"One hidden layer of {model.layers[-2].units} neurons labels {right:.1%} of the test images right.")


if __name__ == "__main__":
    main()
