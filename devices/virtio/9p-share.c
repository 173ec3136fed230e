/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared folder at the host's side. Nobody gets out of it: every step of a path is one
 * openat2() beneath the descriptor of the folder before, links are never followed (the guest reads and
 * follows them itself), and what is done to a file is done through the descriptor that was found so.
 *
 * O_PATH descriptors cannot be read, changed in mode or asked for attributes. Linux gives them a name
 * that can: /proc/self/fd/N. It leads to the very file, not along a path, so nothing can be put in its place.
 *
 * In map=xattr owner, mode and kind of a file are in user.virtfs.* attributes as QEMU's mapped-xattr has
 * them; the file itself is ours, 0600 or 0700, and links and device nodes are ordinary files to the host.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/files.h>
#include <vmm/log.h>

#include "9p.h"

#define DEPTH_MAX    2048 /* PATH_MAX has no room for more */
#define FDS_FOR_US   1024
#define XATTR_PREFIX "user."
#define XATTR_OURS   "user.virtfs."

struct proc_path {
	char text[32];
};

static struct proc_path proc_path(int fd)
{
	struct proc_path p;

	snprintf(p.text, sizeof(p.text), "/proc/self/fd/%d", fd);
	return p;
}

/* ---- Nodes ---- */

static int open_beneath(int dir, const char *name, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY),
		.mode = mode,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* Through its files a process can be changed, ours as well: those of others in the folder end at a mounted /proc. */
static bool is_proc(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) || fs.f_type == PROC_SUPER_MAGIC;
}

static struct p9_node *new_node(struct p9_share *s, struct p9_node *parent, const char *name, int fd, dev_t dev)
{
	size_t len = strlen(name);
	struct p9_node *n = malloc(sizeof(*n) + len + 1);

	if (!n)
		return NULL;
	*n = (struct p9_node){ .refs = 1, .fd = fd, .dev = dev };
	if (parent) {
		n->parent = p9_node_get(parent);
		n->depth = parent->depth + 1;
	}
	memcpy(n->name, name, len + 1);
	s->fd_count++;
	return n;
}

struct p9_node *p9_node_get(struct p9_node *n)
{
	n->refs++;
	return n;
}

void p9_node_put(struct p9_share *s, struct p9_node *n)
{
	while (n && !--n->refs) {
		struct p9_node *parent = n->parent;

		close(n->fd);
		free(n);
		s->fd_count--;
		n = parent;
	}
}

/* The host gives the lowest number that is free: what is above the end says that all below is taken, by whomever. */
static int keep_fd(const struct p9_share *s, int fd)
{
	if ((unsigned)fd < s->fd_end)
		return fd;
	close(fd);
	return -EMFILE;
}

/* Takes @fd, closed on failure. */
static int adopt(struct p9_share *s, struct p9_node *dir, const char *name, int fd, struct p9_node **n)
{
	struct stat st;
	int err = 0;

	fd = keep_fd(s, fd);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		err = -errno;
	else if (st.st_dev != dir->dev && is_proc(fd))
		err = -EACCES;
	if (!err) {
		*n = new_node(s, dir, name, fd, st.st_dev);
		err = *n ? 0 : -ENOMEM;
	}
	if (err)
		close(fd);
	return err;
}

static int check_room(const struct p9_share *s, const struct p9_node *dir)
{
	if (dir->depth >= DEPTH_MAX)
		return -ENAMETOOLONG;
	return s->fd_count < s->fd_max ? 0 : -EMFILE;
}

int p9_node_walk(struct p9_share *s, struct p9_node *dir, const char *name, struct p9_node **n)
{
	int err = check_room(s, dir), fd;

	if (err)
		return err;
	fd = open_beneath(dir->fd, name, O_PATH, 0);
	return fd < 0 ? fd : adopt(s, dir, name, fd, n);
}

