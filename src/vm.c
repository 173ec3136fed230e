/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a VM. Building is a list of steps; a guest's reset repeats those
 * that fill the machine, or all that make it where the backend cannot reset.
 */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <spec/board.h>
#include <vmm/arch.h>
#include <vmm/bus.h>
#include <vmm/console.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include <vmm/text.h>

#include "vm.h"

#define LINUX_CMDLINE_MAX 2047 /* COMMAND_LINE_SIZE of arm64, with its terminating zero */

const char *vm_exit_name(enum proc_exit status)
{
	switch (status) {
/* clang-format off */
#define PROC_EXIT(status, NAME, name, text) case PROC_##NAME: return name;
#include <vmm/exit.def>
		/* clang-format on */
	}
	return "?";
}

struct hv_vm *vm_hv(struct vm *vm) { return vm->hv; }

/* ---- What others tell the VM ---- */

void vm_stop(struct vm *vm, enum proc_exit status, const char *text)
{
	pthread_mutex_lock(&vm->lock);
	/* A guest that resets without end must not outrun the user or the timeout: any other reason wins. */
	if (!vm->stopped || vm->status == PROC_RESET) {
		vm->stopped = true;
		vm->status = status;
		snprintf(vm->stop_text, sizeof(vm->stop_text), "%s", text);
	}
	/* Who calls from a vCPU must not enter the guest again; the others follow in vm_pause. */
	vm->pause = true;
	pthread_mutex_unlock(&vm->lock);
	loop_stop(vm->loop, 0);
}

void vm_guest_panicked(struct vm *vm, const char *text)
{
	bool first;

	pthread_mutex_lock(&vm->lock);
	first = !vm->panicked;
	if (first)
		snprintf(vm->panic_text, sizeof(vm->panic_text), "%s", text);
	vm->panicked = true;
	pthread_mutex_unlock(&vm->lock);
	if (first)
		loop_timer_arm(&vm->panic_grace, loop_now_ns() + VM_PANIC_GRACE_MS * UINT64_C(1000000));
}

void vm_quit(struct vm *vm) { vm_stop(vm, PROC_QUIT, ""); }

static void on_timeout(void *opaque)
{
	struct vm *vm = opaque;
	char text[80];

	snprintf(text, sizeof(text), "--timeout of %.1f s ran out", (double)vm->cfg->timeout_ns / NSEC_PER_SEC);
	log_msg(LOG_ERR, "%s", text);
	vm_stop(vm, PROC_TIMEOUT, text);
}

static bool is_stopped(struct vm *vm)
{
	bool stopped;

	pthread_mutex_lock(&vm->lock);
	stopped = vm->stopped;
	pthread_mutex_unlock(&vm->lock);
	return stopped;
}

/* Nothing on the console for so long: the user looks at an empty screen and wonders. Once. */
static void on_silence(void *opaque)
{
	struct vm *vm = opaque;
	char where[200], count[48] = "";
	uint64_t insns;

	if (console_used(vm->console) || vm->resets || is_stopped(vm))
		return;
	vm_pause(vm);
	arch_where(vm->hv, vm->vcpus[0].hv, where, sizeof(where));
	insns = hv_vcpu_insn_count(vm->vcpus[0].hv);
	if (insns)
		snprintf(count, sizeof(count), " after %" PRIu64 " instructions", insns);
	log_warn("the guest has written nothing to its console in %d s; vCPU 0 is at %s%s"
		 "; a Linux kernel speaks with --cmdline \"console=ttyAMA0 earlycon\"",
		 VM_SILENCE_S, where, count);
	/* Who has stopped the VM meanwhile wants it to stay so. */
	if (!is_stopped(vm))
		vm_resume(vm);
}

static void on_panic_grace(void *opaque) { vm_stop(opaque, PROC_PANIC, ""); }

static void on_signal(void *opaque, uint32_t events)
{
	struct vm *vm = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vm->signal_fd, &info, sizeof(info)) == sizeof(info))
		vm_stop(vm, PROC_QUIT, strsignal((int)info.ssi_signo));
}

void vm_power_button(struct vm *vm)
{
	if (devices_power_button(&vm->devices))
		log_warn("this guest has no power key; Ctrl-a x leaves");
}

