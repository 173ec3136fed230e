/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine and the words of every guest program.
 *
 * A program has one behaviour, named after it, and calls report() once per thing
 * that must hold:
 *
 *   void test(void) { report(read_sysreg(currentel) == 4, "we run at EL1"); }
 *
 * Output: "PASS: text", "FAIL: text", "SKIP: text (reason)", then
 * "SUMMARY: 12 passed, 0 failed, 1 skipped" and a PSCI power-off.
 */
#ifndef GUEST_LIB_H
#define GUEST_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <spec/board.h>

typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef uint64_t u64;

#define read_sysreg(r)     ({ u64 v_; asm volatile("mrs %0, " #r : "=r"(v_)); v_; })
#define write_sysreg(r, v) asm volatile("msr " #r ", %0" :: "r"((u64)(v)) : "memory")
#define isb()   asm volatile("isb" ::: "memory")
#define dsb(o)  asm volatile("dsb " #o ::: "memory")
#define wfi()   asm volatile("wfi" ::: "memory")
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Devices. One plain load or store each, as in any driver for a virtual machine: of what the compiler
 * may make of a volatile access (write-back, pairs) the processor tells a hypervisor only the address.
 */
#define MMIO(bits, reg)                                                            \
	static inline u##bits read##bits(u64 a)                                    \
	{                                                                          \
		u##bits v;                                                         \
		asm volatile("ldr" reg "0, [%1]" : "=r"(v) : "r"(a) : "memory");   \
		return v;                                                          \
	}                                                                          \
	static inline void write##bits(u64 a, u##bits v)                           \
	{                                                                          \
		asm volatile("str" reg "0, [%1]" ::"r"(v), "r"(a) : "memory");     \
	}
MMIO(8, "b %w")
MMIO(16, "h %w")
MMIO(32, " %w")
MMIO(64, " %x")
#undef MMIO

/* The program. */
void test(void);

