/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console: one ring for output, which is both what has not left yet and
 * the last 64 KiB for whoever asks; one for input; and a reader of lines.
 *
 * The first one of a VM keeps a list of the others.
 *
 * Lock order: device (UART), console, host end. Callbacks to the UART are made
 * without the console's lock.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/char.h>
#include <vmm/console.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/vm.h>

#define INPUT_BYTES (64 * KIB)
#define LINE_BYTES  256
#define LEAVE_NS    NSEC_PER_SEC

/* Of a burst: a piece leaves so long after the one before, or when there is so much. */
#define PIECE_NS    1000000
#define PIECE_BYTES (16 * KIB)

struct console {
	struct vm *vm;
	struct loop *loop;
	struct chardev *end;
	struct console *next; /* beside the first one */
	char *name, *said, *spec;
	bool data;
	pthread_mutex_t lock;

	uint8_t out[CONSOLE_KEPT_BYTES];
	uint64_t written, sent; /* bytes ever; the ring index is modulo its size */
	bool starved;           /* the UART has been told that there is no room */
	bool blocked;           /* the host took less than there was: it will say when it takes more */
	bool piece_armed;
	uint64_t piece_ns; /* when something left last */
	struct loop_timer piece;

	uint8_t in[INPUT_BYTES];
	uint64_t typed, taken;

	bool was_there; /* what the UART knows of the host end */
	uint16_t cols, rows;

	char line[LINE_BYTES]; /* the line that is being written, as far as it fits */
	unsigned line_len;

	const struct console_uart *uart;
	void *uart_opaque;
	pthread_mutex_t *uart_lock;
};

/* ---- The guest's own words ---- */

/*
 * printk puts up to three things before its text: "[    1.234567]" and, with
 * CONFIG_PRINTK_CALLER, "[    T1]" or "[   C0]".
 */
static const char *skip_printk_prefix(const char *line)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t len;

		if (*line != '[')
			break;
		len = 1 + strspn(line + 1, " .0123456789TC");
		if (line[len] != ']')
			break;
		line += len + 1;
		line += strspn(line, " ");
	}
	return line;
}

/*
 * Only at the start of a line: somebody who types the words at a prompt has not
 * panicked. The second form is for when another task's prompt was in the way of the first.
 */
static bool says_panic(const char *line)
{
	static const char *const words[] = {
		"Kernel panic - not syncing",
		"---[ end Kernel panic - not syncing",
	};
	const char *text = skip_printk_prefix(line);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(text, words[i], strlen(words[i])))
			return true;
	return false;
}

static void read_along(struct console *c, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			/* It may end in a message or in JSON: nothing that a terminal acts on, nothing that is not
			 * text. */
			if (bytes[i] != '\r' && c->line_len < LINE_BYTES - 1)
				c->line[c->line_len++] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '?';
			continue;
		}
		c->line[c->line_len] = 0;
		c->line_len = 0;
		if (says_panic(c->line))
			vm_guest_panicked(c->vm, skip_printk_prefix(c->line));
	}
}

/* ---- Output ---- */

static bool connected(struct console *c) { return !c->end->type->connected || c->end->type->connected(c->end); }

static void want(struct console *c)
{
	c->end->type->want(c->end, INPUT_BYTES - (c->typed - c->taken), c->sent != c->written);
}

/* Under the lock. */
static void flush(struct console *c)
{
	uint64_t sent = c->sent;

	c->blocked = false;
	while (c->sent != c->written) {
		size_t at = c->sent % CONSOLE_KEPT_BYTES, len = c->written - c->sent, taken;

		if (len > CONSOLE_KEPT_BYTES - at)
			len = CONSOLE_KEPT_BYTES - at;
		taken = c->end->type->write(c->end, c->out + at, len);
		c->sent += taken;
		if (taken < len) {
			c->blocked = true;
			break;
		}
	}
	if (c->sent != sent && c->end->type->on_terminal)
		log_console_mid_line(c->out[(c->sent - 1) % CONSOLE_KEPT_BYTES] != '\n');
}

/* Under the lock. */
static void send_piece(struct console *c)
{
	uint64_t now;

	if (c->blocked || c->sent == c->written)
		return;
	now = loop_now_ns();
	if (c->written - c->sent < PIECE_BYTES && now - c->piece_ns < PIECE_NS) {
		if (!c->piece_armed)
			loop_timer_arm(&c->piece, c->piece_ns + PIECE_NS);
		c->piece_armed = true;
		return;
	}
	flush(c);
	c->piece_ns = now;
	if (c->blocked)
		want(c);
}

