"""What the cluster says of a starting or ended pod, in words that a researcher understands.

Reasons and wordings are those of Kubernetes 1.28 to 1.36 (pkg/kubelet/events, pkg/kubelet/eviction, pkg/scheduler)
and of the cluster autoscaler. What nobody here has words for is left out: nobody is shown the cluster's own text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpuspawner.pod_fields import container_states, has_ended, mapping, notebook_end, text


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence. `in_vain`: it won't change by waiting, so the start is over."""

    sentence: str
    in_vain: bool = False


@dataclass(frozen=True, slots=True)
class _Rule:
    """Events of one `reason` whose text contains `pattern`; the first rule that fits wins."""

    reason: str
    pattern: str
    words: Words | None


_ASK_ADMIN = "Tell a lab admin."
_IMAGE_GONE = Words(f"The image of this profile can't be had: its registry doesn't give it out. {_ASK_ADMIN}", True)
_IMAGE_BROKEN = Words(f"The image of this profile can't be used on the cluster. {_ASK_ADMIN}", True)
_IMAGE_LATE = Words("The registry doesn't give the image yet; it is asked again. This can take some minutes.")
_MACHINE_TROUBLE = Words("The machine has trouble starting the server; it tries again.")
_NOT_MOUNTED = Words(
    "A folder can't be reached yet: the machine has not connected the lab's storage. It tries again by itself."
)
_LENT_ELSEWHERE = Words(
    "A folder of this server, as a rule your home, is in use by another server, and the lab's storage lends it to one "
    "machine at a time. Stop your other server; where it has just ended, this goes on by itself within some minutes."
)
_OUT_OF_REACH = Words(
    "A folder of this server, as a rule your home, is on storage that its machine does not reach. Choose another "
    "profile, or tell a lab admin."
)
_STORAGE_MISSING = Words("A folder of this server has no storage yet. If this stays so for minutes, tell a lab admin.")
_OUT_OF_DISK = Words(
    "The server filled more of its machine's disk than its profile allows and was ended. Keep large files in your home "
    "or in the project's folder.",
    True,
)
_OUT_OF_MEMORY = Words(
    "The server used more memory than its profile has and was ended. Choose a larger profile, or load less at once.",
    True,
)
_MACHINE_FULL = Words("The machine ran short of memory or disk and ended this server. Start it again.", True)
_MACHINE_LEAVES = Words("The machine of this server was taken out of service or doesn't answer. Start it again.", True)
_DEVICE_GONE = Words("A GPU of the machine failed or is taken, so the server can't start there. Try again.", True)
_TAKEN = Words("Something more important took this server's place on the machine. Try again.", True)
TAKEN_AWAY = Words("The cluster took the server away while it was starting. Start it again.", True)
_IN_SERVICE = Words("Waiting for a machine to be in service.")
_ENDED = Words("The server ended by itself. Start it again; if it ends again, tell a lab admin.", True)
_ROOT_IMAGE = Words(f"The image of this profile wants to run as root, which no server may. {_ASK_ADMIN}", True)

