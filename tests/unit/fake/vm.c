/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmm/err.h>
#include "vm.h"

void __wrap_irq_set(struct vm *vm, unsigned spi, bool level);
int __wrap_irq_eventfd(struct vm *vm, unsigned spi, int fd);
int __wrap_bus_notify_fd(struct vm *vm, gpa_t a, unsigned bytes, uint64_t value, int fd);
int __wrap_bus_read_from(struct vm *vm, gpa_t a, void *host, uint64_t bytes);
void __wrap_vm_guest_panicked(struct vm *vm, const char *text);
void __wrap_vm_quit(struct vm *vm);
void __wrap_vm_power_button(struct vm *vm);
void __wrap_vm_info(struct vm *vm);

void __wrap_irq_set(struct vm *vm, unsigned spi, bool level)
{
	vm->raised[spi] += level && !vm->line[spi];
	vm->line[spi] = level;
}

int __wrap_irq_eventfd(struct vm *vm, unsigned spi, int fd)
{
	(void)spi;
	if (!vm->has_eventfds)
		return -ENOTSUP;
	vm->eventfds++;
	vm->call_fd = fd;
	return 0;
}

int __wrap_bus_notify_fd(struct vm *vm, gpa_t a, unsigned bytes, uint64_t value, int fd)
{
	if (!vm->has_eventfds)
		return -ENOTSUP;
	vm->eventfds++;
	vm->kick.addr = a.v;
	vm->kick.bytes = bytes;
	vm->kick.value = value;
	vm->kick.fd = fd;
	return 0;
}

int __wrap_bus_read_from(struct vm *vm, gpa_t a, void *host, uint64_t bytes)
{
	vm->read_from.calls++;
	if (!vm->has_read_from)
		return -ENOTSUP;
	vm->read_from.addr = a.v;
	vm->read_from.host = host;
	vm->read_from.bytes = bytes;
	return 0;
}

void __wrap_vm_guest_panicked(struct vm *vm, const char *text)
{
	vm->panics++;
	snprintf(vm->panic_text, sizeof(vm->panic_text), "%s", text);
}

void __wrap_vm_quit(struct vm *vm) { vm->quits++; }

void __wrap_vm_power_button(struct vm *vm) { vm->presses++; }

void __wrap_vm_info(struct vm *vm) { vm->infos++; }

struct vm *fake_vm_new(void) { return fake_vm_with(NULL, NULL); }

struct vm *fake_vm_with(struct mem *mem, const struct firmware *firmware)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	CHECK(vm);
	vm->loop = loop_new();
	vm->bus = bus_new();
	CHECK(vm->loop && vm->bus && !console_create("null", vm->loop, vm, &vm->console));
	CHECK(!devices_create(&vm->devices,
			      &(struct device_env){ .vm = vm,
						    .mem = mem,
						    .bus = vm->bus,
						    .loop = vm->loop,
						    .console = vm->console,
						    .firmware = firmware },
			      &(struct opt_devices){ 0 }));
	return vm;
}

void fake_vm_free(struct vm *vm)
{
	devices_destroy(&vm->devices);
	console_destroy(vm->console);
	bus_free(vm->bus);
	loop_free(vm->loop);
	free(vm);
}

uint32_t fake_read(struct vm *vm, uint64_t addr)
{
	uint64_t value = UINT64_MAX;

	CHECK(bus_access(vm->bus, gpa(addr), 4, &value, false) == BUS_OK);
	return (uint32_t)value;
}

void fake_write(struct vm *vm, uint64_t addr, uint32_t value)
{
	uint64_t v = value;

	CHECK(bus_access(vm->bus, gpa(addr), 4, &v, true) == BUS_OK);
}

void fake_hammer(struct vm *vm, uint64_t base, uint64_t bytes)
{
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 200000; i++) {
		unsigned size = 1u << (seed >> 20 & 3);
		uint64_t offset = (seed >> 30) % bytes, value = seed * 0xff51afd7ed558ccd;

		if (size < 8)
			value &= (UINT64_C(1) << 8 * size) - 1;
		bus_access(vm->bus, gpa(base + offset), size, &value, seed >> 60 & 1);
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
	}
}

static void stop(void *opaque) { loop_stop(opaque, 0); }

void fake_loop_ms(struct loop *l, unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, l, NULL, stop, l);
	loop_timer_arm(&t, loop_now_ns() + ms * UINT64_C(1000000));
	loop_run(l);
}

/* ---- stderr ---- */

static int saved_stderr, caught_stderr;

void stderr_begin(void)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	caught_stderr = memfd_create("stderr", MFD_CLOEXEC);
	CHECK(saved_stderr >= 0 && caught_stderr >= 0);
	dup2(caught_stderr, STDERR_FILENO);
}

char *stderr_end(void)
{
	off_t len;
	char *text;

	fflush(stderr);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	len = lseek(caught_stderr, 0, SEEK_END);
	text = calloc(1, (size_t)len + 1);
	CHECK(text && pread(caught_stderr, text, (size_t)len, 0) == len);
	close(caught_stderr);
	return text;
}
