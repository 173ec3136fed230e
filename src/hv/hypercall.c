/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spec/psci.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/log.h>
#include <vmm/opt.h>
#include <vmm/regs.h>
#include <vmm/text.h>

#define ALWAYS true
#define NEVER  false
static const struct hypercall table[] = {
#define HYPERCALL(reg_, bit_, name_, absent_, text_) { REG_ID_BMAP(reg_), bit_, absent_, #name_, text_ },
#include <vmm/hypercall.def>
};
#undef ALWAYS
#undef NEVER

const struct hypercall *hypercall_at(unsigned i) { return i < ARRAY_SIZE(table) ? &table[i] : NULL; }

static const char *name_of(uint64_t reg, unsigned bit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].reg == reg && table[i].bit == bit)
			return table[i].name;
	return NULL;
}

const char *hypercall_bits_text(uint64_t reg, uint64_t bits, char *text, size_t bytes)
{
	text[0] = 0;
	for (unsigned n = 0; n < 64; n++) {
		const char *name = name_of(reg, n);

		if (!bit(bits, n))
			continue;
		if (name)
			text_add_item(text, bytes, ", ", "%s", name);
		else
			text_add_item(text, bytes, ", ", "bit %u", n);
	}
	if (!text[0])
		snprintf(text, bytes, "none");
	return text;
}

/* ---- The wish ---- */

static int parse_name(const char *text, const char *name, struct hypercalls *h)
{
	const char *names[ARRAY_SIZE(table)], *near;
	char all[200] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		if (!strcmp(table[i].name, name)) {
			h->rows |= UINT64_C(1) << i;
			return 0;
		}
		names[i] = table[i].name;
		text_add_item(all, sizeof(all), ", ", "%s", table[i].name);
	}
	near = opt_nearest(name, names, ARRAY_SIZE(table));
	return log_err(-EINVAL, "--hypercalls=%s: no hypercall is named \"%s\"; %s%s%sthere are all, none, %s", text,
		       name, near ? "did you mean " : "", near ? near : "", near ? "? " : "", all);
}

int hypercalls_parse(const char *text, struct hypercalls *h)
{
	char name[32];
	int err = 0;

	*h = (struct hypercalls){ .restricted = strcmp(text, "all") };
	if (!h->restricted || !strcmp(text, "none"))
		return 0;
	for (const char *p = text, *end; !err; p = end + 1) {
		end = strchrnul(p, ',');
		snprintf(name, sizeof(name), "%.*s", (int)(end - p), p);
		err = parse_name(text, name, h);
		if (!*end)
			break;
	}
	return err;
}

static uint64_t wanted_of(const struct hypercalls *h, uint64_t reg)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].reg == reg && bit(h->rows, i))
			bits |= UINT64_C(1) << table[i].bit;
	return bits;
}

/* ---- Its way into the registers ---- */

/* Older ones have no way to start a CPU or to power off that a guest could find out. */
static int check_psci(struct hv_vm *vm)
{
	uint64_t version = 0;
	int err = hv_reg_get(vm, NULL, REG_ID_FW(0), &version);

	if (err || version >= PSCI_VERSION_0_2)
		return err == -ENOENT ? 0 : err;
	return log_err(-ENOTSUP,
		       "hypervisor %s has PSCI %" PRIu64 ".%" PRIu64 " here, guests need 0.2; use another --hv",
		       vm->ops->name, version >> 16, version & 0xffff);
}

/* All that is missing at once, so that the user need not try one after another. */
static int check_wanted(struct hv_vm *vm, const struct hypercalls *h, const struct hv_reg *regs, unsigned count)
{
	char missing[200] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		const struct hypercall *c = &table[i];
		uint64_t now = 0;

		if (!bit(h->rows, i) || (c->always && !hv_reg_is_listed(regs, count, c->reg)))
			continue;
		if (hv_reg_get(vm, NULL, c->reg, &now) || !bit(now, c->bit))
			text_add_item(missing, sizeof(missing), ", ", "%s", c->name);
	}
	return missing[0]
		       ? log_err(-ENOTSUP,
				 "--hypercalls: hypervisor %s has no %s here; leave that out, `vmm caps' says what it has",
				 vm->ops->name, missing)
		       : 0;
}

static void warn_of_unrestricted(const struct hv_vm *vm, const struct hypercalls *h, const struct hv_reg *regs,
				 unsigned count)
{
	char names[200] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].always && !bit(h->rows, i) && !hv_reg_is_listed(regs, count, table[i].reg))
			text_add_item(names, sizeof(names), ", ", "%s", table[i].name);
	if (names[0])
		log_warn("--hypercalls: %s cannot be restricted on this kernel, which has no register for that; the "
			 "guest finds what hypervisor %s has",
			 names, vm->ops->name);
}

static int negotiate(struct hv_vm *vm, const struct hypercalls *h, uint64_t reg)
{
	uint64_t need = wanted_of(h, reg), got;
	int err = hv_negotiate(vm, reg, h->restricted ? need : UINT64_MAX, need, &got);
	char name[HV_REG_TEXT_BYTES], text[200];

	if (!err)
		log_debug("hypercalls: %s: %s", hv_reg_text(reg, name, sizeof(name)),
			  hypercall_bits_text(reg, got, text, sizeof(text)));
	return err;
}

int hypercalls_apply(struct hv_vm *vm, const struct hypercalls *h, bool say)
{
	struct hv_reg *regs;
	unsigned count;
	int err = hv_reg_list_new(vm, NULL, &regs, &count);

	if (err)
		log_err(err, "hypervisor %s does not list its feature registers: %s", vm->ops->name, strerror(-err));
	else
		err = check_psci(vm);
	if (!err && h->restricted)
		err = check_wanted(vm, h, regs, count);
	if (!err && h->restricted && say)
		warn_of_unrestricted(vm, h, regs, count);
	for (unsigned i = 0; i < count && !err; i++)
		if (regs[i].kind == HV_REG_BITMAP)
			err = negotiate(vm, h, regs[i].id);
	free(regs);
	return err;
}
