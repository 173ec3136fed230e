/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of every type, with the options that the type has for tests, and what those stand for. */
#ifndef FUZZ_DEVICES_H
#define FUZZ_DEVICES_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <vmm/device.h>
#include <vmm/opt.h>

#include "fuzz.h"

#define FUZZ_FILE_BYTES (2 * MIB)

/* What somebody has on the other side of a device; -1 and empty where it has nothing there. */
struct fuzz_host {
	int socket;
	char folder[PATH_MAX];
};

static inline int fuzz_remove(const char *path, const struct stat *st, int flag, struct FTW *w)
{
	(void)st;
	if (w->level)
		EXPECT(!remove(path) || flag == FTW_DP);
	return 0;
}

/* Whatever the guest has put there. */
static inline void fuzz_empty_folder(const char *folder) { nftw(folder, fuzz_remove, 16, FTW_DEPTH | FTW_PHYS); }

/* As in main(); at the beginning of an input, because libFuzzer sets handlers after LLVMFuzzerInitialize. */
static inline void fuzz_signals(void)
{
	static bool done;

	if (!done) {
		signal(SIGPIPE, SIG_IGN);
		signal(SIGXFSZ, SIG_IGN);
	}
	done = true;
}

static inline void fuzz_make_file(char *text, size_t room)
{
	static const uint8_t zeroes[FUZZ_FILE_BYTES];

	snprintf(text, room, "%s", fuzz_file(zeroes, sizeof(zeroes)).path);
}

static inline void fuzz_make(const char *word, char *text, size_t room, struct fuzz_host *h)
{
	/* The guest may make files longer, but not by much. */
	const struct rlimit limit = { 4 * FUZZ_FILE_BYTES, 4 * FUZZ_FILE_BYTES };
	int pair[2];

	setrlimit(RLIMIT_FSIZE, &limit);
	if (!strcmp(word, "FILE")) {
		fuzz_make_file(text, room);
	} else if (!strcmp(word, "FOLDER")) {
		/* Where we are: tests/fuzz/run clears that away. */
		EXPECT(getcwd(h->folder, sizeof(h->folder) - 32));
		strcat(h->folder, "/vmm-fuzz-XXXXXX");
		EXPECT(mkdtemp(h->folder));
		snprintf(text, room, "%s", h->folder);
	} else {
		EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
		h->socket = pair[1];
		snprintf(text, room, "%d", pair[0]);
	}
}

static inline bool fuzz_can_make(const struct device_type *t) { return !t->trial || *t->trial; }

/* Adds a device of @t to those wanted. What its options stand for lives as long as the process. */
static inline struct fuzz_host fuzz_device(struct opt_devices *wanted, const struct device_type *t)
{
	static const char *const words[] = { "FILE", "FOLDER", "SOCKET" };
	struct fuzz_host h = { .socket = -1 };
	char *text = calloc(1, 2 * PATH_MAX), *at;
	const char *p = t->trial;

	EXPECT(text && wanted->count < OPT_DEVICES_MAX);
	at = text + sprintf(text, p ? "%s," : "%s", t->name);
	while (p && *p) {
		unsigned i = 0;

		while (i < ARRAY_SIZE(words) && strncmp(p, words[i], strlen(words[i])))
			i++;
		if (i < ARRAY_SIZE(words)) {
			fuzz_make(words[i], at, PATH_MAX, &h);
			at += strlen(at);
			p += strlen(words[i]);
		} else {
			*at++ = *p++;
		}
	}
	wanted->item[wanted->count++] = (struct opt_device){ .text = text };
	return h;
}

#endif
