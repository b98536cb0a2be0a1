"""The core of a server: the bytes of a request in, the bytes of an answer out. No transport is known here."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spark_models.errors import (
    ContentTypeError,
    InvalidArgumentError,
    InvalidParamsError,
    ModelFailedError,
    NotAcceptableError,
    RequestError,
    RProcessEndedError,
    SparkModelsError,
    UnsupportedInputError,
)
from spark_models.pyfunc.loading import PyFuncModel, bind_params
from spark_models.serve import columnar
from spark_models.serve.answers import encode_answer
from spark_models.serve.body import WRAPPED_FORMS, Data, parse_json
from spark_models.serve.csv_table import parse_csv
from spark_models.serve.payload import PayloadBinder
from spark_models.serve.strict_json import dumps

JSON = "application/json"
CSV = "text/csv"
ACCEPTED = (
    CSV,
    JSON,
    f"{JSON}; format=pandas-split",
    f"{JSON}; format=pandas-records",
    columnar.ARROW_STREAM,
    columnar.PARQUET,
)
"""The content types that bodies may have."""

OFFERED = (JSON, columnar.ARROW_STREAM, columnar.PARQUET)
"""The content types that answers may have."""

_FORMATS = {"pandas-split": "split", "pandas-records": "records"}
_KINDS = {400: "BAD_REQUEST"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that go back, their type, and a status and further headers as HTTP has them."""

    content: bytes
    content_type: str = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was read: the model's input, bound to the signature, and how the answer is written."""

    data: Any
    params: dict[str, Any] | None
    encode: Callable[[Any], Answer] = field(repr=False)

    @property
    def rows(self) -> int:
        """The rows of the input: of a table, an array, or the first array of a dict."""
        return len(next(iter(self.data.values()), ())) if isinstance(self.data, dict) else len(self.data)


class DataPlane:
    """A model as a function of bytes: `read` a request, `score` it, and its `encode` writes the answer.

    `wrap` puts every JSON answer under "predictions"; `debug` shows the traceback of an error. `matrix` hands the model
    a matrix of doubles in place of their DataFrame: for the method of a package that says `matrix_input`.
    """

    __slots__ = ("_bind", "_media", "debug", "model", "wrap")

    def __init__(self, model: PyFuncModel, *, wrap: bool = False, debug: bool = False, matrix: bool = False) -> None:
        self.model = model
        self.wrap = wrap
        self.debug = debug
        self._bind = PayloadBinder(model.metadata.get_input_schema(), model.uri, matrix=matrix)
        self._media: dict[str | None, tuple[str, str | None]] = {}

    def __call__(self, body: bytes, content_type: str | None, accept: str | None = None) -> Answer:
        """The answer to one request; an error is an answer too, and none is raised."""
        try:
            call = self.read(body, content_type, accept)
            return call.encode(self.score(call))
        except Exception as error:  # noqa: BLE001 - whatever happens is an answer
            return self.failure(error)

    def read(self, body: bytes, content_type: str | None, accept: str | None = None) -> Call:
        """The request's rows, bound.

        Raises:
            ContentTypeError: [UNSUPPORTED_MEDIA_TYPE] no content type, or one that is not in `ACCEPTED`.
            NotAcceptableError: [NOT_ACCEPTABLE] `accept` names none of `OFFERED`.
            InputError: the body is not of its type, or its rows don't fit the signature.
        """
        media, orient = self._media_of(content_type)
        answered = accepted(accept)
        if media in (columnar.ARROW_STREAM, columnar.PARQUET):
            data = columnar.read_frame(body, media, self._bind.schema, self.model.uri)
            return Call(data, bind_params(self.model.signature, None), self._encoder(answered, self.wrap))
        if media == CSV:
            parsed = parse_csv(body, self._bind.schema)
        else:
            parsed = parse_json(body, orient, exact=self._bind.schema is None)
        params = self.params(parsed.params)
        return Call(self._bind(parsed.data), params, self._encoder(answered, self.wrap or parsed.form in WRAPPED_FORMS))

    def bind(self, data: Data) -> Any:
        """Parsed rows or tensors as the model's input.

        Raises:
            InputError: they don't fit the signature.
        """
        return self._bind(data)

    def params(self, given: Any) -> dict[str, Any] | None:
        """The parameters of a call, checked.

        Raises:
            InvalidParamsError: [INVALID_PARAMS] they are unknown or of another type.
        """
        bind_params(self.model.signature, given)
        return dict(given) if given else None

    def score(self, call: Call) -> Any:
        """What the model gives for a request.

        Raises:
            ModelFailedError: [MODEL_FAILED] the model raised; its exception is the cause.
            RProcessEndedError: [R_ENDED] the process that it runs in ended.
            UnsupportedInputError: [UNSUPPORTED_INPUT] the flavor has no form for what a column holds.
        """
        try:
            return self.model.predict_bound(call.data, call.params)
        except (RProcessEndedError, UnsupportedInputError):
            raise
        except Exception as error:
            if call.params and isinstance(error, (InvalidArgumentError, InvalidParamsError)):
                raise
            raise ModelFailedError(type(error).__name__) from error

    def failure(self, error: BaseException) -> Answer:
        """The answer to a request that failed."""
        return failure(error, self.debug)

    def _media_of(self, content_type: str | None) -> tuple[str, str | None]:
        """The type and orientation that a Content-Type header says; the same header is read once."""
        found = self._media.get(content_type)
        if found is None:
            found = media_type(content_type)
            if len(self._media) < 64:
                self._media[content_type] = found
        return found

    def _encoder(self, media: str, wrap: bool) -> Callable[[Any], Answer]:
        if media == JSON:
            return _wrapped if wrap else _bare
        return lambda output: Answer(columnar.write_output(output, media), media)


