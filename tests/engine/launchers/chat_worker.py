"""A worker that keeps the protocol of `tui.engine.launchers.serving` and always says the same."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def main(folder: Path) -> None:
    options = json.loads((folder / "chat.json").read_text())
    if "fails" in options:
        sys.exit(options["fails"])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wanted = f"Bearer {options['key']}"
            self.send_response(200 if self.headers["authorization"] == wanted else 401)
            self.end_headers()
            if self.headers["authorization"] == wanted:
                self.wfile.write(options["says"].encode())

    server = HTTPServer((options["host"], 0), Handler)
    temporary = folder / "address.tmp"
    temporary.write_text(json.dumps({"url": f"http://{options['host']}:{server.server_port}"}))
    temporary.rename(folder / "address.json")
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
