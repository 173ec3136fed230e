/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The assembler against libcapstone: each function with random operands, and what comes
 * out is read back. A row says how the instruction is written in an assembler.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine.h"
#include "host-disas.h"
#include "arch/x86_64/x86.h"

/* ---- Operands ---- */

struct draw {
	bool w;
	unsigned bits;        /* 64 or 32, as w */
	unsigned bytes;       /* 1, 2, 4 or 8 */
	int r, s;             /* registers */
	struct x86_rm m, mem; /* register or memory; memory */
	enum x86_cond cc;
	enum x86_alu alu;
	uint8_t imm8;
	int32_t imm;
};

static uint64_t seed = 1;

static uint64_t draw(uint64_t count)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % count;
}

/* Those of one byte, and their ends, often. */
static int32_t draw_i32(void)
{
	static const int32_t some[] = { 0, 1, -1, 127, 128, -128, -129, INT32_MAX, INT32_MIN };

	return draw(2)   ? some[draw(ARRAY_SIZE(some))]
	       : draw(2) ? (int32_t)draw(256) - 128
			 : (int32_t)draw(UINT64_C(1) << 32);
}

static struct x86_rm draw_memory(void)
{
	int base = (int)draw(16), index = (int)draw(16);

	return draw(2) || index == RSP ? x86_m(base, draw_i32()) : x86_mi(base, index, (unsigned)draw(4), draw_i32());
}

static struct draw draw_operands(void)
{
	struct draw d = {
		.w = draw(2),
		.bytes = 1u << draw(4),
		.r = (int)draw(16),
		.s = (int)draw(16),
		.mem = draw_memory(),
		.cc = (enum x86_cond)draw(16),
		.alu = (enum x86_alu)draw(8),
		.imm8 = (uint8_t)draw(256),
		.imm = draw_i32(),
	};

	d.bits = d.w ? 64 : 32;
	d.m = draw(2) ? x86_r((int)draw(16)) : d.mem;
	return d;
}

/* ---- As text ---- */

/* Lives until as many others have been made as an instruction can have. */
static char *scrap(void)
{
	static char text[16][80];
	static unsigned next;

	return text[next++ % ARRAY_SIZE(text)];
}

static const char *reg(unsigned bits, int n)
{
	static const char *const low[8] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	static const char *const low8[8] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };
	const char *suffix = bits == 64 ? "" : bits == 32 ? "d" : bits == 16 ? "w" : "b";
	char *text = scrap();

	if (bits == 128)
		snprintf(text, 80, "xmm%d", n);
	else if (bits == 256)
		snprintf(text, 80, "ymm%d", n);
	else if (n >= 8)
		snprintf(text, 80, "r%d%s", n, suffix);
	else if (bits == 8)
		snprintf(text, 80, "%s", low8[n]);
	else
		snprintf(text, 80, "%s%s", bits == 64 ? "r" : bits == 32 ? "e" : "", low[n]);
	return text;
}

static const char *memory(unsigned bits, struct x86_rm m)
{
	char *text = scrap();
	int64_t disp = m.disp;
	int n = snprintf(text, 80, "%u[%s", bits / 8, reg(64, m.base));

	if (m.index != X86_NONE)
		n += snprintf(text + n, 80 - (size_t)n, "+%s*%u", reg(64, m.index), 1u << m.scale);
	if (disp)
		n += snprintf(text + n, 80 - (size_t)n, "%s0x%" PRIx64, disp < 0 ? "-" : "+",
			      (uint64_t)(disp < 0 ? -disp : disp));
	snprintf(text + n, 80 - (size_t)n, "]");
	return text;
}

static const char *rm(unsigned bits, struct x86_rm m) { return m.is_reg ? reg(bits, m.base) : memory(bits, m); }

/* The same in an instruction whose register is 128 bits wide and whose memory is not. */
static const char *xmm_or(unsigned bits, struct x86_rm m) { return m.is_reg ? reg(128, m.base) : memory(bits, m); }

