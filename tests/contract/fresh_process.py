"""Run by a law in a process of its own: opens a package, says which modules that imported, then loads and scores it."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path

from spark_models.models import Model
from spark_models.package.audit import code_reasons
from spark_models.package.reader import open_package

package, scratch, *library = sys.argv[1:]

opened = open_package(package)
opened.verify()
code_reasons(opened)
assert Model.load(package).load_input_example(package) is not None
sys.stdout.write(json.dumps({"imported by opening": [name for name in library if name in sys.modules]}) + "\n")

from spark_models.pyfunc import load_model  # noqa: E402 - opening is over

answer = load_model(package).predict(pickle.loads(Path(scratch, "data").read_bytes()))
Path(scratch, "answer").write_bytes(pickle.dumps(answer))
