# SPDX-License-Identifier: GPL-2.0-or-later
"""The other end of the network programs of tests/bench/user/device.c: a letter, a count of 20 digits, a line's end.

  d N   N bytes are sent
  u N   N bytes are read, then one is sent
  p N   N times a byte comes back; with 0 the connection is closed
"""
import socket
import sys
import threading

BLOCK = bytes(1 << 20)


def exactly(s, count):
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def serve(s):
    with s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        order = exactly(s, 22)
        what, left = order[:1], int(order[1:])
        buffer = bytearray(1 << 20)
        while left:
            if what == b"d":
                left -= s.send(BLOCK[:left])
            elif what == b"u":
                left -= s.recv_into(buffer, min(left, len(buffer))) or left
            else:
                s.sendall(exactly(s, 1))
                left -= 1
        if what == b"u":
            s.sendall(b"x")
        if what != b"p":
            s.recv(1)


def main():
    """A process of its own, which nobody's interpreter lock holds up. Says its port; ends with its input."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        print(server.getsockname()[1], flush=True)
        threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown(socket.SHUT_RDWR)), daemon=True).start()
        while True:
            try:
                s, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(s,), daemon=True).start()


main()
