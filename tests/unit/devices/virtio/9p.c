/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 9P server behind devices/virtio/9p.c, by its messages; the shared folder is a real one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <spec/9p.h>
#include <vmm/log.h>
#include "devices/virtio/9p.h"
#include "vm.h"

#define MSIZE 65536
#define ROOT  1 /* the fid that is attached */

/* A folder `top' with the share in it, beside what must not be reached. */
struct fixture {
	char top[64], dir[80];
	struct p9 *s;
	uint8_t out[MSIZE], in[MSIZE];
	uint32_t out_bytes, written;
	const uint8_t *p; /* in the answer */
};

/* ---- Messages ---- */

static void add(struct fixture *f, const void *bytes, size_t len)
{
	memcpy(f->out + f->out_bytes, bytes, len);
	f->out_bytes += (uint32_t)len;
}

/* b w d q: numbers of 1, 2, 4, 8 bytes; s: a string. */
static void vbuild(struct fixture *f, uint8_t type, const char *format, va_list ap)
{
	f->out_bytes = 4;
	add(f, &type, 1);
	add(f, &(uint16_t){ 7 }, 2);
	for (; *format; format++) {
		uint64_t v;
		const char *s;
		uint16_t len;

		switch (*format) {
		case 's':
			s = va_arg(ap, const char *);
			len = (uint16_t)strlen(s);
			add(f, &len, 2);
			add(f, s, len);
			break;
		case 'q':
			v = va_arg(ap, uint64_t);
			add(f, &v, 8);
			break;
		default: v = va_arg(ap, unsigned); add(f, &v, *format == 'b' ? 1 : *format == 'w' ? 2 : 4);
		}
	}
	memcpy(f->out, &f->out_bytes, 4);
}

static void build(struct fixture *f, uint8_t type, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vbuild(f, type, format, ap);
	va_end(ap);
}

/* In pieces of odd sizes, as a guest may lay them out. */
static unsigned pieces(uint8_t *p, size_t bytes, struct iovec *iov)
{
	static const size_t sizes[] = { 11, 1, 100, 4096 };
	unsigned n = 0;

	for (size_t at = 0, len; at < bytes; at += len, n++) {
		len = n < 4 ? sizes[n] : bytes - at;
		len = len < bytes - at ? len : bytes - at;
		iov[n] = (struct iovec){ p + at, len };
	}
	return n;
}

/* 0, or the errno of the answer. Jobs are run at once. */
static int send_room(struct fixture *f, size_t room)
{
	struct iovec out[8], in[8];
	struct p9_request r = { .out = out, .in = in };
	struct p9_job *job;
	uint32_t size, err;

	r.out_count = pieces(f->out, f->out_bytes, out);
	r.in_count = pieces(f->in, room, in);
	memset(f->in, 0xee, sizeof(f->in));
	switch (p9_answer(f->s, &r, &f->written, &job)) {
	case P9_ANSWERED: break;
	case P9_LATER:
		p9_job_run(job);
		f->written = p9_job_end(f->s, job, &r);
		break;
	default: return -1;
	}
	memcpy(&size, f->in, 4);
	assert_int_equal(size, f->written);
	assert_true(size >= P9_HEADER_BYTES && size <= room);
	assert_memory_equal(f->in + 5, f->out + 5, 2);
	f->p = f->in + P9_HEADER_BYTES;
	if (f->in[4] != P9_RLERROR) {
		assert_int_equal(f->in[4], f->out[4] + 1);
		return 0;
	}
	memcpy(&err, f->p, 4);
	assert_int_equal(size, 11);
	assert_true(err > 0 && err < 4096);
	return (int)err;
}

static int call(struct fixture *f, uint8_t type, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vbuild(f, type, format, ap);
	va_end(ap);
	return send_room(f, sizeof(f->in));
}

static uint64_t take(struct fixture *f, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, f->p, bytes);
	f->p += bytes;
	return v;
}

#define OK(x) assert_int_equal(x, 0)

static int walk1(struct fixture *f, unsigned from, unsigned to, const char *name)
{
	return call(f, P9_TWALK, "ddws", from, to, 1, name);
}

static int dup_fid(struct fixture *f, unsigned from, unsigned to) { return call(f, P9_TWALK, "ddw", from, to, 0); }

static int clunk(struct fixture *f, unsigned fid) { return call(f, P9_TCLUNK, "d", fid); }

struct attr {
	uint8_t qid_type;
	uint64_t path;
	uint32_t mode, uid, gid;
	uint64_t links, rdev, size;
};

static int getattr(struct fixture *f, unsigned fid, struct attr *a)
{
	int err = call(f, P9_TGETATTR, "dq", fid, (uint64_t)P9_GETATTR_BASIC);

	if (err)
		return err;
	take(f, 8);
	a->qid_type = (uint8_t)take(f, 1);
	take(f, 4);
	a->path = take(f, 8);
	a->mode = (uint32_t)take(f, 4);
	a->uid = (uint32_t)take(f, 4);
	a->gid = (uint32_t)take(f, 4);
	a->links = take(f, 8);
	a->rdev = take(f, 8);
	a->size = take(f, 8);
	return 0;
}

static int setattr(struct fixture *f, unsigned fid, uint32_t valid, uint32_t mode, uint32_t uid, uint32_t gid,
		   uint64_t size)
{
	return call(f, P9_TSETATTR, "dddddqqqqq", fid, valid, mode, uid, gid, size, UINT64_C(5), UINT64_C(6),
		    UINT64_C(7), UINT64_C(8));
}

