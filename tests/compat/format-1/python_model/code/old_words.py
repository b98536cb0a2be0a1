"""The model of a package of the first format, pickled by reference."""

from pathlib import Path

from spark_models.pyfunc import PythonModel


class Counts(PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def load_context(self, context):
        self.words = Path(context.artifacts["words"]).read_text().split()

    def predict(self, context, model_input, params=None):
        shift = (params or {}).get("shift", 0)
        return model_input.assign(score=range(len(model_input)))[["score"]] * self.factor + len(self.words) + shift
