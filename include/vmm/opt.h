/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of a subcommand: rows, parsed by argp. A value that is refused gives
 * one line: option, value, limit, way out. The same option twice is refused
 * unless the row says it is a list.
 *
 *   static const struct opt rows[] = {
 *           { "mem", "SIZE", "guest memory (512M)", OPT_SIZE, offsetof(struct run, ram_bytes), .min = 2 * MIB },
 *   };
 */
#ifndef VMM_OPT_H
#define VMM_OPT_H

#include <vmm/types.h>

enum opt_kind {
	OPT_GROUP,              /* no option: a heading in --help; name is NULL, help its text */
	OPT_STRING,             /* const char *: into argv; not empty */
	OPT_TEXT,               /* the same, may be empty */
	OPT_LIST,               /* struct opt_list: may be given many times */
	OPT_FLAG,               /* bool: no argument */
	OPT_SIZE,               /* uint64_t bytes: 512M, 1G, 64K; a bare number is MiB */
	OPT_TIME,               /* uint64_t ns: 30s, 500ms, 5m, 1h; a bare number is seconds */
	OPT_NUMBER,             /* unsigned: decimal */
	OPT_CHOICE,             /* unsigned: index of the value in @arg, "restart|exit" */
	OPT_ATTR,               /* struct hv_block_buf: the row of vm-attr.def with this option name */
	OPT_DEVICE,             /* struct opt_devices: one more; the row's name is the option of a device type */
	OPT_DEVICES,            /* the same: --device and the option of every device type that has one; name is NULL */
	OPT_ATTRS,              /* the same for every row with an option that no other row here shows; name is NULL */
};

#define OPT_LIST_MAX 32

struct opt_list {
	const char *value[OPT_LIST_MAX];
	unsigned count;
};

/* Devices the user asks for, in the order given. */
#define OPT_DEVICES_MAX 64

struct opt_devices {
	struct opt_device {
		const char *type;       /* NULL: @text begins with it (--device) */
		const char *text;       /* "key=value,..." */
	} item[OPT_DEVICES_MAX];
	unsigned count;
};

struct opt {
	const char *name, *arg, *help;
	enum opt_kind kind;
	size_t offset;          /* of the variable in the struct given to opt_parse */
	uint64_t min, max;      /* SIZE, TIME; max 0: no limit. NUMBER: always */
	unsigned unsaid;        /* NUMBER: what the option alone means; 0: a value must follow */
	bool hidden;            /* not in --help */
};

struct opt_set {
	const struct opt *rows;
	unsigned count;
	const char *args;       /* positional arguments as help shows them: "[KERNEL]"; NULL: none */
	const char *doc;        /* one paragraph */
	size_t args_offset;     /* struct opt_list for them */
	unsigned args_max;
};

/*
 * Fills *@dest, which holds the defaults. 0, or -EINVAL with a message. --help prints
 * and ends the process with status 0.
 */
int opt_parse(const struct opt_set *set, int argc, char **argv, void *dest);

/* One value by itself. @name is for the message. */
int opt_size(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *bytes);
int opt_time(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ns);
/* A number of anything: decimal, or hexadecimal after 0x, then perhaps K, M, G or T (of 1024). False: not that. */
bool opt_number(const char *text, uint64_t *value);

/* What the user may have meant: the name few typing errors away, or NULL. */
const char *opt_nearest(const char *name, const char *const *names, unsigned count);

/* 1536 MiB -> "1536 MiB", 2048 MiB -> "2 GiB". Returns @text. */
const char *opt_size_text(uint64_t bytes, char *text, size_t text_bytes);

#endif
