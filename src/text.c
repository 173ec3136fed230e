/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vmm/text.h>

static void add(char *text, size_t bytes, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

static void add(char *text, size_t bytes, const char *fmt, va_list ap)
{
	size_t at = strlen(text);

	vsnprintf(text + at, bytes - at, fmt, ap);
}

void text_add(char *text, size_t bytes, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(text, bytes, fmt, ap);
	va_end(ap);
}

void text_add_item(char *text, size_t bytes, const char *separator, const char *fmt, ...)
{
	va_list ap;

	if (text[0])
		text_add(text, bytes, "%s", separator);
	va_start(ap, fmt);
	add(text, bytes, fmt, ap);
	va_end(ap);
}
