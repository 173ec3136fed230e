/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a soc and its vCPUs, and their registers as the host sees them.
 *
 * What a guest has is what its ID registers say: soc->features is computed from
 * them, rows of a64.def and regs.def ask it. A host that writes a smaller ID
 * register before the first run has therefore taken the feature away.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/arch.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "cpu.h"

/* ---- Features ---- */

/* Present when the 4-bit field at @shift of @reg is at least @min. */
static const struct feature {
	uint16_t reg;
	uint8_t shift, min;
} features[FEAT_COUNT] = {
	[FEAT_LSE] = { SYS_ID_AA64ISAR0_EL1, 20, 2 },       [FEAT_LRCPC] = { SYS_ID_AA64ISAR1_EL1, 20, 1 },
	[FEAT_LRCPC2] = { SYS_ID_AA64ISAR1_EL1, 20, 2 },    [FEAT_FLAGM] = { SYS_ID_AA64ISAR0_EL1, 52, 1 },
	[FEAT_FLAGM2] = { SYS_ID_AA64ISAR0_EL1, 52, 2 },    [FEAT_CRC32] = { SYS_ID_AA64ISAR0_EL1, 16, 1 },
	[FEAT_RDM] = { SYS_ID_AA64ISAR0_EL1, 28, 1 },       [FEAT_FP16] = { SYS_ID_AA64PFR0_EL1, 16, 1 },
	[FEAT_DOTPROD] = { SYS_ID_AA64ISAR0_EL1, 44, 1 },   [FEAT_FHM] = { SYS_ID_AA64ISAR0_EL1, 48, 1 },
	[FEAT_FCMA] = { SYS_ID_AA64ISAR1_EL1, 16, 1 },      [FEAT_JSCVT] = { SYS_ID_AA64ISAR1_EL1, 12, 1 },
	[FEAT_FRINTTS] = { SYS_ID_AA64ISAR1_EL1, 32, 1 },   [FEAT_BF16] = { SYS_ID_AA64ISAR1_EL1, 44, 1 },
	[FEAT_I8MM] = { SYS_ID_AA64ISAR1_EL1, 52, 1 },      [FEAT_AES] = { SYS_ID_AA64ISAR0_EL1, 4, 1 },
	[FEAT_PMULL] = { SYS_ID_AA64ISAR0_EL1, 4, 2 },      [FEAT_SHA1] = { SYS_ID_AA64ISAR0_EL1, 8, 1 },
	[FEAT_SHA256] = { SYS_ID_AA64ISAR0_EL1, 12, 1 },    [FEAT_SHA512] = { SYS_ID_AA64ISAR0_EL1, 12, 2 },
	[FEAT_SHA3] = { SYS_ID_AA64ISAR0_EL1, 32, 1 },      [FEAT_SB] = { SYS_ID_AA64ISAR1_EL1, 36, 1 },
	[FEAT_SSBS] = { SYS_ID_AA64PFR1_EL1, 4, 2 },        [FEAT_DIT] = { SYS_ID_AA64PFR0_EL1, 48, 1 },
	[FEAT_PAN] = { SYS_ID_AA64MMFR1_EL1, 20, 1 },       [FEAT_BTI] = { SYS_ID_AA64PFR1_EL1, 0, 1 },
	[FEAT_PAUTH] = { SYS_ID_AA64ISAR1_EL1, 8, 1 },      [FEAT_RNG] = { SYS_ID_AA64ISAR0_EL1, 60, 1 },
	[FEAT_DPB] = { SYS_ID_AA64ISAR1_EL1, 0, 1 },        [FEAT_DPB2] = { SYS_ID_AA64ISAR1_EL1, 0, 2 },
	[FEAT_TLBIRANGE] = { SYS_ID_AA64ISAR0_EL1, 56, 2 }, [FEAT_SVE] = { SYS_ID_AA64PFR0_EL1, 32, 1 },
	[FEAT_TLBIOS] = { SYS_ID_AA64ISAR0_EL1, 56, 1 },    [FEAT_LOR] = { SYS_ID_AA64MMFR1_EL1, 16, 1 },
	[FEAT_CSV2_2] = { SYS_ID_AA64PFR0_EL1, 56, 2 },     [FEAT_GICV3] = { SYS_ID_AA64PFR0_EL1, 24, 1 },
};

