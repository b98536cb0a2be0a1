"""The commands, as they are called: what they print, their status, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression

import spark_models
from spark_models.cli import cli
from spark_models.cli.models import models
from spark_models.models import infer_signature
from spark_models.package.manifest import content_hash, write_manifest

ROOT = Path(__file__).parents[3]
TABLE = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "zip code": ["a", "b", "c", "d"]})


class Older(spark_models.pyfunc.PythonModel):
    """Answers a DataFrame; fails, with a row's value in the text, for people older than a hundred."""

    def predict(self, context: Any, model_input: Any) -> Any:
        if (model_input["age"] > 100).any():
            raise ValueError(f"too old: {model_input['age'].max()}")
        return pd.DataFrame({"older": model_input["age"] + 1, "zip": model_input["zip code"]})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "older"
    spark_models.pyfunc.save_model(
        path,
        python_model=Older(),
        signature=infer_signature(TABLE),
        input_example=TABLE,
        metadata={"team": "\x1b[31mred"},
    )
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / "classifier"
    frame = TABLE[["age"]]
    model = LogisticRegression().fit(frame, [0, 0, 1, 1])
    spark_models.sklearn.save_model(
        model, path, signature=infer_signature(frame, model.predict(frame)), input_example=frame
    )
    return path


def call(*arguments: object, stdin: str | None = None, group: click.Command = cli) -> Result:
    return CliRunner().invoke(group, list(map(str, arguments)), input=stdin)


