/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest can ask of a shared folder: 9P requests that mean something one after another, most of them
 * well formed, some with a byte changed or cut short; jobs that end in any order; and what somebody at the
 * host does to the folder meanwhile.
 *
 * Beside the share is a secret. Nobody may see its number or the folder's that both are in, or change it.
 *
 *   u8 of the share (7:4 set: on a disk), then steps: u8 which, u8 how, what HOW_* asks for, a byte for each field
 */
#include <dirent.h>
#include <spec/9p.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "../../devices/virtio/9p.h"
#include "devices.h"
#include "fuzz.h"

#define SLOTS      4
#define OUT_BYTES  8192
#define ROOM_BYTES 12288
#define SECRET     "secret"

enum { HOW_CHANGE = 1, HOW_CUT = 2, HOW_SHORT = 4, HOW_LITTLE_ROOM = 8, HOW_PIECES = 16, HOW_LATER = 32 };

/*
 * f: a fid; n: a name; W: some names; s: a string; b w d q: numbers of 1, 2, 4, 8 bytes; m: msize; v: the version;
 * e: no fid; u: mode; o: flags of open; p: bytes behind their count; t: the tag of another request
 */
static const struct row {
	uint8_t type;
	const char *fields;
} rows[] = {
	{ P9_TWALK, "ffW" },    { P9_TLOPEN, "fo" },     { P9_TLCREATE, "fnoud" }, { P9_TREAD, "fqd" },
	{ P9_TWRITE, "fqp" },   { P9_TCLUNK, "f" },      { P9_TGETATTR, "fq" },    { P9_TSETATTR, "fdudfqqqqq" },
	{ P9_TREADDIR, "fqd" }, { P9_TMKDIR, "fnud" },   { P9_TMKNOD, "fnuddd" },  { P9_TSYMLINK, "fnsd" },
	{ P9_TLINK, "ffn" },    { P9_TUNLINKAT, "fnd" }, { P9_TRENAMEAT, "fnfn" }, { P9_TRENAME, "ffn" },
	{ P9_TREMOVE, "f" },    { P9_TREADLINK, "f" },   { P9_TXATTRWALK, "ffs" }, { P9_TXATTRCREATE, "fsqd" },
	{ P9_TFSYNC, "fd" },    { P9_TFLUSH, "t" },      { P9_TLOCK, "fbdqqds" },  { P9_TGETLOCK, "fbqqds" },
	{ P9_TSTATFS, "f" },    { P9_TATTACH, "fessd" }, { P9_TVERSION, "mv" },    { P9_TAUTH, "fssd" },
};

/* Behind those: what the host does. */
enum { HOST_SWAP, HOST_REMOVE, HOST_MOVE, HOST_WRITE, HOST_END_JOB, HOST_STEPS };

static const char *const names[] = { "f", "d",   "out", "up",   "new",  "..",        "",
				     ".", "d/f", "l",   "pipe", "none", "../secret", "../x" };
static const char *const strings[] = {
	"", "user.x", "user.virtfs.mode", "../secret", "/", "security.x", "a", "user.y"
};
static const uint64_t values[] = { 0,    1,     2,          3,          4,         10,         100,
				   1000, 4096,  8192,       65536,      INT32_MAX, UINT32_MAX, UINT64_C(1) << 32,
				   8,    0x1ff, INT64_MAX,  UINT64_MAX, 0x200,     0x100,      INT64_MAX - 1,
				   24,   11,    UINT16_MAX, 0x7ff,      7 };
/* Folders that their owner cannot empty again would stay behind. */
static const uint32_t modes[] = { 0744,           S_IFREG | 0700, S_IFDIR | 0755, S_IFCHR | 0766,
				  S_IFIFO | 0700, S_IFLNK | 0777, 04755 };

/* A request, and where its answer goes. */
struct slot {
	struct p9_request r;
	struct iovec out_iov[4], in_iov[4];
	uint8_t out[OUT_BYTES], in[ROOM_BYTES];
	uint32_t out_bytes, room;
	struct p9_job *job;
};