static int create(struct fixture *f, unsigned fid, const char *name, uint32_t mode)
{
	int err = dup_fid(f, ROOT, fid);

	return err ? err : call(f, P9_TLCREATE, "dsddd", fid, name, 2 | P9_L_EXCL, mode, 0);
}

static int write_text(struct fixture *f, unsigned fid, uint64_t offset, const char *text)
{
	build(f, P9_TWRITE, "dqd", fid, offset, (unsigned)strlen(text));
	add(f, text, strlen(text));
	memcpy(f->out, &f->out_bytes, 4);
	return send_room(f, sizeof(f->in));
}

static int read_text(struct fixture *f, unsigned fid, uint64_t offset, uint32_t count)
{
	int err = call(f, P9_TREAD, "dqd", fid, offset, count);

	if (!err)
		assert_int_equal(take(f, 4), f->written - P9_READ_HEADER_BYTES);
	return err;
}

/* ---- The folder ---- */

static void put_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static char *in_share(struct fixture *f, const char *name)
{
	static char path[2][512];
	static unsigned n; /* a call may have two */

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", f->dir, name);
	return path[n];
}

static void start(struct fixture *f, bool readonly, enum p9_map map)
{
	struct p9_config cfg = {
		.said = "--share", .dir = f->dir, .readonly = readonly, .map = map, .uid = 0, .gid = 0
	};

	OK(p9_new(&cfg, &f->s));
	OK(call(f, P9_TVERSION, "ds", MSIZE, P9_VERSION));
	assert_int_equal(take(f, 4), MSIZE);
	OK(call(f, P9_TATTACH, "ddssd", ROOT, P9_NO_FID, "", "", 0));
	assert_int_equal(take(f, 1), P9_QTDIR);
}

static void restart(struct fixture *f, bool readonly, enum p9_map map)
{
	p9_free(f->s);
	start(f, readonly, map);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->top, "/var/tmp/vmm-9p-XXXXXX");
	assert_non_null(mkdtemp(f->top));
	snprintf(f->dir, sizeof(f->dir), "%s/share", f->top);
	put_file(f->top, "secret", "secret");
	OK(mkdir(f->dir, 0755));
	OK(mkdir(in_share(f, "sub"), 0755));
	put_file(f->dir, "hello", "hello, guest");
	put_file(f->dir, "sub/inner", "inner");
	OK(symlink("../secret", in_share(f, "out")));
	OK(symlink("..", in_share(f, "up")));
	start(f, false, P9_MAP_USER);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st, (void)kind, (void)at;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	p9_free(f->s);
	nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

/* ---- Reading and writing ---- */

static void files_are_found_read_and_forgotten(void **state)
{
	struct fixture *f = *state;
	struct attr a;

	OK(call(f, P9_TWALK, "ddwss", ROOT, 2, 2, "sub", "inner"));
	assert_int_equal(take(f, 2), 2);
	OK(getattr(f, 2, &a));
	assert_true(S_ISREG(a.mode));
	assert_int_equal(a.size, 5);
	OK(call(f, P9_TLOPEN, "dd", 2, 0));
	OK(read_text(f, 2, 0, 1000));
	assert_int_equal(f->written, 11 + 5);
	assert_memory_equal(f->p, "inner", 5);
	assert_int_equal(f->p[5], 0xee);
	OK(read_text(f, 2, 3, 1));
	assert_memory_equal(f->p, "e", 1);
	OK(read_text(f, 2, 5, 1000));
	assert_int_equal(f->written, 11);
	OK(clunk(f, 2));
	assert_int_equal(read_text(f, 2, 0, 1), EBADF);
	assert_int_equal(clunk(f, 2), EBADF);
}

static void what_is_written_is_there(void **state)
{
	struct fixture *f = *state;
	char text[32] = "";
	struct stat st;
	int fd;

	OK(create(f, 2, "new", 0664));
	OK(write_text(f, 2, 2, "abc"));
	assert_int_equal(take(f, 4), 3);
	OK(call(f, P9_TFSYNC, "dd", 2, 1));
	fd = open(in_share(f, "new"), O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text)), 5);
	assert_memory_equal(text, "\0\0abc", 5);
	fstat(fd, &st);
	close(fd);
	assert_int_equal(st.st_mode & 07777, 0664); /* whatever our umask is */
	OK(setattr(f, 2, P9_SETATTR_SIZE | P9_SETATTR_MODE | P9_SETATTR_MTIME | P9_SETATTR_MTIME_SET, 0640, 0, 0, 3));
	OK(stat(in_share(f, "new"), &st));
	assert_int_equal(st.st_size, 3);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_mtim.tv_sec, 7);
	assert_int_equal(create(f, 3, "new", 0600), EEXIST);
}

static void who_may_write_may_cut(void **state)
{
	struct fixture *f = *state;
	bool root = !geteuid();
	struct stat st;

	/* To root modes mean nothing. */
	if (root) {
		OK(chmod(f->top, 0755));
		OK(chown(f->dir, 1000, 1000));
		OK(seteuid(1000));
		restart(f, false, P9_MAP_USER);
	}
	OK(create(f, 2, "new", 0444));
	OK(write_text(f, 2, 0, "abc"));
	OK(setattr(f, 2, P9_SETATTR_SIZE, 0, 0, 0, 1));
	OK(stat(in_share(f, "new"), &st));
	assert_int_equal(st.st_size, 1);
	OK(walk1(f, ROOT, 3, "new"));
	if (root) {
		assert_int_equal(setattr(f, 3, P9_SETATTR_SIZE, 0, 0, 0, 0), EACCES);
		OK(seteuid(0));
	}
}