static void piece_due(void *opaque)
{
	struct console *c = opaque;

	pthread_mutex_lock(&c->lock);
	c->piece_armed = false;
	send_piece(c);
	pthread_mutex_unlock(&c->lock);
}

/* Under the lock. With nobody there, newer output pushes out older; not so data. */
static size_t room(struct console *c)
{
	return c->data || connected(c) ? CONSOLE_KEPT_BYTES - (c->written - c->sent) : CONSOLE_KEPT_BYTES;
}

static void keep(struct console *c, const uint8_t *bytes, size_t len)
{
	size_t at = c->written % CONSOLE_KEPT_BYTES, first = CONSOLE_KEPT_BYTES - at;

	if (first > len)
		first = len;
	memcpy(c->out + at, bytes, first);
	memcpy(c->out, bytes + first, len - first);
	c->written += len;
	if (c->written - c->sent > CONSOLE_KEPT_BYTES)
		c->sent = c->written - CONSOLE_KEPT_BYTES;
}

size_t console_write(struct console *c, const uint8_t *bytes, size_t len)
{
	size_t fits;

	pthread_mutex_lock(&c->lock);
	fits = room(c);
	if (len > fits) {
		len = fits;
		c->starved = true;
	}
	keep(c, bytes, len);
	if (c->vm && !c->data)
		read_along(c, bytes, len);
	send_piece(c);
	pthread_mutex_unlock(&c->lock);
	return len;
}

size_t console_room(struct console *c)
{
	size_t bytes;

	pthread_mutex_lock(&c->lock);
	bytes = room(c);
	c->starved |= !bytes;
	pthread_mutex_unlock(&c->lock);
	return bytes;
}

size_t console_kept(struct console *c, uint8_t *bytes, size_t len, uint64_t *total)
{
	uint64_t from;

	pthread_mutex_lock(&c->lock);
	if (len > CONSOLE_KEPT_BYTES)
		len = CONSOLE_KEPT_BYTES;
	if (len > c->written)
		len = c->written;
	from = c->written - len;
	for (size_t i = 0; i < len; i++)
		bytes[i] = c->out[(from + i) % CONSOLE_KEPT_BYTES];
	if (total)
		*total = c->written;
	pthread_mutex_unlock(&c->lock);
	return len;
}

void console_flush(struct console *c)
{
	for (; c; c = c->next) {
		pthread_mutex_lock(&c->lock);
		if (!c->blocked) {
			flush(c);
			if (c->blocked)
				want(c);
		}
		pthread_mutex_unlock(&c->lock);
	}
}

bool console_used(struct console *c)
{
	uint64_t total = 0;

	for (; c && !total; c = c->next)
		console_kept(c, NULL, 0, &total);
	return total;
}

/* ---- Input ---- */

size_t console_read(struct console *c, uint8_t *bytes, size_t len)
{
	size_t count = 0;

	pthread_mutex_lock(&c->lock);
	while (count < len && c->taken != c->typed) {
		size_t at = c->taken % INPUT_BYTES, n = INPUT_BYTES - at;

		n = n < len - count ? n : len - count;
		n = n < c->typed - c->taken ? n : c->typed - c->taken;
		memcpy(bytes + count, c->in + at, n);
		c->taken += n;
		count += n;
	}
	if (count)
		want(c);
	pthread_mutex_unlock(&c->lock);
	return count;
}

static void uart_call(struct console *c, void (*fn)(void *opaque))
{
	if (c->uart_lock)
		pthread_mutex_lock(c->uart_lock);
	fn(c->uart_opaque);
	if (c->uart_lock)
		pthread_mutex_unlock(c->uart_lock);
}

size_t console_type(struct console *c, const uint8_t *bytes, size_t len)
{
	pthread_mutex_lock(&c->lock);
	if (len > INPUT_BYTES - (c->typed - c->taken))
		len = INPUT_BYTES - (c->typed - c->taken);
	for (size_t i = 0; i < len; i++)
		c->in[c->typed++ % INPUT_BYTES] = bytes[i];
	want(c);
	pthread_mutex_unlock(&c->lock);
	if (len && c->uart)
		uart_call(c, c->uart->readable);
	return len;
}

/* ---- Called by the host end ---- */

static void end_input(void *opaque, const uint8_t *bytes, size_t len) { console_type(opaque, bytes, len); }

/* What the UART wants to know of the host end. Only the main thread comes here. */
static void end_changed(struct console *c)
{
	uint16_t cols = 0, rows = 0;
	bool there = connected(c);

	console_size(c, &cols, &rows);
	if (there == c->was_there && cols == c->cols && rows == c->rows)
		return;
	c->was_there = there;
	c->cols = cols;
	c->rows = rows;
	if (c->uart && c->uart->changed)
		uart_call(c, c->uart->changed);
}

