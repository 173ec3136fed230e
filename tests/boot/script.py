# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot scripts: other people's kernels, driven over the console.

A file NAME.boot has settings, a line "---", then steps:

  kernel   NAME ...       from tests/setup; one boot for each
  firmware NAME ...       likewise; then a kernel is not needed
  cpus     N ...          one boot for each
  mem      SIZE ...       taken in turn over the boots (all of them with --long)
  turns    yes            the numbers of cpus, too, are taken in turn over the kernels (all of them with --long)
  cmdline  TEXT           (default: console=ttyAMA0)
  options  TEXT           more options of vmm run
  initrd   NAME           (default initramfs.cpio.gz)
  status   N              exit status of vmm (default 0)
  timeout  SECONDS        for the whole boot (default 180)
  refuse   REGEX          must never appear
  when     long           only with --long
  backends, needs         as in guests.cfg
  disk     NAME           from tests/setup; each boot gets a copy: DISK
  before   COMMAND        a command of this machine before vmm starts, as `host' below; servers
                          that write their ids to TMP/*.pid are ended with the boot
  serve    yes            a web server on this machine's loopback (serve.py), at port HTTP
  names    yes            vmm runs in a network of its own whose name server (names.py) notes questions in TMP/queries;
                          skipped where the kernel does not let us make one
  passt    yes            a passt of this machine, at the socket PASST; skipped where there is none
  virtiofsd yes           one of this machine that shares TMP/fs, at the socket VIRTIOFSD; skipped without it or root
  tap      yes            wants root, and /dev/net/tun for an interface by the name of TAP
  like     NAME           settings and steps of NAME.boot, but for what is said here

  expect REGEX            wait for it in what comes after the last match
  send   TEXT             type a line
  keys   TEXT             type that and no more; \\r, \\x1b and the like as in Python
  run    COMMAND          type it, wait until it ends, its status must be 0
  lasts  A B COMMAND      run it; by the clock of this machine it takes A to B seconds
  end                     wait for vmm to end by itself
  again                   wait for that, its status as for the last one, and start it once more
  host   COMMAND          a command of this machine, with bash; its status must be 0

Words in options and steps: TMP is a folder of this boot, DISK a file, PORT a port that is free, CACHE the folder
of tests/setup, TOP that of the project, VMM the program; SLOWER how many times slower than ours the machine is that
vmm runs on: B and the timeout are multiplied with it.
"""
import contextlib
import fnmatch
import itertools
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time

import serve

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.environ.get("VMM_CACHE", os.path.expanduser("~/.cache/vmm"))
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"  # where e2fsck is


class Console:
    def __init__(self, argv, deadline, slower, refuse, Fail):
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text, self.at, self.deadline, self.refuse, self.Fail = "", 0, deadline, refuse, Fail
        self.argv, self.slower, self.marks = argv, slower, 0

    def fail(self, why):
        raise self.Fail(f"{why}\n{' '.join(self.argv)}\n" + "\n".join(self.text.splitlines()[-40:]))

    def read(self):
        """More output; False at its end."""
        left = self.deadline - time.monotonic()
        if left <= 0 or not select.select([self.p.stdout], [], [], left)[0]:
            self.fail("time is up")
        data = os.read(self.p.stdout.fileno(), 65536)
        self.text += data.decode(errors="replace").replace("\r", "")
        for pattern in self.refuse:
            m = re.search(pattern, self.text, re.M)
            if m:
                self.fail(f"refused output: {m[0]!r}")
        return bool(data)

    def expect(self, pattern):
        while True:
            m = re.compile(pattern, re.M).search(self.text, self.at)
            if m:
                self.at = m.end()
                return m
            if not self.read():
                self.fail(f"ended without {pattern!r}")

    def keys(self, text):
        self.p.stdin.write(text.encode().decode("unicode_escape").encode())
        self.p.stdin.flush()

    def send(self, line):
        # As a terminal's Enter key does; firmware wants nothing else.
        self.p.stdin.write((line + "\r").encode())
        self.p.stdin.flush()

    def run(self, command):
        # The typed line is echoed: its marker is spelled so that only the answer matches.
        self.marks += 1
        self.send(f"{command}; echo mark-''{self.marks}-$?")
        m = self.expect(rf"mark-{self.marks}-(\d+)")
        if m[1] != "0":
            self.fail(f"status {m[1]} of: {command}")

    def lasts(self, text):
        least, most, command = text.split(" ", 2)
        start = time.monotonic()
        self.run(command)
        took = time.monotonic() - start
        if not float(least) <= took <= float(most) * self.slower:
            self.fail(f"{took:.2f} s, not {least} to {most}: {command}")

    def host(self, command):
        left = self.deadline - time.monotonic()
        try:
            p = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=max(1, left), env={**os.environ, "PATH": PATH})
        except subprocess.TimeoutExpired as e:
            self.fail(f"time is up in: {command}\n{(e.stdout or b'').decode(errors='replace')}")
        if p.returncode:
            self.fail(f"status {p.returncode} of: {command}\n{p.stdout.decode(errors='replace')}")

    def end(self):
        while self.read():
            pass
        return self.p.wait(timeout=max(1, self.deadline - time.monotonic()))

    def close(self):
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGKILL)
        self.p.stdin.close()
        self.p.stdout.close()
        self.p.wait()


class Boot:
    def __init__(self, file, firmware, kernel, cpus, mem, settings, steps):
        self.firmware, self.kernel, self.cpus, self.mem, self.settings, self.steps = firmware, kernel, cpus, mem, settings, steps
        self.name = " ".join([file, *filter(None, (firmware, kernel)), f"cpus={cpus} mem={mem}"])
        self.alone = "alone" in settings

    def run(self, r, Fail, Skip, place):
        s = self.settings
        place.wants({k: " ".join(v) for k, v in s.items() if k in ("backends", "needs")})
        images, slower = self.images(r, Skip, place), r.slower * place.slower
        with contextlib.ExitStack() as stack:
            words = {**self.words(stack, Skip, slower), "VMM": " ".join(place.vmm)}
            argv = place.argv(*images, "--cpus", self.cpus, "--mem", self.mem, *(replaced(o, words) for o in s.get("options", [])))
            if "names" in s:
                argv = [*own_network(Skip), os.path.join(TOP, "tests/boot/names.py"), words["TMP"], *argv]
            self.judge(argv, time.monotonic() + float(s.get("timeout", ["180"])[0]) * slower, words, Fail)

    def words(self, stack, Skip, slower):
        """What stands for what; what it names is there until the stack is unwound."""
        # Below the project: hosts of tests/kvm see it there, too.
        os.makedirs(os.path.join(TOP, "out/boot"), exist_ok=True)
        tmp = stack.enter_context(tempfile.TemporaryDirectory(dir=os.path.join(TOP, "out/boot")))
        words, s = {"SLOWER": str(slower), "CACHE": CACHE, "PORT": str(free_port()), "TMP": tmp, "TOP": TOP}, self.settings
        if "disk" in s:
            image, words["DISK"] = os.path.join(CACHE, s["disk"][0]), os.path.join(tmp, "disk")
            if not os.path.exists(image):
                raise Skip(f"no {image}: tests/setup debian")
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, words["DISK"]], check=True)
        if "passt" in s:
            words["PASST"] = stack.enter_context(server(Skip, "passt", passt))
        if "virtiofsd" in s:
            if os.geteuid():
                raise Skip("virtiofsd wants root")
            os.mkdir(os.path.join(tmp, "fs"))
            words["VIRTIOFSD"] = stack.enter_context(server(Skip, "virtiofsd", virtiofsd(os.path.join(tmp, "fs"))))
        if "tap" in s:
            if os.geteuid() or not os.path.exists("/dev/net/tun"):
                raise Skip("a tap interface wants root and /dev/net/tun")
            words["TAP"] = "vmm" + words["PORT"]
        stack.callback(end_servers, tmp)
        if "serve" in s:
            words["HTTP"] = str(stack.enter_context(serve.Server()).port)
        return words

    def images(self, r, Skip, place):
        s, options = self.settings, []
        if self.firmware:
            options += ["--firmware", r.firmware(self.firmware)]
        if self.kernel:
            initrd = os.path.join(os.path.dirname(os.path.dirname(r.kernel(self.kernel))),
                                  s.get("initrd", ["initramfs.cpio.gz"])[0].replace("KERNEL", self.kernel))
            if not os.path.exists(initrd):
                raise Skip(f"no {initrd}: tests/setup guest")
            options += ["--kernel", r.kernel(self.kernel), "--initrd", initrd,
                        "--cmdline", " ".join([*s.get("cmdline", ["console=ttyAMA0"]), *place.cmdline])]
        return options

    def judge(self, argv, deadline, words, Fail):
        def start():
            return Console(argv, deadline, float(words["SLOWER"]), self.settings.get("refuse", []), Fail)

        for command in self.settings.get("before", []):
            done = subprocess.run(["bash", "-c", replaced(command, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  env={**os.environ, "PATH": PATH})
            if done.returncode:
                raise Fail(f"status {done.returncode} of: {command}\n{done.stdout.decode(errors='replace')}")
        c = start()
        try:
            for verb, text in self.steps:
                if verb == "again":
                    self.ended(c)
                    c.close()
                    c = start()
                elif verb == "end":
                    c.end()
                else:
                    getattr(c, verb)(replaced(text, words))
            self.ended(c)
        finally:
            c.close()

    def ended(self, c):
        status = c.end()
        if status != int(self.settings.get("status", ["0"])[0]):
            c.fail(f"exit status {status}")


def replaced(text, words):
    return re.sub(r"\b(" + "|".join(words) + r")\b", lambda m: words[m[0]], text)


def end_servers(tmp):
    for file in fnmatch.filter(os.listdir(tmp), "*.pid"):
        with contextlib.suppress(OSError, ValueError), open(os.path.join(tmp, file)) as f:
            os.kill(int(f.read()), signal.SIGKILL)


@contextlib.contextmanager
def server(Skip, name, argv):
    """The path of a socket that a program of this machine serves: argv(path)."""
    with tempfile.TemporaryDirectory(prefix=f"vmm-{name}-") as folder:
        # passt gives up root for nobody before it makes its socket.
        os.chmod(folder, 0o777)
        path, log = os.path.join(folder, "socket"), os.path.join(folder, "log")
        try:
            with open(log, "w") as f:
                p = subprocess.Popen(argv(path), stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        except FileNotFoundError:
            raise Skip(f"no {name}: tests/setup deps") from None
        try:
            while not os.path.exists(path):
                if p.poll() is not None:
                    with open(log) as f:
                        raise Skip(f"{name} does not start: {f.read()[-200:]}")
                time.sleep(0.05)
            yield path
        finally:
            p.kill()
            p.wait()


def own_network(Skip):
    unshare = ["unshare", "--map-root-user", "--net", "--mount"]
    if subprocess.run([*unshare, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        raise Skip("unshare cannot make a network")
    return unshare


def passt(path):
    return ["passt", "--foreground", "--socket", path]


def virtiofsd(folder):
    """qemu-system-common of bookworm has it, a package of its own since: both take these options."""
    program = next(filter(os.path.exists, ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd")), "virtiofsd")
    return lambda path: [program, f"--socket-path={path}", "-o", f"source={folder},xattr"]


def free_port():
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            tcp.bind(("127.0.0.1", 0))
            udp.bind(tcp.getsockname())
            return tcp.getsockname()[1]


def parse(path):
    settings, steps, body = {}, [], False
    for number, line in enumerate(open(path), 1):
        line = line.rstrip("\n")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line == "---":
            body = True
            continue
        key, _, rest = line.partition(" ")
        rest = rest.strip()
        if body:
            if key not in ("expect", "send", "keys", "run", "lasts", "end", "again", "host"):
                raise ValueError(f"{path}:{number}: unknown step {key!r}")
            steps.append((key, rest))
        elif key in ("refuse", "before"):
            settings.setdefault(key, []).append(rest)
        else:
            settings[key] = rest.split()
    return settings, steps


def load(folder, long):
    for file in sorted(fnmatch.filter(os.listdir(folder), "*.boot")):
        settings, steps = parse(os.path.join(folder, file))
        if "like" in settings:
            base, steps = parse(os.path.join(folder, settings["like"][0] + ".boot"))
            settings = {**base, **settings}
        if "long" in settings.get("when", []) and not long:
            continue
        guests = list(itertools.product(settings.get("firmware", [None]), settings.get("kernel", [None])))
        mems, cpus = settings.get("mem", ["512M"]), settings.get("cpus", ["1"])
        if "turns" in settings and not long:
            kinds = [(*g, cpus[n % len(cpus)]) for n, g in enumerate(guests)]
        else:
            kinds = [(*g, c) for g in guests for c in cpus]
        for n, (firmware, kernel, count) in enumerate(kinds):
            # Not a row of a Latin square by accident: shift by one for each kernel.
            turn = n + n // len(cpus)
            for mem in mems if long else [mems[turn % len(mems)]]:
                yield Boot(file[:-5], firmware, kernel, count, mem, settings, steps)
