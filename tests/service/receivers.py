"""Where notices arrive: a real mail server and a real HTTP server, which can be told to misbehave."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.real_hub import wait_until


@dataclass
class Mailbox:
    """All mails that a mail server took. `answers` are given first, one a mail; then it takes every mail.

    `on_mail` is called with each that it took, before it says so.
    """

    port: int
    password: str
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: deque[str] = field(default_factory=deque)
    tried: list[str] = field(default_factory=list)
    on_mail: Callable[[], None] = lambda: None

    def signs_in(self, server: SMTP, session: Session, envelope: Envelope, how: str, data: object) -> AuthResult:
        known = isinstance(data, LoginPassword) and data.password == self.password.encode()
        return AuthResult(success=known)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's)
        content = envelope.content
        assert isinstance(content, bytes)
        mail = BytesParser(policy=default).parsebytes(content)
        assert isinstance(mail, EmailMessage)
        self.tried.append(mail["Message-ID"])
        if self.answers:
            return self.answers.popleft()
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos
        self.on_mail()
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]

    def text_to(self, address: str) -> str:
        """What stands in the last mail to an address."""
        return str(self.to(address)[-1].get_content()).replace("\r\n", "\n")

    def await_mail(self, address: str, number: int = 1) -> EmailMessage:
        wait_until(lambda: len(self.to(address)) >= number, f"mail {number} to {address}")
        return self.to(address)[number - 1]


@contextlib.contextmanager
def mail_server(port: int, password: str = "") -> Iterator[Mailbox]:
    """An SMTP server on this machine; with a password it takes mails of who signs in only."""
    box = Mailbox(port, password)
    options = {"auth_require_tls": False, "auth_required": bool(password), "authenticator": box.signs_in}
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Call:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hook:
    """All calls that an HTTP server got. `answers` are given first, one a call; then 204."""

    port: int
    calls: list[Call] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    silent: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}/hook?a=1"

    def await_call(self, number: int = 1) -> Call:
        wait_until(lambda: len(self.calls) >= number, f"call {number}")
        return self.calls[number - 1]


@contextlib.contextmanager
def hook_server(port: int) -> Iterator[Hook]:
    """An HTTP server on this machine."""
    hook = Hook(port)

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook.calls.append(Call(self.path, headers, body))
            if hook.silent.is_set():
                wait_until(lambda: not hook.silent.is_set(), "the end of the silence", 60)
            status = hook.answers.popleft() if hook.answers else 204
            self.send_response(status)
            if status in {301, 302, 307, 308}:
                self.send_header("Location", f"http://localhost:{port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hook
    finally:
        hook.silent.clear()
        server.shutdown()
        server.server_close()