void vm_info(struct vm *vm)
{
	if (!devices_info(&vm->devices))
		log_info("no device has anything to tell; virtio-balloon would about memory");
}

/* ---- Threads: running, parked, ended ---- */

bool vm_may_run(struct vm *vm)
{
	bool run;

	pthread_mutex_lock(&vm->lock);
	if (vm->pause && !vm->end) {
		vm->parked++;
		pthread_cond_broadcast(&vm->changed);
		while (vm->pause && !vm->end)
			pthread_cond_wait(&vm->changed, &vm->lock);
		vm->parked--;
	}
	run = !vm->end;
	pthread_mutex_unlock(&vm->lock);
	return run;
}

static unsigned thread_count(const struct vm *vm)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->vcpu_count; i++)
		n += vm->vcpus[i].has_thread;
	return n;
}

/* A kick is sticky, so one that comes before the guest is entered is not lost. */
void vm_pause(struct vm *vm)
{
	unsigned threads = thread_count(vm);

	pthread_mutex_lock(&vm->lock);
	vm->pause = true;
	pthread_mutex_unlock(&vm->lock);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		if (vm->vcpus[i].has_thread && vm->vcpus[i].hv)
			hv_vcpu_kick(vm->vcpus[i].hv);
	pthread_mutex_lock(&vm->lock);
	while (vm->parked < threads)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

void vm_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->pause = false;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
}

static void end_threads(struct vm *vm)
{
	if (!vm->vcpus)
		return;
	vm_pause(vm);
	pthread_mutex_lock(&vm->lock);
	vm->end = true;
	pthread_cond_broadcast(&vm->changed);
	pthread_mutex_unlock(&vm->lock);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vcpu_join(&vm->vcpus[i]);
}

/* ---- Building ---- */

/* The signals that end a VM, but for those that whoever started us wants ignored (nohup, a shell's `&'). */
static void end_signals(sigset_t *set)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction old;

	sigemptyset(set);
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++)
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaddset(set, signals[i]);
}

static int build_events(struct vm *vm)
{
	sigset_t set;

	vm->loop = loop_new();
	if (!vm->loop)
		return -ENOMEM;
	loop_timer_init(&vm->timeout, vm->loop, NULL, on_timeout, vm);
	loop_timer_init(&vm->panic_grace, vm->loop, NULL, on_panic_grace, vm);
	loop_timer_init(&vm->silence, vm->loop, NULL, on_silence, vm);
	/* Before any thread exists, so that all of them leave these signals to the loop. */
	end_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	vm->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	vm->signals = vm->signal_fd < 0 ? NULL : loop_add_fd(vm->loop, vm->signal_fd, EPOLLIN, NULL, on_signal, vm);
	return vm->signals ? 0 : log_err(-EIO, "the host refuses signalfd");
}

/* Once: a restart makes the same VM, and does not say so again. */
static int fit_attributes(struct vm *vm)
{
	if (vm->attr.block.size)
		return 0;
	vm->attr = vm->cfg->attr;
	return hv_fit_defaults(vm->ops, &vm->attr);
}

static int build_hypervisor(struct vm *vm)
{
	struct hv_env env;
	int err = hv_backend_find(vm->cfg->hv, &vm->ops);

	if (err)
		return err;
	vm->mem = mem_new();
	vm->bus = bus_new();
	if (!vm->mem || !vm->bus)
		return -ENOMEM;
	err = fit_attributes(vm);
	env = (struct hv_env){ .mem = vm->mem, .bus = vm->bus, .loop = vm->loop, .jit = &vm->cfg->jit };
	return err ? err : hv_create_vm2(vm->ops, &env, &vm->attr.block, &vm->hv);
}

