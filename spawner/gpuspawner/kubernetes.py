"""Servers as pods whose GPUs come from the pool: KubeSpawner, one question before a start, and a plan for each pod."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timezone

from kubernetes_asyncio.client import V1Pod
from kubespawner.utils import update_k8s_model
from labpool.api_models import LeaseToApply
from traitlets import Instance, default, validate

from gpuspawner import pod_traits, pool_traits
from gpuspawner.asking import Asking, no_failure_limit_on_hub_5, options_are_applied_by_start
from gpuspawner.folders import unusable_user_name
from gpuspawner.form import render_form
from gpuspawner.hidden_values import hidden, hidden_deep, hide_values
from gpuspawner.options import ServerOptions
from gpuspawner.pod_folders import PodStorage
from gpuspawner.pod_isolation import isolate
from gpuspawner.pod_plan import PodPlan, Started, grace_seconds, plan_pod
from gpuspawner.pod_run import PodRun
from gpuspawner.pod_settings import check_named
from gpuspawner.pod_shape import as_models, lay_over
from gpuspawner.pod_spawner import PodSpawner
from gpuspawner.pod_start import patience

_HOME_CLAIM = "claim-{username}"


class GPUKubeSpawner(PodSpawner):
    """Start a user's server as a pod with exactly the devices it leased, on the node that it leased them on.

    Image, CPU, memory, devices, place and folders come from the lease and pool.yaml and stand in no trait, so nothing
    that a user sends, and nothing of an earlier start, can reach them. What KubeSpawner's traits say of all else holds,
    as far as it leaves a pod within the bounds of `pod_isolation`.
    """

    pool_url = pool_traits.pool_url()
    pool_token = pool_traits.pool_token()
    pool_id = pool_traits.pool_id()
    pool_timeout = pool_traits.pool_timeout()
    pool_file = pool_traits.pool_file()
    pool_service = pool_traits.pool_service()
    default_profile = pool_traits.default_profile()

    pool_url_in_pods = pod_traits.pool_url_in_pods()
    home_folder = pod_traits.home_folder()
    home_access_mode = pod_traits.home_access_mode()
    projects_claim = pod_traits.projects_claim()
    datasets_claim = pod_traits.datasets_claim()
    logs_claim = pod_traits.logs_claim()
    pod_overrides = pod_traits.pod_overrides()

    user_options: object  # set by the hub: whatever was sent or stored
    _plan: PodPlan | None = None
    _said: set[str]
    _is_up = False
    _look = Instance(asyncio.Lock, ())

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        # one home for all servers of a user, under a name that is no other user's, whatever the chart says
        self.slug_scheme, self.pvc_name_template = "safe", _HOME_CLAIM
        self.storage_pvc_ensure, self.storage_access_modes = True, [self.home_access_mode]
        self.remember_pvc_name = self.handle_legacy_names = False
        self.pvc_name = self._expand_user_properties(_HOME_CLAIM)
        self.pod_name = self._expand_user_properties(self.pod_name_template)
        self.dns_name = self.dns_name_template.format(namespace=self.namespace, name=self.pod_name)

    @default("options_form")
    def _live_form(self) -> Callable[[GPUKubeSpawner], object]:
        return render_form

    @default("options_from_form")
    def _parsed_form(self) -> Callable[[object], dict[str, str | float]]:
        return self.asking.options_to_store

    @default("apply_user_options")
    def _applied_by_start(self) -> Callable[[object, object], None]:
        return options_are_applied_by_start

    @default("storage_capacity")
    def _size_of_a_home(self) -> str:
        return "10Gi"

    @default("delete_pvc")
    def _homes_stay(self) -> bool:
        return False

    @validate("consecutive_failure_limit")
    def _no_failure_limit_on_hub_5(self, proposal: Mapping[str, int]) -> int:
        return no_failure_limit_on_hub_5(proposal["value"])

    @validate("extra_container_config")
    def _without_shown_values(self, proposal: Mapping[str, object]) -> object:
        return hidden_deep(proposal["value"])

    @validate("pool_id")
    def _value_of_a_label(self, proposal: Mapping[str, str]) -> str:
        return pod_traits.value_of_a_label(proposal["value"])

    @validate("pod_overrides")
    def _keys_of_a_spec(self, proposal: Mapping[str, dict[str, object]]) -> dict[str, object]:
        return pod_traits.keys_of_a_spec(proposal["value"])

    @property
    def grace_seconds(self) -> int:
        """What a stopped pod has for a last checkpoint, as pool.yaml says now."""
        return grace_seconds(self.asking.pool_file)

    @property
    def asking(self) -> Asking:
        """Reads what was asked for, and asks the pool."""
        return Asking(self)

    def options_from_query(self, query: Mapping[str, object]) -> dict[str, str | float]:
        """Read an address's options; see `Asking.options_from_query`."""
        return self.asking.options_from_query(query)

    async def load_user_options(self) -> None:
        """Nothing is loaded into traits; KubeSpawner's own profiles don't exist here."""

    async def start(self) -> str:
        """Start with the lease's devices, or without any for a CPU profile.

        Raises:
            NotStarted: the options, the number of servers, the pool or the cluster forbid it.
            WaitingForGPU: no lease yet; the ticket is filed and its page is where the browser is sent.
            GPUsUnavailable: a GPU profile was asked for and the pool doesn't answer.
        """
        self._plan, self._is_up = None, False
        clock = asyncio.get_running_loop().time
        deadline = clock() + patience(self.start_timeout)
        options = self.asking.understood()
        lease = await self.asking.lease(options)
        self.plan(options, lease)
        self._pvc_exists = False  # it may have been deleted meanwhile; making it again does no harm
        return await self.bring_up(deadline - clock())

    def plan(self, options: ServerOptions, lease: LeaseToApply | None) -> None:
        """Settle what the next pod of this server gets.

        Raises:
            NotStarted: the user's name can't be a folder's, or pool.yaml doesn't say what the pod gets.
        """
        file = self.asking.pool_file
        check_named(options, lease, file.cluster)
        storage = PodStorage(self.home_folder, self.pvc_name, self.projects_claim, self.datasets_claim, self.logs_claim)
        started = Started(self.user.name, options, lease)
        address = self.pool_url_in_pods or self.pool_url
        self._said = set()
        try:
            self._plan = plan_pod(started, file, storage, address, self.pool_id)
        except ValueError as error:
            raise unusable_user_name(error) from error

    async def get_pod_manifest(self) -> V1Pod:
        """The pod of the settled plan."""
        return self._bounded(await super().get_pod_manifest(), is_last=not self.modify_pod_hook)

    def get_env(self) -> dict[str, str]:
        """What the hub tells a server, so that no log shows it; the plan's own is laid over it."""
        env: dict[str, str] = super().get_env()
        return {name: hidden(value) for name, value in env.items()}

    def add_poll_callback(self, callback: Callable[..., object], *args: object, **kwargs: object) -> None:
        """Learn that the server is up: the hub adds its callback then, after a start and after its own restart."""
        super().add_poll_callback(callback, *args, **kwargs)
        self._is_up = True

    async def stop(self, now: bool = False) -> None:
        """Stop the pod, and end the lease if a person stopped a server that was up or still starting.

        KubeSpawner itself calls this with `now` to clear a dead pod away, the hub after a failed start; the lease stays
        then, for the next try.
        """
        run = PodRun() if now or not self._is_stopped_by_person() else self._run()
        try:
            await super().stop(now)
        finally:
            if not now:
                self._plan, self._is_up = None, False
            if run.ticket:
                await self.asking.report_stopped(run.ticket, run.granted_at)

    async def poll_and_notify(self) -> int | None:
        """End a CPU server whose hours are over, then look as usual: the hub takes a dead server's route away.

        One look at a time, for the reason that `SimpleLocalGPUSpawner.poll_and_notify` names.
        """
        async with self._look:
            if self._is_up and PodRun.of_pod(self.pod).is_over(datetime.now(timezone.utc)):
                self.log.info("hours are over, stopping CPU server %s", self._log_name)
                await super().stop()
            status: int | None = await super().poll_and_notify()
        return status

    async def _make_create_pod_request(self, pod: V1Pod, request_timeout: float) -> bool:
        # only now has KubeSpawner asked the admin's hook
        bounded = self._bounded(pod, is_last=True) if self.modify_pod_hook else pod
        made: bool = await super()._make_create_pod_request(bounded, request_timeout)
        return made

    def _bounded(self, pod: V1Pod, is_last: bool) -> V1Pod:
        """A pod as the plan says and within its bounds, whatever the configuration made of it; at last overridden."""
        assert self._plan is not None, "a pod is made after its plan was settled"
        pod = as_models(pod, self.api.api_client)
        pod.metadata.name = self.pod_name
        lay_over(pod, self._plan)
        isolate(pod, self._plan.mounts, self._note)
        if self.pod_overrides and is_last:
            self._log_once(f"pod_overrides replaces {', '.join(self.pod_overrides)} of {self.pod_name}")
            update_k8s_model(pod.spec, self.pod_overrides)
            pod = as_models(pod, self.api.api_client)
        hide_values(pod)
        return pod

    def _note(self, what: str) -> None:
        self._log_once(
            f"{what} is left out of {self.pod_name}: no researcher's pod has it. Take it out of the configuration, or "
            "name it in pod_overrides if it has to be"
        )

    def _log_once(self, line: str) -> None:
        """Say something of this start, which may make its pod more than once."""
        if line not in self._said:
            self._said.add(line)
            self.log.warning("%s", line)

    def _run(self) -> PodRun:
        """What the pod was or is to be started with; a hub that did not start it reads that from the pod."""
        return PodRun.planned(self._plan.annotations) if self._plan else PodRun.of_pod(self.pod)

    def _is_stopped_by_person(self) -> bool:
        """Whether a stop is: the hub itself calls for one while its spawn, which failed, is still under way."""
        is_spawning = self._spawn_future is not None and not self._spawn_future.done()
        return self._is_up or (self._plan is not None and not is_spawning)