def process(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "spark_models", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


# --- help


@pytest.mark.parametrize("name", ["", "models", "predict", "inspect", "verify", "update-manifest"])
def test_each_help_has_examples_that_are_commands_with_known_options(name: str) -> None:
    text = call(*filter(None, [name]), "--help").stdout
    assert text.startswith("Usage: ")
    examples = re.findall(r"spark-models ([a-z-]+) (.*)", text.partition("Example")[2].partition("Options:")[0])
    assert name == "models" or examples != []
    for command, arguments in examples:
        params = models.commands[command].params
        options = {option for param in params for option in [*param.opts, *param.secondary_opts]}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", arguments.partition("|")[0])) <= options


OF_JOBS = ("score", "init")
"""Commands on job files, which stand at the top alone."""


@pytest.mark.parametrize("group", ["deployments", "sagemaker", "azureml"])
def test_the_groups_of_targets_have_examples_with_known_options(group: str) -> None:
    found = cli.get_command(click.Context(cli), group)
    assert isinstance(found, click.Group)
    for name, command in found.commands.items():
        text = call(group, name, "--help").stdout
        examples = re.findall(rf"spark-models {group} ([a-z-]+) ((?:.|\\\n)*)", text.partition("Example")[2])
        assert examples != [], f"{group} {name} has no example"
        options = {option for param in command.params for option in [*param.opts, *param.secondary_opts]}
        for shown, arguments in examples:
            given = arguments.partition("Options:")[0].partition("|")[0].splitlines()[0]
            assert shown == name
            assert set(re.findall(r"(?<!\S)--?[a-zA-Z][a-z-]*", given)) <= options


def test_the_listed_commands_are_those_of_the_table_with_their_own_first_line() -> None:
    lazy = cli.lazy  # type: ignore[attr-defined]
    groups = {"models", "deployments", "sagemaker", "azureml", *OF_JOBS}
    for name, (_, text) in lazy.items():
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.name == name
        if name not in groups:
            assert models.commands[name] is command
        assert len(text) < 60
    rare = {"generate-dockerfile", "build-docker", "prepare-env", "update-requirements"}
    assert set(models.commands) - rare == set(lazy) - groups


def test_the_help_imports_click_and_nothing_heavy() -> None:
    code = (
        "import sys\nfrom spark_models.cli import cli\ncli(['--help'], standalone_mode=False)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'pandas', 'pyarrow', 'pyspark', "
        "'sklearn', 'yaml', 'cloudpickle'}), 'spark_models.errors' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.splitlines()[-1] == "[] False"


def test_version() -> None:
    assert call("--version").stdout == f"spark-models {spark_models.__version__}\n"


def test_an_unknown_command_is_a_usage_error() -> None:
    assert call("scorch").exit_code == 2
    assert call("models", "scorch").exit_code == 2


# --- predict

ROWS = '{"columns": ["zip code", "age", "extra"], "data": [["x", 1, null], [null, 2.5, 7]]}'
ANSWER = [{"older": 2.0, "zip": "x"}, {"older": 3.5, "zip": None}]


@pytest.mark.parametrize("words", [["predict"], ["models", "predict"]])
@pytest.mark.parametrize("flags", [[], ["--no-conda"], ["--env-manager", "local"]])
def test_predict_reads_standard_input_and_answers_json(package: Path, words: list[str], flags: list[str]) -> None:
    result = call(*words, "-m", package, *flags, stdin=ROWS)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == ANSWER


def test_predict_answers_a_list_for_an_array(classifier: Path) -> None:
    assert call("predict", "-m", classifier, stdin='[{"age": 20}, {"age": 50}]').stdout == "[0,1]\n"


def test_predict_by_another_method(classifier: Path) -> None:
    result = call("predict", "-m", classifier, "--method", "predict_proba", stdin='[{"age": 20}]')
    (answer,) = json.loads(result.stdout)
    assert answer[0] > 0.5
    assert sum(answer) == pytest.approx(1)


@pytest.mark.parametrize("form", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("out", ["csv", "json", "jsonl", "parquet"])
@pytest.mark.parametrize("batch", [[], ["--batch-rows", "3"]])
def test_predict_from_every_format_to_every_format(
    package: Path, tmp_path: Path, form: str, out: str, batch: list[str]
) -> None:
    source, target = tmp_path / f"in.{form}", tmp_path / f"out.{out}"
    writers: dict[str, Any] = {
        "csv": lambda: TABLE.to_csv(source),
        "json": lambda: TABLE.to_json(source, orient="split"),
        "jsonl": lambda: TABLE.to_json(source, orient="records", lines=True),
        "parquet": lambda: TABLE.to_parquet(source),
    }
    writers[form]()
    result = call("predict", "-m", package, "-i", source, "-o", target, *batch)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    readers: dict[str, Any] = {
        "csv": pd.read_csv,
        "json": lambda path: pd.DataFrame(json.loads(path.read_text())),
        "jsonl": lambda path: pd.read_json(path, lines=True, dtype={"older": "float64"}),
        "parquet": pd.read_parquet,
    }
    pd.testing.assert_frame_equal(
        readers[out](target), pd.DataFrame({"older": TABLE["age"] + 1, "zip": TABLE["zip code"]})
    )


@pytest.mark.parametrize("form", ["split", "records"])
def test_predict_refuses_another_orientation_than_the_stated_one(package: Path, form: str) -> None:
    bodies = {"split": ROWS, "records": '[{"age": 1, "zip code": "x"}, {"age": 2.5, "zip code": null}]'}
    other = {"split": "records", "records": "split"}[form]
    assert json.loads(call("predict", "-m", package, "-j", form, stdin=bodies[form]).stdout) == ANSWER
    assert call("predict", "-m", package, "-j", form, stdin=bodies[other]).exit_code == 1


def test_predict_without_rows_answers_none(package: Path, tmp_path: Path) -> None:
    assert call("predict", "-m", package, stdin="[]").stdout == "[]\n"
    assert call("predict", "-m", package, "-t", "csv", stdin="age,zip code\n").stdout == "[]\n"


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (
            '{"instances": [[1, 2]]}',
            (
                "[UNSUPPORTED_INPUT] The input is a body of tensors ('instances'); "
                "a table in split or records orientation is expected.\n"
            ),
        ),
        ("oops", "[JSON_BODY] The input can't be read: it is no JSON (Expecting value).\nWhere: line 1, column 1\n"),
        (
            '[{"age": "secret", "zip code": "x"}]',
            "[JSON_VALUE] A value that is text is no double.\nWhere: $[0].age\n",
        ),
    ],
)
def test_predict_tells_what_is_wrong_without_a_traceback(package: Path, stdin: str, said: str) -> None:
    result = call("predict", "-m", package, stdin=stdin)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said)


def test_a_model_that_fails_in_the_second_batch_leaves_nothing(package: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("age,zip code\n1,a\n2,b\n300,c\n")
    for target in ("-", tmp_path / "out.csv"):
        result = call("predict", "-m", package, "-i", source, "-o", target, "--batch-rows", 2)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "Error: ValueError: too old: 300.0\nHint: spark-models --debug … shows where\n"
    assert list(tmp_path.iterdir()) == [source]


def test_a_package_whose_code_is_refused_is_not_loaded(package: Path) -> None:
    result = call("predict", "-m", package, "--no-code", stdin=ROWS)
    assert result.exit_code == 1
    assert result.stderr.startswith("[CODE_NOT_ALLOWED] ")


def test_a_pinned_package_must_be_that_one(package: Path) -> None:
    pinned = content_hash(package)
    assert call("predict", "-m", package, "--expected-hash", pinned, stdin=ROWS).exit_code == 0
    result = call("predict", "-m", package, "--expected-hash", "0" * 64, stdin=ROWS)
    assert result.exit_code == 1
    assert result.stderr.startswith("[HASH_MISMATCH] ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "-m", "x", "-i", "no/such/file.csv"],
        ["predict", "-m", "x", "-t", "xml"],
        ["predict", "-m", "x", "-j", "table"],
        ["predict", "-m", "x", "--batch-rows", "0"],
        ["predict", "-m", "x", "--env-manager", "conda"],
        ["inspect"],
        ["verify"],
        ["verify", "-m", "x", "--tolerance", "-1"],
        ["update-manifest"],
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str]) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")


