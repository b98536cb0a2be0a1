"""What a job file may hold: its sections and keys, each with what it is for. Editors get it as JSON Schema."""

from __future__ import annotations

import json
from typing import Any

from spark_models.jobs.kinds import (
    Anything,
    Choice,
    Either,
    Flag,
    Key,
    ListOf,
    MapOf,
    Number,
    Password,
    Scalar,
    Section,
    Text,
)

SECRET_WORDS = (
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "accesskey",
    "access.key",
    "account.key",
    "apikey",
)
"""Options whose names hold one of these have values that are never shown."""

OPTIONS = MapOf(Scalar(), SECRET_WORDS)
COUNT = Number(whole=True, least=1)
SHARE = Number(least=0, most=1)

JDBC_KEYS = {
    "url": Key(Text(), "The JDBC URL, without user and password.", required=True),
    "driver": Key(Text(), "The class of the driver, where Spark does not find it by the URL."),
    "user": Key(Text(), "The user."),
    "password": Key(Password(), "The password: ${env:NAME} or ${secret:SCOPE/KEY}, never the text itself."),
    "properties": Key(OPTIONS, "Further properties of the connection."),
}

SOURCE = Section(
    {
        "format": Key(
            Choice(("delta", "parquet", "csv", "json", "orc", "jdbc", "sql")),
            "What is read; delta by default.",
        ),
        "table": Key(Text(), "A table of the catalog, as catalog.schema.table; with jdbc one of the database."),
        "path": Key(Text(), "A path or URI of files."),
        "query": Key(Text(), "A SQL query: of Spark with format sql, of the database with jdbc."),
        "version": Key(
            Number(whole=True, least=0), "The version of a Delta table that is read; the newest by default."
        ),
        "changes": Key(
            Section(
                {
                    "from": Key(
                        Number(whole=True, least=0), "The first version whose changes are read.", required=True
                    ),
                    "to": Key(Number(whole=True, least=0), "The last one; the newest by default."),
                }
            ),
            "A range of versions of a Delta table: the rows that they added or changed, by its change feed.",
        ),
        "incremental": Key(
            Choice(("none", "changes", "stream")),
            "Only what is new since the last success: by the change feed of a Delta table, or as a stream.",
        ),
        "checkpoint": Key(Text(), "Where a stream keeps what it has done; needed with incremental: stream."),
        "schema": Key(Text(), "The columns and types of CSV or JSON files, as 'id bigint, name string'."),
        "options": Key(OPTIONS, "Options of Spark's reader, as header: true."),
        "where": Key(Text(), "A condition in SQL: which rows are scored."),
        "jdbc": Key(
            Section(
                {
                    **JDBC_KEYS,
                    "partition_column": Key(Text(), "A numeric column by whose ranges the table is read in parallel."),
                    "lower": Key(Number(), "Where its ranges begin."),
                    "upper": Key(Number(), "Where they end."),
                    "partitions": Key(COUNT, "How many ranges."),
                }
            ),
            "The connection of format jdbc.",
        ),
    },
    one_of=("table", "path", "query"),
)

MODEL = Section(
    {
        "uri": Key(Text(), "The package: a directory, file:, runs:/<run_id>/<path>, models:/…, or a remote URI.", True),
        "expected_hash": Key(Text(), "The content hash that the package must have; `spark-models inspect` shows it."),
        "allow_code": Key(Flag(), "Whether loading may run code that the package carries, as a pickle does."),
        "method": Key(Text(), "Another method of the model, as predict_proba."),
        "params": Key(MapOf(Anything()), "Parameters of predict that the signature declares."),
        "result_type": Key(
            Text(), "The type of the prediction, as double or array<double>; by default the signature's."
        ),
        "output": Key(Text(), "The name of the prediction column; prediction by default."),
        "inputs": Key(ListOf(Text()), "For a model without signature: its input columns, in order."),
        "batch_rows": Key(COUNT, "The most rows that the model gets in one call."),
        "batch_bytes": Key(COUNT, "The most bytes that the model gets in one call."),
        "transport": Key(
            Choice(("pandas", "arrow", "map")), "How rows travel to Python; by default what suits the Spark."
        ),
        "env_manager": Key(Choice(("local", "virtualenv", "uv")), "The environment that the model runs in."),
    }
)

