"""SageMaker, S3, ECR and IAM against moto's server: the life of an endpoint, faults, and that nothing is left."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: make matrix has it")

import spark_models.sagemaker  # noqa: E402 - after the skip
from spark_models.cli import cli  # noqa: E402
from spark_models.deploy.laws import TargetLaws  # noqa: E402
from spark_models.deployments import get_deploy_client  # noqa: E402
from spark_models.errors import DeploymentExistsError, DeploymentFailedError, InvalidArgumentError  # noqa: E402
from spark_models.package.reader import open_package  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
REGION = "us-west-2"
CONFIG = {"execution_role_arn": ROLE}


def left() -> dict[str, list[str]]:
    """What is in the account."""
    sagemaker, s3 = boto3.client("sagemaker", REGION), boto3.client("s3", REGION)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {
        "endpoints": [item["EndpointName"] for item in sagemaker.list_endpoints()["Endpoints"]],
        "configs": [item["EndpointConfigName"] for item in sagemaker.list_endpoint_configs()["EndpointConfigs"]],
        "models": [item["ModelName"] for item in sagemaker.list_models()["Models"]],
        "objects": [
            item["Key"] for bucket in buckets for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        ],
    }


NOTHING: dict[str, list[str]] = {"endpoints": [], "configs": [], "models": [], "objects": []}


def test_the_target_keeps_the_laws(aws: Any, packages: list[str]) -> None:
    other = {
        "instance_type": "ml.m5.xlarge",
        "instance_count": 2,
        "variant_name": "main",
        "env": {"MODE": "x"},
        "vpc_config": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "tags": {"team": "a"},
    }
    TargetLaws(f"sagemaker:/{REGION}", *packages, config=CONFIG, predicts=False, other=other).hold()
    assert left() == NOTHING


def test_the_archive_in_s3_is_the_package(aws: Any, packages: list[str], tmp_path: Path) -> None:
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    sagemaker, s3 = boto3.client("sagemaker", REGION), boto3.client("s3", REGION)
    (name,) = left()["models"]
    model = sagemaker.describe_model(ModelName=name)
    uri = model["PrimaryContainer"]["ModelDataUrl"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read())) as tar:
        tar.extractall(tmp_path / "m", filter="data")
    assert open_package(tmp_path / "m").verify() == open_package(packages[0]).content_hash()
    assert model["ExecutionRoleArn"] == ROLE
    assert model["PrimaryContainer"]["Environment"]["SPARK_MODELS_FLAVOR"] == "python_function"
    assert bucket == "spark-models-us-west-2-123456789012"
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True


def test_modes(aws: Any, packages: list[str]) -> None:
    deploy = spark_models.sagemaker.deploy
    first = deploy("churn", packages[0], execution_role_arn=ROLE)
    assert deploy("churn", packages[0], execution_role_arn=ROLE) == first
    with pytest.raises(DeploymentExistsError, match="'churn'"):
        deploy("churn", packages[1], execution_role_arn=ROLE)
    added = deploy("churn", packages[1], execution_role_arn=ROLE, mode="add")
    config = boto3.client("sagemaker", REGION).describe_endpoint_config(EndpointConfigName=added["endpoint_config"])
    assert [variant["InitialVariantWeight"] for variant in config["ProductionVariants"]] == [1.0, 0.0]
    deploy("churn", packages[1], execution_role_arn=ROLE, mode="replace")
    assert left()["models"] == [added["model_name"]]
    assert len(left()["configs"]) == 1
    with pytest.raises(InvalidArgumentError, match="mode 'swap'"):
        deploy("churn", packages[1], execution_role_arn=ROLE, mode="swap")
    spark_models.sagemaker.delete("churn")
    assert left() == NOTHING


def test_archive_keeps_what_is_replaced(aws: Any, packages: list[str]) -> None:
    deploy = spark_models.sagemaker.deploy
    deploy("churn", packages[0], execution_role_arn=ROLE)
    deploy("churn", packages[1], execution_role_arn=ROLE, mode="replace", archive=True)
    assert len(left()["models"]) == 2
    spark_models.sagemaker.delete("churn", archive=True)
    assert left()["endpoints"] == []
    assert len(left()["models"]) == 2
    spark_models.sagemaker.delete("churn")
    assert left() == NOTHING


def test_a_neighbour_with_the_same_beginning_is_left_alone(aws: Any, packages: list[str]) -> None:
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    spark_models.sagemaker.deploy("churn-2", packages[0], execution_role_arn=ROLE)
    spark_models.sagemaker.delete("churn")
    assert left()["endpoints"] == ["churn-2"]
    assert [len(left()[kind]) for kind in ("configs", "models", "objects")] == [1, 1, 1]


WRITES = ("PUT ", "Create")


def creating_calls(aws: Any, packages: list[str]) -> int:
    aws.calls.clear()
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    count = len(aws.calls)
    spark_models.sagemaker.delete("churn")
    return count


def test_a_create_that_is_cut_at_any_call_can_be_repeated_or_deleted(
    aws: Any, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_models.deploy.sagemaker.aws.ATTEMPTS", 1)
    creating_calls(aws, packages)  # makes the bucket, once
    count = creating_calls(aws, packages)
    assert count >= 8
    for place in range(count):
        for heal in ("delete", "repeat"):
            seen = len(aws.calls)
            aws.fault = lambda call, seen=seen, place=place: "cut" if len(aws.calls) - seen > place else None
            with pytest.raises(DeploymentFailedError, match=r"(?s)Where: (S3|SageMaker|the caller)"):
                spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
            aws.fault = lambda call: None
            if heal == "repeat":
                spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
                assert [len(names) for names in left().values()] == [1, 1, 1, 1]
            spark_models.sagemaker.delete("churn")
            assert left() == NOTHING, f"after a cut at call {place}"


def test_a_delete_that_is_cut_at_any_call_goes_on(
    aws: Any, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_models.deploy.sagemaker.aws.ATTEMPTS", 1)
    for place in range(4, 14, 2):
        spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
        seen = len(aws.calls)
        aws.fault = lambda call, seen=seen, place=place: "cut" if len(aws.calls) - seen > place else None
        with contextlib.suppress(DeploymentFailedError):
            spark_models.sagemaker.delete("churn")
        aws.fault = lambda call: None
        spark_models.sagemaker.delete("churn")
        assert left() == NOTHING, f"after a cut at call {place}"


def test_throttling_is_waited_out(aws: Any, packages: list[str]) -> None:
    refusals = []

    def throttle(call: str) -> Any:
        if call == "CreateModel" and len(refusals) < 2:
            refusals.append(call)
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        return None

    aws.fault = throttle
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    assert aws.calls.count("CreateModel") == 3
    assert len(left()["models"]) == 1


def test_a_refusal_names_the_resource_and_no_secret(aws: Any, packages: list[str]) -> None:
    aws.fault = lambda call: (
        (400, {"__type": "ValidationException", "message": "no such role"}) if call == "CreateModel" else None
    )
    with pytest.raises(DeploymentFailedError) as caught:
        spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    text = str(caught.value)
    assert "SageMaker model churn-model-" in text
    assert "ValidationException: no such role" in text
    assert "wJalrXUtnFEMI" not in text


def test_without_a_role_the_assumed_one_is_taken_or_asked_for(aws: Any, packages: list[str]) -> None:
    boto3.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
    with pytest.raises(DeploymentFailedError, match="give execution_role_arn"):
        spark_models.sagemaker.deploy("churn", packages[0])
    assert left() == NOTHING


def test_batch_transform(aws: Any, packages: list[str]) -> None:
    files = ("S3Prefix", "s3://mine/in/", "text/csv", "s3://mine/out/")
    made = spark_models.sagemaker.deploy_transform_job(
        "may", packages[0], *files, execution_role_arn=ROLE, archive=True
    )
    assert made["output"] == "s3://mine/out/"
    sagemaker = boto3.client("sagemaker", REGION)
    job = sagemaker.describe_transform_job(TransformJobName="may")
    assert job["TransformInput"]["SplitType"] == "Line"
    assert job["ModelName"] in left()["models"]
    spark_models.sagemaker.terminate_transform_job("may")
    assert (left()["models"], left()["objects"]) == ([], [])


def test_predict_sends_split_json(aws: Any, packages: list[str], moto_port: int) -> None:
    import urllib.request

    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    results = {"account_id": "123456789012", "region": REGION, "results": [{"Body": '[{"a": 2}]'}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{moto_port}/moto-api/static/sagemaker/endpoint-results",
        json.dumps(results).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).read()
    found = get_deploy_client(f"sagemaker:/{REGION}").predict("churn", pd.DataFrame({"a": [1]}))
    assert found.to_dict("records") == [{"a": 2}]


def test_a_dry_run_shows_every_call_and_makes_none(aws: Any, packages: list[str]) -> None:
    words = ["sagemaker", "deploy", "-a", "churn", "-m", packages[0], "-e", ROLE, "--dry-run"]
    shown = CliRunner().invoke(cli, words)
    assert shown.exit_code == 0, shown.output
    assert aws.calls == []
    calls = [line.split()[1] for line in shown.stderr.splitlines() if line.startswith("would: ")]
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    wanted = {"s3.create_bucket", "s3.upload_file", "sagemaker.create_model", "sagemaker.create_endpoint_config"}
    assert wanted | {"sagemaker.create_endpoint"} <= set(calls)
    words = ["deployments", "delete", "-t", f"sagemaker:/{REGION}", "--name", "churn", "--dry-run"]
    shown = CliRunner().invoke(cli, words)
    for call in ("delete_endpoint", "delete_endpoint_config", "delete_model", "s3.delete_object"):
        assert call in shown.stderr
    assert left()["endpoints"] == ["churn"]


def test_the_image_goes_to_ecr_and_the_password_on_standard_input(
    aws: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    engine = tmp_path / "bin" / "docker"
    engine.parent.mkdir()
    engine.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" = login ] && cat > {tmp_path}/password\nexit 0\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{engine.parent}:/usr/bin:/bin")
    address = spark_models.sagemaker.build_and_push_container()
    assert address is not None
    assert address.startswith("123456789012.dkr.ecr.us-west-2.amazonaws.com/spark-models-container:")
    repositories = boto3.client("ecr", REGION).describe_repositories()["repositories"]
    assert [item["repositoryName"] for item in repositories] == ["spark-models-container"]
    password = (tmp_path / "password").read_text()
    assert password != ""
    lines = log.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["build", "login", "tag", "push"]
    assert password not in log.read_text()


FILES = ("S3Prefix", "s3://mine/in/", "text/csv", "s3://mine/out/")


def test_a_job_and_an_endpoint_of_one_name_are_apart(aws: Any, packages: list[str]) -> None:
    endpoint = spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    spark_models.sagemaker.deploy_transform_job("churn", packages[0], *FILES, execution_role_arn=ROLE, archive=True)
    assert [len(left()[kind]) for kind in ("models", "objects")] == [2, 2]
    spark_models.sagemaker.terminate_transform_job("churn")
    assert left()["models"] == [endpoint["model_name"]]
    assert [key.split("/")[:2] for key in left()["objects"]] == [["spark-models", "churn"]]
    spark_models.sagemaker.deploy_transform_job("may", packages[0], *FILES, execution_role_arn=ROLE, archive=True)
    spark_models.sagemaker.deploy("may", packages[0], execution_role_arn=ROLE)
    spark_models.sagemaker.delete("may")
    spark_models.sagemaker.delete("churn")
    assert [key.split("/")[:2] for key in left()["objects"]] == [["spark-models-jobs", "may"]]
    assert len(left()["models"]) == 1


def test_a_job_of_other_files_is_not_taken_for_the_one_of_its_name(aws: Any, packages: list[str]) -> None:
    deploy = spark_models.sagemaker.deploy_transform_job
    deploy("may", packages[0], *FILES, execution_role_arn=ROLE)
    assert deploy("may", packages[0], *FILES, execution_role_arn=ROLE)["output"] == "s3://mine/out/"
    others = ("S3Prefix", "s3://mine/june/", "text/csv", "s3://mine/out/")
    for package, files in ((packages[0], others), (packages[1], FILES)):
        with pytest.raises(DeploymentExistsError, match=r"(?s)'may'.*another name: those of jobs are used once"):
            deploy("may", package, *files, execution_role_arn=ROLE)
    assert left() == NOTHING


def test_a_job_that_is_cut_at_any_call_can_be_terminated(
    aws: Any, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_models.deploy.sagemaker.aws.ATTEMPTS", 1)
    boto3.client("s3", REGION).create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    for place in range(1, 40):
        name = f"job-{place}"
        seen = len(aws.calls)
        aws.fault = lambda call, seen=seen, place=place: "cut" if len(aws.calls) - seen > place else None
        try:
            spark_models.sagemaker.deploy_transform_job(
                name, packages[0], *FILES, execution_role_arn=ROLE, bucket="mine"
            )
            cut = False
        except DeploymentFailedError:
            cut = True
        aws.fault = lambda call: None
        models = left()["models"]
        spark_models.sagemaker.terminate_transform_job(name, bucket=None if models != [] else "mine")
        assert left() == NOTHING, f"after a cut at call {place}"
        if not cut:
            break
    assert place > 8


def test_a_replacement_in_another_bucket_leaves_nothing_in_the_first(aws: Any, packages: list[str]) -> None:
    s3 = boto3.client("s3", REGION)
    for bucket in ("first", "second"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client = get_deploy_client(f"sagemaker:/{REGION}")
    client.create_deployment("churn", packages[0], config={**CONFIG, "bucket": "first"})
    client.update_deployment("churn", packages[1])
    assert len(s3.list_objects_v2(Bucket="first").get("Contents", [])) == 1
    client.update_deployment("churn", packages[0], config={"bucket": "second"})
    assert s3.list_objects_v2(Bucket="first").get("Contents", []) == []
    client.delete_deployment("churn")
    assert left() == NOTHING


def test_a_delete_that_is_cut_at_any_call_still_finds_the_users_bucket(
    aws: Any, packages: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_models.deploy.sagemaker.aws.ATTEMPTS", 1)
    boto3.client("s3", REGION).create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": REGION})
    for place in range(1, 60):
        spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE, bucket="mine")
        seen = len(aws.calls)
        aws.fault = lambda call, seen=seen, place=place: "cut" if len(aws.calls) - seen > place else None
        try:
            spark_models.sagemaker.delete("churn")
            break
        except DeploymentFailedError:
            aws.fault = lambda call: None
        spark_models.sagemaker.delete("churn")
        assert left() == NOTHING, f"after a cut at call {place}"
    assert place > 8


def test_an_endpoint_of_somebody_else_is_left_alone(aws: Any, packages: list[str]) -> None:
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    sagemaker = boto3.client("sagemaker", REGION)
    arn = sagemaker.describe_endpoint(EndpointName="churn")["EndpointArn"]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["spark-models-app"])
    with pytest.raises(DeploymentFailedError, match="it was not made here"):
        spark_models.sagemaker.delete("churn")
    assert left()["endpoints"] == ["churn"]


def test_a_bucket_whose_making_was_cut_off_is_closed_to_the_public(aws: Any, packages: list[str]) -> None:
    s3 = boto3.client("s3", REGION)
    bucket = "spark-models-us-west-2-123456789012"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    spark_models.sagemaker.deploy("churn", packages[0], execution_role_arn=ROLE)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicAcls"] is True


def test_nothing_is_made_for_a_create_that_is_refused(aws: Any, packages: list[str]) -> None:
    client = get_deploy_client(f"sagemaker:/{REGION}")
    client.create_deployment("churn", packages[0], config=CONFIG)
    before = left()
    for config in ({**CONFIG, "env": {"MODE": "x"}}, {**CONFIG, "instance_count": 2}):
        with pytest.raises(DeploymentExistsError):
            client.create_deployment("churn", packages[0], config=config)
    assert left() == before


def test_a_dry_run_shows_what_an_update_replaces(aws: Any, packages: list[str]) -> None:
    words = ["deployments", "update", "-t", f"sagemaker:/{REGION}", "--name", "churn", "-m", packages[0], "--dry-run"]
    for mode, last in (("replace", "sagemaker.delete_model"), ("add", "sagemaker.update_endpoint")):
        shown = CliRunner().invoke(cli, [*words, "-C", f"execution_role_arn={ROLE}", "-C", f"mode={mode}"])
        assert shown.exit_code == 0, shown.stderr
        calls = [line.split()[1] for line in shown.stderr.splitlines()]
        assert "sagemaker.update_endpoint" in calls
        assert "sagemaker.create_endpoint" not in calls
        assert calls[-1] == last
    assert aws.calls == []


def test_a_dry_run_of_a_command_does_not_say_that_it_was_done(aws: Any, packages: list[str]) -> None:
    shown = CliRunner().invoke(cli, ["sagemaker", "delete", "-a", "churn", "--dry-run"])
    assert (shown.exit_code, shown.stdout) == (0, "A dry run: nothing was done\n")
    assert aws.calls == []
