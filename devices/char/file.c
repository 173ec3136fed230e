/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output into a file, a FIFO or a device; no input. */
#include <fcntl.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"

static int file_open(struct chardev *c, const char *arg)
{
	struct duplex *x = c->state;
	/* O_NONBLOCK: a FIFO without a reader is refused at once and a full one does not stop the guest's CPU. */
	int fd = open(arg, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd < 0)
		return log_err(-errno, "%s file:%s: cannot write there: %s", c->said, arg,
			       errno == ENXIO ? "nobody reads that FIFO" : strerror(errno));
	duplex_init(c, true);
	writer_open(&x->out, fd);
	return 0;
}

static const struct chardev_type file_type = {
	.name = "file",
	.arg = "PATH",
	.help = "output into PATH, no input",
	.state_bytes = sizeof(struct duplex),
	.open = file_open,
	.close = duplex_close,
	.write = duplex_write,
	.want = duplex_want,
};
CHARDEV(file, &file_type);
