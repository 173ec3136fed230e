/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-rng: random bytes of the host. (virtio 1.2, 5.4)
 *
 * A request may be for 4 GiB, and is answered on the vCPU's own thread: it gets the first
 * piece only, which the document allows.
 */
#include <sys/random.h>
#include <vmm/err.h>
#include <vmm/virtio.h>

#define ANSWER_BYTES_MAX (64 * KIB)

struct rng {
	struct virtio_device virtio;
};

static size_t fill(void *dst, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = getrandom((char *)dst + done, len - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static uint32_t answer(const struct virtq_chain *c)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->in_count && done < ANSWER_BYTES_MAX; i++) {
		size_t len = c->in[i].iov_len, room = ANSWER_BYTES_MAX - done, n;

		len = len < room ? len : room;
		n = fill(c->in[i].iov_base, len);
		done += n;
		if (n < len)
			break;
	}
	return (uint32_t)done;
}

static void rng_notify(struct virtio_device *v, unsigned queue)
{
	struct virtq *q = virtio_queue(v, queue);
	struct virtq_chain *c;

	while ((c = virtq_pop(q)))
		virtq_push(c, answer(c));
	virtq_interrupt(q);
}

/* Nothing is ever in flight. */
static void rng_queue_reset(struct virtio_device *v, unsigned queue) { (void)v, (void)queue; }

static const struct virtio_type rng_virtio = {
	.id = VIRTIO_ID_RNG,
	.queue_size = 64,
	.notify = rng_notify,
	.queue_reset = rng_queue_reset,
};

static int rng_create(struct device *d) { return virtio_init(d, &rng_virtio, 0, 1, NULL, 0); }
static void rng_destroy(struct device *d) { virtio_fini(d->state); }

static const struct device_type rng_type = {
	.name = "virtio-rng",
	.help = "random bytes of the host",
	.state_bytes = sizeof(struct rng),
	VIRTIO_DEVICE,
	.create = rng_create,
	.destroy = rng_destroy,
};
DEVICE(virtio_rng, &rng_type);
