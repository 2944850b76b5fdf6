"""The command `fewest predict`: label the rows of another table with a network of a study."""

import io
from pathlib import Path

import numpy as np

from fewest.dashboards.console import err, say
from fewest.export_command import Request
from fewest.quiet import quiet_libraries
from fewest.search.settings.config import shown
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import require_output, write_whole

__all__ = ["predict_rows"]


def predict_rows(request: Request, rows: str, output: Path) -> None:
    """Write a table's rows as CSV, with the label that a network gives to each, and its probability.

    Args:
        request: The network; without a target and a trial, the answer to the study's highest target.
        rows: Path of a table with the columns of the study's, in any order; more columns do not matter.
        output: File to write.

    Raises:
        MisuseError: The output cannot be written, the study is not on a table, or as for `Request`.
        DataError: The rows cannot be what the network takes.
    """
    require_output(output)
    known, choice = request.chosen()
    quiet_libraries()
    from fewest.search.data.datasets import regular_file
    from fewest.search.data.scaling import standardised
    from fewest.search.data.tables import TABLE_SUFFIXES, is_table, read_table

    if not known.ours.data.columns:
        others = known.ours.data.name
        raise MisuseError(
            f"`fewest predict` labels tables, and study '{request.name}' is on {others}. Export its network."
        )
    if not Path(rows).expanduser().exists():
        raise MisuseError(f"The rows to label must be a table, and there is no file {shown(rows)}.")
    path = regular_file(rows)
    if not is_table(path.name):
        raise MisuseError(f"The rows to label must be a table ({', '.join(TABLE_SUFFIXES)}), got {shown(rows)}.")
    frame = read_table(path).frame
    (network, _), data, _ = request.had(known, choice)
    assert data.table is not None  # Its fingerprint is that of the table.
    probabilities = network.predict(standardised(data.table.prepare(frame, path.name), data, path.name), verbose=0)
    labels = np.array(data.table.classes)[probabilities.argmax(1)]
    told = frame.assign(**{f"predicted {data.table.label}": labels, "probability": probabilities.max(1).round(4)})
    text = io.StringIO()
    told.to_csv(text, index=False)
    write_whole(output, text.getvalue().encode())
    say(err(), f"{choice.words}: {len(frame):,} rows labelled.")
