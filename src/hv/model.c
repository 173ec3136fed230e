/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine models: model.def, written into feature registers like anybody could.
 *
 * All of a model is tried before it is refused, so that the message names
 * everything that is missing and not the first of it.
 */
#include <errno.h>
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

static void apply_row(struct hv_vm *vm, const struct model_reg *row, const struct hv_reg *r, struct hv_why *why)
{
	uint64_t now = 0, want;

	if (hv_reg_bytes(r->id) > sizeof(now) || hv_reg_get(vm, NULL, r->id, &now)) {
		hv_why_add(why, "%s cannot be read", hv_reg_name(r->id));
		return;
	}
	want = (row->value & ~row->attrs) | (now & row->attrs);
	hv_reg_set_why(vm, NULL, r->id, &want, why);
}

/* The guest of a model reads zero where the model has no row, so nothing else will do. */
static void turn_off(struct hv_vm *vm, const struct hv_reg *r, struct hv_why *why)
{
	static const uint8_t zero[HV_REG_BYTES_MAX];

	hv_reg_set_why(vm, NULL, r->id, zero, why);
}

/* A register the backend lacks reads as zero, or its feature is not there: good enough for a row that says 0. */
static void check_absent(enum model_id model, const struct hv_reg *regs, unsigned count, struct hv_why *why)
{
	for (unsigned i = 0; i < ARRAY_SIZE(model_regs); i++) {
		const struct model_reg *row = &model_regs[i];

		if (row->model == model && row->value && !hv_reg_is_listed(regs, count, reg_ids[row->reg]))
			hv_why_add(why, "%s is not there", hv_reg_name(reg_ids[row->reg]));
	}
}

/* All that stands against it: @fit of what the model names, @more of what it does not. */
static void apply(struct hv_vm *vm, enum model_id model, const struct hv_reg *regs, unsigned count,
		  struct hv_why *fit, struct hv_why *more)
{
	for (unsigned i = 0; i < count; i++) {
		const struct model_reg *row = row_of(model, regs[i].id);

		if (regs[i].kind != HV_REG_PLAIN && row)
			apply_row(vm, row, &regs[i], fit);
		else if (regs[i].kind != HV_REG_PLAIN)
			turn_off(vm, &regs[i], more);
	}
	check_absent(model, regs, count, fit);
}

int hv_model_apply(struct hv_vm *vm, uint32_t id, char *why, size_t bytes)
{
	struct hv_why fit = { 0 }, more = { 0 };
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
	apply(vm, (enum model_id)id, regs, count, &fit, &more);
	free(regs);
	if (fit.count)
		text_add(why, bytes, "%s", hv_why_end(&fit));
	if (more.count)
		text_add_item(why, bytes, "; ", "not in the model, so to be read as zero: %s", hv_why_end(&more));
	return why[0] ? -ENOTSUP : 0;
}
