#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""datagrams.py ADDRESS PORT BYTES...: of each size, 20 datagrams come back as they were. One that is lost is sent again."""
import os
import socket
import sys


def echo(s, data):
    for _ in range(10):
        s.send(data)
        try:
            while True:
                if s.recv(70000) == data:
                    return
        except TimeoutError:
            pass
    sys.exit(f"no answer to {len(data)} bytes")


address, port, *sizes = sys.argv[1:]
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(3)
    s.connect((address, int(port)))
    for size in map(int, sizes):
        for number in range(20):
            echo(s, (number.to_bytes(4, "big") + os.urandom(size))[-size:])
