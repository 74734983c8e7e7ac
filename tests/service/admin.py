"""What an admin says, over the API."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from tests.service.lab import Lab


@dataclass
class AdminDesk:
    """An admin's program."""

    lab: Lab

    def call(self, method: str, path: str, json: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.lab.hub.admin_token}"}
        url = f"{self.lab.pool.url}/api/v1{path}"
        return httpx.request(method, url, json=json, headers=headers, timeout=30, trust_env=False)

    def drain(self, **asked: object) -> httpx.Response:
        return self.call("POST", "/drains", {"why": "New fans"} | asked)

    def drained(self, **asked: object) -> str:
        answer = self.drain(**asked)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def undrain(self, drain: str) -> None:
        assert self.call("DELETE", f"/drains/{drain}").status_code == 204

    def said(self, event: str) -> list[str]:
        """Who did that so far, and the details, from the audit trail."""
        trail = self.lab.pool.call(self.lab.pool.parts.desk.view(lambda view: view.audit_trail()))
        return [f"{entry.actor}: {entry.detail}" for entry in trail if entry.event == event]

    def free(self) -> int:
        return int(self.call("GET", "/pool").json()["flavours"][0]["free"])