/* report.c */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* %s %d %u %x %lx %lu %c */
bool report(bool condition, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_skip(const char *what, const char *why);
_Noreturn void finish(void);            /* summary and power-off */
bool told(const char *word);            /* the device tree has it: the way to say something on the command line */
void *memset(void *d, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
extern u64 dtb;

/* What a CPU may lack. */
static inline bool has_lse(void) { return read_sysreg(id_aa64isar0_el1) >> 20 & 0xf; }
static inline bool has_lrcpc(void) { return read_sysreg(id_aa64isar1_el1) >> 20 & 0xf; }
static inline bool has_pan(void) { return read_sysreg(id_aa64mmfr1_el1) >> 20 & 0xf; }

/* Exceptions (exception.c). */
struct regs { u64 x[31], sp, elr, spsr, esr, far, vector; };

/*
 * Runs fn(arg) and says which synchronous exception it took, if any: esr 0 means
 * none. The faulting function is abandoned (its callee-saved registers restored).
 */
struct fault { bool taken; u64 esr, far, elr, spsr, vector; };
struct fault catch_fault(void (*fn)(u64), u64 arg);
static inline unsigned fault_ec(struct fault f) { return f.taken ? (f.esr >> 26) & 0x3f : 0x3f; }
static inline unsigned fault_iss(struct fault f) { return f.esr & 0x1ffffff; }
static inline unsigned fault_fsc(struct fault f) { return f.esr & 0x3f; }

/* Exception taken by the last el0_call, when it was not SVC #0. */
struct fault el0_fault(void);
u64 el0_call(u64 entry, u64 sp, u64 arg);

/* Called for IRQ (vector 1, 5, 9) and FIQ; NULL: reported as a failure. */
extern void (*irq_handler)(struct regs *r);
extern void (*fiq_handler)(struct regs *r);
/* If set, gets every synchronous exception first; true: handled, return to r->elr. */
extern bool (*sync_handler)(struct regs *r);

static inline void irq_enable(void) { asm volatile("msr daifclr, #2" ::: "memory"); }
static inline void irq_disable(void) { asm volatile("msr daifset, #2" ::: "memory"); }

/* PSCI and several CPUs (smp.c). */
u64 hvc(u64 fn, u64 a, u64 b, u64 c);
unsigned cpu_count(void);                               /* asked of PSCI AFFINITY_INFO */
u64 cpu_mpidr(unsigned id);
unsigned cpu_id(void);
bool cpu_start(unsigned id, void (*fn)(u64), u64 arg);  /* CPU_ON; with the MMU state of the caller */
void cpu_wait_off(unsigned id);
#define PSCI_VERSION         0x84000000
#define PSCI_CPU_OFF         0x84000002
#define PSCI_CPU_ON          0xc4000003
#define PSCI_AFFINITY_INFO   0xc4000004
#define PSCI_SYSTEM_OFF      0x84000008
#define PSCI_SYSTEM_RESET    0x84000009

/* MMU (mmu.c): 4 KiB granule, 39-bit VA, identity map of RAM (Normal WB) and devices in TTBR0. */
#define PTE_VALID   1ul
#define PTE_TABLE   2ul                                 /* at levels 0..2; at level 3: page */
#define PTE_ATTR(n) ((u64)(n) << 2)                     /* 0 Device-nGnRnE, 1 Normal WB */
#define PTE_USER    (1ul << 6)
#define PTE_RO      (1ul << 7)
#define PTE_SH      (3ul << 8)
#define PTE_AF      (1ul << 10)
#define PTE_NG      (1ul << 11)
#define PTE_GP      (1ul << 50)
#define PTE_PXN     (1ul << 53)
#define PTE_UXN     (1ul << 54)
#define PTE_NORMAL  (PTE_VALID | PTE_TABLE | PTE_ATTR(1) | PTE_SH | PTE_AF)
void mmu_on(void);
u64 *mmu_pte(u64 va, int level);        /* the entry at @level (1..3), tables made as needed; blocks split */
void mmu_map(u64 va, u64 pa, u64 attrs);        /* one 4 KiB page; no TLBI */
void mmu_flush(u64 va);                         /* dsb; tlbi vaae1is; dsb; isb */
void *page_alloc(void);                         /* zeroed 4 KiB, never freed */
/* For EL0, each on a page of its own, mapped by VA only (after mmu_on): @count words and SVC #0; zeroed data. */
u64 el0_code(const u32 *words, unsigned count);
u64 el0_data(void);
void icache_sync(void);                         /* what was written as data may be executed */

/* GICv2 or GICv3, whichever there is (gic.c). SGIs and PPIs: those of this CPU. */
bool gic_is_v2(void);
void gic_init(void);                    /* distributor once, and this CPU */
void gic_init_cpu(void);
void gic_enable(unsigned intid);
void gic_disable(unsigned intid);
bool gic_enabled(unsigned intid);
void gic_set_pending(unsigned intid);   /* not SGIs on a GICv2 */
void gic_clear_pending(unsigned intid);
bool gic_pending(unsigned intid);
bool gic_active(unsigned intid);
void gic_set_priority(unsigned intid, u8 prio);
void gic_route(unsigned spi, unsigned cpu);
void gic_sgi(unsigned intid, unsigned cpu);
unsigned gic_ack(void);                 /* INTID; 1023: none */
unsigned gic_sgi_source(unsigned intid);        /* GICv2: the CPU that the SGI acknowledged last came from */
void gic_eoi(unsigned intid);
void gic_deactivate(unsigned intid);
void gic_set_eoi_mode(bool drop_only);  /* EOI leaves the interrupt active for gic_deactivate */
void gic_set_pmr(u8 prio);
u8 gic_pmr(void);
void gic_set_bpr(unsigned bpr);
unsigned gic_highest_pending(void);
u8 gic_running(void);                   /* running priority, 0xff: idle */
u64 gic_regs(unsigned intid);           /* where GICD_ISENABLER and the like of it are */
u64 gic_redist(unsigned cpu);           /* GICv3: address of RD_base */
#define ICC_PMR_EL1    S3_0_C4_C6_0
#define ICC_IAR0_EL1   S3_0_C12_C8_0
#define ICC_EOIR0_EL1  S3_0_C12_C8_1
#define ICC_HPPIR0_EL1 S3_0_C12_C8_2
#define ICC_BPR0_EL1   S3_0_C12_C8_3
#define ICC_DIR_EL1    S3_0_C12_C11_1
#define ICC_RPR_EL1    S3_0_C12_C11_3
#define ICC_SGI1R_EL1  S3_0_C12_C11_5
#define ICC_SGI0R_EL1  S3_0_C12_C11_7
#define ICC_IAR1_EL1   S3_0_C12_C12_0
#define ICC_EOIR1_EL1  S3_0_C12_C12_1
#define ICC_HPPIR1_EL1 S3_0_C12_C12_2
#define ICC_BPR1_EL1   S3_0_C12_C12_3
#define ICC_CTLR_EL1   S3_0_C12_C12_4
#define ICC_SRE_EL1    S3_0_C12_C12_5
#define ICC_IGRPEN0_EL1 S3_0_C12_C12_6
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
/* read_sysreg(ICC_...) needs the macro expanded first. */
#define read_icc(r)     read_sysreg_(r)
#define read_sysreg_(r) read_sysreg(r)
#define write_icc(r, v) write_sysreg_(r, v)
#define write_sysreg_(r, v) write_sysreg(r, v)

#endif