static void an_open_file_that_is_removed_lives_on(void **state)
{
	struct fixture *f = *state;
	struct attr a;

	OK(create(f, 2, "temp", 0600));
	OK(call(f, P9_TUNLINKAT, "dsd", ROOT, "temp", 0));
	OK(write_text(f, 2, 0, "still"));
	OK(read_text(f, 2, 0, 5));
	assert_memory_equal(f->p, "still", 5);
	OK(getattr(f, 2, &a));
	assert_int_equal(a.links, 0);
	OK(setattr(f, 2, P9_SETATTR_SIZE, 0, 0, 0, 2));
}

static void names_are_made_renamed_and_removed(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	OK(call(f, P9_TMKDIR, "dsdd", ROOT, "d", 0775, 0));
	OK(stat(in_share(f, "d"), &st));
	assert_int_equal(st.st_mode & 07777, 0775);
	OK(walk1(f, ROOT, 2, "d"));
	OK(call(f, P9_TRENAMEAT, "dsds", ROOT, "hello", 2, "moved"));
	OK(stat(in_share(f, "d/moved"), &st));
	OK(walk1(f, 2, 3, "moved"));
	OK(call(f, P9_TLINK, "dds", ROOT, 3, "again"));
	OK(stat(in_share(f, "again"), &st));
	assert_int_equal(st.st_nlink, 2);
	OK(call(f, P9_TRENAME, "dds", 3, ROOT, "back"));
	OK(stat(in_share(f, "back"), &st));
	OK(call(f, P9_TREMOVE, "d", 3));
	assert_int_equal(stat(in_share(f, "back"), &st), -1);
	assert_int_equal(clunk(f, 3), EBADF);
	assert_int_equal(call(f, P9_TUNLINKAT, "dsd", ROOT, "d", 0), EISDIR);
	OK(call(f, P9_TUNLINKAT, "dsd", ROOT, "d", P9_UNLINK_DIR));
	OK(call(f, P9_TMKNOD, "dsdddd", ROOT, "pipe", S_IFIFO | 0600, 0, 0, 0));
	OK(lstat(in_share(f, "pipe"), &st));
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(call(f, P9_TMKNOD, "dsdddd", ROOT, "null", S_IFCHR | 0666, 1, 3, 0), EPERM);
}

static void a_fid_whose_name_has_become_anothers_removes_nothing(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	OK(walk1(f, ROOT, 2, "hello"));
	OK(rename(in_share(f, "sub/inner"), in_share(f, "hello")));
	assert_int_equal(call(f, P9_TRENAME, "dds", 2, ROOT, "x"), ESTALE);
	assert_int_equal(call(f, P9_TREMOVE, "d", 2), ESTALE);
	OK(stat(in_share(f, "hello"), &st));
	assert_int_equal(call(f, P9_TREMOVE, "d", ROOT), EBUSY);
}

static void pipes_are_not_opened(void **state)
{
	struct fixture *f = *state;

	OK(mkfifo(in_share(f, "pipe"), 0600));
	OK(walk1(f, ROOT, 2, "pipe"));
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 0), ENXIO);
	OK(dup_fid(f, ROOT, 3));
	assert_int_equal(call(f, P9_TLCREATE, "dsddd", 3, "pipe", 1, 0600, 0), ENXIO);
}

/* ---- Folders ---- */

static unsigned list(struct fixture *f, unsigned fid, uint32_t count, char (*names)[32])
{
	uint64_t offset = 0;
	unsigned n = 0;

	for (;;) {
		uint32_t bytes;
		const uint8_t *end;

		OK(call(f, P9_TREADDIR, "dqd", fid, offset, count));
		bytes = (uint32_t)take(f, 4);
		assert_true(bytes <= count);
		if (!bytes)
			return n;
		for (end = f->p + bytes; f->p < end; n++) {
			size_t len;

			take(f, 5);
			take(f, 8);
			offset = take(f, 8);
			take(f, 1);
			len = take(f, 2);
			assert_true(len < 32 && n < 400);
			memcpy(names[n], f->p, len);
			names[n][len] = 0;
			f->p += len;
		}
		assert_ptr_equal(f->p, end);
	}
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

static void folders_are_listed_whole_however_little_is_taken_at_a_time(void **state)
{
	static const uint32_t counts[] = { 60, 100, 333, 4096, 60000 };
	struct fixture *f = *state;
	char name[32];

	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "sub/file-%0*u", (int)(i % 20), i);
		put_file(f->dir, name, "");
	}
	OK(walk1(f, ROOT, 2, "sub"));
	OK(call(f, P9_TLOPEN, "dd", 2, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		static char names[400][32];

		assert_int_equal(list(f, 2, counts[i], names), 303);
		qsort(names, 303, sizeof(names[0]), by_name);
		for (unsigned k = 1; k < 303; k++)
			assert_string_not_equal(names[k], names[k - 1]);
		assert_string_equal(names[0], ".");
		assert_string_equal(names[302], "inner");
	}
	assert_int_equal(call(f, P9_TREADDIR, "dqd", 2, UINT64_C(0), 20), EINVAL);
	assert_int_equal(read_text(f, 2, 0, 100), EISDIR);
}

