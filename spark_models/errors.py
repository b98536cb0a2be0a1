"""Every exception that this package raises on purpose.

An error is a class with a stable code, an HTTP status and facts. The facts are its dataclass fields and
stand in `args`, so an error survives pickle; its text is composed only when it is shown:

    [CODE] what is wrong
    Where: in which file, column or argument
    Hint: how to mend it

The code stands in the text because Spark carries only the text of a worker's exception to the driver.
No text holds a value of a row: rows are customers' data.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

LISTED = 10
"""How many names a text lists before it says how many more there are."""

COMPARED = 100
"""How many names are searched for typing slips."""


def listed(names: Iterable[object], limit: int = LISTED) -> str:
    """`['a', 'b', … +3 more]`: the names in their order, cut at `limit`.

    >>> listed(["a", "b"])
    "['a', 'b']"
    >>> listed(range(12), limit=2)
    '[0, 1, … +10 more]'
    """
    items = [repr(name) for name in names]
    shown = items[:limit]
    if len(items) > limit:
        shown.append(f"… +{len(items) - limit} more")
    return "[" + ", ".join(shown) + "]"


def renames(missing: Sequence[object], given: Sequence[object]) -> str:
    """A hint that pairs missing names with given ones that differ by case or a typing slip; '' without any.

    >>> renames(["age"], ["Age", "zip"])
    "rename 'Age' to 'age'"
    """
    wanted = set(missing)
    spare = [str(name) for name in given if name not in wanted]
    lowered = {name.lower(): name for name in spare}
    pairs = []
    for position, name in enumerate(map(str, missing)):
        # Names are compared letter by letter only as far as somebody reads them: of a wide table it would take minutes.
        slips = spare if position < COMPARED and len(spare) <= COMPARED else []
        close = lowered.get(name.lower()) or next(iter(difflib.get_close_matches(name, slips, 1, 0.8)), None)
        if close is not None and close != name:
            pairs.append(f"rename {close!r} to {name!r}")
    return ", ".join(pairs[:LISTED])


@dataclass(eq=False)
class SparkModelsError(Exception):
    """The root: `except SparkModelsError` catches whatever this package raises on purpose."""

    code: ClassVar[str] = "SPARK_MODELS_ERROR"
    status: ClassVar[int] = 400

    def __post_init__(self) -> None:
        self.args = tuple(getattr(self, field.name) for field in fields(self))

    @property
    def what(self) -> str:
        """What is wrong, in one sentence."""
        return "The operation failed."

    @property
    def where(self) -> str:
        """In which file, column or argument; may be empty."""
        return ""

    @property
    def hint(self) -> str:
        """How to mend it; may be empty."""
        return ""

    def __str__(self) -> str:
        lines = [f"[{self.code}] {self.what}"]
        if self.where != "":
            lines.append(f"Where: {self.where}")
        if self.hint != "":
            lines.append(f"Hint: {self.hint}")
        return "\n".join(lines)


# --- schemas and signatures


@dataclass(eq=False)
class InvalidSchemaError(SparkModelsError, ValueError):
    """A schema, signature or its JSON is not valid."""

    code: ClassVar[str] = "INVALID_SCHEMA"
    problem: str
    place: str = ""

    @property
    def what(self) -> str:
        return f"Invalid schema: {self.problem}."

    @property
    def where(self) -> str:
        return self.place


@dataclass(eq=False)
class InvalidSpecTypeError(SparkModelsError, TypeError):
    """An argument of ColSpec, TensorSpec or ModelSignature is of the wrong Python type."""

    code: ClassVar[str] = "INVALID_SPEC_TYPE"
    owner: str
    argument: str
    expected: str
    got: str

    @property
    def what(self) -> str:
        return f"{self.owner} expects {self.expected} for '{self.argument}', not {self.got}."


@dataclass(eq=False)
class UnsupportedDataError(SparkModelsError, TypeError):
    """A schema can't be inferred from this kind of object."""

    code: ClassVar[str] = "UNSUPPORTED_DATA"
    got: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"Can't infer a schema from {self.got}."

    @property
    def hint(self) -> str:
        expected = (
            "give a pandas DataFrame or Series, a numpy array, a dict of numpy arrays, a list of records or rows, "
            "a Spark DataFrame or an Arrow table"
        )
        return expected if self.advice == "" else self.advice


@dataclass(eq=False)
class UnsupportedColumnError(SparkModelsError, ValueError):
    """Columns are of types that the format has no name for; all of them are listed."""

    code: ClassVar[str] = "UNSUPPORTED_COLUMN"
    columns: tuple[tuple[str, str], ...]
    advice: str = ""

    @property
    def what(self) -> str:
        each = listed_pairs(f"{name}: {kind}" for name, kind in self.columns)
        return f"The format has no column type for {each}."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class InvalidParamsError(SparkModelsError, ValueError):
    """Parameters of a call are unknown or of the wrong type."""

    code: ClassVar[str] = "INVALID_PARAMS"
    problems: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"Invalid parameters: {listed_pairs(self.problems, '; ')}."

    @property
    def where(self) -> str:
        return f"params of the call; the signature declares {listed(self.known)}."


# --- the input of a model


@dataclass(eq=False)
class InputError(SparkModelsError, ValueError):
    """The input of a model does not fit its signature."""

    code: ClassVar[str] = "INVALID_INPUT"