static uint64_t features_of(const struct soc *s)
{
	uint64_t f = UINT64_C(1) << FEAT_NONE;

	for (unsigned k = FEAT_NONE + 1; k < FEAT_COUNT; k++)
		if (bits(s->sys[features[k].reg], features[k].shift + 3u, features[k].shift) >= features[k].min)
			f |= UINT64_C(1) << k;
	return f;
}

/* ID_AA64MMFR0_EL1.PARange: the largest size that is not beyond the VM's IPA size. */
static unsigned pa_range(unsigned ipa_bits)
{
	unsigned n = 0;

	while (n < 5 && mmu_pa_bits(n + 1) <= ipa_bits)
		n++;
	return n;
}

/* The most a feature register may say in this VM. */
static uint64_t feature_limit(const struct soc *s, unsigned reg)
{
	uint64_t v = reg_rows[reg].reset;

	if (reg == SYS_ID_AA64MMFR0_EL1)
		v = (v & ~UINT64_C(0xf)) | pa_range(s->cfg.ipa_bits);
	if (reg == SYS_ID_AA64PFR0_EL1 && s->cfg.gic_version == 2)
		v &= ~UINT64_C(0x0f000000); /* GIC: no CPU interface by system registers */
	if (reg == SYS_ID_AA64ISAR1_EL1 && !s->cfg.pauth)
		v &= ~UINT64_C(0xf0000f00); /* GPI, API */
	if (reg == SYS_SMCCC_STD_HYP_BMAP && !pvtime_supported())
		v &= ~UINT64_C(1);
	return v;
}

/* Fields where less is a larger unsigned number: 0xf means absent. */
static uint64_t signed_fields(unsigned reg)
{
	return reg == SYS_ID_AA64MMFR0_EL1 ? UINT64_C(0xff000000) : 0; /* TGran4, TGran64 */
}

static bool id_value_ok(unsigned reg, uint64_t v, uint64_t limit)
{
	uint64_t mask = reg_rows[reg].mask;

	if ((v ^ limit) & ~mask)
		return false;
	for (unsigned k = 0; k < 64; k += 4) {
		int64_t n = (int64_t)bits(v, k + 3, k), l = (int64_t)bits(limit, k + 3, k);

		if (signed_fields(reg) >> k & 1) {
			n = sext((uint64_t)n, 4);
			l = sext((uint64_t)l, 4);
		}
		if (n > l)
			return false;
	}
	return true;
}

static bool feature_ok(const struct soc *s, unsigned reg, uint64_t v)
{
	uint64_t limit = feature_limit(s, reg);

	if (reg == SYS_PSCI_VERSION)
		return v == limit || v == 0x2 || v == 0x10000;
	if (reg_id_class(reg_rows[reg].id) == REG_CLASS_BITMAP)
		return !(v & ~limit);
	return id_value_ok(reg, v, limit);
}

static int feature_set(struct soc *s, unsigned reg, uint64_t v)
{
	if (v == s->sys[reg])
		return 0;
	if (!feature_ok(s, reg, v))
		return -EINVAL;
	if (atomic_load(&s->ran))
		return -EBUSY;
	s->sys[reg] = v;
	s->features = features_of(s);
	return 0;
}

/* ---- Registers of the host's view ---- */

static const struct reg_row *row_of(const struct soc *s, uint64_t id)
{
	for (unsigned k = 0; k < SYS_COUNT; k++)
		if (id != REG_NO_ID && reg_rows[k].id == id)
			return soc_has(s, reg_rows[k].feat) ? &reg_rows[k] : NULL;
	return NULL;
}

/* Registers that live in struct cpu under a name of their own; NULL: in sys[], behind the row's handlers. */
static void *core_place(struct cpu *c, unsigned reg)
{
	if (reg >= SYS_X0 && reg <= SYS_X30)
		return &c->x[reg - SYS_X0];
	if (reg >= SYS_V0 && reg <= SYS_V31)
		return c->z[reg - SYS_V0];
	if (reg == SYS_SP)
		return &c->x[SLOT_SP];
	return reg == SYS_PC ? &c->pc : NULL;
}

