"""The commands of `spark-models models`, which also stand at the top: predict, serve, inspect, verify, …"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from spark_models.cli.lazy import ModelCommand

Function = TypeVar("Function", bound=Callable[..., Any])


def model_uri(function: Function) -> Function:
    """The option `-m/--model-uri`, which every command on a model has."""
    text = "A directory, file:, runs:/<run_id>/<path>, or a remote URI."
    return click.option("-m", "--model-uri", required=True, metavar="URI", help=text)(function)


def package_directory(function: Function) -> Function:
    """The option `-m/--model-uri` of a command that changes a package."""
    text = "The directory of the package."
    return click.option("-m", "--model-uri", required=True, metavar="DIR", help=text)(function)


def environment(verb: str) -> Callable[[Function], Function]:
    """The options that say in which environment a model is loaded."""

    def options(function: Function) -> Function:
        where = f"Where to {verb}: in this environment, or in the package's own, made by virtualenv or uv."
        kept = f"{verb.capitalize()} in this environment, as it does by default: kept for scripts."
        managers = click.Choice(["local", "virtualenv", "uv"])
        choice = click.option("--env-manager", type=managers, default="local", show_default=True, help=where)
        return click.option("--no-conda", is_flag=True, help=kept)(choice(function))

    return options


def trust(function: Function) -> Function:
    """The options that say which package may be loaded."""
    allow = "Whether loading may run code that the package carries, as a pickle does. By default it may, unless \
SPARK_MODELS_ALLOW_CODE=0."
    pinned = "The content hash that the package must have; inspect shows it."
    function = click.option("--expected-hash", metavar="SHA256", help=pinned)(function)
    return click.option("--allow-code/--no-code", default=None, help=allow)(function)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def models() -> None:
    """Score files with a model, serve it, look into it, check it."""


@models.command(cls=ModelCommand)
@model_uri
@click.option(
    "-i",
    "--input-path",
    default="-",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="The file with the rows; - is standard input, the default.",
)
@click.option(
    "-o",
    "--output-path",
    default="-",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Where the predictions go, by the ending: .json, .jsonl, .csv or .parquet; - is standard output, as JSON.",
)
@click.option(
    "-t",
    "--content-type",
    type=click.Choice(["csv", "json", "jsonl", "parquet"]),
    help="What the input is; by default what the file's ending says, else json.",
)
@click.option(
    "-j",
    "--json-format",
    type=click.Choice(["split", "records"]),
    help="The orientation of JSON input; by default the one that it has.",
)
@click.option("--method", metavar="NAME", help="Score by another method of the model, such as predict_proba.")
@click.option(
    "--batch-rows",
    type=click.IntRange(min=1),
    metavar="ROWS",
    help="How many rows of a CSV, JSON lines or Parquet file the model gets at once; 65536 by default.",
)
@environment("score")
@trust
def predict(**options: Any) -> None:
    """Score the rows of a CSV, JSON or Parquet file.

    The input is a table: a CSV file with a header, JSON in split or records orientation, JSON lines, or Parquet. With a
    signature its columns are found by name and checked, and extra ones are ignored. A model of tensors also takes JSON
    with "inputs", as its input_example.json. The answer is JSON: records for a model that gives a DataFrame, a list for
    others. A file appears when all of it is written.

    \b
    Examples:
      spark-models predict -m models/churn -i customers.csv
      spark-models predict -m models/churn -i customers.parquet -o scored.parquet
      spark-models predict -m runs:/0f3c9a/model -t csv < customers.csv > answers.json
      echo '{"columns": ["x"], "data": [[1.5]]}' | spark-models predict -m models/line
    """
    from spark_models.cli.predict import predict_file

    predict_file(**options)


@models.command(cls=ModelCommand)
@model_uri
@click.option("--json", "as_json", is_flag=True, help="The same facts as one JSON object.")
def inspect(model_uri: str, as_json: bool) -> None:
    """Show what a package holds, without loading it.

    Its flavors, signature, example, environment and size, whether its files are as they were saved, and what code
    loading it would run. Nothing of the package is run or unpickled, and no model library is imported.

    \b
    Examples:
      spark-models inspect -m models/churn
      spark-models inspect -m models/churn --json | jq .content_hash
    """
    from spark_models.cli.card import card_json, card_text, read_card

    card = read_card(model_uri)
    click.echo(card_json(card) if as_json else card_text(card))


@models.command(cls=ModelCommand)
@click.argument("package", required=False, metavar="[URI]")
@click.option("-m", "--model-uri", metavar="URI", help="A directory, file:, runs:/<run_id>/<path>, or a remote URI.")
@click.option(
    "--spark/--no-spark",
    default=None,
    help="Whether to score in Spark too; by default where pyspark is installed.",
)
@click.option(
    "--jvm/--no-jvm",
    default=None,
    help="Whether to score the mleap flavor in the JVM too; by default where the package has it, and Java and the jar "
    "that SPARK_MODELS_JAR names are at hand.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=1e-12,
    show_default=True,
    metavar="RELATIVE",
    help="How far two numbers may differ, relative to them.",
)
@trust
@click.pass_context
def verify(ctx: click.Context, /, package: str | None, model_uri: str | None, **options: Any) -> None:
    """Replay the stored example, here, in Spark and in the JVM.

    The package's files are compared with its manifest, its input example is scored again, and the answers are compared
    with the predictions that were stored when it was saved. The status is 0 where all are the same, else 1, and each
    difference is a line of a table.

    \b
    Examples:
      spark-models verify -m models/churn
      spark-models verify -m models/churn --no-spark --tolerance 1e-6
      spark-models verify --jvm models/churn
    """
    from spark_models.cli.report import report_text
    from spark_models.verify.replay import replay

    named = [uri for uri in (package, model_uri) if uri is not None]
    if len(named) != 1:
        raise click.UsageError("Say which package, once: by -m/--model-uri or as the argument.")
    found = replay(named[0], **options)
    click.echo(report_text(found))
    ctx.exit(0 if found.passed else 1)


@models.command(cls=ModelCommand)
@package_directory
def update_manifest(model_uri: str) -> None:
    """Write the manifest of a package anew.

    For a change that you have made yourself, as to a line of requirements.txt. The content hash is another one then:
    whoever has pinned the package must pin it again.

    \b
    Example:
      spark-models update-manifest -m models/churn
    """
    from spark_models.cli.manifest import update

    click.echo(update(model_uri))


@models.command(cls=ModelCommand, context_settings={"help_option_names": ["--help"]})
@model_uri
@click.option("-h", "--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=5000, show_default=True, help="The port.")
@click.option(
    "--fd",
    type=click.IntRange(min=3),
    metavar="NUMBER",
    help="An inherited socket to listen on instead, as systemd gives one.",
)
@click.option(
    "-w", "--workers", type=click.IntRange(1, 512), default=1, show_default=True, help="Processes that share the port."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a request may take; then it is answered with 504, and dropped if the model has not begun.",
)
@click.option(
    "--kill-after",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How long one prediction may take before its worker is replaced; twice the timeout by default.",
)
@click.option(
    "--read-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a client may take to send a request, and may keep an idle connection.",
)
@click.option("--max-body", default="64MB", show_default=True, metavar="SIZE", help="The largest body; beyond it 413.")
@click.option(
    "--queue",
    type=click.IntRange(min=0),
    default=256,
    show_default=True,
    metavar="REQUESTS",
    help="How many requests wait for the model in each worker; beyond it 429.",
)
@click.option(
    "--batching/--no-batching",
    default=True,
    help="Whether requests that wait together are scored together, where the model's flavor or package says that it "
    "gives the same then; on by default.",
)
@click.option(
    "--batch-rows",
    type=click.IntRange(min=1),
    default=1024,
    show_default=True,
    metavar="ROWS",
    help="The most rows of requests that are scored together.",
)
@click.option(
    "--batch-wait",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the first of them waits for others.",
)
@click.option("--method", metavar="NAME", help="Score by another method of the model, such as predict_proba.")
@click.option("--wrap", is_flag=True, help='Put every JSON answer under "predictions".')
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name of this server beside localhost; * any.",
)
@click.option("--cors-origin", multiple=True, metavar="ORIGIN", help="A site whose pages may call the server; * any.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False),
    help="A file with the bearer token that requests must bring; also SPARK_MODELS_TOKEN.",
)
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="The certificate, for HTTPS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Its key.")
@environment("serve")
@trust
@click.pass_context
def serve(ctx: click.Context, /, **options: Any) -> None:
    """Serve a model over HTTP.

    POST /invocations takes rows as JSON (split, records, instances, inputs, dataframe_split, dataframe_records), CSV,
    Parquet or an Arrow stream. GET /ping, /health, /version and /metrics say how it is. SIGTERM ends it without losing
    a request; SIGHUP replaces its workers one by one.

    \b
    Examples:
      spark-models serve -m models/churn
      spark-models serve -m models/churn -h 0.0.0.0 -p 8080 -w 4 --allow-host churn.example.com
      curl localhost:5000/invocations -H 'Content-Type: application/json' -d '{"columns": ["x"], "data": [[1.5]]}'
    """
    from spark_models.cli.serve import serve_model

    ctx.exit(serve_model(**options))


def image_options(function: Function) -> Function:
    """The options that say what an image is made of."""
    base = "The image to build on; by default python:VERSION-slim with the package's Python."
    offline = "Put the wheels of all requirements into the context, so that the build needs no network."
    function = click.option("--wheelhouse", is_flag=True, help=offline)(function)
    return click.option("--base-image", metavar="IMAGE", help=base)(function)


@models.command(cls=ModelCommand)
@model_uri
@click.option("-o", "--output", default="image", show_default=True, metavar="DIR", help="Where the context goes.")
@image_options
def generate_dockerfile(model_uri: str, output: str, base_image: str | None, wheelhouse: bool) -> None:
    """Write the context of an image that serves a model.

    A Dockerfile in two stages, the package, its requirements, and this toolkit's own wheel. The server runs as a user
    of its own, on port 8080, with a health check.

    \b
    Example:
      spark-models models generate-dockerfile -m models/churn -o churn-image
    """
    from spark_models.cli.image import generate

    click.echo(generate(model_uri, output, base_image, wheelhouse))


@models.command(cls=ModelCommand)
@model_uri
@click.option("-n", "--name", default="spark-models", show_default=True, help="The name of the image.")
@click.option("-o", "--output", metavar="DIR", help="Where the context goes; NAME-image by default.")
@image_options
def build_docker(model_uri: str, name: str, output: str | None, base_image: str | None, wheelhouse: bool) -> None:
    """Build an image that serves a model.

    The context is written as by generate-dockerfile and built by docker, podman or buildah. Where there is none, the
    context is complete, and the error says the one command to run elsewhere.

    \b
    Example:
      spark-models models build-docker -m models/churn -n churn
    """
    from spark_models.cli.image import build_docker as build

    click.echo(build(model_uri, name, output, base_image, wheelhouse))


@models.command(cls=ModelCommand)
@model_uri
@click.option(
    "--env-manager",
    type=click.Choice(["virtualenv", "uv"]),
    default="virtualenv",
    show_default=True,
    help="What makes the environment.",
)
def prepare_env(model_uri: str, env_manager: str) -> None:
    """Make the package's own environment, and print its Python.

    It is kept in the cache and shared by whatever scores in it.

    \b
    Example:
      spark-models models prepare-env -m models/churn
    """
    from spark_models.cli.image import prepare

    click.echo(prepare(model_uri, env_manager))


@models.command(cls=ModelCommand)
@package_directory
@click.option("--remove", is_flag=True, help="Take the requirements out; by default they are added, or replaced.")
@click.argument("requirements", nargs=-1, required=True, metavar="REQUIREMENT…")
def update_requirements(model_uri: str, remove: bool, requirements: tuple[str, ...]) -> None:
    """Change what the package requires.

    requirements.txt and conda.yaml are written anew, and the manifest with them: the content hash is another one then.

    \b
    Examples:
      spark-models models update-requirements -m models/churn scikit-learn==1.5.2
      spark-models models update-requirements -m models/churn --remove matplotlib
    """
    from spark_models.cli.requirements import update

    click.echo(update(model_uri, requirements, remove))
