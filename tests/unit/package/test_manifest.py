"""The manifest: what `sha256sum` reads, for files of any name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_models.errors import HashMismatchError, InvalidPackageError, ManifestMismatchError
from spark_models.package.manifest import (
    content_hash,
    copy_verified,
    manifest_text,
    parse_manifest,
    verify_manifest,
    write_manifest,
)

file_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
sums = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.dictionaries(file_names, sums, max_size=4))
def test_a_manifest_reads_back(stated: dict[str, str]) -> None:
    assert parse_manifest(manifest_text(stated), "here") == stated


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_manifest(text, "here")
    except InvalidPackageError as error:
        assert error.where == "here"
    else:
        assert all(len(digest) == 64 for digest in found.values())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "m"
    (folder / "data" / "__pycache__").mkdir(parents=True)
    (folder / "data" / "__pycache__" / "x.pyc").write_bytes(b"")
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "line\u2028 end é.txt").write_text("x")
    write_manifest(folder)
    return folder


def test_a_name_with_a_unicode_line_end_verifies(root: Path, tmp_path: Path) -> None:
    assert verify_manifest(root) == content_hash(root)
    (tmp_path / "copy").mkdir()
    assert copy_verified(root, tmp_path / "copy") == content_hash(root)
    assert verify_manifest(tmp_path / "copy") == content_hash(root)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_sha256sum_agrees(root: Path) -> None:
    command = ["sha256sum", "--check", "--strict", "manifest.sha256"]
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0
    (root / "MLmodel").write_text("changed")
    assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode != 0
    with pytest.raises(ManifestMismatchError):
        verify_manifest(root)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"no sum\n", b"00  short\n", b"0" * 64 + b" MLmodel\n", (b"0" * 64 + b"  a\n") * 2]
)
def test_a_broken_manifest_is_refused(root: Path, content: bytes) -> None:
    (root / "manifest.sha256").write_bytes(content)
    with pytest.raises(InvalidPackageError):
        verify_manifest(root)


@pytest.mark.parametrize("name", [b"new\nline", b"back\\slash", b"not-utf8-\xff"])
def test_a_name_that_no_manifest_holds_is_refused(root: Path, name: bytes) -> None:
    Path(os.fsdecode(os.path.join(os.fsencode(root), name))).touch()
    with pytest.raises(InvalidPackageError) as caught:
        write_manifest(root)
    str(caught.value).encode()


def test_a_hash_is_of_all_files_and_of_nothing_else(root: Path) -> None:
    before = content_hash(root)
    (root / "data" / "__pycache__" / "y.pyc").write_bytes(b"1")
    assert verify_manifest(root, before) == before
    (root / "manifest.sha256").unlink()
    assert content_hash(root) == verify_manifest(root) == before
    with pytest.raises(HashMismatchError):
        verify_manifest(root, "0" * 64)


def test_a_copy_that_differs_from_the_manifest_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "MLmodel").write_text("changed")
    with pytest.raises(ManifestMismatchError, match="MLmodel"):
        copy_verified(root, tmp_path / "copy")