int cpu_reg_list(struct soc *s, struct hv_reg *regs, unsigned *count)
{
	unsigned n = 0, room = *count;

	for (unsigned k = 0; k < SYS_COUNT; k++) {
		const struct reg_row *row = &reg_rows[k];

		if (!(row->flags & REG_SNAP) || !soc_has(s, row->feat))
			continue;
		if (n < room)
			regs[n] = (struct hv_reg){ .id = row->id, .scope = row->scope };
		n++;
	}
	*count = n;
	return n <= room ? 0 : -E2BIG;
}

/* The row and cpu an access means, or -errno. VM-scoped handlers want some cpu. */
static int resolve(struct soc *s, struct cpu **c, uint64_t id, const struct reg_row **row)
{
	*row = row_of(s, id);
	if (!*row)
		return -ENOENT;
	if (*c)
		return 0;
	*c = s->cpus[0];
	return (*row)->scope == HV_SCOPE_VM ? 0 : -EINVAL;
}

void cpu_row_get(struct cpu *c, unsigned reg, void *value)
{
	const struct reg_row *row = &reg_rows[reg];
	const void *place = core_place(c, reg);
	uint64_t v = place ? 0 : reg == SYS_PSTATE ? cpu_pstate(c) : row->read(c, reg);

	memcpy(value, place ? place : &v, reg_id_bytes(row->id));
}

int cpu_reg_get(struct soc *s, struct cpu *c, uint64_t id, void *value)
{
	const struct reg_row *row;
	int err = resolve(s, &c, id, &row);

	if (!err)
		cpu_row_get(c, (unsigned)(row - reg_rows), value);
	return err;
}

/* Bits of features that no VM has are refused. */
static int pstate_set(struct cpu *c, uint64_t v)
{
	if (!cpu_mode_exists(v) || (v & ~reg_rows[SYS_SPSR_EL1].mask))
		return -EINVAL;
	cpu_set_pstate(c, v);
	return 0;
}

int cpu_row_set(struct cpu *c, unsigned reg, const void *value)
{
	const struct reg_row *row = &reg_rows[reg];
	void *place = core_place(c, reg);
	uint64_t v = 0;

	if (place) {
		memcpy(place, value, reg_id_bytes(row->id));
		return 0;
	}
	memcpy(&v, value, reg_id_bytes(row->id));
	if (row->flags & REG_FEATURE)
		return feature_set(c->soc, reg, v);
	if (reg == SYS_PSTATE)
		return pstate_set(c, v);
	if (row->flags & REG_FIXED)
		return v == row->read(c, reg) ? 0 : -EINVAL;
	if ((v ^ row->read(c, reg)) & ~row->mask)
		return -EINVAL;
	row->write(c, reg, v & row->mask);
	return 0;
}

int cpu_reg_set(struct soc *s, struct cpu *c, uint64_t id, const void *value)
{
	const struct reg_row *row;
	int err = resolve(s, &c, id, &row);

	return err ? err : cpu_row_set(c, (unsigned)(row - reg_rows), value);
}

/* ---- Reset ---- */

void cpu_reset(struct cpu *c)
{
	for (unsigned k = 0; k < SYS_COUNT; k++)
		if (reg_rows[k].scope == HV_SCOPE_VCPU && !(reg_rows[k].flags & REG_KEEP))
			c->sys[k] = reg_rows[k].reset;
	memset(c->x, 0, sizeof(c->x));
	memset(c->z, 0, sizeof(c->z));
	memset(c->p, 0, sizeof(c->p));
	memset(c->sp_el, 0, sizeof(c->sp_el));
	c->pc = 0;
	c->fpcr = c->fpsr = 0;
	c->excl.size = 0;
	c->el = c->spsel = 1;
	mmu_el_changed(c);
	mmu_regime_changed(c);
	mmu_inv_all(c);
	cpu_set_pstate(c, reg_rows[SYS_PSTATE].reset);
	debug_reset(c);
	cpu_update_fp_trap(c);
	atomic_store(&c->event, false);
}

