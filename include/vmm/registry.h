/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Things that register themselves: devices, subcommands, backends, host ends.
 *
 * A file ends in one line that puts a pointer into a linker section named
 * after the set; the core walks the section. Adding a thing is adding a file.
 *
 * Link objects, never an archive: an archive member nobody references is
 * dropped, and its registration with it. "retain" keeps lld's --gc-sections
 * from doing the same. The section is an array of pointers, so that objects of
 * different size or alignment cannot leave holes. Order of the array is the
 * link order and must not matter.
 */
#ifndef VMM_REGISTRY_H
#define VMM_REGISTRY_H

#include <string.h>

#define REGISTER(set, type, name, object)                                              \
	__attribute__((section("reg_" #set), used, retain))                            \
	static type *const reg_##set##_##name = (object)

/* Once per file that walks @set; an empty set is fine. */
#define REGISTRY(set, type)                                                            \
	extern type *const __start_reg_##set[] __attribute__((weak, visibility("hidden"))); \
	extern type *const __stop_reg_##set[] __attribute__((weak, visibility("hidden")))

/*
 * Instead of REGISTRY, for things with a member `name': defines @at, the i-th by name (so
 * that the link order does not show), NULL past the last; and @find, by name, or NULL.
 */
#define REGISTRY_BY_NAME(set, type, at, find)                                          \
	REGISTRY(set, type);                                                           \
	type *at(unsigned i)                                                           \
	{                                                                              \
		FOR_EACH_REGISTERED(set, type, t) {                                    \
			unsigned smaller = 0;                                          \
                                                                                       \
			FOR_EACH_REGISTERED(set, type, u)                              \
				smaller += strcmp((*u)->name, (*t)->name) < 0;         \
			if (smaller == i)                                              \
				return *t;                                             \
		}                                                                      \
		return NULL;                                                           \
	}                                                                              \
	type *find(const char *name)                                                   \
	{                                                                              \
		FOR_EACH_REGISTERED(set, type, t)                                      \
			if (!strcmp((*t)->name, name))                                 \
				return *t;                                             \
		return NULL;                                                           \
	}                                                                              \
	_Static_assert(1, "a semicolon follows")

#define FOR_EACH_REGISTERED(set, type, var)                                            \
	for (type *const *var = __start_reg_##set; var != __stop_reg_##set; var++)

#endif
