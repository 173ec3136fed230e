# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks hosts.cfg names: each is given a started host, tests/run and the row."""
import hashlib
import os
import re
import shlex
import signal
import struct
import subprocess

NOBODY = 65534


def is_what_it_says(shared, run, row):
    """The kernel's messages have what the row expects of it."""
    status, text = shared.r.sh([*shared.host.prefix(), "dmesg"])
    if status or not re.search(row["says"], text):
        raise run.Fail(f"no {row['says']!r} in dmesg, status {status}\n{run.tail(text)}")


def guest(run, name):
    return os.path.join(run.TOP, "out/guests", name + ".elf")


# ---- What is refused ----

def refused(run, place, options, why, program="selftest"):
    """Nothing starts: one line on stderr, the status for usage."""
    status, text = place.r.sh([*place.vmm, "run", *options, guest(run, program)], 60 * place.slower)
    lines = text.splitlines()
    if status != 2 or len(lines) != 1 or not re.fullmatch("vmm: " + why, lines[0]):
        raise run.Fail(f"{' '.join(options)}: status {status}, not 2 and {why!r}\n{run.tail(text)}")


def refusals(shared, run, row):
    """What the row says this host's KVM cannot do."""
    for line in row["refuses"].strip().splitlines():
        options, _, why = line.partition(" : ")
        refused(run, shared.place, ["--hv", "kvm", *options.split()], why)


def soft_instead(shared, run, place, why):
    """KVM is refused, and auto does without."""
    refused(run, place, ["--hv", "kvm"], f"--hv=kvm: not available here: {why}.*; use --hv=auto")
    for argv, said in ((["run", guest(run, "selftest")], r"^vmm: hypervisor soft,[\s\S]* 0 failed|0 failed[\s\S]*^vmm: hypervisor soft,"),
                       (["caps", "--hv", "kvm"], r"^  not available: "), (["doctor"], r"^--hv=auto: takes soft")):
        status, text = shared.r.sh([*place.vmm, *argv], 60 * place.slower)
        if status or not re.search(said, text, re.M):
            raise run.Fail(f"{argv[0]}: status {status}, or no {said!r}\n{run.tail(text)}")


def without_kvm(shared, run, row):
    soft_instead(shared, run, shared.place, "/dev/kvm is not there")


def without_permission(shared, run, row):
    soft_instead(shared, run, shared.vmm(user=NOBODY), "no permission for /dev/kvm")


