/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is the same for every hypervisor: attribute blocks, the half-created
 * VM, capabilities that cannot lie, features that are all on until restricted.
 * Backends are asked only for what has passed these rules.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/jit.h>
#include <vmm/log.h>
#include <vmm/regs.h>
#include <vmm/text.h>

REGISTRY(backend, const struct hv_ops);

static const struct hv_attr_info attrs[] = {
#define VM_ATTR(id, NAME, name_, words_, kind_, min_, default_, unit_, option_, arg_, help_) \
	{ .type = (id),                                                                      \
	  .words = (words_),                                                                 \
	  .kind = HV_##kind_,                                                                \
	  .min = (min_),                                                                     \
	  .value_default = (default_),                                                       \
	  .name = #name_,                                                                    \
	  .unit = (unit_),                                                                   \
	  .option = (option_),                                                               \
	  .arg = (arg_),                                                                     \
	  .help = (help_),                                                                   \
	  .offset = offsetof(struct hv_values, NAME) },
#include <vmm/vm-attr.def>
};

static const struct cap_info {
	uint32_t id;
	const char *name;
	size_t op; /* offset in struct hv_ops of what it needs */
} caps[] = {
#define CAP(id_, NAME, name_, op_, text) { (id_), #name_, offsetof(struct hv_ops, op_) },
#include <vmm/cap.def>
};

const struct hv_attr_info *hv_attr_at(unsigned i) { return i < ARRAY_SIZE(attrs) ? &attrs[i] : NULL; }

const struct hv_attr_info *hv_attr_info(uint16_t type)
{
	for (unsigned i = 0; i < ARRAY_SIZE(attrs); i++)
		if (attrs[i].type == type)
			return &attrs[i];
	return NULL;
}

static const struct {
	unsigned bit;
	const char *name;
} features[] = {
#define VM_FEATURE(bit_, NAME, name_, help) { .bit = (bit_), .name = #name_ },
#include <vmm/vm-attr.def>
};

const char *hv_attr_value_name(const struct hv_attr_info *a, uint64_t n)
{
	const struct hv_model *m;

	if (a->type == HV_ATTR_CAPS)
		return n <= UINT32_MAX ? hv_cap_name((uint32_t)n) : NULL;
	for (unsigned i = 0; a->type == HV_ATTR_MODEL && (m = hv_model_at(i)); i++)
		if (m->id == n)
			return m->name;
	for (unsigned i = 0; a->type == HV_ATTR_FEATURES && i < ARRAY_SIZE(features); i++)
		if (features[i].bit == n)
			return features[i].name;
	return NULL;
}

static uint64_t *value_of(struct hv_values *v, const struct hv_attr_info *info)
{
	return (uint64_t *)(void *)((char *)v + info->offset);
}

/* ---- Backends and capabilities ---- */

/* The @i-th by falling rank, then by name: the link order does not matter. */
const struct hv_ops *hv_backend_at(unsigned i)
{
	FOR_EACH_REGISTERED (backend, const struct hv_ops, b) {
		unsigned before = 0;

		FOR_EACH_REGISTERED (backend, const struct hv_ops, other)
			before += (*other)->rank > (*b)->rank ||
				  ((*other)->rank == (*b)->rank && strcmp((*other)->name, (*b)->name) < 0);
		if (before == i)
			return *b;
	}
	return NULL;
}

static void backend_names(char *text, size_t bytes)
{
	const struct hv_ops *ops;

	text[0] = 0;
	for (unsigned i = 0; (ops = hv_backend_at(i)); i++)
		text_add(text, bytes, ", %s", ops->name);
}

int hv_backend_named(const char *name, const struct hv_ops **found)
{
	const struct hv_ops *ops;
	char names[160];

	for (unsigned i = 0; (ops = hv_backend_at(i)); i++) {
		if (!strcmp(ops->name, name)) {
			*found = ops;
			return 0;
		}
	}
	backend_names(names, sizeof(names));
	return log_err(-ENOENT, "--hv=%s: no such hypervisor; there are auto%s", name, names);
}

static int find_best(const struct hv_ops **found)
{
	const struct hv_ops *ops;
	int err = -ENOENT;
	char why[160] = "";

	for (unsigned i = 0; (ops = hv_backend_at(i)); i++) {
		err = ops->available(why, sizeof(why));
		if (!err) {
			*found = ops;
			return 0;
		}
	}
	return log_err(err, "--hv=auto: no hypervisor is available here: %s", why);
}

int hv_backend_find(const char *name, const struct hv_ops **found)
{
	const struct hv_ops *ops;
	char why[160] = "";
	int err;

	if (!name || !strcmp(name, "auto"))
		return find_best(found);
	err = hv_backend_named(name, &ops);
	if (err)
		return err;
	err = ops->available(why, sizeof(why));
	if (err)
		return log_err(err, "--hv=%s: not available here: %s; use --hv=auto", name, why);
	*found = ops;
	return 0;
}

const char *hv_cap_name(uint32_t cap)
{
	for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
		if (caps[i].id == cap)
			return caps[i].name;
	return NULL;
}

