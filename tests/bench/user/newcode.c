/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that runs once. Pieces of random instructions, some thousand each with forward
 * branches, are made as a list of operations, computed here to know their result and
 * how many of them run, and written as machine code of the processor this is built
 * for: the same operations on both. Timed: the copy to where it runs, the
 * maintenance of caches, the call.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PIECE_OPS   4096
#define PIECE_BYTES (PIECE_OPS * 16)
#define TABLE_WORDS 256
#define REGS        4

/* LESS is a compare and a branch, two instructions. */
enum kind { ADD, SUB, XOR, MUL, ADDI, ROR, LOAD, STORE, UNLESS_BIT, LESS };

struct op {
	uint8_t kind, d, s;
	uint16_t n; /* immediate, bit, index in the table, or how many operations a branch skips */
	uint8_t bit;
};

typedef uint64_t (*piece_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t *);

static void make_ops(struct op *ops, size_t count, uint64_t *seed)
{
	static const uint8_t kinds[32] = { ADD,  ADD,   ADD,   ADD,   SUB,  SUB,  SUB,        XOR,
					   XOR,  XOR,   XOR,   XOR,   MUL,  ADDI, ADDI,       ADDI,
					   ROR,  ROR,   ROR,   ROR,   LOAD, LOAD, LOAD,       LOAD,
					   LOAD, STORE, STORE, STORE, LESS, LESS, UNLESS_BIT, UNLESS_BIT };

	for (size_t i = 0; i < count; i++) {
		uint64_t v = rnd(seed);
		struct op *o = &ops[i];

		*o = (struct op){ kinds[v >> 59], v >> 40 & 3, v >> 42 & 3, (uint16_t)(v >> 20), v >> 50 & 63 };
		switch (o->kind) {
		case ADDI: o->n = 1 + o->n % 4095; break;
		case ROR: o->n = 1 + o->n % 63; break;
		case LOAD:
		case STORE: o->n %= TABLE_WORDS; break;
		case UNLESS_BIT:
		case LESS: o->n = (uint16_t)(o->n % 8 < count - i - 1 ? o->n % 8 : count - i - 1); break;
		}
	}
}

/* What a piece returns; *@met counts the instructions that run. */
static uint64_t compute(const struct op *ops, size_t count, const uint64_t *from, uint64_t *table, uint64_t *met)
{
	uint64_t r[REGS];

	memcpy(r, from, sizeof(r));
	for (const struct op *o = ops; o < ops + count; o++) {
		++*met;
		switch (o->kind) {
		case ADD: r[o->d] += r[o->s]; break;
		case SUB: r[o->d] -= r[o->s]; break;
		case XOR: r[o->d] ^= r[o->s]; break;
		case MUL: r[o->d] *= r[o->s]; break;
		case ADDI: r[o->d] += o->n; break;
		case ROR: r[o->d] = r[o->d] >> o->n | r[o->d] << (64 - o->n); break;
		case LOAD: r[o->d] = table[o->n]; break;
		case STORE: table[o->n] = r[o->d]; break;
		case UNLESS_BIT: o += r[o->d] >> o->bit & 1 ? 0 : o->n; break;
		case LESS:
			++*met;
			o += r[o->d] < r[o->s] ? o->n : 0;
			break;
		}
	}
	++*met;
	return r[0];
}

/* ---- machine code; arguments are where the procedure call standard has them ---- */

#ifdef __aarch64__

/* X0 to X3, the table in X4. */
static size_t encode(uint8_t *at, const struct op *o, int32_t skip)
{
	uint32_t d = o->d, s = o->s, n = o->n, insn = 0xd65f03c0, compare;
	uint32_t two = s << 16 | d << 5 | d;

	switch (o->kind) {
	case ADD: insn = 0x8b000000 | two; break;
	case SUB: insn = 0xcb000000 | two; break;
	case XOR: insn = 0xca000000 | two; break;
	case MUL: insn = 0x9b007c00 | two; break;
	case ADDI: insn = 0x91000000 | n << 10 | d << 5 | d; break;
	case ROR: insn = 0x93c00000 | d << 16 | n << 10 | d << 5 | d; break;
	case LOAD: insn = 0xf9400000 | n << 10 | 4 << 5 | d; break;
	case STORE: insn = 0xf9000000 | n << 10 | 4 << 5 | d; break;
	case UNLESS_BIT:
		insn = 0x36000000 | (o->bit & 32u) << 26 | (o->bit & 31u) << 19 | ((uint32_t)skip / 4 + 1) << 5 | d;
		break;
	case LESS:
		compare = 0xeb00001f | s << 16 | d << 5;
		insn = 0x54000003 | ((uint32_t)skip / 4 + 1) << 5;
		memcpy(at, &compare, 4);
		memcpy(at + 4, &insn, 4);
		return 8;
	}
	memcpy(at, &insn, 4);
	return 4;
}

