# SPDX-License-Identifier: GPL-2.0-or-later
"""Boot scripts: other people's kernels, driven over the console.

A file NAME.boot has settings, a line "---", then steps:

  kernel   NAME ...       from tests/setup; one boot for each
  cpus     N ...          one boot for each
  mem      SIZE ...       taken in turn over the boots (all of them with --long)
  cmdline  TEXT           (default: console=ttyAMA0)
  options  TEXT           more options of vmm run
  initrd   NAME           (default initramfs.cpio.gz)
  status   N              exit status of vmm (default 0)
  timeout  SECONDS        for the whole boot (default 180)
  refuse   REGEX          must never appear
  when     long           only with --long
  backends, needs         as in guests.cfg
  like     NAME           settings and steps of NAME.boot, but for what is said here

  expect REGEX            wait for it in what comes after the last match
  send   TEXT             type a line
  run    COMMAND          type it, wait until it ends, its status must be 0
  lasts  A B COMMAND      run it; by the clock of this machine it takes A to B seconds
  end                     wait for vmm to end by itself

SLOWER in a step is how many times slower than ours the machine is that vmm runs on; B and the
timeout are multiplied with it.
"""
import fnmatch
import itertools
import os
import re
import select
import signal
import subprocess
import time


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

    def send(self, line):
        self.p.stdin.write((line + "\n").encode())
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
    def __init__(self, file, kernel, cpus, mem, settings, steps):
        self.kernel, self.cpus, self.mem, self.settings, self.steps = kernel, cpus, mem, settings, steps
        self.name = f"{file} {kernel} cpus={cpus} mem={mem}"
        self.alone = "alone" in settings

    def run(self, r, Fail, Skip, place):
        s = self.settings
        place.wants({k: " ".join(v) for k, v in s.items() if k in ("backends", "needs")})
        initrd = os.path.join(os.path.dirname(os.path.dirname(r.kernel(self.kernel))),
                              s.get("initrd", ["initramfs.cpio.gz"])[0].replace("KERNEL", self.kernel))
        if not os.path.exists(initrd):
            raise Skip(f"no {initrd}: tests/setup guest")
        argv = place.argv("--kernel", r.kernel(self.kernel), "--initrd", initrd, "--cpus", self.cpus, "--mem", self.mem,
                          "--cmdline", " ".join([*s.get("cmdline", ["console=ttyAMA0"]), *place.cmdline]), *s.get("options", []))
        slower = r.slower * place.slower
        c = Console(argv, time.monotonic() + float(s.get("timeout", ["180"])[0]) * slower, slower, s.get("refuse", []), Fail)
        try:
            for verb, text in self.steps:
                {"expect": c.expect, "send": c.send, "run": c.run, "lasts": c.lasts, "end": lambda _: c.end()}[verb](
                    text.replace("SLOWER", str(slower)))
            status = c.end()
            if status != int(s.get("status", ["0"])[0]):
                c.fail(f"exit status {status}")
        finally:
            c.close()


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
            if key not in ("expect", "send", "run", "lasts", "end"):
                raise ValueError(f"{path}:{number}: unknown step {key!r}")
            steps.append((key, rest))
        elif key == "refuse":
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
        kinds = list(itertools.product(settings["kernel"], settings.get("cpus", ["1"])))
        mems = settings.get("mem", ["512M"])
        for n, (kernel, cpus) in enumerate(kinds):
            # Not a row of a Latin square by accident: shift by one for each kernel.
            turn = n + n // len(settings.get("cpus", ["1"]))
            for mem in mems if long else [mems[turn % len(mems)]]:
                yield Boot(file[:-5], kernel, cpus, mem, settings, steps)