int hv_cap(const struct hv_ops *ops, const struct hv_vm *vm, uint32_t cap)
{
	int value;

	for (unsigned i = 0; i < ARRAY_SIZE(caps); i++) {
		void (*op)(void);

		if (caps[i].id != cap)
			continue;
		memcpy(&op, (const char *)ops + caps[i].op, sizeof(op));
		if (!op || cap == HV_CAP_CORE_API_STABLE)
			return 0;
		value = ops->check_cap(vm, cap);
		return value > 0 ? value : 0;
	}
	return 0;
}

/* Asked of a backend that may be unavailable, so not through hv_cap(). */
int hv_host_check(const struct hv_ops *ops, unsigned i, struct hv_check *check)
{
	memset(check, 0, sizeof(*check));
	return ops->host_check ? ops->host_check(i, check) : -ENOENT;
}

/* ---- Blocks ---- */

void hv_block_init(struct hv_block_buf *b)
{
	memset(b, 0, sizeof(*b));
	b->block.size = sizeof(b->block);
}

int hv_block_add(struct hv_block_buf *b, uint16_t type, const uint64_t *payload, unsigned words)
{
	struct hv_attr *a = (struct hv_attr *)(void *)((char *)b + b->block.size);
	size_t size = sizeof(*a) + (size_t)words * 8;

	if (size > sizeof(*b) - b->block.size)
		return -ENOSPC;
	*a = (struct hv_attr){ .type = type, .size = (uint16_t)size };
	memcpy(a->payload, payload, (size_t)words * 8);
	b->block.size += (uint32_t)size;
	return 0;
}

static bool is_at(const struct hv_block *b, const struct hv_attr *a)
{
	return (size_t)((const char *)a - (const char *)b) < b->size;
}

struct hv_attr *hv_block_next(const struct hv_block *b, const struct hv_attr *a)
{
	const char *p = a ? (const char *)a + a->size : (const char *)(b + 1);
	const struct hv_attr *next = (const struct hv_attr *)(const void *)p;

	return is_at(b, next) ? (struct hv_attr *)(uintptr_t)next : NULL;
}

void hv_block_drop_absent(struct hv_block_buf *b)
{
	struct hv_attr *a = hv_block_next(&b->block, NULL);

	while (a && is_at(&b->block, a)) {
		char *after = (char *)a + a->size, *end = (char *)b + b->block.size;

		if (a->reserved == HV_ATTR_ABSENT) {
			b->block.size -= a->size;
			memmove(a, after, (size_t)(end - after));
		} else {
			a = hv_block_next(&b->block, a);
		}
	}
}

int hv_block_check(const void *bytes, size_t len)
{
	const struct hv_block *b = bytes;
	size_t at = sizeof(*b);

	if (len < sizeof(*b) || b->size < sizeof(*b) || b->size > len || b->size > HV_BLOCK_BYTES_MAX || b->size % 8)
		return log_err(-EINVAL, "attribute block: its size is wrong");
	if (b->reserved)
		return log_err(-EINVAL, "attribute block: a reserved field of the header is not 0");
	for (unsigned i = 0; at < b->size; i++) {
		const struct hv_attr *a = (const struct hv_attr *)(const void *)((const char *)bytes + at);

		if (b->size - at < sizeof(*a) || a->size < sizeof(*a) || a->size % 8 || a->size > b->size - at)
			return log_err(-EINVAL, "attribute block: the size of attribute number %u is wrong", i);
		if (a->reserved)
			return log_err(
				-EINVAL,
				"attribute block: a reserved field of attribute number %u (type 0x%x) is not 0", i,
				a->type);
		at += a->size;
	}
	return 0;
}

static unsigned attr_words(const struct hv_attr *a) { return (a->size - sizeof(*a)) / 8; }

/* No type twice. Quadratic in at most 256 attributes. */
static int check_twice(const struct hv_block *b)
{
	unsigned index = 0;

	for (struct hv_attr *a = hv_block_next(b, NULL); a; a = hv_block_next(b, a), index++)
		for (struct hv_attr *o = hv_block_next(b, NULL); o != a; o = hv_block_next(b, o))
			if (o->type == a->type)
				return log_err(
					-EINVAL,
					"attribute block: type 0x%x is there twice, the second time as number %u",
					a->type, index);
	return 0;
}

static int check_tail(const struct hv_attr_info *info, const uint64_t *payload, unsigned words)
{
	for (unsigned i = info->words; i < words; i++)
		if (payload[i])
			return log_err(-EINVAL, "attribute %s: word %u is 0x%" PRIx64 ", but only %u are known here",
				       info->name, i, payload[i], info->words);
	return 0;
}

static int check_block(const struct hv_block *b)
{
	int err = hv_block_check(b, b->size);

	return err ? err : check_twice(b);
}

/* ---- Attributes ---- */

static uint64_t caps_here(const struct hv_ops *ops, const struct hv_vm *vm)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(caps); i++)
		if (hv_cap(ops, vm, caps[i].id))
			set |= UINT64_C(1) << caps[i].id;
	return set;
}

