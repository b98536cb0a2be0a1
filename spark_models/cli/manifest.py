"""`update-manifest`: a package's sums as its files are now."""

from __future__ import annotations

from spark_models.errors import UnsupportedUriError
from spark_models.package.manifest import write_manifest
from spark_models.package.reader import Package, open_package
from spark_models.store.uris import uri_scheme


def changeable(uri: str) -> Package:
    """The package in a directory of this host.

    Raises:
        UnsupportedUriError: [UNSUPPORTED_URI] the URI is of no directory of this host: a copy would be changed.
        NotAModelError: [NOT_A_MODEL] there is no MLmodel file.
    """
    if uri_scheme(uri) not in ("", "file", "runs"):
        raise UnsupportedUriError(uri, "give the directory of the package: that of another host can't be changed")
    return open_package(uri)


def update(uri: str) -> str:
    """What was done, in a sentence or two, after the manifest was written.

    Raises:
        UnsupportedUriError: [UNSUPPORTED_URI] the URI is of no directory of this host: a copy would be changed.
        NotAModelError: [NOT_A_MODEL] there is no MLmodel file.
    """
    package = changeable(uri)
    before = package.content_hash()
    after = write_manifest(package.root)
    if before == after:
        return f"The manifest is as it was: sha256:{after}"
    return f"The manifest is written anew: sha256:{after}\nIt was: sha256:{before}"
