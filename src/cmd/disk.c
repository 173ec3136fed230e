/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of disks: makes them, says what is in them, looks whether they are sound. What an image is
 * knows the layer of its format (vmm/disk.h); here is what they have in common.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vmm/cmd.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/facts.h>
#include <vmm/log.h>
#include <vmm/opt.h>
#include <vmm/text.h>

struct disk_args {
	struct opt_list args;
	const char *format, *backing, *backing_format, *cluster_size;
	bool json, repair;
};

/* Somebody else's fault, or a name or a number that the user can change? */
static int status_of(int err)
{
	switch (err) {
	case 0: return PROC_POWEROFF;
	case -EIO:
	case -ENOMEM:
	case -ENOSPC:
	case -EDQUOT:
	case -EMFILE: return PROC_HOST;
	}
	return PROC_USAGE;
}

static struct disk_layer *open_image(const char *name, const struct disk_args *a, bool write, int *status)
{
	struct disk_config cfg = {
		.said = "disk",
		.file = name,
		.format = a->format,
		.readonly = !write,
		.metadata_only = true,
		.no_uring = true,
	};
	struct disk_layer *l;

	*status = status_of(disk_layer_open(name, a->format, &cfg, &l));
	return l;
}

static int need_args(const struct disk_args *a, const char *what, unsigned least)
{
	if (a->args.count >= least)
		return PROC_POWEROFF;
	log_err(0, "disk %s; see vmm disk %.*s --help", what, (int)strcspn(what, ":"), what);
	return PROC_USAGE;
}

/* ---- create ---- */

static const struct opt create_rows[] = {
	{ .name = "format",
	  .arg = "NAME",
	  .help = "raw, or qcow2: grows as it is written (qcow2)",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, format) },
	{ .name = "backing",
	  .arg = "FILE",
	  .help = "what is not written shows this image; relative to the new one's folder",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, backing) },
	{ .name = "backing-format",
	  .arg = "NAME",
	  .help = "its format (as it begins)",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, backing_format) },
	{ .name = "cluster-size",
	  .arg = "BYTES",
	  .help = "what is allocated at once, 512 to 2M (64K)",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, cluster_size) },
};

static const struct opt_set create_set = {
	.rows = create_rows,
	.count = ARRAY_SIZE(create_rows),
	.args = "FILE [SIZE]",
	.doc = "Make an empty image. FILE must not exist. SIZE is 10G, 512M and the like; with --backing it may be left out.",
	.args_offset = offsetof(struct disk_args, args),
	.args_max = 2,
};

/* The backing file's size and format, where they are not said. */
static int look_at_backing(const struct disk_args *a, struct disk_create *c)
{
	struct disk_args b = { .format = a->backing_format };
	char *path = disk_name_beside(c->file, a->backing);
	struct disk_layer *l;
	int status;

	if (!path)
		return PROC_HOST;
	l = open_image(path, &b, false, &status);
	free(path);
	if (!l)
		return status;
	if (!c->bytes)
		c->bytes = l->info.bytes;
	if (!c->backing_format)
		c->backing_format = l->type->scheme ? "raw" : l->type->name;
	disk_layer_close(l);
	return PROC_POWEROFF;
}

static int cluster_of(const char *text, uint32_t *bytes)
{
	uint64_t v;

	if (!text)
		return PROC_POWEROFF;
	if (!opt_number(text, &v) || v < 512 || v > 2 * MIB || v & (v - 1)) {
		log_err(0, "--cluster-size=%s: there are powers of two from 512 to 2M", text);
		return PROC_USAGE;
	}
	*bytes = (uint32_t)v;
	return PROC_POWEROFF;
}

static int size_of(const struct disk_args *a, uint64_t *bytes)
{
	if (a->args.count < 2 && a->backing)
		return PROC_POWEROFF;
	if (a->args.count < 2) {
		log_err(0, "disk create: needs a size: vmm disk create %s 10G", a->args.value[0]);
		return PROC_USAGE;
	}
	if (opt_size("SIZE", a->args.value[1], DISK_SECTOR_BYTES, INT64_MAX, bytes))
		return PROC_USAGE;
	if (*bytes % DISK_SECTOR_BYTES) {
		log_err(0, "disk create: %" PRIu64 " bytes is not a multiple of %d", *bytes, DISK_SECTOR_BYTES);
		return PROC_USAGE;
	}
	return PROC_POWEROFF;
}

static int create(const struct disk_args *a)
{
	const struct disk_layer_type *t = disk_layer_type_find(a->format ? a->format : "qcow2");
	struct disk_create c = { .backing = a->backing, .backing_format = a->backing_format };
	int status = need_args(a, "create: needs a file", 1);

	if (status)
		return status;
	c.file = a->args.value[0];
	if (!t || !t->create) {
		log_err(0, "--format %s: no such image can be made; there are raw and qcow2", a->format);
		return PROC_USAGE;
	}
	status = cluster_of(a->cluster_size, &c.cluster_bytes);
	if (!status)
		status = size_of(a, &c.bytes);
	if (!status && a->backing)
		status = look_at_backing(a, &c);
	return status ? status : status_of(t->create(&c));
}

/* ---- info ---- */

static const struct opt info_rows[] = {
	{ .name = "format",
	  .arg = "NAME",
	  .help = "its format (as it begins)",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, format) },
	{ .name = "json",
	  .arg = NULL,
	  .help = "as JSON",
	  .kind = OPT_FLAG,
	  .offset = offsetof(struct disk_args, json) },
};

