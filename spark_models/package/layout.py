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
