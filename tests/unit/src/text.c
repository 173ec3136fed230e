/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <vmm/text.h>

static void pieces_are_appended(void **state)
{
	char text[32] = "a";

	(void)state;
	text_add(text, sizeof(text), "=%d", 5);
	text_add(text, sizeof(text), "%s", "");
	text_add(text, sizeof(text), ";");
	assert_string_equal(text, "a=5;");
}

static void a_separator_stands_between_items_only(void **state)
{
	char text[32] = "";

	(void)state;
	text_add_item(text, sizeof(text), ", ", "%s", "one");
	assert_string_equal(text, "one");
	text_add_item(text, sizeof(text), ", ", "%d", 2);
	text_add_item(text, sizeof(text), ", ", "%s", "three");
	assert_string_equal(text, "one, 2, three");
}

static void what_does_not_fit_is_cut_off(void **state)
{
	char text[8] = "";

	(void)state;
	text_add(text, sizeof(text), "%s", "123456");
	text_add_item(text, sizeof(text), ", ", "%s", "more");
	assert_string_equal(text, "123456,");
	text_add(text, sizeof(text), "%s", "and more");
	text_add_item(text, sizeof(text), ", ", "%s", "still");
	assert_string_equal(text, "123456,");
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_appended),
		cmocka_unit_test(a_separator_stands_between_items_only),
		cmocka_unit_test(what_does_not_fit_is_cut_off),
	};

	return cmocka_run_group_tests_name("src/text", tests, NULL, NULL);
}
