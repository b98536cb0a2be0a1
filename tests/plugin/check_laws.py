"""The suite of the built-in flavors, on this one: `test_plugin.py` runs it where the plugin is installed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from centroids import NearestCentroid
from flavor_laws import FlavorCase, FlavorLaws

from spark_models.flavors.registry import flavor_module, plugins
from spark_models.models import infer_signature

MODEL = NearestCentroid(["low", "high"], [[-1.0, -1.0], [1.0, 1.0]])
ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 2)), columns=["a", "b"])


class TestCentroids(FlavorLaws):
    @pytest.fixture(scope="class")
    @classmethod
    def case(cls) -> FlavorCase:
        flavor = flavor_module("centroids")
        return FlavorCase(
            "centroids",
            lambda path, **options: flavor.save_model(MODEL, path, **options),
            MODEL.predict,
            ROWS,
            infer_signature(ROWS, MODEL.predict(ROWS)),
            native=lambda path, rows: flavor.load_model(path).predict(rows),
            library=("centroids", "centroids_flavor", "pyspark"),
        )


def test_it_is_found_by_its_entry_point() -> None:
    assert plugins()["centroids"].value == "centroids_flavor"
