/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon: the guest gives memory back that it does not need: pages it puts into the
 * balloon until it has no more than target=, and those it finds free by itself (free page
 * reporting). mem_discard() does the rest; deflating needs nothing, as an address stays what
 * it is and a page comes when it is touched. (virtio 1.2, 5.5)
 *
 * A guest can have anything of its own discarded at any time: it could as well write zeroes.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <spec/virtio-balloon.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include <vmm/opt.h>
#include <vmm/text.h>
#include <vmm/virtio.h>

#define PFNS_AT_A_TIME 256
#define PFNS_MAX       (64 * KIB) /* in a request; Linux sends 256 */
#define TARGET_MIN     (16 * MIB)
#define STATS          (VIRTIO_BALLOON_S_CACHES + 1)
#define FEATURE(name)  (UINT64_C(1) << VIRTIO_BALLOON_F_##name)

struct balloon {
	struct virtio_device virtio; /* first */
	uint64_t target;             /* bytes the guest should keep; 0: all */
	bool no_deflate_on_oom, no_reporting;
	uint32_t pages; /* wanted in the balloon */
	struct virtio_balloon_config config;
	uint64_t stat[STATS];      /* UINT64_MAX: not known */
	struct virtq_chain *stats; /* the driver's buffer: to give it back is to ask for fresh ones */
	bool asked;                /* by the user */
	uint64_t reported;         /* bytes, in all */
	bool refused; /* by the host, and it has been said: it will be again, as often as the guest likes */
};

static struct balloon *of(struct virtio_device *v) { return (struct balloon *)v; }

/* ---- Pages ---- */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void discard(struct balloon *b, uint64_t from, uint64_t bytes)
{
	int err = mem_discard(b->virtio.dev->env->mem, gpa(from), bytes);

	if (err == -EINVAL)
		log_guest("%s: 0x%" PRIx64 " bytes at 0x%" PRIx64 " in the balloon are not memory",
			  b->virtio.dev->name, bytes, from);
	else if (err && !b->refused)
		log_warn("%s: the host does not take memory back: %s", b->virtio.dev->name, strerror(-err));
	b->refused |= err && err != -EINVAL;
}

/* Neighbours together: one call, and with pages of 16 or 64 KiB nothing less helps the host. */
static void discard_pages(struct balloon *b, uint32_t *pfn, size_t count)
{
	qsort(pfn, count, sizeof(*pfn), by_number);
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && pfn[i + n] - pfn[i + n - 1] <= 1; n++)
			;
		discard(b, (uint64_t)pfn[i] * VIRTIO_BALLOON_PAGE_BYTES,
			(uint64_t)(pfn[i + n - 1] - pfn[i] + 1) * VIRTIO_BALLOON_PAGE_BYTES);
	}
}

static void inflate(struct balloon *b, struct virtq *q)
{
	struct virtq_chain *c;

	while ((c = virtq_pop(q))) {
		uint32_t pfn[PFNS_AT_A_TIME];
		size_t bytes;

		if (c->out_bytes > PFNS_MAX * sizeof(*pfn)) {
			virtio_broken(&b->virtio, "a request of more than %u pages", (unsigned)PFNS_MAX);
			return;
		}
		while ((bytes = virtq_read(c, pfn, sizeof(pfn))) >= sizeof(*pfn))
			discard_pages(b, pfn, bytes / sizeof(*pfn));
		virtq_push(c, 0);
	}
	virtq_interrupt(q);
}

static void deflate(struct virtq *q)
{
	struct virtq_chain *c;

	while ((c = virtq_pop(q)))
		virtq_push(c, 0);
	virtq_interrupt(q);
}

/* What is in a free page must be as it was, or what the guest fills them with: zeroes are all we have. */
static bool zeroes_will_do(const struct balloon *b)
{
	return !virtio_has(&b->virtio, VIRTIO_BALLOON_F_PAGE_POISON) || !b->config.poison_val;
}

/* The guest's address of a span of a chain, which is host memory. */
static bool guest_address(const struct mem *m, const void *p, uint64_t *a)
{
	unsigned count;
	const struct mem_region *r = mem_regions(m, &count);

	for (unsigned i = 0; i < count; i++)
		if ((uintptr_t)p - (uintptr_t)r[i].host < r[i].bytes) {
			*a = r[i].base.v + ((uintptr_t)p - (uintptr_t)r[i].host);
			return true;
		}
	return false;
}

