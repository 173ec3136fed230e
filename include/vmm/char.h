/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host ends of a character stream: terminal, file, pty, socket, nothing.
 *
 * A file in devices/char ending in CHARDEV(name, &type) is one: `--console name[:arg]`,
 * and for ports of virtio-console.
 * Input arrives on the main thread. Output never blocks: write takes what the
 * host takes now; the caller keeps the rest and asks for chardev_user.writable.
 */
#ifndef VMM_CHAR_H
#define VMM_CHAR_H

#include <sys/types.h>
#include <vmm/registry.h>
#include <vmm/types.h>

struct loop;
struct chardev;

/* Who uses the host end. All callbacks run on the main thread with no lock held. */
struct chardev_user {
	/* Takes all @len bytes, which are at most what the last chardev_type.want asked for. */
	void (*input)(void *opaque, const uint8_t *bytes, size_t len);
	/* There may be room, or a peer has come or gone. */
	void (*writable)(void *opaque);
	/* The window at the host end has another size now. May be NULL. */
	void (*resized)(void *opaque);
	/* The user at the host end wants to leave, presses the guest's power key, or asks how it is. */
	void (*quit)(void *opaque);
	void (*power)(void *opaque);
	void (*info)(void *opaque);
};

struct chardev_type {
	const char *name, *arg, *help;          /* arg: NULL when it takes none */
	size_t state_bytes;
	int     (*open)(struct chardev *c, const char *arg);    /* message and -errno on failure */
	void    (*close)(struct chardev *c);
	/* Any thread. Bytes taken, 0 when full now. A peer that is gone for good swallows. */
	size_t  (*write)(struct chardev *c, const uint8_t *bytes, size_t len);
	/*
	 * Any thread: input bytes wanted now (0: stop reading), and whether writable is to be
	 * called when there is room.
	 */
	void    (*want)(struct chardev *c, size_t input, bool output);
	/* Any thread; NULL: always. false: nobody is there, old output may be dropped for newer. */
	bool    (*connected)(struct chardev *c);
	/* Any thread; NULL: never. Columns and rows of the window at the host end; false: it has none. */
	bool    (*size)(struct chardev *c, uint16_t *cols, uint16_t *rows);
	bool    on_terminal;                    /* output may be on the terminal of our messages */
	bool    once;                           /* a process has only one */
};

struct chardev {
	const struct chardev_type *type;
	const char *said;                       /* as the user did, for messages: "--console" */
	struct loop *loop;
	const struct chardev_user *user;
	void *opaque;
	void *state;
};

#define CHARDEV(name, object) REGISTER(chardev, const struct chardev_type, name, object)

const struct chardev_type *chardev_type_at(unsigned i);         /* NULL past the last; sorted by name */
const struct chardev_type *chardev_type_find(const char *name);

/*
 * @spec is "name" or "name:arg", which the user gave with @said; both strings outlive the
 * host end. On failure *c is NULL and a message was printed.
 */
int chardev_open(const char *said, const char *spec, struct loop *l, const struct chardev_user *user, void *opaque,
		 struct chardev **c);
/* Of which type @spec is; NULL: none, or one that does not exist. */
const struct chardev_type *chardev_type_of(const char *spec);
void chardev_close(struct chardev *c);

#endif