/* A model that a backend cannot provide is refused at finish; one that cannot write features has none to choose. */
static uint64_t models_here(const struct hv_ops *ops)
{
	uint64_t set = UINT64_C(1) << hv_attr_info(HV_ATTR_MODEL)->value_default;
	const struct hv_model *m;

	for (unsigned i = 0; hv_cap(ops, NULL, HV_CAP_MODEL) && (m = hv_model_at(i)); i++)
		set |= UINT64_C(1) << m->id;
	return set;
}

int hv_attr_limit(const struct hv_ops *ops, uint16_t type, struct hv_limit *limit)
{
	const struct hv_attr_info *info = hv_attr_info(type);

	if (!info)
		return -ENOENT;
	memset(limit, 0, sizeof(*limit));
	limit->min = info->min;
	if (type == HV_ATTR_CAPS) {
		limit->bits[0] = caps_here(ops, NULL);
		return 0;
	}
	if (type == HV_ATTR_MODEL) {
		limit->bits[0] = models_here(ops);
		return 0;
	}
	return ops->attr_limit(type, limit);
}

static uint64_t highest_bit(uint64_t v) { return v ? 63 - (uint64_t)__builtin_clzll(v) : 0; }

/* As much as the backend has, as a value that can be set. */
static void best_value(const struct hv_attr_info *info, const struct hv_limit *l, uint64_t *value)
{
	memset(value, 0, info->words * sizeof(*value));
	switch (info->kind) {
	case HV_NUMBER:
	case HV_SWITCH: value[0] = l->max; break;
	case HV_CHOICE: value[0] = highest_bit(l->bits[0]); break;
	case HV_SET: memcpy(value, l->bits, info->words * sizeof(*value)); break;
	}
}

int hv_probe(const struct hv_ops *ops, struct hv_block *b)
{
	uint64_t best[HV_ATTR_WORDS_MAX];
	struct hv_limit limit;
	int err = check_block(b);

	if (err)
		return err;
	for (struct hv_attr *a = hv_block_next(b, NULL); a; a = hv_block_next(b, a)) {
		const struct hv_attr_info *info = hv_attr_info(a->type);
		unsigned words = attr_words(a);

		memset(a->payload, 0, words * sizeof(a->payload[0]));
		if (!info || hv_attr_limit(ops, a->type, &limit)) {
			a->reserved = HV_ATTR_ABSENT;
			continue;
		}
		best_value(info, &limit, best);
		memcpy(a->payload, best, (words < info->words ? words : info->words) * sizeof(best[0]));
	}
	return 0;
}

/* "--ipa-bits", or "attribute caps" where there is no option. */
static const char *spell_name(const struct hv_attr_info *info, char *text, size_t bytes)
{
	snprintf(text, bytes, "%s%s", info->option ? "--" : "attribute ", info->option ? info->option : info->name);
	return text;
}

/* "--ipa-bits=52" */
static const char *spell(const struct hv_attr_info *info, const uint64_t *value, char *text, size_t bytes)
{
	spell_name(info, text, bytes);
	if (info->kind != HV_SET) {
		const char *how = info->kind == HV_SWITCH && value[0] < 2 ? value[0] ? "on" : "off"
									  : hv_attr_value_name(info, value[0]);

		if (how)
			text_add(text, bytes, "=%s", how);
		else
			text_add(text, bytes, "=%" PRIu64, value[0]);
		return text;
	}
	if (info->type == HV_ATTR_CAPS) {
		text_add(text, bytes, "=0x%" PRIx64, value[0]);
		return text;
	}
	for (unsigned i = 0, n = 0; i < info->words * 64u; i++) {
		const char *name = hv_attr_value_name(info, i);

		if (bit_of(value, i) && name)
			text_add(text, bytes, "%s%s", n++ ? "," : "=", name);
		else if (bit_of(value, i))
			text_add(text, bytes, "%s%u", n++ ? "," : "=", (i + 1) * 128);
	}
	return text;
}

/* The bits of a set in words: vector lengths in bits, what has a name by name. */
static void spell_bits(const struct hv_attr_info *info, const uint64_t *set, char *text, size_t bytes)
{
	text[0] = 0;
	for (unsigned i = 0; i < info->words * 64u; i++) {
		const char *name = hv_attr_value_name(info, i);

		if (!bit_of(set, i))
			continue;
		if (info->type == HV_ATTR_SVE_VLS)
			text_add_item(text, bytes, ", ", "%u", (i + 1) * 128);
		else if (name)
			text_add_item(text, bytes, ", ", "%s", name);
		else
			text_add_item(text, bytes, ", ", "%u", i);
	}
	if (!text[0])
		snprintf(text, bytes, "none");
}

static int refuse_set(const struct hv_ops *ops, const struct hv_attr_info *info, const struct hv_limit *l,
		      const uint64_t *value)
{
	uint64_t missing[HV_ATTR_WORDS_MAX] = { 0 };
	char what[128], lacks[128], has[128];

	for (unsigned i = 0; i < info->words; i++)
		missing[i] = value[i] & ~l->bits[i];
	spell_bits(info, missing, lacks, sizeof(lacks));
	spell_bits(info, l->bits, has, sizeof(has));
	return log_err(-EINVAL, "%s: hypervisor %s has no %s here (it has: %s); leave that out",
		       spell(info, value, what, sizeof(what)), ops->name, lacks, has);
}

