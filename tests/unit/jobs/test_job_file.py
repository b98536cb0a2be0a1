"""A job file: what it says, and that what is wrong with it is told with line and reason before Spark starts."""

from __future__ import annotations

import datetime
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spark_models.errors import InvalidJobError, InvalidYamlError, UnsafeYamlError
from spark_models.jobs.grammar import json_schema
from spark_models.jobs.job import Expect, Jdbc, Job, Lineage
from spark_models.jobs.kinds import Secret
from spark_models.jobs.reading import parse_job, read_job

ROOT = Path(__file__).parents[3]

LEAST = """\
version: 1
name: churn
source:
  table: main.crm.customers
model:
  uri: models/churn
sink:
  table: main.crm.scores
"""


def problems(text: str, settings: Any = None, **options: Any) -> list[str]:
    with pytest.raises(InvalidJobError) as caught:
        parse_job(text, settings, environment={}, **options)
    return [str(problem) for problem in caught.value.problems]


def test_the_least_that_a_job_says() -> None:
    job = parse_job(LEAST)
    assert (job.name, job.source.name, job.sink.name) == ("churn", "delta main.crm.customers", "delta main.crm.scores")
    assert (job.sink.mode, job.lineage, job.expect, job.quarantine) == ("append", None, Expect(), None)
    assert job.uses_delta


def test_what_is_wrong_is_told_at_once_with_lines() -> None:
    text = LEAST.replace("version: 1", "version: 2").replace("  table: main.crm.scores", "  tabel: x\n  mode: upsert")
    assert problems(text) == [
        "line 1, column 10 (version): one of 1 is expected",
        "line 8, column 3 (sink.tabel): the key is not known; did you mean table?",
        "line 8, column 3 (sink): exactly one of table, path is expected, not none",
        "line 9, column 9 (sink.mode): one of append, overwrite, replaceWhere, merge, partitions is expected",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: the key version is missing"),
        ("[a]", "line 1, column 1: a mapping is expected, not a list"),
        (LEAST + "keys: []", "line 9, column 7 (keys): the list is empty"),
        (LEAST + "keys: [a, a]", "line 9, column 7 (keys): an item is given twice"),
        (LEAST + "keys: {a: b}", "line 9, column 7 (keys[0]): text is expected, not a mapping"),
        (LEAST + "lineage: 1", "line 9, column 10 (lineage): a mapping is expected, not a whole number"),
        (LEAST + "  mode: merge", "line 9, column 9 (sink.mode): merge needs the job's keys"),
        (LEAST + "  mode: partitions", "line 9, column 9 (sink.mode): delta has the modes append, overwrite, "),
        (LEAST + "  where: a = 1", "(sink): mode replaceWhere and a condition, where, go together"),
        (LEAST + "  format: jdbc", "(sink): format jdbc and the section jdbc go together"),
        (LEAST + "expect: {rows: {min: 3, max: 2}}", "(expect.rows): min is more than max"),
        (LEAST + "expect: {rows: {min: -1}}", "(expect.rows.min): it must be 0 or more"),
        (LEAST + "expect: {rows: {min: 1.5}}", "(expect.rows.min): a whole number is expected, not a number"),
        (LEAST + "expect: {max_null_share: 2}", "(expect.max_null_share): it must be 0 or more and 1 or less"),
        (LEAST + "expect: {max_null_share: .nan}", "(expect.max_null_share): a number is expected, not a number"),
        (LEAST + "expect: {max_quarantined_share: 0}", "without quarantine the first bad row ends the run"),
        (LEAST + "expect: {max_psi: 0.2}", "drift needs a report or a run_log"),
        (LEAST + "run_log: {table: main.crm.scores}", "(run_log): it is the table of the sink"),
        (LEAST.replace("crm.scores", "crm.customers"), "(sink.table): the job would write what it reads"),
        (LEAST + "tags: {a: [1]}", "(tags.a): text is expected, not a list"),
        (LEAST + "? [a]\n: b", "a key must be a word, not a list or a mapping"),
        (LEAST + "run_key: ${day}", "(run_key): ${day} is no parameter; there are ['today']"),
        (LEAST + "run_key: ${env:DAY}", "(run_key): the environment has no variable DAY"),
        (LEAST + "run_key: ${vault:x}", "is none of ${name}, ${env:NAME}, ${secret:SCOPE/KEY}"),
        (LEAST + "run_key: ${secret:a/b}", "there is no store of secrets here for a/b: use ${env:NAME}"),
    ],
)
def test_each_problem_has_its_words(text: str, problem: str) -> None:
    assert problem in "\n".join(problems(text))


def source(more: str) -> str:
    return LEAST.replace("  table: main.crm.customers", more)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("  table: a\n  path: b", "exactly one of table, path, query is expected, not table and path"),
        ("  query: SELECT 1\n  format: csv", "(source.query): a query needs format sql or jdbc"),
        ("  table: a\n  format: sql", "(source.format): format sql needs a query"),
        ("  path: a\n  format: csv\n  version: 1", "(source.version): only a Delta table has versions"),
        ("  table: a\n  version: 1\n  changes: {from: 1}", "version and changes exclude each other"),
        ("  table: a\n  changes: {from: 3, to: 1}", "(source.changes.to): the range ends before it begins"),
        ("  table: a\n  changes: {}", "(source.changes): the key from is missing"),
        ("  table: a\n  incremental: stream", "incremental: stream and a checkpoint go together"),
        ("  table: a\n  schema: a int", "(source.schema): delta knows its schema"),
        ("  path: a\n  format: json", "(source.schema): give the columns and types of JSON files"),
        ("  path: a\n  format: csv\n  options: {inferSchema: true}", "types would depend on the rows of the day"),
        ("  table: a\n  format: jdbc\n  jdbc: {url: 'jdbc:x:y;password=1'}", "(source.jdbc.url): user and password"),
        ("  table: a\n  format: jdbc\n  jdbc: {url: 'jdbc:x://u:p@h/y'}", "(source.jdbc.url): user and password"),
        ("  table: a\n  format: jdbc\n  jdbc: {url: a, password: b}", "a password must not stand in the file"),
        ("  table: a\n  format: jdbc\n  jdbc: {url: a, lower: 1}", "partition_column, lower, upper and partitions"),
    ],
)
def test_each_problem_of_a_source_has_its_words(more: str, problem: str) -> None:
    assert problem in "\n".join(problems(source(more)))


