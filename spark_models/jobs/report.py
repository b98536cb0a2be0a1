"""A run's report, as Markdown and as HTML: counts, seconds, scores and their drift, with plots by matplotlib."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from spark_models.errors import InvalidArgumentError
from spark_models.jobs.job import Job
from spark_models.jobs.measures import Scores, histogram, of_text
from spark_models.jobs.outcome import Outcome, RunResult
from spark_models.jobs.run_log import scores_file, slug

STABLE, MOVED = 0.1, 0.25
"""The usual reading of the population stability index: below the first it is stable, above the second it has moved."""

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}
th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid #ddd}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}img{max-width:100%}"""


def write_report(job: Job, result: RunResult, baseline: Mapping[str, Scores]) -> RunResult:
    """The result with the path of its report, `<job>-<time>-<run>.html`; `.md` and the scores lie beside it.

    Without matplotlib the report has no plots and says so.

    Raises:
        InvalidArgumentError: [INVALID_ARGUMENT] the folder can't be written.
    """
    assert job.report is not None  # noqa: S101 - the caller has looked
    folder = Path(job.report.path)
    moment = result.started_at[:19].replace(":", "").replace("-", "")
    base = folder / f"{slug(job.name)}-{moment}-{result.run_id[:8]}"
    scores = of_text(json.dumps(dict(result.scores)))
    plots = plots_of(scores, baseline, result)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(base.with_suffix(".md"), markdown(job, result))
        _replace(base.with_suffix(".html"), html(job, result, plots))
        file = scores_file(job)
        if file is not None and result.outcome is Outcome.WRITTEN and scores != {}:
            _replace(file, json.dumps({"run_id": result.run_id, "scores": dict(result.scores)}))
    except OSError as error:
        raise InvalidArgumentError(f"The report can't be written: {error.strerror}", f"look at {folder}") from error
    return replace(result, report=str(base.with_suffix(".html")))


def _replace(path: Path, text: str) -> None:
    """The file as a whole, or as it was."""
    stage = path.with_name(f".{path.name}.{os.getpid()}")
    stage.write_text(text, encoding="utf-8")
    os.replace(stage, path)


Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]


def tables(job: Job, result: RunResult) -> list[Table]:
    """The report's tables: a title, a header and rows of text."""
    found: list[Table] = [("Run", ("", ""), [(name, job.redacted(value)) for name, value in result.facts()])]
    if result.scores:
        rows = [_score_row(name, scores) for name, scores in of_text(json.dumps(dict(result.scores))).items()]
        found.append(("Scores", ("column", "rows", "null", "least", "median", "mean", "largest"), rows))
    if result.drift:
        moved = [
            (name, f"{part['psi']:.4f}", f"{part['ks']:.4f}", reading(part["psi"]), str(part["against"]))
            for name, part in result.drift.items()
        ]
        found.append(("Drift", ("column", "PSI", "KS", "reading", "against"), moved))
    found.append(
        ("Seconds by step", ("step", "seconds"), [(name, f"{value:.2f}") for name, value in result.seconds.items()])
    )
    if result.worker_seconds:
        rows = [(name, f"{value:.2f}") for name, value in result.worker_seconds.items()]
        found.append(("Seconds inside the Python workers", ("step", "seconds"), rows))
    if job.tags:
        found.append(("Tags", ("tag", "value"), [(name, job.redacted(value)) for name, value in job.tags.items()]))
    return found


def reading(psi: float) -> str:
    """What a stability index is usually taken to mean.

    >>> reading(0.02), reading(0.3)
    ('stable', 'moved')
    """
    return "stable" if psi < STABLE else "somewhat moved" if psi < MOVED else "moved"


def _score_row(name: str, scores: Scores) -> tuple[str, ...]:
    median = scores.quantiles[len(scores.quantiles) // 2] if scores.quantiles != () else None
    figures = [scores.least, median, scores.mean, scores.most]
    return (
        name,
        f"{scores.rows:,}",
        f"{scores.nulls:,}",
        *("" if value is None else f"{value:.6g}" for value in figures),
    )


def markdown(job: Job, result: RunResult) -> str:
    """The report as Markdown, without plots."""
    lines = [f"# {_cell(job.name)}: {result.outcome.value}", ""]
    for title, header, rows in tables(job, result):
        lines += [f"## {title}", "", "| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
        lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text in a cell of Markdown: names come from the data, and must not become tables or links."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return "".join("\\" + char if char in "\\|`*_[]<>#" else char for char in plain)


def html(job: Job, result: RunResult, plots: Mapping[str, str]) -> str:
    """The report as one HTML page that needs nothing else; `plots` are base64 of PNG by title."""
    title = f"{escape(job.name)}: {escape(result.outcome.value)}"
    parts = [f"<h1>{title}</h1>"]
    for heading, header, rows in tables(job, result):
        head = "".join(f"<th>{escape(name)}</th>" for name in header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        parts.append(f"<h2>{escape(heading)}</h2><table><tr>{head}</tr>{body}</table>")
    for name, image in plots.items():
        parts.append(f'<h2>{escape(name)}</h2><img alt="{escape(name)}" src="data:image/png;base64,{image}">')
    if plots == {} and result.scores:
        parts.append("<p>pip install 'spark-models[plot]' adds plots to this page.</p>")
    page = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}{page}</html>\n'


def plots_of(scores: Mapping[str, Scores], baseline: Mapping[str, Scores], result: RunResult) -> dict[str, str]:
    """Base64 of PNG by title: a histogram of each score, over its baseline, and the seconds; {} without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    found = {}
    for name, part in scores.items():
        edges, shares = histogram(part)
        if edges == []:
            continue
        figure = Figure(figsize=(7, 2.6), layout="constrained")
        axes = figure.subplots()
        axes.stairs(shares, edges, fill=True, alpha=0.6, label="this run")
        if name in baseline and histogram(baseline[name])[0] != []:
            before, known = histogram(baseline[name])[::-1]
            axes.stairs(before, known, color="black", label=_against(result, name))
        axes.set_ylabel("share of rows")
        axes.legend()
        found[f"Distribution of {name}"] = _png(figure)
    if result.seconds:
        figure = Figure(figsize=(7, 0.6 + 0.35 * len(result.seconds)), layout="constrained")
        axes = figure.subplots()
        axes.barh(list(result.seconds)[::-1], list(result.seconds.values())[::-1])
        axes.set_xlabel("seconds")
        found["Seconds by step"] = _png(figure)
    return found


def _against(result: RunResult, name: str) -> str:
    moved: Mapping[str, Any] = result.drift.get(name, {})
    against = str(moved.get("against", ""))
    return "the run before" if against.startswith("run ") or against == "" else against


def _png(figure: Any) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return base64.b64encode(stream.getvalue()).decode("ascii")
