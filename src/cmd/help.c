/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the tables of the house; nothing here is a list of its own but the topics. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vmm/char.h>
#include <vmm/cmd.h>
#include <vmm/device.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/log.h>
#include <vmm/opt.h>
#include <vmm/regs.h>
#include <vmm/text.h>

static void help_attrs(void)
{
	const struct hv_attr_info *a;

	puts("Attributes of a VM: how it is created and what a snapshot keeps.\n");
	for (unsigned i = 0; (a = hv_attr_at(i)); i++) {
		const char *name = hv_attr_value_name(a, a->value_default);
		int at = printf("0x%04x  %-12s", a->type, a->name);
		char text[256], value[32];

		if (a->option)
			at += printf("--%s=%s", a->option, a->arg);
		snprintf(value, sizeof(value), "%" PRIu64, a->value_default);
		snprintf(text, sizeof(text), "%s (%s, default %s)", a->help, a->unit,
			 a->kind == HV_CHOICE && name ? name : value);
		text_print(text, at, 44);
	}
}

static void print_options(const struct device_option *o, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		text_print(o[i].help,
			   printf("%20s%s=%s%s", "", o[i].name, o[i].arg, o[i].kind == DEVICE_LIST ? "..." : ""), 44);
}

static void print_device(const struct device_type *t)
{
	const char *there = t->on_board ? "(board)" : t->with_firmware ? "(--firmware)" : "";

	text_print(t->help, printf("%-16s%s", t->name, there), 20);
	if (t->option)
		printf("%20s--%s %s\n", "", t->option, t->arg);
	for (unsigned k = 0; k < t->range_count; k++)
		printf("%20s0x%08" PRIx64 " +0x%" PRIx64 "\n", "", t->ranges[k].base, t->ranges[k].bytes);
	if (t->has_spi)
		printf("%20sSPI %u\n", "", t->spi);
	print_options(t->options, t->option_count);
	for (unsigned k = 0; t->end_at && t->end_at(k); k++) {
		const struct device_end *e = t->end_at(k);

		text_print(e->help,
			   printf("%18s%s%s", "", e->name,
				  !strcmp(e->name, t->end_default ? t->end_default : "") ? " (default)" : ""),
			   36);
		print_options(e->options, e->option_count);
	}
}

static void help_devices(void)
{
	const struct device_type *t;
	const struct chardev_type *c;

	puts("Devices. Those of the board are always there; add others with\n"
	     "--device NAME[,KEY=VALUE...], or by their own option. A KEY with ... may be\n"
	     "given many times. A comma in a VALUE is written twice. Devices in virtio-mmio\n"
	     "slots have slot=N (the lowest free).\n");
	for (unsigned i = 0; (t = device_type_at(i)); i++)
		print_device(t);
	puts("\nEnds of --console:\n");
	for (unsigned i = 0; (c = chardev_type_at(i)); i++)
		text_print(c->help, printf("%s%s%s", c->name, c->arg ? ":" : "", c->arg ? c->arg : ""), 20);
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
		text_print(status[i].text, printf("%3d  %s", status[i].status, status[i].name), 16);
	puts("\nWhy a vCPU leaves the guest:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(reason); i++)
		text_print(reason[i].text, printf("     %s", reason[i].name), 16);
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
	const struct hypercall *c;

	puts("Hypercalls that --hypercalls=NAME,... gives or takes away (`vmm caps' says who\n"
	     "has what). What a guest does not have answers NOT_SUPPORTED, and no discovery\n"
	     "shows it. PSCI is always there.\n");
	for (unsigned i = 0; (c = hypercall_at(i)); i++)
		text_print(c->text, printf("    %s", c->name), 26);
	puts("\nHypercalls (HVC #0, SMC calling convention) the software hypervisor answers.\n");
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

	puts("Capabilities of a hypervisor (`vmm caps' says who has them). The interface is\n"
	     "unstable as long as core-api-stable is 0.\n");
	for (unsigned i = 0; i < ARRAY_SIZE(cap); i++)
		text_print(cap[i].text, printf("%3u  %s", cap[i].id, cap[i].name), 24);
}

enum {
#define MODEL(id, NAME, ...) MODEL_##NAME = (id),
#include <vmm/model.def>
};

static void print_model_reg(const char *name, uint64_t value, uint64_t attrs)
{
	printf("        %-24s0x", name);
	for (int shift = 60; shift >= 0; shift -= 4)
		printf(attrs >> shift & 0xf ? "-" : "%" PRIx64, value >> shift & 0xf);
	putchar('\n');
}

static void help_models(void)
{
	static const struct {
		uint32_t id;
		const char *reg;
		uint64_t value, attrs;
	} row[] = {
#define MODEL_REG(NAME, reg, value, attrs) { MODEL_##NAME, #reg, value, attrs },
#include <vmm/model.def>
	};
	const struct hv_model *m;

	puts("Models: what the guest sees, by name (--model). All but max never change, so\n"
	     "that a VM looks the same on a later vmm. Digits marked - are decided by other\n"
	     "options.\n");
	for (unsigned i = 0; (m = hv_model_at(i)); i++) {
		text_print(m->help, printf("%s", m->name), 8);
		for (unsigned k = 0; k < ARRAY_SIZE(row); k++)
			if (row[k].id == m->id)
				print_model_reg(row[k].reg, row[k].value, row[k].attrs);
	}
}

struct reg_help {
	const char *name;
	uint64_t id;
	bool vm, feature;
};

static void print_registers(const struct reg_help *reg, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		printf("%-24s", reg[i].name);
		if (reg[i].id == REG_NO_ID)
			puts("-");
		else
			printf("0x%016" PRIx64 "  %s%s\n", reg[i].id, reg[i].vm ? "VM" : "vCPU",
			       reg[i].feature ? ", feature" : "");
	}
}

static void help_registers(void)
{
#define VM   true
#define VCPU false
	static const struct reg_help own[] = {
#define REG(NAME, enc, id, scope, gdb, access, el0, feat, reset, mask, read, write, flags) \
	{ #NAME, id, scope, ((flags)&REG_FEATURE) != 0 },
#include <vmm/regs.def>
	};
	static const struct reg_help others[] = {
#define REG_KVM(NAME, id, scope, flags) { #NAME, id, scope, ((flags)&REG_FEATURE) != 0 },
#include <vmm/regs-kvm.def>
	};
#undef VM
#undef VCPU

	puts("Registers. Those with an id can be read and written from outside, in this order.\n");
	print_registers(own, ARRAY_SIZE(own));
	puts("\nThe software CPU does not have these; a VM of another hypervisor may.\n");
	print_registers(others, ARRAY_SIZE(others));
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
	{ "models", "what the guest sees, by name", help_models },
	{ "registers", "registers, their ids and whose they are", help_registers },
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
