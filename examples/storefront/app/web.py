"""The shop window: answers `/` (text for curl, HTML for a browser) and `/healthz`."""

import html
import itertools
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import machine

PORT = machine.number("PORT", 8080)
# On one computer only this computer is served; inside a Fly Machine the proxy comes from outside.
HOST = "127.0.0.1" if os.environ.get("FLY_PRIVATE_IP") == "127.0.0.1" else "0.0.0.0"
SHOP = os.environ.get("SHOP_NAME", "Storefront")
ABOUT = {**machine.about(), "port": str(PORT)}

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{shop}</title>
<style>
  body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }}
  dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; }}
  dt {{ color: #777; }}
  dd {{ margin: 0; font-family: ui-monospace, monospace; }}
</style>
<h1>{shop} is open</h1>
<p>This page came from one Machine of process group <b>{group}</b>. Reload, or ask another one.</p>
<dl>{rows}</dl>
"""

served = itertools.count(1)


class Window(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/healthz":
            self.answer(200, "text/plain", "ok\n")
        elif path == "/":
            facts = {**ABOUT, "served": str(next(served))}
            if "text/html" in self.headers.get("Accept", ""):
                self.answer(200, "text/html", as_html(facts))
            else:
                self.answer(200, "text/plain", as_text(facts))
        else:
            self.answer(404, "text/plain", f"nothing at {path}; try / or /healthz\n")

    def answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, _format, *args):
        # The check asks every other second; a log of nothing else helps nobody.
        if not self.path.startswith("/healthz"):
            print(f"web: {self.command} {self.path} {args[1]}", flush=True)


def as_text(facts):
    """What curl shows."""
    lines = [f"{SHOP} is open.", ""]
    lines += [f"  {name:<8} {value}" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def as_html(facts):
    """What a browser shows."""
    escaped = {name: html.escape(value) for name, value in facts.items()}
    rows = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in escaped.items())
    return PAGE.format(shop=html.escape(SHOP), group=escaped["group"], rows=rows)


def main():
    try:
        server = ThreadingHTTPServer((HOST, PORT), Window)
    except OSError as error:
        sys.exit(f"web: cannot listen on {HOST}:{PORT}: {error.strerror}")
    # `shutdown` waits for the loop that the signal has interrupted, so it needs a thread of its own.
    machine.on_stop(lambda: threading.Thread(target=server.shutdown).start())
    print(f"web: open on http://{HOST}:{PORT} ({ABOUT['machine']}, {ABOUT['region']})", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()


if __name__ == "__main__":
    main()
