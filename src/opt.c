/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows -> argp. argp does the syntax and --help; what is wrong is said here, in
 * one line, because argp needs two and an exit status of its own.
 */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/device.h>
#include <vmm/hv.h>
#include <vmm/log.h>
#include <vmm/opt.h>
#include <vmm/text.h>

#define KEY_FIRST 1000 /* not a character: no short options */
#define KEY_HELP  999
#define ROWS_MAX  64

struct parse {
	const struct opt_set *set;
	struct opt rows[ROWS_MAX]; /* the set's, with OPT_ATTRS and OPT_DEVICES spelled out */
	unsigned count;
	char *dest;
	uint64_t seen; /* bit per row */
	bool complained;
};

/* ---- Units ---- */

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", MIB },    { "K", KIB },   { "M", MIB },   { "G", GIB },          { "T", 1024 * GIB },
	{ "KiB", KIB }, { "MiB", MIB }, { "GiB", GIB }, { "TiB", 1024 * GIB },
};

static const struct unit time_units[] = {
	{ "", NSEC_PER_SEC },       { "s", NSEC_PER_SEC },        { "ms", 1000000 },
	{ "m", 60 * NSEC_PER_SEC }, { "h", 3600 * NSEC_PER_SEC },
};

/* Digits of @base (0x may stand before those of 16) and a unit of the table. False: not that, or more than 64 bits.
 */
static bool with_unit(const char *text, int base, const struct unit *units, unsigned count, uint64_t *value)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	n = strtoull(text, &end, base);
	for (unsigned i = 0; i < count && !errno; i++)
		if (!strcasecmp(end, units[i].suffix))
			return !__builtin_mul_overflow(n, units[i].factor, value);
	return false;
}

const char *opt_size_text(uint64_t bytes, char *text, size_t text_bytes)
{
	static const struct unit units[] = { { "TiB", 1024 * GIB }, { "GiB", GIB }, { "MiB", MIB }, { "KiB", KIB } };

	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		if (bytes && bytes % units[i].factor == 0) {
			snprintf(text, text_bytes, "%" PRIu64 " %s", bytes / units[i].factor, units[i].suffix);
			return text;
		}
	}
	snprintf(text, text_bytes, "%" PRIu64 " bytes", bytes);
	return text;
}

int opt_size(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *bytes)
{
	char limit[32];
	uint64_t v;

	if (!with_unit(text, 10, size_units, ARRAY_SIZE(size_units), &v))
		return log_err(-EINVAL, "--%s=%s: not a size; write a number with K, M, G or T, like 512M", name,
			       text);
	if (v < min)
		return log_err(-EINVAL, "--%s=%s: the least is %s; use more", name, text,
			       opt_size_text(min, limit, sizeof(limit)));
	if (max && v > max)
		return log_err(-EINVAL, "--%s=%s: the most is %s; use less", name, text,
			       opt_size_text(max, limit, sizeof(limit)));
	*bytes = v;
	return 0;
}

bool opt_number(const char *text, uint64_t *value)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", KIB }, { "M", MIB }, { "G", GIB }, { "T", 1024 * GIB }
	};

	return with_unit(text, strncasecmp(text, "0x", 2) ? 10 : 16, units, ARRAY_SIZE(units), value);
}

int opt_time(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ns)
{
	uint64_t v;

	if (!with_unit(text, 10, time_units, ARRAY_SIZE(time_units), &v))
		return log_err(-EINVAL, "--%s=%s: not a time; write a number with ms, s, m or h, like 30s", name,
			       text);
	if (v < min || (max && v > max))
		return log_err(-EINVAL, "--%s=%s: out of range, which is %" PRIu64 " ms to %" PRIu64 " s", name, text,
			       min / 1000000, max ? max / NSEC_PER_SEC : UINT64_MAX / NSEC_PER_SEC);
	*ns = v;
	return 0;
}

/* ---- Choices and attributes ---- */

/* Index of @text among the alternatives of "a|b|c", or -1. */
static int choice_index(const char *alternatives, const char *text)
{
	size_t len = strlen(text);
	int i = 0;

	for (const char *p = alternatives; len; p++, i++) {
		const char *end = strchrnul(p, '|');

		if ((size_t)(end - p) == len && !strncmp(p, text, len))
			return i;
		if (!*end)
			break;
		p = end;
	}
	return -1;
}

static int parse_choice(const struct opt *o, const char *text, unsigned *value)
{
	int i = choice_index(o->arg, text);

	if (i < 0)
		return log_err(-EINVAL, "--%s=%s: not a choice; use one of %s", o->name, text, o->arg);
	*value = (unsigned)i;
	return 0;
}

static bool plain_number(const char *text, uint64_t *value)
{
	static const struct unit none[] = { { "", 1 } };

	return with_unit(text, 10, none, 1, value);
}

