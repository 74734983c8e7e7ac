"""What the cluster says, in words for researchers. The texts are those of Kubernetes 1.36 and of its autoscaler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from gpuspawner.hub_errors import NotStarted
from gpuspawner.pod_events import end_in_words, in_words, refusal_in_words
from gpuspawner.pod_start import SeenPod, come_up, patience
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_asyncio.client.rest import ApiException

IMAGE = "registry.example.org/lab/tf@sha256:abab"
SEEN = {
    "scheduled": ("Scheduled", "Successfully assigned lab/jupyter-ada to node-1", "A machine was found."),
    "no GPU free": (
        "FailedScheduling",
        "0/4 nodes are available: 1 Insufficient nvidia.com/gpu, 3 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling.",
        "Waiting for its GPUs to be free",
    ),
    "no slice free": (
        "FailedScheduling",
        "0/1 nodes are available: 1 Insufficient nvidia.com/mig-1g.10gb.",
        "its GPUs",
    ),
    "no memory free": ("FailedScheduling", "0/2 nodes are available: 2 Insufficient memory.", "CPU, memory or disk"),
    "taint": (
        "FailedScheduling",
        "0/3 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: present}.",
        "Waiting for a machine that may run",
    ),
    "drained": ("FailedScheduling", "0/1 nodes are available: 1 node(s) were unschedulable.", "to be in service"),
    "node not ready": (
        "FailedScheduling",
        "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
        "to be in service",
    ),
    "no claim": (
        "FailedScheduling",
        '0/5 nodes are available: persistentvolumeclaim "projects" not found. preemption: 0/5 nodes are available',
        "no storage yet",
    ),
    "unbound claim": (
        "FailedScheduling",
        "0/5 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
        "no storage yet",
    ),
    "scale up": ("TriggeredScaleUp", "pod triggered scale-up: [{gpus 0->1 (max: 4)}]", "A machine is being started"),
    "no scale up": ("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached", "No further"),
    "preempted": ("Preempted", "Preempted by pod 6a1f on node node-1", "took this server's place"),
    "pulling": ("Pulling", f'Pulling image "{IMAGE}"', "loading the image"),
    "pulled": (
        "Pulled",
        f'Successfully pulled image "{IMAGE}" in 1m3.2s (1m3.2s including waiting). Image size: 4012 bytes.',
        "The image is loaded.",
    ),
    "present": (
        "Pulled",
        f'Container image "{IMAGE}" already present on machine and can be accessed by the pod',
        "on the machine already",
    ),
    "no such image": (
        "Failed",
        f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = failed to pull and unpack image: not found',
        "its registry doesn't give it out",
    ),
    "no access to the image": (
        "Failed",
        f'Failed to pull image "{IMAGE}": failed to authorize: unexpected status: 401 Unauthorized',
        "its registry doesn't give it out",
    ),
    "registry away": (
        "Failed",
        f'Failed to pull image "{IMAGE}": dial tcp 192.0.2.1:443: i/o timeout',
        "it is asked again",
    ),
    "pull again": ("BackOff", f'Back-off pulling image "{IMAGE}": ErrImagePull: timeout', "it is asked again"),
    "bad image name": ("InspectFailed", 'Failed to apply default image tag ":::": invalid', "can't be used"),
    "root image": (
        "Failed",
        "Error: container has runAsNonRoot and image will run as root (pod: jupyter-ada, container: notebook)",
        "wants to run as root",
    ),
    "no jupyterhub-singleuser": (
        "Failed",
        'Error: failed to create containerd task: exec: "jupyterhub-singleuser": executable file not found in $PATH',
        "can't be used",
    ),
    "restarted": ("BackOff", "Back-off restarting failed container notebook in pod jupyter-ada", "is tried again"),
    "created": ("Created", "Container created", "being started"),
    "started": ("Started", "Container started", "starting up"),
    "not mounted": (
        "FailedMount",
        'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32 Output: mount.nfs: access denied',
        "has not connected the lab's storage",
    ),
    "not attached": (
        "FailedAttachVolume",
        'AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = could not attach',
        "has not connected",
    ),
    "attached elsewhere": (
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node and can\'t be '
        "attached to another",
        "Stop your other server",
    ),
    "used elsewhere": (
        "FailedAttachVolume",
        'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) jupyter-ada',
        "lends it to one machine at a time",
    ),
    "used by another pod": (
        "FailedScheduling",
        "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode "
        "already in-use by another pod.",
        "Stop your other server",
    ),
    "storage elsewhere": (
        "FailedScheduling",
        "0/5 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity, 4 node(s) didn't match "
        "Pod's node affinity/selector.",
        "on storage that its machine does not reach",
    ),
    "sandbox": ("FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown", "it tries again"),
    "device gone": (
        "UnexpectedAdmissionError",
        "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0",
        "GPU of the machine failed",
    ),
    "devices gone": ("OutOfnvidia.com/gpu", "Node didn't have enough resource: nvidia.com/gpu", "GPU of the machine"),
    "machine full": ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 4000", "ran short of"),
    "evicted for the disk": (
        "Evicted",
        "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. ",
        "filled more of its machine's disk",
    ),
    "evicted for /dev/shm": (
        "Evicted",
        'Usage of EmptyDir volume "labpool-shm" exceeds the limit "1Gi". ',
        "filled more of its machine's disk",
    ),
    "evicted": (
        "Evicted",
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 92Mi. ",
        "The machine ran short of memory or disk",
    ),
    "machine lost": ("TaintManagerEviction", "Marking for deletion Pod lab/jupyter-ada", "taken out of service"),
    "machine silent": ("NodeNotReady", "Node is not ready", "taken out of service"),
}


@pytest.mark.parametrize(("reason", "text", "expected"), SEEN.values(), ids=SEEN.keys())
def test_event_is_told_in_words_for_a_researcher(reason: str, text: str, expected: str):
    words = in_words(reason, text)
    assert words is not None
    assert expected in words.sentence


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("SandboxChanged", "Pod sandbox changed, it will be killed and re-created."),
        ("Killing", "Stopping container notebook"),
        ("TaintManagerEviction", "Cancelling deletion of Pod lab/jupyter-ada"),
        ("FailedScheduling", "skip schedule deleting pod: lab/jupyter-ada"),
    ],
)
def test_what_says_nothing_to_a_researcher_is_left_out(reason: str, text: str):
    assert in_words(reason, text) is None


@given(reason=st.sampled_from([reason for reason, _, _ in SEEN.values()]), text=st.text(min_size=9))
def test_nobody_is_shown_the_clusters_own_text(reason: str, text: str):
    words = in_words(reason, text)
    assert words is None or text not in words.sentence


def ended(reason: str = "", message: str = "", terminated: Mapping[str, object] | None = None) -> dict[str, object]:
    statuses = [{"name": "notebook", "state": {"terminated": terminated}}] if terminated else None
    return {"status": {"phase": "Failed", "reason": reason, "message": message, "containerStatuses": statuses}}


def test_end_of_a_pod_is_told_from_its_status():
    told = {
        "memory": ended(terminated={"reason": "OOMKilled", "exitCode": 137}),
        "disk": ended("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. "),
        "taken out of service": ended("Terminated", "Pod was terminated in response to imminent node shutdown."),
        "ended by itself": ended(terminated={"reason": "Error", "exitCode": 1}),
    }
    for expected, pod in told.items():
        words = end_in_words(pod)
        assert words is not None and expected in words.sentence
    beside_a_sidecar = ended(terminated={"reason": "OOMKilled"})
    beside_a_sidecar["status"]["phase"] = "Running"  # type: ignore[index]
    words = end_in_words(beside_a_sidecar)
    assert words is not None and "memory" in words.sentence
    assert end_in_words({"status": {"phase": "Running"}}) is end_in_words({}) is None


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (403, 'pods "jupyter-ada" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=2', "is full"),
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes', "too many rights"),
        (403, 'pods is forbidden: User "system:serviceaccount:lab:hub" cannot create resource "pods"', "hub may not"),
        (422, 'Pod "x" is invalid: spec.containers[0].image: Required value', "how this server is described"),
        (500, "etcdserver: request timed out", "at the moment"),
    ],
)
def test_refusal_by_the_cluster_is_told_in_words(status: int, text: str, expected: str):
    assert expected in refusal_in_words(status, text)


async def why_not(starting: object, seen: SeenPod, seconds: float = 0.2) -> NotStarted:
    with pytest.raises(NotStarted) as caught:
        await come_up(asyncio.ensure_future(starting), lambda: seen, seconds, logging.getLogger())  # type: ignore[arg-type]
    error: NotStarted = caught.value
    return error


def event(reason: str, message: str) -> dict[str, Any]:
    return {"reason": reason, "message": message}


async def test_start_that_is_in_vain_is_over_at_once_and_says_why():
    reason, text, expected = SEEN["no such image"]
    seen = SeenPod({}, [event("Scheduled", ""), event(reason, text), event("BackOff", "Back-off pulling image")])
    assert expected in (await why_not(asyncio.sleep(60), seen, 60)).jupyterhub_message
    assert "memory" in (await why_not(asyncio.sleep(60), SeenPod(SEEN_OOM, []), 60)).jupyterhub_message


SEEN_OOM = ended(terminated={"reason": "OOMKilled"})


async def test_pod_that_is_taken_away_while_it_starts_is_noticed(monkeypatch: pytest.MonkeyPatch):
    for wait in ("_LOOK_SECONDS", "_GONE_SECONDS"):
        monkeypatch.setattr(f"gpuspawner.pod_start.{wait}", 0.01)
    seen = iter([SeenPod({"status": {"phase": "Pending"}}, [])])
    starting = asyncio.ensure_future(asyncio.sleep(60))
    with pytest.raises(NotStarted, match="took the server away"):
        await come_up(starting, lambda: next(seen, SeenPod({}, [])), 60, logging.getLogger())  # type: ignore[arg-type]
    await asyncio.wait([starting])
    assert starting.cancelled()


async def test_start_that_takes_too_long_says_what_it_waits_for():
    seen = SeenPod({}, [event(*SEEN["no memory free"][:2])])
    assert "CPU, memory or disk" in (await why_not(asyncio.sleep(60), seen)).jupyterhub_message
    assert "Nothing was heard" in (await why_not(asyncio.sleep(60), SeenPod({}, []))).jupyterhub_message


async def test_clusters_refusal_and_silence_are_no_errors_of_the_hub():
    async def fails(error: Exception) -> str:
        raise error

    quota = ApiException(status=403)
    quota.body = '{"message": "exceeded quota: gpus"}'
    assert "quota" in (await why_not(fails(quota), SeenPod({}, []))).jupyterhub_message
    assert "at the moment" in (await why_not(fails(OSError("no route")), SeenPod({}, []))).jupyterhub_message


def test_words_come_before_the_hubs_own_timeout():
    assert [patience(timeout) for timeout in (300, 60, 4)] == [295, 55, 2]
