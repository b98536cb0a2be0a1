"""The shared behaviour cases, run by their own checker against the public names of this package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CASES = Path(os.environ.get("SPARK_MODELS_CASES") or ROOT.parent / "shared" / "cases")

pytestmark = pytest.mark.skipif(
    not (CASES / "check_cases.py").is_file(),
    reason=f"the shared behaviour cases are not at {CASES}: name their folder with SPARK_MODELS_CASES",
)

ON_SPARK = ["signature_inference", "spark_udf_result_type", "spark_udf_binding", "spark_flavor", "mleap_flavor"]
WITHOUT_SPARK = [
    "signature_json",
    "input_example",
    "enforcement_cells",
    "enforcement_columns",
    "tensor_enforcement",
    "mlmodel_and_files",
    "pyfunc",
    "tracking_and_uris",
    "rest",
    "rest_encoding",
    "document_facts",
    "cli",
    "deployments",
]
LINE = re.compile(r"^(\w+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)
"""A line of the checker's table: area, passed, failed, skipped, manual, overruled."""


def check(tmp_path: Path, area: str, *options: str) -> None:
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / "tests" / "cases"), str(CASES)]),
        PYSPARK_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_MODELS_CACHE=str(tmp_path / "cache"),
        SPARK_MODELS_HOME=str(tmp_path / "runs"),
    )
    command = [sys.executable, str(CASES / "check_cases.py"), "--adapter", "adapter_spark_models", "--area", area]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    found = {line[0]: [int(number) for number in line[1:]] for line in LINE.findall(done.stdout)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert area in found, f"no case of {area} was run:\n{done.stdout}"
    assert found[area][2] == 0, f"skipped cases:\n{done.stdout}"


@pytest.mark.parametrize("area", WITHOUT_SPARK)
def test_area(tmp_path: Path, area: str) -> None:
    check(tmp_path, area)


@pytest.mark.spark
@pytest.mark.parametrize("area", ON_SPARK)
def test_area_on_spark(tmp_path: Path, area: str) -> None:
    check(tmp_path, area)


@pytest.mark.parametrize("area", ["jvm_companion", "mleap_flavor", "spark_flavor"])
def test_every_manual_fact_is_a_test_of_its_own(area: str) -> None:
    text = (CASES / "cases.yaml").read_text()
    facts = set(re.findall(rf"^- id: (\S+)\n  area: {area}\n  op: note$", text, re.MULTILINE))
    files = [*(ROOT / "jvm").glob("*/src/test/java/**/*Test.java"), *(ROOT / "tests").glob("**/test_*.py")]
    named = "".join(file.read_text() for file in files)
    assert {fact for fact in facts if re.search(rf"{re.escape(fact)}\b", named) is None} == set()
    assert facts != set() or area == "spark_flavor"  # the checker runs all of those
