"""What must be done to a data set's numbers before an exported file takes them, in a file beside it.

Files compute in float32. A feature of which float32 keeps too little is standardised when data are loaded (see
`search.data.scaling`), so whoever runs the file does the same. `NAME.inputs.json` holds two numbers for each feature:

    inputs = json.loads(Path("small.onnx.inputs.json").read_text())
    sample = ((x - np.array(inputs["shift"])) / np.array(inputs["divisor"])).astype(np.float32)

For a table it also says how `x` follows from a row: `columns` has a rule for each input, see `samples.InputRule`, and
`classes` the label of each output. For arrays that the loader did not change there is no such file.
"""

import json
from pathlib import Path

import numpy as np

from fewest.search.data.samples import SearchData
from fewest.search.data.text_columns import MISSING
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import is_stream, write_whole

__all__ = ["beside", "require_place", "write_inputs"]

ABOUT = (
    "The file takes float32 samples (x - shift) / divisor, where x is a sample as the data set holds it. Compute that "
    "in float64, or in a longer type where x has more than 53 bits, and convert the result. The file itself then "
    "multiplies by scale and adds offset."
)


ABOUT_COLUMNS = (
    "x has a number for each entry of columns, computed from a row of the table. kind 'number': the column's value, 1 "
    "for yes and 0 for no; 'date': its seconds since 1970 in UTC; in both, value replaces a missing one. 'missing': 1 "
    "where the column has no value, else 0. 'category': 1 where the column's value is value, else 0; null stands for a "
    "missing one. Blanks around a value do not count, and one of missing_values is a missing value. classes has the "
    "label of each output."
)


def beside(path: Path, data: SearchData) -> Path | None:
    """Name the file that goes with an exported one; None where it takes the numbers of the data as they are."""
    if data.table is None and not (np.any(np.asarray(data.shift) != 0) or np.any(np.asarray(data.divisor) != 1)):
        return None
    return path.with_name(f"{path.name}.inputs.json")


def require_place(path: Path, data: SearchData) -> None:
    """Refuse an output that nothing can lie beside, where something has to.

    Raises:
        MisuseError: It is a pipe, a device or stdout.
    """
    if beside(path, data) is not None and is_stream(path):
        raise MisuseError(
            f"'{path}' must be a regular file: {data.name} is standardised when it is loaded, and what that takes is "
            "written beside the network. Name a file with `--output`."
        )


def write_inputs(path: Path, data: SearchData) -> None:
    """Write the file that goes with an exported one; take away an older one where none goes with it.

    Raises:
        OSError: It cannot be written.
    """
    target = beside(path, data)
    if target is not None:
        values = {name: np.asarray(getattr(data, name)).tolist() for name in ("shift", "divisor", "scale", "offset")}
        about = {"about": ABOUT, "input_shape": data.input_shape, **values}
        if data.table is not None:
            columns = [rule._asdict() for rule in data.table.rules]
            about |= {"about_columns": ABOUT_COLUMNS, "columns": columns, "missing_values": MISSING}
            about["classes"] = data.table.classes
        write_whole(target, json.dumps(about, ensure_ascii=False).encode())
    elif not is_stream(path):
        path.with_name(f"{path.name}.inputs.json").unlink(missing_ok=True)
