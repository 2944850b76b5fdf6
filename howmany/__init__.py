"""How many neurons does a network need to reach a given accuracy on a data set?

The front door: the command line in `howmany.cli`, and the few names below for programs. Importing this
package loads neither TensorFlow nor Optuna.
"""

from search.config import StudyConfig, load
from storage.errors import HowmanyError, MisuseError, StorageError

__all__ = ["HowmanyError", "MisuseError", "StorageError", "StudyConfig", "__version__", "load"]

__version__ = "0.1.0"
