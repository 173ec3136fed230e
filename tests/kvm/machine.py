# SPDX-License-Identifier: GPL-2.0-or-later
"""A KVM host: Debian's arm64 Linux under qemu-system-aarch64 with EL2, see tests/kvm/host.

The project's folder and the cache are there at the same paths (9p), the rest is busybox and
the arm64 libraries vmm is linked with. Commands are run by agent.c, over a TCP port of this
machine's loopback that asks for a secret.
"""
import configparser
import glob
import json
import lzma
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("VMM_CACHE", os.path.expanduser("~/.cache/vmm"))
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(TOP, "out/kvm")
AGENT = os.path.join(OUT, "agent")
CROSS_LIB = "/usr/aarch64-linux-gnu/lib"
# What a host needs of its kernel's modules; those that are built in are not looked for.
MODULES = ["virtio_mmio", "virtio_net", "9pnet_virtio", "9p", "tun", "vhost_net", "vhost_vsock"]
# An emulated machine on a busy one: nothing here is a measure of speed.
BOOT_SECONDS = 300


class Missing(Exception):
    """This machine lacks something a host is made of."""


class Broken(Exception):
    """A host did not start, or ended."""


def rows():
    cfg = configparser.ConfigParser(interpolation=None)
    cfg.read(os.path.join(HERE, "hosts.cfg"))
    return cfg


# ---- the initramfs ----

def cpio(files):
    """A newc archive of {path: (mode, bytes)}; folders first where they are needed."""
    out, number = bytearray(), 0
    for path, (mode, data) in [*files.items(), ("TRAILER!!!", (0, b""))]:
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % f for f in fields) + name
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
        number += 1
    return bytes(out)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def kernel_modules(kernel):
    """The names and contents of MODULES of that kernel and of what they depend on, in the order of loading."""
    files = {}
    for path in glob.glob(f"{CACHE}/kernel-{kernel}/**/*.ko*", recursive=True):
        files[os.path.basename(path).split(".ko")[0].replace("-", "_")] = path
    loaded = {}

    def load(name):
        if name in loaded or name not in files:
            return
        data = read(files[name])
        if files[name].endswith(".xz"):
            data = lzma.decompress(data)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for need in needs[1].decode().split(",") if needs else []:
            load(need.replace("-", "_"))
        loaded[name] = data

    for name in MODULES:
        load(name)
    if not loaded:
        raise Missing(f"{CACHE}/kernel-{kernel} has no modules: tests/setup kvm")
    return loaded


def libraries():
    found = {}
    for folder in (f"{CACHE}/sysroot-arm64/lib/aarch64-linux-gnu", f"{CACHE}/sysroot-arm64/usr/lib/aarch64-linux-gnu"):
        for path in glob.glob(f"{folder}/*.so.*"):
            found[os.path.basename(path)] = path
    for name in ("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6"):
        found[name] = os.path.join(CROSS_LIB, name)
    return found


