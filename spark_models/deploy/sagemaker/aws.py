"""Calls to AWS: each names its resource, is tried again when AWS throttles, and in a dry run is only shown."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from spark_models.deploy.calls import Calls
from spark_models.errors import DeploymentFailedError, MissingExtraError
from spark_models.scoring.isolation.environments import masked

ATTEMPTS = 8
"""How often a call is made at most; botocore waits longer each time, up to 20 seconds."""

ACCOUNT_OF_DRY_RUN = "000000000000"

_ABSENT_CODES = {"404", "NoSuchKey", "NoSuchBucket", "NoSuchEntity", "NoSuchUpload", "ResourceNotFound"}
_ABSENT_TEXT = re.compile(r"(?i)could not find|cannot find|not found|does not exist")


class Aws:
    """The services of one region."""

    def __init__(self, region: str, calls: Calls) -> None:
        self.region = region
        self.calls = calls
        self._client = functools.cache(self._made)

    def _made(self, service: str) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise MissingExtraError("boto3", "sagemaker", "Deploying to SageMaker") from error
        retries = {"total_max_attempts": ATTEMPTS, "mode": "standard"}
        return boto3.client(
            service, region_name=self.region, config=Config(retries=retries, connect_timeout=10, read_timeout=70)
        )

    def call(self, service: str, operation: str, resource: str, *, instead: Any = None, **arguments: Any) -> Any:
        """The answer to a call; `instead` in a dry run.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] AWS refuses, or can't be reached; the text names the resource.
            MissingExtraError: [MISSING_EXTRA] boto3 is not installed.
        """
        return self._made_or_shown(service, operation, resource, False, arguments, instead)

    def find(self, service: str, operation: str, resource: str, *, instead: Any = None, **arguments: Any) -> Any:
        """As `call`, but None where the resource is not there."""
        return self._made_or_shown(service, operation, resource, True, arguments, instead)

    def _made_or_shown(
        self, service: str, operation: str, resource: str, absent: bool, arguments: dict[str, Any], instead: Any
    ) -> Any:
        return self.calls.do(
            f"{service}.{operation}",
            arguments,
            lambda: self._act(service, operation, resource, absent, arguments),
            instead,
        )

    def _act(self, service: str, operation: str, resource: str, absent: bool, arguments: dict[str, Any]) -> Any:
        client = self._client(service)
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client, operation)(**arguments)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            message = str(error.response.get("Error", {}).get("Message", ""))
            if absent and (code in _ABSENT_CODES or _ABSENT_TEXT.search(message) is not None):
                return None
            raise DeploymentFailedError(f"{service}.{operation}", resource, masked(f"{code}: {message}")) from error
        except BotoCoreError as error:
            problem = masked(str(error).rstrip("."))
            raise DeploymentFailedError(f"{service}.{operation}", resource, problem, advice=_advice(error)) from error

    def pages(self, service: str, operation: str, key: str, resource: str, **arguments: Any) -> Iterator[Any]:
        """All items under `key` of an operation that answers page by page; none in a dry run."""
        token: dict[str, Any] = {}
        while True:
            page = self.find(service, operation, resource, instead={}, **arguments, **token) or {}
            yield from page.get(key, [])
            following = page.get("NextToken") or page.get("NextContinuationToken")
            if not following:
                return
            token = {"NextToken" if "NextToken" in page else "ContinuationToken": following}

    def account(self) -> str:
        """The account of whoever calls."""
        return str(self._caller()["Account"])

    def _caller(self) -> dict[str, str]:
        arn = f"arn:aws:sts::{ACCOUNT_OF_DRY_RUN}:assumed-role/ROLE/session"
        instead = {"Account": ACCOUNT_OF_DRY_RUN, "Arn": arn}
        found: dict[str, str] = self.call("sts", "get_caller_identity", "the caller's identity", instead=instead)
        return found

    def assumed_role(self) -> str:
        """The ARN of the role that the caller has assumed.

        Raises:
            DeploymentFailedError: [DEPLOYMENT_FAILED] it has assumed none.
        """
        arn = self._caller()["Arn"]
        found = re.fullmatch(r"arn:[^:]+:sts::(\d+):assumed-role/([^/]+)/.+", arn)
        if found is None:
            raise DeploymentFailedError(
                "find the execution role", arn, "the caller has not assumed a role", advice="give execution_role_arn"
            )
        name = found.group(2)
        role = f"arn:aws:iam::{found.group(1)}:role/{name}"
        got = self.call("iam", "get_role", f"IAM role {name}", RoleName=name, instead={"Role": {"Arn": role}})
        return str(got["Role"]["Arn"])


def _advice(error: Exception) -> str:
    if "redential" in type(error).__name__:
        return "set up credentials: aws configure, or AWS_PROFILE"
    return "the call may be made again: what is done already is found and kept"
