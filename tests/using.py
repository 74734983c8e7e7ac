"""What the owner of a ticket does with it over the API: using its server, and looking it up when it has ended."""

from __future__ import annotations

import httpx
from labpool.api_models import TicketView

from tests.running_lab import RunningLab


def use(lab: RunningLab, user: str) -> None:
    """Claim the ticket of a user's default server: JupyterLab's extension does that, the tiny server doesn't."""
    told = lab.told(user)
    url = f"{told['LABPOOL_POOL_URL']}/api/v1/tickets/{told['LABPOOL_TICKET']}/claim"
    headers = {"Authorization": f"Bearer {told['LABPOOL_TICKET_TOKEN']}"}
    httpx.post(url, headers=headers, timeout=20, trust_env=False).raise_for_status()


def look_up(lab: RunningLab, ticket: TicketView) -> TicketView:
    """A ticket as its owner sees it now, also when it has ended."""
    headers = {"Authorization": f"token {lab.token_for(ticket.user)}"}
    url = f"{lab.ports.pool_url}/api/v1/tickets/{ticket.id}"
    answer = httpx.get(url, headers=headers, timeout=20, trust_env=False)
    return TicketView.model_validate_json(answer.raise_for_status().content)