_RULES = (
    _Rule("Scheduled", "", Words("A machine was found.")),
    _Rule("FailedScheduling", "skip schedule deleting pod", None),
    _Rule("FailedScheduling", "ReadWriteOncePod", _LENT_ELSEWHERE),
    _Rule("FailedScheduling", "PersistentVolume's node affinity|volume node affinity|volume zone", _OUT_OF_REACH),
    _Rule("FailedScheduling", "persistentvolumeclaim|unbound|volume|free storage", _STORAGE_MISSING),
    _Rule("FailedScheduling", "Insufficient [a-z0-9.-]+/", Words("Waiting for its GPUs to be free on the machine.")),
    _Rule("FailedScheduling", "Insufficient", Words("Waiting for CPU, memory or disk to be free on the machine.")),
    _Rule("FailedScheduling", "unschedulable|unreachable|not.ready", _IN_SERVICE),
    _Rule("FailedScheduling", "", Words("Waiting for a machine that may run this server.")),
    _Rule("TriggeredScaleUp", "", Words("A machine is being started. This can take some minutes.")),
    _Rule("NotTriggerScaleUp", "", Words("No further machine can be started; waiting for one to be free.")),
    _Rule("Preempted|Preempting", "", _TAKEN),
    _Rule("Pulling", "", Words("The machine is loading the image. The first time this can take some minutes.")),
    _Rule("Pulled", "already present", Words("The image is on the machine already.")),
    _Rule("Pulled", "", Words("The image is loaded.")),
    _Rule("Failed", "pull image.*(not found|NotFound|denied|nauthorized|orbidden)", _IMAGE_GONE),
    _Rule("Failed", "InvalidImageName|ErrImageNeverPull", _IMAGE_BROKEN),
    _Rule("Failed", "pull image|ErrImagePull|ImagePullBackOff", _IMAGE_LATE),
    _Rule("Failed", "runAsNonRoot|non-root", _ROOT_IMAGE),
    _Rule("Failed", "executable file not found|no such file or directory", _IMAGE_BROKEN),
    _Rule("Failed", "", _MACHINE_TROUBLE),
    _Rule("ErrImageNeverPull|InspectFailed", "", _IMAGE_BROKEN),
    _Rule("BackOff", "pulling image", _IMAGE_LATE),
    _Rule("BackOff", "", Words("The server ended while it was starting; it is tried again.")),
    _Rule("Created", "", Words("The server is being started.")),
    _Rule("Started", "", Words("The server is starting up.")),
    _Rule("FailedAttachVolume", "Multi-Attach error", _LENT_ELSEWHERE),
    _Rule("FailedMount|FailedAttachVolume|FailedMapVolume", "", _NOT_MOUNTED),
    _Rule("VolumePermissionChangeInProgress", "", Words("Your files are being made readable; many take a while.")),
    _Rule("FailedCreatePodSandBox|FailedCreatePodContainer|NetworkNotReady|FailedSync", "", _MACHINE_TROUBLE),
    _Rule("UnexpectedAdmissionError", "", _DEVICE_GONE),
    _Rule(r"OutOf\S+\.\S+/\S+", "", _DEVICE_GONE),
    _Rule("OutOf.*", "", _MACHINE_FULL),
    _Rule("Evicted", "ephemeral.storage limit|ephemeral local storage usage|EmptyDir volume", _OUT_OF_DISK),
    _Rule("Evicted", "", _MACHINE_FULL),
    _Rule("OOMKilled|OOMKilling", "", _OUT_OF_MEMORY),
    _Rule("TaintManagerEviction", "Cancelling", None),
    _Rule("TaintManagerEviction|NodeNotReady|NodeLost|NodeShutdown|Terminated", "", _MACHINE_LEAVES),
    _Rule("DeadlineExceeded", "", Words("The server's time was over before it was ready. Start it again.", True)),
    _Rule("ErrImagePull|ImagePullBackOff", "", _IMAGE_LATE),
    _Rule("InvalidImageName", "", _IMAGE_BROKEN),
    _Rule("CreateContainerConfigError", "runAsNonRoot|non-root", _ROOT_IMAGE),
    _Rule("CreateContainerError|CreateContainerConfigError", "", _MACHINE_TROUBLE),
    _Rule("ContainerCannotRun|StartError", "", _IMAGE_BROKEN),
)


def in_words(reason: str, said: str) -> Words | None:
    """Words for an event or a state; None where there is nothing to say to a researcher."""
    for rule in _RULES:
        if re.fullmatch(rule.reason, reason) and re.search(rule.pattern, said):
            return rule.words
    return None


def end_in_words(pod: Mapping[str, object]) -> Words | None:
    """Why a pod's server ended, read from the pod's status; None while it has not."""
    if not has_ended(pod):
        return None
    status, of_notebook = mapping(pod.get("status")), notebook_end(pod)
    ends = container_states(pod).values() if of_notebook is None else [{"terminated": of_notebook}]
    for told in (status, *(mapping(state.get("terminated")) for state in ends)):
        if known := in_words(text(told, "reason"), text(told, "message")):
            return known
    return _ENDED


def refusal_in_words(status: int, said: str) -> str:
    """Why the cluster refused to make a server's pod or home, as one sentence or two."""
    if "exceeded quota" in said:
        return "The lab's part of the cluster is full: its quota leaves no room for this server. Try again later."
    if "violates PodSecurity" in said:
        return f"The cluster doesn't accept this server: the lab's settings give it too many rights. {_ASK_ADMIN}"
    if status == 403 and "forbidden" in said and "cannot" in said:
        return f"The hub may not start servers on the cluster. {_ASK_ADMIN}"
    if status in {400, 404, 422}:
        return f"The cluster doesn't accept how this server is described. {_ASK_ADMIN}"
    return "The cluster doesn't start servers at the moment. Try again in a minute."
