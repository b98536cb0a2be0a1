"""Job files that are broken in any place are refused with its line; whatever they hold, nothing else is raised."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from spark_models.errors import InvalidJobError, InvalidYamlError, UnsafeYamlError
from spark_models.jobs.grammar import JOB, json_schema
from spark_models.jobs.kinds import Section
from spark_models.jobs.reading import parse_job
from spark_models.package.yaml_file import dump_yaml

FILES = sorted((Path(__file__).parents[2] / "conf").glob("*.yaml"))
JOBS = [json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str)) for file in FILES]
ENVIRONMENT = {"JDBC_PASSWORD": "x"}
VALIDATOR = Draft202012Validator(json.loads(json_schema()))


def places(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of each key."""
    found = []
    for name, item in value.items() if isinstance(value, dict) else ():
        found += [(*path, name), *places(item, (*path, name))]
    return found


def section_of(path: tuple[str, ...]) -> Section | None:
    """The section that the grammar has at a path; None for free mappings and values."""
    kind: Any = JOB
    for name in path:
        kind = getattr(kind, "section", kind)
        if not isinstance(kind, Section) or name not in kind.keys:
            return None
        kind = kind.keys[name].kind
    return kind if isinstance(kind, Section) else None


def at(job: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        job = job[name]
    return job


def line_of(text: str, path: tuple[str, ...], of_key: bool) -> int:
    """The line of the value at a path, or of its key."""
    node = yaml.compose(text)
    key = node
    for name in path:
        key, node = next((key, value) for key, value in node.value if key.value == name)
    return (key if of_key else node).start_mark.line + 1


@st.composite
def broken(draw: Any) -> tuple[str, str, int]:
    """A job file with one fault, the path that must be told and its line."""
    job = copy.deepcopy(draw(st.sampled_from(JOBS)))
    kind = draw(st.sampled_from(["wrong type", "unknown key", "missing key"]))
    if kind == "wrong type":
        path = draw(st.sampled_from(places(job)))
        at(job, path[:-1])[path[-1]] = draw(st.sampled_from([[{"a": 1}], [[1]], [[]]]))
        text = dump_yaml(job)
        return text, ".".join(path), line_of(text, path, of_key=False)
    sections = [(), *[path for path in places(job) if section_of(path) is not None and isinstance(at(job, path), dict)]]
    path = draw(st.sampled_from(sections))
    section = section_of(path)
    assert section is not None
    if kind == "unknown key":
        name = draw(st.text("abcdefgh_", min_size=9, max_size=12))
        at(job, path)[name] = draw(st.sampled_from([1, "x", None, {"a": 1}]))
        text = dump_yaml(job)
        return text, ".".join([*path, name]), line_of(text, (*path, name), of_key=True)
    needed = [name for name, key in section.keys.items() if key.required]
    if needed == []:
        path, needed = (), [name for name, key in JOB.keys.items() if key.required]
    name = draw(st.sampled_from(needed))
    del at(job, path)[name]
    text = dump_yaml(job)
    return text, ".".join(path), line_of(text, path, of_key=False) if path else 1


@settings(max_examples=1000, deadline=None)
@given(broken())
def test_a_fault_is_told_with_its_line_and_a_reason(fault: tuple[str, str, int]) -> None:
    text, path, line = fault
    try:
        parse_job(text, environment=ENVIRONMENT, source="job.yaml")
    except InvalidJobError as error:
        told = [problem for problem in error.problems if problem.path.startswith(path) and problem.line == line]
        assert told != [], (path, line, error.problems)
        assert all(problem.problem != "" for problem in error.problems)
        return
    raise AssertionError(f"it was taken:\n{text}")


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["${day}", "1", "append"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*JOB.keys, "table", "path", "mode", "format", "uri", "jdbc"]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(JOBS), st.dictionaries(st.sampled_from(list(JOB.keys)), anything, max_size=3))
def test_whatever_a_file_holds_it_is_a_job_that_fits_the_schema_or_is_refused(base: Any, changed: Any) -> None:
    plain = {**base, **changed}
    try:
        parse_job(dump_yaml(plain), environment=ENVIRONMENT)
    except (InvalidJobError, InvalidYamlError, UnsafeYamlError):
        return
    assert list(VALIDATOR.iter_errors(yaml.safe_load(json.dumps(plain)))) == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_refused_in_words(text: Any) -> None:
    try:
        parse_job(text, environment={})
    except (InvalidJobError, InvalidYamlError, UnsafeYamlError) as error:
        assert str(error).startswith("[")
