/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a device presents itself. One file, ending in DEVICE(name, ...), is a
 * device: option, help, bus, lock, reset, device tree, snapshot and caps follow
 * from the fields below and no list elsewhere names it.
 *
 * Threads: create, destroy and fdt run before vCPUs or after them. Everything
 * else (access, reset, callbacks of loop and console) runs with d->lock held by
 * the caller, so a device contains no locks.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <pthread.h>
#include <vmm/bus.h>
#include <vmm/opt.h>
#include <vmm/registry.h>
#include <vmm/types.h>

struct vm;
struct mem;
struct loop;
struct console;
struct firmware;
struct dt;
struct device;

#define DEVICE_RANGES_MAX 4

/* A piece of the guest's address space; fixed places come from spec/board.h. */
struct device_range {
	const char *name;
	uint64_t base, bytes;
};

/*
 * --device foo,name=value: where the value goes in the device's state. A comma in a value
 * is written twice.
 */
enum device_option_kind {
	DEVICE_STRING,          /* const char *; lives as long as the device */
	DEVICE_U64,             /* uint64_t; decimal, 0x..., suffix K M G T */
	DEVICE_COUNT,           /* the same, but not 0, which the state has where the user says nothing */
	DEVICE_BOOL,            /* bool; on|off, the name alone is on */
	DEVICE_NOT,             /* the same with the opposite value: for what is on unless it is said */
	DEVICE_LIST,            /* struct opt_list of strings as above: may be given many times */
	DEVICE_END,             /* the name of a host end (device_type.end_at), whose options may follow */
};

struct device_option {
	const char *name, *arg, *help;
	enum device_option_kind kind;
	size_t offset;
};

/*
 * What stands at the host's side of a device, where there is a choice (of networks, say):
 * with options of its own, which go to a state of its own.
 */
struct device_end {
	const char *name, *help;
	size_t state_bytes;
	const struct device_option *options;
	unsigned option_count;
};

/* A field of the state that a snapshot keeps and a dump shows. Names are append-only. */
struct device_state {
	const char *name;
	uint32_t offset, bytes;
};

#define STATE(type, field) { #field, offsetof(type, field), sizeof(((type *)0)->field) }

struct device_type {
	const char *name, *help;
	bool on_board;          /* every board has exactly one; otherwise only with --device */
	bool with_firmware;     /* and boards with firmware have one */
	size_t state_bytes;     /* zeroed and in d->state before create */
	const struct device_range *ranges;
	unsigned range_count;
	bool has_spi;
	unsigned spi;
	bool shares_memory;     /* with another process: RAM is to be such that it can be given away */
	bool slot;              /* instead of ranges and SPI: those of the board's next free virtio slot */
	const struct device_option *options;
	unsigned option_count;
	/*
	 * A shorter way to say it, or NULL: --disk FILE,... is --device virtio-blk,file=FILE,...
	 * @first is the option whose value may stand first without its name; @arg is for help.
	 */
	const char *option, *arg, *first;
	const struct device_end *(*end_at)(unsigned i); /* NULL past the last, or NULL: has no ends */
	const char *end_default;                        /* of those, when the user names none; NULL: must be named */
	/*
	 * Options for tests, which create every type: where it cannot be without, or would reach out of the
	 * process. In it FILE stands for a file of 2 MiB, FOLDER for an empty folder, SOCKET for a connected
	 * stream socket's number. NULL: none; "": it cannot be made without another process.
	 */
	const char *trial;
	const struct device_state *state;
	unsigned state_count;
	/* All may be NULL but access where there are ranges. create: 0 or -errno with a message. */
	int  (*create)(struct device *d);
	void (*destroy)(struct device *d);      /* only after a create that succeeded */
	void (*reset)(struct device *d);        /* power-on state; called once after create, too */
	enum bus_result (*access)(struct device *d, unsigned range, uint64_t offset, unsigned size,
				  uint64_t *value, bool write);
	void (*fdt)(struct device *d, struct dt *t);
	void (*power_button)(struct device *d); /* the host asks the guest to power off */
	void (*info)(struct device *d);         /* the user asks how it is: says so (log_info), perhaps later */
};

/* As in the state tables: the number of rows and the rows. */
#define DEVICE_OPTIONS(rows) .options = rows, .option_count = ARRAY_SIZE(rows)

#define DEVICE(name, object) REGISTER(device, const struct device_type, name, object)

/* What a device may use of the VM around it; outlives the devices. Tests may leave members NULL. */
struct device_env {
	struct vm *vm;
	struct mem *mem;
	struct bus *bus;
	struct loop *loop;
	struct console *console;
	unsigned vcpu_count;                    /* 0: unknown */
	const struct firmware *firmware;        /* NULL: a kernel is entered without any */
};

struct device {
	const struct device_type *type;
	const struct device_env *env;
	char name[40];                          /* for messages: of the type, with its slot: "virtio-blk.0" */
	char said[48];                          /* for messages about options: "--device NAME", "--disk" */
	pthread_mutex_t lock;
	void *state;
	const struct device_end *end;           /* what the user chose, or NULL; its state is zeroed before options */
	void *end_state;
	unsigned spi;                           /* of the type, or of its slot */
	const struct device_range *ranges;      /* the same for its place; type->range_count or 1 */
	unsigned range_count;
	struct device_range slot_range;
	uint64_t slot;                          /* of type->slot; chosen by the user, or the lowest that is free */
	struct device *next;
	char *options;                          /* the values that DEVICE_STRING and DEVICE_LIST point into */
	struct device_range_of { struct device *dev; unsigned index; } range[DEVICE_RANGES_MAX]; /* the bus's opaques */
};

/* Drives the device's own interrupt. Any thread, with or without its lock. */
void device_irq(struct device *d, bool level);

const struct device_type *device_type_at(unsigned i);   /* NULL past the last; sorted by name */
const struct device_type *device_type_find(const char *name);

/* All devices of one VM, in the order they were created. */
struct devices {
	struct device_env env;
	struct device *first, **last;
};

/*
 * Creates every on_board device (and with_firmware, if there is some) and those the user asks
 * for, in the order given, puts them on the bus and resets them. 0, or -EINVAL/-errno with a
 * message naming the option;
 * *d is empty after failure.
 */
int devices_create(struct devices *d, const struct device_env *env, const struct opt_devices *wanted);
/* Does any of them want RAM that other processes can map? Before RAM is made. */
bool devices_share_memory(const struct opt_devices *wanted);
void devices_destroy(struct devices *d);
void devices_reset(struct devices *d);
void devices_fdt(const struct devices *d, struct dt *t);
/* Presses the guest's power key. -ENODEV: no device has one. */
int devices_power_button(struct devices *d);
/* Asks each that has something to tell. False: none has. */
bool devices_info(struct devices *d);

#endif
