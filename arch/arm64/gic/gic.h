/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GIC from inside. A GICv3 has one Security state (GICD_CTLR.DS = 1), affinity
 * routing always on, its CPU interface by system registers, no LPIs: dist.c,
 * redist.c, cpuif.c. A GICv2 is what KVM makes of one for its guests, without
 * Security Extensions: dist2.c, cpuif2.c. What is behind the registers is the same.
 *
 * Interrupts come in banks of 32: bank 0 is private to each cpu (SGIs, PPIs),
 * banks 1 up are the SPIs. All state is under gic->lock, with one exception
 * that keeps pseudo-NMI kernels fast: PMR, see gic_write_icc_pmr().
 *
 * Every change ends in gic_update_cpu() for whom it may concern: it finds the
 * highest priority pending interrupt (HPPI) and tells the cpu its two lines.
 * Acknowledge uses that same cached HPPI, so what has been disabled, masked or
 * taken by somebody else can never be acknowledged.
 */
#ifndef GIC_GIC_H
#define GIC_GIC_H

#include <pthread.h>
#include <stdatomic.h>
#include <spec/gic.h>
#include <vmm/bus.h>
#include <vmm/types.h>

#include "../cpu/cpu.h"

#define GIC_PRIORITY_BITS       5
#define GIC_PRIORITY_MASK       0xf8    /* the bits implemented */
#define GIC_BANK_MAX            32      /* 1 private + 31 of SPIs */
#define GIC_ROUTE_NONE          (-1)

enum { LINE_IRQ = 1 << 0, LINE_FIQ = 1 << 1 };  /* of cpu->irq_lines */

/* 32 interrupts; bit or index n is the n-th. */
struct gic_bank {
	uint32_t group1;        /* else group 0, signalled as FIQ */
	uint32_t enabled;
	uint32_t latch;         /* pending by an edge, an SGI or a write to ISPENDR */
	uint32_t line;          /* the wire now; pends by itself only where level-sensitive */
	uint32_t edge;
	uint32_t active;
	uint8_t priority[32];
};

struct gic_cpu {
	struct cpu *cpu;
	struct gic *gic;
	struct gic_bank private;
	uint32_t waker;

	/* CPU interface. [g] is group g. */
	_Atomic uint32_t pmr;
	uint32_t ctlr;          /* CBPR, EOImode */
	uint32_t bpr[2], igrpen[2];
	uint32_t apr[2];        /* bit n: group priority n << 3 is active */

	/* GICv2. */
	uint32_t gicc_ctlr;     /* as the guest sees it; ctlr and igrpen follow */
	uint8_t sgi_sources[GIC_SGI_COUNT];     /* cpus whose SGI is pending; the latch is set while there are any */

	_Atomic uint32_t hppi;  /* HPPI_*; written under the lock */
	uint32_t lines;         /* as last told to the cpu */
};

/* Packed so that a smaller value is more urgent: priority, then INTID. */
#define HPPI_NONE               UINT32_MAX
#define HPPI(prio, group, intid) ((uint32_t)(prio) << 16 | (uint32_t)(intid) << 1 | (group))
#define HPPI_PRIORITY(h)        ((h) >> 16 & 0xff)
#define HPPI_INTID(h)           ((h) >> 1 & 0x3ff)
#define HPPI_GROUP(h)           ((h) & 1)

struct gic {
	pthread_mutex_t lock;
	struct soc *soc;
	bool v2;
	struct gic_cpu *cpus;
	unsigned cpu_count;
	unsigned spi_count;
	unsigned bank_count;    /* private included */
	unsigned next_1ofn;     /* where the search for a 1-of-N target begins */
	uint32_t ctlr;          /* the two group enables; a GICv2 has one for both */
	struct gic_bank spis[GIC_BANK_MAX];             /* [0] unused, so that index is INTID / 32 */
	uint64_t irouter[GIC_BANK_MAX * 32];            /* by INTID */
	uint8_t targets[GIC_BANK_MAX * 32];             /* GICv2: ITARGETSR of SPIs, by INTID */
	int16_t route[GIC_BANK_MAX * 32];               /* index of the cpu an SPI goes to, or GIC_ROUTE_NONE */
};

static inline uint32_t bank_pending(const struct gic_bank *b) { return b->latch | (b->line & ~b->edge); }

/* What may be signalled, group enables aside: active interrupts are not, even when pending again. */
static inline uint32_t bank_deliverable(const struct gic_bank *b)
{
	return bank_pending(b) & b->enabled & ~b->active;
}

