/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option door: words after "vmm", through whichever subcommand they name.
 * `vmm run' gets as far as looking for a kernel that does not exist.
 */
#include <vmm/cmd.h>
#include <vmm/opt.h>

#include "fuzz.h"

#define WORDS_MAX 40

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	return 0;
}

static bool begins(const char *word, const char *with) { return !strncmp(word, with, strlen(with)); }

/*
 * Words that may not be what they are: no path beyond this folder, no file that
 * is written, and not what argp does by itself (help and usage end the process,
 * --HANG sleeps).
 */
static char *harmless(char *word)
{
	static char result[] = "--result-json=/dev/null", quiet[] = "--log-level=err";

	if (begins(word, "--r"))
		return result;
	if (begins(word, "--l"))
		return quiet;
	if (strchr(word, '/') || begins(word, "--he") || begins(word, "--us") || begins(word, "--H") ||
	    begins(word, "--V") || begins(word, "--vers") || begins(word, "--p") || begins(word, "--dump") ||
	    (word[0] == '-' && word[1] != '-'))
		return NULL;
	return word;
}

static void one_number(const char *text)
{
	uint64_t v = 0;
	char room[32];

	if (!opt_size("size", text, 4096, GIB, &v))
		EXPECT(v >= 4096 && v <= GIB && opt_size_text(v, room, sizeof(room)) == room);
	if (!opt_time("time", text, 1, NSEC_PER_SEC, &v))
		EXPECT(v >= 1 && v <= NSEC_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *word, *argv[WORDS_MAX + 2] = { NULL };
	char name[] = "vmm command";
	const struct command *cmd;
	int argc = 1;

	EXPECT(text);
	memcpy(text, data, size);
	text[size] = 0;
	argv[0] = name;
	cmd = command_find(strsep(&rest, "\n"));
	while (rest && (word = strsep(&rest, "\n")) && argc < WORDS_MAX) {
		one_number(word);
		word = harmless(word);
		/* `vmm help run' is `vmm run --help', which ends the process. */
		if (word && !(cmd && !strcmp(cmd->name, "help") && command_find(word)))
			argv[argc++] = word;
	}
	if (cmd) {
		int status = cmd->run(argc, argv);

		EXPECT(status >= 0 && status < 256);
		fuzz_quiet();
	}
	free(text);
	return 0;
}
