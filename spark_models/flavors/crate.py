"""R functions, as R's `carrier::crate` makes them: scored by one R process, which lives as long as the loaded model.

The process is `Rscript crate.R`; it needs R alone. What goes over its pipes is binary and little-endian, so every
double arrives as it was. Texts end with a zero byte; numbers are int32.

| message | what it is made of |
| --- | --- |
| request | columns, rows, names, then each column |
| column | kind, values; in answers kind, length, values; texts stand behind one number each, 1 where missing |
| answer | 0 and a value, or 1 and the text of R's error |
| value | form, then what the form has: see `_Answers.value` |
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import threading
import weakref
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from spark_models.errors import (
    InvalidPackageError,
    MissingProgramError,
    RProcessEndedError,
    UnsupportedInputError,
)
from spark_models.flavors.base import Capabilities
from spark_models.package.layout import CRATE
from spark_models.package.reader import open_package

FLAVOR = CRATE
CAPABILITIES = Capabilities(inputs=("dataframe",), split_invariant=False)

RSCRIPT_VARIABLE = "SPARK_MODELS_RSCRIPT"
"""The environment variable that names the Rscript to use, where it is not the one on the PATH."""

DOUBLE, INTEGER, LOGICAL, TEXT, INSTANT, DATE, LIST = range(1, 8)
_MISSING = -(2**31)
_EXACT = 2**53
_SCRIPT = Path(__file__).with_name("crate.R")


class RError(RuntimeError):
    """The R function failed; the text is R's own."""


def _load_pyfunc(path: str) -> CratePredictor:
    """The predictor of the package at `path`."""
    package = open_package(path)
    return CratePredictor(package.path(package.flavor(FLAVOR).get("model", "crate.bin")))


class CratePredictor:
    """An R function behind one process, which is started again by the next call where it has ended."""

    keeps_input = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._process = RProcess(path)

    def predict(self, data: Any) -> Any:
        """What the function gives for a table: a DataFrame, array, list, dict or one value.

        Raises:
            RError: the function failed.
            RProcessEndedError: [R_ENDED] its process ended meanwhile.
            UnsupportedInputError: [UNSUPPORTED_INPUT] R has no form for a column.
        """
        request = encode_frame(as_table(data))
        with self._lock:
            if not self._process.alive:
                self._process = RProcess(self._path)
            return self._process.ask(request)


class RProcess:
    """An R process that holds a function."""

    def __init__(self, path: Path) -> None:
        reader, writer = os.pipe()
        self._popen = subprocess.Popen(
            [find_rscript(), "--no-init-file", str(_SCRIPT), str(path), str(writer)],
            stdin=subprocess.PIPE,
            # What a function prints must not be mixed with anything: it goes where warnings go.
            stdout=2,
            pass_fds=(writer,),
        )
        os.close(writer)
        answers = os.fdopen(reader, "rb")
        # Also where nobody ends it: at the end of its input R ends by itself.
        self._end = weakref.finalize(self, _end, self._popen, answers)
        self._answers = _Answers(answers)
        try:
            self._receive()
        except RError as error:
            self._end()
            raise InvalidPackageError(str(path), f"R can't load its function: {error}") from error

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._end.alive and self._popen.poll() is None

    def ask(self, request: bytes) -> Any:
        """The value of the function for an encoded table.

        Raises:
            RError: the function failed.
            RProcessEndedError: [R_ENDED] the process ended.
        """
        stream = self._popen.stdin
        # Where it has ended, the end of its answers tells so.
        with contextlib.suppress(BrokenPipeError):
            if stream is not None:
                stream.write(request)
                stream.flush()
        return self._receive()

    def _receive(self) -> Any:
        try:
            failed = self._answers.number() != 0
            value = self._answers.text() if failed else self._answers.value()
        except BaseException as error:
            # An answer that was not read whole, as after an interrupt, would be taken for the next one.
            self._end()
            if isinstance(error, EOFError):
                raise RProcessEndedError(_ending(self._popen.returncode)) from error
            raise
        if failed:
            raise RError(value)
        return value


def find_rscript() -> str:
    """The path of Rscript.

    Raises:
        MissingProgramError: [MISSING_PROGRAM] there is none.
    """
    found = shutil.which(os.environ.get(RSCRIPT_VARIABLE) or "Rscript")
    if found is None:
        advice = f"install R (Debian: apt-get install r-base-core), or name its Rscript in {RSCRIPT_VARIABLE}"
        raise MissingProgramError("Rscript", "Scoring an R function", advice)
    return found