static int check_number(const struct hv_ops *ops, const struct hv_attr_info *info, const struct hv_limit *l,
			const uint64_t *value)
{
	char what[128];

	if (value[0] >= l->min && value[0] <= l->max)
		return 0;
	spell(info, value, what, sizeof(what));
	if (info->kind == HV_SWITCH)
		return log_err(-EINVAL, "%s: hypervisor %s has no %s here; leave the option out", what, ops->name,
			       info->help);
	if (value[0] > l->max)
		return log_err(-EINVAL, "%s: hypervisor %s has at most %" PRIu64 " %s; use less", what, ops->name,
			       l->max, info->unit);
	return log_err(-EINVAL, "%s: the least is %" PRIu64 " %s; use more", what, l->min, info->unit);
}

static int check_choice(const struct hv_ops *ops, const struct hv_attr_info *info, const struct hv_limit *l,
			const uint64_t *value)
{
	char what[128], has[128];

	if (value[0] < 64 && l->bits[0] >> value[0] & 1)
		return 0;
	spell_bits(info, l->bits, has, sizeof(has));
	return log_err(-EINVAL, "%s: hypervisor %s has %s %s; use that", spell(info, value, what, sizeof(what)),
		       ops->name, info->unit, has);
}

/* Arm ARM, ZCR_EL1: with a length, every smaller one that is a power of two exists as well. */
static int check_vector_lengths(const struct hv_attr_info *info, const uint64_t *value)
{
	unsigned longest = 0;
	char what[128];

	for (unsigned i = 0; i < info->words * 64u; i++)
		if (bit_of(value, i))
			longest = i + 1;
	for (unsigned vq = 1; vq < longest; vq *= 2)
		if (!bit_of(value, vq - 1))
			return log_err(
				-EINVAL,
				"%s: %u is missing; with a vector length, all smaller powers of two must be there",
				spell(info, value, what, sizeof(what)), vq * 128);
	return 0;
}

static int check_set(const struct hv_ops *ops, const struct hv_attr_info *info, const struct hv_limit *l,
		     const uint64_t *value)
{
	for (unsigned i = 0; i < info->words; i++)
		if (value[i] & ~l->bits[i])
			return refuse_set(ops, info, l, value);
	return info->type == HV_ATTR_SVE_VLS ? check_vector_lengths(info, value) : 0;
}

static int (*const check_kind[])(const struct hv_ops *ops, const struct hv_attr_info *info, const struct hv_limit *l,
				 const uint64_t *value) = {
	[HV_NUMBER] = check_number,
	[HV_SET] = check_set,
	[HV_CHOICE] = check_choice,
	[HV_SWITCH] = check_number,
};

/* The most of a set that has nothing: who asks for it wants something. */
static bool is_empty(const struct hv_attr_info *info, const uint64_t *value)
{
	for (unsigned i = 0; i < info->words; i++)
		if (value[i])
			return false;
	return true;
}

/* One attribute into @v, after all checks that need no other attribute. */
static int set_value(const struct hv_ops *ops, struct hv_values *v, const struct hv_attr_info *info,
		     const uint64_t *payload, unsigned words)
{
	uint64_t value[HV_ATTR_WORDS_MAX] = { 0 };
	struct hv_limit limit;
	char what[64];
	int err = check_tail(info, payload, words);

	if (err)
		return err;
	err = hv_attr_limit(ops, info->type, &limit);
	if (err)
		return log_err(-EINVAL, "%s: hypervisor %s does not know it; leave it out",
			       spell_name(info, what, sizeof(what)), ops->name);
	memcpy(value, payload, (words < info->words ? words : info->words) * sizeof(value[0]));
	if (words && payload[0] == HV_ATTR_MAX) {
		best_value(info, &limit, value);
		if (info->kind == HV_SET && is_empty(info, value))
			return log_err(-EINVAL, "%s=max: hypervisor %s has no %s; leave the option out",
				       spell_name(info, what, sizeof(what)), ops->name, info->help);
	}
	err = check_kind[info->kind](ops, info, &limit, value);
	if (!err)
		memcpy(value_of(v, info), value, info->words * sizeof(value[0]));
	return err;
}

static bool is_given(const struct hv_block *b, uint16_t type)
{
	for (struct hv_attr *a = hv_block_next(b, NULL); a; a = hv_block_next(b, a))
		if (a->type == type)
			return true;
	return false;
}

static bool has_default(const struct hv_attr_info *info, const struct hv_limit *l)
{
	uint64_t v = info->value_default;

	return info->kind == HV_CHOICE ? bit_of(l->bits, (unsigned)v) : v >= l->min && v <= l->max;
}

int hv_fit_defaults(const struct hv_ops *ops, struct hv_block_buf *b)
{
	uint64_t best[HV_ATTR_WORDS_MAX];
	struct hv_limit limit;
	char what[128];
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(attrs) && !err; i++) {
		const struct hv_attr_info *info = &attrs[i];

		if ((info->kind != HV_NUMBER && info->kind != HV_CHOICE) || is_given(&b->block, info->type) ||
		    hv_attr_limit(ops, info->type, &limit) || has_default(info, &limit))
			continue;
		best_value(info, &limit, best);
		log_info("%s is taken: hypervisor %s does not have the default here, which is %" PRIu64,
			 spell(info, best, what, sizeof(what)), ops->name, info->value_default);
		err = hv_block_add(b, info->type, best, info->words);
	}
	return err;
}

