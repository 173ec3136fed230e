/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every guest program says, and how it ends. */
#include <stdarg.h>
#include "lib.h"

u64 dtb;
static unsigned passed, failed, skipped;

static void put(char c)
{
	while (read32(BOARD_UART_BASE + 0x18) & 0x20) /* PL011 UARTFR.TXFF */
		;
	write32(BOARD_UART_BASE, (u8)c);
}

static void put_number(u64 v, unsigned base, int width)
{
	char b[24];
	int n = 0;

	do {
		b[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n < width)
		b[n++] = '0';
	while (n)
		put(b[--n]);
}

static void vprint(const char *f, va_list ap)
{
	for (; *f; f++) {
		bool l = false;
		int width = 0;

		if (*f != '%') {
			put(*f);
			continue;
		}
		f++;
		while (*f >= '0' && *f <= '9')
			width = width * 10 + *f++ - '0';
		while (*f == 'l' || *f == 'z') {
			l = true;
			f++;
		}
		if (*f == 's') {
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
		} else if (*f == 'c') {
			put((char)va_arg(ap, int));
		} else if (*f == 'd') {
			int64_t v = l ? va_arg(ap, int64_t) : va_arg(ap, int);
			if (v < 0)
				put('-');
			put_number(v < 0 ? -(u64)v : (u64)v, 10, width);
		} else if (*f == 'u' || *f == 'x') {
			u64 v = l ? va_arg(ap, u64) : va_arg(ap, u32);
			put_number(v, *f == 'x' ? 16 : 10, width);
		} else {
			put(*f);
		}
	}
}

void print(const char *f, ...)
{
	va_list ap;

	va_start(ap, f);
	vprint(f, ap);
	va_end(ap);
}

/* Only CPU 0 reports; the others hand their results over in memory. */
bool report(bool condition, const char *f, ...)
{
	va_list ap;

	print(condition ? "PASS: " : "FAIL: ");
	va_start(ap, f);
	vprint(f, ap);
	va_end(ap);
	print("\n");
	if (condition)
		passed++;
	else
		failed++;
	return condition;
}

void report_skip(const char *what, const char *why)
{
	print("SKIP: %s (%s)\n", what, why);
	skipped++;
}

_Noreturn void finish(void)
{
	print("SUMMARY: %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		wfi();
}

void guest_main(u64 x0);
void guest_main(u64 x0)
{
	dtb = x0;
	test();
	finish();
}

bool told(const char *word)
{
	u32 bytes = __builtin_bswap32(read32(dtb + 4));
	size_t len = 0;

	while (word[len])
		len++;
	for (u64 a = dtb; a + len <= dtb + bytes; a++)
		if (!memcmp((const void *)a, word, len))
			return true;
	return false;
}

void *memset(void *d, int c, size_t n)
{
	for (u8 *p = d; n--;)
		*p++ = (u8)c;
	return d;
}

void *memcpy(void *d, const void *s, size_t n)
{
	u8 *p = d;

	for (const u8 *q = s; n--;)
		*p++ = *q++;
	return d;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n--; p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}
