"""The whole text of every error, that errors survive pickle and copy, and that no text is endless or holds a row."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spark_models import errors as E
from spark_models.bind.enforce import Enforcer
from spark_models.schema.schema import Schema
from spark_models.schema.specs import ColSpec, TensorSpec

TEXTS: list[tuple[E.SparkModelsError, str]] = [
    (E.SparkModelsError(), "[SPARK_MODELS_ERROR] The operation failed."),
    (
        E.InvalidSchemaError("names must be unique", "signature.inputs"),
        "[INVALID_SCHEMA] Invalid schema: names must be unique.\nWhere: signature.inputs",
    ),
    (E.InvalidSchemaError("it is empty"), "[INVALID_SCHEMA] Invalid schema: it is empty."),
    (
        E.InvalidSpecTypeError("ColSpec", "type", "a DataType or its name", "int"),
        "[INVALID_SPEC_TYPE] ColSpec expects a DataType or its name for 'type', not int.",
    ),
    (
        E.UnsupportedDataError("a generator"),
        (
            "[UNSUPPORTED_DATA] Can't infer a schema from a generator.\n"
            "Hint: give a pandas DataFrame or Series, a numpy array, a dict of numpy arrays, a list of records or "
            "rows, a Spark DataFrame or an Arrow table"
        ),
    ),
    (
        E.UnsupportedDataError("an empty list", "give at least one record"),
        "[UNSUPPORTED_DATA] Can't infer a schema from an empty list.\nHint: give at least one record",
    ),
    (
        E.UnsupportedColumnError((("z", "complex128"), ("t", "timedelta64[ns]")), "drop them"),
        "[UNSUPPORTED_COLUMN] The format has no column type for z: complex128, t: timedelta64[ns].\nHint: drop them",
    ),
    (
        E.InvalidParamsError(("'top' is unknown", "'k' must be long, not str"), ("k", "seed")),
        (
            "[INVALID_PARAMS] Invalid parameters: 'top' is unknown; 'k' must be long, not str.\n"
            "Where: params of the call; the signature declares ['k', 'seed']."
        ),
    ),
    (
        E.InvalidJobError(
            "conf/churn.yaml",
            (
                E.JobProblem(2, 10, "version", "one of 1 is expected"),
                E.JobProblem(9, 1, "", "the key sink is missing"),
            ),
        ),
        (
            "[INVALID_JOB] 2 problems with the job file conf/churn.yaml.\n"
            "  line 2, column 10 (version): one of 1 is expected\n"
            "  line 9, column 1: the key sink is missing"
        ),
    ),
    (
        E.JobPlanError("the source has no columns ['ID']", "keys and keep", "rename 'id' to 'ID'"),
        (
            "[JOB_PLAN] The job can't run: the source has no columns ['ID'].\n"
            "Where: keys and keep of the job file\n"
            "Hint: rename 'id' to 'ID'"
        ),
    ),
    (
        E.ExpectationError(("3 rows, at least 10 are expected", "the largest prediction is above 1")),
        (
            "[EXPECTATION_FAILED] Expectations of the job don't hold: 3 rows, at least 10 are expected; the largest "
            "prediction is above 1.\n"
            "Where: expect of the job file; nothing was written"
        ),
    ),
    (
        E.WriteConflictError("delta main.crm.scores", 4),
        (
            "[WRITE_CONFLICT] Other writers were faster 4 times; nothing was written to delta main.crm.scores.\n"
            "Hint: run the job again when they are done"
        ),
    ),
    (
        E.JobFailedError("scored and wrote the output", "PythonException", "[MISSING_EXTRA] numpy is missing"),
        (
            "[JOB_FAILED] The job failed while it scored and wrote the output: PythonException.\n"
            "Where: [MISSING_EXTRA] numpy is missing"
        ),
    ),
    (
        E.UnknownTargetError("locl", ("docker", "local")),
        (
            "[UNKNOWN_TARGET] There is no deployment target 'locl'.\n"
            "Where: the targets here are ['docker', 'local']\n"
            "Hint: did you mean 'local'?"
        ),
    ),
    (
        E.UnknownTargetError("redisai", ("docker", "local")),
        (
            "[UNKNOWN_TARGET] There is no deployment target 'redisai'.\n"
            "Where: the targets here are ['docker', 'local']\n"
            "Hint: install the plugin that brings it"
        ),
    ),
    (
        E.InvalidPluginError("ledger", "ledger has no subclass of BaseDeploymentClient"),
        (
            "[INVALID_PLUGIN] The plugin of the deployment target 'ledger' can't be used: ledger has no subclass of "
            "BaseDeploymentClient.\n"
            "Hint: a plugin is a module with one subclass of BaseDeploymentClient, and functions run_local and "
            "target_help"
        ),
    ),
    (
        E.InvalidConfigError("local", ("unknown ['prot']", "workers must be int, not 'two'")),
        (
            "[INVALID_CONFIG] The configuration can't be used: unknown ['prot']; workers must be int, not 'two'.\n"
            "Where: config of a deployment to local\n"
            "Hint: spark-models deployments help -t local lists what there is"
        ),
    ),
    (
        E.DeploymentExistsError("churn", "local"),
        (
            "[DEPLOYMENT_EXISTS] There is a deployment 'churn' already, of another model or configuration.\n"
            "Where: local\n"
            "Hint: update it, or delete it first"
        ),
    ),
    (
        E.DeploymentNotFoundError("churn", "local", ("spam",)),
        "[DEPLOYMENT_NOT_FOUND] There is no deployment 'churn'.\nWhere: local, which has ['spam']",
    ),
    (
        E.DeploymentNotFoundError("churn", "sagemaker:/us-east-1"),
        "[DEPLOYMENT_NOT_FOUND] There is no deployment 'churn'.\nWhere: sagemaker:/us-east-1",
    ),
    (
        E.DeploymentFailedError("docker build", "image churn", "it ended with status 1", ("no space",), "free some"),
        (
            "[DEPLOYMENT_FAILED] docker build failed: it ended with status 1.\n"
            "Where: image churn; it said last\n"
            "  no space\n"
            "Hint: free some"
        ),
    ),
    (
        E.DeploymentFailedError("sagemaker.create_model", "SageMaker model churn", "AccessDenied: no"),
        "[DEPLOYMENT_FAILED] sagemaker.create_model failed: AccessDenied: no.\nWhere: SageMaker model churn",
    ),
    (
        E.NotSupportedError("explain", "local"),
        "[NOT_SUPPORTED] explain is not supported by the deployment target 'local'.",
    ),
    (E.InputError(), "[INVALID_INPUT] The operation failed."),
    (
        E.UnsupportedStagesError((("SQL_1", "MLeap has no op for SQLTransformer"), ("nb", "it has another reason"))),
        (
            "[UNSUPPORTED_STAGES] 2 stages can't be written as a bundle of MLeap: SQL_1: MLeap has no op for "
            "SQLTransformer; nb: it has another reason.\n"
            "Where: stages of the pipeline\n"
            "Hint: leave them out of the pipeline, or save it without sample_input, with the spark flavor alone"
        ),
    ),
    (
        E.InvalidInputError((E.ColumnTypeError("a", "int64", "integer"), E.NullColumnError("b", "boolean"))),
        (
            "[INVALID_INPUT] 2 problems with the input.\n"
            "[COLUMN_TYPE] Column 'a' is int64; integer is expected, and the cast may lose values.\n"
            "Where: inputs of the signature\n"
            "[NULLS_IN_COLUMN] Column 'b' of type boolean has missing values.\n"
            "Where: inputs of the signature\n"
            'Hint: mark it "required": false, or fill the missing values'
        ),
    ),
    (
        E.MissingColumnsError(("age", "zip"), ("Age", "name"), 2, "models/churn"),
        (
            "[MISSING_COLUMNS] Model is missing inputs ['age', 'zip'].\n"
            "Where: inputs of the signature of models/churn (2 inputs); the input has ['Age', 'name'].\n"
            "Hint: rename 'Age' to 'age'"
        ),
    ),
    (
        E.MissingColumnsError(("age",), (), 1),
        (
            "[MISSING_COLUMNS] Model is missing inputs ['age'].\n"
            "Where: inputs of the signature (1 inputs); the input has []."
        ),
    ),
    (
        E.ColumnCountError(3, 2, ("a", "b"), ("x", "y", "z")),
        (
            "[COLUMN_COUNT] Model takes exactly 3 inputs by position; got 2.\n"
            "Where: the signature has ['x', 'y', 'z']; the input has ['a', 'b']."
        ),
    ),
    (E.ColumnCountError(3, 2), "[COLUMN_COUNT] Model takes exactly 3 inputs by position; got 2."),
    (
        E.ColumnTypeError("n", "int64", "integer", "cast with astype('int32')"),
        (
            "[COLUMN_TYPE] Column 'n' is int64; integer is expected, and the cast may lose values.\n"
            "Where: inputs of the signature\n"
            "Hint: cast with astype('int32')"
        ),
    ),
    (
        E.NullColumnError("n", "long", "float64"),
        (
            "[NULLS_IN_COLUMN] Column 'n' of type long has missing values (it is float64).\n"
            "Where: inputs of the signature\n"
            'Hint: declare it as double when you infer the signature, or mark it "required": false, '
            "or fill the missing values"
        ),
    ),
    (
        E.DuplicateColumnsError(("a", "b")),
        (
            "[DUPLICATE_COLUMNS] The input has several columns named ['a', 'b'].\n"
            "Hint: drop or rename them: inputs are matched by name"
        ),
    ),
    (
        E.UnsupportedInputError("a str", "a DataFrame"),
        "[UNSUPPORTED_INPUT] The input is a str; a DataFrame is expected.",
    ),
    (
        E.TensorTypeError("pixels", "float64", "float32"),
        (
            "[TENSOR_TYPE] Tensor 'pixels' has dtype float64; float32 is expected.\n"
            "Hint: tensors are matched strictly: cast it with .astype('float32') if that is what you mean"
        ),
    ),
    (
        E.TensorValueError("ids", "int64", "int32"),
        (
            "[TENSOR_VALUE] Tensor 'ids' holds int64 numbers that int32 can't hold.\n"
            "Where: inputs of the signature\n"
            "Hint: leave these rows out, or save the model with a wider tensor"
        ),
    ),
    (
        E.TensorShapeError(None, (2, 3), (-1, 4)),
        "[TENSOR_SHAPE] The tensor has shape (2, 3); (-1, 4) is expected (-1: any length).",
    ),
    (
        E.ModelPathExistsError("models/churn"),
        (
            "[PATH_EXISTS] The path 'models/churn' exists and is not empty.\n"
            "Hint: choose another path, or remove it first: saving never overwrites"
        ),
    ),
    (
        E.ModelNotFoundError("runs:/1/model", "home/1/model"),
        "[MODEL_NOT_FOUND] There is no model at 'runs:/1/model'.\nWhere: home/1/model",
    ),
    (E.ModelNotFoundError("models/m", "models/m"), "[MODEL_NOT_FOUND] There is no model at 'models/m'."),
    (
        E.NotAModelError("models"),
        (
            "[NOT_A_MODEL] 'models' is no model: it has no MLmodel file.\n"
            "Hint: give the directory that save_model wrote, the one with MLmodel in it"
        ),
    ),
    (
        E.InvalidMLmodelError("m/MLmodel", "'flavors' is missing"),
        "[INVALID_MLMODEL] MLmodel is not valid: 'flavors' is missing.\nWhere: m/MLmodel",
    ),
    (
        E.InvalidPackageError("data/link", "a link has no place in a package"),
        "[INVALID_PACKAGE] The package is not valid: a link has no place in a package.\nWhere: data/link",
    ),
    (
        E.PathEscapesError("../x", "m/MLmodel"),
        (
            "[PATH_ESCAPES] The path '../x' leads out of its directory.\n"
            "Where: m/MLmodel\n"
            "Hint: paths in a package are relative, without '..', and no link leads outside"
        ),
    ),
    (
        E.ManifestMismatchError("m", ("model.pkl",), ("x",), ()),
        (
            "[MANIFEST_MISMATCH] The package is not as it was saved: changed ['model.pkl'], added ['x'].\n"
            "Where: m\n"
            "Hint: if the change is yours, write the manifest anew: spark-models update-manifest -m DIR"
        ),
    ),
    (
        E.HashMismatchError("m", "aa", "bb"),
        "[HASH_MISMATCH] The package's content hash is aa; bb is expected.\nWhere: m",
    ),
    (
        E.UnsafeCacheError("cache", "others can write to it"),
        (
            "[UNSAFE_CACHE] The cache directory can't be used: others can write to it.\n"
            "Where: cache\n"
            "Hint: set SPARK_MODELS_CACHE to a directory of your own with mode 0700"
        ),
    ),
    (
        E.UnsupportedUriError("ftp://x", "copy it to a local path"),
        "[UNSUPPORTED_URI] The model URI 'ftp://x' can't be used here.\nHint: copy it to a local path",
    ),
    (
        E.RunNotFoundError("abc", "home"),
        (
            "[RUN_NOT_FOUND] There is no run 'abc'.\n"
            "Where: home\n"
            "Hint: set SPARK_MODELS_HOME to the directory that holds the runs"
        ),
    ),
    (
        E.NoRegistryError("churn"),
        (
            "[NO_REGISTRY] The model can't be registered as 'churn': there is no model registry here.\n"
            "Hint: leave registered_model_name out, or log inside mlflow.start_run() of an MLflow server"
        ),
    ),
    (
        E.FlavorNotFoundError("spark", ("python_function", "sklearn"), "m"),
        "[FLAVOR_NOT_FOUND] The model has no flavor 'spark'; it has ['python_function', 'sklearn'].\nWhere: m",
    ),
    (
        E.FlavorNotFoundError("python_function", ("mleap",), "m"),
        (
            "[FLAVOR_NOT_FOUND] The model has no flavor 'python_function'; it has ['mleap'].\nWhere: m\n"
            "Hint: the mleap flavor is scored in a JVM: docs/jvm.md tells of the Java companion"
        ),
    ),
    (
        E.LoaderNotFoundError("my.loader", "No module named 'my'", "m"),
        (
            "[LOADER_NOT_FOUND] The loader module 'my.loader' can't be used: No module named 'my'.\n"
            "Where: m\n"
            "Hint: install the package that has it, or save the model with code_paths=[...]"
        ),
    ),
    (
        E.CodeNotAllowedError("m", ("'model.pkl' is a pickle", "the folder 'code' goes on the import path")),
        (
            "[CODE_NOT_ALLOWED] Loading this model would run code that it carries: 'model.pkl' is a pickle; "
            "the folder 'code' goes on the import path.\n"
            "Where: m\n"
            "Hint: look with `spark-models inspect -m DIR`, then load with allow_code=True if you trust its author"
        ),
    ),
    (
        E.ModuleConflictError(("features",), "m"),
        (
            "[MODULE_CONFLICT] The package carries modules ['features'] that this process has loaded from elsewhere.\n"
            "Where: m\n"
            "Hint: load the models in processes of their own, or rename the modules in one of them"
        ),
    ),
    (
        E.MissingExtraError("scikit-learn", "sklearn", "Loading this model"),
        (
            "[MISSING_EXTRA] Loading this model needs scikit-learn, which is not installed.\n"
            "Hint: pip install 'spark-models[sklearn]'"
        ),
    ),
    (
        E.MissingProgramError("Rscript", "Scoring an R function", "install R"),
        ("[MISSING_PROGRAM] Scoring an R function needs Rscript, which is not on this host.\nHint: install R"),
    ),
    (
        E.RProcessEndedError("by SIGKILL"),
        (
            "[R_ENDED] The R process that scores the model ended by SIGKILL.\n"
            "Hint: what R said last stands in the standard error of this process; the next call starts another"
        ),
    ),
    (
        E.InvalidArgumentError("The method 'x' does not score", "choose one of ['predict']"),
        "[INVALID_ARGUMENT] The method 'x' does not score.\nHint: choose one of ['predict']",
    ),
    (E.InvalidArgumentError("The model takes no params"), "[INVALID_ARGUMENT] The model takes no params."),
    (
        E.InvalidExampleError("it is a set", "give a DataFrame"),
        "[INVALID_EXAMPLE] The input example can't be stored: it is a set.\nHint: give a DataFrame",
    ),
    (E.JsonValueError("inputs[3].a", "a string", "long"), "[JSON_VALUE] a string is no long.\nWhere: inputs[3].a"),
    (
        E.JsonBodyError("it is not JSON", "line 1, column 2"),
        "[JSON_BODY] The input can't be read: it is not JSON.\nWhere: line 1, column 2",
    ),
    (
        E.InvalidModelError("sklearn", "a dict", "an estimator with predict()"),
        "[INVALID_MODEL] The sklearn flavor saves an estimator with predict(), not a dict.",
    ),
    (
        E.InvalidYamlError("m/MLmodel", 3, "a key is expected", 5),
        "[INVALID_YAML] Invalid YAML: a key is expected.\nWhere: m/MLmodel, line 3, column 5",
    ),
    (E.InvalidYamlError("text", None, "it is empty"), "[INVALID_YAML] Invalid YAML: it is empty.\nWhere: text"),
    (
        E.UnsafeYamlError("m/MLmodel", "it names Python objects"),
        "[UNSAFE_YAML] Unsafe YAML: it names Python objects.\nWhere: m/MLmodel",
    ),
    (
        E.InvalidEnvironmentError("'dependencies' is missing", "conda_env", "give a list"),
        "[INVALID_ENVIRONMENT] Invalid environment: 'dependencies' is missing.\nWhere: conda_env\nHint: give a list",
    ),
    (
        E.UnsupportedResultTypeError("complex"),
        (
            "[UNSUPPORTED_RESULT_TYPE] The result type 'complex' is not supported.\n"
            "Hint: use int, long, float, double, string, boolean, date, timestamp, binary, decimal(p,s), array<…>, "
            "map<string,…>, struct<name:…> or 'signature'"
        ),
    ),
    (
        E.UnsupportedResultTypeError("signature", "the model has no output signature"),
        (
            "[UNSUPPORTED_RESULT_TYPE] The result type 'signature' is not supported.\n"
            "Hint: the model has no output signature"
        ),
    ),
    (E.OutputError(), "[INVALID_OUTPUT] The operation failed."),
    (
        E.NoMatchingOutputError("int", (("p", "float64"), ("label", "object"))),
        (
            "[NO_MATCHING_OUTPUT] The model's output has nothing that fits the result type int.\n"
            "Where: the model's output is p: float64, label: object\n"
            "Hint: choose a result_type that the output has; int takes up to 32 bits, long up to 64, "
            "string takes anything"
        ),
    ),
    (
        E.NoMatchingOutputError("long", (), "score"),
        (
            "[NO_MATCHING_OUTPUT] The model's output has no 'score' that fits the result type long.\n"
            "Where: the model's output has no columns\n"
            "Hint: choose a result_type that the output has; int takes up to 32 bits, long up to 64, "
            "string takes anything"
        ),
    ),
    (
        E.RowCountError(5, 1),
        (
            "[ROW_COUNT] The model gave 1 predictions for 5 rows.\n"
            "Hint: its predict must give exactly one prediction for each row, in their order"
        ),
    ),
    (
        E.UnsupportedOutputError("a generator"),
        (
            "[UNSUPPORTED_OUTPUT] The model's output is a generator.\n"
            "Hint: predict must give a DataFrame, Series, array, list, or dict of columns"
        ),
    ),
    (E.OutputValueError("p", "int"), "[OUTPUT_VALUE] Output 'p' has values that int can't hold."),
    (
        E.NoSparkSessionError(),
        (
            "[NO_SPARK_SESSION] There is no active Spark session.\n"
            "Hint: start one: spark = SparkSession.builder.getOrCreate(), or give it: spark_udf(spark, model_uri)"
        ),
    ),
    (
        E.NoSignatureError("models/m"),
        (
            "[NO_SIGNATURE] The UDF was called without columns, and the model has no signature that names any.\n"
            "Where: models/m\n"
            "Hint: call it with columns, predict('a', 'b') or predict(struct('a', 'b')), or save it with a signature"
        ),
    ),
    (
        E.AmbiguousBindingError(("b", "a"), ("a", "b")),
        (
            "[AMBIGUOUS_BINDING] The columns are given by position, and their names say another order.\n"
            "Where: the signature has ['a', 'b']; the call has ['b', 'a'].\n"
            "Hint: give names as text to bind by name, or columns in the signature's order"
        ),
    ),
    (
        E.StructNotAloneError(2),
        (
            "[STRUCT_NOT_ALONE] A struct must be the only argument; 2 were given.\n"
            "Hint: put every column into the struct, or give every column by itself"
        ),
    ),
    (
        E.VectorColumnError("v"),
        (
            "[VECTOR_COLUMN] Column 'v' is a Spark ML vector, which a UDF sees as an internal struct.\n"
            "Hint: give vector_to_array(col('v')) from pyspark.ml.functions, or use spark_models.score(df, …), "
            "which inserts it"
        ),
    ),
    (
        E.ShipError("m.zip", "its hash differs"),
        "[SHIP_FAILED] The package m.zip can't be used on this executor: its hash differs.",
    ),
    (
        E.NothingToReplayError("m", "input example"),
        (
            "[NOTHING_TO_REPLAY] The package has no input example, so there is nothing to compare.\n"
            "Where: m\n"
            "Hint: save the model with input_example=…: its predictions are stored beside it"
        ),
    ),
    (
        E.SparkUnavailableError("no Java was found"),
        (
            "[SPARK_UNAVAILABLE] Spark can't be started: no Java was found.\n"
            "Hint: install Java 17 or later and set JAVA_HOME, or leave Spark out with --no-spark"
        ),
    ),
    (
        E.EnvironmentNotBuiltError("the installer ended with code 1", ("no such package", "bye"), "mend the file"),
        (
            "[ENVIRONMENT_NOT_BUILT] The environment of the package was not built: the installer ended with code 1.\n"
            "Where: the installer said\n"
            "  no such package\n"
            "  bye\n"
            "Hint: mend the file"
        ),
    ),
    (
        E.EnvironmentNotBuiltError("there is no installer"),
        "[ENVIRONMENT_NOT_BUILT] The environment of the package was not built: there is no installer.",
    ),
    (
        E.ModelProcessError("ended with code 9", ("Killed",), "give it more memory"),
        (
            "[MODEL_PROCESS_ENDED] The model's own process ended with code 9.\n"
            "Where: the last of its standard error\n"
            "  Killed\n"
            "Hint: give it more memory"
        ),
    ),
    (E.ModelProcessError("did not start"), "[MODEL_PROCESS_ENDED] The model's own process did not start."),
    (
        E.CacheFullError("cache", "it needs 5 bytes, and 3 are free"),
        (
            "[CACHE_FULL] The package cache can't take another package: it needs 5 bytes, and 3 are free.\n"
            "Where: cache\n"
            "Hint: free space there, or set SPARK_MODELS_CACHE to a directory of your own on a larger disk"
        ),
    ),
    (
        E.ContentTypeError("", ("text/csv", "application/json")),
        ("[UNSUPPORTED_MEDIA_TYPE] The request says no content type.\nHint: send one of text/csv, application/json"),
    ),
    (
        E.ContentTypeError("text/html", ("text/csv",)),
        "[UNSUPPORTED_MEDIA_TYPE] The content type 'text/html' is not read here.\nHint: send one of text/csv",
    ),
    (
        E.NotAcceptableError("text/html", ("application/json",)),
        "[NOT_ACCEPTABLE] The answer can't be given as 'text/html'.\nHint: accept one of application/json",
    ),
    (
        E.BodyTooLargeError(10),
        (
            "[BODY_TOO_LARGE] The body has more than 10 bytes.\n"
            "Hint: send fewer rows at once, or start the server with a larger --max-body"
        ),
    ),
    (E.RequestError("NOT_FOUND", 404, "There is no such route"), "[REQUEST_REFUSED] There is no such route."),
    (
        E.RequestError("HOST_NOT_ALLOWED", 421, "The request's Host is not one of this server's", "use --allow-host"),
        "[REQUEST_REFUSED] The request's Host is not one of this server's.\nHint: use --allow-host",
    ),
    (
        E.QueueFullError(7),
        (
            "[QUEUE_FULL] 7 requests wait for the model already.\n"
            "Hint: try again in a moment; more workers (-w) or a longer --queue take more requests at once"
        ),
    ),
    (
        E.DeadlineError(1.5),
        (
            "[DEADLINE_EXCEEDED] The model gave no answer in 1.5 s.\n"
            "Hint: send fewer rows at once, or start the server with a longer --timeout"
        ),
    ),
    (
        E.NotReadyError("it ends"),
        "[NOT_READY] The server does not score now: it ends.\nHint: try again in a moment",
    ),
    (
        E.ImageNotBuiltError("docker ended with status 1", ("no space left",), "run: docker build -t m m-image"),
        (
            "[IMAGE_NOT_BUILT] The image was not built: docker ended with status 1.\n"
            "Where: the last that was said\n  no space left\n"
            "Hint: run: docker build -t m m-image"
        ),
    ),
    (
        E.ModelFailedError("KeyError"),
        (
            "[MODEL_FAILED] The model failed with KeyError.\n"
            "Hint: the server shows the traceback where it is started with --debug"
        ),
    ),
    (
        E.UnsupportedStagesError(
            (("SQLTransformer_1", "MLeap runs no SQL"), ("MinHashLSH_2", "MLeap has no op for it"))
        ),
        (
            "[UNSUPPORTED_STAGES] 2 stages can't be written as a bundle of MLeap: SQLTransformer_1: MLeap runs no SQL; "
            "MinHashLSH_2: MLeap has no op for it.\n"
            "Where: stages of the pipeline\n"
            "Hint: leave them out of the pipeline, or save it without sample_input, with the spark flavor alone"
        ),
    ),
    (
        E.CompanionUnavailableError("there is no Java on PATH"),
        (
            "[COMPANION_UNAVAILABLE] The Java companion can't be run: there is no Java on PATH.\n"
            "Hint: install Java 17 or newer, build spark-models.jar with `make jvm`, and name it with SPARK_MODELS_JAR"
        ),
    ),
    (
        E.CompanionFailedError(1, ("[UNKNOWN_OP] The bundle has the op 'x'", "Where: root/x.node/model.json")),
        (
            "[COMPANION_FAILED] The Java companion ended with status 1 and without an answer.\n"
            "Where: the last that it said\n  [UNKNOWN_OP] The bundle has the op 'x'\n  Where: root/x.node/model.json"
        ),
    ),
    (E.CompanionFailedError(137), "[COMPANION_FAILED] The Java companion ended with status 137 and without an answer."),
    (
        E.ParityError((("prediction", "row 3, by 0.5"), ("label", "row 0")), 20),
        (
            "[PARITY] The JVM does not give Spark's answers for 20 rows of the sample: 'prediction' (row 3, by 0.5); "
            "'label' (row 0).\n"
            "Where: outputs of the pipeline\n"
            "Hint: save without verify=True if the columns are not needed; docs/bundle.md lists where answers differ"
        ),
    ),
]

CLASSES = [kind for kind in vars(E).values() if isinstance(kind, type) and issubclass(kind, E.SparkModelsError)]
NAMES = tuple(f"c{at}" for at in range(12))
PAIRS = tuple((name, "void") for name in NAMES)
SECRET = "4111-1111-1111-1111"
SECRET_NUMBER = 987_654_321_012


def label(case: Any) -> str:
    return type(case).__name__ if isinstance(case, E.SparkModelsError) else ""


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=label)
def test_the_text_is_exactly_this(error: E.SparkModelsError, text: str) -> None:
    assert str(error) == text


def test_every_class_has_its_text_here() -> None:
    assert {type(error) for error, _ in TEXTS} == set(CLASSES)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_code_is_in_capitals_and_stands_first_in_the_text(kind: type[E.SparkModelsError]) -> None:
    assert re.fullmatch("[A-Z_]+", kind.code)
    assert all(str(error).startswith(f"[{kind.code}] ") for error, _ in TEXTS if type(error) is kind)
    assert 400 <= kind.status < 600


def test_a_code_belongs_to_one_class_and_the_base_it_falls_back_to() -> None:
    by_code: dict[str, list[type[E.SparkModelsError]]] = {}
    for kind in CLASSES:
        by_code.setdefault(kind.code, []).append(kind)
    assert {code: kinds for code, kinds in by_code.items() if len(kinds) > 1} == {
        "INVALID_INPUT": [E.InputError, E.InvalidInputError]
    }


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", [error for error, _ in TEXTS], ids=label)
def test_pickle_keeps_type_facts_and_text(error: E.SparkModelsError, protocol: int) -> None:
    assert_same(pickle.loads(pickle.dumps(error, protocol)), error)


@pytest.mark.parametrize("error", [error for error, _ in TEXTS], ids=label)
def test_copies_keep_type_facts_and_text(error: E.SparkModelsError) -> None:
    assert_same(copy.deepcopy(error), error)
    assert_same(copy.copy(error), error)


def assert_same(found: BaseException, error: E.SparkModelsError) -> None:
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert repr(found) == repr(error)
    assert len(found.args) == len(error.args)
    if not isinstance(error, E.InvalidInputError):
        assert found.args == error.args


LONG: list[tuple[E.SparkModelsError, str]] = [
    (E.UnsupportedColumnError(PAIRS), "c9: void, … +2 more"),
    (E.UnsupportedStagesError(PAIRS), "c9: void; … +2 more"),
    (E.InvalidParamsError(NAMES, ()), "c9; … +2 more"),
    (E.InvalidConfigError("local", NAMES), "c9; … +2 more"),
    (E.UnknownTargetError("x", NAMES), "'c9', … +2 more"),
    (E.DeploymentNotFoundError("x", "local", NAMES), "'c9', … +2 more"),
    (E.InvalidParamsError(("p",), NAMES), "'c9', … +2 more"),
    (E.InvalidInputError(tuple(E.ColumnTypeError(name, "str", "long") for name in NAMES)), "\n… +2 more"),
    (E.MissingColumnsError(NAMES, (), 12), "'c9', … +2 more"),
    (E.MissingColumnsError(("a",), NAMES, 12), "'c9', … +2 more"),
    (E.ColumnCountError(12, 1, ("a",), NAMES), "'c9', … +2 more"),
    (E.ColumnCountError(1, 12, NAMES, ("a",)), "'c9', … +2 more"),
    (E.DuplicateColumnsError(NAMES), "'c9', … +2 more"),
    (E.ManifestMismatchError("m", NAMES, (), ()), "'c9', … +2 more"),
    (E.FlavorNotFoundError("f", NAMES, "m"), "'c9', … +2 more"),
    (E.CodeNotAllowedError("m", NAMES), "c9; … +2 more"),
    (E.ModuleConflictError(NAMES, "m"), "'c9', … +2 more"),
    (E.NoMatchingOutputError("int", PAIRS), "c9: void, … +2 more"),
    (E.AmbiguousBindingError(NAMES, ("a",)), "'c9', … +2 more"),
    (E.AmbiguousBindingError(("a",), NAMES), "'c9', … +2 more"),
    (E.UnsupportedStagesError(PAIRS), "c9: void; … +2 more"),
    (E.ExpectationError(NAMES), "c9; … +2 more"),
    (
        E.InvalidJobError("f", tuple(E.JobProblem(at, 1, "", name) for at, name in enumerate(NAMES))),
        "line 9, column 1: c9\n  … +2 more",
    ),
    (E.ParityError(PAIRS, 2), "'c9' (void); … +2 more"),
]


@pytest.mark.parametrize(("error", "tail"), LONG, ids=label)
def test_a_list_is_cut_at_ten_and_says_so(error: E.SparkModelsError, tail: str) -> None:
    assert tail in str(error)
    assert "c10" not in str(error)


def test_every_class_that_holds_names_is_tried_with_many() -> None:
    # The shape of a tensor is no list of names, and the output of a process is cut where it is read.
    holders = {type(error) for error, _ in TEXTS if any(isinstance(fact, tuple) for fact in error.args)}
    assert {type(error) for error, _ in LONG} == holders - {
        E.TensorShapeError,
        E.EnvironmentNotBuiltError,
        E.ModelProcessError,
        E.ContentTypeError,  # what it lists is a constant
        E.NotAcceptableError,
        E.ImageNotBuiltError,
        E.DeploymentFailedError,
        E.CompanionFailedError,
    }


def test_repeated_names_of_a_schema_are_cut_too() -> None:
    with pytest.raises(E.InvalidSchemaError) as caught:
        Schema([ColSpec("long", name) for name in NAMES * 2])
    assert str(caught.value).endswith("'c9', … +2 more].\nWhere: Schema")


def column(kind: str, **options: Any) -> Schema:
    return Schema([ColSpec(kind, "a", **options)])


SENTINELS: list[tuple[str, Schema, Any]] = [
    ("text as long", column("long"), pd.DataFrame({"a": [SECRET]})),
    ("text as double", column("double"), pd.DataFrame({"a": [SECRET]}, dtype=object)),
    ("text as boolean", column("boolean"), pd.DataFrame({"a": [SECRET]})),
    ("text as datetime", column("datetime"), pd.DataFrame({"a": [SECRET]})),
    ("text as binary", column("binary"), pd.DataFrame({"a": [SECRET]})),
    ("long as integer", column("integer"), pd.DataFrame({"a": [SECRET_NUMBER]})),
    ("number as text", column("string"), pd.DataFrame({"a": [SECRET_NUMBER]})),
    ("numbers and text", column("long"), pd.DataFrame({"a": [1, SECRET]}, dtype=object)),
    ("null beside it", column("long"), pd.DataFrame({"a": [SECRET_NUMBER, None]})),
    ("missing column", column("long"), pd.DataFrame({"b": [SECRET]})),
    ("a list", Schema([ColSpec("long"), ColSpec("long")]), [[SECRET, SECRET_NUMBER]]),
    ("records", column("long"), [{"a": SECRET}]),
    ("bare text", column("long"), SECRET),
    ("dict of text", column("long"), {"a": [SECRET]}),
    ("tensor dtype", Schema([TensorSpec(np.dtype("float32"), (-1,))]), np.array([SECRET])),
    ("tensor shape", Schema([TensorSpec(np.dtype("int64"), (-1, 2))]), np.array([SECRET_NUMBER])),
    ("tensor text", Schema([TensorSpec(np.dtype("float32"), (-1,))]), SECRET),
]


@pytest.mark.parametrize(("schema", "data"), [case[1:] for case in SENTINELS], ids=[case[0] for case in SENTINELS])
def test_no_text_of_enforcement_holds_a_value(schema: Schema, data: Any) -> None:
    with pytest.raises(E.InputError) as caught:
        Enforcer(schema, "models/m")(data)
    shown = f"{caught.value} {caught.value!r}"
    assert SECRET not in shown
    assert str(SECRET_NUMBER) not in shown


def test_a_nested_value_and_an_unknown_field_stay_out_of_the_text() -> None:
    from spark_models.schema.datatypes import Array, Object, Property

    kind = Object([Property("id", Array("long"))])
    for cell in ({"id": [SECRET]}, {"id": [1], SECRET: 1}, {SECRET: SECRET}, SECRET):
        with pytest.raises(E.InputError) as caught:
            Enforcer(Schema([ColSpec(kind, "a")]), "models/m")(pd.DataFrame({"a": [cell]}))
        assert SECRET not in str(caught.value)
