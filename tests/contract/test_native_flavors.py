"""The flavors of other libraries keep the laws, each with the real library.

A case whose library is not installed is skipped; with SPARK_MODELS_FLAVORS, the names of flavors, theirs fail instead.
"""

from __future__ import annotations

import pytest
from flavor_laws import FlavorCase, FlavorLaws
from native_cases import CASES, available

from spark_models.flavors.registry import BUILT_IN


class TestNative(FlavorLaws):
    @pytest.fixture(scope="class", params=CASES)
    @classmethod
    def case(cls, request: pytest.FixtureRequest) -> FlavorCase:
        found = available(request.param)
        if found is None:
            library = CASES[request.param][0]
            pytest.skip(f"{library} is not installed: scripts/environment makes an environment that has it")
        return found


def test_every_library_of_the_document_has_cases() -> None:
    elsewhere = {"crate", "mleap", "python_function", "spark"}
    assert {name.split(" ")[0] for name in CASES} == set(BUILT_IN) - elsewhere
