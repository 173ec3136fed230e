/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output into a file, a FIFO or a device; no input. */
#include <fcntl.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"

struct file {
	struct writer out;
};

static int file_open(struct chardev *c, const char *arg)
{
	struct file *f = c->state;
	/* O_NONBLOCK: a FIFO without a reader is refused at once and a full one does not stop the guest's CPU. */
	int fd = open(arg, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd < 0)
		return log_err(-errno, "--console file:%s: cannot write there: %s", arg,
			       errno == ENXIO ? "nobody reads that FIFO" : strerror(errno));
	writer_init(&f->out, c);
	writer_open(&f->out, fd);
	return 0;
}

static void file_close(struct chardev *c) { writer_close(&((struct file *)c->state)->out); }

static size_t file_write(struct chardev *c, const uint8_t *bytes, size_t len)
{
	return writer_write(&((struct file *)c->state)->out, bytes, len);
}

static void file_want(struct chardev *c, size_t input, bool output)
{
	(void)input;
	if (output)
		writer_want(&((struct file *)c->state)->out);
}

static const struct chardev_type file_type = {
	.name = "file",
	.arg = "PATH",
	.help = "output into PATH, no input",
	.state_bytes = sizeof(struct file),
	.open = file_open,
	.close = file_close,
	.write = file_write,
	.want = file_want,
};
CHARDEV(file, &file_type);
