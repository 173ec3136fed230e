/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refusals of feature registers, field by field.
 *
 * A backend says that a value is refused and not what of it, so the fields are tried
 * one after another, each on top of those that were taken: what has been lowered is
 * never raised again, which a backend may refuse for itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vmm/hv.h>
#include <vmm/regs.h>
#include <vmm/text.h>

static const struct field {
	const char *reg, *name;
	unsigned char msb, lsb;
} fields[] = {
#define REG_FIELD(reg_, field_, msb_, lsb_) { .reg = #reg_, .name = #field_, .msb = (msb_), .lsb = (lsb_) },
#include <vmm/reg-field.def>
};

static uint64_t mask_of(const struct field *f) { return (~UINT64_C(0) >> (63 - f->msb + f->lsb)) << f->lsb; }

/*
 * The highest field in which there is a bit of @diff, not 0. A register without rows is one field without a name,
 * and of bits that nobody has named those are one that differ.
 */
static struct field highest(const char *reg, uint64_t diff)
{
	unsigned top = 63 - (unsigned)__builtin_clzll(diff);

	for (unsigned i = 0; reg && i < ARRAY_SIZE(fields); i++) {
		struct field f = fields[i];

		if (strcmp(f.reg, reg) || f.lsb > top || top > f.msb)
			continue;
		if (!strncmp(f.name, "RES", 3)) {
			f.msb = (unsigned char)top;
			f.lsb = (unsigned char)__builtin_ctzll(diff & mask_of(&fields[i]));
		}
		return f;
	}
	return (struct field){ .msb = 63 };
}

const char *hv_reg_text(uint64_t id, char *text, size_t bytes)
{
	const char *name = hv_reg_name(id);

	if (name)
		snprintf(text, bytes, "%s", name);
	else
		snprintf(text, bytes, "0x%" PRIx64, id);
	return text;
}

/* "ID_AA64ISAR0_EL1.RNDR", "ID_AA64ISAR0_EL1[27:24]", "REVIDR_EL1" */
static void spell_field(uint64_t id, const struct field *f, char *text, size_t bytes)
{
	hv_reg_text(id, text, bytes);
	if (!f->name)
		return;
	if (strncmp(f->name, "RES", 3))
		text_add(text, bytes, ".%s", f->name);
	else if (f->msb > f->lsb)
		text_add(text, bytes, "[%u:%u]", f->msb, f->lsb);
	else
		text_add(text, bytes, "[%u]", f->msb);
}

#define WHY_NAMED 4

void hv_why_add(struct hv_why *why, const char *fmt, ...)
{
	char reason[128];
	va_list ap;

	if (why->count++ >= WHY_NAMED)
		return;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	text_add_item(why->text, sizeof(why->text), ", ", "%s", reason);
}

const char *hv_why_end(struct hv_why *why)
{
	if (why->count > WHY_NAMED)
		text_add(why->text, sizeof(why->text), " and %u more", why->count - WHY_NAMED);
	return why->text;
}

/* As the Arm ARM writes small values; of whole registers always hex. */
static const char *spell_value(const struct field *f, uint64_t v, char *text, size_t bytes)
{
	v = bits(v, f->msb, f->lsb);
	snprintf(text, bytes, v < 10 && f->name ? "%" PRIu64 : "0x%" PRIx64, v);
	return text;
}

static void add_field(struct hv_why *why, uint64_t id, const struct field *f, uint64_t now, uint64_t want)
{
	char name[64], is[24], cannot[24];

	spell_field(id, f, name, sizeof(name));
	hv_why_add(why, "%s is %s and cannot be %s", name, spell_value(f, now, is, sizeof(is)),
		   spell_value(f, want, cannot, sizeof(cannot)));
}

/* Writes @want over @now, field by field, highest first; how many were refused. */
static unsigned try_fields(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, uint64_t now, uint64_t want,
			   struct hv_why *why)
{
	const char *reg = hv_reg_name(id);
	unsigned refused = 0;

	for (uint64_t left = now ^ want; left;) {
		const struct field f = highest(reg, left);
		uint64_t mask = mask_of(&f), next = (now & ~mask) | (want & mask);

		left &= ~mask;
		if (!hv_reg_set(vm, vcpu, id, &next)) {
			now = next;
			continue;
		}
		add_field(why, id, &f, now, want);
		refused++;
	}
	return refused;
}

int hv_reg_set_why(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value, struct hv_why *why)
{
	int err = hv_reg_set(vm, vcpu, id, value);
	char name[HV_REG_TEXT_BYTES];
	uint64_t now = 0, want = 0;

	if (!err)
		return 0;
	hv_reg_text(id, name, sizeof(name));
	if (err == -ENOENT) {
		hv_why_add(why, "%s is not there", name);
		return err;
	}
	if (hv_reg_bytes(id) > sizeof(now) || hv_reg_get(vm, vcpu, id, &now)) {
		hv_why_add(why, "%s is refused (%s)", name, strerror(-err));
		return err;
	}
	memcpy(&want, value, hv_reg_bytes(id));
	return try_fields(vm, vcpu, id, now, want, why) ? err : 0;
}