static int parse_number(const struct opt *o, const char *text, unsigned *value)
{
	uint64_t n = o->unsaid;

	if (text && (!plain_number(text, &n) || n < o->min || n > o->max))
		return log_err(-EINVAL, "--%s=%s: not a number from %" PRIu64 " to %" PRIu64 "; use one of them",
			       o->name, text, o->min, o->max);
	*value = (unsigned)n;
	return 0;
}

/* One of "128,256". */
static int parse_vector_length(const struct hv_attr_info *a, const char *text, const char *piece, size_t len,
			       uint64_t *words)
{
	char number[8];
	uint64_t n = 0;

	snprintf(number, sizeof(number), "%.*s", (int)len, piece);
	if (len >= sizeof(number) || !plain_number(number, &n) || !n || n % 128 || n > HV_SVE_VLS_WORDS * 64 * 128)
		return log_err(
			-EINVAL,
			"--%s=%s: \"%.*s\" is not a vector length; use multiples of 128 up to 2048, like 128,256",
			a->option, text, (int)len, piece);
	words[(n / 128 - 1) / 64] |= UINT64_C(1) << ((n / 128 - 1) % 64);
	return 0;
}

/* A choice with names. -ENOENT: this attribute has none. */
static int parse_value_name(const struct hv_attr_info *a, const char *text, uint64_t *value)
{
	char names[200] = "";

	for (unsigned n = 0; n < 64; n++) {
		const char *name = hv_attr_value_name(a, n);

		if (name && !strcmp(name, text)) {
			*value = n;
			return 0;
		}
		if (name)
			text_add_item(names, sizeof(names), "|", "%s", name);
	}
	return names[0] ? log_err(-EINVAL, "--%s=%s: not a choice; use one of %s", a->option, text, names) : -ENOENT;
}

/* One of "mte,...". */
static int parse_bit_name(const struct hv_attr_info *a, const char *text, const char *piece, size_t len,
			  uint64_t *words)
{
	char name[32];
	uint64_t n;
	int err;

	(void)text;
	snprintf(name, sizeof(name), "%.*s", (int)len, piece);
	err = parse_value_name(a, name, &n);
	if (!err)
		words[n / 64] |= UINT64_C(1) << n % 64;
	return err;
}

static int parse_set(const struct hv_attr_info *a, const char *text, uint64_t *words)
{
	int (*parse)(const struct hv_attr_info *a, const char *text, const char *piece, size_t len, uint64_t *words) =
		a->type == HV_ATTR_SVE_VLS ? parse_vector_length : parse_bit_name;
	const char *p = text, *end;
	int err;

	do {
		end = strchrnul(p, ',');
		err = parse(a, text, p, (size_t)(end - p), words);
		p = end + 1;
	} while (!err && *end);
	return err;
}

static int parse_attr_value(const struct hv_attr_info *a, const char *text, uint64_t *words)
{
	int err = a->kind == HV_CHOICE ? parse_value_name(a, text, words) : -ENOENT;

	if (err != -ENOENT)
		return err;
	if (choice_index(a->arg, "max") >= 0 && !strcmp(text, "max")) {
		words[0] = HV_ATTR_MAX;
		return 0;
	}
	switch (a->kind) {
	case HV_SWITCH:
		words[0] = !strcmp(text, "on");
		if (!words[0] && strcmp(text, "off"))
			return log_err(-EINVAL, "--%s=%s: not a choice; use on or off", a->option, text);
		return 0;
	case HV_SET: return parse_set(a, text, words);
	default:
		/* UINT64_MAX would be "max" in disguise; nothing has that many. */
		if (!plain_number(text, &words[0]) || words[0] == HV_ATTR_MAX)
			return log_err(-EINVAL, "--%s=%s: not a number of %s; use %s", a->option, text, a->unit,
				       a->arg);
		return 0;
	}
}

static const struct hv_attr_info *attr_of_option(const char *option)
{
	const struct hv_attr_info *a;

	for (unsigned i = 0; (a = hv_attr_at(i)); i++)
		if (a->option && !strcmp(a->option, option))
			return a;
	return NULL;
}

static int parse_attr(const struct opt *o, const char *text, struct hv_block_buf *block)
{
	const struct hv_attr_info *a = attr_of_option(o->name);
	uint64_t words[HV_ATTR_WORDS_MAX] = { 0 };
	int err = parse_attr_value(a, text, words);

	return err ? err : hv_block_add(block, a->type, words, a->words);
}

/* ---- Devices ---- */

/* The type with this option, or NULL for --device. */
static const struct device_type *type_of_option(const char *option)
{
	const struct device_type *t;

	for (unsigned i = 0; (t = device_type_at(i)); i++)
		if (t->option && !strcmp(t->option, option))
			return t;
	return NULL;
}