@pytest.mark.parametrize("command", ["predict", "inspect", "verify", "update-manifest"])
def test_a_model_that_is_not_there(command: str, tmp_path: Path) -> None:
    result = call(command, "-m", tmp_path / "nope", stdin="[]")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"[MODEL_NOT_FOUND] There is no model at '{tmp_path / 'nope'}'.\n"
    assert call(command, "-m", tmp_path, stdin="[]").stderr.startswith("[NOT_A_MODEL] ")


# --- as a process


@pytest.mark.parametrize(
    ("arguments", "environment", "traceback"),
    [
        ([], {}, False),
        (["--debug"], {}, True),
        ([], {"SPARK_MODELS_DEBUG": "1"}, True),
        ([], {"SPARK_MODELS_DEBUG": "0"}, False),
    ],
)
def test_a_traceback_is_shown_where_it_is_asked_for(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], traceback: bool
) -> None:
    result = process(*arguments, "inspect", "-m", tmp_path / "nope", **environment)
    assert result.returncode == 1
    assert ("Traceback" in result.stderr) is traceback
    assert "[MODEL_NOT_FOUND]" in result.stderr


def test_the_module_runs_and_warnings_are_one_line(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "older"
    subprocess.run(["cp", "-r", package, copy], check=True)
    mlmodel = copy / "MLmodel"
    mlmodel.write_text(re.sub(r"python_version: .*", "python_version: 3.7.1", mlmodel.read_text()))
    write_manifest(copy)
    result = process("predict", "-m", copy, stdin=ROWS)
    assert (result.returncode, json.loads(result.stdout)) == (0, ANSWER)
    assert re.fullmatch(r"Warning: .*Python 3\.7\.1.*\n", result.stderr)


# --- inspect


def test_the_card_tells_what_the_package_says(package: Path) -> None:
    text = call("inspect", "-m", package).stdout
    lines = text.splitlines()
    assert lines[0] == str(package)
    assert f"  Content hash  sha256:{content_hash(package)}" in lines
    assert "  Manifest      ok, the files are as they were saved" in lines
    inputs = lines.index("Inputs")
    assert lines[inputs + 1 : inputs + 4] == [
        "  name      type    required",
        "  age       double  yes",
        "  zip code  string  yes",
    ]
    example = lines.index("Example")
    assert lines[example + 1 : example + 4] == ["  age   zip code", "  20.0  a", "  30.0  b"]
    assert "  … +1 rows" in lines
    assert "  Predictions on it: stored in example_predictions.json" in lines
    assert any(re.fullmatch(r"  cloudpickle==\S+", line) for line in lines[lines.index("Environment") :])
    assert "  'python_model.pkl' is a pickle" in lines[lines.index("Loading runs code") :]


def test_the_card_as_json_has_the_same_facts(classifier: Path) -> None:
    card = json.loads(call("inspect", "-m", classifier, "--json").stdout)
    assert card["content_hash"] == content_hash(classifier)
    assert card["manifest"] == {"state": "ok"}
    assert (
        card["size"]
        == sum(card["files"].values())
        == sum(path.stat().st_size for path in classifier.iterdir())
        - len((classifier / "manifest.sha256").read_bytes())
    )
    assert card["signature"]["inputs"] == [{"name": "age", "type": "double"}]
    assert card["example"]["first"] == [[20.0], [30.0], [40.0]]
    assert set(card["flavors"]) == {"sklearn", "python_function"}
    assert card["code"] == ["'model.pkl' is a pickle"]


def test_inspect_imports_no_model_library_and_unpickles_nothing(classifier: Path, tmp_path: Path) -> None:
    copy = tmp_path / "poisoned"
    subprocess.run(["cp", "-r", classifier, copy], check=True)
    # A pickle that would leave a file behind if anything loaded it.
    (copy / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    code = (
        "import sys\nfrom spark_models.cli import cli\n"
        "cli(['inspect', '-m', sys.argv[1]], standalone_mode=False)\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'pandas', 'pyspark', 'sklearn', 'scipy', "
        "'cloudpickle', 'joblib'}))"
    )
    found = subprocess.run([sys.executable, "-c", code, copy], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.splitlines()[-1] == "[]"
    assert "  Manifest      CHANGED since it was saved: changed model.pkl" in found.stdout
    assert not (tmp_path / "ran").exists()


def test_the_card_of_a_package_that_says_little(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: their_loader\n")
    lines = call("inspect", "-m", tmp_path).stdout.splitlines()
    assert "  Manifest      none, so nothing says whether the files are as they were saved" in lines
    assert "  none: the model takes what it is given" in lines
    assert "  not stated" in lines
    assert "  the loader module 'their_loader' is imported" in lines


def test_the_card_shows_tensors_by_their_shape(tmp_path: Path) -> None:
    example = np.zeros((2, 3, 4), "float32")

    class Summed(spark_models.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any) -> Any:
            return model_input.sum(axis=(1, 2))

    spark_models.pyfunc.save_model(
        tmp_path / "m", python_model=Summed(), signature=infer_signature(example), input_example=example
    )
    lines = call("inspect", "-m", tmp_path / "m").stdout.splitlines()
    assert "  -     tensor float32 (-1, 3, 4)  yes" in lines
    assert "  tensor: shape (2, 3, 4)" in lines


def test_a_broken_example_does_not_hide_the_rest(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "older"
    subprocess.run(["cp", "-r", package, copy], check=True)
    (copy / "input_example.json").write_text("[1, 2")
    result = call("inspect", "-m", copy)
    assert result.exit_code == 0
    assert "  it can't be read (JSONDecodeError)" in result.stdout
    assert "CHANGED since it was saved: changed input_example.json" in result.stdout


# --- verify and update-manifest


def test_verify_passes_a_faithful_package(package: Path) -> None:
    result = call("verify", "-m", package, "--no-spark")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"{package}  sha256:{content_hash(package)}\n"
        "Example of 4 rows\n"
        "  local against stored predictions: the same\n"
        "  Spark is left out, as asked\n"
    )


def test_verify_prints_each_conflict_and_no_more_than_twenty(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": np.arange(30.0), "zip code": "x"})
    package = tmp_path / "older"
    spark_models.pyfunc.save_model(package, python_model=Older(), signature=infer_signature(frame), input_example=frame)
    file = package / "example_predictions.json"
    stored = json.loads(file.read_text())
    for row in stored["data"][5:]:
        row[0] += 0.5
    file.write_text(json.dumps(stored))
    write_manifest(package)
    result = call("verify", "-m", package, "--no-spark")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert "  local against stored predictions: 25 conflicts" in lines
    table = lines[lines.index("  row  column  expected  actual  where") :]
    assert table[1].split() == ["5", "older", "6.5", "6.0", "local"]
    assert len(table) == 1 + 20 + 1
    assert table[-1] == "  … +5 more"
    assert call("verify", "-m", package, "--no-spark", "--tolerance", "0.5").exit_code == 0


def test_verify_finds_a_flipped_byte_and_update_manifest_accepts_it(classifier: Path, tmp_path: Path) -> None:
    copy = tmp_path / "classifier"
    subprocess.run(["cp", "-r", classifier, copy], check=True)
    requirements = copy / "requirements.txt"
    requirements.write_text(requirements.read_text() + "\nextra\n")
    before = content_hash(copy)
    result = call("verify", "-m", copy, "--no-spark")
    assert result.exit_code == 1
    assert result.stderr == (
        "[MANIFEST_MISMATCH] The package is not as it was saved: changed ['requirements.txt'].\n"
        f"Where: {copy}\n"
        "Hint: if the change is yours, write the manifest anew: spark-models update-manifest -m DIR\n"
    )
    result = call("update-manifest", "-m", copy)
    after = content_hash(copy)
    assert after != before
    assert result.stdout == f"The manifest is written anew: sha256:{after}\nIt was: sha256:{before}\n"
    assert call("update-manifest", "-m", copy).stdout == f"The manifest is as it was: sha256:{after}\n"
    assert call("verify", "-m", copy, "--no-spark").exit_code == 0


def test_verify_of_a_flipped_byte_in_the_model(classifier: Path, tmp_path: Path) -> None:
    copy = tmp_path / "classifier"
    subprocess.run(["cp", "-r", classifier, copy], check=True)
    content = bytearray((copy / "model.pkl").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.pkl").write_bytes(content)
    result = call("verify", "-m", copy, "--no-spark")
    assert result.exit_code == 1
    assert result.stderr.startswith("[MANIFEST_MISMATCH] The package is not as it was saved: changed ['model.pkl'].\n")


def test_verify_without_an_example_is_no_pass(tmp_path: Path) -> None:
    spark_models.pyfunc.save_model(tmp_path / "m", python_model=Older())
    result = call("verify", "-m", tmp_path / "m", "--no-spark")
    assert result.exit_code == 1
    assert result.stderr.startswith("[NOTHING_TO_REPLAY] The package has no input example")


def test_update_manifest_changes_no_package_of_another_host() -> None:
    result = call("update-manifest", "-m", "s3://bucket/model")
    assert result.exit_code == 1
    assert result.stderr == (
        "[UNSUPPORTED_URI] The model URI 's3://bucket/model' can't be used here.\n"
        "Hint: give the directory of the package: that of another host can't be changed\n"
    )