static void end_writable(void *opaque)
{
	struct console *c = opaque;
	bool wake;

	pthread_mutex_lock(&c->lock);
	flush(c);
	wake = c->starved && room(c);
	if (wake)
		c->starved = false;
	want(c);
	pthread_mutex_unlock(&c->lock);
	if (wake && c->uart)
		uart_call(c, c->uart->writable);
	end_changed(c);
}

static void end_resized(void *opaque) { end_changed(opaque); }

static void end_quit(void *opaque)
{
	struct console *c = opaque;

	if (c->vm)
		vm_quit(c->vm);
}

static void end_power(void *opaque)
{
	struct console *c = opaque;

	if (c->vm)
		vm_power_button(c->vm);
}

static void end_info(void *opaque)
{
	struct console *c = opaque;

	if (c->vm)
		vm_info(c->vm);
}

static const struct chardev_user console_user = {
	.input = end_input,
	.writable = end_writable,
	.resized = end_resized,
	.quit = end_quit,
	.power = end_power,
	.info = end_info,
};

/* ---- What the host end is like ---- */

bool console_connected(struct console *c) { return connected(c); }

bool console_size(struct console *c, uint16_t *cols, uint16_t *rows)
{
	return c->end->type->size && c->end->type->size(c->end, cols, rows);
}

/* ---- Life ---- */

static void console_free(struct console *c)
{
	pthread_mutex_destroy(&c->lock);
	free(c->name);
	free(c->said);
	free(c->spec);
	free(c);
}

static int create(const struct console_config *cfg, struct loop *l, struct vm *vm, struct console **console)
{
	struct console *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	*console = NULL;
	if (!c)
		return err;
	pthread_mutex_init(&c->lock, NULL);
	c->vm = vm;
	c->loop = l;
	c->data = cfg->data;
	c->name = strdup(cfg->name);
	c->said = strdup(cfg->said);
	c->spec = strdup(cfg->spec);
	loop_timer_init(&c->piece, l, NULL, piece_due, c);
	if (c->name && c->said && c->spec)
		err = chardev_open(c->said, c->spec, l, &console_user, c, &c->end);
	if (err) {
		console_free(c);
		return err;
	}
	c->was_there = connected(c);
	console_size(c, &c->cols, &c->rows);
	want(c);
	*console = c;
	return 0;
}

int console_create(const char *spec, struct loop *l, struct vm *vm, struct console **c)
{
	const struct console_config cfg = { .name = "console", .said = "--console", .spec = spec ? spec : "stdio" };

	return create(&cfg, l, vm, c);
}

/* The keyboard cannot be in two places. */
static int check_taken(struct console *all, const struct console_config *cfg)
{
	const struct chardev_type *t = chardev_type_of(cfg->spec);

	for (struct console *c = all; c && t && t->once; c = c->next)
		if (c->end->type == t)
			return log_err(-EBUSY,
				       "%s %s: is taken by %s; give one of the two another end: file:PATH, pty, "
				       "socket:PATH or null",
				       cfg->said, t->name, c->said);
	return 0;
}

int console_another(struct console *c, const struct console_config *cfg, struct console **another)
{
	int err = 0;

	*another = NULL;
	for (struct console *i = c->next; i; i = i->next)
		if (!strcmp(i->name, cfg->name)) {
			*another = i;
			return 0;
		}
	err = check_taken(c, cfg);
	if (!err)
		err = create(cfg, c->loop, c->vm, another);
	if (err)
		return err;
	(*another)->next = c->next;
	c->next = *another;
	return 0;
}

/* What is left gets up to LEAVE_NS, of all of them together. */
static void leave(struct console *c, uint64_t until)
{
	loop_timer_arm(&c->piece, UINT64_MAX);
	for (flush(c); c->sent != c->written && connected(c) && loop_now_ns() < until; flush(c))
		poll(NULL, 0, 5);
	chardev_close(c->end);
	console_free(c);
}

void console_destroy(struct console *c)
{
	uint64_t until = loop_now_ns() + LEAVE_NS;
	struct console *next;

	for (; c; c = next) {
		next = c->next;
		leave(c, until);
	}
}

void console_attach(struct console *c, const struct console_uart *uart, void *opaque, pthread_mutex_t *lock)
{
	c->uart = uart;
	c->uart_opaque = opaque;
	c->uart_lock = lock;
}
