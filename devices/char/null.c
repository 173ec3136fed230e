/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody: output vanishes (the console still keeps the last of it), no input. */
#include <vmm/char.h>

static int null_open(struct chardev *c, const char *arg)
{
	(void)c, (void)arg;
	return 0;
}

static size_t null_write(struct chardev *c, const uint8_t *bytes, size_t len)
{
	(void)c, (void)bytes;
	return len;
}

static void null_want(struct chardev *c, size_t input, bool output) { (void)c, (void)input, (void)output; }

static const struct chardev_type null_type = {
	.name = "null",
	.help = "no console",
	.open = null_open,
	.write = null_write,
	.want = null_want,
};
CHARDEV(null, &null_type);