static int add_device(const char *option, struct opt_devices *l, const char *text)
{
	const struct device_type *t = type_of_option(option);

	if (l->count == OPT_DEVICES_MAX)
		return log_err(-EINVAL, "--%s: more than %d devices are given; leave some out", option,
			       OPT_DEVICES_MAX);
	l->item[l->count++] = (struct opt_device){ t ? t->name : NULL, text };
	return 0;
}

/* ---- argp ---- */

static int add_to_list(const char *name, struct opt_list *l, const char *text, unsigned max)
{
	if (l->count == max)
		return log_err(-EINVAL, "%s: more than %u are given; leave some out", name, max);
	l->value[l->count++] = text;
	return 0;
}

static int parse_row(const struct opt *o, const char *text, void *dest)
{
	switch (o->kind) {
	case OPT_STRING:
		if (!text[0])
			return log_err(-EINVAL, "--%s: its %s is empty; give one or leave the option out", o->name,
				       o->arg);
		/* fall through */
	case OPT_TEXT: *(const char **)dest = text; return 0;
	case OPT_LIST: return add_to_list(o->name, dest, text, OPT_LIST_MAX);
	case OPT_FLAG: *(bool *)dest = true; return 0;
	case OPT_SIZE: return opt_size(o->name, text, o->min, o->max, dest);
	case OPT_TIME: return opt_time(o->name, text, o->min, o->max, dest);
	case OPT_NUMBER: return parse_number(o, text, dest);
	case OPT_CHOICE: return parse_choice(o, text, dest);
	case OPT_ATTR: return parse_attr(o, text, dest);
	case OPT_DEVICE: return add_device(o->name, dest, text);
	case OPT_ATTRS:
	case OPT_DEVICES:
	case OPT_GROUP: break;
	}
	return 0;
}

static int parse_option(struct parse *p, unsigned row, const char *text)
{
	const struct opt *o = &p->rows[row];

	if (o->kind != OPT_LIST && o->kind != OPT_DEVICE && p->seen >> row & 1)
		return log_err(-EINVAL, "--%s is given twice; keep one", o->name);
	p->seen |= UINT64_C(1) << row;
	return parse_row(o, text, p->dest + o->offset);
}

/* argp knows that something is wrong with argv[next - 1], and says only that. Names are right: see whole_names(). */
static void explain(const struct argp_state *state)
{
	const char *word = state->argv[state->next > 1 ? state->next - 1 : 0];
	int name_len = (int)strcspn(word, "=");

	if (strncmp(word, "--", 2))
		log_err(0, "%s: no such option; see %s --help", word, state->argv[0]);
	else if (word[name_len])
		log_err(0, "%s: %.*s takes no value; leave it out", word, name_len, word);
	else
		log_err(0, "%s: its value is missing; see %s --help", word, state->argv[0]);
}

static error_t on_key(int key, char *text, struct argp_state *state)
{
	struct parse *p = state->input;
	int err;

	switch (key) {
	case KEY_HELP:
		argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, state->name);
		exit(0);
	case ARGP_KEY_ARG:
		if (!p->set->args ||
		    ((struct opt_list *)(void *)(p->dest + p->set->args_offset))->count == p->set->args_max)
			err = log_err(-EINVAL, "%s: one argument too many; see %s --help", text, state->argv[0]);
		else if (!text[0])
			err = log_err(-EINVAL, "%s: it is empty; give one or leave it out", p->set->args);
		else
			err = add_to_list(p->set->args, (void *)(p->dest + p->set->args_offset), text, OPT_LIST_MAX);
		break;
	case ARGP_KEY_ERROR:
		if (!p->complained)
			explain(state);
		return 0;
	default:
		if (key < KEY_FIRST || key >= KEY_FIRST + (int)p->count)
			return ARGP_ERR_UNKNOWN;
		err = parse_option(p, (unsigned)(key - KEY_FIRST), text);
	}
	if (err)
		p->complained = true;
	return -err;
}

static bool is_shown(const struct opt_set *set, const char *option)
{
	for (unsigned i = 0; i < set->count; i++)
		if (set->rows[i].kind == OPT_ATTR && !strcmp(set->rows[i].name, option))
			return true;
	return false;
}

static int add_row(struct parse *p, struct opt row)
{
	if (p->count == ROWS_MAX)
		return log_err(-E2BIG, "more than %d options", ROWS_MAX);
	p->rows[p->count++] = row;
	return 0;
}

static int add_attrs(struct parse *p, size_t offset)
{
	const struct hv_attr_info *a;
	int err = 0;

	for (unsigned i = 0; !err && (a = hv_attr_at(i)); i++)
		if (a->option && !is_shown(p->set, a->option))
			err = add_row(p, (struct opt){ .name = a->option, .kind = OPT_ATTR, .offset = offset });
	return err;
}

