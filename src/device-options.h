/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SRC_DEVICE_OPTIONS_H
#define SRC_DEVICE_OPTIONS_H

#include <vmm/device.h>

/*
 * Puts what the user says into the states of @d and of its host end, for which it makes room.
 * @text is "key=value,..." or NULL; a copy of it becomes d->options. 0, or -errno with a message.
 */
int device_options_parse(struct device *d, const char *text);
void device_options_free(struct device *d);

#endif
