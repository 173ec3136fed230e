/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings that are put together piece by piece, for messages; and prose in columns. */
#ifndef VMM_TEXT_H
#define VMM_TEXT_H

#include <stddef.h>

/* Appends to the string in @text, an array of @bytes; what does not fit is cut off. */
void text_add(char *text, size_t bytes, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The same for an item of a list: @separator goes before all but the first. */
void text_add_item(char *text, size_t bytes, const char *separator, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * @text and a newline on stdout from column @indent on, broken at blanks before column 80. The
 * cursor is in column @at; where that is too far right, on the next line.
 */
void text_print(const char *text, int at, int indent);

#endif
