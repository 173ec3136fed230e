/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU from inside: one struct per vCPU, and what exec_ functions,
 * the MMU, exceptions and the dispatcher (and the translator of the same CPU,
 * arch/x86_64) use of each other. Private to arch/.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <pthread.h>
#include <spec/sysreg.h>
#include <stdatomic.h>
#include <vmm/cpu.h>
#include <vmm/regs.h>
#include <vmm/types.h>

#include "insn.h"

/* ---- State ---- */

/*
 * One SIMD&FP register: the low 128 bits of an SVE register. Lanes are numbered
 * as in the Arm ARM, lane 0 least significant, on a little-endian host.
 */
union vreg {
	uint8_t  b[16]; int8_t  sb[16];
	uint16_t h[8];  int16_t sh[8];
	uint32_t s[4];  int32_t ss[4];
	uint64_t d[2];  int64_t sd[2];
	unsigned __int128 q;
};

#define Z_STRIDE 256            /* bytes a Z register occupies whatever the vector length (VL <= 2048) */

/* PSTATE and SPSR_EL1 fields in their architectural places. */
#define PSTATE_N      (UINT64_C(1) << 31)
#define PSTATE_Z      (UINT64_C(1) << 30)
#define PSTATE_C      (UINT64_C(1) << 29)
#define PSTATE_V      (UINT64_C(1) << 28)
#define PSTATE_NZCV   (UINT64_C(0xf) << 28)
#define PSTATE_TCO    (UINT64_C(1) << 25)
#define PSTATE_DIT    (UINT64_C(1) << 24)
#define PSTATE_UAO    (UINT64_C(1) << 23)
#define PSTATE_PAN    (UINT64_C(1) << 22)
#define PSTATE_SS     (UINT64_C(1) << 21)
#define PSTATE_IL     (UINT64_C(1) << 20)
#define PSTATE_SSBS   (UINT64_C(1) << 12)
#define PSTATE_BTYPE_SHIFT 10
#define PSTATE_D      (UINT64_C(1) << 9)
#define PSTATE_A      (UINT64_C(1) << 8)
#define PSTATE_I      (UINT64_C(1) << 7)
#define PSTATE_F      (UINT64_C(1) << 6)
#define PSTATE_DAIF   (UINT64_C(0xf) << 6)

/*
 * Software TLB: {tag, addend} pairs indexed by VA bits 21:12, one array for
 * reads and one for writes. (va ^ tag) <= 4096 - size is tag match, page
 * crossing and "any alignment will do" in one compare; then the byte is at
 * host address addend + va. An entry exists only for RAM, only with permission,
 * and only while unaligned accesses are allowed (fill policy in mmu.c), so the
 * inline code knows no rules at all.
 */
#define TLB_ENTRIES 1024
/* Tag of an empty entry @k: a VA that indexes to k differs from it in bit 12, so it never matches. */
#define TLB_EMPTY_TAG(k) ((uint64_t)((k) ^ 1) << 12)

struct tlb_entry { uint64_t tag, addend; };

struct block;                   /* decoded instructions from one page, run.c */

#define JC_ENTRIES 8192         /* 2048: two and a half times as many misses in a boot; 16384: two thirds */
struct jc_entry { uint64_t va; void *block; };      /* struct block, or the translator's code */

/*
 * Everything that depends on one translation regime and ASID. A cpu has one for
 * EL1 and several for EL0; switching EL, TTBR or ASID is a pointer change.
 */
struct mmu_ctx {
	struct tlb_entry r[TLB_ENTRIES], w[TLB_ENTRIES];
	struct jc_entry jc[JC_ENTRIES];
	uint16_t asid;
	bool in_use;
	/*
	 * What makes invalidation cheap: which slots were filled (beyond the end of a
	 * log everything is), which pages have jump cache entries, which 2 MiB areas
	 * hold fragments of larger mappings, slots that PAN or another ASID takes away.
	 */
	bool has_global, ng_code;
	bool has_guarded;               /* a page with GP has been fetched from */
	uint64_t used;                  /* time stamp for LRU */
	uint64_t big[8], huge_lo, huge_hi;
	uint64_t code[64];
	uint16_t log_n, jc_log_n, user_n;
	uint16_t log[256], jc_log[1024], user[64];
};

