/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-pmem: a file of the host's as memory of the guest, above its RAM, which Linux has as
 * /dev/pmemN. There is nothing to copy and no cache in the guest; read-only, the pages of one
 * file serve any number of VMs. (virtio 1.2, 5.19)
 *
 * A flush may take long, so a thread waits for it; whoever asks while one is under way is
 * served together by the next one.
 *
 * The room on the host's disk is taken at the start: a guest's store cannot fail, so there is
 * no other moment at which a full disk could be an error.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/virtio-pmem.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/mem.h>
#include <vmm/opt.h>
#include <vmm/virtio.h>

#define QUEUE_SIZE  64
#define REGION_UNIT (2 * MIB)

struct pmem {
	struct virtio_device virtio; /* first */
	const char *file;
	bool readonly;
	struct virtio_pmem_config config;
	int fd;

	struct virtq_chain *asking[QUEUE_SIZE];
	unsigned count;   /* of those */
	unsigned covered; /* the first so many, by the flush under way */
	bool busy;
	bool failing;   /* the last flush, and it has been said: a guest that flushes on shall not fill a disk */
	int work, done; /* eventfds to and from the thread */
	struct loop_fd *event;
	pthread_t thread;
	bool has_thread;
	atomic_bool end;
	atomic_int result;
};

static struct pmem *of(struct virtio_device *v) { return (struct pmem *)v; }

/* ---- The thread that waits ---- */

static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n;
}

static void *flush_thread(void *opaque)
{
	struct pmem *p = opaque;
	uint64_t count;

	while (read(p->work, &count, sizeof(count)) == sizeof(count) && !atomic_load(&p->end)) {
		atomic_store(&p->result, fdatasync(p->fd) ? -errno : 0);
		signal_fd(p->done);
	}
	return NULL;
}

/* ---- Requests ---- */

static void answer(struct virtq_chain *c, uint32_t ret)
{
	virtq_push(c, (uint32_t)virtq_write(c, &ret, sizeof(ret)));
}

static void flush_waiting(struct pmem *p)
{
	if (p->busy || !p->count)
		return;
	p->busy = true;
	p->covered = p->count;
	signal_fd(p->work);
}

static void on_done(void *opaque, uint32_t events)
{
	struct pmem *p = opaque;
	int err = atomic_load(&p->result);
	uint64_t count;
	ssize_t n = read(p->done, &count, sizeof(count));

	(void)events, (void)n;
	if (err && !p->failing)
		log_err(err, "%s: %s: what the guest has written may be lost: %s", p->virtio.dev->name, p->file,
			strerror(-err));
	p->failing = err;
	for (unsigned i = 0; i < p->covered; i++)
		answer(p->asking[i], err ? VIRTIO_PMEM_RESP_TYPE_EIO : VIRTIO_PMEM_RESP_TYPE_OK);
	p->count -= p->covered;
	memmove(p->asking, p->asking + p->covered, p->count * sizeof(*p->asking));
	p->covered = 0;
	p->busy = false;
	virtq_interrupt(virtio_queue(&p->virtio, 0));
	flush_waiting(p);
}

static void pmem_notify(struct virtio_device *v, unsigned queue)
{
	struct pmem *p = of(v);
	struct virtq *q = virtio_queue(v, queue);
	struct virtq_chain *c;

	while (p->count < QUEUE_SIZE && (c = virtq_pop(q))) {
		uint32_t type;

		if (virtq_read(c, &type, sizeof(type)) != sizeof(type) || type != VIRTIO_PMEM_REQ_TYPE_FLUSH) {
			log_guest("%s: a request that is no flush", v->dev->name);
			answer(c, VIRTIO_PMEM_RESP_TYPE_EIO);
		} else if (p->readonly) {
			answer(c, VIRTIO_PMEM_RESP_TYPE_OK);
		} else {
			p->asking[p->count++] = c;
		}
	}
	virtq_interrupt(q);
	flush_waiting(p);
}

/* A flush under way ends by itself, and answers nobody. */
static void forget(struct virtio_device *v) { of(v)->count = of(v)->covered = 0; }

static void pmem_queue_reset(struct virtio_device *v, unsigned queue)
{
	(void)queue;
	forget(v);
}

static const struct virtio_type pmem_virtio = {
	.id = VIRTIO_ID_PMEM,
	.queue_size = QUEUE_SIZE,
	.reset = forget,
	.notify = pmem_notify,
	.queue_reset = pmem_queue_reset,
};

/* ---- The file ---- */

static int check_size(struct device *d, off_t bytes)
{
	const struct pmem *p = d->state;

	if (bytes < 0)
		return log_err(-EINVAL, "%s: file=%s is neither a file nor a block device", d->said, p->file);
	if (!bytes)
		return log_err(-EINVAL, "%s: file=%s is empty; truncate -s 1G FILE gives it a size", d->said,
			       p->file);
	if (!p->readonly && (uint64_t)bytes % REGION_UNIT)
		return log_err(
			-EINVAL,
			"%s: file=%s: %lld bytes are not a multiple of 2 MiB; truncate -s %lluM makes them one, "
			"and readonly=on needs none",
			d->said, p->file, (long long)bytes,
			(unsigned long long)(align_up((uint64_t)bytes, REGION_UNIT) / MIB));
	return 0;
}

