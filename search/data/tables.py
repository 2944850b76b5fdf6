"""A table in a file -> a data frame: CSV and TSV, also compressed, Parquet and Feather. Apache Arrow reads them all.

A CSV file says little of itself: its separator, its decimal mark and its encoding are found, and said where they are
not the usual ones.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.settings.config import shown
from fewest.storage import extras

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TABLE_SUFFIXES", "Table", "is_table", "n_rows", "read_table"]

TEXT_SUFFIXES: Final = (".csv", ".tsv")

COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Suffixes of compressed text, and Arrow's names of the compressions."""

TABLE_SUFFIXES: Final = (*TEXT_SUFFIXES, ".parquet", ".feather")

SEPARATORS: Final = ",;\t|"

SAMPLE_BYTES: Final = 65_536
"""The beginning of a text, from which its format is found."""

SAMPLE_LINES: Final = 200
"""Lines at the beginning of a text whose values are looked at."""

MISSING: Final = ("", "?", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "-")
"""What stands for a missing value in text."""

_WHOLE = re.compile(r"[+-]?\d+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_DECIMAL_POINT = re.compile(r"[+-]?\d+\.\d+")


class Table(NamedTuple):
    """A table as its file holds it.

    Attributes:
        frame: A column for each of the file's, a row for each of its rows.
        notes: What was found of the file's format, where it is not the usual one; for the user.
    """

    frame: "pd.DataFrame"
    notes: tuple[str, ...]


class _TextFormat(NamedTuple):
    encoding: str
    separator: str
    decimal: str

    def notes(self, name: str) -> tuple[str, ...]:
        found = [
            f"columns separated by {'tabs' if self.separator == chr(9) else repr(self.separator)}"
            if self.separator != ("\t" if ".tsv" in name else ",")
            else "",
            "decimal commas" if self.decimal == "," else "",
            f"text in {self.encoding}" if self.encoding != "utf8" else "",
        ]
        words = ", ".join(word for word in found if word)
        return (f"Read {one_line(name)} with {words}.",) if words else ()


def is_table(name: str) -> bool:
    """Say whether a file's name is that of a table.

    >>> is_table("iris.csv"), is_table("IRIS.CSV.GZ"), is_table("iris.npz"), is_table("iris")
    (True, True, False, False)
    """
    return _suffix(name)[0] in TABLE_SUFFIXES


def read_table(path: Path) -> Table:
    """Read a regular file as a table.

    Raises:
        DataError: A package is missing, or the file is no such table, cannot be read, or does not fit into memory.
    """
    arrow = _arrow("pyarrow")
    suffix, compression = _suffix(path.name)
    try:
        if suffix in TEXT_SUFFIXES:
            found, notes = _read_text(path, suffix, compression)
        else:
            found, notes = _arrow(f"pyarrow.{suffix[1:]}").read_table(str(path)), ()
        _require_columns(found.column_names, path)
        if found.num_rows == 0:
            raise DataError(f"{shown(path.name)} must hold rows, got only the names of its columns.")
        frame = found.to_pandas()
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{shown(str(path))} does not fit into memory ({reason(error)}).") from error
    except (arrow.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise DataError(f"{shown(str(path))} cannot be read as a table: {_words(error)}.") from error
    return Table(frame, notes)


def n_rows(path: Path) -> int:
    """Count a table's rows without converting them: for text about as many, since a value may have line breaks.

    Raises:
        DataError: As for `read_table`.
    """
    arrow = _arrow("pyarrow")
    suffix, compression = _suffix(path.name)
    try:
        if suffix == ".parquet":
            return int(_arrow("pyarrow.parquet").ParquetFile(str(path)).metadata.num_rows)
        if suffix == ".feather":
            return int(_arrow("pyarrow.feather").read_table(str(path)).num_rows)
        with arrow.input_stream(str(path), compression=compression) as stream:
            lines: int = sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b""))
        return max(0, lines - 1)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{shown(str(path))} cannot be read as a table: {_words(error)}.") from error


def _suffix(name: str) -> tuple[str, str | None]:
    """Return a file's suffix in lower case, and its compression."""
    path = Path(name.lower())
    compression = COMPRESSIONS.get(path.suffix)
    return (Path(path.stem).suffix, compression) if compression else (path.suffix, None)


def _arrow(module: str) -> ModuleType:
    for package in ("pandas", module):
        found = extras.load(package, "tables", DataError, what="Reading a table")
    return found


def _read_text(path: Path, suffix: str, compression: str | None) -> tuple[Any, tuple[str, ...]]:
    arrow = _arrow("pyarrow")
    with arrow.input_stream(str(path), compression=compression) as stream:
        start = stream.read(SAMPLE_BYTES)
    encoding = _encoding_of(start)
    if b"\0" in start and encoding != "utf16":
        raise DataError(f"{shown(path.name)} must be text, got other bytes. Is its suffix right?")
    lines = start.decode(encoding, "replace").removeprefix("\ufeff").splitlines()[:SAMPLE_LINES]
    if not any(map(str.strip, lines)):
        raise DataError(f"{shown(path.name)} must hold a table, got an empty file.")
    text = _format_of(lines, encoding, suffix)
    found = _parse(path, text, compression)
    if text.encoding == "utf8" and any(map(arrow.types.is_binary, found.schema.types)):
        # A byte after the sample is no UTF-8, so Arrow left its column undecoded.
        text = text._replace(encoding="cp1252")
        found = _parse(path, text, compression)
    return found, text.notes(path.name)


def _parse(path: Path, text: _TextFormat, compression: str | None) -> Any:
    arrow, csv = _arrow("pyarrow"), _arrow("pyarrow.csv")
    with arrow.input_stream(str(path), compression=compression) as stream:
        return csv.read_csv(
            stream,
            read_options=csv.ReadOptions(encoding=text.encoding),
            parse_options=csv.ParseOptions(delimiter=text.separator, newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                decimal_point=text.decimal, null_values=MISSING, strings_can_be_null=True
            ),
        )


def _format_of(lines: Sequence[str], encoding: str, suffix: str) -> _TextFormat:
    separator = "\t" if suffix == ".tsv" else max(SEPARATORS, key=lines[0].count)
    values = [value.strip(' "') for line in lines[1:] for value in line.split(separator)]
    commas = separator != "," and any(map(_DECIMAL_COMMA.fullmatch, values))
    decimal = "," if commas and not any(map(_DECIMAL_POINT.fullmatch, values)) else "."
    return _TextFormat(encoding, separator, decimal)


def _encoding_of(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf16"
    try:
        start[:-4].decode("utf-8") if len(start) == SAMPLE_BYTES else start.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = len(start) == SAMPLE_BYTES and error.start >= len(start) - 8  # a character cut by the sample's end
        return "utf8" if cut else "cp1252"
    return "utf8"


def _require_columns(names: list[str], path: Path) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise DataError(f"The columns of {shown(path.name)} must have names of their own, got {listed(twice)} twice.")
    if len(names) < 2:
        raise DataError(
            f"{shown(path.name)} must have a column of labels and at least one other, got only {listed(names)!r}."
        )
    if all(_WHOLE.fullmatch(name) or _DECIMAL_POINT.fullmatch(name) for name in names):
        raise DataError(
            f"The first line of {shown(path.name)} must name its columns, got numbers: {listed(names, 4)}. "
            "Write a line of names above it."
        )


def _words(error: BaseException) -> str:
    """Return Arrow's reason in one line, without the text of a row."""
    return reason(error).removeprefix("CSV parse error: ").split(": ", 1)[0][:200]