@dataclass(eq=False)
class InvalidInputError(InputError):
    """Several things are wrong with one input; each is an error of its own."""

    code: ClassVar[str] = "INVALID_INPUT"
    errors: tuple[InputError, ...]

    def __str__(self) -> str:
        shown = [str(error) for error in self.errors[:LISTED]]
        more = len(self.errors) - LISTED
        tail = [f"… +{more} more"] if more > 0 else []
        return "\n".join([f"[{self.code}] {len(self.errors)} problems with the input.", *shown, *tail])


@dataclass(eq=False)
class MissingColumnsError(InputError):
    """Inputs that the signature names are absent."""

    code: ClassVar[str] = "MISSING_COLUMNS"
    missing: tuple[object, ...]
    given: tuple[object, ...]
    expected: int
    place: str = ""

    @property
    def what(self) -> str:
        return f"Model is missing inputs {listed(self.missing)}."

    @property
    def where(self) -> str:
        source = "inputs of the signature" if self.place == "" else f"inputs of the signature of {self.place}"
        missing = set(self.missing)
        extra = [name for name in self.given if name not in missing]
        return f"{source} ({self.expected} inputs); the input has {listed(extra)}."

    @property
    def hint(self) -> str:
        if set(self.missing) & {str(name) for name in self.given if not isinstance(name, str)}:
            return "names are text, and labels of the input are not: frame.columns = frame.columns.map(str)"
        return renames(self.missing, self.given)


@dataclass(eq=False)
class ColumnCountError(InputError):
    """An unnamed signature, matched by position, got another number of columns."""

    code: ClassVar[str] = "COLUMN_COUNT"
    expected: int
    got: int
    names: tuple[object, ...] = ()
    signature_names: tuple[object, ...] = ()

    @property
    def what(self) -> str:
        return f"Model takes exactly {self.expected} inputs by position; got {self.got}."

    @property
    def where(self) -> str:
        if self.names == () and self.signature_names == ():
            return ""
        wanted = "" if self.signature_names == () else f"the signature has {listed(self.signature_names)}; "
        return f"{wanted}the input has {listed(self.names)}."


@dataclass(eq=False)
class ColumnTypeError(InputError):
    """A column's type does not widen to the declared one without loss."""

    code: ClassVar[str] = "COLUMN_TYPE"
    column: object
    got: str
    expected: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"Column {self.column!r} is {self.got}; {self.expected} is expected, and the cast may lose values."

    @property
    def where(self) -> str:
        return "inputs of the signature"

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class NullColumnError(InputError):
    """A column that may have no missing values has some."""

    code: ClassVar[str] = "NULLS_IN_COLUMN"
    column: object
    expected: str
    got: str = ""

    @property
    def what(self) -> str:
        was = "" if self.got == "" else f" (it is {self.got})"
        return f"Column {self.column!r} of type {self.expected} has missing values{was}."

    @property
    def where(self) -> str:
        return "inputs of the signature"

    @property
    def hint(self) -> str:
        double = "" if self.expected == "boolean" else "declare it as double when you infer the signature, or "
        return f'{double}mark it "required": false, or fill the missing values'


@dataclass(eq=False)
class DuplicateColumnsError(InputError):
    """Two columns of the input have the same name."""

    code: ClassVar[str] = "DUPLICATE_COLUMNS"
    names: tuple[object, ...]

    @property
    def what(self) -> str:
        return f"The input has several columns named {listed(self.names)}."

    @property
    def hint(self) -> str:
        return "drop or rename them: inputs are matched by name"


@dataclass(eq=False)
class UnsupportedInputError(InputError, TypeError):
    """The input is an object that can't become what the signature needs."""

    code: ClassVar[str] = "UNSUPPORTED_INPUT"
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"The input is {self.got}; {self.expected} is expected."


@dataclass(eq=False)
class TensorTypeError(InputError):
    """A tensor's dtype is another one than the signature's; tensors are never cast."""

    code: ClassVar[str] = "TENSOR_TYPE"
    tensor: str | None
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"{tensor_name(self.tensor)} has dtype {self.got}; {self.expected} is expected."

    @property
    def hint(self) -> str:
        return f"tensors are matched strictly: cast it with .astype({self.expected!r}) if that is what you mean"


@dataclass(eq=False)
class TensorShapeError(InputError):
    """A tensor's shape does not match the signature's."""

    code: ClassVar[str] = "TENSOR_SHAPE"
    tensor: str | None
    got: tuple[int, ...]
    expected: tuple[int, ...]

    @property
    def what(self) -> str:
        return f"{tensor_name(self.tensor)} has shape {self.got}; {self.expected} is expected (-1: any length)."


@dataclass(eq=False)
class TensorValueError(InputError):
    """A tensor holds numbers that the declared type can't hold."""

    code: ClassVar[str] = "TENSOR_VALUE"
    tensor: str | None
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"{tensor_name(self.tensor)} holds {self.got} numbers that {self.expected} can't hold."

    @property
    def where(self) -> str:
        return "inputs of the signature"

    @property
    def hint(self) -> str:
        return "leave these rows out, or save the model with a wider tensor"


def tensor_name(name: str | None) -> str:
    """How a text calls a tensor that may have no name."""
    return "The tensor" if name is None else f"Tensor {name!r}"