static const char *constant(unsigned bits, uint64_t v)
{
	char *text = scrap();

	snprintf(text, 80, "0x%" PRIx64, bits == 64 ? v : v & ((UINT64_C(1) << bits) - 1));
	return text;
}

static const char *const cond[16] = { "o", "no", "b", "ae", "e", "ne", "be", "a",
				      "s", "ns", "p", "np", "l", "ge", "le", "g" };
static const char *const alu[8] = { "add", "or", "adc", "sbb", "and", "sub", "xor", "cmp" };

/* ---- Instructions ---- */

static uint8_t code[256];

typedef void form_fn(struct x86 *a, const struct draw *d, char *want);

#define FORM(name, call, ...)                                                    \
	static void form_##name(struct x86 *a, const struct draw *d, char *want) \
	{                                                                        \
		(void)d;                                                         \
		call;                                                            \
		snprintf(want, 200, __VA_ARGS__);                                \
	}

#define R   reg(d->bits, d->r)
#define S   reg(d->bits, d->s)
#define M   rm(d->bits, d->m)
#define I8  constant(8, d->imm8)
#define I32 constant(d->bits, (uint64_t)(int64_t)d->imm)

FORM(mov, x86_mov(a, d->w, d->r, d->m), "mov %s, %s", R, M)
FORM(store, x86_store(a, d->w, d->m, d->r), "mov %s, %s", M, R)
FORM(store8, x86_store8(a, d->m, d->r), "mov %s, %s", rm(8, d->m), reg(8, d->r))
FORM(store16, x86_store16(a, d->m, d->r), "mov %s, %s", rm(16, d->m), reg(16, d->r))
FORM(movr, x86_movr(a, d->w, d->r, d->r ^ 9), "mov %s, %s", R, reg(d->bits, d->r ^ 9))
FORM(movr_same, x86_movr(a, false, d->r, d->r), "mov %s, %s", reg(32, d->r), reg(32, d->r))
FORM(mov_imm32, x86_mov_imm(a, d->r, (uint32_t)d->imm), "mov %s, %s", reg(32, d->r), constant(32, (uint32_t)d->imm))
FORM(store_imm, x86_store_imm(a, d->w, d->m, d->imm), "mov %s, %s", M, I32)
FORM(store_imm8, x86_store_imm8(a, d->m, d->imm8), "mov %s, %s", rm(8, d->m), I8)
FORM(store_imm16, x86_store_imm16(a, d->m, (uint16_t)d->imm), "mov %s, %s", rm(16, d->m),
     constant(16, (uint16_t)d->imm))
FORM(movzx8, x86_movzx8(a, d->r, d->m), "movzx %s, %s", reg(32, d->r), rm(8, d->m))
FORM(movsx8, x86_movsx8(a, d->w, d->r, d->m), "movsx %s, %s", R, rm(8, d->m))
FORM(movzx16, x86_movzx16(a, d->r, d->m), "movzx %s, %s", reg(32, d->r), rm(16, d->m))
FORM(movsx16, x86_movsx16(a, d->w, d->r, d->m), "movsx %s, %s", R, rm(16, d->m))
FORM(movsxd, x86_movsxd(a, d->r, d->m), "movsxd %s, %s", reg(64, d->r), rm(32, d->m))
FORM(lea, x86_lea(a, d->w, d->r, d->mem), "lea %s, %s", R, memory(d->bits, d->mem))
FORM(xchg, x86_xchg(a, d->w, d->mem, d->r), "xchg %s, %s", memory(d->bits, d->mem), R)
FORM(cmov, x86_cmov(a, d->w, d->cc, d->r, d->m), "cmov%s %s, %s", cond[d->cc], R, M)
FORM(setcc, x86_setcc(a, d->cc, d->m), "set%s %s", cond[d->cc], rm(8, d->m))

