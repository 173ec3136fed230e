/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sorted array, fixed before the first vCPU runs: lookups take no lock. */
#include <stdlib.h>
#include <string.h>

#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/log.h>
#include <vmm/vm.h>

struct bus {
	struct bus_range *ranges;
	unsigned count;
};

struct bus *bus_new(void) { return calloc(1, sizeof(struct bus)); }

void bus_free(struct bus *b)
{
	if (!b)
		return;
	free(b->ranges);
	free(b);
}

/* Index of the first range whose last byte is at @a or above. */
static unsigned find_index(const struct bus *b, uint64_t a)
{
	unsigned lo = 0, hi = b->count;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct bus_range *r = &b->ranges[mid];

		if (a <= r->base.v + (r->bytes - 1))
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

int bus_add(struct bus *b, const struct bus_range *r)
{
	unsigned at = find_index(b, r->base.v);
	struct bus_range *grown;

	CHECK(r->bytes && r->access && r->base.v + (r->bytes - 1) >= r->base.v);
	if (at < b->count && b->ranges[at].base.v <= r->base.v + (r->bytes - 1))
		return log_err(-EEXIST, "bus: %s at 0x%llx overlaps %s at 0x%llx", r->name,
			       (unsigned long long)r->base.v, b->ranges[at].name,
			       (unsigned long long)b->ranges[at].base.v);
	grown = realloc(b->ranges, (b->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	b->ranges = grown;
	memmove(&grown[at + 1], &grown[at], (b->count - at) * sizeof(*grown));
	grown[at] = *r;
	b->count++;
	return 0;
}

void bus_del(struct bus *b, const void *opaque)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < b->count; i++)
		if (b->ranges[i].opaque != opaque)
			b->ranges[kept++] = b->ranges[i];
	b->count = kept;
}

const struct bus_range *bus_find(const struct bus *b, gpa_t a)
{
	unsigned i = find_index(b, a.v);

	return i < b->count && a.v >= b->ranges[i].base.v ? &b->ranges[i] : NULL;
}

enum bus_result bus_access(struct bus *b, gpa_t a, unsigned size, uint64_t *value, bool write)
{
	const struct bus_range *r = bus_find(b, a);
	uint64_t offset, mask = UINT64_MAX >> (64 - 8 * size);
	enum bus_result res;

	if (!r)
		return BUS_NOBODY;
	offset = a.v - r->base.v;
	if (size > r->bytes - offset)
		return BUS_REFUSED;
	*value = write ? *value & mask : 0;
	if (r->lock)
		pthread_mutex_lock(r->lock);
	res = r->access(r->opaque, offset, size, value, write);
	if (r->lock)
		pthread_mutex_unlock(r->lock);
	if (!write)
		*value &= mask;
	return res;
}

const struct bus_range *bus_range_at(const struct bus *b, unsigned i) { return i < b->count ? &b->ranges[i] : NULL; }

int bus_notify_fd(struct vm *vm, gpa_t a, unsigned bytes, uint64_t value, int fd)
{
	return hv_ioeventfd(vm_hv(vm), &(struct hv_ioevent){ .addr = a, .bytes = bytes, .value = value, .fd = fd },
			    true);
}

/* Above the numbers that vm.c gives to the regions of vmm/mem.h. */
#define READ_FROM_SLOT 256

int bus_read_from(struct vm *vm, gpa_t a, void *host, uint64_t bytes)
{
	const struct hv_mem m = {
		.slot = READ_FROM_SLOT, .base = a, .host = host, .bytes = bytes, .flags = HV_MEM_READONLY
	};
	struct hv_vm *hv = vm_hv(vm);

	if (!hv_cap(hv->ops, hv, HV_CAP_MEM_OWN))
		return -ENOTSUP;
	return bytes ? hv_mem_map(hv, &m) : hv_mem_unmap(hv, READ_FROM_SLOT);
}
