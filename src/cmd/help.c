/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the tables of the house; nothing here is a list of its own but the topics. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vmm/char.h>
#include <vmm/cmd.h>
#include <vmm/device.h>
#include <vmm/hv.h>
#include <vmm/log.h>
#include <vmm/opt.h>

static void help_attrs(void)
{
	const struct hv_attr_info *a;

	puts("Attributes of a VM: how it is created and what a snapshot keeps.\n");
	printf("%-8s%-12s%-24s%-9s%s\n", "id", "name", "option", "default", "what");
	for (unsigned i = 0; (a = hv_attr_at(i)); i++) {
		char option[64] = "-";

		if (a->option)
			snprintf(option, sizeof(option), "--%s=%s", a->option, a->arg);
		printf("0x%04x  %-12s%-24s%-9" PRIu64 "%s (%s)\n", a->type, a->name, option, a->value_default,
		       a->help, a->unit);
	}
}

static void help_devices(void)
{
	const struct device_type *t;
	const struct chardev_type *c;

	puts("Devices. Those of the board are always there; add others with --device NAME[,KEY=VALUE...].\n");
	for (unsigned i = 0; (t = device_type_at(i)); i++) {
		printf("%-12s%s%s\n", t->name, t->help, t->on_board ? " (board)" : "");
		for (unsigned k = 0; k < t->range_count; k++)
			printf("%12s0x%08" PRIx64 " +0x%" PRIx64 "\n", "", t->ranges[k].base, t->ranges[k].bytes);
		if (t->has_spi)
			printf("%12sSPI %u\n", "", t->spi);
		for (unsigned k = 0; k < t->option_count; k++)
			printf("%12s%s=%s  %s\n", "", t->options[k].name, t->options[k].arg, t->options[k].help);
	}
	puts("\nEnds of --console:\n");
	for (unsigned i = 0; (c = chardev_type_at(i)); i++)
		printf("%s%s%-*s%s\n", c->name, c->arg ? ":" : "", (int)(16 - strlen(c->name) - !!c->arg),
		       c->arg ? c->arg : "", c->help);
}

static void help_exits(void)
{
	static const struct {
		int status;
		const char *name, *text;
	} status[] = {
#define PROC_EXIT(status, NAME, name, text) { status, name, text },
#include <vmm/exit.def>
	};
	static const struct {
		const char *name, *text;
	} reason[] = {
#define VCPU_EXIT(NAME, handler, text) { #NAME, text },
#include <vmm/exit.def>
	};

	puts("Exit status of the process:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(status); i++)
		printf("%3d  %-10s%s\n", status[i].status, status[i].name, status[i].text);
	puts("\nWhy a vCPU leaves the guest:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(reason); i++)
		printf("     %-10s%s\n", reason[i].name, reason[i].text);
}

static void help_hypercalls(void)
{
	static const struct {
		uint32_t id;
		const char *name, *service;
	} call[] = {
#define SMCCC(id, NAME, service, ...) { id, #NAME, service },
#include <vmm/smccc.def>
	};

	puts("Hypercalls (HVC #0, SMC calling convention) the software hypervisor answers.\n");
	for (unsigned i = 0; i < ARRAY_SIZE(call); i++)
		printf("0x%08x  %-8s%s\n", call[i].id, call[i].service, call[i].name);
}

static void help_caps(void)
{
	static const struct {
		uint32_t id;
		const char *name, *text;
	} cap[] = {
#define CAP(id, NAME, name, op, text) { id, #name, text },
#include <vmm/cap.def>
	};

	puts("Capabilities of a hypervisor (`vmm caps' says who has them). The interface is unstable as long\n"
	     "as core-api-stable is 0.\n");
	for (unsigned i = 0; i < ARRAY_SIZE(cap); i++)
		printf("%3u  %-18s%s\n", cap[i].id, cap[i].name, cap[i].text);
}

static const struct topic {
	const char *name, *help;
	void (*print)(void);
} topics[] = {
	{ "attrs", "attributes of a VM and their options", help_attrs },
	{ "caps", "capabilities of a hypervisor", help_caps },
	{ "devices", "devices, their places and options", help_devices },
	{ "exits", "exit status of the process", help_exits },
	{ "hypercalls", "hypercalls a guest may make", help_hypercalls },
};

static int print_commands(void)
{
	const struct command *c;

	puts("vmm - an arm64 virtual machine monitor\n\n    vmm run Image     boots an arm64 guest\n\nCommands:");
	for (unsigned i = 0; (c = command_at(i)); i++)
		printf("    vmm %-12s%s\n", c->name, c->help);
	puts("\nTables:");
	for (unsigned i = 0; i < ARRAY_SIZE(topics); i++)
		printf("    vmm help %-12s%s\n", topics[i].name, topics[i].help);
	puts("\n`vmm COMMAND --help' prints a command's options.");
	return PROC_POWEROFF;
}

static int suggest(const char *word)
{
	const char *names[64], *near;
	const struct command *c;
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(topics); i++)
		names[count++] = topics[i].name;
	for (unsigned i = 0; count < ARRAY_SIZE(names) && (c = command_at(i)); i++)
		names[count++] = c->name;
	near = opt_nearest(word, names, count);
	log_err(0, "help %s: no such table or command; %s%s%ssee vmm --help", word, near ? "did you mean " : "",
		near ? near : "", near ? "? " : "");
	return PROC_USAGE;
}

static int cmd_help(int argc, char **argv)
{
	const struct command *c;
	const char *word = argc > 1 ? argv[1] : NULL;
	char program[64];

	if (argc > 2) {
		log_err(0, "help %s: one argument too many; see vmm --help", argv[2]);
		return PROC_USAGE;
	}
	if (!word || !strcmp(word, "--help"))
		return print_commands();
	for (unsigned i = 0; i < ARRAY_SIZE(topics); i++) {
		if (!strcmp(word, topics[i].name)) {
			topics[i].print();
			return PROC_POWEROFF;
		}
	}
	c = command_find(word);
	if (!c)
		return suggest(word);
	snprintf(program, sizeof(program), "vmm %s", c->name);
	return !strcmp(c->name, "help") ? print_commands()
					: c->run(2, (char *[]){ program, (char[]){ "--help" }, NULL });
}

COMMAND(help, "print this, or a table", cmd_help);
