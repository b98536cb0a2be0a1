"""Paths that a package names: inside, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_models.errors import ModelNotFoundError, PathEscapesError, UnsupportedUriError
from spark_models.store.paths import inside
from spark_models.store.uris import local_path, uri_scheme

parts = st.sampled_from(["..", ".", "a", "", "/", "\\", "C:", "~", "a b", "\0", "..\\", "%2e%2e"])


@settings(max_examples=200, deadline=None)
@given(st.lists(parts, max_size=6).map("/".join) | st.text(max_size=12))
def test_a_path_is_inside_or_refused(relative: str) -> None:
    root = Path("/models/m")
    try:
        found = inside(root, relative, "MLmodel")
    except PathEscapesError as error:
        assert error.source == "MLmodel"
    else:
        assert found == root or root in found.parents
        assert ".." not in found.parts


def test_links_are_followed_before_they_are_judged(tmp_path: Path) -> None:
    (tmp_path / "m" / "data").mkdir(parents=True)
    (tmp_path / "m" / "in").symlink_to("data")
    (tmp_path / "m" / "out").symlink_to(tmp_path)
    (tmp_path / "m-2").mkdir()
    (tmp_path / "m" / "sibling").symlink_to(tmp_path / "m-2")
    assert inside(tmp_path / "m", "in/x", "here") == tmp_path / "m" / "in" / "x"
    for name in ("out", "out/x", "sibling"):
        with pytest.raises(PathEscapesError):
            inside(tmp_path / "m", name, "here")


def test_uris_of_local_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    for uri in (f"file://{tmp_path}/a%20b", f"file:{tmp_path}/a%20b", f"file://localhost{tmp_path}/a%20b"):
        assert local_path(uri) == tmp_path / "a b"
    monkeypatch.chdir(tmp_path)
    assert local_path("a b") == local_path(Path("a b")) == tmp_path / "a b"
    with pytest.raises(UnsupportedUriError, match="of this host"):
        local_path("file://elsewhere/a")
    with pytest.raises(ModelNotFoundError):
        local_path("no such")
    assert [uri_scheme(uri) for uri in ("S3://b/m", "C:\\m", "a/b:c", "dbfs:/m")] == ["s3", "", "", "dbfs"]
