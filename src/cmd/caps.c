/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host and this build can do. One tree of facts, printed as text or
 * as JSON, so that the two cannot differ.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/bus.h>
#include <vmm/cmd.h>
#include <vmm/device.h>
#include <vmm/facts.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/mem.h>
#include <vmm/opt.h>
#include <vmm/regs.h>
#include <vmm/text.h>

struct caps {
	const char *hv;
	struct hv_block_buf attr;
	bool registers, json;
};

static const struct opt rows[] = {
	{ .name = "hv",
	  .arg = "NAME",
	  .help = "only this hypervisor",
	  .kind = OPT_STRING,
	  .offset = offsetof(struct caps, hv) },
	{ .name = "registers",
	  .help = "also the registers of a VM, in the order in which they are restored",
	  .kind = OPT_FLAG,
	  .offset = offsetof(struct caps, registers) },
	{ .name = "json", .help = "as JSON", .kind = OPT_FLAG, .offset = offsetof(struct caps, json) },
	{ .kind = OPT_GROUP, .help = "Features and registers are those of a VM with:" },
	{ .kind = OPT_ATTRS, .offset = offsetof(struct caps, attr) },
};

static const struct opt_set set = {
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.doc = "Print what this host's hypervisors can do, and the devices there are.",
};

/* ---- Facts ---- */

static struct json_object *set_bits(const struct hv_attr_info *a, const struct hv_limit *l)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < a->words * 64u; i++) {
		const char *name = hv_attr_value_name(a, i);

		if (!bit_of(l->bits, i))
			continue;
		if (name)
			json_object_array_add(list, json_object_new_string(name));
		else
			json_object_array_add(
				list, json_object_new_int(a->type == HV_ATTR_SVE_VLS ? (int)(i + 1) * 128 : (int)i));
	}
	return list;
}

static struct json_object *attr_facts(const struct hv_ops *ops, const struct hv_attr_info *a)
{
	struct json_object *o = json_object_new_object();
	struct hv_limit l;
	const char *name = a->kind == HV_CHOICE ? hv_attr_value_name(a, a->value_default) : NULL;

	json_object_object_add(o, "default",
			       name ? json_object_new_string(name) : json_object_new_uint64(a->value_default));
	if (hv_attr_limit(ops, a->type, &l)) {
		json_object_object_add(o, "supported", json_object_new_boolean(0));
		return o;
	}
	if (a->kind == HV_SET || a->kind == HV_CHOICE) {
		json_object_object_add(o, "values", set_bits(a, &l));
		return o;
	}
	json_object_object_add(o, "min", json_object_new_uint64(l.min));
	json_object_object_add(o, "max", json_object_new_uint64(l.max));
	return o;
}

static struct json_object *all_attrs(const struct hv_ops *ops)
{
	struct json_object *o = json_object_new_object();
	const struct hv_attr_info *a;

	for (unsigned i = 0; (a = hv_attr_at(i)); i++)
		json_object_object_add(o, a->name, attr_facts(ops, a));
	return o;
}

static struct json_object *all_caps(const struct hv_ops *ops)
{
	static const uint32_t ids[] = {
#define CAP(id, ...) id,
#include <vmm/cap.def>
	};
	struct json_object *o = json_object_new_object();

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		json_object_object_add(o, hv_cap_name(ids[i]), json_object_new_int(hv_cap(ops, NULL, ids[i])));
	return o;
}

static void add_feature(struct json_object *o, struct hv_vm *vm, struct hv_vcpu *vcpu, const struct hv_reg *r)
{
	char name[HV_REG_TEXT_BYTES];
	uint64_t value = 0;

	if (r->kind == HV_REG_PLAIN || hv_reg_bytes(r->id) > 8 || hv_reg_get(vm, vcpu, r->id, &value))
		return;
	json_object_object_add(o, hv_reg_text(r->id, name, sizeof(name)), facts_string("0x%016" PRIx64, value));
}

static void add_features_of(struct json_object *o, struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	struct hv_reg *regs;
	unsigned count;

	if (!hv_reg_list_new(vm, vcpu, &regs, &count))
		for (unsigned i = 0; i < count; i++)
			add_feature(o, vm, vcpu, &regs[i]);
	free(regs);
}

