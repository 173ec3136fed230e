/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: regions sorted by base, found by binary search.
 *
 * Each region lies inside a larger PROT_NONE reservation: its host address is
 * 2 MiB aligned, so that the host can use huge pages, and at least a page of
 * nothing is on both sides, so that running off the end is a fault and not a
 * silent write to something else.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <vmm/cmd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#define REGION_ALIGN (2 * MIB)
/* SECTION_SIZE of arm64 Linux: 128 MiB with pages of 4 and 16 KiB, 512 MiB with 64. */
#define FILE_ALIGN (512 * MIB)
#define LIMIT      (UINT64_C(1) << 40)

struct mem {
	struct mem_region *regions;
	unsigned count;
	bool anonymous; /* files are copied */
	bool share;     /* RAM is for other processes, too */
	uint64_t limit; /* of addresses for files */
	/* Pages of RAM that are loaded files': dropping one of those would bring back what is in the file. */
	struct loaded {
		uint8_t *start, *end;
	} * loaded;
	unsigned loaded_count;
};

static uint64_t page_bytes(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

struct mem *mem_new(void)
{
	struct mem *m = calloc(1, sizeof(*m));

	if (m)
		m->limit = LIMIT;
	return m;
}

static uint8_t *reserve(uint64_t bytes)
{
	uint64_t all = bytes + 2 * REGION_ALIGN, start, end;
	uint8_t *p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Somewhere after the first page; give back what is not guard. */
	start = align_up((uintptr_t)p + page_bytes(), REGION_ALIGN);
	end = start + bytes + page_bytes();
	if (start - page_bytes() > (uintptr_t)p)
		munmap(p, start - page_bytes() - (uintptr_t)p);
	if ((uintptr_t)p + all > end)
		munmap((void *)(uintptr_t)end, (uintptr_t)p + all - end);
	return (uint8_t *)(uintptr_t)start;
}

/*
 * Not for children. A fork write-protects every page that both may write: the hypervisor
 * loses its mappings of them, what the guest writes from then on exists twice, and a page
 * that the host has pinned for I/O may become the child's while the guest gets the copy.
 * A mapping does not inherit this from what it replaces.
 */
static void *map(void *at, uint64_t bytes, int flags, int fd, uint64_t offset)
{
	void *p = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | flags, fd, (off_t)offset);

	if (p != MAP_FAILED)
		madvise(p, bytes, MADV_DONTFORK);
	return p;
}

static void *map_zeroed(void *at, uint64_t bytes) { return map(at, bytes, MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }

/* To be given to others, who may not take away what we have mapped of it. */
static int make_file(const struct mem_region *r)
{
	int fd = memfd_create(r->name, MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)r->bytes) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Of the region's own file, or of nobody else's. */
static int map_region(struct mem_region *r)
{
	void *p;

	if (!r->shared)
		return map_zeroed(r->host, r->bytes) == MAP_FAILED ? -ENOSPC : 0;
	r->fd = make_file(r);
	if (r->fd < 0)
		return r->fd;
	p = mmap(r->host, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, r->fd, 0);
	if (p != MAP_FAILED)
		return madvise(p, r->bytes, MADV_DONTFORK) ? -errno : 0;
	close(r->fd);
	r->shared = false;
	return -ENOSPC;
}

/* Pages of a shared region, for everybody who has it. */
static int punch(const struct mem_region *r, uint64_t offset, uint64_t bytes)
{
	return fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes) ? -errno : 0;
}

static void release(const struct mem_region *r)
{
	munmap(r->host - page_bytes(), r->bytes + 2 * page_bytes());
	if (r->shared)
		close(r->fd);
}

void mem_free(struct mem *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->count; i++)
		release(&m->regions[i]);
	free(m->regions);
	free(m->loaded);
	free(m);
}

