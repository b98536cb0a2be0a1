"""The manifests of a deployment to Kubernetes, as plain values: what a server needs to run, be found and grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spark_models.deploy.config import mapping, needed, option
from spark_models.deploy.image import PORT

MANAGED_BY = "spark-models"

KINDS = {
    "deployment.yaml": "deployments.apps",
    "service.yaml": "services",
    "autoscaler.yaml": "horizontalpodautoscalers.autoscaling",
    "disruption-budget.yaml": "poddisruptionbudgets.policy",
}
"""What kubectl calls the objects of each file."""

FILES = (*KINDS, "kustomization.yaml")
"""All files that manifests may be in."""


@dataclass(frozen=True, slots=True)
class KubernetesConfig:
    """What the manifests say beside the image."""

    image: str = needed("the image, as build-docker makes it, in a registry that the cluster reaches")
    namespace: str | None = option(None, "the namespace; else that of the context")
    replicas: int = option(2, "how many servers, and the fewest that the autoscaler keeps")
    max_replicas: int = option(6, "the most servers; as many as replicas for no autoscaler")
    cpu: str = option("500m", "the CPU that a server is given")
    cpu_limit: str | None = option(None, "the most CPU; none by default, as a limit only slows it")
    memory: str = option("1Gi", "the memory that a server is given, and its limit")
    target_cpu: int = option(70, "the percentage of `cpu` at which the autoscaler adds servers")
    workers: int = option(1, "processes in each server")
    timeout: float = option(60.0, "seconds that a request may take")
    service_port: int = option(80, "the port of the service")
    service_type: str = option("ClusterIP", "ClusterIP, NodePort or LoadBalancer")
    start_timeout: int = option(300, "seconds that loading the model may take")
    token_secret: str | None = option(None, "a Secret whose key `token` is the bearer token of requests")
    env: dict[str, str] = mapping("further variables of the server, as a JSON object")
    url: str | None = option(None, "where predict finds the service; inside the cluster's own name by default")
    apply: bool = option(False, "apply and remove the manifests with kubectl")
    context: str | None = option(None, "the context of kubectl")


def manifests(name: str, config: KubernetesConfig, content_hash: str) -> dict[str, dict[str, Any]]:
    """The manifests by file name."""
    made = {
        "deployment.yaml": _deployment(name, config, content_hash),
        "service.yaml": _service(name, config),
    }
    if config.max_replicas > config.replicas:
        made["autoscaler.yaml"] = _autoscaler(name, config)
    if config.replicas > 1:
        made["disruption-budget.yaml"] = _budget(name, config)
    made["kustomization.yaml"] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **({} if config.namespace is None else {"namespace": config.namespace}),
        "resources": list(made),
    }
    return made


def selector(name: str) -> str:
    """What finds the objects of a deployment in a cluster, and no others.

    >>> selector("churn")
    'app.kubernetes.io/name=churn,app.kubernetes.io/managed-by=spark-models'
    """
    return ",".join(f"{key}={value}" for key, value in _labels(name).items())


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": MANAGED_BY}


def _metadata(name: str, config: KubernetesConfig) -> dict[str, Any]:
    place = {} if config.namespace is None else {"namespace": config.namespace}
    return {"name": name, **place, "labels": _labels(name)}


def _deployment(name: str, config: KubernetesConfig, content_hash: str) -> dict[str, Any]:
    selector = {"app.kubernetes.io/name": name}
    spec: dict[str, Any] = {
        "revisionHistoryLimit": 3,
        "selector": {"matchLabels": selector},
        # A new server answers before an old one ends, so an update loses nothing.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": _labels(name), "annotations": {"spark-models/content-hash": content_hash}},
            "spec": _pod(config),
        },
    }
    if config.max_replicas <= config.replicas:
        # Else the number is the autoscaler's, and applying the manifests again would reset it.
        spec["replicas"] = config.replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _metadata(name, config), "spec": spec}


def _pod(config: KubernetesConfig) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # The server drains for as long as a request may take.
        "terminationGracePeriodSeconds": int(config.timeout) + 15,
        "containers": [_container(config)],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }


def _container(config: KubernetesConfig) -> dict[str, Any]:
    ping = {"httpGet": {"path": "/ping", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 5}
    variables: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in config.env.items()]
    if config.token_secret is not None:
        source = {"secretKeyRef": {"name": config.token_secret, "key": "token"}}
        variables.append({"name": "SPARK_MODELS_TOKEN", "valueFrom": source})
    limits = {"memory": config.memory, **({} if config.cpu_limit is None else {"cpu": config.cpu_limit})}
    return {
        "name": "server",
        "image": config.image,
        # The entry point of the image ends with the address. A service is called by a name of the cluster's.
        "args": ["--allow-host", "*", "--workers", str(config.workers), "--timeout", f"{config.timeout:g}"],
        "ports": [{"name": "http", "containerPort": PORT}],
        "env": variables,
        "resources": {"requests": {"cpu": config.cpu, "memory": config.memory}, "limits": limits},
        "startupProbe": {**ping, "failureThreshold": max(1, config.start_timeout // 5)},
        "readinessProbe": {**ping, "failureThreshold": 2},
        "livenessProbe": {**ping, "periodSeconds": 10, "failureThreshold": 6},
        # Until every proxy knows that the pod ends, requests still come: the socket must be there.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }


def _service(name: str, config: KubernetesConfig) -> dict[str, Any]:
    spec = {
        "type": config.service_type,
        "selector": {"app.kubernetes.io/name": name},
        "ports": [{"name": "http", "port": config.service_port, "targetPort": "http"}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(name, config), "spec": spec}


def _autoscaler(name: str, config: KubernetesConfig) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": config.target_cpu}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": config.replicas,
        "maxReplicas": config.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    kind = "HorizontalPodAutoscaler"
    return {"apiVersion": "autoscaling/v2", "kind": kind, "metadata": _metadata(name, config), "spec": spec}


def _budget(name: str, config: KubernetesConfig) -> dict[str, Any]:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": name}}}
    kind = "PodDisruptionBudget"
    return {"apiVersion": "policy/v1", "kind": kind, "metadata": _metadata(name, config), "spec": spec}