static struct slot slots[SLOTS];
static uint8_t untouched[ROOM_BYTES];
/* Where the folder is: on a disk, which is slow and has jobs, or in memory. */
static struct place {
	struct fuzz_host host;
	bool has_xattr;
} places[2];
static const struct place *here;
static struct p9 *server;
static uint32_t agreed; /* msize; 0: none */
static ino_t hidden[2];
static uint8_t next_tag;

static void make_place(struct place *p)
{
	char text[PATH_MAX];

	fuzz_make("FOLDER", text, sizeof(text), &p->host);
	p->has_xattr = !setxattr(p->host.folder, "user.test", "", 0, 0);
}

static void remove_places(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		fuzz_empty_folder(places[i].host.folder);
		rmdir(places[i].host.folder);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	memset(untouched, 0xee, sizeof(untouched));
	make_place(&places[0]);
	if (chdir("/dev/shm"))
		fprintf(stderr, "/dev/shm is not there: all on the disk\n");
	make_place(&places[1]);
	atexit(remove_places);
	fuzz_quiet();
	return 0;
}

/* ---- The folder ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	EXPECT(write(fd, text, strlen(text)) <= (ssize_t)strlen(text));
	close(fd);
}

static ino_t number_of(const char *path)
{
	struct stat st;

	EXPECT(!lstat(path, &st));
	return st.st_ino;
}

static void make_folder(void)
{
	fuzz_empty_folder(here->host.folder);
	EXPECT(!chdir(here->host.folder));
	write_file(SECRET, SECRET);
	EXPECT(!chmod(SECRET, 0644) && !mkdir("share", 0755) && !mkdir("share/d", 0755));
	write_file("share/f", "some text");
	write_file("share/d/f", "more");
	EXPECT(!symlink("../" SECRET, "share/out") && !symlink("..", "share/up") && !mkfifo("share/pipe", 0600));
	hidden[0] = number_of(".");
	hidden[1] = number_of(SECRET);
}

/* Nothing has happened to the secret, and nothing has come beside it. */
static void check_folder(void)
{
	char text[sizeof(SECRET)] = "";
	int fd = open(SECRET, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = opendir(".");
	unsigned count = 0;
	struct stat st;

	EXPECT(fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)strlen(SECRET) && !strcmp(text, SECRET));
	EXPECT(!fstat(fd, &st) && st.st_ino == hidden[1] && st.st_nlink == 1 && (st.st_mode & 07777) == 0644);
	close(fd);
	while (d && readdir(d))
		count++;
	EXPECT(count == 4); /* itself, what is above, the secret, the share */
	closedir(d);
}

static void end_job(struct slot *s);

static void host_step(unsigned what, struct input *in)
{
	switch (what) {
	case HOST_SWAP: /* a folder becomes a link out of the share, and back */
		if (!renameat2(AT_FDCWD, "share/d", AT_FDCWD, "share/up", RENAME_EXCHANGE))
			break;
		mkdir("share/d", 0755);
		break;
	case HOST_REMOVE: remove("share/f"); break;
	case HOST_MOVE: rename("share/f", "share/new"); break;
	case HOST_WRITE: write_file("share/f", "other text"); break;
	case HOST_END_JOB: end_job(&slots[take_u8(in) % SLOTS]); break;
	}
}

/* ---- Requests ---- */

static void add(struct slot *s, const void *bytes, size_t len)
{
	EXPECT(s->out_bytes + len <= OUT_BYTES);
	memcpy(s->out + s->out_bytes, bytes, len);
	s->out_bytes += (uint32_t)len;
}

static void add_string(struct slot *s, const char *text)
{
	uint16_t len = (uint16_t)strlen(text);

	add(s, &len, 2);
	add(s, text, len);
}

static void add_names(struct slot *s, uint8_t x, struct input *in)
{
	uint16_t count = x & 0x80 ? x & 31 : x & 3;

	add(s, &count, 2);
	for (unsigned i = 0; i < count; i++)
		add_string(s, names[take_u8(in) % ARRAY_SIZE(names)]);
}