static int set_block(struct hv_vm *vm, const struct hv_block *b)
{
	unsigned index = 0;
	int err = check_block(b);

	for (struct hv_attr *a = err ? NULL : hv_block_next(b, NULL); a && !err; a = hv_block_next(b, a), index++) {
		const struct hv_attr_info *info = hv_attr_info(a->type);

		if (!info)
			return log_err(-EINVAL, "attribute block: type 0x%x of attribute number %u is unknown",
				       a->type, index);
		err = set_value(vm->ops, &vm->attr, info, a->payload, attr_words(a));
	}
	return err;
}

/* ---- Life of a VM ---- */

static int too_early(const char *what)
{
	return log_err(-EPERM, "%s: the VM is only half created; finish it first", what);
}

/* What a backend does not know it would ignore without a word. */
static int check_jit(const struct hv_ops *ops, const struct jit_config *jit)
{
	const char *wish = jit ? jit_wish(jit) : NULL;

	if (!wish || hv_cap(ops, NULL, HV_CAP_JIT))
		return 0;
	return log_err(-ENOTSUP, "%s: hypervisor %s translates no instructions; leave it out or use --hv=soft", wish,
		       ops->name);
}

int hv_create_vm2(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b, struct hv_vm **vm)
{
	struct hv_vm *v = NULL;
	int err;

	*vm = NULL;
	err = check_jit(ops, env->jit);
	if (!err)
		err = ops->create(env, &v);
	if (err)
		return err;
	v->ops = ops;
	v->env = *env;
	v->state = HV_HALF;
	for (unsigned i = 0; i < ARRAY_SIZE(attrs); i++)
		value_of(&v->attr, &attrs[i])[0] = attrs[i].value_default;
	err = b ? set_block(v, b) : 0;
	if (err) {
		hv_destroy(v);
		return err;
	}
	*vm = v;
	return 0;
}

int hv_set_attr(struct hv_vm *vm, uint16_t type, const uint64_t *payload, unsigned words)
{
	const struct hv_attr_info *info = hv_attr_info(type);

	if (vm->state != HV_HALF)
		return log_err(-EBUSY, "attribute type 0x%x: the VM is finished, attributes are fixed", type);
	if (!info)
		return log_err(-EINVAL, "attribute type 0x%x is unknown", type);
	return set_value(vm->ops, &vm->attr, info, payload, words);
}

int hv_get_attr(const struct hv_vm *vm, uint16_t type, uint64_t *payload, unsigned words)
{
	const struct hv_attr_info *info = hv_attr_info(type);

	if (!info)
		return -ENOENT;
	memset(payload, 0, words * sizeof(*payload));
	memcpy(payload, (const char *)&vm->attr + info->offset,
	       (words < info->words ? words : info->words) * sizeof(*payload));
	return 0;
}

void hv_get_block(const struct hv_vm *vm, struct hv_block_buf *b)
{
	hv_block_init(b);
	for (unsigned i = 0; i < ARRAY_SIZE(attrs); i++) {
		const void *value = (const char *)&vm->attr + attrs[i].offset;

		CHECK(!hv_block_add(b, attrs[i].type, value, attrs[i].words));
	}
}

/* What two attributes say together. */
static int cross_check_gic(const struct hv_vm *vm)
{
	if (vm->attr.GIC[0] == 2 && vm->attr.VCPU_COUNT[0] > 8)
		return log_err(-EINVAL,
			       "--gic=2 with --cpus=%" PRIu64 ": a GICv2 serves at most 8 vCPUs; use --gic=3",
			       vm->attr.VCPU_COUNT[0]);
	return 0;
}

static int (*const cross_checks[])(const struct hv_vm *vm) = {
	cross_check_gic,
};

static void forget_list(struct hv_vm *vm)
{
	free(vm->regs);
	free(vm->supported);
	vm->regs = NULL;
	vm->supported = NULL;
	vm->reg_count = 0;
}

static int apply_model(struct hv_vm *vm)
{
	uint32_t model = (uint32_t)vm->attr.MODEL[0];
	char why[1024];
	int err = hv_model_apply(vm, model, why, sizeof(why));

	if (err)
		return log_err(err, "--model=%s: hypervisor %s cannot provide it here: %s; use --model=max",
			       hv_attr_value_name(hv_attr_info(HV_ATTR_MODEL), model), vm->ops->name, why);
	/* What the model left is what is supported from now on. */
	forget_list(vm);
	return 0;
}

int hv_finish(struct hv_vm *vm)
{
	int err;

	if (vm->state != HV_HALF)
		return log_err(-EBUSY, "the VM is finished already");
	for (unsigned i = 0; i < ARRAY_SIZE(cross_checks); i++) {
		err = cross_checks[i](vm);
		if (err)
			return err;
	}
	vm->vcpus = calloc(vm->attr.VCPU_COUNT[0], sizeof(vm->vcpus[0]));
	err = vm->vcpus ? vm->ops->finish(vm) : -ENOMEM;
	if (!err) {
		vm->state = HV_READY;
		err = apply_model(vm);
	}
	if (err) {
		vm->state = HV_HALF;
		forget_list(vm);
		free(vm->vcpus);
		vm->vcpus = NULL;
	}
	return err;
}

