/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine models: model.def, written into feature registers like anybody could.
 *
 * All of a model is tried before it is refused, so that the message names
 * everything that is missing and not the first of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/hv.h>
#include <vmm/regs.h>
#include <vmm/text.h>

static const struct hv_model models[] = {
#define MODEL(id_, NAME, name_, text) { .id = (id_), .name = #name_, .help = (text) },
#include <vmm/model.def>
};

enum model_id {
#define MODEL(id, NAME, ...) MODEL_##NAME = (id),
#include <vmm/model.def>
};

enum reg_index {
#define REG(NAME, ...) INDEX_##NAME,
#include <vmm/regs.def>
	INDEX_COUNT
};

static const uint64_t reg_ids[INDEX_COUNT] = {
#define REG(NAME, enc, id, ...) [INDEX_##NAME] = (id),
#include <vmm/regs.def>
};

static const struct model_reg {
	enum model_id model;
	enum reg_index reg;
	uint64_t value, attrs;
} model_regs[] = {
#define MODEL_REG(model_, reg_, value_, attrs_) \
	{ .model = MODEL_##model_, .reg = INDEX_##reg_, .value = (value_), .attrs = (attrs_) },
#include <vmm/model.def>
};

const struct hv_model *hv_model_at(unsigned i) { return i < ARRAY_SIZE(models) ? &models[i] : NULL; }

static const struct model_reg *row_of(enum model_id model, uint64_t id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(model_regs); i++)
		if (model_regs[i].model == model && reg_ids[model_regs[i].reg] == id)
			return &model_regs[i];
	return NULL;
}

static void apply_reg(struct hv_vm *vm, enum model_id model, const struct hv_reg *r, char *why, size_t bytes)
{
	const struct model_reg *row = row_of(model, r->id);
	uint64_t now = 0, want = row ? row->value : 0, attrs = row ? row->attrs : 0;
	const char *name = hv_reg_name(r->id);
	char id[24];

	snprintf(id, sizeof(id), "0x%" PRIx64, r->id);
	if (hv_reg_bytes(r->id) > sizeof(now) || hv_reg_get(vm, NULL, r->id, &now)) {
		text_add_item(why, bytes, ", ", "%s cannot be read", name ? name : id);
		return;
	}
	want = (want & ~attrs) | (now & attrs);
	if (hv_reg_set(vm, NULL, r->id, &want))
		text_add_item(why, bytes, ", ", "%s is 0x%" PRIx64 " and cannot be 0x%" PRIx64, name ? name : id, now,
			      want);
}

static bool is_listed(const struct hv_reg *regs, unsigned count, uint64_t id)
{
	for (unsigned i = 0; i < count; i++)
		if (regs[i].id == id)
			return true;
	return false;
}

/* A register the backend lacks reads as zero, or its feature is not there: good enough for a row that says 0. */
static void check_absent(enum model_id model, const struct hv_reg *regs, unsigned count, char *why, size_t bytes)
{
	for (unsigned i = 0; i < ARRAY_SIZE(model_regs); i++) {
		const struct model_reg *row = &model_regs[i];

		if (row->model == model && row->value && !is_listed(regs, count, reg_ids[row->reg]))
			text_add_item(why, bytes, ", ", "%s is not there", hv_reg_name(reg_ids[row->reg]));
	}
}

int hv_model_apply(struct hv_vm *vm, uint32_t id, char *why, size_t bytes)
{
	struct hv_reg *regs;
	unsigned count;
	int err;

	why[0] = 0;
	if (id == MODEL_MAX)
		return 0;
	err = hv_reg_list_new(vm, NULL, &regs, &count);
	if (err) {
		snprintf(why, bytes, "its registers cannot be listed");
		return err;
	}
	for (unsigned i = 0; i < count; i++)
		if (regs[i].kind != HV_REG_PLAIN)
			apply_reg(vm, (enum model_id)id, &regs[i], why, bytes);
	check_absent((enum model_id)id, regs, count, why, bytes);
	free(regs);
	return why[0] ? -ENOTSUP : 0;
}
