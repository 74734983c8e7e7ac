"""KubeSpawner whose pods come up or leave nothing behind, and whose words are for researchers. It knows no leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial

from kubernetes_asyncio.client import V1DeleteOptions, V1Pod, V1Secret
from kubernetes_asyncio.client.rest import ApiException
from kubespawner import KubeSpawner

from gpuspawner.hidden_values import hidden, without_values
from gpuspawner.pod_end import exit_code, until_gone
from gpuspawner.pod_events import end_in_words
from gpuspawner.pod_start import SeenPod, come_up, uid_of, words_of
from gpuspawner.pod_watch import Watches

_IS_THERE = 409
_LONGEST_TIDYING = 3.0  # seconds; then why the start failed has to be said, before the hub's own timeout
_AT_ONCE = 1  # seconds; with 0 the API forgets a pod whose processes, and so its devices, may still be in use


class PodSpawner(KubeSpawner):
    """One pod's start and end. What is in the pod, and what its end means, is its subclass's."""

    _left: str | None = None  # the pod of an earlier start, "" for none, None before the cluster was asked
    _starting: asyncio.Future[str] | None = None  # under way, or broken off and not cleared away
    _watches = Watches(KubeSpawner.reflectors)

    @property
    def grace_seconds(self) -> int:
        """What a stopped pod has from SIGTERM to SIGKILL."""
        return int(self.delete_grace_period)

    @property
    def events(self) -> list[Mapping[str, object]]:
        """The events about the pod of this start, oldest first; nothing of what an earlier one left."""
        uid = uid_of(self._new_pod())
        seen = self.event_reflector.resources.values() if self.event_reflector and uid else ()
        ours = [event for event in seen if event["involvedObject"].get("uid") == uid]
        return sorted(ours, key=lambda event: event["lastTimestamp"] or event["eventTime"])

    @property
    def pod(self) -> Mapping[str, object]:
        """The pod as the cluster tells it, an earlier start's until this one has its own; empty where there is none."""
        pods: Mapping[str, Mapping[str, object]] = self.pod_reflector.pods if self.pod_reflector else {}
        return pods.get(f"{self.namespace}/{self.pod_name}", {})

    async def bring_up(self, seconds: float) -> str:
        """Make the pod and return its address, after at most so many seconds; a start that fails leaves no pod.

        Raises:
            NotStarted: it did not come up.
        """
        self._left = self._start_future = None
        self._starting = asyncio.ensure_future(self._start_pod())
        try:
            address = await come_up(self._starting, lambda: SeenPod(self._new_pod(), self.events), seconds, self.log)
        except Exception:  # of whatever kind, it is raised again once its pod is gone
            try:
                await asyncio.wait_for(self._clear_away(), _LONGEST_TIDYING)
            except Exception as error:  # the hub then calls `stop`, which goes on with it
                self.log.warning("what is left of pod %s could not be taken away yet: %r", self.pod_name, error)
            raise
        self._starting = None
        return address

    async def stop(self, now: bool = False) -> None:
        """End the pod, and the start that is under way, and return once it is gone.

        KubeSpawner itself asks for that with `now` in the midst of a start.

        Raises:
            TimeoutError: it was not gone in time.
        """
        if self._starting is not None and not now:
            await self._clear_away()
        else:
            await self._end_pod(_AT_ONCE if now else self.grace_seconds)

    async def poll(self) -> int | None:
        """How the server ended, whatever else of its pod runs on; None while it has not.

        A start that a person or the hub broke off counts until `stop`, which the hub calls for nothing that is over,
        has cleared it away.
        """
        return None if self._starting is not None else await self._how_it_ended()

    def get_secret_manifest(self, owner_reference: object) -> V1Secret:
        """The keys of a server that speaks TLS with the hub, which no log shows if the cluster refuses them."""
        secret: V1Secret = super().get_secret_manifest(owner_reference)
        secret.data = {name: hidden(value) for name, value in secret.data.items()}
        return secret

    async def progress(self) -> AsyncIterator[dict[str, object]]:
        """What happens to the pod, each thing said once, in words for researchers."""
        said = ""
        async for step in super().progress():
            event = step.get("raw_event")
            if event is None:
                yield step
            elif (words := words_of(event)) and words.sentence != said:
                said = words.sentence
                yield {"progress": step["progress"], "message": said}

    def _new_pod(self) -> Mapping[str, object]:
        pod = self.pod
        return {} if self._left is None or uid_of(pod) == self._left else pod

    async def _watch(self) -> None:
        """Before each look: see that pods and events are watched."""
        await self._watches.see_to(self._get_reflector_key("pods"), partial(self._start_watching_pods, replace=True))
        if self.events_enabled:
            begin = partial(self._start_watching_events, replace=True)
            await self._watches.see_to(self._get_reflector_key("events"), begin)

    async def _start_pod(self) -> str:
        """Start as KubeSpawner does, and take away first what an earlier start left."""
        await self._how_it_ended()
        self._left = uid_of(self.pod)
        address: str = await super().start()
        return address

    async def _make_create_pod_request(self, pod: V1Pod, request_timeout: float) -> bool:
        """As KubeSpawner does, but what the log gets of the pod and of a refusal tells no value of its environment."""
        try:
            await asyncio.wait_for(self.api.create_namespaced_pod(self.namespace, pod), request_timeout)
        except asyncio.TimeoutError:
            return False  # it is asked again
        except ApiException as refusal:
            if refusal.status != _IS_THERE:
                raise without_values(refusal, pod) from None
            self.log.info("a pod %s is there already and is taken away", self.pod_name)
            await self.stop(now=True)
            return False
        return True

    async def _how_it_ended(self) -> int | None:
        """Look as KubeSpawner does, say in the log why a server ended, and clear its pod away."""
        await self._watch()
        if words := end_in_words(self.pod):
            self.log.warning("pod %s ended: %s", self.pod_name, words.sentence)
        code = exit_code(self.pod)
        if code is None:
            status: int | None = await super().poll()
            return status
        if self.delete_stopped_pods:
            try:
                await self._end_pod(_AT_ONCE)
            except asyncio.TimeoutError as late:
                self.log.warning("%s", late)  # the server is over all the same
        return code

    async def _clear_away(self) -> None:
        """End what starts, and its pod."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
        await self._end_pod(_AT_ONCE)
        self._starting = None

    async def _end_pod(self, grace: int) -> None:
        await self._watch()
        options = V1DeleteOptions(grace_period_seconds=grace)
        delete = partial(self._make_delete_pod_request, self.pod_name, options, grace, self.k8s_api_request_timeout)
        await until_gone(delete, lambda: not self.pod, self.pod_name, grace)