static void an_offset_of_a_folder_may_be_anything(void **state)
{
	struct fixture *f = *state;

	OK(dup_fid(f, ROOT, 2));
	OK(call(f, P9_TLOPEN, "dd", 2, 0));
	for (unsigned i = 0; i < 64; i++) {
		call(f, P9_TREADDIR, "dqd", 2, UINT64_C(1) << i, UINT32_MAX);
		call(f, P9_TREADDIR, "dqd", 2, UINT64_MAX << i, 4096);
	}
}

static void what_is_above_is_not_shown(void **state)
{
	struct fixture *f = *state;
	struct attr root, up;
	struct stat st;

	OK(getattr(f, ROOT, &root));
	OK(walk1(f, ROOT, 2, ".."));
	OK(getattr(f, 2, &up));
	assert_int_equal(up.path, root.path);
	OK(call(f, P9_TWALK, "ddwssss", ROOT, 3, 4, "sub", "..", "..", ".."));
	OK(getattr(f, 3, &up));
	assert_int_equal(up.path, root.path);
	OK(stat(f->top, &st));
	OK(dup_fid(f, ROOT, 4));
	OK(call(f, P9_TLOPEN, "dd", 4, 0));
	OK(call(f, P9_TREADDIR, "dqd", 4, UINT64_C(0), 60000));
	assert_null(memmem(f->in, f->written, &st.st_ino, 8));
}

/* ---- Getting out ---- */

static void links_are_the_guests_to_follow(void **state)
{
	struct fixture *f = *state;
	struct attr a;

	OK(walk1(f, ROOT, 2, "out"));
	OK(getattr(f, 2, &a));
	assert_true(S_ISLNK(a.mode));
	assert_int_equal(a.qid_type, P9_QTSYMLINK);
	OK(call(f, P9_TREADLINK, "d", 2));
	assert_int_equal(take(f, 2), 9);
	assert_memory_equal(f->p, "../secret", 9);
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 0), ELOOP);
	assert_int_not_equal(setattr(f, 2, P9_SETATTR_SIZE, 0, 0, 0, 0), 0);
	assert_int_not_equal(walk1(f, 2, 3, "x"), 0);
	/* Not on the way either: only the first step succeeds. */
	OK(call(f, P9_TWALK, "ddwss", ROOT, 3, 2, "up", "secret"));
	assert_int_equal(take(f, 2), 1);
	assert_int_equal(clunk(f, 3), EBADF);
	OK(dup_fid(f, ROOT, 4));
	assert_int_equal(call(f, P9_TLCREATE, "dsddd", 4, "out", 2 | P9_L_TRUNC, 0600, 0), ELOOP);
	OK(call(f, P9_TSYMLINK, "dssd", ROOT, "mine", "/etc/passwd", 0));
	OK(walk1(f, ROOT, 5, "mine"));
	assert_int_equal(call(f, P9_TLOPEN, "dd", 5, 0), ELOOP);
	put_file(f->top, "check", "");
	assert_int_equal(access(in_share(f, "../secret"), R_OK), 0);
}

static void names_have_no_way_in_them(void **state)
{
	static const char *const names[] = { "", ".", "..", "/", "a/b", "../secret", "sub/", "/etc/passwd" };
	struct fixture *f = *state;

	OK(walk1(f, ROOT, 2, "hello"));
	OK(dup_fid(f, ROOT, 3));
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const char *n = names[i];

		if (strcmp(n, ".."))
			assert_int_equal(walk1(f, ROOT, 9, n), EINVAL);
		assert_int_equal(call(f, P9_TLCREATE, "dsddd", 3, n, 2, 0600, 0), EINVAL);
		assert_int_equal(call(f, P9_TMKDIR, "dsdd", ROOT, n, 0700, 0), EINVAL);
		assert_int_equal(call(f, P9_TMKNOD, "dsdddd", ROOT, n, S_IFREG | 0600, 0, 0, 0), EINVAL);
		assert_int_equal(call(f, P9_TSYMLINK, "dssd", ROOT, n, "x", 0), EINVAL);
		assert_int_equal(call(f, P9_TLINK, "dds", ROOT, 2, n), EINVAL);
		assert_int_equal(call(f, P9_TRENAME, "dds", 2, ROOT, n), EINVAL);
		assert_int_equal(call(f, P9_TRENAMEAT, "dsds", ROOT, "hello", ROOT, n), EINVAL);
		assert_int_equal(call(f, P9_TRENAMEAT, "dsds", ROOT, n, ROOT, "x"), EINVAL);
		assert_int_equal(call(f, P9_TUNLINKAT, "dsd", ROOT, n, 0), EINVAL);
	}
}