FORM(alu, x86_alu(a, d->alu, d->w, d->r, d->m), "%s %s, %s", alu[d->alu], R, M)
FORM(alu_to, x86_alu_to(a, d->alu, d->w, d->m, d->r), "%s %s, %s", alu[d->alu], M, R)
FORM(alu_imm, x86_alu_imm(a, d->alu, d->w, d->m, d->imm), "%s %s, %s", alu[d->alu], M, I32)
FORM(cmp8_imm, x86_cmp8_imm(a, d->m, d->imm8), "cmp %s, %s", rm(8, d->m), I8)
FORM(cmp16_imm8, x86_cmp16_imm8(a, d->m, (int8_t)d->imm8), "cmp %s, %s", rm(16, d->m),
     constant(16, (uint64_t)(int8_t)d->imm8))
FORM(test, x86_test(a, d->w, d->m, d->r), "test %s, %s", M, R)
FORM(test_imm, x86_test_imm(a, d->w, d->m, d->imm), "test %s, %s", M, I32)
FORM(test8_imm, x86_test8_imm(a, d->m, d->imm8), "test %s, %s", rm(8, d->m), I8)
FORM(bt_imm, x86_bt_imm(a, d->w, d->m, d->imm8), "bt %s, %s", M, I8)
FORM(not, x86_not_(a, d->w, d->m), "not %s", M)
FORM(neg, x86_neg(a, d->w, d->m), "neg %s", M)
FORM(mul, x86_mul(a, d->w, d->m), "mul %s", M)
FORM(imul1, x86_imul1(a, d->w, d->m), "imul %s", M)
FORM(div, x86_div(a, d->w, d->m), "div %s", M)
FORM(idiv, x86_idiv(a, d->w, d->m), "idiv %s", M)
FORM(imul, x86_imul(a, d->w, d->r, d->m), "imul %s, %s", R, M)
FORM(cqo, x86_cqo(a, d->w), "%s", d->w ? "cqo" : "cdq")
FORM(bswap, x86_bswap(a, d->w, d->r), "bswap %s", R)
FORM(lzcnt, x86_lzcnt(a, d->w, d->r, d->m), "lzcnt %s, %s", R, M)
FORM(popcnt, x86_popcnt(a, d->w, d->r, d->m), "popcnt %s, %s", R, M)
FORM(crc32, x86_crc32(a, d->bytes, d->r, d->m), "crc32 %s, %s", reg(d->bytes == 8 ? 64 : 32, d->r),
     rm(8 * d->bytes, d->m))

static const char *shift_name(unsigned n, enum x86_shift *op)
{
	static const struct {
		const char *name;
		enum x86_shift op;
	} some[] = {
		{ "rol", X86_ROL }, { "ror", X86_ROR }, { "shl", X86_SHL }, { "shr", X86_SHR }, { "sar", X86_SAR },
	};

	*op = some[n % ARRAY_SIZE(some)].op;
	return some[n % ARRAY_SIZE(some)].name;
}

static void form_shift_imm(struct x86 *a, const struct draw *d, char *want)
{
	enum x86_shift op;
	const char *name = shift_name(d->imm8, &op);

	x86_shift_imm(a, op, d->w, d->m, d->imm8);
	snprintf(want, 200, "%s %s, %s", name, M, I8);
}

static void form_shift_cl(struct x86 *a, const struct draw *d, char *want)
{
	enum x86_shift op;
	const char *name = shift_name(d->imm8, &op);

	x86_shift_cl(a, op, d->w, d->m);
	snprintf(want, 200, "%s %s, cl", name, M);
}

FORM(shrd_imm, x86_shrd_imm(a, d->w, d->m, d->r, d->imm8), "shrd %s, %s, %s", M, R, I8)
FORM(lahf, x86_lahf(a), "lahf")
FORM(sahf, x86_sahf(a), "sahf")
FORM(cmc, x86_cmc(a), "cmc")

/* The constant is the address. */
#define TARGET (code + d->imm / 2)
#define NEAR   (code + 2 + d->imm8 % 128) /* both are two bytes */
static const char *address(const uint8_t *p) { return constant(64, (uintptr_t)p); }