/* RAM must end below what the guest can address, and below the redistributors of many vCPUs. */
static int check_ram(const struct vm *vm)
{
	uint64_t ipa_bits = vm->hv->attr.IPA_BITS[0], end = BOARD_RAM_BASE + vm->cfg->ram_bytes;
	uint64_t vcpus = vm->hv->attr.VCPU_COUNT[0];
	char ram[32], room[32];

	opt_size_text(vm->cfg->ram_bytes, ram, sizeof(ram));
	if (vm->cfg->ram_bytes % (2 * MIB))
		return log_err(-EINVAL, "--mem: %s is not a multiple of 2 MiB; use %" PRIu64 "M", ram,
			       align_up(vm->cfg->ram_bytes, 2 * MIB) / MIB);
	if (end > UINT64_C(1) << ipa_bits || end < BOARD_RAM_BASE)
		return log_err(-EINVAL,
			       "--mem: %s do not fit into guest addresses of %" PRIu64 " bits, which leave %s; "
			       "use less, or more --ipa-bits",
			       ram, ipa_bits,
			       opt_size_text((UINT64_C(1) << ipa_bits) - BOARD_RAM_BASE, room, sizeof(room)));
	if (vcpus <= BOARD_GICR_COUNT || vm->hv->attr.GIC[0] == 2)
		return 0;
	if (BOARD_GICR2_BASE + (vcpus - BOARD_GICR_COUNT) * BOARD_GICR_STRIDE > UINT64_C(1) << ipa_bits)
		return log_err(-EINVAL,
			       "--cpus: more than %d need guest addresses of 39 bits, --ipa-bits is %" PRIu64
			       "; use less, or more --ipa-bits",
			       BOARD_GICR_COUNT, ipa_bits);
	if (end > BOARD_GICR2_BASE)
		return log_err(
			-EINVAL, "--mem: with more than %d --cpus at most %s of memory fit; use less of either",
			BOARD_GICR_COUNT, opt_size_text(BOARD_GICR2_BASE - BOARD_RAM_BASE, room, sizeof(room)));
	return 0;
}

/* The redistributors of many vCPUs are in the way of more. */
static uint64_t end_of_memory(const struct vm *vm)
{
	uint64_t end = UINT64_C(1) << vm->hv->attr.IPA_BITS[0];

	return vm->hv->attr.VCPU_COUNT[0] > BOARD_GICR_COUNT && BOARD_GICR2_BASE < end ? BOARD_GICR2_BASE : end;
}

static int build_memory(struct vm *vm)
{
	int err = check_ram(vm);
	char ram[32];

	if (bit_of(vm->hv->attr.FEATURES, HV_FEATURE_MTE))
		mem_keep_anonymous(vm->mem);
	if (devices_share_memory(&vm->cfg->devices))
		mem_share(vm->mem);
	mem_limit(vm->mem, end_of_memory(vm));
	if (!err)
		err = mem_add_ram(vm->mem, "ram", gpa(BOARD_RAM_BASE), vm->cfg->ram_bytes);
	if (err == -ENOSPC)
		log_err(err, "--mem: the host has no room for %s of address space; use less",
			opt_size_text(vm->cfg->ram_bytes, ram, sizeof(ram)));
	return err;
}

static int build_images(struct vm *vm)
{
	int err;

	if (vm->cfg->firmware)
		return firmware_load(vm->mem, vm->cfg->firmware, &vm->load);
	err = load_kernel(vm->mem, vm->cfg->kernel, &vm->load);
	return err || !vm->cfg->initrd ? err : load_initrd(vm->mem, vm->cfg->initrd, &vm->load);
}

static int build_finish(struct vm *vm)
{
	int err = hv_finish(vm->hv);

	return err ? err : arch_add_memory(vm->hv, vm->mem);
}

/* Devices may have added regions of their own. */
static int build_mappings(struct vm *vm)
{
	unsigned count;
	const struct mem_region *r = mem_regions(vm->mem, &count);
	int err = 0;

	for (unsigned i = 0; i < count && !err; i++) {
		struct hv_mem m = { .slot = i,
				    .base = r[i].base,
				    .host = r[i].host,
				    .bytes = r[i].bytes,
				    .flags = r[i].readonly ? HV_MEM_READONLY : 0 };

		err = hv_mem_map(vm->hv, &m);
	}
	return err;
}

/* Kept over resets: what the user sees and types survives. */
static int build_console(struct vm *vm)
{
	/* Who only wants the tree keeps the terminal as it is, and files and sockets. */
	if (vm->console || vm->cfg->dump_dtb)
		return 0;
	return console_create(vm->cfg->console, vm->loop, vm, &vm->console);
}