static void a_zero_byte_or_too_many_do_not_make_a_name(void **state)
{
	struct fixture *f = *state;
	char name[300];

	build(f, P9_TWALK, "ddws", ROOT, 2, 1, "hello");
	f->out[f->out_bytes - 3] = 0;
	assert_int_equal(send_room(f, MSIZE), EINVAL);
	memset(name, 'n', 256);
	name[256] = 0;
	assert_int_equal(walk1(f, ROOT, 2, name), ENAMETOOLONG);
	assert_int_equal(call(f, P9_TMKDIR, "dsdd", ROOT, name, 0700, 0), ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(walk1(f, ROOT, 2, name), ENOENT);
}

struct swapper {
	struct fixture *f;
	char dir[512], link[512];
	atomic_bool stop;
};

/* `race' is in turn a folder and a link to the folder above the share. */
static void *swap(void *opaque)
{
	struct swapper *w = opaque;

	while (!w->stop)
		renameat2(AT_FDCWD, w->dir, AT_FDCWD, w->link, RENAME_EXCHANGE);
	return NULL;
}

static void a_folder_that_becomes_a_link_under_way_leads_nowhere(void **state)
{
	struct fixture *f = *state;
	struct swapper w = { .f = f };
	unsigned folders = 0, links = 0;
	pthread_t t;

	snprintf(w.dir, sizeof(w.dir), "%s", in_share(f, "race"));
	snprintf(w.link, sizeof(w.link), "%s", in_share(f, "other"));
	OK(mkdir(w.dir, 0755));
	put_file(w.dir, "secret", "no secret");
	OK(symlink("..", w.link));
	OK(pthread_create(&t, NULL, swap, &w));
	for (unsigned i = 0; i < 20000 || (!folders || !links); i++) {
		if (call(f, P9_TWALK, "ddwss", ROOT, 2, 2, "race", "secret") || take(f, 2) < 2) {
			links++;
			continue;
		}
		folders++;
		OK(call(f, P9_TLOPEN, "dd", 2, 0));
		OK(read_text(f, 2, 0, 100));
		assert_int_equal(f->written, 11 + 9);
		OK(clunk(f, 2));
		call(f, P9_TUNLINKAT, "dsd", ROOT, "secret", 0);
	}
	w.stop = true;
	pthread_join(t, NULL);
	assert_int_equal(access(in_share(f, "../secret"), R_OK), 0);
}

static void processes_are_not_shared(void **state)
{
	struct p9_config cfg = { .said = "--share", .dir = "/proc/self" };
	struct p9 *s;
	char *text;
	int root;

	(void)state;
	stderr_begin();
	assert_int_equal(p9_new(&cfg, &s), -EINVAL);
	cfg.dir = "/no/such/folder";
	assert_int_equal(p9_new(&cfg, &s), -ENOENT);
	cfg.dir = "/etc/passwd";
	assert_int_equal(p9_new(&cfg, &s), -ENOTDIR);
	text = stderr_end();
	assert_non_null(strstr(text, "--share /no/such/folder"));
	free(text);
	/* Nor where it is mounted in what is; qemu-aarch64 -L has another / for us, without it. */
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (faccessat(root, "proc/self", F_OK, 0)) {
		close(root);
		print_message("# no /proc is here\n");
		skip();
	}
	close(root);
	cfg.dir = "/";
	cfg.readonly = true;
	OK(p9_new(&cfg, &s));
	{
		struct fixture f = { .s = s };

		OK(call(&f, P9_TVERSION, "ds", MSIZE, P9_VERSION));
		OK(call(&f, P9_TATTACH, "ddssd", ROOT, P9_NO_FID, "", "", 0));
		assert_int_equal(walk1(&f, ROOT, 2, "proc"), EACCES);
	}
	p9_free(s);
}

/* ---- Whose files are ---- */

static void our_files_are_roots(void **state)
{
	struct fixture *f = *state;
	struct attr a;

	OK(walk1(f, ROOT, 2, "hello"));
	OK(getattr(f, 2, &a));
	assert_int_equal(a.uid, 0);
	assert_int_equal(a.gid, 0);
	OK(setattr(f, 2, P9_SETATTR_UID | P9_SETATTR_GID, 0, 0, 0, 0));
	if (geteuid())
		assert_int_equal(setattr(f, 2, P9_SETATTR_UID, 0, 12345, 0, 0), EPERM);
}

static void attributes_say_what_the_host_would_not_allow(void **state)
{
	struct fixture *f = *state;
	struct attr a;
	struct stat st;
	char text[64];

	if (setxattr(f->dir, "user.test", "", 0, 0))
		skip();
	restart(f, false, P9_MAP_XATTR);
	OK(call(f, P9_TMKNOD, "dsdddd", ROOT, "null", S_IFCHR | 0666, 1, 3, 5));
	OK(lstat(in_share(f, "null"), &st));
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	OK(walk1(f, ROOT, 2, "null"));
	OK(getattr(f, 2, &a));
	assert_int_equal(a.mode, S_IFCHR | 0666);
	assert_int_equal(a.rdev, makedev(1, 3));
	assert_int_equal(a.gid, 5);
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 0), ENXIO);
	OK(setattr(f, 2, P9_SETATTR_UID | P9_SETATTR_MODE, 0600 | S_IFDIR, 1000, 0, 0));
	OK(getattr(f, 2, &a));
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.mode, S_IFCHR | 0600);

	OK(call(f, P9_TSYMLINK, "dssd", ROOT, "l", "../secret", 0));
	OK(lstat(in_share(f, "l"), &st));
	assert_true(S_ISREG(st.st_mode));
	OK(walk1(f, ROOT, 3, "l"));
	assert_int_equal(take(f, 2), 1);
	assert_int_equal(take(f, 1), P9_QTSYMLINK);
	OK(call(f, P9_TREADLINK, "d", 3));
	assert_int_equal(take(f, 2), 9);
	assert_memory_equal(f->p, "../secret", 9);
	assert_int_equal(call(f, P9_TLOPEN, "dd", 3, 0), ELOOP);

	OK(create(f, 4, "setuid", 04755));
	OK(stat(in_share(f, "setuid"), &st));
	assert_int_equal(st.st_mode & 07777, 0600);
	OK(getattr(f, 4, &a));
	assert_int_equal(a.mode, S_IFREG | 04755);
	OK(call(f, P9_TMKDIR, "dsdd", ROOT, "d", 01777, 7));
	OK(walk1(f, ROOT, 5, "d"));
	OK(getattr(f, 5, &a));
	assert_int_equal(a.mode, S_IFDIR | 01777);

	/* QEMU's mapped-xattr reads the same. */
	assert_int_equal(getxattr(in_share(f, "setuid"), "user.virtfs.mode", text, sizeof(text)), 4);
	/* None of which the guest sees. */
	assert_int_equal(call(f, P9_TXATTRWALK, "dds", 5, 6, "user.virtfs.mode"), EOPNOTSUPP);
	OK(call(f, P9_TXATTRWALK, "dds", 5, 6, ""));
	OK(read_text(f, 6, 0, 1000));
	assert_int_equal(f->written, 11);
	OK(clunk(f, 6));
	OK(call(f, P9_TXATTRCREATE, "dsqd", 2, "user.virtfs.uid", UINT64_C(4), 0));
	OK(write_text(f, 2, 0, "abcd"));
	assert_int_equal(clunk(f, 2), EOPNOTSUPP);
}

