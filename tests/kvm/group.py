# SPDX-License-Identifier: GPL-2.0-or-later
"""The group kvm of tests/run: for each row of hosts.cfg its checks, guests and boots with --hv kvm."""
import difflib
import fnmatch
import os
import re
import threading

import checks
import machine
import script

# Emulated in an emulated machine, two tests at a time: deadlines are only for what hangs.
SLOWER = 20
# Each character of the console is two exits, a third of a millisecond each; and no kernel expects so slow a CPU.
CMDLINE = ("quiet", "nosoftlockup")


class Shared:
    """A host of this run: started by the first test that wants it, stopped by tests/run after the last."""

    def __init__(self, r, run, name):
        self.r, self.run, self.name = r, run, name
        self.users, self.lock, self.host, self.place, self.why = 0, threading.Lock(), None, None, None

    def started(self):
        with self.lock:
            if not self.place and not self.why:
                self.start()
            if self.why:
                raise self.why
            return self

    def start(self):
        try:
            if not os.path.exists(self.run.VMM_ARM64):
                raise machine.Missing("no arm64 build: tests/setup kvm")
            self.host = machine.Host(self.name)
            self.place = self.vmm()
        except machine.Missing as e:
            self.why = self.run.Skip(str(e))
        except machine.Broken as e:
            self.why = (self.run.Skip if machine.rows()[self.name].getboolean("fickle", False) else self.run.Fail)(str(e))

    def vmm(self, hv="kvm", user=0):
        wrong = machine.rows()[self.name].get("wrong", "").strip().splitlines()
        return self.run.Place(self.r, [*self.host.prefix(user), self.run.VMM_ARM64], hv, SLOWER,
                              "|".join(f"(?:{w})" for w in wrong), CMDLINE)

    def stop(self):
        with self.lock:
            if self.host:
                self.host.stop()
                self.host = None


class Reports:
    """What the guests of guests.cfg say on the software hypervisor of this machine; each is asked once."""

    def __init__(self, r, run):
        self.r, self.run, self.locks, self.known = r, run, {}, {}

    def on_soft(self, name, row):
        with self.locks.setdefault(name, threading.Lock()):
            if name not in self.known:
                self.known[name] = self.run.judge_guest(self.r, name, row, self.r.here)
            return self.known[name]

    def judge(self, shared, name, row):
        """The row passes with KVM, and says the same as on the software hypervisor."""
        text = self.run.judge_guest(self.r, name, row, shared.place)
        if "soft" not in row.get("backends", "soft kvm") or "expect" in row:
            return
        reports = []
        for t in (self.on_soft(name, row), text):
            lines = shared.place.report(name, row, t)
            reports.append([re.sub(row["differs"], "", l) if "differs" in row else l for l in lines])
        # What the host's CPU lacks is said by the line's own words: "SKIP: line (reason)" instead of "PASS: line".
        skips = [l[6:] for l in reports[1] if l.startswith("SKIP:") and l not in reports[0]]
        reports = [[l for l in reports[0] if not any(s.startswith(l[6:] + " (") for s in skips)],
                   [l for l in reports[1] if l[6:] not in skips]]
        if reports[0] != reports[1]:
            raise self.run.Fail("\n".join(difflib.unified_diff(*reports, "soft", "kvm", "", "", 0, "")))


def load(r, run):
    guests, reports = run.guest_rows(r.long), Reports(r, run)
    boots = list(script.load(os.path.join(machine.TOP, "tests/boot"), r.long))
    for name, row in machine.rows().items():
        if name != "DEFAULT":
            yield from tests_of(r, run, Shared(r, run, name), row, guests, boots, reports)


def tests_of(r, run, shared, row, guests, boots, reports):
    def chosen(key, what):
        wanted = row.get(key, "").strip().splitlines()
        if wanted and f"!{what}" not in wanted:
            return r.long or any(fnmatch.fnmatch(what, w) for w in wanted)

    def test(title, fn):
        return run.Test("kvm", f"{shared.name}: {title}", lambda t: fn(shared.started()), on=shared)

    for check in row.get("checks", "").split():
        yield test(check.replace("-", " "), lambda s, c=check: getattr(checks, c.replace("-", "_"))(s, run, row))
    for n in guests.sections():
        if chosen("guests", n):
            yield test(n, lambda s, n=n: reports.judge(s, n, guests[n]))
    for b in boots:
        if chosen("boots", b.name):
            yield test(f"boot {b.name}", lambda s, b=b: b.run(r, run.Fail, run.Skip, s.place))
