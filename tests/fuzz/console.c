/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The console between a guest that writes anything at any speed and a host end
 * that takes as little as it likes and comes and goes. Nothing may be lost or
 * out of order while somebody is at the host end.
 */
#include <vmm/char.h>
#include <vmm/console.h>
#include <vmm/loop.h>

#include "fuzz.h"

#define TEXT_BYTES (256 * KIB)

/* The host end of the test. */
static struct end {
	struct chardev *c;
	size_t accepts, wants_input;
	bool connected;
	bool lossy; /* has been away: old output may be missing */
} end;

static struct {
	uint8_t bytes[TEXT_BYTES];
	size_t in, out;
} written, typed;

static int end_open(struct chardev *c, const char *arg)
{
	(void)arg;
	end.c = c;
	return 0;
}

static void end_close(struct chardev *c) { (void)c; }

static size_t end_write(struct chardev *c, const uint8_t *bytes, size_t len)
{
	size_t n = len < end.accepts ? len : end.accepts;

	(void)c;
	if (!end.connected)
		return 0;
	end.accepts -= n;
	if (!end.lossy) {
		EXPECT(n <= written.in - written.out && !memcmp(written.bytes + written.out, bytes, n));
		written.out += n;
	}
	return n;
}

static void end_want(struct chardev *c, size_t input, bool output)
{
	(void)c, (void)output;
	end.wants_input = input;
}

static bool end_connected(struct chardev *c)
{
	(void)c;
	return end.connected;
}

static const struct chardev_type end_type = {
	.name = "fuzz",
	.help = "the host end of a fuzz target",
	.open = end_open,
	.close = end_close,
	.write = end_write,
	.want = end_want,
	.connected = end_connected,
};
CHARDEV(fuzz, &end_type);

static void uart_called(void *opaque) { (void)opaque; }
static const struct console_uart uart = { .readable = uart_called, .writable = uart_called };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	return 0;
}

/* Many bytes from few: @n of them, repeating what the input has. */
static size_t text(struct input *in, uint8_t *dst, size_t n)
{
	static const char panic[] = "\n[    1.0][ T1] Kernel panic - not syncing: \n";
	uint8_t piece[64];
	size_t len = 1 + take_u8(in) % sizeof(piece);

	take(in, piece, len);
	for (size_t i = 0; i < n; i++)
		dst[i] = n & 1 ? piece[i % len]
			       : (uint8_t)panic[i % (sizeof(panic) - 1)] ^ piece[i / sizeof(panic) % len];
	return n;
}

static void guest_writes(struct console *c, struct input *in)
{
	size_t n = take_u16(in), room = console_room(c), done;

	if (n > TEXT_BYTES - written.in)
		return;
	text(in, written.bytes + written.in, n);
	written.in += n;
	done = console_write(c, written.bytes + written.in - n, n);
	EXPECT(done == (n < room ? n : room));
	written.in -= n - done;
}

static void guest_reads(struct console *c, struct input *in)
{
	uint8_t bytes[4096];
	size_t n = console_read(c, bytes, take_u16(in) % sizeof(bytes));

	EXPECT(n <= typed.in - typed.out && !memcmp(typed.bytes + typed.out, bytes, n));
	typed.out += n;
}

static void user_types(struct console *c, struct input *in)
{
	size_t n = take_u16(in), done;

	if (n > end.wants_input || n > TEXT_BYTES - typed.in)
		return;
	text(in, typed.bytes + typed.in, n);
	if (n & 2) {
		end.c->user->input(end.c->opaque, typed.bytes + typed.in, n);
		done = n;
	} else {
		done = console_type(c, typed.bytes + typed.in, n);
	}
	EXPECT(done == n);
	typed.in += done;
}

static void end_changes(struct input *in, unsigned op)
{
	end.connected = op & 8;
	end.lossy |= !end.connected;
	end.accepts = take_u16(in);
	end.c->user->writable(end.c->opaque);
}

static void look_back(struct console *c, struct input *in)
{
	static uint8_t bytes[CONSOLE_KEPT_BYTES + 16];
	uint64_t total;
	size_t n = console_kept(c, bytes, take_u16(in) * UINT64_C(2) % sizeof(bytes), &total);

	EXPECT(total == written.in && n <= total && !memcmp(bytes, written.bytes + total - n, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct loop *l = loop_new();
	struct console *c;

	end = (struct end){ .connected = true };
	written.in = written.out = typed.in = typed.out = 0;
	EXPECT(l && !console_create("fuzz", l, NULL, &c));
	console_attach(c, &uart, NULL, NULL);
	while (in.left) {
		unsigned op = take_u8(&in);

		switch (op & 7) {
		case 0:
		case 1: guest_writes(c, &in); break;
		case 2: guest_reads(c, &in); break;
		case 3: user_types(c, &in); break;
		case 4:
		case 5: end_changes(&in, op); break;
		default: look_back(c, &in); break;
		}
	}
	end.connected = true;
	end.accepts = SIZE_MAX;
	console_destroy(c);
	EXPECT(end.lossy || written.in == written.out);
	loop_free(l);
	return 0;
}