def listed_pairs(items: Iterable[str], separator: str = ", ") -> str:
    """The items between separators, cut at ten."""
    all_items = list(items)
    more = len(all_items) - LISTED
    return separator.join([*all_items[:LISTED], *([f"… +{more} more"] if more > 0 else [])])


# --- packages, their files and URIs


@dataclass(eq=False)
class ModelPathExistsError(SparkModelsError, FileExistsError):
    """A model is to be saved where something is already."""

    code: ClassVar[str] = "PATH_EXISTS"
    path: str

    @property
    def what(self) -> str:
        return f"The path {self.path!r} exists and is not empty."

    @property
    def hint(self) -> str:
        return "choose another path, or remove it first: saving never overwrites"


@dataclass(eq=False)
class ModelNotFoundError(SparkModelsError, FileNotFoundError):
    """A model URI leads to no directory."""

    code: ClassVar[str] = "MODEL_NOT_FOUND"
    status: ClassVar[int] = 404
    uri: str
    path: str = ""

    @property
    def what(self) -> str:
        return f"There is no model at {self.uri!r}."

    @property
    def where(self) -> str:
        return "" if self.path in ("", self.uri) else self.path


@dataclass(eq=False)
class NotAModelError(SparkModelsError, FileNotFoundError):
    """A directory has no MLmodel file."""

    code: ClassVar[str] = "NOT_A_MODEL"
    path: str

    @property
    def what(self) -> str:
        return f"{self.path!r} is no model: it has no MLmodel file."

    @property
    def hint(self) -> str:
        return "give the directory that save_model wrote, the one with MLmodel in it"


@dataclass(eq=False)
class InvalidMLmodelError(SparkModelsError, ValueError):
    """An MLmodel file can be parsed, but does not describe a model."""

    code: ClassVar[str] = "INVALID_MLMODEL"
    source: str
    problem: str

    @property
    def what(self) -> str:
        return f"MLmodel is not valid: {self.problem}."

    @property
    def where(self) -> str:
        return self.source


@dataclass(eq=False)
class InvalidPackageError(SparkModelsError, ValueError):
    """A file of a package is not what a package may hold."""

    code: ClassVar[str] = "INVALID_PACKAGE"
    source: str
    problem: str

    @property
    def what(self) -> str:
        return f"The package is not valid: {self.problem}."

    @property
    def where(self) -> str:
        return self.source


@dataclass(eq=False)
class PathEscapesError(SparkModelsError, ValueError):
    """A path that a package names leads out of it."""

    code: ClassVar[str] = "PATH_ESCAPES"
    path: str
    source: str

    @property
    def what(self) -> str:
        return f"The path {self.path!r} leads out of its directory."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "paths in a package are relative, without '..', and no link leads outside"


@dataclass(eq=False)
class ManifestMismatchError(SparkModelsError, ValueError):
    """Files of a package are not those that were saved."""

    code: ClassVar[str] = "MANIFEST_MISMATCH"
    source: str
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def what(self) -> str:
        kinds = (("changed", self.changed), ("added", self.added), ("removed", self.removed))
        parts = [f"{kind} {listed(names)}" for kind, names in kinds if names != ()]
        return "The package is not as it was saved: " + ", ".join(parts) + "."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "if the change is yours, write the manifest anew: spark-models update-manifest -m DIR"


@dataclass(eq=False)
class HashMismatchError(SparkModelsError, ValueError):
    """A package is another one than the pinned one."""

    code: ClassVar[str] = "HASH_MISMATCH"
    source: str
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"The package's content hash is {self.got}; {self.expected} is expected."

    @property
    def where(self) -> str:
        return self.source


@dataclass(eq=False)
class UnsafeCacheError(SparkModelsError, PermissionError):
    """The package cache is not private to this user."""

    code: ClassVar[str] = "UNSAFE_CACHE"
    status: ClassVar[int] = 500
    path: str
    problem: str

    @property
    def what(self) -> str:
        return f"The cache directory can't be used: {self.problem}."

    @property
    def where(self) -> str:
        return self.path

    @property
    def hint(self) -> str:
        return "set SPARK_MODELS_CACHE to a directory of your own with mode 0700"


@dataclass(eq=False)
class UnsupportedUriError(SparkModelsError, ValueError):
    """Nothing here reads a URI's scheme, or writes to it."""

    code: ClassVar[str] = "UNSUPPORTED_URI"
    uri: str
    advice: str

    @property
    def what(self) -> str:
        return f"The model URI {self.uri!r} can't be used here."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class RunNotFoundError(SparkModelsError, KeyError):
    """There is no run of that id."""

    code: ClassVar[str] = "RUN_NOT_FOUND"
    status: ClassVar[int] = 404
    run_id: str
    home: str

    @property
    def what(self) -> str:
        return f"There is no run {self.run_id!r}."

    @property
    def where(self) -> str:
        return self.home

    @property
    def hint(self) -> str:
        return "set SPARK_MODELS_HOME to the directory that holds the runs"


@dataclass(eq=False)
class NoRegistryError(SparkModelsError, RuntimeError):
    """A model is to be registered, and there is no registry."""

    code: ClassVar[str] = "NO_REGISTRY"
    name: str

    @property
    def what(self) -> str:
        return f"The model can't be registered as {self.name!r}: there is no model registry here."

    @property
    def hint(self) -> str:
        return "leave registered_model_name out, or log inside mlflow.start_run() of an MLflow server"


