"""How many neurons does a network need to reach a given accuracy on a data set?

The front door: the command line in `fewest.cli`, and the few names below for programs. Importing this
package loads neither TensorFlow nor Optuna.
"""

from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import load
from fewest.storage.errors import FewestError, MisuseError, StorageError

__all__ = ["FewestError", "MisuseError", "StorageError", "StudyConfig", "__version__", "load"]

__version__ = "0.1.0"
