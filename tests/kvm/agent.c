// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first process of a KVM host (see host): runs commands for clients outside. One TCP
 * connection is one command. Frames both ways: a letter, four bytes of length (big endian), payload.
 *
 *   h  client: strings, each with its NUL: secret, user id, "tty" or "", folder, count of
 *      variables, the variables, the arguments. Once, first
 *   i  client: input. Length 0 is its end
 *   s  client: a byte, the signal to send to the command
 *   o  agent: output    e  agent: error output
 *   x  agent: four bytes, the status as waitpid() gives it. Last
 *
 * A connection that ends before "x" kills the command and everything in its process group.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNK = 65536, STRINGS = 1024 };

struct command {
	unsigned int uid;
	bool tty;
	const char *folder;
	char **env, **argv;
};

static int sock;
static pid_t child;

static void give_up(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		kill(-child, SIGKILL);
	}
	_exit(1);
}

static void recv_all(void *to, size_t n)
{
	for (ssize_t got; n > 0; to = (char *)to + got, n -= got) {
		got = recv(sock, to, n, 0);
		if (got <= 0)
			give_up();
	}
}

static void send_all(const void *from, size_t n)
{
	for (ssize_t put; n > 0; from = (const char *)from + put, n -= put) {
		put = send(sock, from, n, MSG_NOSIGNAL);
		if (put <= 0)
			give_up();
	}
}

/* A frame into buf; its length. */
static uint32_t recv_frame(char *type, char *buf)
{
	uint32_t n;

	recv_all(type, 1);
	recv_all(&n, sizeof(n));
	n = ntohl(n);
	if (n > CHUNK)
		give_up();
	recv_all(buf, n);
	return n;
}

static void send_frame(char type, const void *payload, uint32_t n)
{
	char head[5] = { type };
	uint32_t len = htonl(n);

	memcpy(head + 1, &len, sizeof(len));
	send_all(head, sizeof(head));
	send_all(payload, n);
}

static void recv_command(const char *secret, struct command *c)
{
	static char buf[CHUNK + 1], *string[STRINGS + 1], *env[STRINGS];
	char type;
	uint32_t n = recv_frame(&type, buf);
	int count = 0, vars;

	buf[n] = 0;
	for (char *s = buf; s < buf + n && count < STRINGS; s += strlen(s) + 1)
		string[count++] = s;
	if (type != 'h' || count < 6 || strcmp(string[0], secret))
		give_up();
	vars = atoi(string[4]);
	if (vars < 0 || vars > count - 6)
		give_up();
	memcpy(env, string + 5, vars * sizeof(*env));
	*c = (struct command){ atoi(string[1]), string[2][0], string[3], env, string + 5 + vars };
}

static void __attribute__((noreturn)) become(const struct command *c)
{
	const char *path;

	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	if (c->uid && (setgroups(0, NULL) || setgid(c->uid) || setuid(c->uid)))
		goto failed;
	if (chdir(c->folder)) {
		dprintf(2, "agent: %s: %s\n", c->folder, strerror(errno));
		_exit(127);
	}
	environ = c->env;
	path = getenv("PATH");
	setenv("PATH", path ? path : "/bin", 1);
	execvp(c->argv[0], c->argv);
failed:
	dprintf(2, "agent: %s: %s\n", c->argv[0], strerror(errno));
	_exit(127);
}

/* The command, and our ends of its input, output and error output (-1 with a terminal). */
static void start(const struct command *c, int *in, int *out, int *err)
{
	int pipes[3][2];

	if (c->tty) {
		child = forkpty(out, NULL, NULL, NULL);
		if (child < 0)
			give_up();
		if (!child)
			become(c);
		*in = dup(*out);
		*err = -1;
		return;
	}
	for (int i = 0; i < 3; i++) {
		if (pipe2(pipes[i], O_CLOEXEC))
			give_up();
	}
	child = fork();
	if (child < 0)
		give_up();
	if (!child) {
		setsid();
		dup2(pipes[0][0], 0);
		dup2(pipes[1][1], 1);
		dup2(pipes[2][1], 2);
		become(c);
	}
	close(pipes[0][0]);
	close(pipes[1][1]);
	close(pipes[2][1]);
	*in = pipes[0][1];
	*out = pipes[1][0];
	*err = pipes[2][0];
}

/* What is there to be read goes to the client; at its end the descriptor is closed and forgotten. */
static bool pass_on(char type, int *fd)
{
	static char buf[CHUNK];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return false;
	}
	send_frame(type, buf, n);
	return true;
}

static void serve(const char *secret)
{
	static char input[CHUNK];
	struct command c;
	uint32_t have = 0, done = 0, status;
	int in, out, err, ended, wait_status;
	char type;

	recv_command(secret, &c);
	start(&c, &in, &out, &err);
	fcntl(in, F_SETFL, O_NONBLOCK);
	fcntl(out, F_SETFL, O_NONBLOCK);
	fcntl(err, F_SETFL, O_NONBLOCK);
	ended = pidfd_open(child, 0);
	for (;;) {
		bool pending = done < have;
		struct pollfd p[] = {
			{ sock, (pending ? 0 : POLLIN) | POLLRDHUP, 0 },
			{ pending ? in : -1, POLLOUT, 0 },
			{ out, POLLIN, 0 },
			{ err, POLLIN, 0 },
			{ ended, POLLIN, 0 },
		};

		if (poll(p, 5, -1) < 0)
			continue;
		if (p[1].revents) {
			ssize_t n = write(in, input + done, have - done);

			if (n > 0)
				done += n;
			else if (errno != EAGAIN) /* nobody reads it any more */
				done = have;
		}
		if (p[2].revents)
			pass_on('o', &out);
		if (p[3].revents)
			pass_on('e', &err);
		if (p[4].revents)
			break;
		if (!pending && p[0].revents) {
			have = recv_frame(&type, input);
			done = 0;
			if (type == 's' && have == 1)
				kill(-child, input[0]);
			if (type == 'i' && !have && !c.tty && in >= 0) {
				close(in);
				in = -1;
			}
			if (type != 'i' || in < 0)
				have = 0;
		} else if (p[0].revents & (POLLRDHUP | POLLHUP | POLLERR)) {
			give_up();
		}
	}
	while (out >= 0 && pass_on('o', &out))
		;
	while (err >= 0 && pass_on('e', &err))
		;
	if (waitpid(child, &wait_status, 0) != child)
		give_up();
	status = htonl(wait_status);
	send_frame('x', &status, sizeof(status));
}

/* agent PORT SECRET */
int main(int argc, char **argv)
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (argc != 3)
		return 2;
	here.sin_port = htons(atoi(argv[1]));
	if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof(here)) || listen(listener, 64)) {
		perror("agent");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	printf("agent: ready\n");
	fflush(stdout);
	for (;;) {
		sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (sock < 0)
			continue;
		setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (!fork()) {
			signal(SIGCHLD, SIG_DFL);
			serve(argv[2]);
			_exit(0);
		}
		close(sock);
	}
}
