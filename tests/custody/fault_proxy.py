"""A loopback proxy between boto3 and the real object store that answers some requests as a store in trouble would."""

from __future__ import annotations

import http.client
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_ERROR = "<?xml version='1.0'?><Error><Code>{code}</Code><Message>injected</Message></Error>"


@dataclass
class Trouble:
    """What the proxy does to the requests it is told of; everything else goes through unchanged."""

    hits: Callable[[str, str], bool] = lambda method, path: True
    kind: str = "none"
    times: int = 10**9
    met: int = field(default=0)

    def takes(self, method: str, path: str) -> bool:
        """Whether this request is one to be harmed; each counts."""
        if self.kind == "none" or self.met >= self.times or not self.hits(method, path):
            return False
        self.met += 1
        return True


KINDS = {
    "internal errors": "500 InternalError",
    "throttling": "503 SlowDown",
    "timeouts": "silence",
    "cut connections": "cut",
    "partial deletions": "partial",
    "deletions that are said and not done": "lie",
}
"""The one list of what an object store may do to us: what to call it, and what the proxy does."""


def is_delete(method: str, path: str) -> bool:
    """DeleteObjects requests."""
    return method == "POST" and "delete" in path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.server.trouble
        if not trouble.takes(self.command, self.path):
            return self._forward(body)
        if trouble.kind == "silence":
            self.rfile.read(1)  # nothing comes until the other side has lost patience and hangs up
            self.close_connection = True
            return None
        if trouble.kind == "cut":
            self.close_connection = True
            return None
        if trouble.kind in ("partial", "lie"):
            return self._deletion(body, trouble.kind)
        status, code = trouble.kind.split()
        return self._send(int(status), _ERROR.format(code=code).encode())

    def _deletion(self, body: bytes, kind: str) -> None:
        """Say that all was deleted and delete nothing; or delete the first half and refuse the others."""
        named = [(one.findtext(f"{_NS}Key"), one.findtext(f"{_NS}VersionId")) for one in ET.fromstring(body)]
        named = [(key, version) for key, version in named if key]
        refused = []
        if kind == "partial":
            half = -(-len(named) // 2)
            bucket = urlsplit(self.path).path.strip("/").split("/")[0]
            for key, version in named[:half]:
                self.server.admin.delete_object(Bucket=bucket, Key=key, VersionId=version)
            refused = [
                f"<Error><Key>{key}</Key><VersionId>{version}</VersionId><Code>InternalError</Code></Error>"
                for key, version in named[half:]
            ]
        told = "<DeleteResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>" + "".join(refused) + "</DeleteResult>"
        self._send(200, told.encode())

    def _forward(self, body: bytes) -> None:
        """As it came, its Host included: that is what the client signed."""
        connection = http.client.HTTPConnection(self.server.behind, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        reply = connection.getresponse()
        content = reply.read()
        self.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = reply.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(content)
        connection.close()

    def _send(self, status: int, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815  (http.server's names)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    trouble: Trouble
    behind: str
    admin: Any


@contextmanager
def proxy(endpoint: str, admin: Any) -> Iterator[tuple[str, Callable[[Trouble], None]]]:
    """Its endpoint, and how to set the trouble it makes."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.behind, server.admin, server.trouble = urlsplit(endpoint).netloc, admin, Trouble()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def make(trouble: Trouble) -> None:
        server.trouble = trouble

    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", make
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
