"""Packages in archives and caches: what arrives is what was sent, or there is an error and nothing stays."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spark_models.errors import (
    HashMismatchError,
    ManifestMismatchError,
    PathEscapesError,
    ShipError,
)
from spark_models.package import manifest
from spark_models.package.manifest import write_manifest
from spark_models.package.reader import Package, open_package
from spark_models.scoring import place as module
from spark_models.scoring.place import PackageRef, is_local, pack, place, unpack, unpack_verified
from spark_models.store.cache import release

LOCAL = SimpleNamespace(_sc=SimpleNamespace(master="local[2]"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARK_MODELS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A package with a folder, an empty file, and names that are no ASCII."""
    root = tmp_path / "package"
    (root / "data" / "deep").mkdir(parents=True)
    (root / "MLmodel").write_text("flavors: {}\n")
    (root / "data" / "weights.bin").write_bytes(os.urandom(100_000))
    (root / "data" / "deep" / "größe ü.txt").write_text("é")
    (root / "empty").write_bytes(b"")
    write_manifest(root)
    return open_package(root)


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# --- archives


def test_an_archive_gives_back_what_it_was_made_of(package: Package, tmp_path: Path) -> None:
    (package.root / "__pycache__").mkdir()
    (package.root / "__pycache__" / "left.pyc").write_bytes(b"x")
    archive = pack(package.root, tmp_path / "a.zip")
    target = tmp_path / "target"
    target.mkdir()
    unpack_verified(archive, target, package.content_hash())
    whole = contents(package.root)
    del whole["__pycache__/left.pyc"]
    assert contents(target) == whole


def test_an_archive_is_stored_not_compressed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "zeros").write_bytes(bytes(1_000_000))
    assert pack(folder, tmp_path / "a.zip").stat().st_size > 1_000_000


def test_programs_stay_programs_and_nothing_else_gets_there(tmp_path: Path) -> None:
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    for name, mode in (("program", 0o4777), ("text", 0o666)):
        (folder / name).write_text("x")
        (folder / name).chmod(mode)
    unpack(pack(folder, tmp_path / "a.zip"), target)
    assert stat.S_IMODE((target / "program").stat().st_mode) == 0o700
    assert stat.S_IMODE((target / "text").stat().st_mode) & 0o111 == 0


def archive_of(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "a/../../escaped", "..\\escaped", "C:/escaped"])
def test_a_member_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "inside" / "target"
    target.mkdir(parents=True)
    with pytest.raises(PathEscapesError):
        unpack(archive_of(tmp_path / "a.zip", {"good": b"x", name: b"x"}), target)
    assert not list(tmp_path.rglob("escaped"))


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    middle = len(content) // 3
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def page(content: bytes) -> bytes:
    return b"<html>not found</html>"


