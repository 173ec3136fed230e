# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks hosts.cfg names: each is given a started host, tests/run and the row."""
import os
import re
import struct


def is_what_it_says(shared, run, row):
    """The kernel's messages have what the row expects of it."""
    status, text = shared.r.sh([*shared.host.prefix(), "dmesg"])
    if status or not re.search(row["says"], text):
        raise run.Fail(f"no {row['says']!r} in dmesg, status {status}\n{run.tail(text)}")


# ---- Registers ----

def registers_agree(shared, run, row):
    """No register is in no table, and what the software hypervisor has, too, is the same there."""
    options = {"pauth": "--pauth=on", "pmu": "--pmu=on", "sve-vls": "--sve-vl=max"}
    lists = []
    for place in (shared.r.here, shared.place):
        for wanted in ([], [o for what, o in options.items() if place.has(what)]):
            argv = [*place.vmm, "caps", "--hv", place.hv, "--registers", "--json", *wanted]
            status, text = shared.r.sh(argv, 60 * place.slower)
            if status:
                raise run.Fail(f"status {status}: {' '.join(argv)}\n{run.tail(text)}")
            lists.append(os.path.join(shared.host.folder, f"registers-{place.hv}-{len(wanted)}.json"))
            with open(lists[-1], "w") as f:
                f.write(text)
    shared.r.must([os.path.join(run.TOP, "tests/kvm/registers"), *lists])


# ---- Device trees ----

def without_seeds(tree):
    """A flattened tree with kaslr-seed and rng-seed zeroed."""
    tree = bytearray(tree)
    _, _, at, strings = struct.unpack(">IIII", tree[:16])
    while True:
        token = struct.unpack_from(">I", tree, at)[0]
        at += 4
        if token == 1:
            at = (tree.index(0, at) + 4) & ~3
        elif token == 3:
            size, name = struct.unpack_from(">II", tree, at)
            name, at = strings + name, at + 8
            if tree[name:tree.index(0, name)] in (b"kaslr-seed", b"rng-seed"):
                tree[at:at + size] = bytes(size)
            at = (at + size + 3) & ~3
        elif token == 9:
            return bytes(tree)


def trees_agree(shared, run, row):
    """The same options give the same tree, byte for byte."""
    kernel = os.path.join(run.TOP, "out/guests/selftest.elf")
    for options in ("", "--cpus 2 --mem 1G", "--cpus 8 --mem 3G --cmdline quiet", "--cpus 20", "--pauth on", "--gic 2"):
        needs = {"--pauth on": "pauth", "--gic 2": "gic=2"}.get(options)
        places = [shared.r.here, shared.place]
        if needs and not all(p.has(needs) for p in places):
            continue
        trees = []
        for place in places:
            path = os.path.join(shared.host.folder, f"{place.hv}.dtb")
            status, text = shared.r.sh(place.argv(*options.split(), "--dump-dtb", path, kernel), 60 * place.slower)
            if status:
                raise run.Fail(f"status {status}: --hv {place.hv} {options} --dump-dtb\n{run.tail(text)}")
            with open(path, "rb") as f:
                trees.append(without_seeds(f.read()))
        if trees[0] != trees[1]:
            diff = shared.r.sh(["sh", "-c", "cd %s; for t in soft kvm; do dtc -q -I dtb -O dts $t.dtb > $t.dts; done; diff soft.dts kvm.dts"
                                % shared.host.folder])[1]
            raise run.Fail(f"{options}: the trees differ\n{run.tail(diff)}")
