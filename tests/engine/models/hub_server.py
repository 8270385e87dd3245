"""A server on loopback that answers as the hub does: listing, redirects, ranges, refusals."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    license: str = "apache-2.0"
    gated: bool = False
    cut_after: int | None = None
    spoiled: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def listing(self) -> dict[str, Any]:
        siblings = []
        for name, content in self.files.items():
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
            if name.endswith((".safetensors", ".gguf")):
                digest = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        return {"sha": COMMIT, "cardData": {"license": self.license}, "siblings": siblings}


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            return None

        def do_GET(self) -> None:
            path, ranged = self.path.partition("?")[0], self.headers.get("range", "")
            hub.asked.append((path, ranged))
            hub.tokens.append(self.headers.get("authorization", ""))
            if hub.gated:
                self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
            elif re.fullmatch(r"/api/models/org/Tiny-Chat/revision/[\w.]+", path):
                self._send(200, json.dumps(hub.listing()).encode())
            elif path.startswith(f"/org/Tiny-Chat/resolve/{COMMIT}/"):
                name = path.partition(f"{COMMIT}/")[2]
                if name.endswith((".safetensors", ".gguf")):
                    self._send(302, b"", {"Location": f"{hub.url}/cdn/{name}"})
                else:
                    self._file(name, "")
            elif path.startswith("/cdn/"):
                self._file(path.removeprefix("/cdn/"), ranged)
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _file(self, name: str, ranged: str) -> None:
            content = hub.files[name]
            if name == hub.spoiled:
                content = content[:-1] + bytes([content[-1] ^ 1])
            start = int(ranged[6:-1]) if ranged else 0
            end, headers = len(content), {}
            if ranged:
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{end}"
            cut, hub.cut_after = hub.cut_after, None
            body = content[start:]
            self._send(206 if ranged else 200, body, headers, cut)

        def _send(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if cut is None else body[:cut])
            self.close_connection = True

    return Handler


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
