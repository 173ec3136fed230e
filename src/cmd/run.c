/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmm/cmd.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/opt.h>
#include <vmm/vm.h>

#define RAM_BYTES_MIN (2 * MIB)

struct run {
	struct vm_config vm;
	struct opt_list positional;
	const char *kernel, *hypercalls;
	const char *result_path;
	unsigned on_reset, log_level, jit, fp, smc;
};

#define AT(field) offsetof(struct run, field)
#define OPT(name_, arg_, help_, kind_, field, ...)                                                               \
	{                                                                                                        \
		.name = name_, .arg = arg_, .help = help_, .kind = OPT_##kind_, .offset = AT(field), __VA_ARGS__ \
	}
#define GROUP(title)                             \
	{                                        \
		.help = title, .kind = OPT_GROUP \
	}
#define ATTR(name_)                                                    \
	{                                                              \
		.name = name_, .kind = OPT_ATTR, .offset = AT(vm.attr) \
	}

static const struct opt rows[] = {
	GROUP("What runs:"),
	OPT("kernel", "FILE", "arm64 Image (also gzip, zstd, lz4, xz, EFI zboot) or ELF; the same as KERNEL", STRING,
	    kernel),
	OPT("firmware", "FILE",
	    "firmware instead of a kernel: U-Boot or EDK2 for QEMU's virt machine; with --kernel it "
	    "is given the kernel to boot",
	    STRING, vm.firmware),
	OPT("firmware-vars", "FILE", "where the firmware keeps its variables (in memory, until the end)", STRING,
	    vm.firmware_vars),
	OPT("initrd", "FILE", "initial RAM disk or initramfs", STRING, vm.initrd),
	OPT("cmdline", "TEXT", "the kernel's command line, as it is (console=ttyAMA0 earlycon)", TEXT, vm.cmdline),
	OPT("dtb", "FILE", "use this device tree instead of our own", STRING, vm.dtb),
	OPT("dump-dtb", "FILE", "write the device tree and stop", STRING, vm.dump_dtb),

	GROUP("The machine:"),
	OPT("mem", "SIZE", "guest memory, in multiples of 2M (512M)", SIZE, vm.ram_bytes, .min = RAM_BYTES_MIN),
	ATTR("cpus"),
	ATTR("model"),
	OPT("console", "WHERE", "stdio, file:PATH, pty, socket:PATH or null (stdio)", STRING, vm.console),
	{ .kind = OPT_DEVICES, .offset = AT(vm.devices) },
	OPT("hv", "NAME", "hypervisor: auto or one that `vmm caps' lists (auto)", STRING, vm.hv),

	GROUP("The CPU and what belongs to it (`vmm caps' prints the limits):"),
	{ .kind = OPT_ATTRS, .offset = AT(vm.attr) },
	OPT("hypercalls", "all|none|NAME,...",
	    "which hypercalls the guest finds; `vmm help hypercalls' lists them (all)", STRING, hypercalls),

	GROUP("How the software hypervisor executes (no guest sees any of it):"),
	OPT("jit", "auto|on|off", "translate the guest's instructions to the host's; off interprets them (auto)",
	    CHOICE, jit),
	OPT("fp", "fast|strict",
	    "fast: underflow and inexactness may be flagged as the host's CPU does, and flushed operands are not; "
	    "strict: as Arm's do (fast)",
	    CHOICE, fp),
	OPT("jit-cache-size", "SIZE", "room for translated code, for each vCPU (32M)", SIZE, vm.jit.cache_bytes,
	    .min = JIT_CACHE_BYTES_MIN, .max = JIT_CACHE_BYTES_MAX),
	OPT("jit-check", "N", "have one in N blocks executed by the interpreter, too, and say what differs (16)",
	    NUMBER, vm.jit.check, .min = 1, .max = JIT_CHECK_MAX, .unsaid = JIT_CHECK_DEFAULT),
	OPT("jit-perf", NULL, "tell perf about translated code, in /tmp/perf-PID.map", FLAG, vm.jit.perf_map),
	OPT("smc", "ic|track", "changed code: ic: after IC, as the architecture wants; track: at once, too (ic)",
	    CHOICE, smc),
	OPT("count-insns", NULL, "count the guest's instructions in translated code, too", FLAG, vm.jit.count),

	GROUP("How it ends (`vmm help exits' prints the exit status):"),
	OPT("on-reset", "restart|exit", "when the guest resets (restart)", CHOICE, on_reset),
	OPT("timeout", "TIME", "end after 30s, 5m, 500ms ...", TIME, vm.timeout_ns, .min = 1000000),
	OPT("result-json", "FILE", "write how it ended, with timings", STRING, result_path),
	OPT("log-level", "err|warn|guest|info|debug", "what to say on stderr (info)", CHOICE, log_level),
};

