"""The command line. Results go to stdout, progress and errors to stderr.

Exit status: 0 success, 1 failure, 2 misuse, 130 interrupted, 141 the reader of a pipe left. Only the commands that
train or serve import TensorFlow and Optuna. The other commands start at once.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from fewest import __version__
from fewest.command_line.networks import export, predict
from fewest.command_line.reading import answer, backup, compare, figures, report, studies, watch
from fewest.command_line.serving import dashboard
from fewest.command_line.training import cluster, init, resume, run, submit, verify, worker
from fewest.ending import Program, discard_results, ending_of, prepare_streams, tell

if TYPE_CHECKING:
    from fewest.job import Manner

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, manner: "Manner | None" = None) -> None:
    """Run a command and exit. An error that a user can mend is one line; a bug keeps its traceback.

    Args:
        arguments: Words typed in a shell after the program's name; None takes those of this process.
        manner: Defaults of the commands that train, which their options override; None takes the usual ones.
    """
    prepare_streams()
    try:
        cli.main(arguments, prog_name="fewest", standalone_mode=False, obj=manner)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:
        ending = ending_of(error)
        if ending is None:
            raise
        status, said = ending
        discard_results(error)
        tell(said)
        sys.exit(status)


@click.group(
    cls=Program,
    commands=[
        *(init, run, submit, resume, verify, worker, cluster),
        *(studies, answer, compare, watch, report, figures, backup),
        *(export, predict),
        dashboard,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
def cli() -> None:
    """How many neurons does a network need to reach a given accuracy on a data set?

    Example: fewest run digits
    """


if __name__ == "__main__":
    main()
