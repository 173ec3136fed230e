/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GIC from inside. GICv3, one Security state (GICD_CTLR.DS = 1), affinity
 * routing always on, CPU interface by system registers, no LPIs.
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
	struct gic_cpu *cpus;
	unsigned cpu_count;
	unsigned spi_count;
	unsigned bank_count;    /* private included */
	unsigned next_1ofn;     /* where the search for a 1-of-N target begins */
	uint32_t ctlr;          /* the two group enables */
	struct gic_bank spis[GIC_BANK_MAX];             /* [0] unused, so that index is INTID / 32 */
	uint64_t irouter[GIC_BANK_MAX * 32];            /* by INTID */
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
 * 64-bit aligned is two words, low first; a byte is let through only where
 * @bytes_ok (priorities); everything else reads 0 and is ignored, as on KVM.
 */
struct gic_frame {
	uint32_t (*read)(void *opaque, uint32_t offset);
	void (*write)(void *opaque, uint32_t offset, uint32_t value);
	void *opaque;
};
void gic_mmio(const struct gic_frame *f, uint32_t offset, unsigned size, uint64_t *value, bool write,
	      bool bytes_ok);

/* Identification registers at 0xffd0..0xffff of a frame; @part is the low byte of the part number. */
uint32_t gic_idreg(uint32_t offset, uint8_t part);

/* Bus entries; opaque is struct gic. redist2: the region of cpus from BOARD_GICR_COUNT up. */
enum bus_result gic_dist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
enum bus_result gic_redist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);
enum bus_result gic_redist2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write);

void gic_dist_reset(struct gic *g);
void gic_redist_reset(struct gic_cpu *gc);
void gic_cpuif_reset(struct gic_cpu *gc);

#endif
