/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands that look at this host have in common: facts are gathered in one tree of
 * json-c, which is printed as text or as JSON, so that the two cannot differ.
 */
#ifndef VMM_FACTS_H
#define VMM_FACTS_H

#include <stdbool.h>

struct json_object;
struct hv_ops;

/* A string for a tree. */
struct json_object *facts_string(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* String @key of @o, as long as @o lives. */
const char *facts_get(struct json_object *o, const char *key);
/* name, help, available, and why not. */
struct json_object *facts_of_backend(const struct hv_ops *ops, bool *available);
/* Its first lines as text. */
void facts_print_backend(struct json_object *backend);
/* On stdout. */
void facts_print_json(struct json_object *o);

#endif