void soc_reset(struct soc *s)
{
	for (unsigned k = 0; k < s->cfg.vcpu_count; k++) {
		struct cpu *c = s->cpus[k];

		cpu_reset(c);
		run_reset(c);
		mmu_ring_reset(c);
		pvtime_reset(c);
		atomic_store(&c->power, k ? POWER_OFF : POWER_ON);
		atomic_store(&c->exit_req, 0);
		atomic_store(&c->irq_lines, 0);
	}
	gic_reset(s);
	timer_reset(s);
}

/* ---- Life ---- */

static void cpu_free(struct cpu *c)
{
	if (!c)
		return;
	pvtime_close(c);
	run_destroy(c);
	mmu_destroy(c);
	free(c);
}

/* Without its dispatcher, run_init(). */
static int cpu_new(struct soc *s, unsigned k, unsigned id)
{
	struct cpu *c = aligned_alloc(64, align_up(sizeof(*c), 64));

	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->soc = s;
	c->pvtime.fd = -1;
	c->sys[SYS_MPIDR_EL1] = arch_mpidr(id);
	s->cpus[k] = c;
	return mmu_init(c);
}

static struct soc *soc_new(const struct soc_config *cfg, const struct hv_env *env)
{
	struct soc *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->env = *env;
	for (unsigned k = 0; k < SYS_COUNT; k++)
		if (reg_rows[k].scope == HV_SCOPE_VM)
			s->sys[k] = feature_limit(s, k);
	s->features = features_of(s);
	s->cpus = calloc(s->cfg.vcpu_count, sizeof(struct cpu *));
	if (s->cpus)
		return s;
	free(s);
	return NULL;
}

static int soc_fill(struct soc *s)
{
	int err = 0;

	for (unsigned k = 0; !err && k < s->cfg.vcpu_count; k++) {
		err = cpu_new(s, k, k);
		if (!err)
			err = run_init(s->cpus[k]);
	}
	if (!err)
		err = smc_init(s);
	if (!err)
		err = gic_init(s);
	return err ? err : timer_init(s);
}

int soc_create(const struct soc_config *cfg, const struct hv_env *env, struct soc **soc)
{
	struct soc *s = soc_new(cfg, env);
	int err;

	*soc = NULL;
	if (!s)
		return log_err(-ENOMEM, "no host memory for a VM");
	err = soc_fill(s);
	if (err) {
		soc_destroy(s);
		return log_err(err, "cannot create %u vCPUs: %s", cfg->vcpu_count, strerror(-err));
	}
	soc_reset(s);
	*soc = s;
	return 0;
}

int soc_create_bare(const struct soc_config *cfg, const struct hv_env *env, unsigned id, struct soc **soc)
{
	struct soc_config one = *cfg;
	struct soc *s;

	one.vcpu_count = 1;
	one.jit = (struct jit_config){ 0 };
	s = soc_new(&one, env);
	if (s && !cpu_new(s, 0, id)) {
		cpu_reset(s->cpus[0]);
		*soc = s;
		return 0;
	}
	soc_destroy(s);
	*soc = NULL;
	return log_err(-ENOMEM, "vcpu %u: no host memory to execute an instruction for it", id);
}

void soc_destroy(struct soc *s)
{
	if (!s)
		return;
	if (s->cfg.jit.count && s->cfg.jit.use == JIT_ON && s->timer)
		coverage_say(s);
	if (s->timer)
		timer_destroy(s);
	if (s->gic)
		gic_destroy(s);
	for (unsigned k = 0; s->cpus && k < s->cfg.vcpu_count; k++)
		cpu_free(s->cpus[k]);
	smc_destroy(s);
	free(s->cpus);
	free(s);
}

void soc_set_spi(struct soc *s, unsigned spi, bool level) { gic_set_spi(s, spi, level); }

struct cpu *soc_cpu(struct soc *s, unsigned id) { return id < s->cfg.vcpu_count ? s->cpus[id] : NULL; }
