"""Requirement lines as pip reads them: files followed, comments dropped, syntax checked, secrets refused.

A package travels, so nothing in it may need a file of the machine that wrote it (`-r` and `-c` files are read
and merged) or give a password away (a URL with credentials is refused).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from spark_models.errors import InvalidEnvironmentError

MAX_FILES = 100
"""Most files that are followed through `-r` and `-c`."""
MAX_FILE_BYTES = 1_000_000
"""Longest requirements file."""
MAX_FILE_DEPTH = 10
"""Most files inside each other."""
MAX_LINE = 20_000
"""Longest requirement line: one with a hundred hashes has room."""

_FOLLOWED = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_WHERE_TO_LOOK = ("-i", "--index-url", "--extra-index-url", "--no-index", "-f", "--find-links", "--trusted-host")
_WHAT_TO_TAKE = ("--pre", "--prefer-binary", "--no-binary", "--only-binary", "--require-hashes", "--use-feature")
_KEPT = frozenset(("-e", "--editable", *_WHERE_TO_LOOK, *_WHAT_TO_TAKE))
_KEPT_PER_REQUIREMENT = frozenset(
    ("--hash", "--config-settings", "--config-setting", "--global-option", "--install-option")
)

_PRE_POST_DEV = (
    r"(?:[-_.]?(?:alpha|beta|preview|pre|a|b|c|rc)[-_.]?\d*)?"
    r"(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?"
    r"(?:[-_.]?dev[-_.]?\d*)?"
)
_CLAUSE = (
    r"(?:===\s*[^\s;),]+"
    rf"|[=!]=\s*v?(?:\d+!)?\d+(?:\.\d+)*(?:\.\*|{_PRE_POST_DEV}(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?)"
    rf"|~=\s*v?(?:\d+!)?\d+(?:\.\d+)+{_PRE_POST_DEV}"
    rf"|[<>]=?\s*v?(?:\d+!)?\d+(?:\.\d+)*{_PRE_POST_DEV})"
)
_CLAUSES = rf"{_CLAUSE}(?:\s*,\s*{_CLAUSE})*"
_NAME = r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?"
# Two `\s*` never meet: on a long run of spaces that would take the square of its length.
_NAMED = re.compile(
    rf"{_NAME}\s*(?:\[\s*(?:{_NAME}(?:\s*,\s*{_NAME})*\s*)?\]\s*)?(?:@\s*\S+|{_CLAUSES}|\(\s*(?:{_CLAUSES}\s*)?\))?",
    re.IGNORECASE | re.ASCII,
)
_MARKER_VALUE = (
    r"(?:python_version|python_full_version|os_name|sys_platform|platform_release|platform_system|platform_version"
    r"|platform_machine|platform_python_implementation|implementation_name|implementation_version|extra"
    r"|'[^']*'|\"[^\"]*\")"
)
_COMPARISON = rf"[\s(]*{_MARKER_VALUE}\s*(?:===|[<>=!~]=|[<>]|\bin\b|\bnot\s+in\b)\s*{_MARKER_VALUE}[\s)]*"
_MARKER = re.compile(rf"{_COMPARISON}(?:\b(?:and|or)\b{_COMPARISON})*", re.ASCII)
_ARCHIVE = re.compile(r"\.(?:whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)(?:\[[^\]]*\])?$", re.IGNORECASE)
_PATH = re.compile(r"\.{0,2}[/\\]|\.{1,2}(?:\[|$)|~[/\\]|[a-z]:[/\\]", re.IGNORECASE)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_OPTION = re.compile(r"(--[a-z][a-z-]*|-[a-z])[\s=]*(.*)", re.IGNORECASE)

_USER = re.compile(r"//([^\s/?#\"'@]*(?:@[^\s/?#\"'@]*)*)@")
_QUERY_SECRET = re.compile(
    r"[?&][\w.-]*(?:token|passw(?:or)?d|secret|signature|api[_-]?key|\bsig)=([^&#\s\"']+)", re.IGNORECASE
)
_CONDA_TOKEN = re.compile(r"://[^\s/]+/t/([A-Za-z0-9-]+)")
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")


@dataclass(frozen=True, slots=True)
class Requirements:
    """Requirement lines and constraint lines, each once, in their order; neither names another file."""

    lines: tuple[str, ...]
    constraints: tuple[str, ...]


def parse_requirements(
    given: Iterable[str] | str | os.PathLike[str], *, source: str, folder: str | os.PathLike[str] = ""
) -> Requirements:
    """The requirements in `given`: lines, or the path of a requirements file.

    `-r` and `-c` files are followed, relative to the file that names them, or to `folder` for given lines; `-c` files
    become constraints. Comments and blank lines are dropped and continued lines joined; extras, markers, hashes, `-e`,
    URLs and options of the index are kept as they are written.

    Raises:
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] a file is missing or names itself, a line is no requirement, or
            a URL holds credentials.

    >>> parse_requirements(["xgboost==2.1.1  # pinned", "", "pandas[performance]>=2,<3"], source="pip_requirements")
    Requirements(lines=('xgboost==2.1.1', 'pandas[performance]>=2,<3'), constraints=())
    """
    reader = _Reader()
    if isinstance(given, (str, os.PathLike)):
        reader.file(os.path.join(folder, given), is_constraint=False, named_by=source)
    elif isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        problem = f"it is {type(given).__name__}; a list of requirements or the path of a file is expected"
        raise InvalidEnvironmentError(problem, source)
    else:
        for number, item in enumerate(given, 1):
            place = f"{source}, item {number}"
            if not isinstance(item, str):
                raise InvalidEnvironmentError(f"it is {type(item).__name__}; a requirement is a string", place)
            for _, line in _logical_lines(item):
                reader.line(line, is_constraint=False, folder=os.fspath(folder), place=place)
    return Requirements(tuple(reader.lines), tuple(reader.constraints))


def normalized(name: str) -> str:
    """The project's name as indexes compare it.

    >>> normalized("Spark_Models")
    'spark-models'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def project_of(line: str) -> str | None:
    """The normalized name of the project that a requirement line asks for; None where the line does not tell it.

    >>> project_of("spark_models[serve]>=1"), project_of("dist/spark_models-0.1.0-py3-none-any.whl")
    ('spark-models', 'spark-models')
    """
    egg = re.search(r"[#&]egg=([\w.-]+)", line)
    if egg is not None:
        return normalized(egg[1])
    if line.startswith("-"):
        return None
    requirement = re.split(r"\s(?:;|--)", line)[0].strip()
    if _is_location(requirement):
        file_name = re.split(r"[?#]", requirement)[0].replace("\\", "/").rpartition("/")[2]
        # A wheel is name-version-…; a source archive name-version.
        stem = re.match(r"(.+?)-v?\d", file_name) if _ARCHIVE.search(file_name) is not None else None
        return None if stem is None else normalized(stem[1])
    named = re.match(_NAME, requirement, re.IGNORECASE)
    return None if named is None else normalized(named[0])


