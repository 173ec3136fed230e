/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOR flash: two banks, each of two 16-bit chips side by side that understand Intel's
 * commands, as on QEMU's virt machine.
 *
 * Bank 0 has the firmware, and every block of it is locked. The guest reads and executes
 * it as memory (src/firmware.c), so only its writes come here. What the chips show after
 * a command is laid over that memory until they show the array again: over the page the
 * command was written to, which is where those who give commands read the answer. So
 * nothing is ever slower than memory, and no hypervisor has to know of it.
 *
 * Bank 1 keeps the firmware's variables, in memory and at once in the file of
 * --firmware-vars. What has reached the file survives us being killed; the host's disk
 * is told to keep it before a block is erased, which is what the firmware's own
 * journal relies on, and soon after the last change.
 *
 * Both chips get every command, whatever the width of the access.
 *
 * A hypervisor for which an access to a device is expensive shows bank 1 to the guest as
 * memory as long as it is only read. Programming comes in many short turns between
 * commands and reading, so that begins after a few reads in a row.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/board.h>
#include <spec/cfi.h>
#include <vmm/device.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/firmware.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#define CHIP_BYTES_LOG2 25
#define BLOCK_BYTES     (256 * KIB) /* of both chips together */
#define BUFFER_LOG2     6           /* bytes of a chip's write buffer */
#define BUFFER_WORDS    32
#define SYNC_NS         (NSEC_PER_SEC / 10)
#define QUERY_BYTES     0x40
#define COVER_BYTES     4096 /* has the address of a query and its answer */
#define READS_IN_A_ROW  16
#define SHOWN_BYTES_MIN (4 * BLOCK_BYTES) /* firmware looks there before it has written anything */

_Static_assert(UINT64_C(2) << CHIP_BYTES_LOG2 == BOARD_FLASH_SIZE, "a bank is two chips");
_Static_assert(1 << BUFFER_LOG2 == BUFFER_WORDS * 2, "a word of a chip is two bytes");

enum mode { READ_ARRAY, READ_STATUS, READ_ID, READ_QUERY };

/* What the next write is. */
enum next { NEXT_COMMAND, NEXT_PROGRAM, NEXT_COUNT, NEXT_WORD, NEXT_CONFIRM_BUFFER, NEXT_CONFIRM_ERASE, NEXT_LOCK };

struct word {
	uint64_t value;
	uint32_t offset, size;
};

struct bank {
	uint32_t mode, next, status;
	uint32_t block;       /* that the buffer is for */
	uint32_t count, left; /* words in the buffer, and to come */
	struct word buffer[BUFFER_WORDS];
};

struct flash {
	struct bank bank[2];
	uint8_t *vars;  /* contents of bank 1 */
	uint32_t there; /* so many bytes of it; the rest has never been written and is erased */
	int fd;         /* keeps the same, or -1 */
	bool unsynced, said;
	bool shown, cannot_show;      /* as memory */
	uint32_t reads;               /* in a row, not shown */
	uint8_t *cover;               /* page of bank 0's memory where the chips' answer is, or NULL */
	uint8_t covered[COVER_BYTES]; /* what that has else */
	struct loop_timer sync;
};

/* ---- What bank 1 keeps ---- */

static void failed(struct flash *f, const char *what)
{
	if (!f->said)
		log_warn("--firmware-vars: cannot %s (%s); the firmware is told, and what it wants to keep may be "
			 "lost; said once",
			 what, strerror(errno));
	f->said = true;
}

static void sync_now(struct flash *f)
{
	if (f->unsynced && fdatasync(f->fd))
		failed(f, "bring it to the disk");
	f->unsynced = false;
}

static void sync_due(void *opaque) { sync_now(((struct device *)opaque)->state); }

/* False: the file does not take it. */
static bool keep(struct device *d, uint32_t from, uint32_t to)
{
	struct flash *f = d->state;

	while (f->fd >= 0 && from < to) {
		ssize_t n = pwrite(f->fd, f->vars + from, to - from, from);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ENOSPC;
			failed(f, "write it");
			return false;
		}
		from += (uint32_t)n;
	}
	if (f->fd >= 0 && !f->unsynced) {
		f->unsynced = true;
		if (d->env->loop)
			loop_timer_arm(&f->sync, loop_now_ns() + SYNC_NS);
	}
	return true;
}

/* Whole blocks up to @end are there afterwards. */
static bool grow(struct device *d, uint32_t end)
{
	struct flash *f = d->state;

	if (end <= f->there)
		return true;
	memset(f->vars + f->there, 0xff, end - f->there);
	if (!keep(d, f->there, end)) {
		if (ftruncate(f->fd, f->there))
			failed(f, "shorten it again");
		return false;
	}
	f->there = end;
	return true;
}

