"""A table in a file -> a data frame: CSV, TSV, ARFF and JSON lines, also compressed, Parquet and Feather.

Apache Arrow reads them, but for two (see `arff` and `json_lines`).

A CSV file says little of itself. Its separator and its encoding are found, and said where they are not the usual ones.
Its values stay text here, but for columns of nothing but numbers: what another column holds, only its training rows
decide (see `columns`).
"""

import contextlib
import csv
import io
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_LE
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from fewest.search.data.arff import read_arff
from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.json_lines import read_json_lines
from fewest.search.data.text_columns import MISSING, release_memory, trimmed
from fewest.search.settings.config import shown
from fewest.storage import extras

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "NUMBER",
    "TABLE_SUFFIXES",
    "Extent",
    "Table",
    "extent_of",
    "is_table",
    "n_rows",
    "read_table",
]

TEXT_SUFFIXES: Final = (".csv", ".tsv")

COMPRESSIONS: Final = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Suffixes of compressed text, and Arrow's names of the compressions."""

StayText: TypeAlias = Callable[[Sequence[str]], Collection[str | None]]
"""Chooses, of the names of a text's columns, those that stay text."""

TABLE_SUFFIXES: Final = (*TEXT_SUFFIXES, ".parquet", ".feather", ".arff", ".jsonl")

SEPARATORS: Final = ",;\t|"

NUMBER: Final = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
"""A finite number as text, with a decimal point."""

SAMPLE_BYTES: Final = 65_536
"""The beginning of a text, from which its format is found."""

BLOCK_BYTES: Final = 8 << 20
"""A text is read in pieces of this size, each by a thread."""

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls the column of an index without a name."""

_EXCEL_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)


class Table(NamedTuple):
    """A table as its file holds it.

    Attributes:
        frame: A column for each of the file's, a row for each of its rows; from text files, values are text or float64.
        notes: What was found of the file's format, where it is not the usual one; for the user.
    """

    frame: "pd.DataFrame"
    notes: tuple[str, ...]


class Extent(NamedTuple):
    """How much a table's file holds, from a short look: for text, rows and columns as its first lines suggest."""

    n_rows: int
    n_columns: int
    n_bytes: int


class _TextFormat(NamedTuple):
    """How a text holds a table: its encoding, its separator, and the lines above the names of columns."""

    encoding: str
    separator: str
    n_skipped: int

    def notes(self, path: Path) -> tuple[str, ...]:
        usual = "\t" if _suffix(path.name)[0] == ".tsv" else ","
        separator = "tabs" if self.separator == "\t" else shown(self.separator)
        found = [f"columns separated by {separator}"] if self.separator != usual else []
        found += [f"text in {self.encoding}"] if self.encoding != "utf8" else []
        return (f"Read {one_line(path.name)} with {', '.join(found)}.",) if found else ()


def is_table(name: str) -> bool:
    """Say whether a file's name is that of a table.

    >>> is_table("iris.csv"), is_table("IRIS.CSV.GZ"), is_table("iris.npz"), is_table("iris")
    (True, True, False, False)
    """
    return _suffix(name)[0] in TABLE_SUFFIXES


def read_table(path: Path, stay_text: StayText | None = None) -> Table:
    """Read a regular file as a table.

    Args:
        path: The file.
        stay_text: Chooses names of those columns of a CSV or TSV file that stay text even if they hold only numbers.
            Others of only numbers, and of text that stands for a missing one, are float64. None: all stay text.

    Raises:
        DataError: A package is missing, or the file is no such table, cannot be read, or does not fit into memory.
    """
    arrow = _arrow("pyarrow")
    suffix, compression = _suffix(path.name)
    try:
        if suffix in TEXT_SUFFIXES:
            found, notes = _read_text(path, suffix, compression, stay_text)
        elif suffix == ".arff":
            found, notes = _read_arff(path, compression), ()
        elif suffix == ".jsonl":
            with arrow.input_stream(str(path), compression=compression) as stream:
                found, notes = _plain(read_json_lines(io.BufferedReader(stream))), ()
        else:
            found, notes = _without_index(_plain(_arrow(f"pyarrow.{suffix[1:]}").read_table(str(path))))
        found = _named(found, path)
        # What pandas has written beside the columns would make names of other types, and columns into an index.
        # Each column is freed once it has been converted; by one thread, the next one takes its place.
        frame = found.to_pandas(
            ignore_metadata=True, date_as_object=False, split_blocks=True, self_destruct=True, use_threads=False
        )
        release_memory()
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
    suffix, compression = _suffix(path.name)
    n_lines = n_returns = 0
    with _readable(path):
        if suffix == ".parquet":
            return int(_arrow("pyarrow.parquet").ParquetFile(str(path)).metadata.num_rows)
        if suffix == ".feather":
            return int(_arrow("pyarrow.feather").read_table(str(path), memory_map=True).num_rows)
        with _arrow("pyarrow").input_stream(str(path), compression=compression) as stream:
            for chunk in iter(lambda: stream.read(1 << 20), b""):
                n_lines += chunk.count(b"\n")
                n_returns += 0 if n_lines else chunk.count(b"\r")  # Old Macs end lines with these alone.
    return max(0, (n_lines or n_returns) - 1)