FORM(jcc, x86_aim(x86_jcc(a, d->cc), TARGET), "j%s %s", cond[d->cc], address(TARGET))
FORM(jmp, x86_aim(x86_jmp(a), TARGET), "jmp %s", address(TARGET))
FORM(call, x86_aim(x86_call(a), TARGET), "call %s", address(TARGET))
FORM(jcc8, x86_aim8(x86_jcc8(a, d->cc), NEAR), "j%s %s", cond[d->cc], address(NEAR))
FORM(jmp8, x86_aim8(x86_jmp8(a), NEAR), "jmp %s", address(NEAR))
FORM(jmp_rm, x86_jmp_rm(a, d->m), "jmp %s", rm(64, d->m))
FORM(call_rm, x86_call_rm(a, d->m), "call %s", rm(64, d->m))
FORM(ret, x86_ret(a), "ret")
FORM(push, x86_push(a, d->r), "push %s", reg(64, d->r))
FORM(pop, x86_pop(a, d->r), "pop %s", reg(64, d->r))

#define SIZED_R reg(8 * d->bytes, d->r)
#define SIZED_M memory(8 * d->bytes, d->mem)

FORM(lock_xadd, x86_lock_xadd(a, d->bytes, d->mem, d->r), "lock xadd %s, %s", SIZED_M, SIZED_R)
FORM(lock_cmpxchg, x86_lock_cmpxchg(a, d->bytes, d->mem, d->r), "lock cmpxchg %s, %s", SIZED_M, SIZED_R)
FORM(lock_cmpxchg16b, x86_lock_cmpxchg16b(a, d->mem), "lock cmpxchg16b %s", memory(128, d->mem))
/* CMP cannot be locked. */
FORM(lock_alu, x86_lock_alu(a, d->alu % X86_CMP, d->bytes, d->mem, d->r), "lock %s %s, %s", alu[d->alu % X86_CMP],
     SIZED_M, SIZED_R)
FORM(xchg_sized, x86_xchg_sized(a, d->bytes, d->mem, d->r), "xchg %s, %s", SIZED_M, SIZED_R)

/* One of each prefix and map; the last two of 256 bits. */
#define XR reg(128, d->r)
#define XS reg(128, d->s)
#define XM rm(128, d->m)

FORM(vex_66, x86_vex(a, VEX(1, 1, 0, 0xfe), d->r, d->s, d->m), "vpaddd %s, %s, %s", XR, XS, XM)
FORM(vex_none, x86_vex(a, VEX(0, 1, 0, 0x58), d->r, d->s, d->m), "vaddps %s, %s, %s", XR, XS, XM)
FORM(vex_f3, x86_vex(a, VEX(2, 1, 0, 0x58), d->r, d->s, d->m), "vaddss %s, %s, %s", XR, XS, xmm_or(32, d->m))
FORM(vex_f2, x86_vex(a, VEX(3, 1, 0, 0x58), d->r, d->s, d->m), "vaddsd %s, %s, %s", XR, XS, xmm_or(64, d->m))
FORM(vex_w1, x86_vex(a, VEX(1, 2, 1, 0xb8), d->r, d->s, d->m), "vfmadd231pd %s, %s, %s", XR, XS, XM)
FORM(vex_imm, x86_vex_imm(a, VEX(1, 3, 0, 0x0f), d->r, d->s, d->m, d->imm8), "vpalignr %s, %s, %s, %s", XR, XS, XM,
     I8)
FORM(vex2, x86_vex2(a, VEX(1, 2, 0, 0x1c), d->r, d->m), "vpabsb %s, %s", XR, XM)
FORM(vex2_imm, x86_vex2_imm(a, VEX(1, 1, 0, 0x70), d->r, d->m, d->imm8), "vpshufd %s, %s, %s", XR, XM, I8)
FORM(vex_l, x86_vex_l(a, 1, VEX(1, 1, 0, 0xd4), d->r, d->s, d->m), "vpaddq %s, %s, %s", reg(256, d->r),
     reg(256, d->s), rm(256, d->m))
FORM(vzeroupper, x86_vzeroupper(a), "vzeroupper")

