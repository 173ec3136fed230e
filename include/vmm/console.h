/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's console: between a UART, or a port of virtio-console, and a host end (vmm/char.h).
 *
 *   guest -> console_write() -> last 64 KiB kept -> host end        (full: the UART's FIFO stays full)
 *   host end -> input buffer -> console_read() <- UART when its FIFO has room  (full: the host is not read)
 *
 * What comes in bursts leaves in pieces: at once after a quiet moment, otherwise within
 * a millisecond, as a system call for each byte of a UART would be most of the work.
 *
 * It also reads along: the guest kernel's "Kernel panic - not syncing" at the
 * start of a line (after printk's timestamp and caller) goes to vm_guest_panicked().
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <pthread.h>
#include <vmm/types.h>

struct console;
struct loop;
struct vm;

#define CONSOLE_KEPT_BYTES (64 * KIB)

/* The UART's side: called on the main thread with @lock (the device's) held. */
struct console_uart {
	void (*readable)(void *opaque);         /* console_read() has something */
	void (*writable)(void *opaque);         /* console_room() is no longer 0 */
	void (*changed)(void *opaque);          /* console_connected() or console_size() is different; may be NULL */
};

/*
 * @spec as for --console: stdio, file:PATH, pty, socket:PATH, null; NULL means stdio.
 * -EINVAL/-errno with a message when it cannot be opened. @vm is told of panics
 * (vm_guest_panicked), of the user leaving (vm_quit), of the power key
 * (vm_power_button) and of questions (vm_info); it may be NULL in tests. SIGPIPE is ignored, or a pipe whose
 * reader leaves ends the process.
 */
int console_create(const char *spec, struct loop *l, struct vm *vm, struct console **c);
/* Gives pending output up to a second to leave, then closes and restores the terminal. NULL is fine. */
void console_destroy(struct console *c);

struct console_config {
	const char *name;       /* as devices call it, unique: "virtio-console.0 port log" */
	const char *said;       /* as the user did, for messages */
	const char *spec;       /* as above, not NULL */
	/*
	 * A program is at the other end and not a screen: with nobody there output waits, instead
	 * of making room for newer, and nobody reads along.
	 */
	bool data;
};

/*
 * One more, which lives as long as the first one, @c: a device that is made again (a reset)
 * gets the one it had, with what is in it. -EINVAL/-errno with a message. Before vCPUs run.
 */
int console_another(struct console *c, const struct console_config *cfg, struct console **another);

/* One UART at a time; before vCPUs run. NULL @uart detaches. */
void console_attach(struct console *c, const struct console_uart *uart, void *opaque, pthread_mutex_t *lock);

/*
 * Any thread, device lock held. Takes up to console_room() bytes; returns how many. writable
 * follows after it has taken fewer than @len; 0: only then is there room again.
 */
size_t console_write(struct console *c, const uint8_t *bytes, size_t len);
size_t console_room(struct console *c);
/* Bytes the user typed, oldest first; 0 when there are none. */
size_t console_read(struct console *c, uint8_t *bytes, size_t len);

/* Any thread. Is somebody at the host end? Those that cannot tell say yes. */
bool console_connected(struct console *c);
/* Any thread. The window at the host end; false: it has none. */
bool console_size(struct console *c, uint16_t *cols, uint16_t *rows);

/* What has been written leaves now, of @c and those beside it, as far as the host takes it. NULL is fine. */
void console_flush(struct console *c);
/* Has anything been written, to @c or those beside it? */
bool console_used(struct console *c);

/* As if the user had typed it (scripts). Bytes beyond the buffer's room are refused: returns how many fit. */
size_t console_type(struct console *c, const uint8_t *bytes, size_t len);

/*
 * Copies the newest at most @len bytes of output to @bytes; returns how many. *total,
 * if not NULL, is the number of bytes ever written.
 */
size_t console_kept(struct console *c, uint8_t *bytes, size_t len, uint64_t *total);

#endif