static void add_bytes(struct slot *s, uint32_t count)
{
	static const uint8_t data[4096] = "data";

	count *= 16;
	add(s, &count, 4);
	add(s, data, count);
}

static uint32_t open_flags(uint8_t x)
{
	return (x & 3u) | (x & 4 ? P9_L_EXCL : 0) | (x & 8 ? P9_L_TRUNC : 0) | (x & 16 ? P9_L_APPEND : 0) |
	       (x & 32 ? P9_L_DSYNC : 0) | (x & 64 ? P9_L_SYNC : 0);
}

static void add_field(struct slot *s, char kind, struct input *in)
{
	uint8_t x = take_u8(in);
	uint64_t v = values[x % ARRAY_SIZE(values)];
	uint32_t fid = x == 0xff ? P9_NO_FID : x & 7;

	switch (kind) {
	case 'f': add(s, &fid, 4); break;
	case 'e': add(s, &(uint32_t){ x == 0xff ? 1 : P9_NO_FID }, 4); break;
	case 'n': add_string(s, names[x % ARRAY_SIZE(names)]); break;
	case 's': add_string(s, strings[x % ARRAY_SIZE(strings)]); break;
	case 'v': add_string(s, x == 0xff ? "9P2000.u" : P9_VERSION); break;
	case 'W': add_names(s, x, in); break;
	case 'p': add_bytes(s, x); break;
	case 'u': add(s, &modes[x % ARRAY_SIZE(modes)], 4); break;
	case 'o': add(s, &(uint32_t){ open_flags(x) }, 4); break;
	case 'm': add(s, &(uint32_t){ x & 1 ? (uint32_t)v : 8192 }, 4); break;
	case 't': add(s, &(uint16_t){ x & 7 }, 2); break;
	default: add(s, &v, kind == 'b' ? 1 : kind == 'w' ? 2 : kind == 'd' ? 4 : 8);
	}
}

static void build(struct slot *s, const struct row *row, struct input *in)
{
	s->out_bytes = 4;
	add(s, &row->type, 1);
	add(s, &(uint16_t){ next_tag++ & 7 }, 2);
	for (const char *f = row->fields; *f; f++)
		add_field(s, *f, in);
	memcpy(s->out, &s->out_bytes, 4);
}

static void spoil(struct slot *s, uint8_t how, struct input *in)
{
	s->room = how & HOW_LITTLE_ROOM ? 4u + 8u * take_u8(in) : ROOM_BYTES;
	if (how & HOW_CHANGE) {
		unsigned at = take_u8(in) % s->out_bytes;

		s->out[at] ^= take_u8(in);
	}
	if (how & HOW_CUT) {
		uint32_t left = 4u + take_u8(in);

		s->out_bytes = left < s->out_bytes ? left : s->out_bytes;
	}
	if (how & HOW_SHORT)
		memcpy(s->out, &s->out_bytes, 4);
}

static unsigned pieces(uint8_t *p, size_t bytes, struct iovec *iov, bool many)
{
	const size_t sizes[] = { many ? 11 : bytes, 1, 40 };
	unsigned n = 0;

	for (size_t at = 0, len; at < bytes; at += len, n++) {
		len = n < ARRAY_SIZE(sizes) && sizes[n] < bytes - at ? sizes[n] : bytes - at;
		iov[n] = (struct iovec){ p + at, len };
	}
	return n;
}

/* ---- Answers ---- */

static void check_qid(const uint8_t *qid)
{
	uint64_t number;

	memcpy(&number, qid + 5, 8);
	EXPECT(number != hidden[0] && number != hidden[1]);
}

