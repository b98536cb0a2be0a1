"""What every flavor is made of: its capabilities, the predictor it loads, and the example's predictions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from spark_models.bind.enforce import Enforcer
from spark_models.errors import InvalidExampleError, SparkModelsError
from spark_models.package.writer import PackageWriter


class Predictor(Protocol):
    """A loaded python_function: rows in, predictions out.

    Where its attribute `keeps_input` is true it never writes into its input, which then need not be copied for it.
    """

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The model's own output for the model's own input."""


class MethodPredictor(Predictor, Protocol):
    """A predictor whose model has several methods that score: predict, predict_proba, transform, …"""

    def with_method(self, method: str) -> Predictor:
        """The same model, scored by another of its methods."""


@dataclass(frozen=True, slots=True)
class Format:
    """A form of a flavor's model files, by the name that `save_model` knows it by; `runs` is what loading it executes.

    Where `runs` is empty loading executes nothing that the package carries or names.
    """

    name: str
    runs: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a flavor's pyfunc form can take and bear.

    `inputs` are "dataframe", "ndarray" or "dict"; `split_invariant` says that scoring a+b equals scoring a then b;
    `memory_mapped` that a package can be saved so that the model's arrays are mapped from its file when it is loaded,
    one copy for all processes of a host. `formats` are the forms of the model's files, the default one first;
    `library` is the distribution that loading needs, `methods` score beside predict; `batch_rows` is how many rows of
    tensors Spark gives it at once.
    """

    inputs: tuple[str, ...] = ("dataframe",)
    thread_safe: bool = True
    split_invariant: bool = True
    memory_mapped: bool = False
    library: str = ""
    formats: tuple[Format, ...] = ()
    batch_rows: int | None = None
    methods: tuple[str, ...] = ()

    @property
    def safe_to_load(self) -> bool:
        """Whether loading the default format runs no code of the package."""
        return self.formats != () and self.formats[0].runs == ""


def add_example(writer: PackageWriter, example: Any, predict: Callable[[Any], Any]) -> None:
    """Stores an example with the predictions on it; the signature, where there is one, must accept it.

    A model that fails on its own example, or whose output JSON has no form for, is still saved, with a warning and
    without predictions: the example may need what this machine has not.

    Raises:
        InputError: the example does not fit the signature.
    """
    if example is None:
        return
    signature = writer.model.signature
    enforce = None if signature is None or len(signature.inputs) == 0 else Enforcer(signature.inputs, "the example")
    writer.add_example(example)
    data = writer.model.load_input_example(writer.root)
    given = data if enforce is None else enforce(data)
    try:
        writer.add_example(example, lambda _: predict(given))
    except InvalidExampleError as error:
        warnings.warn(
            f"The predictions on the input example can't be stored ({error.problem}), so `verify` will have nothing to "
            "compare.",
            UserWarning,
            stacklevel=4,
        )
    except Exception as error:
        if isinstance(error, SparkModelsError):
            raise
        warnings.warn(
            f"The model fails on its input example ({type(error).__name__}), so the example is stored without "
            "predictions, and `verify` will have nothing to compare.",
            UserWarning,
            stacklevel=4,
        )
