"""Requirement lines: files followed, syntax checked, secrets refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spark_models.errors import InvalidEnvironmentError
from spark_models.package.requirements import MAX_FILE_BYTES, MAX_FILES, MAX_LINE, Requirements, parse_requirements


def parsed(*given: str) -> tuple[str, ...]:
    return parse_requirements(given, source="given").lines


def refused(given: Any) -> InvalidEnvironmentError:
    with pytest.raises(InvalidEnvironmentError) as caught:
        parse_requirements(given, source="given")
    return caught.value


def test_comments_and_blank_lines_are_dropped_and_duplicates_kept_once() -> None:
    assert parsed("# all", "b", "", "a  # why", "  ", "b", "c", "a\n\nd") == ("b", "a", "c", "d")


def test_continued_lines_are_joined() -> None:
    text = "demo==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nof\\\nfer>=2\nlast \\"
    assert parsed(text) == ("demo==1.0 --hash=sha256:00 --hash=sha256:11", "offer>=2", "last")
    assert parsed("a # ends here \\\nb") == ("a", "b")


@pytest.mark.parametrize(
    "line",
    [
        "a",
        "scikit-learn==1.5.2",
        "zope.interface >= 5, < 6",
        "demo[x, y-z]~=1.4.2",
        "demo (>=1.0)",
        "demo===custom",
        "demo==1.0+cpu",
        "demo==1.*",
        "demo!=1!2.0rc1.post2.dev3",
        'demo>=1 ; python_version < "3.12" and (os_name == "nt" or extra == \'x\')',
        "demo; sys_platform not in 'win32 cygwin'",
        "demo @ https://host/demo-1.0-py3-none-any.whl#sha256=00",
        "demo@ git+ssh://git@host/group/demo.git@v1.0 ; python_version >= '3.10'",
        "https://host/demo-1.0-py3-none-any.whl",
        "./demo",
        ".",
        ".[all]",
        "/wheels/with space/demo-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz",
        "C:\\wheels\\demo.zip",
        "-e .",
        "-e git+https://host/demo.git@main#egg=demo",
        "--index-url https://host/simple",
        "--extra-index-url=https://host/simple",
        "-f links",
        "--trusted-host host",
        "--pre",
        "demo==1 --hash=sha256:00 --hash=sha256:11",
    ],
)
def test_lines_that_are_kept_as_they_are(line: str) -> None:
    assert parsed(line) == (line,)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a b", "'a b' is no requirement"),
        ("demo=1.0", "'demo=1.0' is no requirement"),
        ("demo==1.x", "'demo==1.x' is no requirement"),
        ("demo~=1", "'demo~=1' is no requirement"),
        ("demo>=1.*", "'demo>=1.*' is no requirement"),
        ("demo>=1,", "'demo>=1,' is no requirement"),
        ("demo[x", "'demo[x' is no requirement"),
        ("-demo", "-d is no option of a requirements file"),
        ("demo; python_versoin > '3'", "\"python_versoin > '3'\" is no environment marker"),
        ("demo; (os_name == 'nt'", "\"(os_name == 'nt'\" is no environment marker"),
        ("demo;", "'' is no environment marker"),
        ("demo==1 --no-deps", "--no-deps is no option of a requirement"),
        ("--proxy http://host", "--proxy is no option of a requirements file"),
        ("-r", "-r names no file"),
        ("-r https://host/requirements.txt", "-r names an address"),
        ("demo\x00", "the line has a control character"),
        ("demo==" + "1" * MAX_LINE, f"the line is longer than {MAX_LINE} characters"),
    ],
)
def test_lines_that_are_refused(line: str, problem: str) -> None:
    error = refused(["ok", line])
    assert (error.problem, error.source) == (problem, "given, item 2")


def test_the_text_of_a_syntax_error(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("a\n\nb \\\n  ==1\nc=2\n")
    error = refused(path)
    assert str(error) == (
        "[INVALID_ENVIRONMENT] Invalid environment: 'c=2' is no requirement.\n"
        f"Where: {path}, line 5\nHint: write name, name==version, name[extra]>=version or name @ URL"
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (b"a", "it is bytes; a list of requirements or the path of a file is expected"),
        ({"a": 1}, "it is dict; a list of requirements or the path of a file is expected"),
        (1, "it is int; a list of requirements or the path of a file is expected"),
    ],
)
def test_what_is_neither_a_list_nor_a_path(given: Any, problem: str) -> None:
    assert (refused(given).problem, refused(given).source) == (problem, "given")
    assert refused(["a", None]).source == "given, item 2"


# --- files


def test_files_are_followed_relative_to_the_one_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "main.txt").write_bytes(b"\xef\xbb\xbfa\r\n-r inner/more.txt\r\n--constraint=inner/limits.txt\r\nz\r\n")
    (tmp_path / "inner" / "more.txt").write_text("b\n-r deep.txt\n-climits.txt\n")
    (tmp_path / "inner" / "deep.txt").write_text("c\na\n")
    (tmp_path / "inner" / "limits.txt").write_text("a<2  # why\n-c other.txt\n")
    (tmp_path / "inner" / "other.txt").write_text("b<3\n")
    expected = Requirements(("a", "b", "c", "z"), ("a<2", "b<3"))
    assert parse_requirements(tmp_path / "main.txt", source="given") == expected
    assert parse_requirements(["--requirement 'main.txt'"], source="given", folder=tmp_path) == expected


def test_given_lines_are_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    assert parsed("-r r.txt") == ("a",)
    assert parse_requirements("r.txt", source="given").lines == ("a",)


def test_a_missing_file_is_named_with_the_place_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("a\n-r none.txt\n")
    error = refused(tmp_path / "r.txt")
    assert error.problem == f"the requirements file {tmp_path / 'none.txt'} does not exist"
    assert error.source == f"{tmp_path / 'r.txt'}, line 2"
    assert "a string is a path" in refused("pandas").hint
    assert refused(tmp_path).problem.endswith("is not a file")
    assert refused("a\0b").problem.endswith("does not exist")


def test_cycles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("-r b.txt")
    (tmp_path / "b.txt").write_text("x\n-c ./a.txt")
    assert "names itself through -r or -c" in refused(tmp_path / "a.txt").problem


def test_the_number_of_files_is_bounded(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.txt").write_text(f"-r {number + 1}.txt")
    assert "10 inside each other" in refused(tmp_path / "0.txt").problem
    (tmp_path / "one.txt").write_text("a")
    (tmp_path / "many.txt").write_text("-r one.txt\n" * MAX_FILES)
    assert f"more than {MAX_FILES} files" in refused(tmp_path / "many.txt").problem


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    assert refused(tmp_path / "latin.txt").problem.endswith("latin.txt is not UTF-8")
    (tmp_path / "big.txt").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert refused(tmp_path / "big.txt").problem.endswith(f"big.txt is longer than {MAX_FILE_BYTES} bytes")


# --- secrets


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://user:hunter2@host/simple",
        "--extra-index-url='https://user:hunter2@host/simple'",
        "-f https://:hunter2@host/",
        "-i https://hunter2:@host/simple",
        "demo @ git+https://user:hunt@er2@host/demo.git",
        "git+ssh://git:hunter2@host/demo.git",
        "demo @ git+https://ghp_0123456789abcdefghij@host/demo.git",
        "https://host/demo-1.0.zip?access_token=hunter2",
        "https://host/demo-1.0.zip?x=1&sig=hunter2",
        "https://${USER}:hunter2@host/demo-1.0.zip",
        "https://user:$hunter2@host/demo-1.0.zip",
    ],
)
def test_credentials_are_refused_and_not_repeated(line: str) -> None:
    error = refused(["ok", line])
    assert error.source == "given, item 2"
    assert "holds credentials" in error.problem
    assert "${NAME}" in error.hint
    for secret in ("hunt", "ghp_"):
        assert secret not in str(error)


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://${USER}:${TOKEN}@host/simple",
        "--index-url https://user:${TOKEN}@host/simple",
        "--index-url https://oauth2accesstoken@host/simple",
        "demo @ git+ssh://git@host/group/demo.git@v1.0",
        "demo @ git+https://host:8443/group/demo.git@v1.0",
        "https://host/demo-1.0.zip?token=${TOKEN}",
        "https://host/t/release/demo-1.0.zip",
    ],
)
def test_what_holds_no_secret_is_kept(line: str) -> None:
    assert parsed(line) == (line,)