def check_secrets(text: str, place: str) -> None:
    """Refuses a text with credentials in a URL; a variable in their place (`${TOKEN}`) passes.

    A user without a password passes too (`git@`, `oauth2accesstoken@`), unless it looks like a token.

    Raises:
        InvalidEnvironmentError: [INVALID_ENVIRONMENT] the text is not repeated in the error.
    """
    found = [match[1] for match in _QUERY_SECRET.finditer(text)]
    found += [match[1] for match in _CONDA_TOKEN.finditer(text) if match[1].startswith("tk-") or _is_token(match[1])]
    for match in _USER.finditer(text):
        user, colon, password = match[1].partition(":")
        if colon != "" or _is_token(user):
            found.append(user if password == "" else password)
    if any(_VARIABLE.fullmatch(secret) is None for secret in found):
        raise InvalidEnvironmentError(
            "a URL holds credentials, which would be written into the package",
            place,
            "write ${NAME} in their place: pip and conda read it from the environment when they install",
        )


def _is_token(text: str) -> bool:
    return len(text) >= 20 and re.search(r"\d", text) is not None


class _Reader:
    """Collects requirement and constraint lines; follows files."""

    def __init__(self) -> None:
        # Dicts keep the order and each line once.
        self.lines: dict[str, None] = {}
        self.constraints: dict[str, None] = {}
        self.open: list[str] = []
        self.files = 0

    def file(self, path: str, *, is_constraint: bool, named_by: str) -> None:
        """Reads a requirements file that `named_by` names."""
        self.files += 1
        if len(self.open) == MAX_FILE_DEPTH or self.files > MAX_FILES:
            limit = f"{MAX_FILES} files, or {MAX_FILE_DEPTH} inside each other"
            raise InvalidEnvironmentError(f"the requirements name more than {limit}", named_by)
        text = _text_of(path, named_by)
        real = os.path.realpath(path)
        if real in self.open:
            raise InvalidEnvironmentError(f"the file {path} names itself through -r or -c", named_by)
        self.open.append(real)
        for number, line in _logical_lines(text):
            self.line(line, is_constraint=is_constraint, folder=os.path.dirname(path), place=f"{path}, line {number}")
        self.open.pop()

    def line(self, line: str, *, is_constraint: bool, folder: str, place: str) -> None:
        """Takes in one line that has no comment and is continued nowhere."""
        if len(line) > MAX_LINE:
            raise InvalidEnvironmentError(f"the line is longer than {MAX_LINE} characters", place)
        check_secrets(line, place)
        if _CONTROL.search(line) is not None:
            raise InvalidEnvironmentError("the line has a control character", place)
        if line.startswith("-"):
            followed = _option(line, place)
            if followed is not None:
                path, into_constraints = followed
                self.file(os.path.join(folder, path), is_constraint=into_constraints, named_by=place)
                return
        else:
            _check_requirement(line, place)
        (self.constraints if is_constraint else self.lines)[line] = None


