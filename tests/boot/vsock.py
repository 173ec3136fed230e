#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's side of vsock.boot; tests/boot/user/vsock.c is the guest's.

  vsock.py echo PATH COUNT        listens there; gives that many connections back what they send
  vsock.py talk PATH PORT BYTES   to that port of the guest: sends so many, wants them back and then the end
  vsock.py many PATH PORT COUNT   so many short talks, eight at a time
"""
import socket
import sys
import threading
import time


def echo_one(c):
    while data := c.recv(50000):
        c.sendall(data)
    c.close()


def echo(path, count):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    threads = []
    for _ in range(int(count)):
        threads.append(threading.Thread(target=echo_one, args=(s.accept()[0],)))
        threads[-1].start()
    for t in threads:
        t.join()


def connect(path, port):
    """Until the guest listens."""
    for _ in range(100):
        c = socket.socket(socket.AF_UNIX)
        c.settimeout(60)
        c.connect(path)
        c.sendall(f"CONNECT {port}\n".encode())
        answer = b""
        while not answer.endswith(b"\n") and (byte := c.recv(1)):
            answer += byte
        if answer:
            assert answer.startswith(b"OK "), answer
            return c
        time.sleep(0.2)
    sys.exit("the guest does not listen")


def talk(path, port, count):
    c = connect(path, port)
    said = bytes((i * 2654435761 >> 13) & 0xff for i in range(int(count)))

    def say():
        c.sendall(said)
        c.shutdown(socket.SHUT_WR)

    t = threading.Thread(target=say)
    t.start()
    heard = b"".join(iter(lambda: c.recv(100000), b""))
    t.join()
    assert heard == said, f"{len(heard)} bytes of {len(said)}, or others"


def many(path, port, count):
    failed = []

    def some(n):
        try:
            for i in range(n):
                talk(path, port, 100 * i)
        except BaseException as e:
            failed.append(e)
    threads = [threading.Thread(target=some, args=(int(count) // 8,)) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed


{"echo": echo, "talk": talk, "many": many}[sys.argv[1]](*sys.argv[2:])