@pytest.mark.parametrize("damage", [truncated, flipped, page, lambda content: b""])
def test_a_damaged_archive_is_said(package: Package, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive = pack(package.root, tmp_path / "a.zip")
    archive.write_bytes(damage(archive.read_bytes()))
    (tmp_path / "target").mkdir()
    with pytest.raises(ShipError, match=r"\[SHIP_FAILED\] The package a.zip can't be used on this executor: "):
        unpack(archive, tmp_path / "target")


def test_an_archive_that_unpacks_to_too_much_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    """The directory of an archive says how large its members are, whatever is in them."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("zeros", bytes(10_000_000))
    (tmp_path / "target").mkdir()
    content = bytearray(bomb.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 4_000_000_000)
    bomb.write_bytes(bytes(content))
    with pytest.raises(ShipError, match="unpacks to more than a package may hold"):
        unpack(bomb, tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MEMBERS", 3)
    with pytest.raises(ShipError, match="unpacks to more than"):
        unpack(archive_of(tmp_path / "a.zip", {str(number): b"" for number in range(4)}), tmp_path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda members: members.update({"data/weights.bin": b"other"}), ManifestMismatchError),
        (lambda members: members.update({"sitecustomize.py": b""}), ManifestMismatchError),
        (lambda members: members.pop("empty"), ManifestMismatchError),
        (lambda members: members.pop("manifest.sha256"), ShipError),
    ],
)
def test_what_differs_from_the_manifest_is_refused(
    package: Package, tmp_path: Path, change: Callable[[dict[str, bytes]], Any], error: type[Exception]
) -> None:
    members = contents(package.root)
    change(members)
    (tmp_path / "target").mkdir()
    with pytest.raises(error):
        unpack_verified(archive_of(tmp_path / "a.zip", members), tmp_path / "target", package.content_hash())


def test_another_package_than_the_one_that_was_sent(package: Package, tmp_path: Path) -> None:
    """It agrees with its own manifest; its hash is another."""
    archive = pack(package.root, tmp_path / "a.zip")
    (tmp_path / "target").mkdir()
    with pytest.raises(HashMismatchError):
        unpack_verified(archive, tmp_path / "target", "0" * 64)


# --- the driver's copy


@pytest.mark.parametrize(
    ("master", "local"),
    [("local", True), ("local[*]", True), ("local-cluster[1,1,512]", False), ("spark://h:1", False)],
)
def test_where_workers_share_the_drivers_files(master: str, local: bool) -> None:
    assert is_local(SimpleNamespace(_sc=SimpleNamespace(master=master))) is local


def test_a_session_of_connect_shares_nothing() -> None:
    assert is_local(SimpleNamespace()) is False


def test_a_package_is_placed_under_its_hash_with_every_byte(package: Package, cache: Path) -> None:
    ref = place(LOCAL, package)
    assert ref == PackageRef(package.content_hash(), str(cache / package.content_hash()))
    assert contents(Path(ref.driver_root)) == contents(package.root)
    assert ref.root() == Path(ref.driver_root)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes are hashed or copied, as that happens."""
    seen: list[str] = []

    def noting(function: Any) -> Any:
        def call(path: Path, *arguments: Any) -> Any:
            seen.append(path.name)
            return function(path, *arguments)

        return call

    for name in ("file_hash", "_copy"):
        monkeypatch.setattr(manifest, name, noting(getattr(manifest, name)))
    return seen


def test_a_new_package_is_read_once(package: Package, cache: Path, hashed: list[str]) -> None:
    place(LOCAL, package)
    assert sorted(hashed) == sorted(["MLmodel", "weights.bin", "größe ü.txt", "empty"])


def test_a_package_that_was_placed_is_read_again_and_only_once(
    package: Package, cache: Path, hashed: list[str]
) -> None:
    first = place(LOCAL, package)
    hashed.clear()
    assert place(LOCAL, package) == first
    assert len(hashed) == 4


def test_a_package_of_mlflow_has_no_manifest_and_gets_one(package: Package, cache: Path) -> None:
    stated = package.content_hash()
    (package.root / "manifest.sha256").unlink()
    ref = place(LOCAL, package)
    assert ref.content_hash == stated
    assert (Path(ref.driver_root) / "manifest.sha256").is_file()
    assert not (package.root / "manifest.sha256").exists()


@pytest.mark.parametrize("placed", [False, True])
def test_a_package_that_differs_from_its_manifest_is_refused_placed_or_not(
    package: Package, cache: Path, placed: bool
) -> None:
    if placed:
        place(LOCAL, package)
    (package.root / "data" / "weights.bin").write_bytes(b"other")
    with pytest.raises(ManifestMismatchError):
        place(LOCAL, package)
    assert (cache / package.content_hash()).is_dir() is placed


def test_a_package_that_is_not_the_pinned_one_is_not_even_copied(
    package: Package, cache: Path, hashed: list[str]
) -> None:
    with pytest.raises(HashMismatchError):
        place(LOCAL, package, "0" * 64)
    assert hashed == []
    assert not cache.exists()


def test_a_reference_to_a_copy_that_is_not_on_this_host(tmp_path: Path) -> None:
    with pytest.raises(ShipError) as caught:
        PackageRef("a" * 64, str(tmp_path / "absent")).root()
    assert str(caught.value) == (
        f"[SHIP_FAILED] The package aaaaaaaaaaaa can't be used on this executor: {tmp_path / 'absent'} "
        "is not on this host."
    )


def test_a_copy_with_another_manifest_is_not_taken(package: Package, cache: Path) -> None:
    ref = place(LOCAL, package)
    release(Path(ref.driver_root))
    (Path(ref.driver_root) / "manifest.sha256").write_text("")
    with pytest.raises(ShipError):
        ref.root()