@dataclass(eq=False)
class FlavorNotFoundError(SparkModelsError, KeyError):
    """A package has not the flavor that is asked for."""

    code: ClassVar[str] = "FLAVOR_NOT_FOUND"
    flavor: str
    present: tuple[str, ...]
    source: str

    @property
    def what(self) -> str:
        return f"The model has no flavor {self.flavor!r}; it has {listed(self.present)}."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        in_jvm = self.flavor == "python_function" and "mleap" in self.present
        return "the mleap flavor is scored in a JVM: docs/jvm.md tells of the Java companion" if in_jvm else ""


@dataclass(eq=False)
class LoaderNotFoundError(SparkModelsError, ImportError):
    """The module that loads a python_function can't be imported."""

    code: ClassVar[str] = "LOADER_NOT_FOUND"
    module: str
    problem: str
    source: str

    @property
    def what(self) -> str:
        return f"The loader module {self.module!r} can't be used: {self.problem}."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "install the package that has it, or save the model with code_paths=[...]"


@dataclass(eq=False)
class CodeNotAllowedError(SparkModelsError, PermissionError):
    """Loading would run code that the package carries, and the caller refused that."""

    code: ClassVar[str] = "CODE_NOT_ALLOWED"
    source: str
    reasons: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"Loading this model would run code that it carries: {listed_pairs(self.reasons, '; ')}."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "look with `spark-models inspect -m DIR`, then load with allow_code=True if you trust its author"


@dataclass(eq=False)
class ModuleConflictError(SparkModelsError, ImportError):
    """Two packages carry different code under one module name."""

    code: ClassVar[str] = "MODULE_CONFLICT"
    modules: tuple[str, ...]
    source: str

    @property
    def what(self) -> str:
        return f"The package carries modules {listed(self.modules)} that this process has loaded from elsewhere."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "load the models in processes of their own, or rename the modules in one of them"


@dataclass(eq=False)
class MissingExtraError(SparkModelsError, ImportError):
    """An optional library is needed and not installed."""

    code: ClassVar[str] = "MISSING_EXTRA"
    status: ClassVar[int] = 500
    library: str
    extra: str
    purpose: str

    @property
    def what(self) -> str:
        return f"{self.purpose} needs {self.library}, which is not installed."

    @property
    def hint(self) -> str:
        return f"pip install 'spark-models[{self.extra}]'"


@dataclass(eq=False)
class MissingProgramError(SparkModelsError, FileNotFoundError):
    """A program is needed and not on this host."""

    code: ClassVar[str] = "MISSING_PROGRAM"
    status: ClassVar[int] = 500
    program: str
    purpose: str
    advice: str

    @property
    def what(self) -> str:
        return f"{self.purpose} needs {self.program}, which is not on this host."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class InvalidArgumentError(SparkModelsError, ValueError):
    """Arguments of a call are missing, unknown or contradict each other."""

    code: ClassVar[str] = "INVALID_ARGUMENT"
    problem: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"{self.problem}."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class InvalidExampleError(SparkModelsError, TypeError):
    """An input example can't be stored."""

    code: ClassVar[str] = "INVALID_EXAMPLE"
    problem: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The input example can't be stored: {self.problem}."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class JsonValueError(InputError):
    """A value of a JSON or CSV body is not of the declared type."""

    code: ClassVar[str] = "JSON_VALUE"
    place: str
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"{self.got} is no {self.expected}."

    @property
    def where(self) -> str:
        return self.place


@dataclass(eq=False)
class JsonBodyError(InputError):
    """A JSON or CSV body is not of a known form."""

    code: ClassVar[str] = "JSON_BODY"
    problem: str
    place: str = ""

    @property
    def what(self) -> str:
        return f"The input can't be read: {self.problem}."

    @property
    def where(self) -> str:
        return self.place


@dataclass(eq=False)
class InvalidModelError(SparkModelsError, TypeError):
    """The object to save is not what the flavor saves."""

    code: ClassVar[str] = "INVALID_MODEL"
    flavor: str
    got: str
    expected: str

    @property
    def what(self) -> str:
        return f"The {self.flavor} flavor saves {self.expected}, not {self.got}."


# --- the files of a package: YAML and environments


