# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server of this machine for guests' downloads and uploads.

  GET /N          N bytes that are the same every time and repeat nowhere
  GET /N/sha256   their sum
  PUT /           answers with the sum of what came
"""
import hashlib
import http.server
import threading

CHUNK = 1 << 20


def chunks(count):
    """Cheap to make, and a chunk lost, doubled or exchanged is seen in the sum."""
    base, number = hashlib.shake_128(b"vmm").digest(CHUNK - 8), 0
    while count:
        chunk = (number.to_bytes(8, "big") + base)[:count]
        yield chunk
        number, count = number + 1, count - len(chunk)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def start(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def do_GET(self):
        count, _, what = self.path[1:].partition("/")
        if what == "sha256":
            self.answer(sum_of(chunks(int(count))))
        else:
            self.start(int(count))
            for chunk in chunks(int(count)):
                self.wfile.write(chunk)

    def do_PUT(self):
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            data = self.rfile.read(min(left, CHUNK))
            if not data:
                return
            digest.update(data)
            left -= len(data)
        self.answer(digest.hexdigest())

    def answer(self, text):
        self.start(len(text) + 1)
        self.wfile.write(text.encode() + b"\n")


def sum_of(parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


class Server:
    """In threads of its own until the end of a with."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
