"""Answers `/` with its version and `/healthz`. Version 3 cannot start, to show what becomes of its canary."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ["VERSION"]


class Page(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        body = f"version {VERSION}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if VERSION == "3":
    sys.exit("version 3 does not find its settings")
print(f"version {VERSION} is up")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
