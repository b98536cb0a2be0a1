"""The manifest: a sha256 sum of every file of a package, in the form that `sha256sum -c manifest.sha256` reads.

The hash of the manifest's own text is the package's content hash. It says that the bytes are those that were saved,
not who saved them.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from spark_models.errors import HashMismatchError, InvalidPackageError, ManifestMismatchError
from spark_models.package.layout import MANIFEST

CHUNK = 1 << 20
MAX_FILES = 100_000
IGNORED = "__pycache__"
"""Importing the code of a package leaves these folders in it; they are never packaged."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\\]")
_OTHER_BYTES = re.compile("[\ud800-\udfff]")
"""How Python shows the bytes of a name that is not UTF-8."""


def package_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a package as (POSIX path, path), sorted by name, without the manifest.

    Raises:
        InvalidPackageError: [INVALID_PACKAGE] it holds a link, a device, too many files, or a name not fit to print.
    """
    count = 0
    for folder, folders, files in os.walk(str(root)):
        folders[:] = sorted(name for name in folders if name != IGNORED)
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                raise InvalidPackageError(_relative(root, folder, name), "a link has no place in a package")
        for name in sorted(files):
            relative = _relative(root, folder, name)
            if relative == MANIFEST:
                continue
            count += 1
            if count > MAX_FILES:
                raise InvalidPackageError(str(root), f"it has more than {MAX_FILES} files")
            if _UNPRINTABLE.search(relative) is not None:
                raise InvalidPackageError(relative, "control characters and backslashes have no place in a file name")
            if not relative.isascii() and _OTHER_BYTES.search(relative) is not None:
                raise InvalidPackageError(ascii(relative), "a file name is not UTF-8")
            path = os.path.join(folder, name)
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise InvalidPackageError(relative, "a link or device has no place in a package")
            yield relative, Path(path)


def _relative(root: Path, folder: str, name: str) -> str:
    # Where os.walk starts it gives the root itself, and below it, paths that begin with it.
    return Path(os.path.relpath(os.path.join(folder, name), root)).as_posix() if folder != str(root) else name


def file_hash(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as stream:
        buffer = bytearray(min(CHUNK, os.fstat(stream.fileno()).st_size + 1))
        view = memoryview(buffer)
        while (count := stream.readinto(buffer)) > 0:
            digest.update(view[:count])
    return digest.hexdigest()


def manifest_text(sums: dict[str, str]) -> str:
    """The manifest of these sums by path: one line `<sha256>  <path>` a file, sorted by path.

    >>> manifest_text({"b": "22", "a": "11"})
    '11  a\\n22  b\\n'
    """
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))


def parse_manifest(text: str, source: str) -> dict[str, str]:
    """The sums by path of a manifest's text; the inverse of `manifest_text`.

    Raises:
        InvalidPackageError: [INVALID_PACKAGE] a line is not of the form `<sha256>  <path>`.
    """
    sums: dict[str, str] = {}
    # Not splitlines: a file name may hold what Unicode, but not sha256sum, takes for the end of a line.
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text != "" else (), 1):
        digest, separator, name = line.partition("  ")
        if separator == "" or len(digest) != 64 or not set(digest) <= set("0123456789abcdef") or name in sums:
            raise InvalidPackageError(source, f"line {number} is not '<sha256>  <path>'")
        sums[name] = digest
    return sums


def hash_of(text: str) -> str:
    """The content hash of a package with this manifest."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_manifest(root: Path, known: Mapping[str, str] | None = None) -> str:
    """Writes the manifest of a package's files as they are; gives its content hash.

    `known` are sums of files that the caller has written itself: those are not read again.
    """
    sums = dict(known or {})
    text = manifest_text({name: sums.get(name) or file_hash(path) for name, path in package_files(root)})
    with open(root / MANIFEST, "wb", buffering=0) as stream:
        stream.write(text.encode())
    return hash_of(text)


def read_manifest(root: Path) -> str | None:
    """The text of a package's manifest; None where it has none, as packages of MLflow."""
    path = root / MANIFEST
    if path.is_symlink():
        raise InvalidPackageError(str(path), "a link has no place in a package")
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidPackageError(str(path), "it is not UTF-8 text") from error


def content_hash(root: Path) -> str:
    """The content hash of a package: of its manifest, or of the one it would have. Files are not checked against it."""
    text = read_manifest(root)
    if text is None:
        text = manifest_text({name: file_hash(path) for name, path in package_files(root)})
    return hash_of(text)


def verify_manifest(root: Path, expected_hash: str | None = None) -> str:
    """The content hash of a package whose files are those of its manifest, every byte read.

    Raises:
        ManifestMismatchError: [MANIFEST_MISMATCH] files were changed, added or removed; all of them are named.
        HashMismatchError: [HASH_MISMATCH] the content hash is not `expected_hash`.
    """
    text = read_manifest(root)
    actual = {name: file_hash(path) for name, path in package_files(root)}
    if text is not None:
        compare_sums(parse_manifest(text, str(root / MANIFEST)), actual, str(root))
    found = hash_of(manifest_text(actual))
    check_hash(found, expected_hash, str(root))
    return found


def compare_sums(stated: dict[str, str], actual: dict[str, str], source: str) -> None:
    """Raises ManifestMismatchError [MANIFEST_MISMATCH] unless both say the same of the same files."""
    changed = tuple(sorted(name for name in stated.keys() & actual.keys() if stated[name] != actual[name]))
    added = tuple(sorted(actual.keys() - stated.keys()))
    removed = tuple(sorted(stated.keys() - actual.keys()))
    if (changed, added, removed) != ((), (), ()):
        raise ManifestMismatchError(source, changed, added, removed)


def check_hash(found: str, expected: str | None, source: str) -> None:
    """Raises HashMismatchError [HASH_MISMATCH] unless `found` is `expected`, or a pin was not asked for."""
    if expected is not None and found != expected.lower().removeprefix("sha256:"):
        raise HashMismatchError(source, found, expected)


def copy_verified(root: Path, target: Path) -> str:
    """Copies a package's files, hashing the very bytes that are written; gives the content hash of the copy.

    Raises:
        ManifestMismatchError: [MANIFEST_MISMATCH] the copy differs from the manifest.
    """
    sums = {}
    for name, path in package_files(root):
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        sums[name] = _copy(path, destination)
    stated = read_manifest(root)
    if stated is not None:
        compare_sums(parse_manifest(stated, str(root / MANIFEST)), sums, str(root))
    text = manifest_text(sums)
    (target / MANIFEST).write_text(text, encoding="utf-8")
    return hash_of(text)


def _copy(source: Path, destination: Path) -> str:
    digest = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with open(source, "rb", buffering=0) as reader, open(destination, "wb", buffering=0) as writer:
        while (count := reader.readinto(buffer)) > 0:
            digest.update(view[:count])
            written = 0
            while written < count:  # a disk that is nearly full takes a part, and only then says so
                written += writer.write(view[written:count])
    return digest.hexdigest()