/* Makes an entry that is no pc's, not even an odd one's: its VA leads to another entry. */
static inline void jc_clear(struct mmu_ctx *m, unsigned k) { m->jc[k].va = (uint64_t)(k ^ 1) << 2; }

enum { EL0_CTX_COUNT = 8 };

/* System registers with a row in regs.def live in cpu->sys[] (or soc->sys[] for VM scope). */
enum sysreg {
#define REG(NAME, ...) SYS_##NAME,
#include <vmm/regs.def>
	SYS_COUNT
};

/* Bits of cpu->exit_req; any non-zero value makes the dispatcher stop at the next block boundary. */
enum {
	REQ_IRQ  = 1 << 0,      /* the GIC's signal to this cpu changed, or was unmasked: look at irq_lines */
	REQ_KICK = 1 << 1,      /* cpu_kick() */
	REQ_RING = 1 << 2,      /* another cpu broadcast TLBI or IC: drain the ring */
	REQ_STOP = 1 << 3,      /* power state changed */
	REQ_STEP = 1 << 4,      /* stays set while PSTATE.IL, software step or breakpoints want a look (debug.c) */
};

enum { CPU_WATCHPOINTS = 2 };
enum cpu_stepped { STEPPED_NOT, STEPPED, STEPPED_LOAD_EXCLUSIVE };

struct gic_cpu;
struct timer_cpu;
struct mmu_ring;
struct run_cache;

struct cpu {
	/* x0..x30, SP of the current EL; then ZERO and SINK (insn.h). Offsets fixed for the translator. */
	uint64_t x[34];
	uint64_t pc;
	_Atomic uint32_t exit_req;
	uint32_t nzcv;                  /* PSTATE<31:28> in place, other bits 0 */
	uint32_t daif;                  /* PSTATE<9:6> in place */
	uint8_t el, spsel, pan, ssbs, dit, il, ss, btype;
	uint32_t fpcr, fpsr;
	bool fp_trapped;                /* CPACR_EL1.FPEN for the current EL; kept by sysreg.c and except.c */
	bool guarded_seen;              /* some guarded page has been fetched from: PSTATE.BTYPE matters */
	struct mmu_ctx *ctx;            /* translations of the current EL */
	struct mmu_ctx *ctx_el0;        /* of EL0 in the current ASID, for LDTR/STTR; == ctx at EL0 */
	uint64_t icount;                /* instructions executed, for diagnosis and benchmarks */
	/* The translator's (arch/x86_64): NZCV in the host's form, and its constants. */
	uint32_t jit_raw, jit_nzcv_mask, jit_link[2];
	struct jit *jit;                /* NULL: this cpu is interpreted */

	_Alignas(64) uint8_t z[32][Z_STRIDE];
	uint8_t p[17][Z_STRIDE / 8];    /* SVE predicates and FFR */

	uint64_t sp_el[2];              /* SP_EL0, SP_EL1; the current one is in x[SLOT_SP] and this copy is stale */
	uint64_t sys[SYS_COUNT];

	/* Local exclusive monitor: valid while size != 0. Value-compare semantics. */
	struct { uint8_t size; void *host; uint64_t value[2]; } excl;

	_Atomic uint32_t irq_lines;     /* bit 0 IRQ, bit 1 FIQ: what the GIC signals now */
	_Atomic bool event;             /* WFE's event register */
	_Atomic uint32_t power;         /* enum cpu_power */
	/* Software step: what has been stepped since the last exception. Watchpoints: pages that the TLB must not hold. */
	uint8_t stepped;                /* enum cpu_stepped */
	uint8_t watch_count;
	struct cpu_watch { uint64_t va; uint8_t shift; } watch[CPU_WATCHPOINTS];
	uint8_t waiting;                /* enum cpu_wait, set by exec_wfi/exec_wfe before EXEC_LEAVE (pc is past it) */