static void read_only_is_read_only(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	restart(f, true, P9_MAP_USER);
	OK(walk1(f, ROOT, 2, "hello"));
	OK(dup_fid(f, ROOT, 3));
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 1), EROFS);
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 2), EROFS);
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, P9_L_TRUNC), EROFS);
	assert_int_equal(call(f, P9_TLCREATE, "dsddd", 3, "new", 2, 0600, 0), EROFS);
	assert_int_equal(call(f, P9_TMKDIR, "dsdd", ROOT, "new", 0700, 0), EROFS);
	assert_int_equal(call(f, P9_TMKNOD, "dsdddd", ROOT, "new", S_IFREG | 0600, 0, 0, 0), EROFS);
	assert_int_equal(call(f, P9_TSYMLINK, "dssd", ROOT, "new", "x", 0), EROFS);
	assert_int_equal(call(f, P9_TLINK, "dds", ROOT, 2, "new"), EROFS);
	assert_int_equal(call(f, P9_TRENAME, "dds", 2, ROOT, "new"), EROFS);
	assert_int_equal(call(f, P9_TRENAMEAT, "dsds", ROOT, "hello", ROOT, "new"), EROFS);
	assert_int_equal(call(f, P9_TUNLINKAT, "dsd", ROOT, "hello", 0), EROFS);
	assert_int_equal(setattr(f, 2, P9_SETATTR_MODE, 0777, 0, 0, 0), EROFS);
	assert_int_equal(call(f, P9_TXATTRCREATE, "dsqd", 2, "user.x", UINT64_C(1), 0), EROFS);
	assert_int_equal(write_text(f, 2, 0, "x"), EROFS);
	assert_int_equal(call(f, P9_TREMOVE, "d", 2), EROFS);
	OK(stat(in_share(f, "hello"), &st));
	OK(walk1(f, ROOT, 2, "hello"));
	OK(call(f, P9_TLOPEN, "dd", 2, 0));
	OK(read_text(f, 2, 0, 100));
}

static void extended_attributes_come_and_go(void **state)
{
	struct fixture *f = *state;
	char value[8];

	if (setxattr(in_share(f, "hello"), "user.one", "1", 1, 0))
		skip();
	OK(walk1(f, ROOT, 2, "hello"));
	OK(call(f, P9_TXATTRWALK, "dds", 2, 3, "user.one"));
	assert_int_equal(take(f, 8), 1);
	OK(read_text(f, 3, 0, 100));
	assert_memory_equal(f->p, "1", 1);
	OK(clunk(f, 3));
	OK(dup_fid(f, 2, 4));
	OK(call(f, P9_TXATTRCREATE, "dsqd", 4, "user.two", UINT64_C(3), 0));
	assert_int_equal(write_text(f, 4, 1, "a"), EINVAL);
	OK(write_text(f, 4, 0, "ab"));
	assert_int_equal(write_text(f, 4, 2, "cd"), ENOSPC);
	OK(write_text(f, 4, 2, "c"));
	OK(clunk(f, 4));
	assert_int_equal(getxattr(in_share(f, "hello"), "user.two", value, sizeof(value)), 3);
	OK(dup_fid(f, 2, 4));
	OK(call(f, P9_TXATTRCREATE, "dsqd", 4, "user.two", UINT64_C(0), P9_XATTR_REPLACE));
	OK(clunk(f, 4));
	assert_int_equal(getxattr(in_share(f, "hello"), "user.two", value, sizeof(value)), -1);
	OK(dup_fid(f, 2, 4));
	assert_int_equal(call(f, P9_TXATTRCREATE, "dsqd", 4, "user.two", UINT64_MAX, 0), E2BIG);
	assert_int_equal(call(f, P9_TXATTRWALK, "dds", 2, 5, "security.capability"), EOPNOTSUPP);
	/* As much as there may be in all, and not more. */
	for (unsigned i = 0; i < 64; i++) {
		OK(dup_fid(f, 2, 100 + i));
		OK(call(f, P9_TXATTRCREATE, "dsqd", 100 + i, "user.x", UINT64_C(65536), 0));
	}
	assert_int_equal(call(f, P9_TXATTRCREATE, "dsqd", 4, "user.two", UINT64_C(1), 0), ENOSPC);
}

