/* SPDX-License-Identifier: GPL-2.0-or-later */
/* catch_call(fn, arg): calls fn(arg); an exception continues at catch_return as if fn had returned. */
	.text
	.globl catch_call
catch_call:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	adrp	x9, catch_frame
	mov	x10, sp
	str	x10, [x9, :lo12:catch_frame]
	mov	x9, x0
	mov	x0, x1
	blr	x9
	.globl catch_return
catch_return:
	msr	spsel, #1
	adrp	x9, catch_frame
	ldr	x10, [x9, :lo12:catch_frame]
	mov	sp, x10
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret

	.bss
	.balign	8
catch_frame:
	.quad	0