def initramfs(kernel, shares, secret):
    busybox = os.path.join(CACHE, "initramfs-root/bin/busybox")
    for path in (busybox, AGENT, f"{CACHE}/sysroot-arm64", f"{CROSS_LIB}/libc.so.6"):
        if not os.path.exists(path):
            raise Missing(f"no {path}: tests/setup kvm")
    files = {d: (0o40755, b"") for d in ("bin", "boot", "dev", "etc", "lib", "proc", "root", "sys", "tmp")}
    files["init"] = (0o100755, read(os.path.join(HERE, "init")))
    files["bin/busybox"] = (0o100755, read(busybox))
    files["boot/agent"] = (0o100755, read(AGENT))
    files["boot/secret"] = (0o100600, secret.encode())
    files["boot/shares"] = (0o100644, "".join(f"{s}\n" for s in shares).encode())
    files["etc/passwd"] = (0o100644, b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    modules = kernel_modules(kernel)
    for name, data in modules.items():
        files[f"boot/{name}.ko"] = (0o100644, data)
    files["boot/modules"] = (0o100644, "".join(f"{n}.ko\n" for n in modules).encode())
    for name, path in libraries().items():
        files[f"lib/{name}"] = (0o100755, read(path))
    return cpio(files)


# ---- the machine ----

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def watch(leash, folder, argv):
    """Runs QEMU until it ends, we are told to, or nobody holds the other end of the leash: a pipe, which goes with
    the process that has it, however that ends. Then the folder goes too. Without a leash both stay."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(1))
    qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        select.select([os.pidfd_open(qemu.pid)] + [0] * leash, [], [])
    finally:
        qemu.kill()
        qemu.wait()
        if leash:
            shutil.rmtree(folder, ignore_errors=True)


class Host:
    """One row of hosts.cfg, started. kept: it outlives us; otherwise it goes when stop() is called or we end.
    state is the file that `host exec` wants, folder a place for files that both sides see."""

    def __init__(self, name, kept=False):
        cfg = rows()
        if name not in cfg:
            raise Missing(f"tests/kvm/hosts.cfg has no {name}; there are {' '.join(cfg.sections())}")
        self.name, self.row, self.shares, self.kept = name, cfg[name], [TOP, CACHE], kept
        os.makedirs(OUT, exist_ok=True)
        if kept:
            self.folder = os.path.join(OUT, name)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
        else:
            self.folder = tempfile.mkdtemp(prefix=f"{name}.", dir=OUT)
        self.state = os.path.join(self.folder, "state")
        self.log = os.path.join(self.folder, "console")
        self.watcher = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def argv(self, port):
        row = self.row
        kernel = os.path.join(CACHE, "kernels", row["kernel"])
        if not os.path.exists(kernel):
            raise Missing(f"no kernel {row['kernel']}: tests/setup kvm")
        qemu = os.path.join(CACHE, "trixie-qemu")
        if not os.path.exists(qemu):
            raise Missing(f"no {qemu}: tests/setup kvm")
        argv = [f"{qemu}/usr/lib64/ld-linux-x86-64.so.2", "--library-path", f"{qemu}/usr/lib/x86_64-linux-gnu",
                f"{qemu}/usr/bin/qemu-system-aarch64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-M", f"virt,virtualization=on,{row['machine']}", "-cpu", row["cpu"],
                "-accel", row.get("accel", "tcg,thread=multi,tb-size=512"), "-smp", row.get("cpus", "2"), "-m", row.get("mem", "3G"), "-serial", f"file:{self.log}",
                "-global", "virtio-mmio.force-legacy=false", "-kernel", kernel, "-initrd", os.path.join(self.folder, "initramfs"),
                "-append", " ".join(["console=ttyAMA0 quiet panic=-1 nokaslr", row.get("cmdline", "")]).strip(),
                "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:7",
                "-device", "virtio-net-device,netdev=net", *row.get("options", "").split()]
        for n, path in enumerate(self.shares):
            argv += ["-fsdev", f"local,id=fs{n},path={path},security_model=none,multidevs=remap",
                     "-device", f"virtio-9p-device,fsdev=fs{n},mount_tag=share{n}"]
        return argv

    def start(self):
        secret, port = os.urandom(16).hex(), free_port()
        argv = self.argv(port)
        image = initramfs(self.row["kernel"], [f"share{n} {p} msize=524288,cache=none" for n, p in enumerate(self.shares)], secret)
        with open(os.path.join(self.folder, "initramfs"), "wb", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(image)
        for path in (self.log, self.state):
            if os.path.exists(path):
                os.remove(path)
        with open(self.log + ".qemu", "wb") as errors:
            self.watcher = subprocess.Popen(
                [sys.executable, os.path.join(HERE, "machine.py"), "0" if self.kept else "1", self.folder, *argv],
                stdin=subprocess.DEVNULL if self.kept else subprocess.PIPE, stdout=errors, stderr=errors, start_new_session=True)
        deadline = time.monotonic() + BOOT_SECONDS
        while b"agent: ready" not in (read(self.log) if os.path.exists(self.log) else b""):
            if self.watcher.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"host {self.name} is not up after {BOOT_SECONDS} s, or has ended\n{self.said()}")
            time.sleep(0.05)
        with open(self.state, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            json.dump({"port": port, "secret": secret, "watcher": self.watcher.pid}, f)

    def said(self):
        return "\n".join(read(p).decode(errors="replace")[-4000:] for p in (self.log + ".qemu", self.log) if os.path.exists(p))

    def stop(self):
        if self.watcher:
            self.watcher.terminate()
            self.watcher.wait()
            self.watcher = None
        if not self.kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def prefix(self, user=0):
        """What makes a command line run inside: [*host.prefix(), command, argument ...]."""
        return [os.path.join(HERE, "host"), "exec", "--user", str(user), self.state]


if __name__ == "__main__":
    watch(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
