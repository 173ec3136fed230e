/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Libraries that are loaded when they are first needed, because they and what they pull in
 * would be linked at every start, used or not.
 *
 *   #define FUNCTIONS(X) X(slirp_new) X(slirp_cleanup)
 *   static struct { FUNCTIONS(LIBRARY_POINTER) } lib;
 *
 *   err = LIBRARY_LOAD("--net user", "libslirp.so.0", "libslirp0", FUNCTIONS, lib);
 *   lib.slirp_new(...);
 *
 * The functions' types are those of the library's own header.
 */
#ifndef VMM_LIBRARY_H
#define VMM_LIBRARY_H

#define LIBRARY_POINTER(function)       __typeof__(function) *function;
#define LIBRARY_NAME(function)          #function,

#define LIBRARY_LOAD(said, file, package, functions, pointers)                                  \
	library_load(said, file, package, (const char *const[]){ functions(LIBRARY_NAME) },     \
		     sizeof(pointers) / sizeof(void *), &(pointers))

/*
 * Fills the array of pointers to functions at @pointers. 0, or -ENOENT with a message that says what
 * needs it, @said, and which Debian package has it. Once loaded it stays.
 */
int library_load(const char *said, const char *file, const char *package, const char *const *names, unsigned count,
		 void *pointers);

#endif
