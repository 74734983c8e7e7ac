"""A single-user server that starts in a blink and says what it was told, for tests of what happens around servers."""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Answer(BaseHTTPRequestHandler):
    """Answers everything with the environment."""

    def do_GET(self):
        body = json.dumps(dict(os.environ)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Stay quiet."""


if Path("~/break-the-server").expanduser().exists():
    sys.exit(1)
if Path("~/hang-the-server").expanduser().exists():
    signal.pause()
signal.signal(signal.SIGINT, lambda number, frame: sys.exit(0))
here = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
HTTPServer((here.hostname, here.port), Answer).serve_forever()