/* Kept over resets, like the chip's contents that it stands for. */
static int build_firmware(struct vm *vm)
{
	if (!vm->cfg->firmware || vm->firmware.vars >= 0)
		return 0;
	vm->firmware.kernel = vm->cfg->kernel;
	vm->firmware.initrd = vm->cfg->initrd;
	vm->firmware.cmdline = vm->cfg->cmdline;
	/* Who only wants the tree changes nothing. */
	return firmware_vars_open(vm->cfg->dump_dtb ? NULL : vm->cfg->firmware_vars, &vm->firmware.vars);
}

static int build_devices(struct vm *vm)
{
	const struct device_env env = {
		.vm = vm,
		.mem = vm->mem,
		.bus = vm->bus,
		.loop = vm->loop,
		.console = vm->console,
		.vcpu_count = (unsigned)vm->hv->attr.VCPU_COUNT[0],
		.firmware = vm->cfg->firmware ? &vm->firmware : NULL,
	};
	int err = devices_create(&vm->devices, &env, &vm->cfg->devices);

	vm->has_devices = !err;
	return err;
}

static int build_device_tree(struct vm *vm)
{
	const struct arch_fdt_config arch = {
		.vcpu_count = (unsigned)vm->hv->attr.VCPU_COUNT[0],
		.gic = (unsigned)vm->hv->attr.GIC[0],
		.pmu = vm->hv->attr.PMU[0],
	};
	const struct fdt_config cfg = {
		.mem = vm->mem,
		.arch = &arch,
		.devices = &vm->devices,
		.cmdline = vm->cfg->cmdline,
		.initrd = vm->load.initrd,
		.initrd_bytes = vm->load.initrd_bytes,
	};
	void *blob = NULL;
	size_t bytes = 0;
	int err = vm->cfg->dtb ? fdt_read(vm->cfg->dtb, &cfg, &blob, &bytes) : fdt_build(&cfg, &blob, &bytes);

	if (!err && vm->cfg->dump_dtb)
		err = fdt_dump(vm->cfg->dump_dtb, blob, bytes);
	if (!err)
		err = load_dtb(vm->mem, blob, bytes, &vm->load);
	free(blob);
	return err;
}

static int build_vcpus(struct vm *vm)
{
	unsigned count = (unsigned)vm->hv->attr.VCPU_COUNT[0];
	int err = 0;

	if (!vm->vcpus)
		vm->vcpus = calloc(count, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return -ENOMEM;
	vm->vcpu_count = count;
	for (unsigned i = 0; i < count && !err; i++) {
		struct vcpu *c = &vm->vcpus[i];

		c->vm = vm;
		c->id = i;
		err = hv_vcpu_create(vm->hv, i, &c->hv);
		if (!err)
			err = hv_vcpu_finalize(c->hv);
	}
	return err;
}

static int build_hypercalls(struct vm *vm) { return hypercalls_apply(vm->hv, &vm->cfg->hypercalls, !vm->resets); }

/* Where the first vCPU starts; the others wait for the guest. */
static int build_boot_state(struct vm *vm)
{
	struct arch_boot_reg regs[ARCH_BOOT_REG_COUNT];

	arch_boot_regs(vm->load.entry, vm->load.dtb, regs);
	for (unsigned i = 0; i < ARCH_BOOT_REG_COUNT; i++) {
		int err = hv_reg_set(vm->hv, vm->vcpus[0].hv, regs[i].id, &regs[i].value);

		if (err)
			return log_err(err, "hypervisor %s refuses the start value of register 0x%" PRIx64,
				       vm->ops->name, regs[i].id);
	}
	return 0;
}

struct step {
	int (*build)(struct vm *vm);
	enum proc_exit status; /* what it means when it fails */
};

/* What a machine is made of, and in a restart made of again. */
static const struct step machine[] = {
	{ build_hypervisor, PROC_USAGE }, { build_memory, PROC_USAGE },     { build_images, PROC_USAGE },
	{ build_finish, PROC_USAGE },     { build_console, PROC_USAGE },    { build_firmware, PROC_USAGE },
	{ build_devices, PROC_USAGE },    { build_mappings, PROC_HOST },    { build_device_tree, PROC_USAGE },
	{ build_vcpus, PROC_HOST },       { build_hypercalls, PROC_USAGE }, { build_boot_state, PROC_HOST },
};

/* What a reset fills again in a machine that stays. */
static const struct step contents[] = {
	{ build_images, PROC_HOST },
	{ build_device_tree, PROC_HOST },
	{ build_boot_state, PROC_HOST },
};

static int do_steps(struct vm *vm, const struct step *steps, unsigned count, enum proc_exit *status)
{
	for (unsigned i = 0; i < count; i++) {
		int err = steps[i].build(vm);

		if (err) {
			*status = err == -ENOMEM ? PROC_HOST : steps[i].status;
			return err;
		}
	}
	return 0;
}

static void free_machine(struct vm *vm)
{
	if (vm->has_devices)
		devices_destroy(&vm->devices);
	vm->has_devices = false;
	hv_destroy(vm->hv);
	vm->hv = NULL;
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i].hv = NULL;
	bus_free(vm->bus);
	vm->bus = NULL;
	mem_free(vm->mem);
	vm->mem = NULL;
}