/* ---- Guests that break the rules ---- */

static void lengths_are_looked_at(void **state)
{
	struct fixture *f = *state;
	uint32_t size;

	OK(create(f, 2, "new", 0600));
	/* More than there is room for. */
	OK(write_text(f, 2, 0, "0123456789"));
	build(f, P9_TREAD, "dqd", 2, UINT64_C(0), UINT32_MAX);
	OK(send_room(f, 11 + 4));
	assert_int_equal(f->written, 15);
	OK(send_room(f, 11));
	assert_int_equal(f->written, 11);
	assert_int_equal(send_room(f, 10), -1);
	assert_int_equal(call(f, P9_TREAD, "dqd", 2, UINT64_MAX, 1), EINVAL);
	/* More than was sent. */
	build(f, P9_TWRITE, "dqd", 2, UINT64_C(0), 1);
	assert_int_equal(send_room(f, MSIZE), EBADMSG);
	assert_int_equal(call(f, P9_TWRITE, "dqd", 2, UINT64_C(0), UINT32_MAX), EBADMSG);
	build(f, P9_TCLUNK, "d", 2);
	size = f->out_bytes + 1;
	memcpy(f->out, &size, 4);
	assert_int_equal(send_room(f, MSIZE), EBADMSG);
	size = 3;
	memcpy(f->out, &size, 4);
	assert_int_equal(send_room(f, MSIZE), EBADMSG);
	f->out_bytes = 6;
	assert_int_equal(send_room(f, MSIZE), -1);
	assert_int_equal(call(f, P9_TWALK, "ddw", ROOT, 9, 17), EINVAL);
	assert_int_equal(call(f, P9_TWALK, "ddws", ROOT, 9, 16, "sub"), EBADMSG);
	assert_int_equal(call(f, 99, ""), EOPNOTSUPP);
	assert_int_equal(call(f, P9_TLERROR, "d", 5), EOPNOTSUPP);
}

static void no_answer_is_longer_than_agreed(void **state)
{
	struct fixture *f = *state;
	char target[4096];

	/* The longest there is: with what is around it, more than the least msize. */
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = 0;
	OK(symlink(target, in_share(f, "long")));
	OK(walk1(f, ROOT, 2, "long"));
	OK(call(f, P9_TREADLINK, "d", 2));
	assert_int_equal(take(f, 2), sizeof(target) - 1);
	OK(call(f, P9_TVERSION, "ds", P9_MSIZE_MIN, P9_VERSION));
	OK(call(f, P9_TATTACH, "ddssd", ROOT, P9_NO_FID, "", "", 0));
	OK(walk1(f, ROOT, 2, "long"));
	assert_int_equal(call(f, P9_TREADLINK, "d", 2), EMSGSIZE);
	OK(create(f, 3, "new", 0600));
	OK(setattr(f, 3, P9_SETATTR_SIZE, 0, 0, 0, 10000));
	OK(read_text(f, 3, 0, 10000));
	assert_int_equal(f->written, P9_MSIZE_MIN);
}

static void fids_are_there_once(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(dup_fid(f, ROOT, ROOT), 0);
	OK(dup_fid(f, ROOT, 2));
	assert_int_equal(dup_fid(f, ROOT, 2), EBADF);
	assert_int_equal(dup_fid(f, 3, 4), EBADF);
	assert_int_equal(dup_fid(f, ROOT, P9_NO_FID), EBADF);
	assert_int_equal(call(f, P9_TATTACH, "ddssd", 2, P9_NO_FID, "", "", 0), EBADF);
	assert_int_equal(call(f, P9_TATTACH, "ddssd", 5, 1, "", "", 0), EINVAL);
	OK(call(f, P9_TLOPEN, "dd", 2, 0));
	assert_int_equal(call(f, P9_TLOPEN, "dd", 2, 0), EBADF);
	assert_int_equal(call(f, P9_TWALK, "ddws", 2, 2, 1, "sub"), EBADF);
	/* A new version forgets them all. */
	OK(call(f, P9_TVERSION, "ds", 1u << 30, P9_VERSION));
	assert_int_equal(take(f, 4), P9_MSIZE_MAX);
	assert_int_equal(clunk(f, 2), EBADF);
	assert_int_equal(call(f, P9_TVERSION, "ds", 100, P9_VERSION), EMSGSIZE);
	OK(call(f, P9_TVERSION, "ds", 8192, "9P2000.u"));
	take(f, 4);
	assert_int_equal(take(f, 2), 7);
	assert_memory_equal(f->p, "unknown", 7);
	assert_int_equal(call(f, P9_TATTACH, "ddssd", ROOT, P9_NO_FID, "", "", 0), EPROTO);
}