	unsigned id;
	struct soc *soc;
	struct gic_cpu *gic;
	struct timer_cpu *timer;
	struct mmu_ring *ring;
	bool code_stored;               /* smc_stored() has dropped code: what runs may be some of it */
	bool dsb_pending;               /* this cpu has broadcast since its last DSB */
	struct run_cache *run;
	struct shadow *shadow;          /* not NULL: instructions see copies of memory (shadow.h) */
	struct mmu_ctx *ctxs;           /* [0]: EL1; [1..EL0_CTX_COUNT]: EL0 by ASID */
	void *tlb2;                     /* second-level TLB, mmu.c */
	/* pvtime.c */
	struct cpu_pvtime {
		_Atomic uint64_t *stolen;       /* in the record; NULL: the guest has not asked for it */
		uint64_t delay_ns;              /* of the thread, when the record was written */
		uint64_t next_ns;               /* not again before */
		int fd;                         /* where the host says that; -1: not open */
	} pvtime;
	/* Where an instruction puts the reason before EXEC_LEAVE; left at HV_EXIT_COUNT, cpu_run goes on. */
	struct hv_exit *exit;

	/* Sleeping (WFI, WFE, power off): wake by cpu_wake(). */
	pthread_mutex_t sleep_lock;
	pthread_cond_t sleep_cond;
};

/* WFE never sleeps long: the event register is not all that may end it. */
enum cpu_wait { WAIT_NONE, WAIT_WFI, WAIT_WFE };

enum cpu_power { POWER_OFF, POWER_ON_PENDING, POWER_ON };

struct soc {
	struct soc_config cfg;
	struct hv_env env;
	uint64_t features;              /* bit a64_feat: what rows are defined */
	struct cpu **cpus;
	uint64_t sys[SYS_COUNT];        /* VM-scoped registers */
	_Atomic bool ran;               /* a vCPU has run: feature registers are fixed (E6) */
	struct gic *gic;
	struct timer *timer;
	struct smc *smc;                /* NULL: nobody looks at stores into code */
};

/* Does the VM have the feature? What its ID registers say decides. */
static inline bool soc_has(const struct soc *s, unsigned feat) { return s->features >> feat & 1; }

static inline union vreg *cpu_v(struct cpu *c, unsigned n) { return (union vreg *)(void *)c->z[n]; }

/* Result of an operation that zeroes the rest of the register (every scalar and vector write but INS-like ones). */
static inline void cpu_set_v(struct cpu *c, unsigned n, union vreg v) { *cpu_v(c, n) = v; }

static inline uint32_t make_nzcv(bool n, bool z, bool cf, bool v)
{
	return (uint32_t)n << 31 | (uint32_t)z << 30 | (uint32_t)cf << 29 | (uint32_t)v << 28;
}

/* Arm ARM, shared/functions/system/ConditionHolds, as a truth table: bit k is the answer when NZCV is k. */
static inline uint16_t cond_truth(unsigned cond)
{
	static const uint16_t truth[16] = {
		0xf0f0, 0x0f0f, 0xcccc, 0x3333, 0xff00, 0x00ff, 0xaaaa, 0x5555,
		0x0c0c, 0xf3f3, 0xaa55, 0x55aa, 0x0a05, 0xf5fa, 0xffff, 0xffff,
	};

	return truth[cond];
}

static inline bool cond_holds(const struct cpu *c, unsigned cond)
{
	return cond_truth(cond) >> (c->nzcv >> 28) & 1;
}

/*
 * A soc with one cpu, cpus[0], known to messages as @id, and with what a single
 * instruction needs: no GIC, no timers, no dispatcher (cpu->run), nothing on the bus.
 * 0 or -errno with a message. soc_destroy() for this one too.
 */
int soc_create_bare(const struct soc_config *cfg, const struct hv_env *env, unsigned id, struct soc **soc);

/* ---- Memory (mmu.c) ----
 *
 * All return true when the access happened. False: an exception has been taken
 * (pc is the vector, nothing else changed): the exec_ function returns EXEC_JUMP.
 * A multi-register access is ONE call, so that both pages are checked before any
 * byte moves; @unit is the size of one element (what MMIO and alignment see).
 */
enum {
	ACC_UNPRIV  = 1 << 0,   /* LDTR, STTR: as EL0 would */
	ACC_ALIGNED = 1 << 1,   /* must be naturally aligned (of the whole @bytes) whatever SCTLR_EL1.A says */
	ACC_WRITES  = 1 << 3,   /* atomic access that only writes: a store-exclusive */
	ACC_SP      = 1 << 2,   /* base is SP: cpu_sp_ok() has been called */
};