@dataclass(eq=False)
class InvalidYamlError(SparkModelsError, ValueError):
    """A text is not one YAML document of plain values, or a value can't be written as one."""

    code: ClassVar[str] = "INVALID_YAML"
    source: str
    line: int | None
    problem: str
    column: int | None = None

    @property
    def what(self) -> str:
        return f"Invalid YAML: {self.problem}."

    @property
    def where(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        column = "" if self.column is None else f", column {self.column}"
        return f"{self.source}{line}{column}"


@dataclass(eq=False)
class UnsafeYamlError(SparkModelsError, ValueError):
    """A YAML text is refused before anything is built from it: too big, too deep, or it names Python objects."""

    code: ClassVar[str] = "UNSAFE_YAML"
    source: str
    problem: str

    @property
    def what(self) -> str:
        return f"Unsafe YAML: {self.problem}."

    @property
    def where(self) -> str:
        return self.source


@dataclass(eq=False)
class InvalidEnvironmentError(SparkModelsError, ValueError):
    """The conda environment or the requirements that were given for a package can't be used."""

    code: ClassVar[str] = "INVALID_ENVIRONMENT"
    problem: str
    source: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"Invalid environment: {self.problem}."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return self.advice


# --- the output of a model


@dataclass(eq=False)
class UnsupportedResultTypeError(SparkModelsError, ValueError):
    """A result type is not one that a prediction column can have."""

    code: ClassVar[str] = "UNSUPPORTED_RESULT_TYPE"
    given: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The result type {self.given!r} is not supported."

    @property
    def hint(self) -> str:
        known = (
            "use int, long, float, double, string, boolean, date, timestamp, binary, decimal(p,s), array<…>, "
            "map<string,…>, struct<name:…> or 'signature'"
        )
        return known if self.advice == "" else self.advice


@dataclass(eq=False)
class OutputError(SparkModelsError, ValueError):
    """A model's output is not what was asked for."""

    code: ClassVar[str] = "INVALID_OUTPUT"
    status: ClassVar[int] = 500


@dataclass(eq=False)
class NoMatchingOutputError(OutputError):
    """No output of the model is of the result type."""

    code: ClassVar[str] = "NO_MATCHING_OUTPUT"
    result_type: str
    columns: tuple[tuple[str, str], ...]
    name: str | None = None

    @property
    def what(self) -> str:
        wanted = f"the result type {self.result_type}"
        if self.name is not None:
            return f"The model's output has no {self.name!r} that fits {wanted}."
        return f"The model's output has nothing that fits {wanted}."

    @property
    def where(self) -> str:
        if self.columns == ():
            return "the model's output has no columns"
        return "the model's output is " + listed_pairs(f"{name}: {kind}" for name, kind in self.columns)

    @property
    def hint(self) -> str:
        return "choose a result_type that the output has; int takes up to 32 bits, long up to 64, string takes anything"


@dataclass(eq=False)
class RowCountError(OutputError):
    """A model gave another number of predictions than it got rows."""

    code: ClassVar[str] = "ROW_COUNT"
    expected: int
    got: int

    @property
    def what(self) -> str:
        return f"The model gave {self.got} predictions for {self.expected} rows."

    @property
    def hint(self) -> str:
        return "its predict must give exactly one prediction for each row, in their order"


@dataclass(eq=False)
class UnsupportedOutputError(OutputError, TypeError):
    """A model's output has no columns."""

    code: ClassVar[str] = "UNSUPPORTED_OUTPUT"
    got: str

    @property
    def what(self) -> str:
        return f"The model's output is {self.got}."

    @property
    def hint(self) -> str:
        return "predict must give a DataFrame, Series, array, list, or dict of columns"


@dataclass(eq=False)
class OutputValueError(OutputError):
    """A value of the output can't be held by the result type."""

    code: ClassVar[str] = "OUTPUT_VALUE"
    column: str
    result_type: str

    @property
    def what(self) -> str:
        return f"Output {self.column!r} has values that {self.result_type} can't hold."


# --- scoring on Spark


@dataclass(eq=False)
class NoSparkSessionError(SparkModelsError, RuntimeError):
    """There is no active Spark session."""

    code: ClassVar[str] = "NO_SPARK_SESSION"

    @property
    def what(self) -> str:
        return "There is no active Spark session."

    @property
    def hint(self) -> str:
        return "start one: spark = SparkSession.builder.getOrCreate(), or give it: spark_udf(spark, model_uri)"


@dataclass(eq=False)
class NoSignatureError(SparkModelsError, ValueError):
    """Columns can't be found by name, for the model has no signature with names."""

    code: ClassVar[str] = "NO_SIGNATURE"
    uri: str

    @property
    def what(self) -> str:
        return "The UDF was called without columns, and the model has no signature that names any."

    @property
    def where(self) -> str:
        return self.uri

    @property
    def hint(self) -> str:
        return "call it with columns, predict('a', 'b') or predict(struct('a', 'b')), or save it with a signature"


@dataclass(eq=False)
class AmbiguousBindingError(InputError):
    """Columns given by position have the signature's names in another order."""

    code: ClassVar[str] = "AMBIGUOUS_BINDING"
    given: tuple[str, ...]
    expected: tuple[str, ...]

    @property
    def what(self) -> str:
        return "The columns are given by position, and their names say another order."

    @property
    def where(self) -> str:
        return f"the signature has {listed(self.expected)}; the call has {listed(self.given)}."

    @property
    def hint(self) -> str:
        return "give names as text to bind by name, or columns in the signature's order"


@dataclass(eq=False)
class StructNotAloneError(InputError):
    """A struct was given beside other columns."""

    code: ClassVar[str] = "STRUCT_NOT_ALONE"
    count: int

    @property
    def what(self) -> str:
        return f"A struct must be the only argument; {self.count} were given."

    @property
    def hint(self) -> str:
        return "put every column into the struct, or give every column by itself"


@dataclass(eq=False)
class VectorColumnError(InputError):
    """A Spark ML vector column was given to a UDF."""

    code: ClassVar[str] = "VECTOR_COLUMN"
    column: str

    @property
    def what(self) -> str:
        return f"Column {self.column!r} is a Spark ML vector, which a UDF sees as an internal struct."

    @property
    def hint(self) -> str:
        return (
            f"give vector_to_array(col({self.column!r})) from pyspark.ml.functions, or use spark_models.score(df, …), "
            "which inserts it"
        )


@dataclass(eq=False)
class ShipError(SparkModelsError, RuntimeError):
    """A package did not reach an executor as it was sent."""

    code: ClassVar[str] = "SHIP_FAILED"
    status: ClassVar[int] = 500
    name: str
    problem: str

    @property
    def what(self) -> str:
        return f"The package {self.name} can't be used on this executor: {self.problem}."


# --- verification


@dataclass(eq=False)
class NothingToReplayError(SparkModelsError, ValueError):
    """A package has no example, or no predictions on it: there is nothing to compare."""

    code: ClassVar[str] = "NOTHING_TO_REPLAY"
    source: str
    missing: str

    @property
    def what(self) -> str:
        return f"The package has no {self.missing}, so there is nothing to compare."

    @property
    def where(self) -> str:
        return self.source

    @property
    def hint(self) -> str:
        return "save the model with input_example=…: its predictions are stored beside it"


@dataclass(eq=False)
class SparkUnavailableError(SparkModelsError, RuntimeError):
    """No Spark session can be started here."""

    code: ClassVar[str] = "SPARK_UNAVAILABLE"
    status: ClassVar[int] = 500
    problem: str

    @property
    def what(self) -> str:
        return f"Spark can't be started: {self.problem}."

    @property
    def hint(self) -> str:
        return "install Java 17 or later and set JAVA_HOME, or leave Spark out with --no-spark"


# --- environments of their own


@dataclass(eq=False)
class EnvironmentNotBuiltError(SparkModelsError, RuntimeError):
    """The environment of a package can't be made on the driver."""

    code: ClassVar[str] = "ENVIRONMENT_NOT_BUILT"
    status: ClassVar[int] = 500
    problem: str
    output: tuple[str, ...] = ()
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The environment of the package was not built: {self.problem}."

    @property
    def where(self) -> str:
        return "" if self.output == () else "\n  ".join(["the installer said", *self.output])

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class ModelProcessError(SparkModelsError, RuntimeError):
    """The process that runs a model in its own environment has ended, or never started."""

    code: ClassVar[str] = "MODEL_PROCESS_ENDED"
    status: ClassVar[int] = 500
    problem: str
    output: tuple[str, ...] = ()
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The model's own process {self.problem}."

    @property
    def where(self) -> str:
        return "" if self.output == () else "\n  ".join(["the last of its standard error", *self.output])

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class CacheFullError(SparkModelsError, OSError):
    """A package does not fit on the disk of the package cache."""

    code: ClassVar[str] = "CACHE_FULL"
    status: ClassVar[int] = 500
    path: str
    problem: str

    @property
    def what(self) -> str:
        return f"The package cache can't take another package: {self.problem}."

    @property
    def where(self) -> str:
        return self.path

    @property
    def hint(self) -> str:
        return "free space there, or set SPARK_MODELS_CACHE to a directory of your own on a larger disk"


# --- serving


@dataclass(eq=False)
class ContentTypeError(SparkModelsError, ValueError):
    """A body is of a content type that is not read here."""

    code: ClassVar[str] = "UNSUPPORTED_MEDIA_TYPE"
    status: ClassVar[int] = 415
    got: str
    accepted: tuple[str, ...]

    @property
    def what(self) -> str:
        said = (
            "The request says no content type" if self.got == "" else f"The content type {self.got!r} is not read here"
        )
        return f"{said}."

    @property
    def hint(self) -> str:
        return f"send one of {', '.join(self.accepted)}"


@dataclass(eq=False)
class NotAcceptableError(SparkModelsError, ValueError):
    """An answer is asked for in forms that are not written here."""

    code: ClassVar[str] = "NOT_ACCEPTABLE"
    status: ClassVar[int] = 406
    got: str
    offered: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"The answer can't be given as {self.got!r}."

    @property
    def hint(self) -> str:
        return f"accept one of {', '.join(self.offered)}"


@dataclass(eq=False)
class BodyTooLargeError(SparkModelsError, ValueError):
    """A body has more bytes than the server reads."""

    code: ClassVar[str] = "BODY_TOO_LARGE"
    status: ClassVar[int] = 413
    limit: int

    @property
    def what(self) -> str:
        return f"The body has more than {self.limit} bytes."

    @property
    def hint(self) -> str:
        return "send fewer rows at once, or start the server with a larger --max-body"


@dataclass(eq=False)
class RequestError(SparkModelsError, ValueError):
    """A request that the server does not answer as it is: a wrong route, method, host or token, or sent too slowly."""

    code: ClassVar[str] = "REQUEST_REFUSED"
    kind: str
    http_status: int
    problem: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"{self.problem}."

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class QueueFullError(SparkModelsError, RuntimeError):
    """As many requests wait for the model as the server lets wait."""

    code: ClassVar[str] = "QUEUE_FULL"
    status: ClassVar[int] = 429
    waiting: int

    @property
    def what(self) -> str:
        return f"{self.waiting} requests wait for the model already."

    @property
    def hint(self) -> str:
        return "try again in a moment; more workers (-w) or a longer --queue take more requests at once"


@dataclass(eq=False)
class DeadlineError(SparkModelsError, TimeoutError):
    """A request was not answered in time."""

    code: ClassVar[str] = "DEADLINE_EXCEEDED"
    status: ClassVar[int] = 504
    seconds: float

    @property
    def what(self) -> str:
        return f"The model gave no answer in {self.seconds:g} s."

    @property
    def hint(self) -> str:
        return "send fewer rows at once, or start the server with a longer --timeout"


@dataclass(eq=False)
class NotReadyError(SparkModelsError, RuntimeError):
    """The server does not score now: it starts, ends, or its worker is being replaced."""

    code: ClassVar[str] = "NOT_READY"
    status: ClassVar[int] = 503
    problem: str

    @property
    def what(self) -> str:
        return f"The server does not score now: {self.problem}."

    @property
    def hint(self) -> str:
        return "try again in a moment"


@dataclass(eq=False)
class ModelFailedError(SparkModelsError, RuntimeError):
    """The model raised an exception, whose text is not shown: it may hold values of the rows."""

    code: ClassVar[str] = "MODEL_FAILED"
    status: ClassVar[int] = 500
    exception: str

    @property
    def what(self) -> str:
        return f"The model failed with {self.exception}."

    @property
    def hint(self) -> str:
        return "the server shows the traceback where it is started with --debug"


@dataclass(eq=False)
class RProcessEndedError(SparkModelsError, RuntimeError):
    """The R process of a model ended while it scored; the next call starts another."""

    code: ClassVar[str] = "R_ENDED"
    status: ClassVar[int] = 500
    ending: str

    @property
    def what(self) -> str:
        return f"The R process that scores the model ended {self.ending}."

    @property
    def hint(self) -> str:
        return "what R said last stands in the standard error of this process; the next call starts another"


@dataclass(eq=False)
class ImageNotBuiltError(SparkModelsError, RuntimeError):
    """The image of a package was not built."""

    code: ClassVar[str] = "IMAGE_NOT_BUILT"
    status: ClassVar[int] = 500
    problem: str
    output: tuple[str, ...] = ()
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The image was not built: {self.problem}."

    @property
    def where(self) -> str:
        return "" if self.output == () else "\n  ".join(["the last that was said", *self.output])

    @property
    def hint(self) -> str:
        return self.advice


# --- deployments


@dataclass(eq=False)
class UnknownTargetError(SparkModelsError, LookupError):
    """No deployment target has this name: it is neither built in nor brought by an installed plugin."""

    code: ClassVar[str] = "UNKNOWN_TARGET"
    target: str
    known: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"There is no deployment target {self.target!r}."

    @property
    def where(self) -> str:
        return f"the targets here are {listed(self.known)}"

    @property
    def hint(self) -> str:
        close = difflib.get_close_matches(self.target, self.known, 1)
        return f"did you mean {close[0]!r}?" if close != [] else "install the plugin that brings it"


@dataclass(eq=False)
class InvalidPluginError(SparkModelsError, TypeError):
    """A plugin of a deployment target is not what a plugin must be, or can't be imported."""

    code: ClassVar[str] = "INVALID_PLUGIN"
    status: ClassVar[int] = 500
    target: str
    problem: str

    @property
    def what(self) -> str:
        return f"The plugin of the deployment target {self.target!r} can't be used: {self.problem}."

    @property
    def hint(self) -> str:
        return "a plugin is a module with one subclass of BaseDeploymentClient, and functions run_local and target_help"


@dataclass(eq=False)
class InvalidConfigError(SparkModelsError, ValueError):
    """The configuration of a deployment has unknown, missing or wrong values; all are listed."""

    code: ClassVar[str] = "INVALID_CONFIG"
    target: str
    problems: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"The configuration can't be used: {listed_pairs(self.problems, '; ')}."

    @property
    def where(self) -> str:
        return f"config of a deployment to {self.target}"

    @property
    def hint(self) -> str:
        return f"spark-models deployments help -t {self.target} lists what there is"


@dataclass(eq=False)
class DeploymentExistsError(SparkModelsError, FileExistsError):
    """There is another deployment of this name."""

    code: ClassVar[str] = "DEPLOYMENT_EXISTS"
    status: ClassVar[int] = 409
    name: str
    target: str
    advice: str = "update it, or delete it first"

    @property
    def what(self) -> str:
        return f"There is a deployment {self.name!r} already, of another model or configuration."

    @property
    def where(self) -> str:
        return self.target

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class DeploymentNotFoundError(SparkModelsError, LookupError):
    """There is no deployment of this name."""

    code: ClassVar[str] = "DEPLOYMENT_NOT_FOUND"
    status: ClassVar[int] = 404
    name: str
    target: str
    known: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        return f"There is no deployment {self.name!r}."

    @property
    def where(self) -> str:
        return self.target if self.known == () else f"{self.target}, which has {listed(self.known)}"


@dataclass(eq=False)
class DeploymentFailedError(SparkModelsError, RuntimeError):
    """A step of a deployment failed; the text names the resource."""

    code: ClassVar[str] = "DEPLOYMENT_FAILED"
    status: ClassVar[int] = 502
    step: str
    resource: str
    problem: str
    output: tuple[str, ...] = ()
    advice: str = ""

    @property
    def what(self) -> str:
        return f"{self.step} failed: {self.problem}."

    @property
    def where(self) -> str:
        return self.resource if self.output == () else "\n  ".join([f"{self.resource}; it said last", *self.output])

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class NotSupportedError(SparkModelsError, NotImplementedError):
    """A deployment target has no such operation."""

    code: ClassVar[str] = "NOT_SUPPORTED"
    status: ClassVar[int] = 501
    operation: str
    target: str

    @property
    def what(self) -> str:
        return f"{self.operation} is not supported by the deployment target {self.target!r}."


# --- Spark ML pipelines for the JVM


@dataclass(eq=False)
class UnsupportedStagesError(SparkModelsError, ValueError):
    """Stages of a pipeline can't be written for MLeap; all of them are listed with the reason."""

    code: ClassVar[str] = "UNSUPPORTED_STAGES"
    stages: tuple[tuple[str, str], ...]

    @property
    def what(self) -> str:
        each = listed_pairs((f"{uid}: {reason}" for uid, reason in self.stages), "; ")
        return f"{len(self.stages)} stages can't be written as a bundle of MLeap: {each}."

    @property
    def where(self) -> str:
        return "stages of the pipeline"

    @property
    def hint(self) -> str:
        return "leave them out of the pipeline, or save it without sample_input, with the spark flavor alone"


# --- batch jobs


@dataclass(frozen=True)
class JobProblem:
    """What is wrong with a job file at a line and column, counted from 1, of the value at `path`."""

    line: int
    column: int
    path: str
    problem: str

    def __str__(self) -> str:
        at = "" if self.path == "" else f" ({self.path})"
        return f"line {self.line}, column {self.column}{at}: {self.problem}"


@dataclass(eq=False)
class InvalidJobError(SparkModelsError, ValueError):
    """A job file does not say what a job is; every problem is told with its line."""

    code: ClassVar[str] = "INVALID_JOB"
    source: str
    problems: tuple[JobProblem, ...]

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"[{self.code}] {count} problem{'s' if count > 1 else ''} with the job file {self.source}."]
        lines += [f"  {problem}" for problem in self.problems[:LISTED]]
        return "\n".join([*lines, *([f"  … +{count - LISTED} more"] if count > LISTED else [])])


