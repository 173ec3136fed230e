/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree writer: nodes are written in order, depth first, and the
 * first error sticks, so that callers describe and do not check.
 *
 *   dt_begin(t, "pl011@%x", base); dt_strings(...); dt_reg(...); dt_end(t);
 *
 * Phandles are fixed numbers: arch's are in vmm/arch.h, the board's here.
 * Address and size cells are 2 everywhere but in /cpus.
 */
#ifndef VMM_FDT_H
#define VMM_FDT_H

#include <spec/dt.h>
#include <vmm/types.h>

#define DT_BYTES_MAX            (2 * MIB)       /* Documentation/arch/arm64/booting: the blob's limit */
#define DT_PHANDLE_APB_PCLK     0x8000          /* the 24 MHz clock of every PrimeCell */
#define DT_PHANDLE_DEVICE       0x8100          /* + 16 * SPI + n: for a device's own use */

struct dt;

void dt_begin(struct dt *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void dt_end(struct dt *t);

void dt_flag(struct dt *t, const char *name);
void dt_u32(struct dt *t, const char *name, uint32_t value);
void dt_u64(struct dt *t, const char *name, uint64_t value);
void dt_string(struct dt *t, const char *name, const char *value);
void dt_bytes(struct dt *t, const char *name, const void *bytes, size_t len);
void dt_cells(struct dt *t, const char *name, const uint32_t *cells, unsigned count);
/* A list of strings: dt_strings(t, "compatible", "arm,pl011", "arm,primecell", NULL) */
void dt_strings(struct dt *t, const char *name, ...) __attribute__((sentinel));
/* reg = <base bytes> [<base2 bytes2>], 2 + 2 cells each. */
void dt_reg(struct dt *t, gpa_t base, uint64_t bytes);
void dt_reg_list(struct dt *t, const uint64_t (*base_bytes)[2], unsigned count);

/* interrupts = <GIC_SPI spi flags>: DT_LEVEL_HIGH or DT_EDGE_RISING */
void dt_spi(struct dt *t, unsigned spi, unsigned flags);

/* /aliases name -> path, and /chosen stdout-path; written when the tree is finished. */
void dt_alias(struct dt *t, const char *name, const char *path);
void dt_stdout_path(struct dt *t, const char *path);

struct mem;
struct devices;
struct arch_fdt_config;

struct fdt_config {
	const struct mem *mem;                  /* every writable region becomes a memory node */
	const struct arch_fdt_config *arch;     /* CPUs, timer, interrupt controller (vmm/arch.h) */
	const struct devices *devices;          /* each describes itself; NULL: none */
	const char *cmdline;                    /* NULL: none */
	gpa_t initrd;
	uint64_t initrd_bytes;                  /* 0: none */
};

/* Writes the tree into @room bytes. 0, or libfdt's negative error: -FDT_ERR_NOSPACE: it needs more. */
int fdt_build_into(const struct fdt_config *cfg, void *blob, size_t room);

/*
 * The same with as much room as it takes. On success *blob is malloc'ed, *bytes its size (at most
 * DT_BYTES_MAX) and it has passed fdt_check_full().
 */
int fdt_build(const struct fdt_config *cfg, void **blob, size_t *bytes);

/*
 * --dtb: reads and checks a device tree from a file; what the user gave stays
 * as it is but for /chosen, where bootargs and initrd of @cfg are set when given.
 */
int fdt_read(const char *path, const struct fdt_config *cfg, void **blob, size_t *bytes);

/* --dump-dtb */
int fdt_dump(const char *path, const void *blob, size_t bytes);

#endif