def _text_of(path: str, named_by: str) -> str:
    problem = "" if os.path.isfile(path) else "is not a file" if os.path.exists(path) else "does not exist"
    if problem != "":
        advice = "name the file by its path, or give requirement lines as a list: a string is a path"
        raise InvalidEnvironmentError(f"the requirements file {path} {problem}", named_by, advice)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            problem = f"is longer than {MAX_FILE_BYTES} bytes"
            raise InvalidEnvironmentError(f"the requirements file {path} {problem}", named_by)
        return content.decode("utf-8-sig")
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        raise InvalidEnvironmentError(f"the requirements file {path} {problem}", named_by) from error
    except UnicodeDecodeError as error:
        raise InvalidEnvironmentError(f"the requirements file {path} is not UTF-8", named_by) from error


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with the number (from 1) of its first part: continued lines joined, comments and blank ones dropped."""
    first, joined = 0, ""
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        part = raw if joined == "" else raw.lstrip() if joined[-1].isspace() else raw
        first = number if joined == "" else first
        # As for pip, a comment ends a continued line, whatever it ends with.
        if part.endswith("\\") and _COMMENT.search(part) is None:
            joined += part[:-1]
            continue
        line = re.sub(r"\s+", " ", _COMMENT.sub("", joined + part)) if joined != "" else _COMMENT.sub("", part)
        joined = ""
        if line.strip() != "":
            yield first, line.strip()


def _option(line: str, place: str) -> tuple[str, bool] | None:
    """For `-r` and `-c`: the path, and whether it is a file of constraints. None for an option that is kept."""
    match = _OPTION.fullmatch(line)
    name = line.partition(" ")[0] if match is None else match[1]
    if match is None or (name not in _KEPT and name not in _FOLLOWED):
        raise InvalidEnvironmentError(f"{name} is no option of a requirements file", place)
    if name in _KEPT:
        return None
    path = match[2].strip("\"'")
    if path == "":
        raise InvalidEnvironmentError(f"{name} names no file", place)
    if "://" in path:
        advice = "download it and name the local file: a package does not depend on what an address holds later"
        raise InvalidEnvironmentError(f"{name} names an address", place, advice)
    return path, _FOLLOWED[name]


def _check_requirement(line: str, place: str) -> None:
    """Raises unless the line is a requirement of PEP 508, a path or a URL; with options, if any, that pip knows."""
    requirement, *options = re.split(r"\s(?=--[a-z])", line)
    for option in options:
        name = re.split(r"[\s=]", option)[0]
        if name not in _KEPT_PER_REQUIREMENT:
            raise InvalidEnvironmentError(f"{name} is no option of a requirement", place)
    # In a URL a semicolon begins the marker only after a space.
    is_location = _is_location(requirement)
    named, semicolon, marker = requirement.partition(" ;" if is_location or "@" in requirement else ";")
    if semicolon != "" and (_MARKER.fullmatch(marker) is None or not _is_balanced(marker)):
        raise InvalidEnvironmentError(f"{marker.strip()!r} is no environment marker", place)
    if not is_location and _NAMED.fullmatch(named.strip()) is None:
        problem = f"{_shortened(named.strip())!r} is no requirement"
        raise InvalidEnvironmentError(problem, place, "write name, name==version, name[extra]>=version or name @ URL")


def _is_location(requirement: str) -> bool:
    """Whether a requirement is a path or a URL, without a name before it."""
    if re.match(rf"{_NAME}\s*(?:\[[^\]]*\]\s*)?@", requirement, re.IGNORECASE) is not None:
        return False
    if _PATH.match(requirement) is not None:
        return True
    location = re.split(r"\s;", requirement)[0].rstrip()
    if re.match(r"\w\S*$", location) is None:
        return False
    return re.search(r"[/\\]", location) is not None or _ARCHIVE.search(location) is not None


def _is_balanced(marker: str) -> bool:
    depth = 0
    for character in re.sub(r"'[^']*'|\"[^\"]*\"", "", marker):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def _shortened(text: str) -> str:
    return text if len(text) <= 100 else text[:100] + "…"