void hv_destroy(struct hv_vm *vm)
{
	struct hv_vcpu **vcpus;

	if (!vm)
		return;
	vcpus = vm->vcpus;
	for (unsigned i = 0; vcpus && i < vm->attr.VCPU_COUNT[0]; i++)
		hv_vcpu_destroy(vcpus[i]);
	forget_list(vm);
	vm->ops->destroy(vm);
	free(vcpus);
}

/* Backends differ in when they notice, and in what they say. */
static int check_addresses(const struct hv_vm *vm, const struct hv_mem *m)
{
	uint64_t ipa_bits = vm->attr.IPA_BITS[0], end = UINT64_C(1) << ipa_bits;

	if (m->base.v < end && m->bytes <= end - m->base.v)
		return 0;
	return log_err(-EINVAL,
		       "memory at 0x%" PRIx64 ", %" PRIu64 " bytes: guest addresses have %" PRIu64
		       " bits; use less, or more --ipa-bits",
		       m->base.v, m->bytes, ipa_bits);
}

int hv_mem_map(struct hv_vm *vm, const struct hv_mem *m)
{
	int err;

	if (vm->state != HV_READY)
		return too_early("memory");
	err = check_addresses(vm, m);
	if (err)
		return err;
	err = vm->ops->mem_map(vm, m);
	if (err)
		return log_err(
			err, "memory at 0x%" PRIx64 ", %" PRIu64 " bytes, flags 0x%x 0x%x: hypervisor %s refuses it",
			m->base.v, m->bytes, m->flags, m->arch_flags, vm->ops->name);
	return 0;
}

int hv_mem_unmap(struct hv_vm *vm, unsigned slot)
{
	return vm->state == HV_READY ? vm->ops->mem_unmap(vm, slot) : too_early("memory");
}

int hv_dirty_log(struct hv_vm *vm, unsigned slot, uint64_t *bitmap)
{
	if (vm->state != HV_READY)
		return too_early("dirty log");
	return hv_cap(vm->ops, vm, HV_CAP_DIRTY_LOG) ? vm->ops->dirty_log(vm, slot, bitmap) : -ENOTSUP;
}

int hv_irq_line(struct hv_vm *vm, unsigned spi, bool level)
{
	return vm->state == HV_READY ? vm->ops->irq_line(vm, spi, level) : -EPERM;
}

int hv_vm_reset(struct hv_vm *vm)
{
	if (vm->state != HV_READY)
		return too_early("reset");
	return hv_cap(vm->ops, vm, HV_CAP_VM_RESET) ? vm->ops->vm_reset(vm) : -ENOTSUP;
}

int hv_irqfd(struct hv_vm *vm, unsigned spi, int fd, bool on)
{
	if (vm->state != HV_READY)
		return too_early("irqfd");
	return hv_cap(vm->ops, vm, HV_CAP_IRQFD) ? vm->ops->irqfd(vm, spi, fd, on) : -ENOTSUP;
}

int hv_ioeventfd(struct hv_vm *vm, const struct hv_ioevent *e, bool on)
{
	if (vm->state != HV_READY)
		return too_early("ioeventfd");
	return hv_cap(vm->ops, vm, HV_CAP_IOEVENTFD) ? vm->ops->ioeventfd(vm, e, on) : -ENOTSUP;
}

/* ---- vCPUs ---- */

int hv_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu)
{
	struct hv_vcpu *c = NULL;
	int err;

	*vcpu = NULL;
	if (vm->state != HV_READY)
		return too_early("vCPU");
	if (id >= vm->attr.VCPU_COUNT[0])
		return log_err(-EINVAL, "vCPU %u: the VM has %" PRIu64, id, vm->attr.VCPU_COUNT[0]);
	if (vm->vcpus[id])
		return log_err(-EEXIST, "vCPU %u exists", id);
	err = vm->ops->vcpu_create(vm, id, &c);
	if (err)
		return err;
	c->vm = vm;
	c->id = id;
	c->finalized = false;
	vm->vcpus[id] = *vcpu = c;
	return 0;
}

int hv_vcpu_finalize(struct hv_vcpu *vcpu)
{
	const struct hv_ops *ops = vcpu->vm->ops;
	int err;

	if (vcpu->finalized)
		return log_err(-EBUSY, "vCPU %u is finalized already", vcpu->id);
	err = ops->vcpu_finalize ? ops->vcpu_finalize(vcpu) : 0;
	vcpu->finalized = !err;
	return err;
}

void hv_vcpu_destroy(struct hv_vcpu *vcpu)
{
	if (!vcpu)
		return;
	vcpu->vm->vcpus[vcpu->id] = NULL;
	vcpu->vm->ops->vcpu_destroy(vcpu);
}

int hv_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (!vcpu->finalized)
		return log_err(-EPERM, "vCPU %u cannot run before it is finalized", vcpu->id);
	atomic_store(&vcpu->vm->ran, true);
	return vcpu->vm->ops->vcpu_run(vcpu, exit);
}