static void no_guest_takes_the_hosts_last_descriptor(void **state)
{
	struct fixture *f = *state;
	unsigned n = 10, deep = 0;
	int err = 0, fd;

	for (; !err; n++)
		err = walk1(f, ROOT, n, "hello");
	assert_int_equal(err, EMFILE);
	fd = open("/dev/null", O_RDONLY);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(call(f, P9_TMKDIR, "dsdd", ROOT, "x", 0700, 0), EMFILE);
	for (unsigned i = 10; i < n - 1; i++)
		OK(clunk(f, i));
	/* One fid, but a folder held for each step. */
	OK(dup_fid(f, ROOT, 2));
	while (!(err = call(f, P9_TMKDIR, "dsdd", 2, "d", 0700, 0)) && !(err = walk1(f, 2, 2, "d")))
		deep++;
	assert_true(err == ENAMETOOLONG || err == EMFILE);
	OK(clunk(f, 2));
	assert_true(deep > 100);
}

static void nor_do_many_shares_together(void **state)
{
	struct fixture *f = *state, other[3];
	int fd;

	for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
		memcpy(&other[i], f, sizeof(*f));
		start(&other[i], false, P9_MAP_USER);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
		unsigned n = 10;
		int err;

		while (!(err = walk1(&other[i], ROOT, n, "hello")))
			n++;
		assert_int_equal(err, EMFILE);
		OK(dup_fid(&other[i], ROOT, 2));
		assert_int_equal(call(&other[i], P9_TLOPEN, "dd", 2, 0), EMFILE);
	}
	fd = open("/dev/null", O_RDONLY);
	for (unsigned i = 0; i < ARRAY_SIZE(other); i++)
		p9_free(other[i].s);
	assert_true(fd >= 0);
	close(fd);
}

static void no_message_cut_short_is_trusted(void **state)
{
	struct fixture *f = *state;
	uint8_t whole[MSIZE];
	uint32_t bytes;

	OK(walk1(f, ROOT, 2, "hello"));
	for (unsigned type = 0; type < 256; type++) {
		build(f, (uint8_t)type, "dsqqqqqqqqqqs", 2, "abcdefgh", UINT64_C(1), UINT64_C(2), UINT64_C(3),
		      UINT64_C(4), UINT64_C(5), UINT64_C(6), UINT64_C(7), UINT64_C(8), UINT64_C(9), UINT64_C(10),
		      "x");
		bytes = f->out_bytes;
		memcpy(whole, f->out, bytes);
		for (uint32_t cut = P9_HEADER_BYTES; cut <= bytes; cut++) {
			memcpy(f->out, whole, cut);
			memcpy(f->out, &cut, 4);
			f->out_bytes = cut;
			send_room(f, 11 + cut % 300);
		}
	}
}

static void any_message_is_survived(void **state)
{
	static const char *const names[] = { "hello", "sub", "out", "up", "a", "b", "..", "" };
	struct fixture *f = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 100000; i++) {
		unsigned n = (unsigned)(seed >> 40) % 24, fid;
		const char *name;
		uint8_t type;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		type = (uint8_t)(seed >> 8 & 0x7e);
		fid = (unsigned)(seed >> 16 & 7);
		name = names[seed >> 20 & 7];
		if (seed & 1)
			build(f, type, "dsddd", fid, name, 1 + (unsigned)(seed >> 30 & 1), 0600u, 0u);
		else
			build(f, type, "ddwss", fid, (unsigned)(seed >> 24 & 7), 1 + (unsigned)(seed >> 30 & 1), name,
			      names[seed >> 33 & 7]);
		if (n < 8)
			f->out[P9_HEADER_BYTES + n] ^= (uint8_t)(seed >> 50);
		send_room(f, 11 + (seed >> 44) % 4000);
		if (i % 64 == 0)
			call(f, P9_TATTACH, "ddssd", (unsigned)(seed >> 16 & 7), P9_NO_FID, "", "", 0);
	}
	/* Nothing of it went anywhere else. */
	assert_int_equal(access(in_share(f, "../secret"), R_OK), 0);
	assert_int_equal(access(in_share(f, "../a"), F_OK), -1);
	assert_int_equal(access(in_share(f, "../hello"), F_OK), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(files_are_found_read_and_forgotten),
		T(what_is_written_is_there),
		T(who_may_write_may_cut),
		T(an_open_file_that_is_removed_lives_on),
		T(names_are_made_renamed_and_removed),
		T(a_fid_whose_name_has_become_anothers_removes_nothing),
		T(pipes_are_not_opened),
		T(folders_are_listed_whole_however_little_is_taken_at_a_time),
		T(an_offset_of_a_folder_may_be_anything),
		T(what_is_above_is_not_shown),
		T(links_are_the_guests_to_follow),
		T(names_have_no_way_in_them),
		T(a_zero_byte_or_too_many_do_not_make_a_name),
		T(a_folder_that_becomes_a_link_under_way_leads_nowhere),
		T(processes_are_not_shared),
		T(our_files_are_roots),
		T(attributes_say_what_the_host_would_not_allow),
		T(read_only_is_read_only),
		T(extended_attributes_come_and_go),
		T(lengths_are_looked_at),
		T(no_answer_is_longer_than_agreed),
		T(fids_are_there_once),
		T(no_guest_takes_the_hosts_last_descriptor),
		T(nor_do_many_shares_together),
		T(no_message_cut_short_is_trusted),
		T(any_message_is_survived),
	};

	/* What can run out is to run out soon. */
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 });
	return cmocka_run_group_tests_name("9p", tests, NULL, NULL);
}
