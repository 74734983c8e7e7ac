"""A lab's queues in a cluster with Kueue: pool.yaml, `labpool kueue sync`, and Workloads as reservations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import Result
from labpool.cli.app import app
from typer.testing import CliRunner

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.fake_nodes import A100, FLAVOUR_LABEL, GPU
from tests.real_hub import wait_until

Manifest = dict[str, Any]
KUEUE = "kueue.x-k8s.io/v1beta2"
HOST = "kubernetes.io/hostname"


def project(**said: object) -> dict[str, object]:
    """A project with one profile."""
    return {"title": "A project", "members": {"everyone": True}, "profiles": ["cpu"], **said}


@dataclass
class Queues:
    """The lab's part of a cluster. Its cohort is called like its namespace."""

    cluster: Cluster
    namespace: str
    folder: Path

    def write(
        self,
        projects: Mapping[str, object],
        flavours: Mapping[str, object] | None = None,
        quotas: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        """Write pool.yaml, where nothing else is said with one flavour, of all GPU nodes; `more` are other sections."""
        content = {
            "kubernetes": {"namespace": self.namespace},
            "kueue": {"cohort": self.namespace, "quotas": quotas or {}},
            "flavours": flavours or {"a100": {"title": "A100", "node_labels": {FLAVOUR_LABEL: A100}}},
            "profiles": {"cpu": {"title": "CPU", "cpu": 1, "memory_gib": 1, "max_hours": 1}},
            "projects": projects or {"idle": project()},
            **more,
        }
        (self.folder / "pool.yaml").write_text(json.dumps(content), encoding="utf-8")

    def run(self, *options: str, kubeconfig: Path | None = None) -> Result:
        """`labpool kueue sync`."""
        environ = {"KUBECONFIG": str(kubeconfig or self.cluster.kubeconfig)}
        return CliRunner().invoke(app, ["kueue", "sync", str(self.folder), *options], env=environ)

    def sync(self, *options: str) -> Manifest:
        """The same, which has to succeed; returns its JSON."""
        result = self.run("--json", *options)
        assert result.exit_code == 0, result.output
        answer: Manifest = json.loads(result.stdout)
        return answer

    def remove(self) -> None:
        """Take all queues away, of which Kueue lets go a moment after the last Workload."""
        self.write({})
        wait_until(lambda: self.run("--force").exit_code == 0, "a sync without any queue")
        wait_until(lambda: self.sync()["steps"] == [], "the end of the queues")

    def acts(self, *options: str) -> dict[str, str]:
        """What a sync did, by kind and name without the cohort's."""
        return acts_of(self.sync(*options), self.namespace)

    def read(self, kind: str, name: str) -> Manifest:
        """One of our objects for the whole cluster, by its name without the cohort's."""
        path = f"/apis/{KUEUE}/{kind}/{self.namespace}-{name}"
        answer: Manifest = self.cluster.api.get(path).raise_for_status().json()
        return answer

    def flavour(self) -> str:
        """The full name of the first ResourceFlavor of project vision."""
        (group,) = self.read("clusterqueues", "vision")["spec"]["resourceGroups"]
        name: str = group["flavors"][0]["name"]
        return name

    def ask(self, name: str, queue: str, gpus: int, cpu: int = 4) -> None:
        """A Workload as a reservation of GPUs of one machine, in a project's queue."""
        requests = {"cpu": str(cpu), "memory": "16Gi", "ephemeral-storage": "10Gi", GPU: str(gpus)}
        container = {"name": "main", "image": "none", "resources": {"requests": requests}}
        template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
        pod_set = {"name": "main", "count": 1, "topologyRequest": {"required": HOST}, "template": template}
        reference = {"group": "kueue.x-k8s.io", "kind": "WorkloadPriorityClass"}
        spec = {
            "queueName": queue,
            "active": True,
            "priorityClassRef": {**reference, "name": f"{self.namespace}-interactive"},
            "priority": 300,
            "podSets": [pod_set],
        }
        metadata = {"name": name, "namespace": self.namespace}
        self.cluster.apply([{"apiVersion": KUEUE, "kind": "Workload", "metadata": metadata, "spec": spec}])

    def wait_admitted(self, name: str) -> str:
        """Wait for the admission of a Workload; returns its machine."""
        wait_until(lambda: self.has(name, "Admitted"), f"the admission of {name}")
        assignment = self.workload(name)["status"]["admission"]["podSetAssignments"][0]
        (part,) = assignment["topologyAssignment"]["slices"]
        host: str = part["valuesPerLevel"][0]["universal"]
        return host

    def has(self, name: str, condition: str) -> bool:
        """Whether a condition of a Workload is true."""
        conditions = self.workload(name).get("status", {}).get("conditions", [])
        return any(each["type"] == condition and each["status"] == "True" for each in conditions)

    def workload(self, name: str) -> Manifest:
        """A Workload."""
        path = f"/apis/{KUEUE}/namespaces/{self.namespace}/workloads/{name}"
        answer: Manifest = self.cluster.api.get(path).raise_for_status().json()
        return answer

    def end(self, *names: str) -> None:
        """Give back what Workloads hold."""
        self.cluster.kubectl("delete", "workload", *names, f"--namespace={self.namespace}")

    def deactivate(self, name: str) -> None:
        """Let Kueue ask for what a Workload holds."""
        named = ("workload", name, f"--namespace={self.namespace}")
        self.cluster.kubectl("patch", *named, "--type=merge", '--patch={"spec":{"active":false}}')

    def patch(self, queue: str, spec: Mapping[str, object], manager: str) -> None:
        """Let somebody else change a project's ClusterQueue."""
        self.cluster.api.patch(
            f"/apis/{KUEUE}/clusterqueues/{self.namespace}-{queue}",
            params={"fieldManager": manager},
            json={"spec": spec},
            headers={"Content-Type": "application/merge-patch+json"},
        ).raise_for_status()


def acts_of(done: Manifest, cohort: str) -> dict[str, str]:
    """What a sync did, by kind and name without the cohort's; flavours without their mark too."""
    return {f"{each['kind']} {_short(each, cohort)}".strip(): each["act"] for each in done["steps"]}


def _short(step: Manifest, cohort: str) -> str:
    name: str = step["name"].removeprefix(cohort).removeprefix("-")
    return name.rpartition("-")[0] if step["kind"] == "ResourceFlavor" else name