SINK = Section(
    {
        "format": Key(Choice(("delta", "parquet", "csv", "jdbc")), "What is written; delta by default."),
        "table": Key(Text(), "A table of the catalog; with jdbc one of the database."),
        "path": Key(Text(), "A path or URI."),
        "mode": Key(
            Choice(("append", "overwrite", "replaceWhere", "merge", "partitions")),
            "append adds rows; overwrite replaces all; replaceWhere those of a condition; merge by the job's keys; "
            "partitions those partitions of a Parquet table that get rows.",
        ),
        "where": Key(Text(), "The condition of replaceWhere, as day = '${day}'."),
        "partition_by": Key(ListOf(Text()), "The columns that a new table is partitioned by."),
        "partitions": Key(COUNT, "How many partitions are written, and so about how many files."),
        "merge_schema": Key(Flag(), "Whether columns that a Delta table has not are added to it."),
        "options": Key(OPTIONS, "Options of Spark's writer, as compression: zstd."),
        "jdbc": Key(Section(JDBC_KEYS), "The connection of format jdbc."),
    },
    one_of=("table", "path"),
)

QUARANTINE = Section(
    {
        "format": Key(Choice(("delta", "parquet")), "What is written; the sink's format by default, else Parquet."),
        "table": Key(Text(), "A table of the catalog."),
        "path": Key(Text(), "A path or URI."),
        "raw": Key(Flag(), "Whether the row itself is kept, as JSON text; by default only key, code and column are."),
    },
    one_of=("table", "path"),
)

LINEAGE = Section(
    {
        "model_uri": Key(Text(), "The name of the column with the model's URI; model_uri by default."),
        "package_hash": Key(Text(), "That of the package's content hash; model_hash by default."),
        "run_id": Key(Text(), "That of the run; run_id by default."),
        "scored_at": Key(Text(), "That of the run's time, in UTC; scored_at by default."),
    }
)

EXPECT = Section(
    {
        "rows": Key(
            Section(
                {
                    "min": Key(Number(whole=True, least=0), "At least."),
                    "max": Key(Number(whole=True, least=0), "At most."),
                }
            ),
            "How many rows are read.",
        ),
        "max_null_share": Key(SHARE, "The largest share of rows without a prediction, 0 to 1."),
        "max_quarantined_share": Key(SHARE, "The largest share of rows that the model can't score, 0 to 1."),
        "scores": Key(
            MapOf(Section({"min": Key(Number(), "At least."), "max": Key(Number(), "At most.")})),
            "Bounds of every score, by prediction column.",
        ),
        "max_psi": Key(Number(least=0), "The largest drift of a score, as its population stability index."),
    }
)

RUN_LOG = Section(
    {
        "format": Key(Choice(("delta", "parquet")), "delta by default."),
        "table": Key(Text(), "A table of the catalog."),
        "path": Key(Text(), "A path or URI."),
    },
    one_of=("table", "path"),
)

REPORT = Section(
    {
        "path": Key(Text(), "The folder of the driver's host in which a run writes its report.", required=True),
        "baseline": Key(
            Choice(("last", "example")), "What scores are compared with: the last run, or the package's stored example."
        ),
    }
)

JOB = Section(
    {
        "version": Key(Choice(("1",)), "The version of this form of file: 1.", required=True),
        "name": Key(Text(), "The job's name. It is part of what tells one job's writes from another's.", required=True),
        "parameters": Key(
            MapOf(Scalar()), "Names and defaults of what ${name} stands for; --set name=value changes them."
        ),
        "source": Key(SOURCE, "What is read.", required=True),
        "model": Key(MODEL, "What scores it.", required=True),
        "keys": Key(ListOf(Text()), "The columns that name a row: of merge, and of quarantined rows."),
        "keep": Key(
            ListOf(Text()), "The columns of the source that are written beside the prediction; all by default."
        ),
        "sink": Key(SINK, "Where the rows go.", required=True),
        "run_key": Key(Text(), "What tells this run from the next where the source has no versions, as ${day}."),
        "quarantine": Key(QUARANTINE, "Where rows go that can't be scored; without it they end the run."),
        "lineage": Key(Either(LINEAGE), "Columns that say which model and run wrote a row."),
        "expect": Key(EXPECT, "What must hold before anything is written."),
        "run_log": Key(RUN_LOG, "A table that gets one row a run."),
        "report": Key(REPORT, "A report of each run, as Markdown and HTML."),
        "spark": Key(OPTIONS, "Settings of the Spark session, where the job starts it."),
        "tags": Key(MapOf(Text(empty=True)), "Free words that the run log keeps."),
    }
)


def json_schema() -> str:
    """The JSON Schema of a job file, as the text of `conf/job.schema.json`."""
    head: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A batch job of spark-models",
    }
    return json.dumps({**head, **JOB.json_schema()}, indent=2) + "\n"