/* What executes the guest's instructions, where that could be either. */
static const char *engine(const struct vm *vm)
{
	if (hv_cap(vm->ops, vm->hv, HV_CAP_TRANSLATOR))
		return ", instructions translated";
	if (!hv_cap(vm->ops, vm->hv, HV_CAP_JIT))
		return "";
	return vm->cfg->jit.use == JIT_OFF ? ", instructions interpreted"
					   : ", instructions interpreted (`vmm doctor' says why)";
}

static const char *base_name(const char *path)
{
	const char *name = strrchr(path, '/');

	return name ? name + 1 : path;
}

/* "kernel vmlinuz (Image), initrd x", "firmware u-boot.bin" or "firmware QEMU_EFI.fd, kernel vmlinuz" */
static const char *images_text(const struct vm *vm, char *text, size_t bytes)
{
	const struct vm_config *cfg = vm->cfg;

	text[0] = 0;
	if (cfg->firmware)
		text_add_item(text, bytes, ", ", "firmware %s", base_name(cfg->firmware));
	if (cfg->kernel && cfg->firmware)
		text_add_item(text, bytes, ", ", "kernel %s", base_name(cfg->kernel));
	else if (cfg->kernel)
		text_add_item(text, bytes, ", ", "kernel %s (%s)", base_name(cfg->kernel), vm->load.kind);
	if (cfg->initrd)
		text_add_item(text, bytes, ", ", "initrd %s", cfg->initrd);
	return text;
}

static void say_what_runs(const struct vm *vm)
{
	const struct vm_config *cfg = vm->cfg;
	char ram[32], images[3 * PATH_MAX];

	log_info("hypervisor %s, %u vCPU%s, %s%s, %s, command line \"%.60s%s\", console %s%s", vm->ops->name,
		 vm->vcpu_count, vm->vcpu_count == 1 ? "" : "s", opt_size_text(cfg->ram_bytes, ram, sizeof(ram)),
		 engine(vm), images_text(vm, images, sizeof(images)), cfg->cmdline,
		 strlen(cfg->cmdline) > 60 ? "..." : "", cfg->console,
		 !strcmp(cfg->console, "stdio") && isatty(STDIN_FILENO) ? " (Ctrl-a x leaves)" : "");
	if (strlen(cfg->cmdline) > LINUX_CMDLINE_MAX)
		log_warn("--cmdline: %zu bytes; Linux on arm64 takes the first %d and ignores the rest",
			 strlen(cfg->cmdline), LINUX_CMDLINE_MAX);
}

int vm_build(const struct vm_config *cfg, struct vm **out, enum proc_exit *status)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int err;

	*out = NULL;
	*status = PROC_HOST;
	if (!vm)
		return -ENOMEM;
	vm->cfg = cfg;
	vm->pause = true;
	vm->signal_fd = vm->firmware.vars = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	err = build_events(vm);
	if (!err)
		err = do_steps(vm, machine, ARRAY_SIZE(machine), status);
	if (err) {
		vm_destroy(vm);
		return err;
	}
	*out = vm;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	end_threads(vm);
	free_machine(vm);
	console_destroy(vm->console);
	if (vm->loop) {
		loop_timer_arm(&vm->timeout, UINT64_MAX);
		loop_timer_arm(&vm->panic_grace, UINT64_MAX);
		loop_timer_arm(&vm->silence, UINT64_MAX);
		loop_del_fd(vm->signals);
	}
	if (vm->signal_fd >= 0)
		close(vm->signal_fd);
	if (vm->firmware.vars >= 0)
		close(vm->firmware.vars);
	loop_free(vm->loop);
	free(vm->vcpus);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