void hv_vcpu_kick(struct hv_vcpu *vcpu) { vcpu->vm->ops->vcpu_kick(vcpu); }

uint64_t hv_vcpu_insn_count(struct hv_vcpu *vcpu)
{
	const struct hv_vm *vm = vcpu->vm;

	return hv_cap(vm->ops, vm, HV_CAP_INSN_COUNT) ? vm->ops->vcpu_insn_count(vcpu) : 0;
}

/* ---- Registers ---- */

/* What our tables say of a register, for backends that do not say. */
static const struct reg_row {
	const char *name;
	uint64_t id;
	enum hv_scope scope;
	bool feature;
} reg_rows[] = {
#define REG(NAME, enc, id_, scope_, gdb, access, el0, feat, reset, mask, read, write, flags) \
	{ #NAME, (id_), HV_SCOPE_##scope_, ((flags)&REG_FEATURE) != 0 },
#include <vmm/regs.def>
#define REG_KVM(NAME, id_, scope_, flags) { #NAME, (id_), HV_SCOPE_##scope_, ((flags)&REG_FEATURE) != 0 },
#include <vmm/regs-kvm.def>
};

static const struct reg_row *reg_row(uint64_t id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(reg_rows); i++)
		if (reg_rows[i].id == id)
			return &reg_rows[i];
	return NULL;
}

const char *hv_reg_name(uint64_t id)
{
	const struct reg_row *row = id == REG_NO_ID ? NULL : reg_row(id);

	return row ? row->name : NULL;
}

/* A bitmap is one for the VM, known or not: those of class REG_CLASS_BITMAP are hypercalls. */
static void classify(struct hv_reg *r)
{
	const struct reg_row *row = reg_row(r->id);
	bool bitmap = reg_id_class(r->id) == REG_CLASS_BITMAP;

	if (r->kind == HV_REG_PLAIN && bitmap)
		r->kind = HV_REG_BITMAP;
	else if (r->kind == HV_REG_PLAIN && row && row->feature)
		r->kind = HV_REG_LEVEL;
	if (r->scope != HV_SCOPE_UNKNOWN)
		return;
	r->scope = row ? row->scope : bitmap ? HV_SCOPE_VM : HV_SCOPE_VCPU;
	r->flagged = !row;
}

/* A newer host may have hundreds that we do not know, and a VM is asked for its list more than once. */
static void say_flagged(struct hv_vm *vm)
{
	enum { NAMED = 4 };
	char ids[24 * NAMED] = "";
	unsigned count = 0;

	for (unsigned i = 0; i < vm->reg_count; i++)
		if (vm->regs[i].flagged && count++ < NAMED)
			text_add_item(ids, sizeof(ids), ", ", "0x%" PRIx64, vm->regs[i].id);
	if (count && !vm->said_flagged)
		log_warn(
			"hypervisor %s lists %u register%s of which our tables know nothing: %s%s; they are saved and "
			"restored as they are",
			vm->ops->name, count, count > 1 ? "s" : "", ids, count > NAMED ? " ..." : "");
	vm->said_flagged |= count > 0;
}

/* VM before vCPU, features before the rest; otherwise the backend's order (lengths before data). */
static unsigned restore_rank(const struct hv_reg *r)
{
	return (r->scope == HV_SCOPE_VM ? 0 : 2) + (r->kind == HV_REG_PLAIN);
}

static void sort_regs(struct hv_reg *sorted, const struct hv_reg *regs, unsigned count)
{
	for (unsigned rank = 0; rank < 4; rank++)
		for (unsigned i = 0; i < count; i++)
			if (restore_rank(&regs[i]) == rank)
				*sorted++ = regs[i];
}

static struct hv_vcpu *any_vcpu(const struct hv_vm *vm)
{
	for (unsigned i = 0; i < vm->attr.VCPU_COUNT[0]; i++)
		if (vm->vcpus[i])
			return vm->vcpus[i];
	return NULL;
}

static struct hv_vcpu *vcpu_for(struct hv_vm *vm, struct hv_vcpu *vcpu, const struct hv_reg *r)
{
	return vcpu || r->scope == HV_SCOPE_VCPU ? vcpu : any_vcpu(vm);
}

/* What features support is what they read before anybody has written; all writes come through here. */
static int read_supported(struct hv_vm *vm)
{
	char name[HV_REG_TEXT_BYTES];

	for (unsigned i = 0; i < vm->reg_count; i++) {
		struct hv_reg *r = &vm->regs[i];
		struct hv_vcpu *c = any_vcpu(vm);

		if (r->kind != HV_REG_BITMAP || hv_reg_bytes(r->id) > 8)
			continue;
		if (vm->ops->reg_get(vm, c, r->id, &vm->supported[i]))
			return log_err(-EIO, "register %s is listed but cannot be read",
				       hv_reg_text(r->id, name, sizeof(name)));
	}
	return 0;
}