int p9_node_is_there(struct p9_node *n)
{
	struct stat named, held;

	if (!n->parent)
		return -EBUSY;
	if (fstat(n->fd, &held) || fstatat(n->parent->fd, n->name, &named, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -errno;
	return named.st_dev == held.st_dev && named.st_ino == held.st_ino ? 0 : -ESTALE;
}

/* ---- The mapping ---- */

static bool get_number(const char *path, const char *name, void *value, size_t bytes)
{
	return getxattr(path, name, value, bytes) == (ssize_t)bytes;
}

static int set_number(const char *path, const char *name, const void *value, size_t bytes)
{
	return setxattr(path, name, value, bytes, 0) ? -errno : 0;
}

/* What the attributes say; a folder stays one, and nothing else becomes one. (Hosts of vmm are little-endian.) */
static void map_stat(int fd, struct stat *st)
{
	struct proc_path p = proc_path(fd);
	uint32_t v;
	uint64_t dev;

	if (get_number(p.text, XATTR_OURS "uid", &v, sizeof(v)))
		st->st_uid = v;
	if (get_number(p.text, XATTR_OURS "gid", &v, sizeof(v)))
		st->st_gid = v;
	if (get_number(p.text, XATTR_OURS "mode", &v, sizeof(v))) {
		if (!S_ISREG(st->st_mode) || S_ISDIR(v) || !(v & S_IFMT))
			v = (st->st_mode & S_IFMT) | (v & 07777);
		st->st_mode = v & (S_IFMT | 07777);
	}
	if ((S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) &&
	    get_number(p.text, XATTR_OURS "rdev", &dev, sizeof(dev)))
		st->st_rdev = dev;
}

static int mapped_stat(struct p9_share *s, int fd, struct stat *st)
{
	if (fstat(fd, st))
		return -errno;
	if (st->st_uid == s->uid)
		st->st_uid = s->cfg.uid;
	if (st->st_gid == s->gid)
		st->st_gid = s->cfg.gid;
	/* Only these have attributes of users. */
	if (s->cfg.map == P9_MAP_XATTR && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		map_stat(fd, st);
	return 0;
}

int p9_node_stat(struct p9_share *s, struct p9_node *n, struct stat *st) { return mapped_stat(s, n->fd, st); }

static uid_t host_uid(const struct p9_share *s, uint32_t uid) { return uid == s->cfg.uid ? s->uid : uid; }
static gid_t host_gid(const struct p9_share *s, uint32_t gid) { return gid == s->cfg.gid ? s->gid : gid; }

static int set_xattr_owner(const char *path, uint32_t uid, uint32_t gid)
{
	int err = uid == UINT32_MAX ? 0 : set_number(path, XATTR_OURS "uid", &uid, sizeof(uid));

	return err || gid == UINT32_MAX ? err : set_number(path, XATTR_OURS "gid", &gid, sizeof(gid));
}

/* Makes what was just created @m's. @mode: with the kind. */
static int give(struct p9_share *s, int fd, const struct p9_make *m, uint32_t mode)
{
	struct proc_path p = proc_path(fd);
	int err;

	if (s->cfg.map == P9_MAP_XATTR) {
		err = set_xattr_owner(p.text, m->uid, m->gid);
		return err ? err : set_number(p.text, XATTR_OURS "mode", &mode, sizeof(mode));
	}
	/* Others than root cannot give files away: theirs they are. */
	if (!s->uid &&
	    fchownat(fd, "", host_uid(s, m->uid), host_gid(s, m->gid), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -errno;
	/* The guest has applied a umask already; ours is not to count. */
	if (!S_ISLNK(mode) && (mode & (s->umask | 07000)) && chmod(p.text, mode & 07777))
		return -errno;
	return 0;
}

/* ---- Making ---- */

static uint32_t host_mode(const struct p9_share *s, uint32_t mode, uint32_t own)
{
	return s->cfg.map == P9_MAP_XATTR ? own : mode & 0777;
}

/* What stands there is what was made: hold it and make it @m's; or take it away again. */
static int finish_make(struct p9_share *s, const struct p9_make *m, uint32_t kind, struct p9_node **n)
{
	int err = p9_node_walk(s, m->dir, m->name, n);

	if (!err) {
		err = give(s, (*n)->fd, m, kind | (m->mode & 07777));
		if (err)
			p9_node_put(s, *n);
	}
	if (err)
		unlinkat(m->dir->fd, m->name, S_ISDIR(kind) ? AT_REMOVEDIR : 0);
	return err;
}

int p9_mkdir(struct p9_share *s, const struct p9_make *m, struct p9_node **n)
{
	int err = check_room(s, m->dir);

	if (err)
		return err;
	if (mkdirat(m->dir->fd, m->name, host_mode(s, m->mode, 0700)))
		return -errno;
	return finish_make(s, m, S_IFDIR, n);
}

/* An ordinary file of ours that only its attributes and contents make something else. */
static int make_stand_in(struct p9_share *s, const struct p9_make *m, uint32_t mode, const void *contents,
			 size_t bytes, dev_t dev, struct p9_node **n)
{
	int fd = open_beneath(m->dir->fd, m->name, O_CREAT | O_EXCL | O_WRONLY, 0600), err;
	uint64_t rdev = dev;

	if (fd < 0)
		return fd;
	err = give(s, fd, m, mode);
	if (!err && dev)
		err = set_number(proc_path(fd).text, XATTR_OURS "rdev", &rdev, sizeof(rdev));
	if (!err && bytes && write(fd, contents, bytes) != (ssize_t)bytes)
		err = -EIO;
	close(fd);
	if (!err)
		err = p9_node_walk(s, m->dir, m->name, n);
	if (err)
		unlinkat(m->dir->fd, m->name, 0);
	return err;
}

int p9_symlink(struct p9_share *s, const struct p9_make *m, const char *target, struct p9_node **n)
{
	struct p9_make made = *m;
	int err = check_room(s, m->dir);

	if (err)
		return err;
	made.mode = 0777;
	if (s->cfg.map == P9_MAP_XATTR)
		return make_stand_in(s, &made, S_IFLNK | 0777, target, strlen(target), 0, n);
	if (symlinkat(target, m->dir->fd, m->name))
		return -errno;
	return finish_make(s, &made, S_IFLNK, n);
}

int p9_mknod(struct p9_share *s, const struct p9_make *m, dev_t dev, struct p9_node **n)
{
	uint32_t kind = m->mode & S_IFMT;
	int err = check_room(s, m->dir);

	if (err)
		return err;
	if (!S_ISREG(kind) && !S_ISFIFO(kind) && !S_ISSOCK(kind) && !S_ISCHR(kind) && !S_ISBLK(kind))
		return -EINVAL;
	if (s->cfg.map == P9_MAP_XATTR)
		return make_stand_in(s, m, m->mode & (S_IFMT | 07777), NULL, 0,
				     S_ISCHR(kind) || S_ISBLK(kind) ? dev : 0, n);
	/* Even where we are root: a device of the host is not the guest's to make. */
	if (S_ISCHR(kind) || S_ISBLK(kind))
		return -EPERM;
	if (mknodat(m->dir->fd, m->name, kind | (m->mode & 0777), 0))
		return -errno;
	return finish_make(s, m, kind, n);
}

static int create_new(struct p9_share *s, const struct p9_make *m, int flags, struct p9_node **n)
{
	int fd = open_beneath(m->dir->fd, m->name, (uint64_t)(flags | O_CREAT | O_EXCL), host_mode(s, m->mode, 0600)),
	    hold;
	int err;

	if (fd < 0)
		return fd;
	err = give(s, fd, m, S_IFREG | (m->mode & 07777));
	if (!err) {
		hold = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		err = hold < 0 ? -errno : adopt(s, m->dir, m->name, hold, n);
	}
	if (!err)
		return fd;
	unlinkat(m->dir->fd, m->name, 0);
	close(fd);
	return err;
}

int p9_create(struct p9_share *s, const struct p9_make *m, int flags, struct p9_node **n)
{
	int err = check_room(s, m->dir), fd;

	if (err)
		return err;
	fd = create_new(s, m, flags, n);
	if (fd != -EEXIST || flags & O_EXCL)
		return fd;
	err = p9_node_walk(s, m->dir, m->name, n);
	if (err)
		return err;
	fd = p9_node_open(s, *n, flags);
	if (fd < 0)
		p9_node_put(s, *n);
	return fd;
}

/* ---- Using ---- */

/* Not what waits for somebody, or does something, when it is opened; the guest has pipes and devices of its own. */
int p9_node_open(struct p9_share *s, struct p9_node *n, int flags)
{
	struct stat real, st;
	int err = fstat(n->fd, &real) ? -errno : mapped_stat(s, n->fd, &st), fd;

	if (err)
		return err;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!(S_ISREG(real.st_mode) || S_ISDIR(real.st_mode)) || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
		return -ENXIO;
	fd = open(proc_path(n->fd).text,
		  (flags & ~O_EXCL) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (S_ISDIR(st.st_mode) ? O_DIRECTORY : 0));
	return fd < 0 ? -errno : keep_fd(s, fd);
}

static int read_stand_in(struct p9_node *n, char *target)
{
	int fd = open(proc_path(n->fd).text, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = read(fd, target, P9_PATH_BYTES - 1);
	close(fd);
	if (len < 0)
		return -EIO;
	target[len] = 0;
	return 0;
}

int p9_readlink(struct p9_share *s, struct p9_node *n, char target[P9_PATH_BYTES])
{
	ssize_t len = readlinkat(n->fd, "", target, P9_PATH_BYTES - 1);
	struct stat st;

	if (len >= 0) {
		target[len] = 0;
		return 0;
	}
	if (mapped_stat(s, n->fd, &st) || !S_ISLNK(st.st_mode))
		return -EINVAL;
	return read_stand_in(n, target);
}

int p9_link(struct p9_share *s, struct p9_node *n, struct p9_node *dir, const char *name)
{
	(void)s;
	return linkat(AT_FDCWD, proc_path(n->fd).text, dir->fd, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

int p9_rename(struct p9_node *from, const char *name, struct p9_node *to, const char *new_name)
{
	return renameat(from->fd, name, to->fd, new_name) ? -errno : 0;
}

int p9_unlink(struct p9_node *dir, const char *name, bool folder)
{
	return unlinkat(dir->fd, name, folder ? AT_REMOVEDIR : 0) ? -errno : 0;
}

int p9_chmod(struct p9_share *s, struct p9_node *n, uint32_t mode)
{
	struct proc_path p = proc_path(n->fd);
	struct stat st;
	int err;

	if (s->cfg.map == P9_MAP_USER)
		return chmod(p.text, mode & 07777) ? -errno : 0;
	err = mapped_stat(s, n->fd, &st);
	if (err)
		return err;
	mode = (st.st_mode & S_IFMT) | (mode & 07777);
	return set_number(p.text, XATTR_OURS "mode", &mode, sizeof(mode));
}

int p9_chown(struct p9_share *s, struct p9_node *n, uint32_t uid, uint32_t gid)
{
	struct stat st;
	int err = mapped_stat(s, n->fd, &st);

	if (err)
		return err;
	if (s->cfg.map == P9_MAP_XATTR)
		return set_xattr_owner(proc_path(n->fd).text, uid, gid);
	/* What is so already needs no right to make it so: root unpacks an archive of its own. */
	if (uid == st.st_uid)
		uid = UINT32_MAX;
	if (gid == st.st_gid)
		gid = UINT32_MAX;
	if (uid == UINT32_MAX && gid == UINT32_MAX)
		return 0;
	return fchownat(n->fd, "", uid == UINT32_MAX ? (uid_t)-1 : host_uid(s, uid),
			gid == UINT32_MAX ? (gid_t)-1 : host_gid(s, gid), AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)
		       ? -errno
		       : 0;
}

int p9_truncate(struct p9_node *n, uint64_t bytes)
{
	struct stat st;

	if (bytes > INT64_MAX)
		return -EFBIG;
	if (fstat(n->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return truncate(proc_path(n->fd).text, (off_t)bytes) ? -errno : 0;
}

int p9_utimes(struct p9_node *n, const struct timespec times[2])
{
	return utimensat(AT_FDCWD, proc_path(n->fd).text, times, 0) ? -errno : 0;
}

/* ---- Extended attributes ---- */

static bool guest_may_see(const char *name)
{
	return !strncmp(name, XATTR_PREFIX, strlen(XATTR_PREFIX)) && strncmp(name, XATTR_OURS, strlen(XATTR_OURS));
}

ssize_t p9_xattr_get(struct p9_node *n, const char *name, void *value, size_t bytes)
{
	ssize_t len = guest_may_see(name) ? getxattr(proc_path(n->fd).text, name, value, bytes) : -2;

	return len == -2 ? -EOPNOTSUPP : len < 0 ? -errno : len;
}

ssize_t p9_xattr_list(struct p9_node *n, char *names, size_t bytes)
{
	ssize_t len = listxattr(proc_path(n->fd).text, names, bytes), kept = 0;

	if (len <= 0 || !bytes)
		return len < 0 ? -errno : len;
	for (ssize_t at = 0, next; at < len; at = next) {
		next = at + (ssize_t)strnlen(names + at, (size_t)(len - at)) + 1;
		if (next > len || !guest_may_see(names + at))
			continue;
		memmove(names + kept, names + at, (size_t)(next - at));
		kept += next - at;
	}
	return kept;
}

int p9_xattr_set(struct p9_node *n, const char *name, const void *value, size_t bytes, int flags)
{
	if (!guest_may_see(name))
		return -EOPNOTSUPP;
	return setxattr(proc_path(n->fd).text, name, value, bytes, flags) ? -errno : 0;
}

int p9_xattr_remove(struct p9_node *n, const char *name)
{
	if (!guest_may_see(name))
		return -EOPNOTSUPP;
	return removexattr(proc_path(n->fd).text, name) ? -errno : 0;
}

/* ---- Opening the share ---- */

/* Of the files that the host lets us have half may be a share's, and the last ones are no share's. */
static void find_room_for_fds(struct p9_share *s)
{
	unsigned limit = files_limit();

	s->fd_end = limit - (limit > 2 * FDS_FOR_US ? FDS_FOR_US : limit / 2);
	s->fd_max = s->fd_end / 2;
}

/* Without changing it, which would change that of other threads. 077 if it cannot be known: modes are set then. */
static mode_t own_umask(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[128];
	unsigned mask = 077;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask;
}

static int check_host(const struct p9_config *cfg, int fd)
{
	int probe = open_beneath(fd, ".", O_PATH | O_DIRECTORY, 0), err = 0;
	char value[4];

	if (probe == -ENOSYS || probe == -EPERM)
		err = log_err(probe, "%s %s: this host has no openat2(); it needs Linux 5.6", cfg->said, cfg->dir);
	else if (probe < 0)
		err = log_err(probe, "%s %s: %s", cfg->said, cfg->dir, strerror(-probe));
	else
		close(probe);
	if (!err && access(proc_path(fd).text, F_OK))
		err = log_err(-ENOENT, "%s %s: needs /proc, which is not mounted", cfg->said, cfg->dir);
	if (!err && is_proc(fd))
		err = log_err(-EINVAL, "%s %s: processes are not shared; name another folder", cfg->said, cfg->dir);
	if (!err && cfg->map == P9_MAP_XATTR &&
	    getxattr(proc_path(fd).text, XATTR_OURS "uid", value, sizeof(value)) < 0 && errno == EOPNOTSUPP)
		err = log_err(-EOPNOTSUPP,
			      "%s %s: its file system has no user attributes, which map=xattr needs; use map=user",
			      cfg->said, cfg->dir);
	return err;
}

int p9_share_open(struct p9_share *s, const struct p9_config *cfg)
{
	int fd = open(cfg->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), err;
	struct stat st;

	if (fd < 0)
		return log_err(-errno, "%s %s: %s", cfg->said, cfg->dir,
			       errno == ENOTDIR ? "is not a folder" : strerror(errno));
	*s = (struct p9_share){ .cfg = *cfg, .uid = geteuid(), .gid = getegid(), .umask = own_umask() };
	err = fstat(fd, &st) ? -errno : check_host(cfg, fd);
	if (!err) {
		find_room_for_fds(s);
		s->root = new_node(s, NULL, "", fd, st.st_dev);
		err = s->root ? 0 : -ENOMEM;
	}
	if (err)
		close(fd);
	return err;
}

void p9_share_close(struct p9_share *s) { p9_node_put(s, s->root); }