static uint32_t block_of(uint64_t offset) { return (uint32_t)align_down(offset, BLOCK_BYTES); }

/* All words are in one block. Programming turns ones into zeroes and nothing else. */
static bool program(struct device *d, const struct word *w, unsigned count)
{
	struct flash *f = d->state;
	uint32_t from = UINT32_MAX, to = 0;

	if (!grow(d, block_of(w->offset) + (uint32_t)BLOCK_BYTES))
		return false;
	for (unsigned i = 0; i < count; i++) {
		for (unsigned n = 0; n < w[i].size; n++)
			f->vars[w[i].offset + n] &= (uint8_t)(w[i].value >> 8 * n);
		from = w[i].offset < from ? w[i].offset : from;
		to = w[i].offset + w[i].size > to ? w[i].offset + w[i].size : to;
	}
	return keep(d, from, to);
}

static bool erase(struct device *d, uint32_t block)
{
	struct flash *f = d->state;
	uint32_t end = block + (uint32_t)BLOCK_BYTES;

	if (block >= f->there)
		return true;
	sync_now(f);
	end = end < f->there ? end : f->there;
	memset(f->vars + block, 0xff, end - block);
	return keep(d, block, end);
}

/* ---- Commands ---- */

static void done(struct bank *b, uint32_t errors)
{
	b->status |= CFI_STATUS_READY | errors;
	b->mode = READ_STATUS;
	b->next = NEXT_COMMAND;
}

static bool is_locked(const struct device *d, const struct bank *b) { return b == ((struct flash *)d->state)->bank; }

static void do_program(struct device *d, struct bank *b, const struct word *w, unsigned count)
{
	if (is_locked(d, b))
		done(b, CFI_STATUS_PROGRAM_ERROR | CFI_STATUS_LOCKED);
	else
		done(b, program(d, w, count) ? 0 : CFI_STATUS_PROGRAM_ERROR);
}

static void do_erase(struct device *d, struct bank *b, uint32_t block)
{
	if (is_locked(d, b))
		done(b, CFI_STATUS_ERASE_ERROR | CFI_STATUS_LOCKED);
	else
		done(b, erase(d, block) ? 0 : CFI_STATUS_ERASE_ERROR);
}

static void expect(struct bank *b, enum next next)
{
	b->mode = READ_STATUS;
	b->next = next;
}

static void command(struct bank *b, uint32_t offset, uint8_t code)
{
	switch (code) {
	case CFI_READ_STATUS: b->mode = READ_STATUS; break;
	case CFI_CLEAR_STATUS: b->status = CFI_STATUS_READY; break;
	case CFI_READ_ID: b->mode = READ_ID; break;
	case CFI_QUERY: b->mode = READ_QUERY; break;
	case CFI_PROGRAM:
	case CFI_PROGRAM_ALT: expect(b, NEXT_PROGRAM); break;
	case CFI_BUFFER:
		b->block = block_of(offset);
		expect(b, NEXT_COUNT);
		break;
	case CFI_ERASE: expect(b, NEXT_CONFIRM_ERASE); break;
	case CFI_LOCK: expect(b, NEXT_LOCK); break;
	case CFI_SUSPEND: /* nothing takes long enough */
	case CFI_CONFIRM: break;
	default: b->mode = READ_ARRAY;
	}
}

static void buffer_count(struct bank *b, uint64_t value)
{
	uint32_t count = (uint32_t)(value & 0xffff) + 1;

	if (count > BUFFER_WORDS) {
		done(b, CFI_STATUS_SEQUENCE);
		return;
	}
	b->left = count;
	b->count = 0;
	b->next = NEXT_WORD;
}

static void buffer_word(struct bank *b, const struct word *w)
{
	if (block_of(w->offset) != b->block || block_of(w->offset + w->size - 1) != b->block) {
		done(b, CFI_STATUS_SEQUENCE);
		return;
	}
	b->buffer[b->count++] = *w;
	if (!--b->left)
		b->next = NEXT_CONFIRM_BUFFER;
}