static void take_reported(struct balloon *b, struct virtq *q)
{
	struct virtq_chain *c;
	uint64_t a;

	while ((c = virtq_pop(q))) {
		for (unsigned i = 0; i < c->in_count && zeroes_will_do(b); i++)
			if (guest_address(b->virtio.dev->env->mem, c->in[i].iov_base, &a)) {
				discard(b, a, c->in[i].iov_len);
				b->reported += c->in[i].iov_len;
			}
		virtq_push(c, 0);
	}
	virtq_interrupt(q);
}

/* ---- Statistics ---- */

static void add_size(char *text, size_t room, const char *what, uint64_t bytes)
{
	if (bytes != UINT64_MAX)
		text_add(text, room, ", %s %" PRIu64 " MiB", what, bytes / MIB);
}

static void say(struct balloon *b)
{
	char text[300] = "";

	add_size(text, sizeof(text), "memory in all", b->stat[VIRTIO_BALLOON_S_MEMTOT]);
	add_size(text, sizeof(text), "free", b->stat[VIRTIO_BALLOON_S_MEMFREE]);
	add_size(text, sizeof(text), "available", b->stat[VIRTIO_BALLOON_S_AVAIL]);
	add_size(text, sizeof(text), "caches", b->stat[VIRTIO_BALLOON_S_CACHES]);
	add_size(text, sizeof(text), "swapped out", b->stat[VIRTIO_BALLOON_S_SWAP_OUT]);
	log_info("%s: balloon of %" PRIu64 " MiB, wanted %" PRIu64 " MiB, reported free so far %" PRIu64 " MiB%s%s",
		 b->virtio.dev->name, (uint64_t)b->config.actual * VIRTIO_BALLOON_PAGE_BYTES / MIB,
		 (uint64_t)b->config.num_pages * VIRTIO_BALLOON_PAGE_BYTES / MIB, b->reported / MIB,
		 *text ? "; the guest has" : "", *text ? text + 1 : "");
}

/* The driver has one buffer, and gets it back when somebody wants to know. */
static void take_stats(struct balloon *b, struct virtq *q)
{
	struct virtio_balloon_stat s;
	struct virtq_chain *c;
	bool fresh = false;

	while ((c = virtq_pop(q))) {
		fresh = true;
		if (b->stats)
			virtq_push(b->stats, 0);
		b->stats = c;
		for (unsigned i = 0; i < 4 * STATS && virtq_read(c, &s, sizeof(s)) == sizeof(s); i++)
			if (s.tag < STATS)
				b->stat[s.tag] = s.val;
	}
	virtq_interrupt(q);
	if (!b->asked || !fresh)
		return;
	b->asked = false;
	say(b);
}

static void balloon_info(struct device *d)
{
	struct balloon *b = d->state;
	struct virtq_chain *c = b->stats;

	/* Who does not answer, or has not answered the last time. */
	if (!c || !b->virtio.running)
		return say(b);
	b->stats = NULL;
	b->asked = true;
	virtq_push(c, 0);
	virtq_interrupt(virtio_queue(&b->virtio, VIRTIO_BALLOON_STATS));
}

/* ---- Virtio ---- */

static void balloon_notify(struct virtio_device *v, unsigned queue)
{
	struct balloon *b = of(v);
	struct virtq *q = virtio_queue(v, queue);

	if (queue == VIRTIO_BALLOON_INFLATE)
		return inflate(b, q);
	if (queue == VIRTIO_BALLOON_DEFLATE)
		return deflate(q);
	if (queue == VIRTIO_BALLOON_STATS && virtio_has(v, VIRTIO_BALLOON_F_STATS_VQ))
		return take_stats(b, q);
	/* Number 4 in the document; Linux closes the gaps that queues make which are not there. */
	if (virtio_has(v, VIRTIO_BALLOON_F_PAGE_REPORTING))
		take_reported(b, q);
}

static void forget(struct balloon *b)
{
	b->stats = NULL;
	b->asked = false;
}

