/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against libcapstone: both must agree which words are instructions.
 *
 *   tests/a64/decode [--count N] [--seed S] [--show N]   random words, all features on
 *   tests/a64/decode --all                               every word once through our decoder; prints a hash
 *
 * Words where we differ with reason are rows of a table below.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>

#include "fake.h"

#define FEATURES (((UINT64_C(1) << FEAT_COUNT) - 1) & ~(UINT64_C(1) << FEAT_SVE))

/* capstone 4 ends at Armv8.0: rows of a later feature are unknown to it. */
#define FEATURES_OF_V8_0                                                                  \
	(UINT64_C(1) << FEAT_NONE | UINT64_C(1) << FEAT_CRC32 | UINT64_C(1) << FEAT_AES | \
	 UINT64_C(1) << FEAT_PMULL | UINT64_C(1) << FEAT_SHA1 | UINT64_C(1) << FEAT_SHA256)

/* CONSTRAINED UNPREDICTABLE loads and stores, which capstone takes for undefined; we do as qemu does. */
static bool same_targets(uint32_t w) { return (w & 31) == (w >> 10 & 31); }
static bool base_is_data(uint32_t w) { return (w >> 5 & 31) != 31 && (w & 31) == (w >> 5 & 31); }
static bool base_is_data_of_pair(uint32_t w)
{
	return base_is_data(w) || ((w >> 5 & 31) != 31 && (w >> 10 & 31) == (w >> 5 & 31));
}
static bool status_is_data(uint32_t w)
{
	uint32_t s = w >> 16 & 31;

	return s == (w & 31) || (s == (w >> 5 & 31) && s != 31);
}
static bool status_is_data_of_pair(uint32_t w) { return status_is_data(w) || (w >> 16 & 31) == (w >> 10 & 31); }
static bool always(uint32_t w)
{
	(void)w;
	return true;
}

/* Words where the answers may differ: which of the two says "defined", and why. */
enum side { EITHER, OURS, THEIRS };

static const struct exception {
	enum side defined;
	uint32_t mask, value;
	bool (*when)(uint32_t);
	const char *why;
} exceptions[] = {
	{ EITHER, 0x1e000000, 0x04000000, always, "SVE: not ours yet" },
	{ EITHER, 0x9e000000, 0x80000000, always, "SME: not ours" },
	{ OURS, 0xffff0000, 0x00000000, always, "UDF: capstone 4 does not know it" },
	{ OURS, 0x3fa08000, 0x08800000, always, "LDLAR, STLLR: FEAT_LOR" },
	{ OURS, 0x3b200400, 0x38000400, base_is_data, "write-back of a loaded or stored register" },
	{ OURS, 0x3b200c00, 0x38000800, base_is_data, "LDTR, STTR: capstone takes them for write-back" },
	{ OURS, 0x3e400000, 0x28400000, same_targets, "pair into one register" },
	{ OURS, 0x3e400000, 0x2c400000, same_targets, "pair into one register" },
	{ OURS, 0x3e800000, 0x28800000, base_is_data_of_pair, "write-back of a register of the pair" },
	{ OURS, 0x3fe00000, 0x08000000, status_is_data, "status register is also data" },
	{ OURS, 0xbfe00000, 0x88200000, status_is_data_of_pair, "status register is also data" },
	{ OURS, 0xbfe00000, 0x88600000, same_targets, "pair into one register" },
	{ OURS, 0xbfe0fc00, 0x0e000c00, always, "DUP (general): bits of imm5 above the lowest one are ignored" },
	{ OURS, 0xffe08400, 0x6e000400, always, "INS (element): bits of imm4 below the element size are ignored" },
	{ THEIRS, 0x3f800000, 0x08800000, always, "LDAR, STLR with should-be-one fields that are not" },
	{ THEIRS, 0xff608000, 0x9b400000, always, "SMULH, UMULH with Ra not 31: should be one" },
	{ THEIRS, 0xffd80000, 0xd5000000, always, "capstone prints op0 = 0 as registers with op0 = 2 or 3" },
};