static void flash_write(struct device *d, struct bank *b, const struct word *w)
{
	uint8_t code = (uint8_t)w->value;

	switch ((enum next)b->next) {
	case NEXT_COMMAND: command(b, w->offset, code); break;
	case NEXT_PROGRAM:
		if (block_of(w->offset) == block_of(w->offset + w->size - 1))
			do_program(d, b, w, 1);
		else
			done(b, CFI_STATUS_SEQUENCE);
		break;
	case NEXT_COUNT: buffer_count(b, w->value); break;
	case NEXT_WORD: buffer_word(b, w); break;
	case NEXT_CONFIRM_BUFFER:
		if (code == CFI_CONFIRM)
			do_program(d, b, b->buffer, b->count);
		else
			done(b, CFI_STATUS_SEQUENCE);
		break;
	case NEXT_CONFIRM_ERASE:
		if (code == CFI_CONFIRM)
			do_erase(d, b, block_of(w->offset));
		else
			done(b, CFI_STATUS_SEQUENCE);
		break;
	case NEXT_LOCK:
		/* Nobody locks blocks of bank 1, and bank 0 stays as it is. */
		done(b, code == CFI_LOCK_SET || code == CFI_LOCK_CLEAR || code == CFI_LOCK_DOWN
				? 0
				: CFI_STATUS_SEQUENCE);
		break;
	}
}

/* ---- Reading ---- */

static const uint8_t query[QUERY_BYTES] = {
	[CFI_QRY] = 'Q',
	'R',
	'Y',
	[CFI_COMMAND_SET] = CFI_COMMAND_SET_INTEL,
	[CFI_EXTENDED] = CFI_PRI,
	[CFI_VCC_MIN] = 0x17,
	[CFI_VCC_MAX] = 0x20,
	[CFI_TIME_PROGRAM] = 8,
	[CFI_TIME_BUFFER] = 9,
	[CFI_TIME_ERASE] = 10,
	[CFI_MAX_PROGRAM] = 1,
	[CFI_MAX_BUFFER] = 1,
	[CFI_MAX_ERASE] = 2,
	[CFI_SIZE] = CHIP_BYTES_LOG2,
	[CFI_INTERFACE] = CFI_INTERFACE_X16,
	[CFI_BUFFER_BYTES] = BUFFER_LOG2,
	[CFI_REGIONS] = 1,
	[CFI_BLOCKS] = BOARD_FLASH_SIZE / BLOCK_BYTES - 1,
	[CFI_BLOCK_BYTES] = BLOCK_BYTES / 2 / 256 & 0xff,
	BLOCK_BYTES / 2 / 256 >> 8,
	[CFI_PRI] = 'P',
	'R',
	'I',
	'1',
	'0',
};

/* What a chip shows at its word @n. */
static uint32_t chip_word(const struct bank *b, uint32_t n, bool locked)
{
	switch ((enum mode)b->mode) {
	case READ_ID:
		n %= BLOCK_BYTES / 8; /* U-Boot takes the two for one chip, of twice as many blocks */
		return n == CFI_ID_MAKER    ? CFI_MAKER_INTEL
		       : n == CFI_ID_DEVICE ? 0x18
		       : n == CFI_ID_LOCK   ? locked
					    : 0;
	case READ_QUERY: return n < QUERY_BYTES ? query[n] : 0;
	default: return b->status;
	}
}

/* Of @bytes of bank 0's memory; NULL: the guest has none there. */
static uint8_t *firmware_at(const struct device *d, uint32_t offset, uint32_t bytes)
{
	return d->env->mem ? mem_ptr(d->env->mem, gpa(BOARD_FLASH0_BASE + offset), bytes) : NULL;
}

static uint8_t array_byte(const struct device *d, bool vars, uint32_t offset)
{
	const struct flash *f = d->state;
	const uint8_t *rom;

	if (vars)
		return offset < f->there ? f->vars[offset] : 0xff;
	rom = firmware_at(d, offset, 1);
	return rom ? *rom : 0xff;
}

static uint8_t byte_at(const struct device *d, unsigned range, uint32_t offset)
{
	const struct bank *b = &((const struct flash *)d->state)->bank[range];

	return b->mode == READ_ARRAY ? array_byte(d, range, offset)
				     : (uint8_t)(chip_word(b, offset / 4, !range) >> 8 * (offset % 2));
}

static uint64_t flash_read(const struct device *d, unsigned range, uint32_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)byte_at(d, range, offset + i) << 8 * i;
	return value;
}

static void uncover(struct flash *f)
{
	if (f->cover)
		memcpy(f->cover, f->covered, COVER_BYTES);
	f->cover = NULL;
}

static void cover(struct device *d, uint32_t offset)
{
	uint32_t from = (uint32_t)align_down(offset, COVER_BYTES);
	uint8_t *p = firmware_at(d, from, COVER_BYTES);
	struct flash *f = d->state;

	if (!p || f->bank[0].mode == READ_ARRAY)
		return;
	memcpy(f->covered, p, COVER_BYTES);
	for (uint32_t i = 0; i < COVER_BYTES; i++)
		p[i] = byte_at(d, 0, from + i);
	f->cover = p;
}