/* Bit of @intid within its bank. */
static inline uint32_t intid_bit(unsigned intid) { return UINT32_C(1) << (intid & 31); }

/* Number of a cpu: its bit in the registers of a GICv2. */
static inline unsigned gic_cpu_index(const struct gic_cpu *gc) { return (unsigned)(gc - gc->gic->cpus); }

/* Interrupts of @bank that exist; bits beyond the last SPI are RES0. */
uint32_t gic_bank_mask(const struct gic *g, unsigned bank);

/* The bank of @intid as @gc sees it, or NULL if there is no such interrupt. */
struct gic_bank *gic_bank_of(struct gic_cpu *gc, unsigned intid);

/* cpu with this Aff3.Aff2.Aff1.Aff0 (a byte each), or NULL. */
struct gic_cpu *gic_cpu_at(struct gic *g, uint32_t affinity);

/* Whether the cpu interface lets @hppi through now: PMR, and the priority that is running. */
bool gic_can_preempt(const struct gic_cpu *gc, uint32_t hppi);

/* All with the lock held. */
void gic_update_cpu(struct gic_cpu *gc);
void gic_update_all(struct gic *g);
void gic_update_spis(struct gic *g, unsigned bank, uint32_t mask);      /* state of these SPIs changed */
void gic_participation_changed(struct gic *g);  /* group enables: 1-of-N SPIs look for a target again */
void gic_write_irouter(struct gic *g, unsigned intid, uint64_t value);
void gic_route_spi(struct gic *g, unsigned intid, int cpu);     /* or GIC_ROUTE_NONE */
/* GICv2: a pending SGI is being acknowledged; the cpu it came from. It stays pending if it came from others too. */
unsigned gic_take_sgi_source(struct gic_cpu *gc, unsigned intid);

/*
 * Of the CPU interface; without the lock. @groups: bit n if group n may be taken or
 * ended. INTID (with the source of an SGI on a GICv2) or one that names no interrupt.
 */
uint32_t gic_acknowledge(struct gic_cpu *gc, unsigned groups);
void gic_end_of_interrupt(struct gic_cpu *gc, unsigned groups, uint64_t intid);
void gic_write_bpr(struct gic_cpu *gc, unsigned group, uint64_t value);

/*
 * The per-interrupt registers dist and redist share. gic_place() finds which array
 * (GICD_IGROUPR ..) a 32-bit @offset is in, which bank and which word of the bank's;
 * false: none of them. @exists: bits of the bank that are interrupts. A write
 * returns the interrupts it may have changed.
 */
struct gic_place { uint32_t reg; unsigned bank, word; };
bool gic_place(uint32_t offset, struct gic_place *p);
uint32_t gic_bank_read(const struct gic_bank *b, const struct gic_place *p);
uint32_t gic_bank_write(struct gic_bank *b, const struct gic_place *p, uint32_t value, uint32_t exists);

/*
 * Accesses of any size and alignment become 32-bit ones here, or are RAZ/WI:
 * 64 bits are two words, low first, a byte changes its part of a word. @sizes are
 * those let through; others, and what is not aligned, read 0 and are ignored, as on KVM.
 */
enum { GIC_BYTES = 1, GIC_WORDS = 4, GIC_DWORDS = 8 };
struct gic_frame {
	uint32_t (*read)(void *opaque, uint32_t offset);
	void (*write)(void *opaque, uint32_t offset, uint32_t value);
	void *opaque;
};
void gic_mmio(const struct gic_frame *f, uint32_t offset, unsigned sizes, unsigned size, uint64_t *value,
	      bool write);

/* Identification registers at 0xffd0..0xffff of a frame; @part is the low byte of the part number. */
uint32_t gic_idreg(uint32_t offset, uint8_t part);

/* Bus entries; opaque is struct gic. redist2: the region of cpus from BOARD_GICR_COUNT up. */
enum bus_result gic_dist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
enum bus_result gic_redist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
enum bus_result gic_redist2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
/* Of a GICv2: what they show depends on who asks, cpu 0 where that is no cpu. */
enum bus_result gic_dist2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
enum bus_result gic_cpuif2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
struct gic_cpu *gic_accessor(struct gic *g);

void gic_dist_reset(struct gic *g);
void gic_redist_reset(struct gic_cpu *gc);
void gic_cpuif_reset(struct gic_cpu *gc);

#endif
