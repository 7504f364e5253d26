"""Answers with its version. Version 3 fails its check, to show what becomes of its Machines."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = os.environ["VERSION"]


class Page(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        healthy = VERSION != "3" or self.path != "/healthz"
        body = f"version {VERSION}\n".encode()
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


print(f"version {VERSION} is up")
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
