/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry of every guest program, as Documentation/arm64/booting describes it:
 * EL1, MMU off, x0 = device tree. Then the vectors, which save everything and
 * ask C what to do.
 */
	.section .text.start, "ax"
	.globl _start
_start:
	mov	x19, x0
	adrp	x1, stack_top
	add	x1, x1, :lo12:stack_top
	mov	sp, x1
	bl	cpu_setup
	adrp	x1, bss_start
	add	x1, x1, :lo12:bss_start
	adrp	x2, bss_end
	add	x2, x2, :lo12:bss_end
1:	cmp	x1, x2
	b.hs	2f
	str	xzr, [x1], #8
	b	1b
2:	mov	x0, x19
	bl	guest_main
	b	.

	/* CPU_ON enters here; x0 is the address of struct secondary of smp.c: stack, fn, arg, mair, tcr, ttbr, sctlr, done. */
	.globl secondary_start
secondary_start:
	ldr	x1, [x0]
	mov	sp, x1
	mov	x22, x0
	ldp	x20, x21, [x0, #8]
	ldp	x2, x3, [x0, #24]
	ldp	x4, x5, [x0, #40]
	bl	cpu_setup
	cbz	x4, 3f
	msr	mair_el1, x2
	msr	tcr_el1, x3
	msr	ttbr0_el1, x4
	isb
	tlbi	vmalle1
	dsb	sy
	isb
	msr	sctlr_el1, x5
	isb
3:	mov	x0, x21
	blr	x20
	mov	x0, #1
	str	x0, [x22, #56]
	dsb	sy
	mov	x0, #2
	movk	x0, #0x8400, lsl #16	/* PSCI CPU_OFF */
	hvc	#0
	b	.

cpu_setup:
	mov	x6, #(3 << 20)		/* CPACR_EL1.FPEN */
	msr	cpacr_el1, x6
	adrp	x6, vectors
	add	x6, x6, :lo12:vectors
	msr	vbar_el1, x6
	isb
	ret

	/* struct regs of lib.h: x0..x30, sp, elr, spsr, esr, far, vector */
	.macro	vector n
	.balign	128
	sub	sp, sp, #304
	stp	x0, x1, [sp]
	mov	x0, #\n
	b	save
	.endm

	.section .text.vectors, "ax"
	.balign	2048
vectors:
	vector 0
	vector 1
	vector 2
	vector 3
	vector 4
	vector 5
	vector 6
	vector 7
	vector 8
	vector 9
	vector 10
	vector 11
	vector 12
	vector 13
	vector 14
	vector 15
save:
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x19, [sp, #144]
	stp	x20, x21, [sp, #160]
	stp	x22, x23, [sp, #176]
	stp	x24, x25, [sp, #192]
	stp	x26, x27, [sp, #208]
	stp	x28, x29, [sp, #224]
	add	x1, sp, #304
	stp	x30, x1, [sp, #240]
	mrs	x1, elr_el1
	mrs	x2, spsr_el1
	stp	x1, x2, [sp, #256]
	mrs	x1, esr_el1
	mrs	x2, far_el1
	stp	x1, x2, [sp, #272]
	str	x0, [sp, #288]
	mov	x0, sp
	bl	guest_exception
	ldp	x1, x2, [sp, #256]
	msr	elr_el1, x1
	msr	spsr_el1, x2
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x19, [sp, #144]
	ldp	x20, x21, [sp, #160]
	ldp	x22, x23, [sp, #176]
	ldp	x24, x25, [sp, #192]
	ldp	x26, x27, [sp, #208]
	ldp	x28, x29, [sp, #224]
	ldr	x30, [sp, #240]
	ldp	x0, x1, [sp]
	add	sp, sp, #304
	eret
