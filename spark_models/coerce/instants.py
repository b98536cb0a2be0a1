"""Dates and timestamps of a model's output as Arrow arrays."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from spark_models.bridge.pandas import is_missing


def dates(values: Any) -> pa.Array:
    """The days that the values show, as date32; of a zoned value the day in its own zone.

    >>> dates(np.array(["2020-01-31T23:30", "NaT"], "datetime64[m]")).to_pylist()
    [datetime.date(2020, 1, 31), None]
    """
    series = pd.Series(values)
    if series.dtype != object:
        return _micros(series if series.dt.tz is None else series.dt.tz_localize(None)).cast(pa.date32())
    return pa.array([None if is_missing(value) else _day(value) for value in series], type=pa.date32())


def timestamps(values: Any, zone: str) -> pa.Array:
    """The values as instants in microseconds of UTC; a datetime without a zone is read in `zone`.

    Where clocks are set back, an hour occurs twice: then it is the later one, as Spark reads such a pandas column.

    >>> timestamps(np.array(["2020-01-31T12:00"], "datetime64[m]"), "Europe/Berlin").to_pylist()[0].hour
    11
    """
    series = pd.Series(values)
    if series.dtype == object:
        series = _of_objects(series, zone)
    if series.dt.tz is None:
        series = _localized(series, zone)
    return _micros(series.dt.tz_convert("UTC").dt.tz_localize(None)).cast(pa.timestamp("us", tz="UTC"))


def _of_objects(series: Any, zone: str) -> Any:
    zoned = {getattr(value, "tzinfo", None) is not None for value in series if not is_missing(value)}
    if len(zoned) < 2:
        try:
            return pd.to_datetime(series, utc=zoned == {True})
        except pd.errors.OutOfBoundsDatetime:
            pass  # pandas makes nanoseconds of them, which end in 2262; microseconds hold every year of a datetime
    local = _localized(pd.Series(_moments([None if _is_zoned(value) else value for value in series])), zone)
    exact = pd.Series(_moments([_utc(value) if _is_zoned(value) else None for value in series])).dt.tz_localize("UTC")
    return local.dt.tz_convert("UTC").fillna(exact)


def _localized(series: Any, zone: str) -> Any:
    return series.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward")


def _is_zoned(value: Any) -> bool:
    return not is_missing(value) and getattr(value, "tzinfo", None) is not None


def _utc(value: datetime.datetime) -> datetime.datetime:
    return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _moments(values: Sequence[Any]) -> Any:
    return np.array(["NaT" if is_missing(value) else np.datetime64(value, "us") for value in values], "datetime64[us]")


def _day(value: Any) -> Any:
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[D]").item()
    return datetime.date(value.year, value.month, value.day)


def _micros(series: Any) -> pa.Array:
    return pa.array(series.to_numpy().astype("datetime64[us]"), type=pa.timestamp("us"))
