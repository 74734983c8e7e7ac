"""The settings of servers that are pods, each said once, and what is allowed in them."""

from __future__ import annotations

from kubernetes_asyncio.client import V1PodSpec
from kubespawner.slugs import is_valid_label
from kubespawner.utils import update_k8s_model
from traitlets import Dict, Enum, TraitError, Unicode


def pool_url_in_pods() -> Unicode[str, str | bytes]:
    """Where servers find the pool."""
    return Unicode(
        "", help="Address of the pool as servers reach it, without a trailing slash. Default: empty, as pool_url."
    ).tag(config=True)


def home_folder() -> Unicode[str, str | bytes]:
    """Where a home is."""
    return Unicode("/home/jovyan", help="Where the user's home is mounted. Default: /home/jovyan.").tag(config=True)


def home_access_mode() -> Enum[str]:
    """On how many nodes at once a home may be."""
    return Enum(
        ["ReadWriteMany", "ReadWriteOnce"],
        default_value="ReadWriteMany",
        help="Access mode of new homes. With ReadWriteOnce all servers of a user have to be on one node at a time. "
        "Default: ReadWriteMany.",
    ).tag(config=True)


def projects_claim() -> Unicode[str, str | bytes]:
    """What the projects' folders are on."""
    return Unicode(
        "projects",
        help="Claim (ReadWriteMany) with a folder for each project, mounted at /projects/<project>. Default: projects. "
        "Empty: none is mounted.",
    ).tag(config=True)


def datasets_claim() -> Unicode[str, str | bytes]:
    """What the datasets are on."""
    return Unicode(
        "datasets",
        help="Claim with the folders of pool.yaml's datasets, mounted read-only at /datasets/<dataset>. Default: "
        "datasets. Empty: none is mounted.",
    ).tag(config=True)


def logs_claim() -> Unicode[str, str | bytes]:
    """What TensorBoard reads."""
    return Unicode(
        "logs",
        help="Claim (ReadWriteMany) of the log store, of which /logs/<project> is the folder <user>/<project>. "
        "Default: logs. Empty: none is mounted.",
    ).tag(config=True)


def pod_overrides() -> Dict[str, object]:
    """What an admin has differently."""
    return Dict(
        {},
        help="Keys of a pod's spec, as the API names them, that replace what labpool says, its bounds included; each "
        "start says so in the log. Default: none.",
    ).tag(config=True)


def value_of_a_label(pool_id: str) -> str:
    """The value of `pool_id`, which each pod bears as a label, where it may be one.

    Raises:
        TraitError: it may not.
    """
    if not is_valid_label(pool_id):
        raise TraitError(
            f"GPUKubeSpawner.pool_id is {pool_id!r}, expected the value of a label: at most 63 letters, digits, "
            "dashes, underscores and dots, with a letter or digit at both ends."
        )
    return pool_id


def keys_of_a_spec(overrides: dict[str, object]) -> dict[str, object]:
    """The value of `pod_overrides`, where a pod's spec has all of its keys.

    Raises:
        TraitError: it has not.
    """
    try:
        update_k8s_model(V1PodSpec(containers=[]), overrides)
    except ValueError as error:
        raise TraitError(
            f"GPUKubeSpawner.pod_overrides has the keys {', '.join(overrides)}; expected keys of a pod's spec as the "
            "API names them, such as runtimeClassName."
        ) from error
    return overrides
