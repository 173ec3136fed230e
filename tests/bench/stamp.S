/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When was the first instruction executed? An arm64 Image (Documentation/arch/arm64/booting.rst)
 * of a few instructions: reads the physical counter at once, prints it in 16 hexadecimal
 * digits and powers off.
 */
#include <spec/board.h>
#include <spec/psci.h>

	b	_start
	.long	0
	.quad	0                       // text_offset
	.quad	0x10000                 // image_size
	.quad	2                       // flags: 4K pages, little endian
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.globl	_start
_start:
	mrs	x0, cntpct_el0
	movz	x1, #(BOARD_UART_BASE >> 16), lsl #16
	mov	x2, #16
1:	ror	x0, x0, #60
	and	w3, w0, #15
	cmp	w3, #10
	add	w4, w3, #'0'
	add	w5, w3, #('a' - 10)
	csel	w3, w4, w5, lo
	strb	w3, [x1]
	subs	x2, x2, #1
	b.ne	1b
	mov	w3, #'\n'
	strb	w3, [x1]
	ldr	w0, =PSCI_SYSTEM_OFF
	hvc	#0
	b	.
