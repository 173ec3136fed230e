/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What exec_ functions call and a random test does not test: translation is the
 * identity on one window of memory, exceptions are only noted. Weak, so that a
 * function which moves into a linked exec file replaces its fake.
 */
#include <string.h>

#include "fake.h"

#define FAKE __attribute__((weak))

void fake_tlb(struct fake *f, bool fast)
{
	for (unsigned k = 0; k < TLB_ENTRIES; k++) {
		uint64_t va = WINDOW_BASE + 4096 * (uint64_t)k;
		struct tlb_entry hit = { va, 0 }, miss = { TLB_EMPTY_TAG(va >> 12 & (TLB_ENTRIES - 1)), 0 };

		f->ctx.r[va >> 12 & (TLB_ENTRIES - 1)] = fast ? hit : miss;
		f->ctx.w[va >> 12 & (TLB_ENTRIES - 1)] = fast && va - CODE_BASE >= CODE_BYTES ? hit : miss;
	}
}

static enum exec note(struct cpu *c, enum outcome o)
{
	fake_of(c)->outcome = o;
	return EXEC_JUMP;
}

static enum exec other(struct cpu *c, const char *what)
{
	fake_of(c)->other = what;
	return note(c, OUT_OTHER);
}

/* ---- Memory ---- */

static void *window(struct cpu *c, uint64_t va, unsigned bytes, bool write, bool aligned)
{
	struct fake *f = fake_of(c);

	if (aligned && (va & (bytes - 1))) {
		note(c, OUT_ALIGNMENT);
		return NULL;
	}
	if (va - WINDOW_BASE > WINDOW_BYTES - bytes ||
	    (write && va + bytes > CODE_BASE && va < CODE_BASE + CODE_BYTES)) {
		note(c, OUT_FAULT);
		return NULL;
	}
	if (va < f->lo)
		f->lo = va;
	if (va + bytes > f->hi)
		f->hi = va + bytes;
	return (void *)(uintptr_t)va;
}

FAKE bool mmu_read_slow(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	const void *p = window(c, va, bytes, false, flags & ACC_ALIGNED);

	(void)unit;
	if (p)
		memcpy(buf, p, bytes);
	return p != NULL;
}

FAKE bool mmu_write_slow(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	void *p = window(c, va, bytes, true, flags & ACC_ALIGNED);

	(void)unit;
	if (p && !fake_of(c)->dry)
		memcpy(p, buf, bytes);
	return p != NULL;
}

FAKE bool mem_ld_multi(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	return mmu_read_slow(c, va, buf, bytes, unit, flags);
}

FAKE bool mem_st_multi(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	return mmu_write_slow(c, va, buf, bytes, unit, flags);
}

FAKE void *mmu_atomic_ptr(struct cpu *c, uint64_t va, unsigned bytes, bool write, unsigned flags)
{
	(void)flags;
	return window(c, va, bytes, write, true);
}

FAKE bool cpu_sp_misaligned(struct cpu *c)
{
	note(c, OUT_ALIGNMENT);
	return true;
}

FAKE enum exec mmu_dc(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "mmu_dc");
}
FAKE enum exec mmu_ic(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "mmu_ic");
}
FAKE enum exec mmu_at(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "mmu_at");
}
FAKE enum exec mmu_tlbi(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "mmu_tlbi");
}
FAKE bool mmu_pc_guarded(struct cpu *c)
{
	(void)c;
	return false;
}
FAKE void mmu_dsb(struct cpu *c) { (void)c; }
FAKE void mmu_drain_ring(struct cpu *c) { (void)c; }
FAKE void mmu_regime_changed(struct cpu *c) { (void)c; }

/* ---- Exceptions ---- */

FAKE enum exec exc_undefined(struct cpu *c) { return note(c, OUT_UNDEFINED); }
FAKE enum exec exec_undefined(struct cpu *c, const struct insn *i)
{
	(void)i;
	return note(c, OUT_UNDEFINED);
}
FAKE enum exec exec_fp_trapped(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "exec_fp_trapped");
}

FAKE enum exec exc_sync(struct cpu *c, unsigned ec, uint32_t iss)
{
	(void)iss;
	fake_of(c)->ec = ec;
	return note(c, OUT_SYNC);
}

FAKE enum exec exc_sync_ret(struct cpu *c, unsigned ec, uint32_t iss) { return exc_sync(c, ec, iss); }

FAKE enum exec exc_sync_far(struct cpu *c, unsigned ec, uint32_t iss, uint64_t far)
{
	(void)far;
	return exc_sync(c, ec, iss);
}

FAKE enum exec exc_return(struct cpu *c) { return other(c, "exc_return"); }

FAKE uint64_t cpu_pstate(const struct cpu *c) { return c->nzcv; }
FAKE void cpu_set_pstate(struct cpu *c, uint64_t p)
{
	(void)p;
	other(c, "cpu_set_pstate");
}
FAKE void cpu_set_el(struct cpu *c, unsigned el, unsigned spsel)
{
	(void)el;
	(void)spsel;
	other(c, "cpu_set_el");
}
FAKE void cpu_set_pan(struct cpu *c, bool pan)
{
	(void)pan;
	other(c, "cpu_set_pan");
}
FAKE void cpu_set_daif(struct cpu *c, uint32_t daif)
{
	(void)daif;
	other(c, "cpu_set_daif");
}
FAKE void cpu_update_fp_trap(struct cpu *c) { (void)c; }
FAKE bool cpu_irq_deliverable(struct cpu *c)
{
	(void)c;
	return false;
}

/* ---- The rest of the machine ---- */

FAKE enum exec sysreg_mrs(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "sysreg_mrs");
}
FAKE enum exec sysreg_msr(struct cpu *c, const struct insn *i)
{
	(void)i;
	return other(c, "sysreg_msr");
}
FAKE enum exec sysreg_trap(struct cpu *c, uint32_t word)
{
	(void)word;
	return exc_sync(c, EC_SYSREG, 0);
}
FAKE enum exec smccc_call(struct cpu *c) { return other(c, "smccc_call"); }
FAKE void cpu_send_event(struct soc *s) { (void)s; }
FAKE void cpu_request(struct cpu *c, uint32_t req)
{
	(void)c;
	(void)req;
}
FAKE void run_invalidate_page(struct cpu *c, uint64_t pa)
{
	(void)c;
	(void)pa;
}
FAKE void run_invalidate_all(struct cpu *c) { (void)c; }