static size_t encode_end(uint8_t *at)
{
	const uint32_t ret = 0xd65f03c0;

	memcpy(at, &ret, 4);
	return 4;
}

static size_t encoded_bytes(const struct op *o) { return o->kind == LESS ? 8 : 4; }

#else

static size_t put(uint8_t *at, const void *bytes, size_t n, int32_t imm)
{
	memcpy(at, bytes, n);
	memcpy(at + n, &imm, 4);
	return n + 4;
}

/* RDI, RSI, RDX, RCX, the table in R8. */
static size_t encode(uint8_t *at, const struct op *o, int32_t skip)
{
	static const uint8_t reg[REGS] = { 7, 6, 2, 1 },
			     alu[] = { [ADD] = 0x01, [SUB] = 0x29, [XOR] = 0x31, [LESS] = 0x39 };
	uint8_t d = reg[o->d], s = reg[o->s];

	switch (o->kind) {
	case ADD:
	case SUB:
	case XOR: memcpy(at, (uint8_t[]){ 0x48, alu[o->kind], 0xc0 | s << 3 | d }, 3); return 3;
	case MUL: memcpy(at, (uint8_t[]){ 0x48, 0x0f, 0xaf, 0xc0 | d << 3 | s }, 4); return 4;
	case ADDI: return put(at, (uint8_t[]){ 0x48, 0x81, 0xc0 | d }, 3, o->n);
	case ROR: memcpy(at, (uint8_t[]){ 0x48, 0xc1, 0xc8 | d, o->n }, 4); return 4;
	case LOAD: return put(at, (uint8_t[]){ 0x49, 0x8b, 0x80 | d << 3 }, 3, o->n * 8);
	case STORE: return put(at, (uint8_t[]){ 0x49, 0x89, 0x80 | d << 3 }, 3, o->n * 8);
	case UNLESS_BIT: return put(at, (uint8_t[]){ 0x48, 0x0f, 0xba, 0xe0 | d, o->bit, 0x0f, 0x83 }, 7, skip);
	default: return put(at, (uint8_t[]){ 0x48, alu[LESS], 0xc0 | s << 3 | d, 0x0f, 0x82 }, 5, skip);
	}
}

static size_t encode_end(uint8_t *at)
{
	memcpy(at, (uint8_t[]){ 0x48, 0x89, 0xf8, 0xc3 }, 4);
	return 4;
}

static size_t encoded_bytes(const struct op *o)
{
	uint8_t scratch[16];

	return encode(scratch, o, 0);
}

#endif

static size_t encode_all(uint8_t *code, const struct op *ops, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		int32_t skip = 0;

		if (ops[i].kind == UNLESS_BIT || ops[i].kind == LESS)
			for (size_t k = 0; k < ops[i].n; k++)
				skip += (int32_t)encoded_bytes(&ops[i + 1 + k]);
		at += encode(code + at, &ops[i], skip);
	}
	return at + encode_end(code + at);
}

/* ---- the programs ---- */

