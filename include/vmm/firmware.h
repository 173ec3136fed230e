/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware: what --firmware puts into flash bank 0, and what its devices (flash,
 * fw_cfg) have to know of the run.
 *
 * The guest is entered at 0 then, and the device tree is at the RAM base: that is where
 * U-Boot and EDK2 for QEMU's virt machine look for it.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <vmm/types.h>

struct mem;
struct load;

struct firmware {
	int vars;               /* a file with what flash bank 1 keeps; shorter than it, the rest is erased */
	const char *kernel, *initrd, *cmdline;  /* for the firmware to boot, by fw_cfg; NULL: none */
};

/* Bank 0 as memory, the file in it, and in *l where everything is. 0 or -errno with a message. */
int firmware_load(struct mem *m, const char *path, struct load *l);

/*
 * Opens, or makes, the file of --firmware-vars, and locks it: it is one VM's. @path NULL: memory
 * that lasts as long as *fd, which is the caller's to close. 0 or -errno with a message.
 */
int firmware_vars_open(const char *path, int *fd);

#endif
