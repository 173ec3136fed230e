/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/cmd.h>
#include <vmm/log.h>
#include <vmm/opt.h>

static const char *nearest_command(const char *name)
{
	const char *names[32];
	unsigned count = 0;

	for (const struct command *c; count < 32 && (c = command_at(count)); count++)
		names[count] = c->name;
	return opt_nearest(name, names, count);
}

static int no_such_command(const char *name)
{
	const char *near = nearest_command(name);

	if (near)
		log_err(0, "%s: no such command; did you mean %s? See vmm --help", name, near);
	else if (strchr(name, '/') || !access(name, F_OK))
		log_err(0, "%s: no such command; did you mean vmm run %s? See vmm --help", name, name);
	else
		log_err(0, "%s: no such command; see vmm --help", name);
	return PROC_USAGE;
}

/* What was printed and did not arrive is a failure: a script that reads `vmm caps' must not take half for all. */
static int flushed(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	log_err(0, "standard output: %s", strerror(errno));
	return status == PROC_POWEROFF ? PROC_HOST : status;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "help";
	const struct command *c;
	char program[64];

	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	if (!strcmp(name, "--version"))
		name = "version";
	c = command_find(name);
	if (!c)
		return no_such_command(name);
	snprintf(program, sizeof(program), "vmm %s", c->name);
	if (argc < 2)
		return flushed(c->run(1, (char *[]){ program, NULL }));
	argv[1] = program;
	return flushed(c->run(argc - 1, argv + 1));
}