static uint8_t *code_pages(size_t bytes)
{
	uint8_t *p = pages(bytes);

	if (mprotect(p, bytes, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("mprotect");
	return p;
}

static void flush(uint8_t *at, size_t bytes) { __builtin___clear_cache((char *)at, (char *)at + bytes); }

struct piece {
	struct op ops[PIECE_OPS];
	uint8_t code[PIECE_BYTES];
	uint64_t table[TABLE_WORDS], expected_table[TABLE_WORDS], r[REGS], expected;
	size_t bytes;
};

static void make_piece(struct piece *p, struct run *r, uint64_t *seed)
{
	make_ops(p->ops, PIECE_OPS, seed);
	p->bytes = encode_all(p->code, p->ops, PIECE_OPS);
	for (int i = 0; i < TABLE_WORDS; i++)
		p->table[i] = rnd(seed);
	for (int i = 0; i < REGS; i++)
		p->r[i] = rnd(seed);
	memcpy(p->expected_table, p->table, sizeof(p->table));
	p->expected = compute(p->ops, PIECE_OPS, p->r, p->expected_table, &r->units);
}

static void run_piece(struct run *r, struct piece *p, uint8_t *at)
{
	uint64_t v;

	run_start(r);
	memcpy(at, p->code, p->bytes);
	flush(at, p->bytes);
	v = ((piece_fn)(uintptr_t)at)(p->r[0], p->r[1], p->r[2], p->r[3], p->table);
	run_stop(r);
	if (v != p->expected || memcmp(p->table, p->expected_table, sizeof(p->table)) != 0)
		fail("newcode: wrong result");
	r->checksum = mix(r->checksum, v);
}

/* Each piece where no code has been yet. */
void bench_fresh(struct run *r)
{
	struct piece *p = pages(sizeof(*p));
	uint64_t seed = 16;

	for (uint64_t n = 0; n < r->rounds; n++) {
		make_piece(p, r, &seed);
		run_piece(r, p, code_pages(PIECE_BYTES));
	}
}

/* Each piece where the one before was. */
void bench_reuse(struct run *r)
{
	struct piece *p = pages(sizeof(*p));
	uint8_t *at = code_pages(PIECE_BYTES);
	uint64_t seed = 17;

	for (uint64_t n = 0; n < r->rounds; n++) {
		make_piece(p, r, &seed);
		run_piece(r, p, at);
	}
}

/* One instruction of a function replaced before each call. */
void bench_patch(struct run *r)
{
	struct op ops[16], patch = { .kind = ADDI };
	uint8_t *at = code_pages(4096);
	uint64_t seed = 18, v = 1, expected = 0, unused = 0, table[TABLE_WORDS] = { 0 };
	size_t bytes;

	/* Without branches, lest the instruction be skipped. */
	make_ops(ops, 16, &seed);
	for (int i = 0; i < 16; i++)
		if (ops[i].kind == UNLESS_BIT || ops[i].kind == LESS || ops[i].kind == STORE || ops[i].kind == LOAD)
			ops[i].kind = XOR, ops[i].s = (ops[i].d + 1) % REGS;
	ops[0] = patch;
	bytes = encode_all(at, ops, 16);
	flush(at, bytes);
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		uint8_t insn[16];

		patch.n = (uint16_t)(n & 4095);
		memcpy(at, insn, encode(insn, &patch, 0));
		flush(at, encoded_bytes(&patch));
		v = ((piece_fn)(uintptr_t)at)(v, 2, 3, 4, table);
		r->checksum = mix(r->checksum, v);
	}
	run_stop(r);
	v = 1;
	for (uint64_t n = 0; n < r->rounds; n++) {
		ops[0].n = (uint16_t)(n & 4095);
		v = compute(ops, 16, (uint64_t[]){ v, 2, 3, 4 }, table, &unused);
		expected = mix(expected, v);
	}
	if (r->checksum != expected)
		fail("patch: wrong result");
	r->units = r->rounds;
}

/* A copy of this program in a file of its own. */
static int copy_of(const char *path)
{
	int from = open(path, O_RDONLY), to = memfd_create("bench", 0);
	char buffer[16384];
	ssize_t n;

	if (from < 0 || to < 0)
		fail("newprog: file");
	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		if (write(to, buffer, (size_t)n) != n)
			fail("newprog: write");
	close(from);
	return to;
}

/* Programs that were never run: all of their code is new, though the kernel's is not. */
void bench_newprog(struct run *r)
{
	static char *const args[] = { "bench", "--once", "fnv",   "sha256", "lz",      "huffman",    "string",
				      "libc",  "mpi",    "nbody", "fft",    "dot-vec", "pixels-vec", NULL };

	for (uint64_t n = 0; n < r->rounds; n++) {
		int fd = copy_of(r->self), status;
		pid_t pid;

		run_start(r);
		pid = fork();
		if (!pid) {
			fexecve(fd, args, (char *[]){ NULL });
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			fail("newprog: the new one");
		run_stop(r);
		r->checksum++;
	}
	r->units = r->rounds;
}
