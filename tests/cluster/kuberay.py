"""The fields of KubeRay's RayJob (ray.io/v1) and of Kubernetes pods that our files use, with their types and limits.

Written from KubeRay's API reference (RayJobSpec, RayClusterSpec, groups, AutoscalerOptions) and that of Kubernetes'
core/v1 pods: no registry package ships the CRD's own schema. An unknown field is an error here, as `kubectl apply
--validate=strict` has it; fields that we do not use are left out.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=50)]
Quantity = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")]
Replicas = Annotated[int, Field(ge=0, le=2**31 - 1)]
Count = Annotated[int, Field(ge=0)]


class Object(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Object):
    name: Name
    namespace: Name | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class EnvVar(Object):
    name: Annotated[str, Field(pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$")]
    value: str


class SecretRef(Object):
    name: Name
    optional: bool = False


class EnvFrom(Object):
    secretRef: SecretRef


class Port(Object):
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,15}$")]
    containerPort: Annotated[int, Field(ge=1, le=65535)]


class Resources(Object):
    requests: dict[str, Quantity]
    limits: dict[str, Quantity]

    @model_validator(mode="after")
    def _whole_gpus(self) -> Resources:
        gpu = "nvidia.com/gpu"  # extended resources: request and limit are equal
        if self.requests.get(gpu) != self.limits.get(gpu):
            raise ValueError("nvidia.com/gpu: request and limit must be equal")
        return self


class Mount(Object):
    name: Name
    mountPath: Annotated[str, Field(pattern=r"^/")]
    readOnly: bool = False


class Container(Object):
    name: Name
    image: Annotated[str, Field(min_length=1)]
    env: list[EnvVar] = []
    envFrom: list[EnvFrom] = []
    ports: list[Port] = []
    resources: Resources
    volumeMounts: list[Mount] = []


class Claim(Object):
    claimName: Name


class EmptyDir(Object):
    medium: Literal["", "Memory"] = ""
    sizeLimit: Quantity | None = None


class Volume(Object):
    name: Name
    persistentVolumeClaim: Claim | None = None
    emptyDir: EmptyDir | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Volume:
        if (self.persistentVolumeClaim is None) == (self.emptyDir is None):
            raise ValueError(f"volume {self.name} needs exactly one source")
        return self


class Toleration(Object):
    key: str
    operator: Literal["Exists", "Equal"]
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class PodSpec(Object):
    nodeSelector: dict[str, str] = {}
    tolerations: list[Toleration] = []
    terminationGracePeriodSeconds: Count = 30
    containers: Annotated[list[Container], Field(min_length=1)]
    volumes: list[Volume] = []

    @model_validator(mode="after")
    def _mounts_have_volumes(self) -> PodSpec:
        volumes = {volume.name for volume in self.volumes}
        missing = {mount.name for c in self.containers for mount in c.volumeMounts} - volumes
        if missing:
            raise ValueError(f"volumeMounts without a volume: {sorted(missing)}")
        return self


class PodTemplate(Object):
    metadata: Metadata | None = None
    spec: PodSpec


class HeadGroup(Object):
    serviceType: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    rayStartParams: dict[str, str]  # a map of strings: numbers must be quoted
    template: PodTemplate


class WorkerGroup(Object):
    groupName: Name
    replicas: Replicas
    minReplicas: Replicas
    maxReplicas: Replicas
    numOfHosts: Annotated[int, Field(ge=1)] = 1
    rayStartParams: dict[str, str]
    template: PodTemplate

    @model_validator(mode="after")
    def _bounds(self) -> WorkerGroup:
        if not self.minReplicas <= self.replicas <= self.maxReplicas:
            raise ValueError(f"{self.groupName}: minReplicas <= replicas <= maxReplicas")
        return self


class AutoscalerOptions(Object):
    upscalingMode: Literal["Default", "Aggressive", "Conservative"]
    idleTimeoutSeconds: Count


class RayClusterSpec(Object):
    rayVersion: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class RayJobSpec(Object):
    entrypoint: Annotated[str, Field(min_length=1)]
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode"]
    backoffLimit: Count
    activeDeadlineSeconds: Annotated[int, Field(ge=1)] | None = None
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: Count
    runtimeEnvYAML: str | None = None
    rayClusterSpec: RayClusterSpec

    @model_validator(mode="after")
    def _ttl(self) -> RayJobSpec:
        if self.ttlSecondsAfterFinished and not self.shutdownAfterJobFinishes:
            raise ValueError("ttlSecondsAfterFinished works with shutdownAfterJobFinishes alone")
        return self


class RayJob(Object):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: RayJobSpec