def killed(shared, run, row):
    """SIGKILL in the middle of it, with the MMU's and the interrupt controller's state in the kernel: nothing stays behind."""
    argv = shared.place.argv("--cpus", "2", "--console", "stdio", guest(run, "echo"))
    at = argv.index(run.VMM_ARM64)
    p = subprocess.Popen([*argv[:at], "sh", "-c", 'echo $$; exec "$@"', "sh", *argv[at:]], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        pid = p.stdout.readline().decode().strip()
        p.stdin.write(b"x")
        p.stdin.flush()
        if not p.stdout.read(1):
            raise run.Fail(f"the guest said nothing, status {p.wait()}")
        shared.r.must([*shared.host.prefix(), "kill", "-9", pid])
        if p.wait(60 * shared.place.slower) != -signal.SIGKILL:
            raise run.Fail(f"status {p.returncode}")
    finally:
        p.kill()
        p.wait()
        p.stdin.close()
        p.stdout.close()
    if not shared.r.sh([*shared.host.prefix(), "test", "-e", f"/proc/{pid}"])[0]:
        raise run.Fail(f"process {pid} is still there")
    text = shared.r.must([*shared.host.prefix(), "dmesg"])
    if re.search("WARNING|BUG:|Oops", text):
        raise run.Fail(f"the host's kernel complains\n{run.tail(text)}")


def contract_is_kept(shared, run, row):
    """The requirements of the hypervisor interface, with KVM."""
    for name in ("contract", "contract-run"):
        shared.r.must([*shared.host.prefix(), os.path.join(run.TOP, "out/arm64-release/tests/unit/src/hv", name), "kvm"], 600)


EXITS = ["power_off", "reset_is_the_end_when_asked_for", "reset_restarts", "pvpanic_is_a_panic",
         "power_off_after_a_panic_is_still_a_panic", "reset_after_a_panic_is_still_a_panic", "timeout", "signals",
         "escape_key"]


def exits_are_the_same(shared, run, row):
    """tests/cli/exits, with a vmm that runs in the host."""
    vmm = os.path.join(shared.host.folder, "vmm")
    with open(vmm, "w", opener=lambda path, flags: os.open(path, flags, 0o755)) as f:
        f.write(f"#!/bin/sh\nexec {shlex.join(shared.place.vmm)} \"$@\"\n")
    shared.r.must(["env", "VMM_TEST_HV=kvm", f"TMPDIR={shared.host.folder}", os.path.join(run.TOP, "tests/cli/exits"), vmm, *EXITS],
                  1800)


# ---- Registers ----

def registers_agree(shared, run, row):
    """No register is in no table, and what the software hypervisor has, too, is the same there."""
    options = {"pauth": "--pauth=on", "mte": "--features=mte", "pmu": "--pmu=on", "sve-vls": "--sve-vl=max"}
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
    places = [shared.r.here, shared.place]
    gic = "3" if shared.place.has("gic=3") else "2"
    for options, needs in (("", "gic"), ("--cpus 2 --mem 1G", "gic"), ("--cpus 8 --mem 3G --cmdline quiet", "gic"),
                           ("--cpus 20", "vcpu-count-max=20"), ("--pauth on", "pauth")):
        if not shared.place.has(needs):
            continue
        trees = []
        for place in places:
            path = os.path.join(shared.host.folder, f"{place.hv}.dtb")
            status, text = shared.r.sh(place.argv("--gic", gic, *options.split(), "--dump-dtb", path, guest(run, "selftest")),
                                       60 * place.slower)
            if status:
                raise run.Fail(f"status {status}: --hv {place.hv} {options} --dump-dtb\n{run.tail(text)}")
            with open(path, "rb") as f:
                trees.append(without_seeds(f.read()))
        if trees[0] != trees[1]:
            diff = shared.r.sh(["sh", "-c", "cd %s; for t in soft kvm; do dtc -q -I dtb -O dts $t.dtb > $t.dts; done; diff soft.dts kvm.dts"
                                % shared.host.folder])[1]
            raise run.Fail(f"{options}: the trees differ\n{run.tail(diff)}")


# ---- Networks and sockets of the host ----

# The guest: by the kernel's vhost to the host's tap interface, and through libslirp to the host's loopback.
NET_GUEST = """#!/bin/sh
device() { basename $(dirname $(grep -l $1 /sys/class/net/*/address)); }
tap=$(device 52:54:00:00:00:aa) user=$(device 52:54:00:00:00:bb)
ip link set $tap up; ip addr add 10.123.47.2/24 dev $tap
ip link set $user up; ip addr add 10.0.2.15/24 dev $user
ping -c 3 -W 20 10.123.47.1 && ping -c 3 -W 20 10.0.2.2
for host in 10.123.47.1 10.0.2.2; do echo $host $(wget -q -O - http://$host:8080/file | sha256sum); done
poweroff -f
"""

NET_HOST = """
%s run --hv kvm --kernel %s --initrd %s/initrd --cmdline "console=ttyAMA0 quiet run=/bin/peer" --timeout %us \
	--net tap,ifname=checks0,vhost=on,mac=52:54:00:00:00:aa --net user,mac=52:54:00:00:00:bb --console stdio < /dev/null &
until ifconfig checks0 10.123.47.1 netmask 255.255.255.0 up 2> /dev/null; do sleep 1; kill -0 $! || break; done
httpd -p 8080 -h %s
wait $!
"""


def guest_that_runs(shared, run, folder, script):
    """FOLDER/initrd runs @script; its other programs are beside it, in FOLDER/bin, for this host. Returns the kernel."""
    kernel = shared.r.kernel("trixie-cloud")
    os.makedirs(os.path.join(folder, "root/bin"), exist_ok=True)
    with open(os.path.join(folder, "root/bin/peer"), "w", opener=lambda p, f: os.open(p, f, 0o755)) as f:
        f.write(script)
    base = os.path.join(os.path.dirname(os.path.dirname(kernel)), "virtio-trixie-cloud.cpio.gz")
    if not os.path.exists(base):
        raise run.Skip(f"no {base}: tests/setup guest")
    subprocess.run(["bash", "-c", f"cd {folder}; (cat {base}; cd root; find . | cpio --quiet -o -H newc | gzip -1) > initrd;"
                                  f"zcat {base} | cpio --quiet -i -d -u bin/vsock"], check=True)
    return kernel


def networks(shared, run, row):
    """vhost-net moves what it should, by eventfds of KVM on both sides; so does libslirp."""
    folder = os.path.join(shared.host.folder, "net")
    kernel = guest_that_runs(shared, run, folder, NET_GUEST)
    with open(os.path.join(folder, "file"), "wb") as f:
        f.write(os.urandom(4000000))
    seconds = int(120 * shared.place.slower)
    script = NET_HOST % (run.VMM_ARM64, kernel, folder, seconds, folder)
    status, text = shared.r.sh([*shared.host.prefix(), "sh", "-c", script], seconds + 60)
    with open(os.path.join(folder, "file"), "rb") as f:
        sum_of_it = hashlib.sha256(f.read()).hexdigest()
    for host in ("10.123.47.1", "10.0.2.2"):
        if status or not re.search(rf"^{host} {sum_of_it}", text, re.M):
            raise run.Fail(f"status {status}, or not the file from {host}\n{run.tail(text)}")


# Both ways, and again after a reset of the device, with which the connection that was left open ends.
SOCKETS_GUEST = """#!/bin/sh
modprobe vmw_vsock_virtio_transport
vsock talk 1234 300000 && echo sockets: to the host
vsock echo 22 1 && echo sockets: from the host
cd /sys/bus/virtio/drivers/vmw_vsock_virtio_transport
device=$(echo virtio*)
echo $device > unbind && echo $device > bind
vsock talk 1234 100000 && echo sockets: after a reset
poweroff -f
"""

SOCKETS_HOST = """
%s/bin/vsock echo 1234 2 &
%s run --hv kvm --kernel %s --initrd %s/initrd --cmdline "console=ttyAMA0 quiet run=/bin/peer" --timeout %us \
	--device vhost-vsock,cid=42 --console stdio < /dev/null &
until %s/bin/vsock talk 22 200000 42 2> /dev/null; do sleep 1; kill -0 $! || break; done
wait $!
"""


def sockets(shared, run, row):
    """vhost-vsock: programs of both sides talk by AF_VSOCK."""
    folder = os.path.join(shared.host.folder, "sockets")
    kernel = guest_that_runs(shared, run, folder, SOCKETS_GUEST)
    seconds = int(120 * shared.place.slower)
    script = SOCKETS_HOST % (folder, run.VMM_ARM64, kernel, folder, seconds, folder)
    status, text = shared.r.sh([*shared.host.prefix(), "sh", "-c", script], seconds + 60)
    for what in ("to the host", "from the host", "after a reset"):
        if status or not re.search(f"^sockets: {what}", text, re.M):
            raise run.Fail(f"status {status}, or not {what}\n{run.tail(text)}")
