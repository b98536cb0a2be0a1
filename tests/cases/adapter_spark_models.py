"""The behaviour cases' adapter: this package through its public names only."""

from __future__ import annotations

import json
import re
import sys
import tempfile

import numpy as np
from adapter_template import Adapter as Template

import spark_models
from spark_models import errors
from spark_models.models import Model, ModelSignature, infer_signature
from spark_models.types import DataType
from spark_models.types.schema import ColSpec, Schema, TensorSpec


def spec_of(spec):
    if "dtype" in spec:
        return TensorSpec(np.dtype(spec["dtype"]), tuple(spec["shape"]), spec.get("name"))
    return ColSpec(spec["type"], spec.get("name"), spec.get("required", True))


def norm_spec(spec):
    plain = spec.to_dict()
    if "tensor-spec" in plain:
        return {
            key: value
            for key, value in {**plain["tensor-spec"], "name": plain.get("name")}.items()
            if value is not None
        }
    return plain


class Echo(spark_models.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input


class Adapter(Template):
    name = "spark_models"
    no_env_flags = ["--no-conda"]
    overruled = {
        "sig.infer.series.obj_bool_none": "an optional boolean: as string, enforcement would refuse the very data",
        "udf.bind.array_column_no_sig": "semantics: nested values reach a model without signature as Python lists",
        "rest.ct.unknown": "semantics: every error is the JSON object; its message lists the types that are accepted",
        "dep.cli.config_two_equals": "a value may hold '=', as URLs, tags and base64 do; MLflow 2 takes it too",
        "dep.cli.unknown_target": "an error of a command is its text and status 1, as of every other command here",
        "enf.cell.obj_all_none->double": "a batch may hold only missing values: how a table is cut must not matter",
    }

    # ---- errors
    def error(self, ex):
        if isinstance(ex, errors.SparkModelsError):
            return "ModelError", ex.code
        text = str(ex)
        code = re.search(r"\[([A-Z][A-Z_0-9]+)\] ", text.replace("[USER_RAISED_EXCEPTION] ", ""))
        codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
        if code is not None and code.group(1) in codes:
            return "ModelError", code.group(1)
        return type(ex).__name__, None

    # ---- signatures
    def schema(self, specs):
        return Schema([spec_of(spec) for spec in specs])

    def norm(self, schema):
        return None if schema is None else [norm_spec(spec) for spec in schema]

    def infer_schema(self, data):
        return self.norm(infer_signature(data).inputs)

    def infer_signature(self, i, o=None):
        signature = infer_signature(i, o)
        return {"inputs": self.norm(signature.inputs), "outputs": self.norm(signature.outputs)}

    def signature(self, i, o=None):
        return ModelSignature(self.schema(i), None if o is None else self.schema(o))

    def signature_dict(self, i, o=None):
        return self.signature(i, o).to_dict()

    def signature_from_dict(self, d):
        signature = ModelSignature.from_dict(d)
        return {"inputs": self.norm(signature.inputs), "outputs": self.norm(signature.outputs)}

    def spark_schema(self, specs):
        return self.schema(specs).as_spark_schema().simpleString()

    def tensor_spec_raw(self, dtype, shape):
        return norm_spec(TensorSpec(dtype, shape))

    def signature_raw(self, inputs):
        return ModelSignature(inputs)

    def type_map(self, name):
        kind = DataType(name)
        return {"numpy": str(kind.to_numpy()), "pandas": str(kind.to_pandas())}

    # ---- enforcement
    def enforce(self, specs, data):
        with tempfile.TemporaryDirectory() as path:
            spark_models.pyfunc.save_model(path, python_model=Echo(), signature=ModelSignature(self.schema(specs)))
            return spark_models.pyfunc.load_model(path).predict(data)

    # ---- input example
    def save_example(self, example, path):
        spark_models.pyfunc.save_model(path, python_model=Echo(), input_example=example)
        info = Model.load(path).saved_input_example_info
        with open(f"{path}/{info['artifact_path']}") as stream:
            return info, json.load(stream)

    def read_example(self, info, path, specs=None):
        signature = None if specs is None else ModelSignature(self.schema(specs))
        return Model(signature=signature, saved_input_example_info=info).load_input_example(path)

    # ---- pyfunc
    def python_model(self, predict, load=None):
        class Case(spark_models.pyfunc.PythonModel):
            loaded = None

            def load_context(self, context):
                if load is not None:
                    self.loaded = load(context)

            def predict(self, context, model_input):
                return predict(model_input, context, self.loaded)

        return Case()

    def save_pyfunc(self, path, **kw):
        if "signature" in kw:
            kw["signature"] = self.signature(kw["signature"]["inputs"], kw["signature"].get("outputs"))
        return spark_models.pyfunc.save_model(path, **kw)

    def load_pyfunc(self, uri):
        return spark_models.pyfunc.load_model(uri)

    def model_from_file(self, path):
        return Model.load(path)

    def model_api(self):
        return Model

    # ---- spark
    def spark_udf(self, spark, path, **kw):
        return spark_models.pyfunc.spark_udf(spark, path, **kw)

    def spark_udf_doc_form(self, path):
        return spark_models.pyfunc.spark_udf(path)

    # ---- REST
    def rest_client(self, specs, fn):
        from spark_models.serve import DataPlane
        from spark_models.serve.http import call_once, make_app

        with tempfile.TemporaryDirectory() as path:
            signature = None if specs is None else ModelSignature(self.schema(specs))
            model = self.python_model(lambda x, context, loaded: fn(x))
            spark_models.pyfunc.save_model(path, python_model=model, signature=signature)
            app = make_app(DataPlane(spark_models.pyfunc.load_model(path)))
        return lambda method, route, body, content_type: call_once(app, method, route, body, content_type)

    def spark_flavor(self):
        import spark_models.spark

        return spark_models.spark

    def mleap_flavor(self):
        import spark_models.mleap

        return spark_models.mleap

    # ---- command line
    def cli(self, group):
        from spark_models.cli import cli

        if group == "":
            return cli
        found = cli.get_command(None, group)
        if found is None:
            raise NotImplementedError(f"the command group {group}")
        return found

    def serve_command(self, path, port):
        return [sys.executable, "-m", "spark_models", "serve", "-m", path, "-p", str(port)]

    # ---- deployments
    def deployments(self):
        import spark_models.deployments
        from spark_models.deploy.plugins import plugin_store

        return spark_models.deployments, plugin_store

    def parse_target_uri(self, uri):
        from spark_models.deployments import get_deploy_client

        return get_deploy_client(uri)

    # ---- tracking
    def tracking(self, tmp):
        import os

        os.environ["SPARK_MODELS_HOME"] = os.path.join(tmp, "runs")

        class Double(spark_models.pyfunc.PythonModel):
            def predict(self, context, model_input):
                return model_input * 2

        def log(path, **kw):
            return spark_models.pyfunc.log_model(path, python_model=Double(), **kw)

        def in_run(use):
            with spark_models.start_run() as run:
                return use(run.info.run_id)

        def active():
            run = spark_models.active_run()
            return None if run is None else run.info.run_id

        def mlmodel(uri):
            return Model.load(uri).to_dict()

        def save_with_artifact(path, uri):
            spark_models.pyfunc.save_model(path, python_model=Double(), artifacts={"a": uri})
            return spark_models.pyfunc.load_model(path)

        def end():
            while spark_models.active_run() is not None:
                spark_models.end_run()

        return {
            "log": log,
            "model_log": lambda path, **kw: Model.log(path, spark_models.pyfunc, python_model=Double(), **kw),
            "active": active,
            "in_run": in_run,
            "mlmodel": mlmodel,
            "save_with_artifact": save_with_artifact,
            "end": end,
        }