@dataclass(eq=False)
class JobPlanError(SparkModelsError, ValueError):
    """A job can't run as its file says: its source, columns, model or target don't fit."""

    code: ClassVar[str] = "JOB_PLAN"
    problem: str
    part: str
    advice: str = ""

    @property
    def what(self) -> str:
        return f"The job can't run: {self.problem}."

    @property
    def where(self) -> str:
        return f"{self.part} of the job file"

    @property
    def hint(self) -> str:
        return self.advice


@dataclass(eq=False)
class ExpectationError(SparkModelsError, ValueError):
    """What a job expects of its rows does not hold, so nothing was written."""

    code: ClassVar[str] = "EXPECTATION_FAILED"
    problems: tuple[str, ...]

    @property
    def what(self) -> str:
        return f"Expectations of the job don't hold: {listed_pairs(self.problems, '; ')}."

    @property
    def where(self) -> str:
        return "expect of the job file; nothing was written"


@dataclass(eq=False)
class WriteConflictError(SparkModelsError, RuntimeError):
    """Other writers kept a job from committing to its table, again and again."""

    code: ClassVar[str] = "WRITE_CONFLICT"
    status: ClassVar[int] = 500
    target: str
    attempts: int

    @property
    def what(self) -> str:
        return f"Other writers were faster {self.attempts} times; nothing was written to {self.target}."

    @property
    def hint(self) -> str:
        return "run the job again when they are done"


