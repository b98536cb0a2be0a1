"""A package in S3, as SageMaker wants it: one model.tar.gz."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spark_models.deploy.sagemaker.aws import Aws
from spark_models.package.manifest import copy_verified
from spark_models.package.reader import Package

PREFIXES = {"endpoint": "spark-models", "job": "spark-models-jobs"}
"""Under which the keys of an application's archives are: an endpoint and a job may have one name."""


def default_bucket(aws: Aws) -> str:
    """The name of the bucket that is used where none is given: one for each account and region."""
    return f"spark-models-{aws.region}-{aws.account()}"


def ensured_bucket(aws: Aws) -> str:
    """The default bucket, made where it is not there, without access for the public.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] it can't be made, or is another account's.
    """
    account = aws.account()
    bucket = default_bucket(aws)
    resource = f"S3 bucket {bucket}"
    # A bucket's name is anybody's to take: one of another account must not get the package.
    if aws.find("s3", "head_bucket", resource, Bucket=bucket, ExpectedBucketOwner=account) is None:
        place = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        aws.call("s3", "create_bucket", resource, Bucket=bucket, **({} if aws.region == "us-east-1" else place))
    # Looked at each time: a create may have been cut off after the bucket was made.
    if aws.find("s3", "get_public_access_block", resource, Bucket=bucket, ExpectedBucketOwner=account) is None:
        blocked = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        aws.call("s3", "put_public_access_block", resource, Bucket=bucket, PublicAccessBlockConfiguration=blocked)
    return bucket


def upload(aws: Aws, package: Package, folder: str, bucket: str) -> str:
    """The s3:// URI of a package's archive in an application's folder; what is there already is not sent again.

    Raises:
        DeploymentFailedError: [DEPLOYMENT_FAILED] it can't be sent.
    """
    key = f"{folder}{package.content_hash()}/model.tar.gz"
    resource = f"S3 object s3://{bucket}/{key}"
    if aws.find("s3", "head_object", resource, Bucket=bucket, Key=key) is None:
        with tempfile.TemporaryDirectory(prefix="spark-models-archive-") as name:
            archive = Path(name, "model.tar.gz")
            if aws.calls.real:
                _pack(package, Path(name, "package"), archive)
            # boto3 sends large files in parts, and takes the parts back when one fails for good.
            aws.call("s3", "upload_file", resource, Filename=str(archive), Bucket=bucket, Key=key)
    return f"s3://{bucket}/{key}"


def folder_of(kind: str, name: str) -> str:
    """Where the archives of an application, an endpoint or a job, are in a bucket."""
    return f"{PREFIXES[kind]}/{name}/"


def _pack(package: Package, copy: Path, archive: Path) -> None:
    """Writes the archive of a verified copy; the same package gives the same bytes."""
    copy.mkdir()
    copy_verified(package.root, copy)
    with (
        open(archive, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(copy.rglob("*")):
            tar.add(path, arcname=path.relative_to(copy).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def remove_archives(aws: Aws, folder: str, buckets: Iterable[str]) -> None:
    """Removes all archives of an application, and parts of ones that were not sent whole."""
    for bucket in sorted(set(buckets)):
        resource = f"S3 objects s3://{bucket}/{folder}"
        found = aws.pages("s3", "list_objects_v2", "Contents", resource, Bucket=bucket, Prefix=folder)
        for item in list(found) or _assumed(aws, folder):
            aws.call("s3", "delete_object", f"S3 object s3://{bucket}/{item['Key']}", Bucket=bucket, Key=item["Key"])
        parts = aws.find("s3", "list_multipart_uploads", resource, instead={}, Bucket=bucket, Prefix=folder)
        for part in (parts or {}).get("Uploads", []):
            which = {"Key": part["Key"], "UploadId": part["UploadId"]}
            aws.find("s3", "abort_multipart_upload", resource, Bucket=bucket, **which)


def remove_archive(aws: Aws, folder: str, uri: str) -> None:
    """Removes one archive of an application's folder; what is elsewhere is not the application's, and stays."""
    key = urlsplit(uri).path.lstrip("/")
    if key.startswith(folder):
        aws.find("s3", "delete_object", f"S3 object {uri}", Bucket=bucket_of(uri), Key=key)


def _assumed(aws: Aws, folder: str) -> list[dict[str, Any]]:
    return [] if aws.calls.real else [{"Key": f"{folder}HASH/model.tar.gz"}]


def bucket_of(uri: str) -> str:
    """The bucket of an s3:// URI.

    >>> bucket_of("s3://mine/spark-models/churn/0a/model.tar.gz")
    'mine'
    """
    return urlsplit(uri).netloc
