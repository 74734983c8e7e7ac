"""Pods on fake nodes are real processes, from the start to the end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.pod_command import pod_folder
from tests.kubernetes.pod_leftovers import processes_below
from tests.kubernetes.pods import Manifest, pod, read, run, wait_for
from tests.real_hub import wait_until
from tests.running_lab import TINY_SERVER

pytestmark = pytest.mark.kubernetes
URL = {"name": "JUPYTERHUB_SERVICE_URL", "value": "http://0.0.0.0:8888/user/ada/"}
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"


def server(name: str, namespace: str, gpus: int = 0, **container: object) -> Manifest:
    return pod(name, namespace, TINY_SERVER, gpus, env=[URL], **container)


def asked(running: Manifest) -> dict[str, str]:
    """The environment of the server in a pod, which the server itself tells."""
    url = f"http://{running['status']['podIP']}:8888"
    found: list[dict[str, str]] = []

    def answers() -> bool:
        try:
            found.append(httpx.get(url, trust_env=False).json())
        except httpx.HTTPError:
            return False
        return True

    wait_until(answers, f"an answer from {url}")
    return found[0]


def processes(cluster: Cluster, made: Manifest) -> list[int]:
    return processes_below(pod_folder(cluster.folder, made))


def log_of(cluster: Cluster, made: Manifest) -> str:
    return (pod_folder(cluster.folder, made) / "log").read_text()


def wait_until_deaf(cluster: Cluster, running: Manifest) -> None:
    """A pod runs once its process is begun; this one has then still to say that it wants no notice."""
    wait_until(lambda: "deaf" in log_of(cluster, running), "a process that ignores its notice")


def end_of(ended: Manifest) -> Manifest:
    state: Manifest = ended["status"]["containerStatuses"][0]["state"]["terminated"]
    return state


def test_two_servers_on_one_port_answer_each_on_its_own_address(cluster: Cluster, namespace: str):
    one, two = (run(cluster, server(name, namespace, gpus=2)) for name in ("one", "two"))
    assert one["status"]["podIP"] != two["status"]["podIP"]
    for running in (one, two):
        assert asked(running)["JUPYTERHUB_SERVICE_URL"] == f"http://{running['status']['podIP']}:8888/user/ada/"
        assert running["spec"]["nodeName"].startswith("gpu-")


def test_pod_without_gpus_runs_on_the_node_without_gpus(cluster: Cluster, namespace: str):
    made = pod("cpu-only", namespace, [])
    made["spec"]["tolerations"] = []
    assert run(cluster, made)["spec"]["nodeName"] == "cpu-1"


def test_killed_process_is_a_dead_pod(cluster: Cluster, namespace: str):
    running = run(cluster, server("killed", namespace))
    asked(running)
    os.kill(processes(cluster, running)[0], signal.SIGKILL)
    assert end_of(wait_for(cluster, running, "Failed"))["exitCode"] == 137


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_exit_code_of_the_process_is_that_of_the_pod(cluster: Cluster, namespace: str, code: int, phase: str):
    made = pod("exits", namespace, [sys.executable, "-c", f"print('bye'); exit({code})"])
    cluster.apply([made])
    ended = wait_for(cluster, made, phase)
    assert end_of(ended)["exitCode"] == code
    assert log_of(cluster, ended) == "bye\n"


def test_command_that_is_not_there_fails_the_pod_with_its_name(cluster: Cluster, namespace: str):
    made = pod("typo", namespace, ["no-such-program"])
    cluster.apply([made])
    assert "no-such-program" in end_of(wait_for(cluster, made, "Failed"))["message"]


def test_processes_of_a_deleted_pod_are_gone_before_the_pod_is(cluster: Cluster, namespace: str):
    running = run(cluster, pod("family", namespace, [sys.executable, "-c", PARENT]))
    wait_until(lambda: len(processes(cluster, running)) == 2, "parent and child")
    cluster.kubectl("delete", "pod", "family", f"--namespace={namespace}")
    assert read(cluster, running) is None
    assert processes(cluster, running) == []


def test_process_that_ignores_its_notice_is_killed_after_the_grace(cluster: Cluster, namespace: str):
    running = run(cluster, pod("stubborn", namespace, [sys.executable, "-c", STUBBORN]))
    wait_until_deaf(cluster, running)
    cluster.kubectl("delete", "pod", "stubborn", f"--namespace={namespace}", "--grace-period=1")
    assert processes(cluster, running) == []


def test_home_claim_persists_between_pods(cluster: Cluster, namespace: str):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "claim-ada", "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-ada"}}
    mount = {"name": "home", "mountPath": "/home/jovyan", "subPath": "ada"}
    write = "import pathlib; pathlib.Path('~/notebook').expanduser().write_text('kept')"
    look = "import pathlib, os; assert pathlib.Path.home() == pathlib.Path.cwd(); print(open('notebook').read())"
    cluster.apply([claim])
    for name, code in (("first", write), ("second", look)):
        made = pod(name, namespace, [sys.executable, "-c", code], volumeMounts=[mount])
        made["spec"]["volumes"] = [volume]
        cluster.apply([made])
        wait_for(cluster, made, "Succeeded")
    assert (cluster.folder / f"claims/{namespace}/claim-ada/ada/notebook").read_text() == "kept"


def test_environment_tells_what_the_manifest_says_of_the_pod(cluster: Cluster, namespace: str):
    fields = {"NODE": "spec.nodeName", "IP": "status.podIP", "TICKET": "metadata.annotations['labpool/ticket']"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    made = pod("told", namespace, TINY_SERVER, env=[URL, *env])
    made["metadata"]["annotations"] = {"labpool/ticket": "t-1"}
    running = run(cluster, made)
    told = asked(running)
    assert (told["NODE"], told["TICKET"]) == (running["spec"]["nodeName"], "t-1")
    assert told["IP"] == running["status"]["podIP"]
    assert Path(told["HOME"]).is_relative_to(cluster.folder)


def test_pods_go_on_while_the_api_server_and_etcd_are_killed(cluster: Cluster, namespace: str):
    before = run(cluster, server("before", namespace))
    cluster.kill("kube-apiserver")
    cluster.kill("etcd")
    asked(before)
    os.kill(processes(cluster, before)[0], signal.SIGKILL)
    cluster.start("etcd")
    cluster.start("kube-apiserver")
    wait_for(cluster, before, "Failed")
    asked(run(cluster, server("after", namespace)))


def test_pods_of_a_killed_runner_have_failed_when_it_is_back(cluster: Cluster, namespace: str):
    running = run(cluster, server("orphan", namespace))
    cluster.kill("runner")
    cluster.start("runner")
    assert end_of(wait_for(cluster, running, "Failed"))["reason"] == "RunnerRestarted"
    wait_until(lambda: not processes(cluster, running), "the end of what was left")
