"""How many neurons does a network need to reach a given accuracy on a data set?

    answer = fewest.search(x, y, targets=[0.90, 0.95])
    answer[0.95].typical.neurons

The front door: the command line in `fewest.cli`, and the few names below for programs. Importing this package loads
neither TensorFlow nor Optuna. `fewest.search` is a function, and hides the room of that name: `from fewest.search.data
import tables` works, `fewest.search.data` does not.
"""

from typing import TYPE_CHECKING, Any

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import load
from fewest.storage.errors import FewestError, MisuseError, StorageError

from fewest.api.searching import search  # isort: skip  # after the room of that name, which it hides

if TYPE_CHECKING:
    from fewest.api.answer import StudyAnswer
    from fewest.api.classifier import FewestClassifier

__all__ = [
    "FewestClassifier",
    "FewestError",
    "MisuseError",
    "StorageError",
    "StudyAnswer",
    "StudyConfig",
    "__version__",
    "load",
    "search",
]

__version__ = "0.1.0"


if not TYPE_CHECKING:  # Type checkers would take any name for one that is there.

    def __getattr__(name: str) -> Any:
        """Load a class when it is first asked for: scikit-learn alone takes a second."""
        if name == "StudyAnswer":
            from fewest.api.answer import StudyAnswer

            return StudyAnswer
        if name == "FewestClassifier":
            from fewest.api.classifier import FewestClassifier

            return FewestClassifier
        raise AttributeError(f"module 'fewest' has no attribute {name!r}")