static struct json_object *all_hypercalls(struct hv_vm *vm)
{
	struct json_object *list = json_object_new_array();
	const struct hypercall *c;
	uint64_t bits;

	for (unsigned i = 0; (c = hypercall_at(i)); i++)
		if (!hv_reg_get(vm, NULL, c->reg, &bits) && bit(bits, c->bit))
			json_object_array_add(list, json_object_new_string(c->name));
	return list;
}

static struct json_object *reg_facts(const struct hv_reg *r)
{
	static const char *const kinds[] = {
		[HV_REG_PLAIN] = "plain",
		[HV_REG_BITMAP] = "bitmap",
		[HV_REG_LEVEL] = "level",
	};
	struct json_object *o = json_object_new_object();
	const char *name = hv_reg_name(r->id);

	json_object_object_add(o, "id", facts_string("0x%" PRIx64, r->id));
	json_object_object_add(o, "name", name ? json_object_new_string(name) : NULL);
	json_object_object_add(o, "bytes", json_object_new_int((int)hv_reg_bytes(r->id)));
	json_object_object_add(o, "scope", json_object_new_string(r->scope == HV_SCOPE_VM ? "VM" : "vCPU"));
	json_object_object_add(o, "kind", json_object_new_string(kinds[r->kind]));
	json_object_object_add(o, "flagged", json_object_new_boolean(r->flagged));
	return o;
}

static void add_registers_of(struct json_object *list, struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	struct hv_reg *regs;
	unsigned count;

	if (!hv_reg_list_new(vm, vcpu, &regs, &count))
		for (unsigned i = 0; i < count; i++)
			json_object_array_add(list, reg_facts(&regs[i]));
	free(regs);
}

static void add_registers(struct json_object *o, struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	struct json_object *list = json_object_new_array();

	add_registers_of(list, vm, NULL);
	add_registers_of(list, vm, vcpu);
	json_object_object_add(o, "registers", list);
}

/* Which models the VM could have been; the trial leaves its registers anything. */
static struct json_object *all_models(struct hv_vm *vm)
{
	struct json_object *o = json_object_new_object();
	const struct hv_model *m;
	char why[1024];

	for (unsigned i = 0; (m = hv_model_at(i)); i++)
		json_object_object_add(
			o, m->name,
			json_object_new_string(hv_model_apply(vm, m->id, why, sizeof(why)) ? why : "yes"));
	return o;
}

/* Features and models exist in a VM only, so make the smallest there is. */
static void add_vm_facts(struct json_object *o, const struct hv_ops *ops, const struct caps *c)
{
	struct hv_block_buf fitted = c->attr;
	struct json_object *features = json_object_new_object();
	struct hv_env env = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	struct hv_vcpu *vcpu;
	struct hv_vm *vm;

	if (env.mem && env.bus && env.loop && !hv_fit_defaults(ops, &fitted) &&
	    !hv_create_vm2(ops, &env, &fitted.block, &vm)) {
		if (!hv_finish(vm) && !hv_vcpu_create(vm, 0, &vcpu) && !hv_vcpu_finalize(vcpu)) {
			add_features_of(features, vm, NULL);
			add_features_of(features, vm, vcpu);
			json_object_object_add(o, "hypercalls", all_hypercalls(vm));
			if (c->registers)
				add_registers(o, vm, vcpu);
			json_object_object_add(o, "models", all_models(vm));
		}
		hv_destroy(vm);
	}
	loop_free(env.loop);
	bus_free(env.bus);
	mem_free(env.mem);
	json_object_object_add(o, "features", features);
}

static struct json_object *backend_facts(const struct hv_ops *ops, const struct caps *c)
{
	bool available;
	struct json_object *o = facts_of_backend(ops, &available);

	if (!available)
		return o;
	json_object_object_add(o, "attributes", all_attrs(ops));
	json_object_object_add(o, "capabilities", all_caps(ops));
	add_vm_facts(o, ops, c);
	return o;
}

static struct json_object *all_devices(void)
{
	struct json_object *list = json_object_new_array();
	const struct device_type *t;

	for (unsigned i = 0; (t = device_type_at(i)); i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name", json_object_new_string(t->name));
		json_object_object_add(o, "help", json_object_new_string(t->help));
		json_object_object_add(o, "board", json_object_new_boolean(t->on_board));
		json_object_array_add(list, o);
	}
	return list;
}