bool mmu_read_slow(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags);
bool mmu_write_slow(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags);

/*
 * Host address of RAM for an atomic operation on [va, va + bytes), naturally
 * aligned, readable and (when @write) writable; NULL: exception taken (alignment
 * 0x21; not RAM: unsupported atomic 0x35, or external abort 0x10 where nobody is).
 */
void *mmu_atomic_ptr(struct cpu *c, uint64_t va, unsigned bytes, bool write, unsigned flags);

/* The EL0 or EL1 context of an access. */
static inline struct mmu_ctx *acc_ctx(struct cpu *c, unsigned flags)
{
	return flags & ACC_UNPRIV ? c->ctx_el0 : c->ctx;
}

static inline void *tlb_ptr(const struct tlb_entry *e, uint64_t va, unsigned bytes)
{
	void *p = (void *)(uintptr_t)(e->addend + va);

	if ((va ^ e->tag) > 4096 - bytes)
		return NULL;
	if (!p)
		__builtin_unreachable();        /* or callers would test for a miss twice */
	return p;
}

/* Host address if the software TLB has [va, va + bytes) in one page for reading, else NULL. bytes <= 64. */
static inline void *tlb_read_ptr(struct mmu_ctx *m, uint64_t va, unsigned bytes)
{
	return tlb_ptr(&m->r[va >> 12 & (TLB_ENTRIES - 1)], va, bytes);
}

static inline void *tlb_write_ptr(struct mmu_ctx *m, uint64_t va, unsigned bytes)
{
	return tlb_ptr(&m->w[va >> 12 & (TLB_ENTRIES - 1)], va, bytes);
}

/*
 * Plain guest accesses race by design (other vCPUs, devices); the guest orders
 * them. Relaxed atomics when aligned give the single-copy atomicity of the
 * Arm ARM, and the same instruction as a plain access on every host we run on.
 */
