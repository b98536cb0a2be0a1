"""Requirement lines: `packaging` is the oracle, and what is collected can be given again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from spark_models.errors import InvalidEnvironmentError
from spark_models.package.requirements import parse_requirements, project_of

names = st.sampled_from(
    ["a", "numpy", "scikit-learn", "spark_models", "zope.interface", "3to2", "A_1", "-a", "a-", "a b"]
)
extras = st.sampled_from(["", "[x]", "[x,y-z]", "[ x , y ]", "[]", "[x", "[x,]", "[-x]"])
right = ["1", "1.2", "1.2.3", "1.*", "1.2.*", "1a1", "1.0rc1", "1.0.post1", "1.0.dev3", "1!2.0", "1.0+cpu", "v1.0"]
wrong = ["1.0.x", "abc", "2004d", "1..2", "1.0a.*", "1.0+"]
versions = st.sampled_from(right + wrong)
clause = st.tuples(
    st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "=", "=>"]), st.sampled_from(["", " "]), versions
)
clauses = st.lists(clause.map("".join), max_size=3).map(",".join)
markers = st.sampled_from(
    [
        "",
        ";python_version<'3.8'",
        "; python_version >= \"3\" and os_name=='nt'",
        "; (python_version<'3' or sys_platform in 'a b') and extra=='x'",
        "; os_name not in 'x'",
        "; bogus=='1'",
        "; python_version",
        "; python_version<3",
        ";",
        "; (os_name=='a'",
        "; os_name=='a' os_name=='b'",
    ]
)
specifier = clauses | clauses.map("({})".format) | st.just("@ https://host/a-1-py3-none-any.whl ")
spaces = st.sampled_from(["", " "])
requirements = st.tuples(names, spaces, extras, spaces, specifier, spaces, markers).map("".join)


@given(requirements)
def test_a_line_is_accepted_where_packaging_accepts_it(line: str) -> None:
    if line.startswith("-"):
        return
    try:
        expected = canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        with pytest.raises(InvalidEnvironmentError):
            parse_requirements([line], source="test")
    else:
        assert parse_requirements([line], source="test").lines == (line.strip(),)
        assert project_of(line) == expected


@given(st.lists(st.text(max_size=20) | requirements | st.sampled_from(["-c", "-r", "--pre", "\\", "#"]), max_size=6))
def test_any_lines_are_collected_once_or_refused(lines: list[str]) -> None:
    try:
        found = parse_requirements(lines, source="test")
    except InvalidEnvironmentError as error:
        assert error.source.startswith("test, item ")
    else:
        assert len(set(found.lines)) == len(found.lines)
        assert parse_requirements(found.lines, source="test") == found


@given(
    st.sampled_from(["https://", "git+https://", "ssh://", "--index-url http://"]),
    st.from_regex(r"[A-Za-z0-9%._~-]{0,12}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9%._~+!*-]{1,30}", fullmatch=True),
)
def test_a_password_never_passes_and_is_never_repeated(scheme: str, user: str, password: str) -> None:
    prefix = "" if scheme.startswith("--") else "demo @ "
    with pytest.raises(InvalidEnvironmentError, match="holds credentials") as caught:
        parse_requirements([f"{prefix}{scheme}{user}:{password}@host.example/demo.git"], source="given")
    assert "host.example" not in str(caught.value)
