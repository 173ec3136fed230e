# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the command line share.

A test is functions given to run_all(): each runs in an empty folder of its own,
raises Fail to fail and Skip to be left out. Nothing here waits longer than it
must: an expected text ends a wait, a deadline is only for what went wrong.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import struct
import sys
import tempfile
import termios
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CACHE = os.environ.get("VMM_CACHE", os.path.expanduser("~/.cache/vmm"))
VMM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(TOP, "out/release/vmm")
# Sanitizers make everything slower, and this machine may have other things to do.
PATIENCE = 60 * (1 if "/release/" in VMM else 6)


class Fail(Exception):
    pass


class Skip(Exception):
    pass


def guest(name):
    return os.path.join(TOP, "out/guests", name + ".elf")


def kernel():
    path = os.path.join(CACHE, "kernels/bookworm-cloud")
    if not os.path.exists(path):
        raise Skip("no kernel: tests/setup guest")
    return path


def initrd():
    path = os.path.join(CACHE, "initramfs.cpio.gz")
    if not os.path.exists(path):
        raise Skip("no initramfs: tests/setup guest")
    return path


def check(condition, why):
    if not condition:
        raise Fail(why)


# ---- Programs that end by themselves ----

class Ended:
    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.out, self.err, self.seconds = argv, status, out, err, seconds

    def __str__(self):
        return (f"{' '.join(a[:80] for a in self.argv)}\nstatus {self.status} after {self.seconds:.2f} s\n"
                f"stdout: {self.out[-1500:]}\nstderr: {self.err[-1500:]}")


def vmm(*args, stdin=subprocess.DEVNULL, timeout=PATIENCE, **kw):
    """`vmm args` to its end."""
    argv, start = [kw.pop("vmm", VMM), *args], time.monotonic()
    try:
        p = subprocess.run(argv, stdin=None if "input" in kw else stdin, stdout=kw.pop("stdout", subprocess.PIPE),
                           stderr=subprocess.PIPE, timeout=timeout, **kw)
    except subprocess.TimeoutExpired as e:
        raise Fail(f"no end after {timeout} s: {' '.join(argv)}\n{(e.stdout or b'')[-1500:]}\n{(e.stderr or b'')[-1500:]}")
    return Ended(argv, p.returncode, (p.stdout or b"").decode(errors="replace"), p.stderr.decode(errors="replace"),
                 time.monotonic() - start)


# ---- Programs that are talked to ----

class Talk:
    """A process with a byte stream each way: pipes, or a terminal of its own."""

    def __init__(self, *args, terminal=False, stderr=None, argv=None, **kw):
        self.argv, self.text, self.at = argv or [VMM, *args], b"", 0
        self.slave = None
        if terminal:
            master, self.slave = pty.openpty()
            self.before = termios.tcgetattr(self.slave)
            self.p = subprocess.Popen(self.argv, stdin=self.slave, stdout=self.slave, stderr=self.slave,
                                      start_new_session=True, **kw)
            self.r = self.w = master
        else:
            self.p = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT if stderr is None else stderr, **kw)
            self.r, self.w = self.p.stdout.fileno(), self.p.stdin.fileno()

    def fail(self, why):
        raise Fail(f"{why}\n{' '.join(self.argv)}\n{self.text[-2000:].decode(errors='replace')}")

    def read(self, until):
        """More output; False at its end."""
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.r], [], [], left)[0]:
            self.fail("time is up")
        try:
            data = os.read(self.r, 65536)
        except OSError:  # a terminal whose other side is closed
            data = b""
        self.text += data
        return bool(data)

    def expect(self, pattern, timeout=PATIENCE):
        until = time.monotonic() + timeout
        while True:
            m = re.compile(pattern.encode(), re.M).search(self.text, self.at)
            if m:
                self.at = m.end()
                return m
            if not self.read(until):
                self.fail(f"ended without {pattern!r}")

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        until = time.monotonic() + PATIENCE
        while data:
            if time.monotonic() > until:
                self.fail("nobody takes the input")
            r, w, _ = select.select([self.r], [self.w], [], 1)
            if r:
                self.read(until)
            if w:
                data = data[os.write(self.w, data[:512]):]

    def end(self, timeout=PATIENCE):
        """Status when it has ended; the rest of its output is in text."""
        until = time.monotonic() + timeout
        while self.slave is None and self.read(until):
            pass
        while self.slave is not None and self.p.poll() is None:
            if select.select([self.r], [], [], 0.05)[0]:
                self.read(until)
            if time.monotonic() > until:
                self.fail("no end")
        while self.slave is not None and select.select([self.r], [], [], 0)[0]:
            if not self.read(until):
                break
        try:
            return self.p.wait(timeout=max(1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.fail("no end")

    def close(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGKILL)
        self.p.wait()
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            if f:
                try:
                    f.close()
                except BrokenPipeError:
                    pass
        if self.slave is not None:
            os.close(self.slave)
            os.close(self.r)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def shell(*args, cmdline="console=ttyAMA0 quiet", ready=True, **kw):
    """Debian's kernel, up to the prompt of its busybox."""
    t = Talk("run", "--kernel", kernel(), "--initrd", initrd(), "--cmdline", cmdline, *args, **kw)
    try:
        if ready:
            t.expect(r"/root # ")
            t.send("stty -echo\n")
            t.expect(r"/root # ")
    except BaseException:
        t.close()
        raise
    return t


# ---- Files ----

def put(name, data):
    with open(name, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)
    return name


def image_header(text_offset=0, image_size=0, flags=2, code=0x14000000):
    return struct.pack("<IIQQQQQQII", code, 0, text_offset, image_size, flags, 0, 0, 0, 0x644d5241, 0)


def tiny_image():
    """An Image that powers off: movz/movk x0, #0x8400_0008; hvc #0; b . behind the header."""
    code = struct.pack("<IIII", 0xd2800100, 0xf2b08000, 0xd4000002, 0x14000000)
    return image_header(image_size=0x10000, code=0x14000010) + code + bytes(4096 - 64 - len(code))


# ---- Running the tests of a file ----

def run_all(*tests):
    """Runs them in order, each in an empty folder; the process ends with status 1 if one failed."""
    failed = ran = 0
    only = sys.argv[2:]
    for test in tests:
        name = test.__name__.replace("_", " ")
        if only and test.__name__ not in only:
            continue
        folder, before = tempfile.mkdtemp(prefix="vmm-cli."), os.getcwd()
        os.chdir(folder)
        start = time.monotonic()
        try:
            test()
            ran += 1
            print(f"ok: {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except Skip as e:
            print(f"skip: {name}: {e}", flush=True)
        except Fail as e:
            failed += 1
            print(f"FAIL: {name}: {e}", flush=True)
        except Exception:
            failed += 1
            print(f"FAIL: {name}: {traceback.format_exc()}", flush=True)
        finally:
            os.chdir(before)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{ran} passed, {failed} failed")
    sys.exit(1 if failed or not ran else 0)
