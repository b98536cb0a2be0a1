"""Estimators of scikit-learn's kind as files: by pickle, cloudpickle or joblib, or by skops, which runs no code."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidArgumentError, listed
from spark_models.flavors.base import Format
from spark_models.flavors.native import library

FORMAT_PICKLE = "pickle"
FORMAT_CLOUDPICKLE = "cloudpickle"
FORMAT_JOBLIB = "joblib"
FORMAT_SKOPS = "skops"
UNPICKLES = "unpickles the estimator"
ESTIMATOR_FORMATS = (Format(FORMAT_CLOUDPICKLE, UNPICKLES), Format(FORMAT_PICKLE, UNPICKLES), Format(FORMAT_SKOPS))


def dump_estimator(estimator: Any, file: Path, form: str) -> None:
    """Writes an estimator in one of the formats."""
    if form == FORMAT_SKOPS:
        library("skops.io", "skops", "Saving by skops").dump(estimator, file)
        return
    pickler: Any = pickle if form == FORMAT_PICKLE else library(form)
    with open(file, "wb") as stream:
        pickler.dump(estimator, stream)


def check_trusted(file: Path, trusted: Sequence[str]) -> None:
    """Raises unless skops builds the file of its own types and the trusted ones alone.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] there are others; the advice names them.
    """
    found = library("skops.io", "skops", "Saving by skops").get_untrusted_types(file=file)
    unknown = sorted(set(found) - set(trusted))
    if unknown != []:
        raise InvalidArgumentError(
            f"skops does not know the types {listed(unknown)}",
            f"look at each of them, then give skops_trusted_types={unknown}",
        )


def load_estimator(file: Path, form: str, trusted: Sequence[str] = ()) -> Any:
    """The estimator of a file; by joblib with its arrays in the file's pages."""
    if form == FORMAT_SKOPS:
        return library("skops.io", "skops").load(file, trusted=list(trusted))
    if form == FORMAT_JOBLIB:
        return _load_mapped(file)
    with open(file, "rb") as stream:
        return pickle.load(stream)  # noqa: S301 - the flavor's format; `allow_code=False` refuses it before


def _load_mapped(file: Path) -> Any:
    """The model with its arrays in the pages of the file: private to a process only where it writes to them."""
    import joblib

    try:
        return joblib.load(file, mmap_mode="c")
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        # Each mapped array keeps a file open, and a model may have more of them than a process may open.
        return joblib.load(file)
