"""Names of the files and keys of a package."""

from __future__ import annotations

MLMODEL = "MLmodel"
CONDA = "conda.yaml"
REQUIREMENTS = "requirements.txt"
CONSTRAINTS = "constraints.txt"
PYTHON_ENV = "python_env.yaml"
MANIFEST = "manifest.sha256"
EXAMPLE = "input_example.json"
EXAMPLE_PREDICTIONS = "example_predictions.json"
CODE = "code"
DATA = "data"
ARTIFACTS = "artifacts"

PYFUNC = "python_function"
"""The flavor that every Python model has."""

MLEAP = "mleap"
"""The flavor that a JVM scores."""

CRATE = "crate"
"""The flavor of R functions, which R writes and which is scored as a python_function."""

SCORED: dict[str, dict[str, str]] = {CRATE: {"loader_module": "spark_models.flavors.crate"}}
"""What stands in for the python_function flavor in a package that has one of these flavors and not that one."""
