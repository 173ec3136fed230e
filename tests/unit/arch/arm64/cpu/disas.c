/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/cpu/cpu.h"

#define PC UINT64_C(0x40002000)

static void text_names_the_instruction(void **state)
{
	static const struct {
		uint32_t word;
		const char *text;
	} rows[] = {
		{ 0xa8c10440, "ldp x0, x1, [x2], #0x10 at 0x40002000" },
		{ 0x4c402c40, "ld1 {v0.2d, v1.2d, v2.2d, v3.2d}, [x2] at 0x40002000" },
		{ 0xd503207f, "wfi at 0x40002000" },
		{ 0xd9000041, ".inst 0xd9000041 (STLUR_x) at 0x40002000" }, /* what libcapstone 4 does not know */
		{ 0xffffffff, ".inst 0xffffffff at 0x40002000" },
	};
	char text[80], small[8] = "";

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		text[0] = '\0';
		cpu_disas(rows[k].word, gva(PC), text, sizeof(text));
		if (strncmp(text, "stlur", 5)) /* a later libcapstone does */
			assert_string_equal(text, rows[k].text);
	}
	cpu_disas(rows[0].word, gva(PC), small, sizeof(small));
	assert_string_equal(small, "ldp x0,");
}

static void host_code_is_text_one_by_one(void **state)
{
	static const uint8_t code[] = { 0x48, 0x8b, 0x4f, 0x08, 0xc3, 0x06 };
	static const char *const texts[] = { "mov rcx, qword ptr [rdi + 8]", "ret", ".byte 0x06" };
	const uint8_t *p = code, *end = code + sizeof(code);

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(texts); k++) {
		char text[80] = "";

		p += disas_host(p, end, PC, text, sizeof(text));
		assert_string_equal(text, texts[k]);
	}
	assert_ptr_equal(p, end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_names_the_instruction),
		cmocka_unit_test(host_code_is_text_one_by_one),
	};

	return cmocka_run_group_tests_name("arch/arm64/cpu/disas", tests, NULL, NULL);
}
