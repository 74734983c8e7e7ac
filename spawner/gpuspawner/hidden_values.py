"""Nothing of a pod's environment gets into a log: the server's tokens stand there.

KubeSpawner writes a whole pod into the log where the cluster refuses it, and what its settings replace in one; the
cluster's answers may quote what was sent.
"""

from __future__ import annotations

import json
import logging
from typing import TypeVar

from kubernetes_asyncio.client import V1EnvVar, V1Pod, rest
from kubernetes_asyncio.client.rest import ApiException

HIDDEN = "(hidden)"
_SHORTEST_SECRET = 8
Value = TypeVar("Value")


class HiddenValue(str):
    """A value as good as any to send, of which a printed pod shows nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def hidden(value: Value) -> Value | HiddenValue:
    """`value`, not shown where it is text. Others, such as where a value comes from, tell no value."""
    return HiddenValue(value) if isinstance(value, str) else value


def hidden_deep(setting: object) -> object:
    """A setting of a container whose printed form shows no value of its environment."""
    if isinstance(setting, list):
        return [hidden_deep(each) for each in setting]
    if isinstance(setting, dict):
        return {key: hidden(each) if key == "value" else hidden_deep(each) for key, each in setting.items()}
    return setting


def hide_values(pod: V1Pod) -> None:
    """Let `pod` show no value of its containers' environment when it is printed."""
    for variable in _variables(pod):
        variable.value = hidden(variable.value)


def without_values(refusal: ApiException, pod: V1Pod) -> ApiException:
    """A refusal of `pod` that quotes none of its values, but for such short ones as numbers."""
    said = str(refusal.body)
    values = {str(variable.value or "") for variable in _variables(pod)}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            said = said.replace(json.dumps(value)[1:-1], HIDDEN).replace(value, HIDDEN)
    told = ApiException(status=refusal.status, reason=refusal.reason)
    told.body = said  # type: ignore[assignment]  # text, as the client makes it
    return told


def _variables(pod: V1Pod) -> list[V1EnvVar]:
    containers = (*pod.spec.containers, *(pod.spec.init_containers or ()))
    return [variable for container in containers for variable in container.env or ()]


def _says_no_answer(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("response body")


# the client writes each answer, a new pod among them, where a lab has set its whole log to "debug"
logging.getLogger(rest.__name__).addFilter(_says_no_answer)