/* Asks the backend for its list, once. */
static int need_list(struct hv_vm *vm)
{
	unsigned count = 0;
	struct hv_reg *raw;
	int err;

	if (vm->regs)
		return 0;
	if (!hv_cap(vm->ops, vm, HV_CAP_REG_LIST))
		return -ENOTSUP;
	err = vm->ops->reg_list(vm, any_vcpu(vm), NULL, &count);
	if (err && err != -E2BIG)
		return err;
	raw = calloc(count + 1, sizeof(*raw));
	vm->regs = calloc(count + 1, sizeof(*vm->regs));
	vm->supported = calloc(count + 1, sizeof(*vm->supported));
	err = raw && vm->regs && vm->supported ? vm->ops->reg_list(vm, any_vcpu(vm), raw, &count) : -ENOMEM;
	if (!err) {
		for (unsigned i = 0; i < count; i++)
			classify(&raw[i]);
		sort_regs(vm->regs, raw, count);
		vm->reg_count = count;
		say_flagged(vm);
		err = read_supported(vm);
	}
	free(raw);
	if (err)
		forget_list(vm);
	return err;
}

static int check_reg_call(struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	if (vm->state != HV_READY)
		return -EPERM;
	if (vcpu && vcpu->vm != vm)
		return -EINVAL;
	return vcpu && !vcpu->finalized ? -EPERM : need_list(vm);
}

int hv_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count)
{
	enum hv_scope scope = vcpu ? HV_SCOPE_VCPU : HV_SCOPE_VM;
	unsigned room = *count, n = 0;
	int err = check_reg_call(vm, vcpu);

	if (err)
		return err;
	for (unsigned i = 0; i < vm->reg_count; i++) {
		if (vm->regs[i].scope != scope)
			continue;
		if (n < room)
			regs[n] = vm->regs[i];
		n++;
	}
	*count = n;
	return n > room ? -E2BIG : 0;
}

int hv_reg_list_new(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg **regs, unsigned *count)
{
	int err;

	*regs = NULL;
	*count = 0;
	err = hv_reg_list(vm, vcpu, NULL, count);
	if (err && err != -E2BIG)
		return err;
	*regs = calloc(*count + 1, sizeof(**regs));
	return *regs ? hv_reg_list(vm, vcpu, *regs, count) : -ENOMEM;
}

bool hv_reg_is_listed(const struct hv_reg *regs, unsigned count, uint64_t id)
{
	for (unsigned i = 0; i < count; i++)
		if (regs[i].id == id)
			return true;
	return false;
}

static const struct hv_reg *find_reg(const struct hv_vm *vm, uint64_t id, unsigned *index)
{
	for (unsigned i = 0; i < vm->reg_count; i++) {
		if (vm->regs[i].id == id) {
			*index = i;
			return &vm->regs[i];
		}
	}
	return NULL;
}

int hv_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	const struct hv_reg *r;
	unsigned index;
	int err = check_reg_call(vm, vcpu);

	if (err)
		return err;
	r = find_reg(vm, id, &index);
	if (!r)
		return -ENOENT;
	if (r->scope == HV_SCOPE_VCPU && !vcpu)
		return -EINVAL;
	return vm->ops->reg_get(vm, vcpu_for(vm, vcpu, r), id, value);
}

int hv_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value)
{
	uint8_t now[HV_REG_BYTES_MAX];
	const struct hv_reg *r;
	uint64_t v = 0;
	unsigned index, bytes = hv_reg_bytes(id);
	int err = check_reg_call(vm, vcpu);

	if (err)
		return err;
	r = find_reg(vm, id, &index);
	if (!r || !bytes)
		return -ENOENT;
	if (r->scope == HV_SCOPE_VCPU && !vcpu)
		return -EINVAL;
	if (r->kind != HV_REG_PLAIN) {
		err = vm->ops->reg_get(vm, vcpu_for(vm, vcpu, r), id, now);
		if (err)
			return err;
		if (!memcmp(now, value, bytes))
			return 0;
		if (atomic_load(&vm->ran))
			return -EBUSY;
	}
	if (r->kind == HV_REG_BITMAP && bytes <= 8) {
		memcpy(&v, value, bytes);
		if (v & ~vm->supported[index])
			return -EINVAL;
	}
	return vm->ops->reg_set(vm, vcpu_for(vm, vcpu, r), id, value);
}

int hv_negotiate(struct hv_vm *vm, uint64_t id, uint64_t want, uint64_t need, uint64_t *got)
{
	uint64_t now = 0, set;
	char name[HV_REG_TEXT_BYTES], bits[200];
	int err = hv_reg_get(vm, NULL, id, &now);

	hv_reg_text(id, name, sizeof(name));
	if (err)
		return log_err(err, "feature register %s cannot be read on hypervisor %s: %s", name, vm->ops->name,
			       strerror(-err));
	if (need & ~now)
		return log_err(-ENOTSUP,
			       "feature register %s: %s needed, but hypervisor %s lacks that; use another --hv", name,
			       hypercall_bits_text(id, need & ~now, bits, sizeof(bits)), vm->ops->name);
	set = now & (want | need);
	err = hv_reg_set(vm, NULL, id, &set);
	if (err)
		return log_err(err, "feature register %s: hypervisor %s refuses to have %s of it: %s", name,
			       vm->ops->name, hypercall_bits_text(id, set, bits, sizeof(bits)), strerror(-err));
	if (got)
		*got = set;
	return 0;
}