static void show(struct device *d)
{
	struct flash *f = d->state;
	uint64_t bytes = align_up(f->there, BLOCK_BYTES);

	if (f->cannot_show || ++f->reads < READS_IN_A_ROW)
		return;
	if (bytes < SHOWN_BYTES_MIN)
		bytes = SHOWN_BYTES_MIN;
	memset(f->vars + f->there, 0xff, bytes - f->there);
	f->shown = !bus_read_from(d->env->vm, gpa(BOARD_FLASH1_BASE), f->vars, bytes);
	f->cannot_show = !f->shown;
}

static void hide(struct device *d)
{
	struct flash *f = d->state;

	f->reads = 0;
	if (f->shown)
		bus_read_from(d->env->vm, gpa(BOARD_FLASH1_BASE), NULL, 0);
	f->shown = false;
}

static enum bus_result flash_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	struct flash *f = d->state;

	if (write) {
		const struct word w = { .value = *value, .offset = (uint32_t)offset, .size = size };

		if (range)
			hide(d);
		else
			uncover(f);
		flash_write(d, &f->bank[range], &w);
		if (!range)
			cover(d, w.offset);
	} else {
		*value = flash_read(d, range, (uint32_t)offset, size);
		if (range && f->bank[range].mode == READ_ARRAY && !f->shown)
			show(d);
	}
	return BUS_OK;
}

/* ---- Life ---- */

static int read_vars(struct flash *f)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return log_err(-errno, "--firmware-vars: %s", strerror(errno));
	while (f->there < st.st_size && f->there < BOARD_FLASH_SIZE) {
		ssize_t n = pread(f->fd, f->vars + f->there, BOARD_FLASH_SIZE - f->there, f->there);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return log_err(-errno, "--firmware-vars: cannot read it: %s", strerror(errno));
		if (!n)
			break;
		f->there += (uint32_t)n;
	}
	return 0;
}

static int flash_create(struct device *d)
{
	struct flash *f = d->state;
	int err;

	f->fd = d->env->firmware ? d->env->firmware->vars : -1;
	f->vars = mmap(NULL, BOARD_FLASH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (f->vars == MAP_FAILED)
		return -ENOMEM;
	err = f->fd >= 0 ? read_vars(f) : 0;
	if (err)
		munmap(f->vars, BOARD_FLASH_SIZE);
	loop_timer_init(&f->sync, d->env->loop, &d->lock, sync_due, d);
	return err;
}

static void flash_destroy(struct device *d)
{
	struct flash *f = d->state;

	if (d->env->loop)
		loop_timer_arm(&f->sync, UINT64_MAX);
	sync_now(f);
	hide(d);
	munmap(f->vars, BOARD_FLASH_SIZE);
}

/* Power does not change what a flash has. */
static void flash_reset(struct device *d)
{
	struct flash *f = d->state;

	uncover(f);
	for (unsigned i = 0; i < 2; i++)
		f->bank[i] = (struct bank){ .mode = READ_ARRAY, .status = CFI_STATUS_READY };
}

static void flash_fdt(struct device *d, struct dt *t)
{
	static const uint64_t banks[2][2] = {
		{ BOARD_FLASH0_BASE, BOARD_FLASH_SIZE },
		{ BOARD_FLASH1_BASE, BOARD_FLASH_SIZE },
	};

	(void)d;
	dt_begin(t, "flash@%x", BOARD_FLASH0_BASE);
	dt_string(t, "compatible", "cfi-flash");
	dt_reg_list(t, banks, 2);
	dt_u32(t, "bank-width", 4);
	dt_end(t);
}

static const struct device_range flash_ranges[] = {
	{ "flash0", BOARD_FLASH0_BASE, BOARD_FLASH_SIZE },
	{ "flash1", BOARD_FLASH1_BASE, BOARD_FLASH_SIZE },
};

static const struct device_state flash_state[] = { STATE(struct flash, bank) };

static const struct device_type flash_type = {
	.name = "flash",
	.help = "NOR flash for firmware and its variables",
	.with_firmware = true,
	.state_bytes = sizeof(struct flash),
	.ranges = flash_ranges,
	.range_count = ARRAY_SIZE(flash_ranges),
	.state = flash_state,
	.state_count = ARRAY_SIZE(flash_state),
	.create = flash_create,
	.destroy = flash_destroy,
	.reset = flash_reset,
	.access = flash_access,
	.fdt = flash_fdt,
};
DEVICE(flash, &flash_type);
