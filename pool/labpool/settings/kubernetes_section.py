"""The section `kubernetes` of pool.yaml: where in the cluster servers run."""

from __future__ import annotations

from pydantic import Field

from labpool.settings.section import Section

_NAMESPACE = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
KUBERNETES_PATTERNS_IN_WORDS = {_NAMESPACE: "a name of at most 63 lower-case letters, digits and hyphens"}


class KubernetesSection(Section):
    """Where in the cluster servers run. The cluster is that of KUBECONFIG, in the pool's pod its own."""

    namespace: str | None = Field(
        None,
        pattern=_NAMESPACE,
        description="Where servers run. Left out: the namespace of the pool's own pod, outside the cluster that of the "
        "kubeconfig's context.",
        examples=["jupyterhub"],
    )
