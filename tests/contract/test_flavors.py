"""The built-in flavors keep the laws."""

from __future__ import annotations

import pytest
from flavor_cases import pyfunc_cases, sklearn_cases
from flavor_laws import FlavorCase, FlavorLaws

from spark_models.flavors.registry import BUILT_IN

SKLEARN = sklearn_cases()
PYFUNC = pyfunc_cases()


class TestSklearn(FlavorLaws):
    @pytest.fixture(scope="class", params=SKLEARN, ids=str)
    @classmethod
    def case(cls, request: pytest.FixtureRequest) -> FlavorCase:
        return request.param


class TestPythonFunction(FlavorLaws):
    @pytest.fixture(scope="class", params=PYFUNC, ids=str)
    @classmethod
    def case(cls, request: pytest.FixtureRequest) -> FlavorCase:
        return request.param


ON_SPARK = {"spark", "mleap"}
"""Their oracle is a session, and a JVM: tests/spark/test_spark_flavor.py and tests/parity."""


def test_every_built_in_flavor_is_under_the_laws() -> None:
    assert {case.name.split(" ")[0] for case in SKLEARN + PYFUNC} == set(BUILT_IN) - ON_SPARK