FORM(rorx, x86_rorx(a, d->w, d->r, d->m, d->imm8 % 64), "rorx %s, %s, %s", R, M, constant(8, d->imm8 % 64))
FORM(shlx, x86_shlx(a, d->w, d->r, d->m, d->s), "shlx %s, %s, %s", R, M, S)
FORM(shrx, x86_shrx(a, d->w, d->r, d->m, d->s), "shrx %s, %s, %s", R, M, S)
FORM(sarx, x86_sarx(a, d->w, d->r, d->m, d->s), "sarx %s, %s, %s", R, M, S)
FORM(pext, x86_pext(a, d->w, d->r, d->s, d->m), "pext %s, %s, %s", R, S, M)
FORM(pdep, x86_pdep(a, d->w, d->r, d->s, d->m), "pdep %s, %s, %s", R, S, M)
FORM(mulx, x86_mulx(a, d->w, d->r, d->s, d->m), "mulx %s, %s, %s", R, S, M)
FORM(andn, x86_andn(a, d->w, d->r, d->s, d->m), "andn %s, %s, %s", R, S, M)

FORM(vmovdqa, x86_vmovdqa(a, d->r, d->m), "vmovdqa %s, %s", XR, XM)
FORM(vmovdqa_store, x86_vmovdqa_store(a, d->m, d->r), "vmovdqa %s, %s", XM, XR)
FORM(vmovdqu, x86_vmovdqu(a, d->r, d->m), "vmovdqu %s, %s", XR, XM)
FORM(vmovdqu_store, x86_vmovdqu_store(a, d->m, d->r), "vmovdqu %s, %s", XM, XR)
FORM(vmovq, x86_vmovq(a, d->r, d->m), "vmovq %s, %s", XR, rm(64, d->m))
FORM(vmovq_store, x86_vmovq_store(a, d->m, d->r), "vmovq %s, %s", rm(64, d->m), XR)
FORM(vmovd, x86_vmovd(a, d->r, d->m), "vmovd %s, %s", XR, rm(32, d->m))
FORM(vmovd_store, x86_vmovd_store(a, d->m, d->r), "vmovd %s, %s", rm(32, d->m), XR)
FORM(vmovq_xmm, x86_vmovq_xmm(a, d->r, d->s), "vmovq %s, %s", XR, XS)

/* ---- Tests ---- */

#define ROW(name)                  \
	{                          \
#name, form_##name \
	}

static const struct form {
	const char *name;
	form_fn *make;
} forms[] = {
	ROW(mov),
	ROW(store),
	ROW(store8),
	ROW(store16),
	ROW(movr),
	ROW(movr_same),
	ROW(mov_imm32),
	ROW(store_imm),
	ROW(store_imm8),
	ROW(store_imm16),
	ROW(movzx8),
	ROW(movsx8),
	ROW(movzx16),
	ROW(movsx16),
	ROW(movsxd),
	ROW(lea),
	ROW(xchg),
	ROW(cmov),
	ROW(setcc),
	ROW(alu),
	ROW(alu_to),
	ROW(alu_imm),
	ROW(cmp8_imm),
	ROW(cmp16_imm8),
	ROW(test),
	ROW(test_imm),
	ROW(test8_imm),
	ROW(bt_imm),
	ROW(not ),
	ROW(neg),
	ROW(mul),
	ROW(imul1),
	ROW(div),
	ROW(idiv),
	ROW(imul),
	ROW(cqo),
	ROW(bswap),
	ROW(lzcnt),
	ROW(popcnt),
	ROW(crc32),
	ROW(shift_imm),
	ROW(shift_cl),
	ROW(shrd_imm),
	ROW(lahf),
	ROW(sahf),
	ROW(cmc),
	ROW(jcc),
	ROW(jmp),
	ROW(call),
	ROW(jcc8),
	ROW(jmp8),
	ROW(jmp_rm),
	ROW(call_rm),
	ROW(ret),
	ROW(push),
	ROW(pop),
	ROW(lock_xadd),
	ROW(lock_cmpxchg),
	ROW(lock_cmpxchg16b),
	ROW(lock_alu),
	ROW(xchg_sized),
	ROW(vex_66),
	ROW(vex_none),
	ROW(vex_f3),
	ROW(vex_f2),
	ROW(vex_w1),
	ROW(vex_imm),
	ROW(vex2),
	ROW(vex2_imm),
	ROW(vex_l),
	ROW(vzeroupper),
	ROW(rorx),
	ROW(shlx),
	ROW(shrx),
	ROW(sarx),
	ROW(pext),
	ROW(pdep),
	ROW(mulx),
	ROW(andn),
	ROW(vmovdqa),
	ROW(vmovdqa_store),
	ROW(vmovdqu),
	ROW(vmovdqu_store),
	ROW(vmovq),
	ROW(vmovq_store),
	ROW(vmovd),
	ROW(vmovd_store),
	ROW(vmovq_xmm),
};

