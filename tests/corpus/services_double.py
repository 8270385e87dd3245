"""arXiv, the DOI system, Unpaywall and Zotero on loopback, as their public documentation says."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: id_list={id}</title>
  <entry>
    <id>http://arxiv.org/abs/{id}v2</id>
    <updated>2024-02-01T00:00:00Z</updated>
    <published>2024-01-02T18:00:00Z</published>
    <title>Pebbles
  of the Mirewick</title>
    <summary>  We weigh pebbles &lt; 3 kg.
    </summary>
    <author><name>Zoë Harrowgate</name></author>
    <author><name>Anna Keller</name></author>
    <arxiv:doi xmlns:arxiv="http://arxiv.org/schemas/atom">10.1234/pebbles</arxiv:doi>
    <a:journal_ref xmlns:a="http://arxiv.org/schemas/atom">Annals 3 (2024)</a:journal_ref>
    <link href="http://arxiv.org/pdf/{id}v2" rel="related" type="application/pdf" title="pdf"/>
  </entry>
</feed>"""
NO_PAPER = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/api/errors#incorrect_id_format_for_x</id><title>Error</title>
<summary>incorrect id format for x</summary></entry></feed>"""
KEY = "zoteroKey0123456789abcdef"


@dataclass
class Services:
    """What the services hold, and what they were asked."""

    url: str = ""
    elsewhere: str = ""
    source: bytes = b""
    pdf: bytes = b""
    csl: dict[str, Any] = field(default_factory=dict)
    unpaywall: dict[str, Any] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    collections: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    version: int = 10
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    # Answers to give before the true one, by the beginning of the path.
    before: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    services: Services

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        services = self.services
        services.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        for start, answers in services.before.items():
            if self.path.startswith(start) and answers:
                status, headers = answers.pop(0)
                self.send(status, b"", **headers)
                return
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        first = parts.path.split("/")[1]
        if first in ("api", "src", "pdf"):
            self._arxiv(first, parts.path, query)
        elif first in ("users", "groups", "keys"):
            self._zotero(parts.path, query)
        elif first == "v2":
            self._json(services.unpaywall) if query.get("email") else self.send(422)
        elif first == "free.pdf":
            self.send(200, services.pdf, Content_Type="application/pdf")
        elif first == "bucket":
            # The storage that files are served from takes no key of ours.
            refused = "Authorization" in self.headers
            self.send(400) if refused else self.send(200, services.files[parts.path[8:]])
        else:
            self._doi(unquote(parts.path[1:]))

    def _json(self, value: Any, **headers: str) -> None:
        self.send(200, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _arxiv(self, first: str, path: str, query: dict[str, str]) -> None:
        if first == "api":
            name = query.get("id_list", "")
            if name.startswith("2401"):
                self.send(200, ATOM.replace("{id}", name).encode())
            else:
                self.send(400, NO_PAPER.encode())
        elif first == "src" and self.services.source:
            self.send(200, self.services.source, Content_Type="application/gzip")
        elif first == "pdf" and self.services.pdf:
            self.send(200, self.services.pdf, Content_Type="application/pdf")
        else:
            self.send(404)

    def _doi(self, doi: str) -> None:
        if self.headers.get("Accept") != "application/vnd.citationstyles.csl+json":
            self.send(302, Location="/landing")
        elif doi.startswith("transform/"):
            self._json(self.services.csl)
        elif doi.startswith("10.") and self.services.csl:
            self.send(302, Location=f"/transform/{doi}")
        else:
            self.send(404)

    def _zotero(self, path: str, query: dict[str, str]) -> None:
        services = self.services
        if self.headers.get("Zotero-API-Version") != "3":
            self.send(400)
            return
        if (
            not path.startswith("/users/0/")
            and self.headers.get("Authorization") != f"Bearer {KEY}"
        ):
            self.send(403)
            return
        if path == "/keys/current":
            self._json({"key": KEY, "userID": 42, "username": "me", "access": {}})
        elif path.endswith("/file"):
            self.send(302, Location=f"{services.elsewhere}/bucket/{path.split('/')[-2]}")
        else:
            since = int(query.get("since", 0))
            known = services.items if path.endswith("/items") else services.collections
            changed = [item for item in known if item["version"] > since]
            if self.headers.get("If-Modified-Since-Version") == str(services.version):
                self.send(304, Last_Modified_Version=str(services.version))
                return
            start, limit = int(query.get("start", 0)), min(int(query.get("limit", 25)), 100)
            page = changed[start : start + limit]
            headers = {"Total_Results": str(len(changed)),
                       "Last_Modified_Version": str(services.version)}  # fmt: skip
            if start + limit < len(changed):
                following = f"{services.url}{path}?limit={limit}&start={start + limit}"
                following += f"&since={since}" if since else ""
                headers["Link"] = f'<{following}>; rel="next", <{services.url}/x>; rel="alternate"'
            self._json(page, **headers)


@contextmanager
def running(services: Services) -> Iterator[Services]:
    """Serve on two ports of loopback: the services, and the storage they redirect to."""
    handler = type("Handler", (_Handler,), {"services": services})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    services.url, services.elsewhere = (f"http://127.0.0.1:{s.server_port}" for s in servers)
    try:
        yield services
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def item(key: str, version: int, **data: Any) -> dict[str, Any]:
    """An item as the API tells it."""
    return {"key": key, "version": version, "library": {"type": "user", "id": 42},
            "data": {"key": key, "version": version, **data}}  # fmt: skip


def attachment(key: str, parent: str, version: int, data: bytes, name: str) -> dict[str, Any]:
    """An attachment as the API tells it."""
    return item(
        key, version, itemType="attachment", parentItem=parent, linkMode="imported_file",
        title="Full Text", contentType="application/pdf", filename=name,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
    )  # fmt: skip
