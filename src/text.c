/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vmm/text.h>

#define COLUMNS 80

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

void text_print(const char *text, int at, int indent)
{
	if (at > indent - 2)
		printf("\n%*s", indent, "");
	else
		printf("%*s", indent - at, "");
	at = indent;
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (at > indent && at + 1 + word > COLUMNS)
			printf("\n%*s", at = indent, "");
		else if (at > indent)
			at += printf(" ");
		at += printf("%.*s", word, text);
		text += word;
		text += *text == ' ';
	}
	putchar('\n');
}