static int open_file(struct device *d, off_t *bytes)
{
	struct pmem *p = d->state;
	struct stat st;
	int err;

	p->fd = open(p->file, (p->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (p->fd < 0)
		return log_err(-errno, "%s: file=%s: cannot open it for %s: %s%s", d->said, p->file,
			       p->readonly ? "reading" : "writing", strerror(errno),
			       !p->readonly && (errno == EACCES || errno == EROFS) ? "; readonly=on does not write it"
										   : "");
	if (fstat(p->fd, &st))
		return log_err(-errno, "%s: file=%s: %s", d->said, p->file, strerror(errno));
	*bytes = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? lseek(p->fd, 0, SEEK_END) : -1;
	err = check_size(d, *bytes);
	if (err)
		return err;
	if (disk_lock_file(p->fd, p->readonly))
		return log_err(-EBUSY, "%s: file=%s: %s", d->said, p->file,
			       p->readonly ? "somebody writes it; end that, or make a copy"
					   : "is in use already; with readonly=on many VMs can have it");
	if (!p->readonly && S_ISREG(st.st_mode) && fallocate(p->fd, 0, 0, *bytes) && errno == ENOSPC)
		return log_err(-ENOSPC,
			       "%s: file=%s: the disk has no room for what is not written yet; give it "
			       "some, or use the file with --disk",
			       d->said, p->file);
	return 0;
}

static int map_file(struct device *d, uint64_t bytes)
{
	struct pmem *p = d->state;
	char size[32];
	gpa_t base;
	int err = mem_add_file(d->env->mem, "virtio-pmem", p->fd, bytes, p->readonly, &base);

	switch (err) {
	case 0:
		p->config.start = base.v;
		p->config.size = align_up(bytes, REGION_UNIT);
		return 0;
	case -ENOSPC:
		return log_err(err,
			       "%s: file=%s: no room for %s in the guest's addresses; use a smaller file, or more "
			       "--ipa-bits",
			       d->said, p->file, opt_size_text(bytes, size, sizeof(size)));
	case -ENOTSUP:
		return log_err(err, "%s: pages of a file cannot have the memory tags this guest has; use --disk",
			       d->said);
	default: return log_err(err, "%s: file=%s: cannot be mapped: %s", d->said, p->file, strerror(-err));
	}
}

/* ---- Device ---- */

static void close_all(struct pmem *p)
{
	if (p->has_thread) {
		atomic_store(&p->end, true);
		signal_fd(p->work);
		pthread_join(p->thread, NULL);
	}
	loop_del_fd(p->event);
	if (p->work >= 0)
		close(p->work);
	if (p->done >= 0)
		close(p->done);
	if (p->fd >= 0)
		close(p->fd);
}

static int start_thread(struct device *d)
{
	struct pmem *p = d->state;

	p->work = eventfd(0, EFD_CLOEXEC);
	p->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->work >= 0 && p->done >= 0)
		p->event = loop_add_fd(d->env->loop, p->done, EPOLLIN, &d->lock, on_done, p);
	p->has_thread = p->event && !pthread_create(&p->thread, NULL, flush_thread, p);
	return p->has_thread ? 0 : log_err(-EAGAIN, "%s: the host gives no thread or no descriptors", d->said);
}

static int pmem_create(struct device *d)
{
	struct pmem *p = d->state;
	off_t bytes = 0;
	int err;

	p->fd = p->work = p->done = -1;
	if (!p->file)
		return log_err(-EINVAL, "%s: which file? file=FILE", d->said);
	err = open_file(d, &bytes);
	if (!err && !p->readonly)
		err = start_thread(d);
	if (!err)
		err = map_file(d, (uint64_t)bytes);
	if (!err)
		err = virtio_init(d, &pmem_virtio, 0, 1, &p->config, sizeof(p->config));
	if (err)
		close_all(p);
	return err;
}

static void pmem_destroy(struct device *d)
{
	struct pmem *p = d->state;

	close_all(p);
	virtio_fini(&p->virtio);
}

static const struct device_option pmem_options[] = {
	{ "file", "FILE", "whose content it is", DEVICE_STRING, offsetof(struct pmem, file) },
	{ "readonly", "on|off", "only read it, together with other VMs (off)", DEVICE_BOOL,
	  offsetof(struct pmem, readonly) },
};

static const struct device_type pmem_type = {
	.name = "virtio-pmem",
	.help = "a file of the host's as memory (Linux: /dev/pmem0)",
	.state_bytes = sizeof(struct pmem),
	.trial = "file=FILE",
	.first = "file",
	DEVICE_OPTIONS(pmem_options),
	VIRTIO_DEVICE,
	.create = pmem_create,
	.destroy = pmem_destroy,
};
DEVICE(virtio_pmem, &pmem_type);