@dataclass(eq=False)
class JobFailedError(SparkModelsError, RuntimeError):
    """A job ended in an error of Spark or of a database; its text is shown without the job's secrets."""

    code: ClassVar[str] = "JOB_FAILED"
    status: ClassVar[int] = 500
    step: str
    kind: str
    detail: str

    @property
    def what(self) -> str:
        return f"The job failed while it {self.step}: {self.kind}."

    @property
    def where(self) -> str:
        return self.detail


@dataclass(eq=False)
class CompanionUnavailableError(SparkModelsError, RuntimeError):
    """The Java companion is asked for and can't be run here."""

    code: ClassVar[str] = "COMPANION_UNAVAILABLE"
    status: ClassVar[int] = 500
    problem: str

    @property
    def what(self) -> str:
        return f"The Java companion can't be run: {self.problem}."

    @property
    def hint(self) -> str:
        return "install Java 17 or newer, build spark-models.jar with `make jvm`, and name it with SPARK_MODELS_JAR"


@dataclass(eq=False)
class CompanionFailedError(SparkModelsError, RuntimeError):
    """The Java companion ended without an answer; `output` is the last that it said."""

    code: ClassVar[str] = "COMPANION_FAILED"
    status: ClassVar[int] = 500
    exit_status: int
    output: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        return f"The Java companion ended with status {self.exit_status} and without an answer."

    @property
    def where(self) -> str:
        return "" if self.output == () else "\n  ".join(["the last that it said", *self.output])


@dataclass(eq=False)
class ParityError(SparkModelsError, ValueError):
    """The JVM does not answer as Spark does; `columns` pairs each column with where and by how much."""

    code: ClassVar[str] = "PARITY"
    columns: tuple[tuple[str, str], ...]
    rows: int

    @property
    def what(self) -> str:
        each = listed_pairs((f"{name!r} ({how})" for name, how in self.columns), "; ")
        return f"The JVM does not give Spark's answers for {self.rows} rows of the sample: {each}."

    @property
    def where(self) -> str:
        return "outputs of the pipeline"

    @property
    def hint(self) -> str:
        return "save without verify=True if the columns are not needed; docs/bundle.md lists where answers differ"