def test_parameters_environment_and_settings() -> None:
    text = (
        LEAST
        + """\
parameters: {day: 2026-01-31, rows: 5, share: 0.5}
run_key: day=${day} ${env:ZONE:-utc} ${today} $${day}
tags: {who: "${env:WHO}"}
expect:
  rows:
    min: ${rows}
"""
    )
    job = parse_job(text, environment={"WHO": "a: b"}, today=datetime.date(2026, 2, 1))
    assert job.run_key == "day=2026-01-31 utc 2026-02-01 ${day}"
    assert job.tags == {"who": "a: b"}
    assert job.expect.min_rows == 5
    set_ = parse_job(text, ["day=2026-03-01", "rows=7", "sink.mode=overwrite"], environment={"WHO": "x"})
    assert (set_.expect.min_rows, set_.sink.mode) == (7, "overwrite")
    assert set_.run_key is not None
    assert set_.run_key.startswith("day=2026-03-01")


def test_a_setting_that_names_nothing_is_told() -> None:
    assert "--set names no parameter of the file; it has []" in "\n".join(problems(LEAST, ["dya=1"]))
    assert "an assignment has the form name=value" in "\n".join(problems(LEAST, ["day"]))
    assert "(sink.mode): one of append" in "\n".join(problems(LEAST, ["sink.mode=x"]))


def test_a_value_can_not_add_keys() -> None:
    job = parse_job(LEAST + "run_key: ${env:KEY}", environment={"KEY": "a\nquarantine: {path: x}"})
    assert job.run_key == "a\nquarantine: {path: x}"
    assert job.quarantine is None


def test_secrets_are_shown_nowhere() -> None:
    text = source(
        """\
  table: t
  format: jdbc
  jdbc:
    url: jdbc:postgresql://host/db
    user: reader
    password: ${env:PASSWORD}
    properties: {sslpassword: "${secret:scope/key}", fetchsize: 100}"""
    )
    job = parse_job(text, environment={"PASSWORD": "pa$$w0rd"}, secrets=lambda scope, key: f"{scope}-{key}-s3cret")
    assert isinstance(job.source.jdbc, Jdbc)
    assert job.source.jdbc.options()["password"] == "pa$$w0rd"
    assert job.source.jdbc.options()["sslpassword"] == "scope-key-s3cret"
    assert job.source.jdbc.options()["fetchsize"] == "100"
    assert "pa$$w0rd" not in repr(job)
    assert "s3cret" not in repr(job)
    assert job.redacted("at pa$$w0rd and scope-key-s3cret") == "at *** and ***"
    assert repr(Secret("x")) == "***"


def test_a_secret_in_a_setting_of_spark_is_hidden_by_its_name() -> None:
    job = parse_job(LEAST + "spark: {fs.azure.account.key: ${env:KEY}}".replace("${", '"${').replace("}}", '}"}'),
                    environment={"KEY": "abc123"})  # fmt: skip
    assert job.redacted("abc123") == "***"


def test_yaml_that_is_unsafe_or_broken_is_refused() -> None:
    with pytest.raises(InvalidYamlError):
        parse_job("a: [")
    with pytest.raises(InvalidYamlError):
        parse_job("a: 1\na: 2")
    with pytest.raises(UnsafeYamlError):
        parse_job("!!python/object:os.system {}")


def test_an_error_survives_pickle() -> None:
    with pytest.raises(InvalidJobError) as caught:
        parse_job("a: 1")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert (ROOT / "conf" / "job.schema.json").read_text() == json_schema()


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda path: path.name)
def test_the_files_in_conf_are_jobs_and_fit_the_schema(file: Path) -> None:
    import json

    import yaml
    from jsonschema import Draft202012Validator

    job = read_job(file, environment={"JDBC_PASSWORD": "x"})
    assert isinstance(job, Job)
    schema = json.loads(json_schema())
    Draft202012Validator.check_schema(schema)
    plain = json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))
    assert list(Draft202012Validator(schema).iter_errors(plain)) == []


def test_a_wrong_file_ends_before_spark_is_imported(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(LEAST.replace("uri", "url"))
    program = (
        "import sys\n"
        "from spark_models.cli import cli\n"
        "try:\n"
        f"    cli(['score', {str(file)!r}])\n"
        "except SystemExit as end:\n"
        "    print(end.code, 'pyspark' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "2 False\n"
    assert "line 6, column 3 (model.url): the key is not known; did you mean uri?" in done.stderr


def test_lineage_may_have_other_names() -> None:
    job = parse_job(LEAST + "lineage: {model_uri: model, scored_at: at}")
    assert job.lineage == Lineage("model", "model_hash", "run_id", "at")
    assert parse_job(LEAST + "lineage: true").lineage == Lineage()
    assert parse_job(LEAST + "lineage: false").lineage is None
