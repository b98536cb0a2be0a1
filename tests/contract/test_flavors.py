"""The built-in flavors keep the laws."""

from __future__ import annotations

import pytest
from flavor_cases import pyfunc_cases, sklearn_cases
from flavor_laws import FlavorCase, FlavorLaws
from native_cases import CASES

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
    names = [*(case.name for case in SKLEARN + PYFUNC), *CASES]  # the others: test_native_flavors.py
    assert {name.split(" ")[0] for name in names} == set(BUILT_IN) - ON_SPARK