/* Index of the first region that ends after @a. */
static unsigned find_index(const struct mem *m, uint64_t a)
{
	unsigned lo = 0, hi = m->count;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		const struct mem_region *r = &m->regions[mid];

		if (a - r->base.v < r->bytes || a < r->base.v)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static int add(struct mem *m, struct mem_region r, uint64_t align)
{
	unsigned at = find_index(m, r.base.v);
	struct mem_region *grown;

	if (!r.bytes || r.base.v % align || r.bytes % align || r.base.v + r.bytes < r.base.v)
		return -EINVAL;
	if (at < m->count && m->regions[at].base.v < r.base.v + r.bytes)
		return log_err(-EEXIST, "memory %s overlaps memory %s", r.name, m->regions[at].name);
	grown = realloc(m->regions, (m->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->regions = grown;
	r.host = reserve(r.bytes);
	if (!r.host)
		return -ENOSPC;
	if (map_region(&r)) {
		release(&r);
		return -ENOSPC;
	}
	memmove(&m->regions[at + 1], &m->regions[at], (m->count - at) * sizeof(r));
	m->regions[at] = r;
	m->count++;
	return 0;
}

int mem_add_ram(struct mem *m, const char *name, gpa_t base, uint64_t bytes)
{
	return add(m,
		   (struct mem_region){ .name = name, .base = base, .bytes = bytes, .ram = true, .shared = m->share },
		   REGION_ALIGN);
}

int mem_add_shared(struct mem *m, const char *name, gpa_t base, uint64_t bytes)
{
	uint64_t page = page_bytes();

	return add(m, (struct mem_region){ .name = name, .base = base, .bytes = align_up(bytes, page) }, page);
}

int mem_add_rom(struct mem *m, const char *name, gpa_t base, uint64_t bytes)
{
	return add(m, (struct mem_region){ .name = name, .base = base, .bytes = bytes, .readonly = true },
		   page_bytes());
}

/* ---- Files that get shorter ---- */

/*
 * The only files we map are the guest's, and the only way to this signal is that one got
 * shorter. The guest's memory is lost, in the middle of an instruction: there is nothing
 * to go on with. Other handlers (the terminal's) have run and let the fault come again.
 */
static void on_lost_page(int sig, siginfo_t *info, void *context)
{
	static const char text[] =
		"\r\nvmm: a file the guest runs from (--kernel, --initrd, --firmware, one of virtio-pmem) was changed "
		"while it runs, or its disk is full: its memory is lost; replace such files by renaming a new one over "
		"them\n";
	ssize_t n;

	(void)context;
	if (info->si_code != BUS_ADRERR) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	n = isatty(STDERR_FILENO) ? write(STDERR_FILENO, text, sizeof(text) - 1)
				  : write(STDERR_FILENO, text + 2, sizeof(text) - 3);
	(void)n;
	_exit(PROC_HOST);
}

static void catch_lost_pages(void)
{
	struct sigaction sa = { .sa_sigaction = on_lost_page, .sa_flags = SA_SIGINFO }, old;

	if (!sigaction(SIGBUS, NULL, &old) && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
		sigaction(SIGBUS, &sa, NULL);
}

/* ---- Files as memory ---- */

void mem_share(struct mem *m) { m->share = true; }

void mem_limit(struct mem *m, uint64_t end) { m->limit = end; }

static uint64_t end_of_all(const struct mem *m)
{
	const struct mem_region *r = m->count ? &m->regions[m->count - 1] : NULL;

	return r ? r->base.v + r->bytes : 0;
}

/*
 * Read-only is a private mapping: whoever in here should store to it by mistake changes what
 * this guest sees, and neither the file nor another guest.
 */
static int map_file(const struct mem_region *r, int fd, uint64_t bytes)
{
	int flags = (r->readonly ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED) | MAP_FIXED;

	if (mmap(r->host, bytes, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED)
		return -errno;
	madvise(r->host, bytes, MADV_DONTFORK);
	return 0;
}

/* It is the one with the highest address. */
static void take_out_last(struct mem *m) { release(&m->regions[--m->count]); }

int mem_add_file(struct mem *m, const char *name, int fd, uint64_t bytes, bool readonly, gpa_t *base)
{
	uint64_t all = align_up(bytes, REGION_ALIGN), at = align_up(end_of_all(m), FILE_ALIGN);
	int err;

	if (m->anonymous)
		return -ENOTSUP;
	if (all < bytes || at > m->limit || all > m->limit - at)
		return -ENOSPC;
	err = add(m,
		  (struct mem_region){
			  .name = name, .base = gpa(at), .bytes = all, .readonly = readonly, .file = true },
		  REGION_ALIGN);
	if (err)
		return err;
	catch_lost_pages();
	err = map_file(&m->regions[m->count - 1], fd, bytes);
	if (err)
		take_out_last(m);
	else
		*base = gpa(at);
	return err;
}

/* ---- Pages that nobody needs ---- */

static int note_loaded(struct mem *m, uint8_t *start, uint64_t len)
{
	struct loaded *grown = realloc(m->loaded, (m->loaded_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->loaded = grown;
	grown[m->loaded_count++] = (struct loaded){ start, start + len };
	return 0;
}

static int drop(uint8_t *p, uint64_t len, bool loaded)
{
	if (loaded)
		return map_zeroed(p, len) == MAP_FAILED ? -errno : 0;
	return madvise(p, len, MADV_DONTNEED) ? -errno : 0;
}

/* Is @p in a loaded file? *end: up to where that is so, or not so. */
static bool in_loaded(const struct mem *m, const uint8_t *p, uint8_t **end)
{
	for (unsigned i = 0; i < m->loaded_count; i++) {
		const struct loaded *l = &m->loaded[i];

		if (p >= l->start && p < l->end) {
			*end = l->end < *end ? l->end : *end;
			return true;
		}
		if (p < l->start && l->start < *end)
			*end = l->start;
	}
	return false;
}

int mem_discard(struct mem *m, gpa_t a, uint64_t len)
{
	const struct mem_region *r = mem_region_at(m, a);
	uint64_t page = page_bytes(), from, to;
	uint8_t *p, *end, *stop;

	if (!r || !r->ram || len > r->bytes - (a.v - r->base.v))
		return -EINVAL;
	from = align_up(a.v - r->base.v, page);
	to = align_down(a.v - r->base.v + len, page);
	for (p = r->host + from, end = r->host + to; p < end; p = stop) {
		bool loaded;
		int err;

		stop = end;
		loaded = in_loaded(m, p, &stop);
		err = r->shared ? punch(r, (uint64_t)(p - r->host), (uint64_t)(stop - p))
				: drop(p, (uint64_t)(stop - p), loaded);
		if (err)
			return err;
	}
	return 0;
}

int mem_reset(struct mem *m)
{
	m->loaded_count = 0;
	for (unsigned i = 0; i < m->count; i++) {
		const struct mem_region *r = &m->regions[i];
		int err = 0;

		if (r->shared)
			err = punch(r, 0, r->bytes);
		else if (!r->file && map_zeroed(r->host, r->bytes) == MAP_FAILED)
			err = -errno;
		if (err)
			return log_err(err, "memory %s: the host refuses fresh pages", r->name);
	}
	return 0;
}

const struct mem_region *mem_regions(const struct mem *m, unsigned *count)
{
	*count = m->count;
	return m->regions;
}

const struct mem_region *mem_region_at(const struct mem *m, gpa_t a)
{
	unsigned i = find_index(m, a.v);

	return i < m->count && a.v >= m->regions[i].base.v ? &m->regions[i] : NULL;
}

void *mem_ptr(const struct mem *m, gpa_t a, uint64_t len)
{
	const struct mem_region *r = mem_region_at(m, a);
	uint64_t offset;

	if (!r || !len)
		return NULL;
	offset = a.v - r->base.v;
	return len <= r->bytes - offset ? r->host + offset : NULL;
}

/* Bytes from @a to the end of its region; neighbours are walked one after another. */
static uint64_t room(const struct mem *m, uint64_t a, bool write)
{
	const struct mem_region *r = mem_region_at(m, gpa(a));

	return r && !(write && r->readonly) ? r->bytes - (a - r->base.v) : 0;
}

static bool all_memory(const struct mem *m, uint64_t a, uint64_t len, bool write)
{
	while (len) {
		uint64_t n = room(m, a, write);

		if (!n)
			return false;
		if (n >= len)
			return true;
		a += n;
		len -= n;
	}
	return true;
}

static int copy(const struct mem *m, gpa_t a, void *out, const void *in, uint64_t len)
{
	if (!all_memory(m, a.v, len, in))
		return -EFAULT;
	for (uint64_t done = 0, n; done < len; done += n) {
		uint64_t fits = room(m, a.v + done, in);
		void *p;

		n = fits < len - done ? fits : len - done;
		p = mem_ptr(m, gpa(a.v + done), n);
		if (out)
			memcpy((char *)out + done, p, n);
		else
			memcpy(p, (const char *)in + done, n);
	}
	return 0;
}

int mem_read(const struct mem *m, gpa_t a, void *dst, uint64_t len) { return copy(m, a, dst, NULL, len); }

int mem_write(const struct mem *m, gpa_t a, const void *src, uint64_t len) { return copy(m, a, NULL, src, len); }

static int read_all(int fd, uint8_t *p, uint64_t len, uint64_t offset)
{
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* shorter than the caller was told */
		p += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

void mem_keep_anonymous(struct mem *m) { m->anonymous = true; }

int mem_load_file(struct mem *m, gpa_t a, int fd, uint64_t offset, uint64_t len)
{
	uint8_t *p = mem_ptr(m, a, len);
	uint64_t page = page_bytes(), head, whole;
	int err;

	if (!p)
		return len ? -EFAULT : 0;
	head = align_up(a.v, page) - a.v;
	if (m->anonymous || m->share || (a.v - offset) % page || len < head + page)
		return read_all(fd, p, len, offset);
	whole = align_down(len - head, page);
	err = read_all(fd, p, head, offset);
	if (err)
		return err;
	catch_lost_pages();
	err = mem_region_at(m, a)->ram ? note_loaded(m, p + head, whole) : 0;
	if (err)
		return err;
	if (map(p + head, whole, 0, fd, offset + head) == MAP_FAILED) {
		/* The mapping that was there may be gone: restore it, then read as for a pipe-like file. */
		if (map_zeroed(p + head, whole) == MAP_FAILED)
			return -errno;
		err = read_all(fd, p + head, whole, offset + head);
		if (err)
			return err;
	}
	return read_all(fd, p + head + whole, len - head - whole, offset + head + whole);
}
