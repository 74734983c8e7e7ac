"""What the process of a pod is given: command, environment and folders, worked out from the pod's manifest.

There is no image and no file system of its own. So the command is one of this machine's programs, and a path below a
mount of the pod stands for a folder of the cluster: it is replaced in the command and in the environment where it
begins a word or follows an equals sign. Claims keep their folder when the pod is gone, `emptyDir` doesn't; other kinds
of volumes are left out, and nothing is read-only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.kubernetes.pod_leftovers import MARK

Manifest = dict[str, Any]
_SERVICE_URL = "JUPYTERHUB_SERVICE_URL"
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class CannotRun(Exception):
    """The pod asks for something that isn't played here; the message says what."""


@dataclass(frozen=True)
class PodCommand:
    """One process to start; `words` is empty where the pod names no command."""

    words: Sequence[str]
    environ: Mapping[str, str]
    cwd: Path


def claim_folder(cluster: Path, namespace: str, claim: str) -> Path:
    """Where the files of a claim are."""
    return cluster / "claims" / namespace / claim


def pod_folder(cluster: Path, pod: Manifest) -> Path:
    """Where the files of a pod are, its log among them."""
    metadata = pod["metadata"]
    return cluster / f"pods/{metadata['namespace']}/{metadata['name']}.{metadata['uid']}"


def command_of(pod: Manifest, cluster: Path) -> PodCommand:
    """Work out the process of a pod's first container, and make its folders.

    Raises:
        CannotRun: it takes its environment from something that isn't played here.
    """
    container = pod["spec"]["containers"][0]
    if container.get("envFrom"):
        raise CannotRun("The container has envFrom, which is not played here.")
    own = pod_folder(cluster, pod)
    own.mkdir(parents=True, exist_ok=True)
    folders = _mounts(pod, container, cluster)
    environ = {each["name"]: _localised(_value(each, pod), folders) for each in container.get("env", [])}
    home = Path(environ.get("HOME") or _home(container, folders, own))
    if _SERVICE_URL in environ:
        environ[_SERVICE_URL] = _on_own_address(environ[_SERVICE_URL], pod["status"]["podIP"])
    ours = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), MARK: str(own)}
    words = [*container.get("command", []), *container.get("args", [])]
    cwd = Path(_localised(container.get("workingDir") or str(home), folders))
    return PodCommand([_localised(word, folders) for word in words], ours | environ, cwd if cwd.is_dir() else own)


def _mounts(pod: Manifest, container: Manifest, cluster: Path) -> dict[str, Path]:
    """The folder behind each mount, the longest paths first."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    found: dict[str, Path] = {}
    for mount in container.get("volumeMounts", []):
        source = _source(pod, volumes[mount["name"]], cluster)
        if source is not None:
            folder = source / mount.get("subPath", "")
            folder.mkdir(parents=True, exist_ok=True)
            found[mount["mountPath"].rstrip("/")] = folder
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _source(pod: Manifest, volume: Manifest, cluster: Path) -> Path | None:
    if "persistentVolumeClaim" in volume:
        return claim_folder(cluster, pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
    return pod_folder(cluster, pod) / "volumes" / volume["name"] if "emptyDir" in volume else None


def _localised(text: str, folders: Mapping[str, Path]) -> str:
    for path, folder in folders.items():
        replaced = re.sub(rf"(^|=){re.escape(path)}(?=/|$)", lambda match, to=folder: match[1] + str(to), text)  # type: ignore[misc]
        if replaced != text:
            return replaced
    return text


def _home(container: Manifest, folders: Mapping[str, Path], own: Path) -> Path:
    homes = [folder for path, folder in folders.items() if path.startswith("/home/")]
    return homes[-1] if homes else own


def _on_own_address(url: str, address: str) -> str:
    """The address that the server listens on: 0.0.0.0 would be one and the same for all pods of this machine."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{address}:{parts.port}"))


def _value(variable: Manifest, pod: Manifest) -> str:
    if "valueFrom" not in variable:
        return str(variable.get("value") or "")
    path = variable["valueFrom"].get("fieldRef", {}).get("fieldPath")
    if not path:
        kinds = ", ".join(variable["valueFrom"])
        raise CannotRun(f"The variable {variable['name']} comes from {kinds}; only fieldRef is played here.")
    keyed = _KEYED_FIELD.fullmatch(path)
    if keyed:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    value: object = pod
    for key in path.split("."):
        value = value.get(key, "") if isinstance(value, dict) else ""
    return str(value)