def extent_of(path: Path) -> Extent:
    """Estimate how much a table holds without reading it; the text of a compressed one is counted.

    Raises:
        DataError: As for `read_table`.
    """
    suffix, compression = _suffix(path.name)
    with _readable(path):
        if suffix == ".parquet":
            about = _arrow("pyarrow.parquet").ParquetFile(str(path)).metadata
            groups = (about.row_group(index).total_byte_size for index in range(about.num_row_groups))
            return Extent(about.num_rows, max(1, about.num_columns), sum(groups))
        if suffix == ".feather":
            found = _arrow("pyarrow.feather").read_table(str(path), memory_map=True)
            return Extent(found.num_rows, max(1, found.num_columns), found.nbytes)
        with _arrow("pyarrow").input_stream(str(path), compression=compression) as stream:
            start = stream.read(SAMPLE_BYTES)
            rest = iter(lambda: len(stream.read(1 << 20)), 0)
            n_bytes = len(start) + sum(rest) if compression else path.stat().st_size
    lines = start.splitlines() or [b""]
    n_columns = 1 + max(lines[-2:][0].count(separator.encode()) for separator in SEPARATORS)
    return Extent(max(1, round(n_bytes * len(lines) / max(1, len(start)))), n_columns, n_bytes)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what Arrow says of a file that it cannot read into a DataError."""
    arrow = _arrow("pyarrow")
    try:
        yield
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


def _read_text(
    path: Path, suffix: str, compression: str | None, stay_text: StayText | None
) -> tuple[Any, tuple[str, ...]]:
    with _arrow("pyarrow").input_stream(str(path), compression=compression) as stream:
        start = stream.read(SAMPLE_BYTES)
    encoding = _encoding_of(start)
    if b"\0" in start and encoding != "utf16":
        raise DataError(f"{shown(path.name)} must be text, got other bytes. Is its suffix right?")
    lines = start.decode(encoding, "replace").removeprefix("\ufeff").splitlines()
    if not any(map(str.strip, lines)):
        raise DataError(f"{shown(path.name)} must hold a table, got an empty file.")
    text = _format_of(lines if len(start) < SAMPLE_BYTES else lines[:-1] or lines, encoding, suffix)
    try:
        found = _parse(path, text, compression, stay_text)
    except ValueError as error:
        if "UTF8" not in str(error) or encoding != "utf8":
            raise
        text = text._replace(encoding="cp1252")  # A byte after the sample is no UTF-8.
        found = _parse(path, text, compression, stay_text)
    _require_header(found.column_names, path)
    return found, (*text.notes(path), *_rows_in_values(found, text.separator, path))


def _rows_in_values(found: Any, separator: str, path: Path) -> tuple[str, ...]:
    """Say where a quotation mark without its partner may have made rows into the text of one value."""
    compute, n_found = _arrow("pyarrow.compute"), 0
    for column in found.columns:
        if any(b"\n" in buffer.to_pybytes() for chunk in column.chunks for buffer in chunk.buffers()[2:] if buffer):
            broken = column.filter(compute.match_substring(column, "\n")).to_pylist()
            n_found += sum(value.count(separator) >= max(1, found.num_columns - 1) for value in broken)
    if not n_found:
        return ()
    return (
        f"{n_found:,} value{'s' * (n_found > 1)} of {one_line(path.name)} may hold whole rows: line breaks, and as "
        "many separators as a row. Is a quotation mark missing there?",
    )


def _read_arff(path: Path, compression: str | None) -> Any:
    with _arrow("pyarrow").input_stream(str(path), compression=compression) as stream:
        content = io.BufferedReader(stream, SAMPLE_BYTES)
        encoding = _encoding_of(content.peek(SAMPLE_BYTES)[:SAMPLE_BYTES])
        return read_arff(io.TextIOWrapper(content, "utf-8-sig" if encoding == "utf8" else encoding))


def _plain(found: Any) -> Any:
    """Return a table without types that pandas would make into Python objects."""
    arrow = _arrow("pyarrow")
    for index, field in enumerate(found.schema):
        column, kind = found.column(index), field.type
        if arrow.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        elif arrow.types.is_decimal(kind):
            column = column.cast(arrow.float64())
        elif arrow.types.is_boolean(kind) and column.null_count:
            column = column.cast(arrow.int8())
        found = found.set_column(index, field.name, column)
    return found


def _parse(path: Path, text: _TextFormat, compression: str | None, stay_text: StayText | None) -> Any:
    """Read columns as text without blanks around it, and as numbers where all values are and may be so."""
    arrow, reader, compute = _arrow("pyarrow"), _arrow("pyarrow.csv"), _arrow("pyarrow.compute")
    reading = reader.ReadOptions(encoding=text.encoding, skip_rows=text.n_skipped, block_size=BLOCK_BYTES)
    parsing = reader.ParseOptions(delimiter=text.separator, newlines_in_values=True)

    def opened() -> Any:
        return arrow.input_stream(str(path), compression=compression)

    def read(numbers: Collection[str]) -> Any:
        types = {name: arrow.float64() if name in numbers else arrow.string() for name in names}
        converting = reader.ConvertOptions(column_types=types, null_values=MISSING)
        with opened() as stream:
            found = reader.read_csv(stream, read_options=reading, parse_options=parsing, convert_options=converting)
        if any(compute.any(compute.is_nan(column)).as_py() for column in found.columns if _is_number(column.type)):
            raise arrow.ArrowInvalid("Some text may be a missing number or another value.")
        columns = [column if _is_number(column.type) else trimmed(column) for column in found.columns]
        return arrow.table(columns, found.column_names)

    converting = reader.ConvertOptions(null_values=MISSING)
    # A closed reader of a file may go on reading ahead from whatever file has its number next: this one has bytes.
    with (
        opened() as stream,
        reader.open_csv(arrow.BufferReader(stream.read(BLOCK_BYTES + 1)), reading, parsing, converting) as head,
    ):
        names, numbers = head.schema.names, {field.name for field in head.schema if _is_number(field.type)}
        used = [
            field.name.strip() for field in head.schema if field.name.strip() or not arrow.types.is_null(field.type)
        ]
    if stay_text is not None:
        texts = stay_text(used)
        with contextlib.suppress(arrow.ArrowInvalid):  # Text is read where a later value is no number.
            return read({name for name in numbers if name.strip() not in texts})
    return read(())


def _is_number(kind: Any) -> bool:
    types = _arrow("pyarrow").types
    return bool(types.is_floating(kind) or types.is_integer(kind))


def _format_of(lines: Sequence[str], encoding: str, suffix: str) -> _TextFormat:
    """Find the separator: with it most lines have as many values as there are names, and there are most of these."""
    n_blank = next(index for index, line in enumerate(lines) if line.strip())
    if named := _EXCEL_SEPARATOR.fullmatch(lines[n_blank]):
        return _TextFormat(encoding, named[1], n_blank + 1)
    if suffix == ".tsv":
        return _TextFormat(encoding, "\t", n_blank)
    sample = [line for line in lines[n_blank : n_blank + 200] if line.strip()]
    return _TextFormat(encoding, max(SEPARATORS, key=lambda separator: _fit(sample, separator)), n_blank)


def _fit(lines: Sequence[str], separator: str) -> tuple[float, int, int]:
    """Return how well a separator fits: the share of lines like the first, the values in it, the numbers in all."""
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return 0.0, 0, 0
    n_names = len(rows[0])
    if n_names == 1:
        return 0.0, 0, 0
    n_numbers = sum(bool(re.fullmatch(NUMBER, value.strip().replace(",", "."))) for row in rows[1:] for value in row)
    return sum(len(row) == n_names for row in rows) / len(rows), n_names, n_numbers


def _encoding_of(start: bytes) -> str:
    if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) and not start.startswith(BOM_UTF32_LE):
        return "utf16"
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        cut = len(start) == SAMPLE_BYTES and error.start > len(start) - 4  # a character cut by the sample's end
        return "utf8" if cut else "cp1252"
    return "utf8"


def _require_header(names: Sequence[str], path: Path) -> None:
    """Refuse a first line of values, which would be taken for names; pandas and NumPy may count columns from 0."""
    names = [name.strip() for name in names]
    numbers = [name for name in names if re.fullmatch(NUMBER, name)]
    if numbers and numbers != [str(index) for index in range(len(names))][: len(numbers)]:
        raise DataError(
            f"The first line of {shown(path.name)} must name its columns, got values: {listed(names, 4)}. "
            "Write a line of names above it."
        )


def _without_index(found: Any) -> tuple[Any, tuple[str, ...]]:
    """Leave out the index that pandas wrote; a row's old place may tell its class, and new rows do not have it."""
    kept = [name for name in found.column_names if not _UNNAMED_INDEX.fullmatch(name)]
    if not kept or len(kept) == len(found.column_names):
        return found, ()
    return found.select(kept), ("Left out the index that pandas wrote, a column without a name.",)


def _named(found: Any, path: Path) -> Any:
    """Return the table without columns that have neither a name nor a value; refuse what is no table."""
    if found.num_rows == 0:
        raise DataError(f"{shown(path.name)} must hold rows, got only the names of its columns.")
    names = [name.strip() for name in found.column_names]
    kept = [index for index, name in enumerate(names) if name or not _is_empty(found.column(index))]
    found = found.rename_columns(names).select(kept)
    names = [names[index] for index in kept]
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(f"The columns of {shown(path.name)} must have names of their own, got {listed(twice)} twice.")
    return found


def _is_empty(column: Any) -> bool:
    """Say whether a column has no value."""
    compute, is_text = _arrow("pyarrow.compute"), _arrow("pyarrow").types.is_string(column.type)
    return bool(column.null_count == len(column) or (is_text and compute.all(compute.equal(column, "")).as_py()))


def _words(error: BaseException) -> str:
    """Return Arrow's reason in one line, without the text of a row."""
    words = re.sub(r"^(CSV parse error|Could not open Parquet input source '.*?'): ", "", reason(error))
    return words.split(": ", 1)[0][:200]