def _end(popen: subprocess.Popen[bytes], answers: BinaryIO) -> None:
    answers.close()
    if popen.stdin is not None:
        with contextlib.suppress(OSError):
            popen.stdin.close()
    try:
        popen.wait(1)
    except subprocess.TimeoutExpired:
        popen.kill()
        popen.wait()


def _ending(status: int) -> str:
    if status >= 0:
        return f"with status {status}"
    try:
        return f"by {signal.Signals(-status).name}"
    except ValueError:
        return f"by signal {-status}"


def as_table(data: Any) -> pd.DataFrame:
    """The model's input as the data frame that R gets; columns without names are V1, V2, … as in R.

    Raises:
        UnsupportedInputError: [UNSUPPORTED_INPUT] it is no table.
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data, columns=[f"V{at}" for at in range(1, data.shape[1] + 1)])
    if isinstance(data, dict) and all(np.ndim(value) == 1 for value in data.values()):
        return pd.DataFrame(data)
    raise UnsupportedInputError(type(data).__name__, "a table: R functions take a data frame")


def encode_frame(frame: pd.DataFrame) -> bytes:
    """A request: the table in the form that crate.R reads.

    | column | in R |
    | --- | --- |
    | boolean | logical |
    | integers of up to 32 bits | integer |
    | longer integers | double, where that is exact |
    | float | double; NaN is NA |
    | text | character |
    | datetime | POSIXct in UTC |
    | date | Date |

    Raises:
        UnsupportedInputError: [UNSUPPORTED_INPUT] a column of another kind, or of integers that no double holds.
    """
    names = [str(name) for name in frame.columns]
    parts = [_numbers(len(names), len(frame)), *(_text(name, f"the name of column {name!r}") for name in names)]
    for at, name in enumerate(names):
        parts += _encode_column(frame.iloc[:, at], name)
    return b"".join(parts)


def _numbers(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}i", *numbers)


def _text(text: str, place: str) -> bytes:
    if "\0" in text:
        raise UnsupportedInputError(f"a zero byte in {place}", "text without: R ends a text there")
    return text.encode("utf-8", "replace") + b"\0"


def _encode_column(column: pd.Series[Any], name: str) -> list[bytes]:
    dtype = column.dtype
    missing = column.isna().to_numpy()
    if isinstance(dtype, pd.CategoricalDtype):
        return _encode_column(column.astype(dtype.categories.dtype), name)
    if pd.api.types.is_bool_dtype(dtype):
        return _integers(LOGICAL, column, missing)
    if pd.api.types.is_integer_dtype(dtype):
        return _encode_integers(column, missing, name)
    if pd.api.types.is_float_dtype(dtype):
        return [_numbers(DOUBLE), column.to_numpy("<f8", na_value=np.nan).tobytes()]
    if pd.api.types.is_datetime64_any_dtype(dtype):
        instants = column.dt.tz_convert(None) if getattr(dtype, "tz", None) is not None else column
        micros = instants.to_numpy("datetime64[us]").astype("int64")
        return [_numbers(INSTANT), np.where(missing, np.nan, micros / 1e6).astype("<f8").tobytes()]
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("string", "empty"):
        texts = [b"\0" if gone else _text(text, f"column {name!r}") for text, gone in zip(column, missing, strict=True)]
        return [_numbers(TEXT), missing.astype("<i4").tobytes(), *texts]
    if kind == "boolean":
        return _integers(LOGICAL, column.astype("boolean"), missing)
    if kind == "date":
        days = pd.to_datetime(column).to_numpy("datetime64[D]").astype("int64")
        return [_numbers(DATE), np.where(missing, np.nan, days).astype("<f8").tobytes()]
    raise UnsupportedInputError(f"column {name!r} of {kind} values", "numbers, booleans, text, dates or instants for R")


def _integers(kind: int, column: pd.Series[Any], missing: Any) -> list[bytes]:
    values = column.to_numpy("int64", na_value=0) if missing.any() else column.to_numpy("int64")
    return [_numbers(kind), np.where(missing, _MISSING, values).astype("<i4").tobytes()]


def _encode_integers(column: pd.Series[Any], missing: Any, name: str) -> list[bytes]:
    is_short = np.iinfo(getattr(column.dtype, "numpy_dtype", column.dtype)).max < 2**31
    # R's least integer is its NA.
    if is_short and not (~missing & (column == _MISSING).to_numpy(bool, na_value=False)).any():
        return _integers(INTEGER, column, missing)
    values = column.to_numpy(dtype=object)
    if any(abs(int(value)) > _EXACT for value, gone in zip(values, missing, strict=True) if not gone):
        raise UnsupportedInputError(f"column {name!r} of integers beyond 2**53", "smaller ones: R has no such integers")
    return [_numbers(DOUBLE), column.to_numpy("<f8", na_value=np.nan).tobytes()]


class _Answers:
    """Reads what crate.R writes. Raises EOFError where it ends."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def _bytes(self, count: int) -> bytes:
        found = self._stream.read(count)
        if len(found) < count:
            raise EOFError
        return found

    def number(self) -> int:
        return int.from_bytes(self._bytes(4), "little", signed=True)

    def text(self) -> str:
        found = bytearray()
        while (byte := self._bytes(1)) != b"\0":
            found += byte
        return found.decode("utf-8", "replace")

    def value(self, *, in_list: bool = False) -> Any:
        """The value that comes next; in a list a vector of length 1 is a scalar, of which R has none.

        | form | what follows | here |
        | --- | --- | --- |
        | 0 NULL | | None |
        | 1 data.frame | columns, rows, names, each column | DataFrame |
        | 2 matrix | columns, rows, 1 and names or 0, one column | DataFrame; without names array |
        | 3 vector | a column | array; of texts list |
        | 4 list | length, 1 and names or 0, each value | dict; without names list |
        """
        form = self.number()
        if form == 0:
            return None
        if form == 3:
            column = self.column()
            return _first(column) if in_list and len(column) == 1 else _output(column)
        count = self.number()
        if form == 4:
            names = self._names(count)
            values = [self.value(in_list=True) for _ in range(count)]
            return values if names is None else dict(zip(names, values, strict=True))
        rows = self.number()
        if form == 2:
            names = self._names(count)
            cells = np.asarray(self.column()).reshape((count, rows)).T
            return cells if names is None else pd.DataFrame(cells, columns=names)
        names = [self.text() for _ in range(count)]
        columns = {at: self.column() for at in range(count)}
        frame = pd.DataFrame(columns, index=range(rows))
        frame.columns = pd.Index(names, dtype=object)
        return frame

    def _names(self, count: int) -> list[str] | None:
        return [self.text() for _ in range(count)] if self.number() != 0 else None

    def column(self) -> Any:
        """A column: an array, or a pandas array where integers or booleans are missing."""
        kind, length = self.number(), self.number()
        if kind == LIST:
            return _objects([self.value(in_list=True) for _ in range(length)])
        if kind == TEXT:
            missing = np.frombuffer(self._bytes(4 * length), "<i4")
            return _objects([None if gone else found for gone, found in ((gone, self.text()) for gone in missing)])
        if kind in (INTEGER, LOGICAL):
            values = np.frombuffer(self._bytes(4 * length), "<i4").astype("int32")
            missing = values == _MISSING
            if missing.any():
                plain = values.astype(object) if kind == INTEGER else (values != 0).astype(object)
                plain[missing] = None
                return pd.array(plain, "Int32" if kind == INTEGER else "boolean")
            return values if kind == INTEGER else values.astype(bool)
        numbers = np.frombuffer(self._bytes(8 * length), "<f8").astype("float64")
        if kind == DOUBLE:
            return numbers
        unit, scale = ("D", 1) if kind == DATE else ("us", 1_000_000)
        whole = np.where(np.isnan(numbers), np.iinfo("int64").min, np.round(np.nan_to_num(numbers) * scale))
        instants = whole.astype("int64").astype(f"datetime64[{unit}]")
        if kind == DATE:
            return _objects([None if np.isnat(day) else day.item() for day in instants])
        return instants.astype("datetime64[ns]")


def _objects(values: list[Any]) -> Any:
    # numpy would make a matrix of lists that are of one length.
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _output(column: Any) -> Any:
    """A vector as a model's output: an array, or a list where numpy has no type for it."""
    return column if isinstance(column, np.ndarray) and column.dtype != object else list(column)


def _first(column: Any) -> Any:
    value = column[0]
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