/* Of @only, or of all. */
static struct json_object *all_facts(const struct caps *c, const struct hv_ops *only)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct hv_ops *ops;

	for (unsigned i = 0; (ops = hv_backend_at(i)); i++)
		if (!only || ops == only)
			json_object_array_add(list, backend_facts(ops, c));
	json_object_object_add(o, "hypervisors", list);
	json_object_object_add(o, "devices", all_devices());
	return o;
}

/* ---- Text ---- */

/* The words of @list from column @indent on, broken before column 80. */
static void print_list(struct json_object *list, int indent)
{
	int at = indent;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(list, i));

		if (at > indent && at + (int)strlen(word) + 3 > 80)
			printf(",\n%*s", at = indent, "");
		else
			at += printf("%s", i ? ", " : "");
		at += printf("%s", word);
	}
	puts(json_object_array_length(list) ? "" : "none");
}

static void print_attr(const char *name, struct json_object *a)
{
	struct json_object *values = json_object_object_get(a, "values");

	printf("    %-24s", name);
	if (values)
		print_list(values, 28);
	else if (json_object_object_get(a, "max"))
		printf("%s to %s, default %s\n", facts_get(a, "min"), facts_get(a, "max"), facts_get(a, "default"));
	else
		puts("not known");
}

static void print_pairs(const char *title, struct json_object *pairs)
{
	printf("  %s:\n", title);
	json_object_object_foreach(pairs, name, value) printf("    %-24s%s\n", name, json_object_get_string(value));
}

static void print_register(struct json_object *r)
{
	const char *name = facts_get(r, "name");
	bool flagged = json_object_get_boolean(json_object_object_get(r, "flagged"));

	printf("    %s  %-24s%4s  %-5s %s%s\n", facts_get(r, "id"), name ? name : "-", facts_get(r, "bytes"),
	       facts_get(r, "scope"), facts_get(r, "kind"), flagged ? ", in no table" : "");
}

static void print_backend(struct json_object *b)
{
	struct json_object *models = json_object_object_get(b, "models");
	struct json_object *hypercalls = json_object_object_get(b, "hypercalls");
	struct json_object *registers = json_object_object_get(b, "registers");

	facts_print_backend(b);
	if (!json_object_get_boolean(json_object_object_get(b, "available")))
		return;
	puts("  attributes:");
	json_object_object_foreach(json_object_object_get(b, "attributes"), attr, a) print_attr(attr, a);
	print_pairs("capabilities", json_object_object_get(b, "capabilities"));
	if (hypercalls) {
		printf("  hypercalls: ");
		print_list(hypercalls, 14);
	}
	if (models) {
		puts("  models:");
		json_object_object_foreach(models, model, why)
			text_print(json_object_get_string(why), printf("    %s", model), 28);
	}
	print_pairs("features, all on until restricted", json_object_object_get(b, "features"));
	if (registers)
		puts("  registers, in the order of a restore (id, name, bytes, whose, kind):");
	for (size_t i = 0; registers && i < json_object_array_length(registers); i++)
		print_register(json_object_array_get_idx(registers, i));
}

static void print_text(struct json_object *facts)
{
	struct json_object *list = json_object_object_get(facts, "hypervisors");

	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_backend(json_object_array_get_idx(list, i));
	puts("devices:");
	list = json_object_object_get(facts, "devices");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *d = json_object_array_get_idx(list, i);

		text_print(facts_get(d, "help"), printf("    %s", facts_get(d, "name")), 22);
	}
}

static int cmd_caps(int argc, char **argv)
{
	struct caps c = { 0 };
	const struct hv_ops *only = NULL;
	struct json_object *facts;

	hv_block_init(&c.attr);
	if (opt_parse(&set, argc, argv, &c))
		return PROC_USAGE;
	if (c.hv && (strcmp(c.hv, "auto") ? hv_backend_named(c.hv, &only) : hv_backend_find(NULL, &only)))
		return PROC_USAGE;
	/* What a trial VM is made of is no news. */
	log_set_level(LOG_WARN);
	facts = all_facts(&c, only);
	if (c.json)
		facts_print_json(facts);
	else
		print_text(facts);
	json_object_put(facts);
	return PROC_POWEROFF;
}

COMMAND(caps, "print what this host can do", cmd_caps);