static int add_devices(struct parse *p, size_t offset)
{
	struct opt row = { .name = "device",
			   .arg = "NAME[,KEY=VALUE...]",
			   .help = "add a device; `vmm help devices' lists them all, and every KEY",
			   .kind = OPT_DEVICE,
			   .offset = offset };
	const struct device_type *t;
	int err = add_row(p, row);

	for (unsigned i = 0; !err && (t = device_type_at(i)); i++) {
		row.name = t->option;
		row.arg = t->arg;
		row.help = t->help;
		if (t->option)
			err = add_row(p, row);
	}
	return err;
}

static int fill_rows(struct parse *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->set->count && !err; i++) {
		const struct opt *o = &p->set->rows[i];

		err = o->kind == OPT_ATTRS     ? add_attrs(p, o->offset)
		      : o->kind == OPT_DEVICES ? add_devices(p, o->offset)
					       : add_row(p, *o);
	}
	return err;
}

static void fill_argp(const struct parse *p, struct argp_option *a)
{
	int group = 0;

	for (unsigned i = 0; i < p->count; i++) {
		const struct opt *o = &p->rows[i];

		if (o->kind == OPT_GROUP) {
			a[i] = (struct argp_option){ .doc = o->help, .group = ++group };
			continue;
		}
		a[i] = (struct argp_option){
			.name = o->name,
			.key = KEY_FIRST + (int)i,
			.arg = o->arg,
			.doc = o->help,
			.flags = (o->hidden ? OPTION_HIDDEN : 0) | (o->unsaid ? OPTION_ARG_OPTIONAL : 0),
			.group = group,
		};
		if (o->kind == OPT_ATTR) {
			const struct hv_attr_info *info = attr_of_option(o->name);

			a[i].arg = info->arg;
			a[i].doc = o->help ? o->help : info->help;
		}
	}
}

/*
 * argp takes the beginning of a name for the name. What is short for one option today
 * is short for two tomorrow, or for another: so only whole names are options.
 */
static int whole_names(const struct argp_option *options, int argc, char **argv)
{
	const char *names[ROWS_MAX + 1], *near;
	unsigned count = 0;
	char name[64];

	for (unsigned i = 0; options[i].name || options[i].doc; i++)
		if (options[i].name)
			names[count++] = options[i].name;
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		const struct argp_option *o = options;

		if (strncmp(argv[i], "--", 2))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(argv[i], "=") - 2, argv[i] + 2);
		while ((o->name || o->doc) && (!o->name || strcmp(o->name, name)))
			o++;
		if (o->name) {
			/* Its value is the next word. */
			i += o->arg && !(o->flags & OPTION_ARG_OPTIONAL) && !strchr(argv[i], '=');
			continue;
		}
		near = opt_nearest(name, names, count);
		return log_err(-EINVAL, "--%s: no such option; %s%s%ssee %s --help", name,
			       near ? "did you mean --" : "", near ? near : "", near ? "? " : "", argv[0]);
	}
	return 0;
}

int opt_parse(const struct opt_set *set, int argc, char **argv, void *dest)
{
	struct argp_option options[ROWS_MAX + 2] = { 0 };
	struct argp argp = { options, on_key, set->args, set->doc, NULL, NULL, NULL };
	struct parse p = { .set = set, .dest = dest };
	int err = fill_rows(&p);

	if (err)
		return err;
	fill_argp(&p, options);
	options[p.count] = (struct argp_option){ .name = "help", .key = KEY_HELP, .doc = "print this", .group = -1 };
	if (whole_names(options, argc, argv))
		return -EINVAL;
	/* NO_ERRS silences argp's own --help, too. */
	return argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, &p) ? -EINVAL : 0;
}

/* ---- Suggestions ---- */

#define WORD_MAX 31

/* Letters to insert, drop, change or swap with the next (optimal string alignment). */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1], la = (unsigned)strlen(a), lb = (unsigned)strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (unsigned i = 0; i <= la; i++) {
		for (unsigned j = 0; j <= lb; j++) {
			unsigned best, cost;

			if (!i || !j) {
				d[i][j] = i + j;
				continue;
			}
			cost = a[i - 1] != b[j - 1];
			best = d[i - 1][j - 1] + cost;
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[la][lb];
}

const char *opt_nearest(const char *name, const char *const *names, unsigned count)
{
	unsigned best = strlen(name) <= 3 ? 2 : 3;
	const char *near = NULL;

	for (unsigned i = 0; i < count; i++) {
		unsigned n = distance(name, names[i]);

		if (n < best) {
			best = n;
			near = names[i];
		}
	}
	return near;
}