#define DEFINE_MEM_ACCESS(bits)                                                               \
	typedef uint##bits##_t __attribute__((aligned(1), may_alias)) mem_u##bits;            \
	__attribute__((no_sanitize("thread", "alignment")))                                   \
	static inline bool mem_ld##bits(struct cpu *c, uint64_t va, uint##bits##_t *v, unsigned flags) \
	{                                                                                     \
		const void *p = tlb_read_ptr(acc_ctx(c, flags), va, bits / 8);                \
		if (__builtin_expect(p != NULL, 1)) {                                         \
			*v = *(const volatile mem_u##bits *)p;                                \
			return true;                                                          \
		}                                                                             \
		return mmu_read_slow(c, va, v, bits / 8, bits / 8, flags);                    \
	}                                                                                     \
	__attribute__((no_sanitize("thread", "alignment")))                                   \
	static inline bool mem_st##bits(struct cpu *c, uint64_t va, uint##bits##_t v, unsigned flags)  \
	{                                                                                     \
		void *p = tlb_write_ptr(acc_ctx(c, flags), va, bits / 8);                     \
		if (__builtin_expect(p != NULL, 1)) {                                         \
			*(volatile mem_u##bits *)p = v;                                       \
			return true;                                                          \
		}                                                                             \
		return mmu_write_slow(c, va, &v, bits / 8, bits / 8, flags);                  \
	}
DEFINE_MEM_ACCESS(8)
DEFINE_MEM_ACCESS(16)
DEFINE_MEM_ACCESS(32)
DEFINE_MEM_ACCESS(64)
#undef DEFINE_MEM_ACCESS

/* Several elements of @unit bytes as one access (LDP, LD1-4, Q registers); bytes <= 64. */
bool mem_ld_multi(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags);
bool mem_st_multi(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags);

/* SP alignment check (SCTLR_EL1.SA, SA0) for an access whose base is SP; false: exception 0x26 taken. */
bool cpu_sp_misaligned(struct cpu *c);
static inline bool cpu_base_ok(struct cpu *c, const struct insn *i)
{
	return i->rn != SLOT_SP || (c->x[SLOT_SP] & 15) == 0 || !cpu_sp_misaligned(c);
}

/* Instruction fetch for the dispatcher: host address of the word at pc; NULL: exception taken. *pa: its IPA; *guarded: GP bit. */
const uint32_t *mmu_fetch(struct cpu *c, uint64_t va, uint64_t *pa, bool *guarded);

/* Is the page at pc guarded (BTI)? */
bool mmu_pc_guarded(struct cpu *c);

/* DC, IC, AT, TLBI and the barrier that completes them. */
enum exec mmu_dc(struct cpu *c, const struct insn *i);          /* SYS #.., C7: by encoding in i->word */
enum exec mmu_ic(struct cpu *c, const struct insn *i);
enum exec mmu_at(struct cpu *c, const struct insn *i);
enum exec mmu_tlbi(struct cpu *c, const struct insn *i);
void mmu_dsb(struct cpu *c);            /* waits until every running cpu has drained what we broadcast */
void mmu_drain_ring(struct cpu *c);
void mmu_ring_reset(struct cpu *c);      /* no cpu runs */
/* SCTLR, TCR, TTBRn, MAIR, CONTEXTIDR written, or EL/PAN changed: choose ctx, purge as needed. */
void mmu_regime_changed(struct cpu *c);
int  mmu_init(struct cpu *c);
void mmu_destroy(struct cpu *c);
void mmu_inv_all(struct cpu *c);                /* this cpu's TLBs */
unsigned mmu_pa_bits(unsigned range);           /* of ID_AA64MMFR0_EL1.PARange or TCR_EL1.IPS */
void mmu_flush_contexts(struct cpu *c);         /* first-level TLBs: the fill policy changed */
void mmu_el_changed(struct cpu *c);             /* c->el was set: ctx follows */
void mmu_purge_user(struct cpu *c);             /* PSTATE.PAN was set: EL1 forgets pages of EL0 */
void mmu_flush_jump_caches(struct cpu *c);      /* blocks must be looked up again: decoding depends on something that changed */

/* Drops decoded instructions of the page at @pa (this cpu's), or all. run.c */
void run_invalidate_page(struct cpu *c, uint64_t pa);
void run_invalidate_all(struct cpu *c);
void run_reset(struct cpu *c);
uint64_t run_interpreted(const struct cpu *c);    /* instructions, for want of translated code */
void run_fpcr_changed(struct cpu *c);           /* the own thread, or nobody runs it */
void run_fp_sync(struct cpu *c);                /* cpu->fpsr gets what the host's FP unit has collected for it */
int  run_init(struct cpu *c);
void run_destroy(struct cpu *c);
void mmu_jc_add(struct mmu_ctx *m, uint64_t va, void *block);
void mmu_jc_forget(struct cpu *c, const void *from, size_t bytes);      /* blocks there are going away */

/* What was not translated, as a message (coverage.c). No cpu runs, and they count. */
void coverage_say(const struct soc *s);

/* ---- Stores into code (smc.c) ---- */

int smc_init(struct soc *s);
int smc_begin(struct soc *s);                   /* memory is complete; 0 or -errno with a message */
void smc_destroy(struct soc *s);
void smc_executed(struct cpu *c, uint64_t pa);  /* before instructions of the page are read to be kept */
/*
 * After they were read: false if a store has come in between, and they must be read again. One that comes later
 * reaches this cpu's ring later, too.
 */
bool smc_keeps(const struct cpu *c, uint64_t pa);
bool smc_withheld(const struct soc *s, uint64_t pa);    /* May the page not be in a TLB for writing? */
void smc_stored(struct cpu *c, uint64_t pa);    /* after a store that took the slow path; an atomic one: before */

/*
 * Appends the host's instruction at @code, before @end and executed at @address, to the string in @text, an array of
 * @bytes (disas.c). Returns how long it is.
 */
size_t disas_host(const uint8_t *code, const uint8_t *end, uint64_t address, char *text, size_t bytes);

/* ---- Exceptions (except.c): each takes the exception to EL1 and returns EXEC_JUMP ---- */

enum exec exc_undefined(struct cpu *c);                         /* EC 0x00 */
enum exec exc_sync(struct cpu *c, unsigned ec, uint32_t iss);   /* ELR = pc */
enum exec exc_sync_ret(struct cpu *c, unsigned ec, uint32_t iss);       /* ELR = pc + 4: SVC, HVC */
enum exec exc_sync_far(struct cpu *c, unsigned ec, uint32_t iss, uint64_t far);
enum exec exc_irq(struct cpu *c, bool fiq);
enum exec exc_return(struct cpu *c);                            /* ERET */

/* Arm ARM, EffectiveTBI: is the tag of an address of this half ignored (@data; else: of an instruction)? */
static inline bool cpu_tag_ignored(const struct cpu *c, unsigned upper, bool data)
{
	uint64_t tcr = c->sys[SYS_TCR_EL1];

	return (tcr & (upper ? TCR_TBI1 : TCR_TBI0)) && (data || !(tcr & (upper ? TCR_TBID1 : TCR_TBID0)));
}

/* Bits of an address of this half, from TCR_EL1.TnSZ; what is out of range behaves as the nearest that is not. */
static inline unsigned cpu_va_bits(const struct cpu *c, unsigned upper)
{
	uint64_t tcr = c->sys[SYS_TCR_EL1];
	unsigned size = (unsigned)(upper ? bits(tcr, 21, 16) : bits(tcr, 5, 0));

	return 64 - (size < 16 ? 16 : size > 39 ? 39 : size);
}

/*
 * What an indirect branch, ERET or exception makes of @target: with top-byte-ignore
 * for instructions, the tag is replaced by copies of bit 55 (exec-branch.c).
 */
uint64_t cpu_branch_address(const struct cpu *c, uint64_t target);

/*
 * Pointer authentication (exec-pauth.c): @ptr checked with key @key and the PAC
 * removed, poisoned when it does not fit, unchanged when SCTLR_EL1 has the key off
 * (AUTIA and friends; LDRAA and LDRAB).
 */
enum pauth_key { KEY_IA, KEY_IB, KEY_DA, KEY_DB };
uint64_t pauth_auth(const struct cpu *c, uint64_t ptr, uint64_t modifier, enum pauth_key key);

/* PSTATE as SPSR_EL1 and debuggers see it. Setting keeps SP banking, ctx and fp_trapped right. */
uint64_t cpu_pstate(const struct cpu *c);
void cpu_set_pstate(struct cpu *c, uint64_t pstate);
void cpu_set_el(struct cpu *c, unsigned el, unsigned spsel);
void cpu_set_pan(struct cpu *c, bool pan);
void cpu_set_daif(struct cpu *c, uint32_t daif);                /* re-examines irq_lines */
void cpu_update_fp_trap(struct cpu *c);
void cpu_check_step(struct cpu *c);             /* sets or clears REQ_STEP: PSTATE.IL or what debug depends on changed */
bool cpu_irq_deliverable(struct cpu *c);
/* Is M<4:0> of a PSTATE EL0t, EL1t or EL1h? There is no other level and no AArch32. */
bool cpu_mode_exists(uint64_t pstate);

/* ---- Self-hosted debug (debug.c) ---- */

void debug_reset(struct cpu *c);
bool debug_return_ss(const struct cpu *c, uint64_t spsr);       /* PSTATE.SS after ERET; PSTATE is still the old one */
/* While REQ_STEP is set: must the instruction at pc be executed alone, with the questions below before it? */
bool debug_one_by_one(const struct cpu *c);
bool debug_step_pending(const struct cpu *c);
enum exec debug_step_exception(struct cpu *c);
bool debug_breakpoint(struct cpu *c);                           /* true: exception taken */
void debug_stepping(struct cpu *c, uint32_t word);

/* May pages at @va not enter the TLB because of a watchpoint? */
bool debug_page_watched(const struct cpu *c, uint64_t va);

/* An access that would succeed: true: it hits a watchpoint, exception taken. READ and WRITE as in DBGWCR.LSC. */
enum { WATCH_READ = 1 << 0, WATCH_WRITE = 1 << 1, WATCH_UNPRIV = 1 << 2, WATCH_CM = 1 << 3 };
bool debug_watch_slow(struct cpu *c, uint64_t va, unsigned bytes, unsigned how);
static inline bool debug_watch(struct cpu *c, uint64_t va, unsigned bytes, unsigned how)
{
	return __builtin_expect(c->watch_count != 0, 0) && debug_watch_slow(c, va, bytes, how);
}

/* ---- System registers (sysreg.c; rows in include/vmm/regs.def) ---- */

/* Handlers, also those of ICC_* (gic/) and of the timers (timer.c), have the types of regs.def's read and write columns. */
typedef uint64_t sysreg_read_fn(struct cpu *c, unsigned reg);
typedef void sysreg_write_fn(struct cpu *c, unsigned reg, uint64_t value);

/* Every function of those columns is declared here; sys_read and sys_write are plain storage. */
#define REG(NAME, enc, id, scope, gdb, access, el0, feat, reset, mask, read, write, flags) \
	sysreg_read_fn read; sysreg_write_fn write;
#include <vmm/regs.def>

enum exec sysreg_mrs(struct cpu *c, const struct insn *i);
enum exec sysreg_msr(struct cpu *c, const struct insn *i);
enum exec sysreg_trap(struct cpu *c, uint32_t word);    /* EC 0x18 for MRS, MSR or SYS @word */

/* One row of regs.def. */
struct reg_row {
	const char *name;
	uint64_t id, reset, mask;
	sysreg_read_fn *read;
	sysreg_write_fn *write;
	uint16_t enc;
	int8_t gdb;
	uint8_t scope, access, el0, feat, flags;
};
extern const struct reg_row reg_rows[SYS_COUNT];

/* The row, and its number, of MRS or MSR (register) @word; NULL: there is none. */
const struct reg_row *sysreg_find(uint32_t word, unsigned *reg);

/* cpu_reg_get and cpu_reg_set (vmm/cpu.h) of a register whose row is known; @c also for VM scope. */
void cpu_row_get(struct cpu *c, unsigned reg, void *value);
int cpu_row_set(struct cpu *c, unsigned reg, const void *value);

/* ---- GIC CPU interface, timers (gic/, timer.c) ---- */

/*
 * Both need s->cpus filled (with id and soc), and the GIC comes first. The handlers
 * above are called for the own cpu on its thread, or while no cpu runs; those of
 * VM-scoped registers with any cpu of the soc.
 */
int  gic_init(struct soc *s);           /* also puts its ranges on the bus */
void gic_destroy(struct soc *s);
void gic_reset(struct soc *s);
void gic_cpu_reset(struct cpu *c);      /* warm reset: the cpu interface; the redistributor keeps its state */
void gic_set_spi(struct soc *s, unsigned spi, bool level);
void gic_set_ppi(struct cpu *c, unsigned intid, bool level);

int  timer_init(struct soc *s);
void timer_destroy(struct soc *s);
void timer_reset(struct soc *s);
void timer_cpu_reset(struct cpu *c);    /* warm reset: both timers off */
#define TIMER_FREQUENCY_HZ 62500000             /* CNTFRQ_EL0; as QEMU's, for software that assumes it */

/* ---- Running, waiting and waking (run.c) ---- */

/*
 * Whom this thread runs; NULL: nobody. A device access says by it where it comes from, for
 * what the bus shows each cpu differently at one address (a GICv2).
 */
extern _Thread_local struct cpu *cpu_running;

void cpu_request(struct cpu *c, uint32_t req);  /* any thread: set bits of exit_req and wake a sleeper */
void cpu_set_irq_lines(struct cpu *c, uint32_t lines);  /* from the GIC */
void cpu_send_event(struct soc *s);             /* SEV, event stream */
void cpu_power_on(struct cpu *c, uint64_t entry, uint64_t context);     /* after power became POWER_ON_PENDING */
void cpu_reset(struct cpu *c);                  /* warm reset state: EL1h, DAIF masked, MMU off */

/* ---- Hypercalls (smccc.c) ---- */

/* HVC #0: x0 function id; result in x0..x3, EXEC_NEXT. May EXEC_LEAVE with c->exit filled; pc is then behind the HVC. */
enum exec smccc_call(struct cpu *c);

/* ---- Stolen time (pvtime.c) ---- */

bool pvtime_supported(void);                    /* by this host */
void pvtime_update(struct cpu *c);              /* own thread, as often as one likes: writes at most once in a millisecond */
void pvtime_reset(struct cpu *c);
void pvtime_close(struct cpu *c);

#endif