static void check_answer(const struct slot *s, uint32_t written)
{
	const uint8_t *a = s->in;
	uint32_t size, word;

	memcpy(&size, a, 4);
	memcpy(&word, a + P9_HEADER_BYTES, 4);
	EXPECT(size == written && size >= P9_HEADER_BYTES && size <= s->room && (!agreed || size <= agreed));
	EXPECT(!memcmp(a + 5, s->out + 5, 2));
	EXPECT(!memcmp(a + size, untouched, s->room - size));
	if (a[4] == P9_RLERROR) {
		EXPECT(size == P9_HEADER_BYTES + 4 && word && word < 4096);
		return;
	}
	EXPECT(a[4] == s->out[4] + 1);
	if (s->out[4] == P9_TVERSION)
		agreed = a[13] == '9' ? word : 0;
	if (s->out[4] == P9_TGETATTR)
		check_qid(a + P9_HEADER_BYTES + 8);
	if (s->out[4] == P9_TWALK)
		for (unsigned i = 0; i < (word & UINT16_MAX); i++)
			check_qid(a + P9_HEADER_BYTES + 2 + i * P9_QID_BYTES);
}

static void end_job(struct slot *s)
{
	if (!s->job)
		return;
	p9_job_run(s->job);
	check_answer(s, p9_job_end(server, s->job, &s->r));
	s->job = NULL;
}

/* The same request once more, which the job has kept back. */
static void end_after(struct slot *s, const struct p9_job *job)
{
	uint32_t written;
	struct p9_job *other;

	EXPECT(s->out[4] == P9_TFLUSH);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].job == job)
			end_job(&slots[i]);
	if (p9_answer(server, &s->r, &written, &other) == P9_AFTER)
		end_after(s, other); /* the tag was used twice */
	else
		check_answer(s, written);
}

static void give(struct slot *s, bool later)
{
	uint32_t written;
	struct p9_job *job;

	memcpy(s->in, untouched, s->room);
	switch (p9_answer(server, &s->r, &written, &job)) {
	case P9_ANSWERED: check_answer(s, written); break;
	case P9_AFTER: end_after(s, job); break;
	case P9_LATER:
		s->job = job;
		if (!later)
			end_job(s);
		break;
	case P9_BROKEN: EXPECT(s->out_bytes < P9_HEADER_BYTES || s->room < P9_READ_HEADER_BYTES);
	}
}

static void request(const struct row *row, struct input *in)
{
	uint8_t how = take_u8(in);
	struct slot *s = slots;

	while (s < slots + SLOTS - 1 && s->job)
		s++;
	end_job(s);
	build(s, row, in);
	spoil(s, how, in);
	s->r = (struct p9_request){ .out = s->out_iov, .in = s->in_iov };
	s->r.out_count = pieces(s->out, s->out_bytes, s->out_iov, how & HOW_PIECES);
	s->r.in_count = pieces(s->in, s->room, s->in_iov, how & HOW_PIECES);
	give(s, how & HOW_LATER);
}

/* Version, and fid 0 is the root. */
static void begin(void)
{
	static const uint8_t attach[16] = { 0 };
	struct input in = { attach, sizeof(attach) };

	request(&rows[ARRAY_SIZE(rows) - 2], &in);
	EXPECT(agreed);
	request(&rows[ARRAY_SIZE(rows) - 3], &in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t flags = take_u8(&in);
	const struct p9_config cfg = {
		.said = "share",
		.dir = "share",
		.readonly = (flags & 7) == 7,
		.map = flags & 8 && places[flags >> 4 != 15].has_xattr ? P9_MAP_XATTR : P9_MAP_USER,
	};
	int fd = dup(0), after;

	fuzz_signals();
	here = &places[flags >> 4 != 15];
	make_folder();
	close(fd);
	EXPECT(!p9_new(&cfg, &server));
	agreed = next_tag = 0;
	begin();
	while (in.left) {
		unsigned which = take_u8(&in) % (ARRAY_SIZE(rows) + HOST_STEPS);

		if (which < ARRAY_SIZE(rows))
			request(&rows[which], &in);
		else
			host_step(which - (unsigned)ARRAY_SIZE(rows), &in);
	}
	/* A reset: nobody waits for them any more. */
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slots[i].job)
			p9_job_end(server, slots[i].job, NULL);
		slots[i].job = NULL;
	}
	p9_free(server);
	check_folder();
	after = dup(0);
	EXPECT(after == fd);
	close(after);
	return 0;
}
