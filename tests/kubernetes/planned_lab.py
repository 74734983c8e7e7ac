"""A lab whose pool decides over the nodes of the test cluster, and whose servers are pods there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from labpool.api_models import PoolView, TicketView
from labpool.cli.app import app
from typer.testing import CliRunner

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.kube_lab import HUB, servers_namespace
from tests.real_hub import wait_until
from tests.running_lab import RunningLab, running_lab
from tests.using import look_up

Manifest = dict[str, Any]


@dataclass
class PlannedLab:
    """The lab, and its namespace of the cluster."""

    lab: RunningLab
    cluster: Cluster
    namespace: str

    def pods(self) -> list[Manifest]:
        """Those of researchers."""
        answer = self.cluster.kubectl("get", "pods", f"--namespace={self.namespace}", "--output=json")
        items: list[Manifest] = json.loads(answer)["items"]
        return items

    def pod_of(self, ticket: TicketView) -> Manifest:
        """The only pod that bears a ticket."""
        (pod,) = [each for each in self.pods() if ticket_of(each) == ticket.id]
        return pod

    def workloads(self) -> dict[str, Manifest]:
        """All that Kueue has, by name."""
        answer = self.cluster.kubectl("get", "workloads", f"--namespace={self.namespace}", "--output=json")
        return {each["metadata"]["name"]: each for each in json.loads(answer)["items"]}

    def ticket(self, user: str, name: str = "") -> TicketView:
        """The open ticket of a user's server; of the default one without a name."""
        found = self.lab.ticket(user, name)
        assert found is not None, f"{user} has no ticket for {name!r}"
        return found

    def pool(self) -> PoolView:
        """The pool as everybody sees it."""
        return self.lab.home("ada").pool

    def ask(self, user: str, options: object) -> TicketView:
        """Ask for a user's default server, whether it starts or waits."""
        self.lab.start_server(user, options)
        return self.ticket(user)

    def running(self, user: str, options: object) -> TicketView:
        """A user's default server that runs and was used."""
        answer = self.lab.start_server(user, options)
        assert answer.status_code in {201, 202}, answer.text
        return self.until_used(user)

    def until_used(self, user: str) -> TicketView:
        """Wait until a user's server is up, and use it."""
        self.lab.wait_ready(user)
        self.lab.use(user)
        wait_until(lambda: self.ticket(user).state == "running", f"{user}'s use")
        return self.ticket(user)

    def page_of(self, ticket: TicketView) -> str:
        """The words of a ticket's page, as its owner reads them."""
        page = self.lab.signed_in(ticket.user).open(ticket.path).text
        return BeautifulSoup(page, "html.parser").get_text(" ", strip=True)

    def doctor(self) -> str:
        """What `labpool doctor` prints on the pool's machine; all has to be well."""
        result = CliRunner().invoke(app, ["doctor"], env={**self.lab.environment, "COLUMNS": "200"})
        assert result.exit_code == 0, result.output
        return result.stdout

    def ended(self, ticket: TicketView, reason: str) -> None:
        """Wait until a ticket has ended, for that reason, and nothing of it is left."""
        wait_until(lambda: self.look_up(ticket).state == "ended", f"the end of {ticket.user}'s ticket", 60)
        assert self.look_up(ticket).end_reason == reason
        wait_until(lambda: ticket.id not in map(ticket_of, self.pods()), "the end of its pod")

    def look_up(self, ticket: TicketView) -> TicketView:
        """A ticket as its owner sees it now, also when it has ended."""
        return look_up(self.lab, ticket)


def ticket_of(pod: Manifest) -> str:
    """The ticket that a pod bears."""
    return str(pod["metadata"].get("annotations", {}).get("labpool/ticket", ""))


@contextlib.contextmanager
def running_planned_lab(
    cluster: Cluster, folder: Path, namespace: str, pool_yaml: str, more_config: str = "", **arguments: object
) -> Iterator[PlannedLab]:
    """A lab in a new namespace; afterwards nothing of it is left.

    Args:
        cluster: Where its servers run.
        folder: The lab's own.
        namespace: A new one.
        pool_yaml: Its rules.
        more_config: More lines for the hub's configuration.
        arguments: More for RunningLab.
    """
    environ = {"KUBECONFIG": str(cluster.kubeconfig)}
    hub = HUB.format(namespace=namespace) + more_config
    with servers_namespace(cluster, namespace):
        with running_lab(folder, pool_yaml=pool_yaml, hub_config=hub, environ=environ, **arguments) as lab:
            yield PlannedLab(lab, cluster, namespace)
        cluster.kubectl("delete", "pods", "--all", f"--namespace={namespace}", "--grace-period=1")
