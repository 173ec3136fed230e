/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <vmm/facts.h>
#include <vmm/hv.h>
#include <vmm/text.h>

#define WHY_COLUMN 18

struct json_object *facts_string(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return json_object_new_string(text);
}

const char *facts_get(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

struct json_object *facts_of_backend(const struct hv_ops *ops, bool *available)
{
	struct json_object *o = json_object_new_object();
	char why[160] = "";

	*available = !ops->available(why, sizeof(why));
	json_object_object_add(o, "name", json_object_new_string(ops->name));
	json_object_object_add(o, "help", json_object_new_string(ops->help));
	json_object_object_add(o, "available", json_object_new_boolean(*available));
	if (!*available)
		json_object_object_add(o, "why", json_object_new_string(why));
	return o;
}

void facts_print_backend(struct json_object *backend)
{
	const char *why = facts_get(backend, "why");

	printf("hypervisor %s: %s\n", facts_get(backend, "name"), facts_get(backend, "help"));
	if (why)
		text_print(why, printf("  not available:"), WHY_COLUMN);
	else
		puts("  available");
}

void facts_print_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
}
