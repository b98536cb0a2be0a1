"""The loader of a package of the first format: factors from a JSON file."""

import json
from pathlib import Path


class Linear:
    def __init__(self, factors):
        self.factors = factors

    def predict(self, data):
        return sum(factor * data[name] for name, factor in self.factors.items()).to_numpy()


def _load_pyfunc(path):
    return Linear(json.loads(Path(path).read_text()))