def _bare(output: Any) -> Answer:
    return Answer(encode_answer(output))


def _wrapped(output: Any) -> Answer:
    return Answer(encode_answer(output, wrap=True))


def media_type(content_type: str | None) -> tuple[str, str | None]:
    """The media type of a body, and the orientation that its parameter `format` says.

    Raises:
        ContentTypeError: [UNSUPPORTED_MEDIA_TYPE] it is none of `ACCEPTED`; other parameters than `format` and a
            `charset` of UTF-8 are ignored.

    >>> media_type("application/json; format=pandas-records; charset=UTF-8")
    ('application/json', 'records')
    """
    if content_type is None:
        raise ContentTypeError("", ACCEPTED)
    media, *parameters = [part.strip() for part in content_type.split(";")]
    media = media.lower()
    orient = None
    if media not in (JSON, CSV, columnar.ARROW_STREAM, *columnar.PARQUET_NAMES):
        raise ContentTypeError(content_type[:200], ACCEPTED)
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name, value = name.strip().lower(), value.strip().strip('"').lower()
        if name == "charset" and value not in ("utf-8", "utf8", "us-ascii"):
            raise ContentTypeError(content_type[:200], ACCEPTED)
        if name == "format":
            if media != JSON or value not in _FORMATS:
                raise ContentTypeError(content_type[:200], ACCEPTED)
            orient = _FORMATS[value]
    return (columnar.PARQUET if media in columnar.PARQUET_NAMES else media), orient


def accepted(accept: str | None) -> str:
    """The content type of the answer for an Accept header: of those it names, the one of the largest weight.

    Raises:
        NotAcceptableError: [NOT_ACCEPTABLE] it names none of `OFFERED`.

    >>> accepted(None), accepted("text/html, */*;q=0.8"), accepted("application/vnd.apache.arrow.stream")
    ('application/json', 'application/json', 'application/vnd.apache.arrow.stream')
    """
    if accept is None or accept in ("*/*", "", JSON):
        return JSON
    weights: dict[str, float] = {}
    for part in accept.split(","):
        media, *parameters = [piece.strip().lower() for piece in part.split(";")]
        stated = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            weights[media] = float(stated)
        except ValueError:
            weights[media] = 0.0
    best, chosen = 0.0, ""
    for offered in OFFERED:
        names = (offered, *(columnar.PARQUET_NAMES if offered == columnar.PARQUET else ()))
        said = [weights[name] for name in names if name in weights]
        general = [weights[name] for name in (f"{offered.partition('/')[0]}/*", "*/*") if name in weights]
        weight = said[0] if said != [] else general[0] if general != [] else 0.0
        if weight > best:
            best, chosen = weight, offered
    if chosen == "":
        raise NotAcceptableError(accept[:200], OFFERED)
    return chosen


def failure(error: BaseException, debug: bool = False) -> Answer:
    """The answer to a request that failed.

    | error | status | error_code |
    | --- | --- | --- |
    | one of ours | its own | "BAD_REQUEST" for 400, else its code |
    | anything else | 500 | "INTERNAL_ERROR" |

    `message` holds the error's whole text, which never has a row's value; of a foreign exception only its type is
    said. `stack_trace` stands beside them under `debug` alone.
    """
    if isinstance(error, RequestError):
        kind, status, message = error.kind, error.http_status, str(error)
    elif isinstance(error, SparkModelsError):
        status, message = error.status, str(error)
        kind = _KINDS.get(status, error.code)
    else:
        kind, status, message = "INTERNAL_ERROR", 500, f"The server failed with {type(error).__name__}."
    content: dict[str, Any] = {"error_code": kind, "message": message}
    if debug:
        content["stack_trace"] = "".join(traceback.format_exception(error))
    return Answer(dumps(content), JSON, status)
