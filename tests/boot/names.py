#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""names.py FOLDER COMMAND...: in a network of its own, the host's only name server, and the command.

Run by unshare(1) as root of new network and mount namespaces. The server is at port 53 of both loopback
addresses, and /etc/resolv.conf says so. It knows one name; FOLDER/queries has a line for each question:
"udp4 vmm.example".
"""
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys

NAME, ADDRESS = "vmm.example", "192.0.2.77"
A, NO_SUCH_NAME = 1, 3


def question(query):
    """The name, the type, and where the question ends."""
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    return ".".join(labels), struct.unpack_from(">H", query, at + 1)[0], at + 5


def answer(query, name, kind, end):
    found = name == NAME and kind == A
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | (0 if name == NAME else NO_SUCH_NAME), 1, found, 0, 0)
    record = struct.pack(">HHHIH", 0xc00c, kind, 1, 60, 4) + socket.inet_aton(ADDRESS)
    return head + query[12:end] + (record if found else b"")


def serve(servers, log):
    while True:
        for s in select.select(servers, [], [])[0]:
            query, client = s.recvfrom(2000)
            name, kind, end = question(query)
            print("udp6" if s.family == socket.AF_INET6 else "udp4", name, file=log, flush=True)
            s.sendto(answer(query, name, kind, end), client)


def main():
    folder, command = sys.argv[1], sys.argv[2:]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, env={"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"})
    servers = [socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6)]
    for s, address in zip(servers, ("127.0.0.1", "::1")):
        s.bind((address, 53))
    with open(os.path.join(folder, "resolv.conf"), "w") as f:
        f.write("nameserver 127.0.0.1\nnameserver ::1\n")
    subprocess.run(["mount", "--bind", f.name, "/etc/resolv.conf"], check=True)
    if not os.fork():
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG: with the command
        with open(os.path.join(folder, "queries"), "w") as log:
            serve(servers, log)
    os.execvp(command[0], command)


main()
