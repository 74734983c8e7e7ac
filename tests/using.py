"""Using a server as a person does; JupyterLab's extension reports that, and the tests' tiny server doesn't."""

from __future__ import annotations

import httpx

from tests.running_lab import RunningLab


def use(lab: RunningLab, user: str) -> None:
    """Claim the ticket of a user's running default server, as the server itself would."""
    told = lab.told(user)
    url = f"{told['LABPOOL_POOL_URL']}/api/v1/tickets/{told['LABPOOL_TICKET']}/claim"
    headers = {"Authorization": f"Bearer {told['LABPOOL_TICKET_TOKEN']}"}
    httpx.post(url, headers=headers, timeout=20, trust_env=False).raise_for_status()