static const char *excepted(uint32_t w, bool we, bool they, uint8_t feat)
{
	if (we && !they && !(FEATURES_OF_V8_0 >> feat & 1))
		return "a feature after Armv8.0";
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		const struct exception *e = &exceptions[i];

		if ((w & e->mask) == e->value && e->when(w) &&
		    (e->defined == EITHER || (e->defined == OURS ? we : they)))
			return e->why;
	}
	return NULL;
}

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * UINT64_C(0x2545f4914f6cdd1d);
}

static bool ours(uint32_t w, struct insn *i)
{
	a64_decode(w, FEATURES, false, i);
	return i->op != OP_COUNT;
}

/* Half of the words come from rows, so that sparse classes are met. */
static uint32_t any_word(uint64_t *s)
{
	uint32_t w = (uint32_t)(rnd(s) >> 16);
	unsigned op = (unsigned)(rnd(s) >> 33) % OP_COUNT;

	if (rnd(s) >> 63)
		return w;
	w = a64_bits[op][1] | (w & ~a64_bits[op][0]);
	return rnd(s) >> 62 ? w : w ^ UINT32_C(1) << (rnd(s) >> 59); /* and their neighbours */
}

static int compare(uint64_t count, uint64_t seed, unsigned show)
{
	uint64_t s = (seed * UINT64_C(0x9e3779b97f4a7c15)) | 1, differ = 0, skipped = 0;
	cs_insn *in;
	csh cs;

	if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs))
		return 2;
	in = cs_malloc(cs);
	for (uint64_t k = 0; k < count; k++) {
		uint32_t w = any_word(&s);
		const uint8_t *code = (const uint8_t *)&w;
		size_t left = 4;
		uint64_t pc = 0;
		struct insn i;
		bool we, they;

		we = ours(w, &i);
		they = cs_disasm_iter(cs, &code, &left, &pc, in);
		if (we == they)
			continue;
		if (excepted(w, we, they, we ? a64_rows[i.op].feat : FEAT_NONE)) {
			skipped++;
			continue;
		}
		if (differ++ < show)
			printf("# %08x ours %s, capstone %s %s\n", w, we ? a64_rows[i.op].name : "undefined",
			       they ? in->mnemonic : "undefined", they ? in->op_str : "");
	}
	printf("%s decode %lu words, %lu differ, %lu excepted (seed %lu)\n", differ ? "not ok" : "ok", count, differ,
	       skipped, seed);
	cs_free(in, 1);
	cs_close(&cs);
	return differ != 0;
}

static int all(void)
{
	uint64_t *histogram = calloc(OP_COUNT + 1, sizeof(*histogram)), hash = UINT64_C(0xcbf29ce484222325);
	struct insn i;
	uint32_t w = 0;

	if (!histogram)
		return 2;
	do {
		ours(w, &i);
		if (i.op > OP_COUNT || i.rd > SLOT_SINK || i.rn > SLOT_SINK || i.rm > SLOT_SINK || i.ra > SLOT_SINK ||
		    !i.exec) {
			printf("not ok decode --all: %08x leaves the register file\n", w);
			return 1;
		}
		histogram[i.op]++;
	} while (++w);
	for (unsigned op = 0; op <= OP_COUNT; op++) {
		const char *name = op < OP_COUNT ? a64_rows[op].name : "undefined";

		if (op < OP_COUNT && !histogram[op]) {
			printf("not ok decode --all: row %s claims no word\n", name);
			return 1;
		}
		for (const char *p = name; *p; p++)
			hash = (hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
		hash = (hash ^ histogram[op]) * UINT64_C(0x100000001b3);
	}
	printf("ok decode --all: %lu of 2^32 words defined, histogram hash %016lx\n",
	       (UINT64_C(1) << 32) - histogram[OP_COUNT], hash);
	free(histogram);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "count", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "show", required_argument, NULL, 'w' },
		{ 0 },
	};
	uint64_t count = 4000000, seed = 1;
	unsigned show = 20;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'a': return all();
		case 'c': count = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'w': show = (unsigned)strtoul(optarg, NULL, 0); break;
		default: fprintf(stderr, "usage: decode [--all] [--count N] [--seed S] [--show N]\n"); return 2;
		}
	return compare(count, seed, show);
}