static const struct opt_set info_set = {
	.rows = info_rows,
	.count = ARRAY_SIZE(info_rows),
	.args = "FILE",
	.doc = "Say what an image is: its format, its size and what is particular to it.",
	.args_offset = offsetof(struct disk_args, args),
	.args_max = 1,
};

static struct json_object *facts_of(struct disk_layer *l, const char *name)
{
	struct json_object *o = json_object_new_object();
	struct stat st;

	json_object_object_add(o, "file", json_object_new_string(name));
	json_object_object_add(o, "format", json_object_new_string(l->type->name));
	json_object_object_add(o, "bytes", json_object_new_uint64(l->info.bytes));
	if (!stat(name, &st) && S_ISREG(st.st_mode))
		json_object_object_add(o, "bytes-on-host", json_object_new_uint64((uint64_t)st.st_blocks * 512));
	json_object_object_add(o, "block-bytes", json_object_new_int((int)l->info.logical_bytes));
	if (l->type->describe)
		l->type->describe(l, o);
	return o;
}

static void print_facts(struct json_object *o)
{
	json_object_object_foreach(o, key, value)
	{
		uint64_t bytes = json_object_get_uint64(value);
		char text[32];

		printf("%-16s%s", key, json_object_get_string(value));
		if (strstr(key, "bytes") && bytes && !(bytes % MIB))
			printf(" (%s)", opt_size_text(bytes, text, sizeof(text)));
		puts("");
	}
}

static int info(const struct disk_args *a)
{
	int status = need_args(a, "info: needs a file", 1);
	struct disk_layer *l = status ? NULL : open_image(a->args.value[0], a, false, &status);
	struct json_object *o;

	if (!l)
		return status;
	o = facts_of(l, a->args.value[0]);
	if (a->json)
		facts_print_json(o);
	else
		print_facts(o);
	json_object_put(o);
	disk_layer_close(l);
	return PROC_POWEROFF;
}

/* ---- check ---- */

static const struct opt check_rows[] = {
	{ .name = "format",
	  .arg = "NAME",
	  .help = "its format (as it begins)",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct disk_args, format) },
	{ .name = "repair",
	  .arg = NULL,
	  .help = "put right what can be",
	  .kind = OPT_FLAG,
	  .offset = offsetof(struct disk_args, repair) },
};

static const struct opt_set check_set = {
	.rows = check_rows,
	.count = ARRAY_SIZE(check_rows),
	.args = "FILE",
	.doc = "Look whether an image is sound in itself. The exit status is 9 when there are errors that are not repaired, 10 "
	       "when there are leaks only: room that nobody uses.",
	.args_offset = offsetof(struct disk_args, args),
	.args_max = 1,
};

static int judge(const char *name, const struct disk_check *f)
{
	printf("%s: %" PRIu64 " errors, %" PRIu64 " leaks, %" PRIu64 " repaired; %" PRIu64 " bytes of data\n", name,
	       f->errors, f->leaks, f->repaired, f->data_bytes);
	if (f->errors + f->leaks <= f->repaired)
		return PROC_POWEROFF;
	return f->errors ? PROC_DAMAGED : PROC_LEAKS;
}

static int check(const struct disk_args *a)
{
	int status = need_args(a, "check: needs a file", 1);
	struct disk_layer *l = status ? NULL : open_image(a->args.value[0], a, a->repair, &status);
	struct disk_check found = { 0 };

	if (!l)
		return status;
	if (!l->type->check) {
		printf("%s: %s: there is nothing to check\n", a->args.value[0], l->type->name);
		status = PROC_POWEROFF;
	} else {
		status = l->type->check(l, a->repair, &found) ? PROC_HOST : judge(a->args.value[0], &found);
	}
	disk_layer_close(l);
	return status;
}

/* ---- vmm disk ---- */

static const struct verb {
	const char *name, *help;
	const struct opt_set *set;
	int (*run)(const struct disk_args *a);
} verbs[] = {
	{ "create", "make an empty image", &create_set, create },
	{ "info", "say what an image is", &info_set, info },
	{ "check", "look whether an image is sound", &check_set, check },
};

static int print_verbs(void)
{
	puts("Usage: vmm disk VERB ...\nImages of disks.\n");
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("    vmm disk %-12s%s\n", verbs[i].name, verbs[i].help);
	puts("\nFormats:");
	for (unsigned i = 0; disk_layer_type_at(i); i++)
		text_print(disk_layer_type_at(i)->help, printf("    %s", disk_layer_type_at(i)->name), 16);
	puts("\n`vmm disk VERB --help' prints a verb's options.");
	return PROC_POWEROFF;
}

static int cmd_disk(int argc, char **argv)
{
	struct disk_args a = { 0 };
	char program[32];

	if (argc > 1 && !strcmp(argv[1], "--help"))
		return print_verbs();
	for (unsigned i = 0; argc > 1 && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name))
			continue;
		snprintf(program, sizeof(program), "vmm disk %s", verbs[i].name);
		argv[1] = program;
		return opt_parse(verbs[i].set, argc - 1, argv + 1, &a) ? PROC_USAGE : verbs[i].run(&a);
	}
	log_err(0, "disk%s%s: there are create, info and check; see vmm disk --help", argc > 1 ? " " : "",
		argc > 1 ? argv[1] : "");
	return PROC_USAGE;
}

COMMAND(disk, "make, describe and check images of disks", cmd_disk);
