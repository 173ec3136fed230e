/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that may end in an exception, called as a C function: save_frame keeps
 * what AAPCS64 wants back and notes SP at @where; load_frame, which
 * guest_exception returns to, ends that function. x9 and x10 are used.
 */
	.macro	save_frame where
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	adrp	x9, \where
	mov	x10, sp
	str	x10, [x9, :lo12:\where]
	.endm

	.macro	load_frame where
	adrp	x9, \where
	ldr	x10, [x9, :lo12:\where]
	mov	sp, x10
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp], #96
	ret
	.endm

	/* catch_call(fn, arg): calls fn(arg); an exception continues at catch_return as if fn had returned. */
	.text
	.globl catch_call
catch_call:
	save_frame catch_frame
	mov	x9, x0
	mov	x0, x1
	blr	x9
	.globl catch_return
catch_return:
	msr	spsel, #1
	load_frame catch_frame

	/*
	 * uint64_t el0_call(entry, sp_el0, arg): runs @entry at EL0 with x0 = arg until
	 * it executes SVC #0 (returns its x0) or takes another exception (recorded by
	 * guest_exception, which then makes el0_call return).
	 */
	.globl el0_call
el0_call:
	save_frame el0_frame
	msr	sp_el0, x1
	msr	elr_el1, x0
	mov	x9, #0			/* EL0t, interrupts unmasked */
	msr	spsr_el1, x9
	mov	x0, x2
	eret
	/* guest_exception sets ELR here, SPSR EL1h, and x0 in the frame. */
	.globl el0_return
el0_return:
	load_frame el0_frame

	.bss
	.balign	8
catch_frame:
	.quad	0
el0_frame:
	.quad	0
