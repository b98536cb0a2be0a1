"""The examples of the Models document, with only the name of the package replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spark_models.pyfunc

# The examples stand here as the document prints them.
# fmt: off


def test_the_add_n_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: the Models document, "Creating a custom 'add n' model"."""
    monkeypatch.chdir(tmp_path)

    # Define the model class
    class AddN(spark_models.pyfunc.PythonModel):

        def __init__(self, n):
            self.n = n

        def predict(self, context, model_input):
            return model_input.apply(lambda column: column + self.n)

    # Construct and save the model
    model_path = "add_n_model"
    add5_model = AddN(n=5)
    spark_models.pyfunc.save_model(path=model_path, python_model=add5_model)

    # Load the model in `python_function` format
    loaded_model = spark_models.pyfunc.load_model(model_path)

    # Evaluate the model
    model_input = pd.DataFrame([range(10)])
    model_output = loaded_model.predict(model_input)
    assert model_output.equals(pd.DataFrame([range(5, 15)]))


def test_the_xgboost_wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: the Models document, "Saving an XGBoost model in MLflow format"."""
    pytest.importorskip("xgboost")
    monkeypatch.chdir(tmp_path)

    # Load training and test datasets
    from sys import version_info

    import xgboost as xgb
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    PYTHON_VERSION = "{major}.{minor}.{micro}".format(major=version_info.major,  # noqa: N806, UP032 - as in the document
                                                      minor=version_info.minor,
                                                      micro=version_info.micro)
    iris = datasets.load_iris()
    x = iris.data[:, 2:]
    y = iris.target
    x_train, x_test, y_train, _ = train_test_split(x, y, test_size=0.2, random_state=42)
    dtrain = xgb.DMatrix(x_train, label=y_train)

    # Train and save an XGBoost model
    xgb_model = xgb.train(params={'max_depth': 10}, dtrain=dtrain, num_boost_round=10)
    xgb_model_path = "xgb_model.pth"
    xgb_model.save_model(xgb_model_path)

    # Create an `artifacts` dictionary that assigns a unique name to the saved XGBoost model file.
    artifacts = {
        "xgb_model": xgb_model_path
    }

    # Define the model class
    class XGBWrapper(spark_models.pyfunc.PythonModel):

        def load_context(self, context):
            import xgboost as xgb
            self.xgb_model = xgb.Booster()
            self.xgb_model.load_model(context.artifacts["xgb_model"])

        def predict(self, context, model_input):
            input_matrix = xgb.DMatrix(model_input.values)
            return self.xgb_model.predict(input_matrix)

    # Create a Conda environment for the new model that contains all necessary dependencies.
    import cloudpickle
    conda_env = {
        'channels': ['defaults'],
        'dependencies': [
          'python={}'.format(PYTHON_VERSION),  # noqa: UP032
          'pip',
          {
            'pip': [
              'spark-models',
              'xgboost=={}'.format(xgb.__version__),  # noqa: UP032
              'cloudpickle=={}'.format(cloudpickle.__version__),  # noqa: UP032
            ],
          },
        ],
        'name': 'xgb_env'
    }

    # Save the model
    pyfunc_model_path = "xgb_spark_models_pyfunc"
    spark_models.pyfunc.save_model(
            path=pyfunc_model_path, python_model=XGBWrapper(), artifacts=artifacts,
            conda_env=conda_env)

    # Load the model in `python_function` format
    loaded_model = spark_models.pyfunc.load_model(pyfunc_model_path)

    # Evaluate the model
    test_predictions = loaded_model.predict(pd.DataFrame(x_test))

    np.testing.assert_array_equal(test_predictions, xgb_model.predict(xgb.DMatrix(x_test)))
    requirements = (tmp_path / pyfunc_model_path / "requirements.txt").read_text().splitlines()
    assert f"xgboost=={xgb.__version__}" in requirements
    # The package stands alone: what was saved beside it is not needed any more.
    Path(xgb_model_path).unlink()
    again = spark_models.pyfunc.load_model(pyfunc_model_path)
    np.testing.assert_array_equal(again.predict(pd.DataFrame(x_test)), test_predictions)
