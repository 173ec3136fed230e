/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16 bytes at once, for LDXP, STXP and CASP. The compilers' __atomic builtins
 * for this size call libatomic, which on some hosts takes a lock that plain
 * guest stores would not honour; so this is written out per host.
 */
#ifndef CPU_ATOMIC128_H
#define CPU_ATOMIC128_H

#include <stdbool.h>
#include <stdint.h>

/* @p is 16-byte aligned, readable and writable. Both are sequentially consistent. */

#if defined(__x86_64__)

/* True if *p was old[]; if not, old[] is what *p was. */
static inline bool atomic128_cas(void *p, uint64_t old[2], const uint64_t new[2])
{
	bool ok;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(ok), "+m"(*(unsigned __int128 *)p), "+a"(old[0]), "+d"(old[1])
			 : "b"(new[0]), "c"(new[1])
			 : "memory");
	return ok;
}

static inline void atomic128_load(const void *p, uint64_t v[2])
{
	/* Intel and AMD both promise that aligned 16-byte moves are atomic where there is AVX. */
	if (__builtin_cpu_supports("avx")) {
		typedef uint64_t v2u64 __attribute__((vector_size(16)));
		v2u64 t;

		__asm__ volatile("vmovdqa %1, %0" : "=x"(t) : "m"(*(const v2u64 *)p) : "memory");
		v[0] = t[0];
		v[1] = t[1];
		return;
	}
	v[0] = 0;
	v[1] = 0;
	atomic128_cas((void *)(uintptr_t)p, v, (const uint64_t[2]){ 0, 0 });
}

#elif defined(__aarch64__)

static inline bool atomic128_cas(void *p, uint64_t old[2], const uint64_t new[2])
{
	uint64_t lo, hi;
	uint32_t failed, differs;

	/* When the values differ, what was read is stored back: only that proves the two halves belong together. */
	__asm__ volatile("1:	ldaxp	%[lo], %[hi], %[m]\n"
			 "	cmp	%[lo], %[olo]\n"
			 "	ccmp	%[hi], %[ohi], #0, eq\n"
			 "	cset	%w[differs], ne\n"
			 "	b.ne	2f\n"
			 "	stlxp	%w[failed], %[nlo], %[nhi], %[m]\n"
			 "	cbnz	%w[failed], 1b\n"
			 "	b	3f\n"
			 "2:	stlxp	%w[failed], %[lo], %[hi], %[m]\n"
			 "	cbnz	%w[failed], 1b\n"
			 "3:"
			 : [lo] "=&r"(lo), [hi] "=&r"(hi), [failed] "=&r"(failed), [differs] "=&r"(differs),
			   [m] "+Q"(*(unsigned __int128 *)p)
			 : [olo] "r"(old[0]), [ohi] "r"(old[1]), [nlo] "r"(new[0]), [nhi] "r"(new[1])
			 : "cc", "memory");
	old[0] = lo;
	old[1] = hi;
	return !differs;
}

static inline void atomic128_load(const void *p, uint64_t v[2])
{
	v[0] = 0;
	v[1] = 0;
	atomic128_cas((void *)(uintptr_t)p, v, (const uint64_t[2]){ 0, 0 });
}

#else
#error "16-byte atomic access: write it for this host"
#endif

#endif