static void check(const struct form *f)
{
	const struct draw d = draw_operands();
	char want[200] = "", got[200] = "";
	struct x86 a = { code };

	f->make(&a, &d, want);
	host_insn(code, (size_t)(a.p - code), got, sizeof(got));
	if (strcmp(got, want))
		fail_msg("%s: %s\n  is read as %s", f->name, want, got);
}

static void each_instruction_is_read_as_it_was_written(void **state)
{
	(void)state;
	if (!host_insn_available())
		skip();
	for (unsigned n = 0; n < ARRAY_SIZE(forms); n++)
		for (unsigned k = 0; k < 3000; k++)
			check(&forms[n]);
}

/* Any form will do that is as short as they come. */
static void a_constant_is_moved_in_the_shortest_form(void **state)
{
	static const struct {
		uint64_t v;
		unsigned bytes;
		const char *text;
	} rows[] = {
		{ 0, 5, "mov eax, 0x0" },
		{ 0xffffffff, 5, "mov eax, 0xffffffff" },
		{ UINT64_MAX, 7, "mov rax, 0xffffffffffffffff" },
		{ 0xffffffff80000000, 7, "mov rax, 0xffffffff80000000" },
		{ 0xffffffff7fffffff, 10, "movabs rax, 0xffffffff7fffffff" },
		{ 0x100000000, 10, "movabs rax, 0x100000000" },
	};
	char got[200];

	(void)state;
	if (!host_insn_available())
		skip();
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
		for (int reg_no = RAX; reg_no <= R15; reg_no += R15) {
			struct x86 a = { code };

			x86_mov_imm(&a, reg_no, rows[k].v);
			assert_int_equal(a.p - code, rows[k].bytes + (reg_no == R15 && rows[k].bytes == 5));
			host_insn(code, (size_t)(a.p - code), got, sizeof(got));
			assert_string_equal(strchr(got, ','), strchr(rows[k].text, ','));
			if (reg_no == RAX)
				assert_string_equal(got, rows[k].text);
		}
}

static void a_move_to_itself_is_nothing_but_for_the_upper_half(void **state)
{
	struct x86 a = { code };

	(void)state;
	x86_movr(&a, true, R9, R9);
	assert_ptr_equal(a.p, code);
	x86_movr(&a, false, R9, R9);
	assert_ptr_equal(a.p, code + 3);
}

static void each_condition_has_its_opposite(void **state)
{
	(void)state;
	for (unsigned cc = 0; cc < 16; cc++) {
		assert_int_equal(x86_not(x86_not(cc)), cc);
		assert_true(x86_not(cc) != cc);
	}
	assert_int_equal(x86_not(CC_BE), CC_A);
	assert_int_equal(x86_not(CC_L), CC_GE);
	assert_int_equal(x86_not(CC_NP), CC_P);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instruction_is_read_as_it_was_written),
		cmocka_unit_test(a_constant_is_moved_in_the_shortest_form),
		cmocka_unit_test(a_move_to_itself_is_nothing_but_for_the_upper_half),
		cmocka_unit_test(each_condition_has_its_opposite),
	};

	return cmocka_run_group_tests_name("arch/x86_64/x86", tests, NULL, NULL);
}