static const struct opt_set set = {
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.args = "[KERNEL]",
	.doc = "Boot an arm64 guest.",
	.args_offset = AT(positional),
	.args_max = 1,
};

static int check_options(struct run *r)
{
	if (r->kernel && r->positional.count)
		return log_err(-EINVAL, "--kernel=%s and %s are two kernels; give one", r->kernel,
			       r->positional.value[0]);
	r->vm.kernel = r->kernel ? r->kernel : r->positional.count ? r->positional.value[0] : NULL;
	if (!r->vm.kernel && !r->vm.firmware)
		return log_err(
			-EINVAL,
			"no kernel is given; say which: vmm run Image, or vmm run --kernel vmlinuz --initrd root.cpio.gz");
	if (r->vm.initrd && !r->vm.kernel)
		return log_err(-EINVAL,
			       "--initrd=%s: goes with a kernel; add --kernel, or put it where the firmware "
			       "finds it",
			       r->vm.initrd);
	if (r->vm.firmware_vars && !r->vm.firmware)
		return log_err(-EINVAL, "--firmware-vars=%s: there is no firmware to keep variables; add --firmware",
			       r->vm.firmware_vars);
	return hypercalls_parse(r->hypercalls, &r->vm.hypercalls);
}

/*
 * Opened after everything else is in place and before anything starts: a result that cannot
 * be written is an error then, not after an hour, and a run that is refused leaves an older
 * result alone.
 */
static int open_result(const char *path, FILE **f)
{
	*f = NULL;
	if (!path)
		return 0;
	*f = fopen(path, "we");
	return *f ? 0
		  : log_err(-errno, "--result-json=%s: cannot write it (%s); choose another place", path,
			    strerror(errno));
}

static double seconds(uint64_t ns) { return (double)ns / NSEC_PER_SEC; }

static int write_result(FILE *f, const char *path, const struct vm_result *r)
{
	struct json_object *o;
	int bad;

	if (!f)
		return 0;
	o = json_object_new_object();
	json_object_object_add(o, "reason", json_object_new_string(r->reason));
	json_object_object_add(o, "status", json_object_new_int((int)r->status));
	json_object_object_add(o, "text", json_object_new_string(r->text));
	json_object_object_add(o, "backend", json_object_new_string(r->backend));
	json_object_object_add(o, "translated", json_object_new_boolean(r->translated));
	json_object_object_add(o, "vcpus", json_object_new_int((int)r->vcpu_count));
	json_object_object_add(o, "ram_bytes", json_object_new_uint64(r->ram_bytes));
	json_object_object_add(o, "resets", json_object_new_int((int)r->resets));
	json_object_object_add(o, "wall_s", json_object_new_double(seconds(r->wall_ns)));
	json_object_object_add(o, "first_insn_s", json_object_new_double(seconds(r->first_insn_ns)));
	json_object_object_add(o, "insns", json_object_new_uint64(r->insn_count));
	bad = fprintf(f, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY)) < 0;
	json_object_put(o);
	bad |= fclose(f) != 0;
	return bad ? log_err(-EIO, "--result-json=%s: could not be written", path) : 0;
}

static int run_vm(struct run *r)
{
	struct vm_result result;
	FILE *result_file;
	enum proc_exit status;
	struct vm *vm;

	if (vm_build(&r->vm, &vm, &status))
		return status;
	if (r->vm.dump_dtb) {
		vm_destroy(vm);
		return PROC_POWEROFF;
	}
	if (open_result(r->result_path, &result_file)) {
		vm_destroy(vm);
		return PROC_USAGE;
	}
	vm_run(vm, &result);
	vm_destroy(vm);
	if (write_result(result_file, r->result_path, &result))
		return PROC_HOST;
	return result.status;
}

static int cmd_run(int argc, char **argv)
{
	struct run r = {
		.vm = {
			.ram_bytes = VM_RAM_BYTES_DEFAULT,
			.cmdline = "console=ttyAMA0 earlycon",
			.console = "stdio",
			.start_ns = loop_now_ns(),
		},
		.hypercalls = "all",
		.log_level = LOG_INFO,
	};

	hv_block_init(&r.vm.attr);
	if (opt_parse(&set, argc, argv, &r) || check_options(&r))
		return PROC_USAGE;
	r.vm.reset_ends = r.on_reset;
	r.vm.jit.use = (enum jit_use)r.jit;
	r.vm.jit.fp_strict = r.fp;
	r.vm.jit.smc_track = r.smc;
	log_set_level((enum log_level)r.log_level);
	/* A pipe whose reader has left, a file as long as ulimit -f allows: errors of write(), not the end of the VM.
	 */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return run_vm(&r);
}

COMMAND(run, "boot an arm64 guest", cmd_run);
