/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives back every byte it is sent; from a "#" on it counts instead, a number a line, without end. */
#include "lib/lib.h"

#define FR      (BOARD_UART_BASE + 0x18)
#define FR_RXFE 0x10
#define FR_TXFF 0x20

static u8 get(void)
{
	while (read32(FR) & FR_RXFE)
		;
	return (u8)read32(BOARD_UART_BASE);
}

static void put(u8 c)
{
	while (read32(FR) & FR_TXFF)
		;
	write32(BOARD_UART_BASE, c);
}

void test(void)
{
	print("ready\n");
	for (;;) {
		u8 c = get();

		if (c != '#') {
			put(c);
			continue;
		}
		for (unsigned i = 0;; i++)
			print("%u\n", i);
	}
}
