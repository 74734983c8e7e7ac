"""A Kubernetes cluster: speaking to its API server, following its objects, and reading what its nodes offer."""

from labpool.cluster.answers import ClusterRefused, ClusterUnavailable, FieldsTaken
from labpool.cluster.api import ClusterApi, connected
from labpool.cluster.following import Followed, Kind
from labpool.cluster.nodes import NodeOffer

__all__ = [
    "ClusterApi",
    "ClusterRefused",
    "ClusterUnavailable",
    "FieldsTaken",
    "Followed",
    "Kind",
    "NodeOffer",
    "connected",
]