static void balloon_reset(struct virtio_device *v)
{
	struct balloon *b = of(v);

	forget(b);
	b->config.actual = b->config.poison_val = 0;
	memset(b->stat, 0xff, sizeof(b->stat));
}

static void balloon_queue_reset(struct virtio_device *v, unsigned queue)
{
	if (queue == VIRTIO_BALLOON_STATS)
		forget(of(v));
}

/* `actual' and `poison_val' are the driver's, the others ours. */
static void balloon_written(struct virtio_device *v, unsigned offset, unsigned bytes)
{
	struct balloon *b = of(v);

	(void)offset, (void)bytes;
	b->config.num_pages = b->pages;
	b->config.free_page_hint_cmd_id = 0;
}

static const char *const feature_names[] = {
	[VIRTIO_BALLOON_F_STATS_VQ] = "stats-vq",
	[VIRTIO_BALLOON_F_DEFLATE_ON_OOM] = "deflate-on-oom",
	[VIRTIO_BALLOON_F_PAGE_POISON] = "page-poison",
	[VIRTIO_BALLOON_F_PAGE_REPORTING] = "page-reporting",
};

static const struct virtio_type balloon_virtio = {
	.id = VIRTIO_ID_BALLOON,
	.queue_size = 128,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.reset = balloon_reset,
	.notify = balloon_notify,
	.config_written = balloon_written,
	.queue_reset = balloon_queue_reset,
};

/* ---- Device ---- */

static uint64_t ram_bytes(const struct mem *m)
{
	unsigned count;
	const struct mem_region *r = mem_regions(m, &count);
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += r[i].ram ? r[i].bytes : 0;
	return bytes;
}

static int set_target(struct device *d)
{
	struct balloon *b = d->state;
	uint64_t ram = ram_bytes(d->env->mem), least = ram < TARGET_MIN ? ram : TARGET_MIN;
	char text[32], room[32];

	if (!b->target)
		return 0;
	if (b->target > ram || b->target < least)
		return log_err(-EINVAL, "%s: target=%s: the guest has %s of memory, and needs at least %s to run",
			       d->said, opt_size_text(b->target, text, sizeof(text)),
			       opt_size_text(ram, room, sizeof(room)), "16 MiB");
	/* The field has 32 bits; what does not fit stays with the guest. */
	b->pages = (ram - b->target) / VIRTIO_BALLOON_PAGE_BYTES > UINT32_MAX
			   ? UINT32_MAX
			   : (uint32_t)((ram - b->target) / VIRTIO_BALLOON_PAGE_BYTES);
	b->config.num_pages = b->pages;
	return 0;
}

static int balloon_create(struct device *d)
{
	struct balloon *b = d->state;
	uint64_t features = FEATURE(STATS_VQ);
	int err = set_target(d);

	if (err)
		return err;
	if (!b->no_deflate_on_oom)
		features |= FEATURE(DEFLATE_ON_OOM);
	if (!b->no_reporting)
		features |= FEATURE(PAGE_REPORTING) | FEATURE(PAGE_POISON);
	return virtio_init(d, &balloon_virtio, features, VIRTIO_BALLOON_REPORTING + 1, &b->config, sizeof(b->config));
}

static void balloon_destroy(struct device *d) { virtio_fini(d->state); }

static const struct device_option balloon_options[] = {
	{ "target", "SIZE", "memory the guest should do with: 256M (all it has)", DEVICE_U64,
	  offsetof(struct balloon, target) },
	{ "deflate-on-oom", "on|off", "the guest takes memory back before it kills for want of it (on)", DEVICE_NOT,
	  offsetof(struct balloon, no_deflate_on_oom) },
	{ "free-page-reporting", "on|off", "the guest gives free memory back by itself (on)", DEVICE_NOT,
	  offsetof(struct balloon, no_reporting) },
};

static const struct device_type balloon_type = {
	.name = "virtio-balloon",
	.help = "gives the guest's unneeded memory back to the host; Ctrl-a i tells how much there is",
	.state_bytes = sizeof(struct balloon),
	DEVICE_OPTIONS(balloon_options),
	VIRTIO_DEVICE,
	.create = balloon_create,
	.destroy = balloon_destroy,
	.info = balloon_info,
};
DEVICE(virtio_balloon, &balloon_type);