/* ---- Running ---- */

/* All vCPUs are parked. Same threads, same console. What was right at the start and fails now is the host's fault. */
static int restart(struct vm *vm)
{
	enum proc_exit status;
	int err;

	if (!hv_cap(vm->ops, vm->hv, HV_CAP_VM_RESET)) {
		free_machine(vm);
		return do_steps(vm, machine, ARRAY_SIZE(machine), &status);
	}
	/* First: what a device has in flight must not reach the memory of the next run. */
	devices_reset(&vm->devices);
	err = mem_reset(vm->mem);
	if (!err)
		err = hv_vm_reset(vm->hv);
	if (err)
		return err;
	return do_steps(vm, contents, ARRAY_SIZE(contents), &status);
}

/* What a stop means: a panic that is being said wins over the power-off or reset that follows it. */
static enum proc_exit stop_status(struct vm *vm, char *text, size_t bytes)
{
	enum proc_exit status;

	pthread_mutex_lock(&vm->lock);
	status = vm->panicked ? PROC_PANIC : vm->status;
	snprintf(text, bytes, "%s", vm->panicked ? vm->panic_text : vm->stop_text);
	pthread_mutex_unlock(&vm->lock);
	return status;
}

static uint64_t insn_count(const struct vm *vm)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < vm->vcpu_count; i++)
		if (vm->vcpus[i].hv)
			n += hv_vcpu_insn_count(vm->vcpus[i].hv);
	return n;
}

static void fill_result(struct vm *vm, struct vm_result *r)
{
	uint64_t first = atomic_load(&vm->first_run_ns);

	r->reason = vm_exit_name(r->status);
	r->backend = vm->ops->name;
	r->translated = hv_cap(vm->ops, vm->hv, HV_CAP_TRANSLATOR);
	r->vcpu_count = vm->vcpu_count;
	r->resets = vm->resets;
	r->ram_bytes = vm->cfg->ram_bytes;
	r->wall_ns = loop_now_ns() - vm->cfg->start_ns;
	r->first_insn_ns = first ? first - vm->cfg->start_ns : 0;
	r->insn_count = insn_count(vm);
}

/* True: the guest goes on after its reset. */
static bool reset_and_go_on(struct vm *vm, struct vm_result *r)
{
	bool again;
	int err;

	vm->resets++;
	log_guest("reset; starting again (--on-reset=exit ends instead)"); /* limited: it may never stop */
	err = restart(vm);
	if (err) {
		r->status = PROC_HOST;
		snprintf(r->text, sizeof(r->text), "the guest asked for a reset, which failed: %s", strerror(-err));
		return false;
	}
	pthread_mutex_lock(&vm->lock);
	again = vm->status == PROC_RESET;
	vm->stopped = !again;
	pthread_mutex_unlock(&vm->lock);
	if (!again)
		r->status = stop_status(vm, r->text, sizeof(r->text));
	return again;
}

/* Centuries from now is never. */
static uint64_t timeout_end(const struct vm_config *cfg)
{
	uint64_t end;

	return __builtin_add_overflow(cfg->start_ns, cfg->timeout_ns, &end) ? UINT64_MAX : end;
}

void vm_run(struct vm *vm, struct vm_result *r)
{
	int err = 0;

	*r = (struct vm_result){ .status = PROC_HOST };
	say_what_runs(vm);
	for (unsigned i = 0; i < vm->vcpu_count && !err; i++)
		err = vcpu_start(&vm->vcpus[i]);
	if (!err && vm->cfg->timeout_ns)
		loop_timer_arm(&vm->timeout, timeout_end(vm->cfg));
	if (!err)
		loop_timer_arm(&vm->silence, loop_now_ns() + VM_SILENCE_S * NSEC_PER_SEC);
	while (!err) {
		vm_resume(vm);
		loop_run(vm->loop);
		vm_pause(vm);
		console_flush(vm->console); /* before what we say about it */
		if (!is_stopped(vm))
			continue; /* two vCPUs asked for the reset that has been done */
		r->status = stop_status(vm, r->text, sizeof(r->text));
		if (r->status != PROC_RESET || vm->cfg->reset_ends || !reset_and_go_on(vm, r))
			break;
	}
	fill_result(vm, r);
}
