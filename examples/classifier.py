"""Let a scikit-learn classifier find its own size, within a pipeline: breast cancer data, in about ten seconds.

python examples/classifier.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewest import FewestClassifier


def main() -> None:
    """Fit a pipeline, print the size found and the score on samples that it has not seen."""
    x, y = load_breast_cancer(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0, stratify=y)
    classifier = FewestClassifier(target=0.9, trials=12, max_depth=1, verification_seeds=8, random_state=0)
    pipeline = make_pipeline(StandardScaler(), classifier).fit(x_train, y_train)

    size = classifier.n_neurons_
    print(f"Typically {size} hidden neurons reach {classifier.target:.0%}: {classifier.answer_.typical}")
    print(f"{pipeline.score(x_test, y_test):.1%} of other samples are labelled right.")


if __name__ == "__main__":
    main()
