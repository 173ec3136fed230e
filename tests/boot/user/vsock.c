/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's side of vsock.boot, whose host's is tests/boot/vsock.py; both sides on a host with vhost-vsock.
 *
 *   vsock echo PORT COUNT      gives that many connections back what they send, many at a time
 *   vsock talk PORT BYTES      sends so many to the host (or who has the address CID, behind BYTES), wants them
 *                              back, and then the end
 *   vsock many PORT COUNT      so many short talks, one after another
 *   vsock refused PORT         nobody is there
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h> /* needs what comes before */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int new_socket(void)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static struct sockaddr_vm address(unsigned cid, unsigned port)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
}

static void write_all(int fd, const unsigned char *p, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, p, bytes);

		if (n <= 0)
			die("write");
		p += n;
		bytes -= (size_t)n;
	}
}

static void echo_one(int fd)
{
	static unsigned char buffer[20000];
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		write_all(fd, buffer, (size_t)n);
	if (n < 0)
		die("read");
	close(fd);
}

static int echo(unsigned port, unsigned count)
{
	struct sockaddr_vm a = address(VMADDR_CID_ANY, port);
	int fd = new_socket(), bad = 0, status;

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 64))
		die("listen");
	for (unsigned i = 0; i < count; i++) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			die("accept");
		if (!fork()) {
			echo_one(c);
			exit(0);
		}
		close(c);
	}
	for (unsigned i = 0; i < count; i++)
		bad |= wait(&status) < 0 || status;
	return bad;
}

static int to(unsigned cid, unsigned port)
{
	struct sockaddr_vm a = address(cid, port);
	int fd = new_socket();

	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	close(fd);
	return -1;
}

/* Not the same every 256 or 4096 bytes. */
static unsigned char byte_at(size_t i) { return (unsigned char)(i * 2654435761u >> 13); }

static void say(int fd, size_t bytes)
{
	unsigned char buffer[8191];

	for (size_t at = 0, n; at < bytes; at += n) {
		for (n = 0; n < sizeof(buffer) && at + n < bytes; n++)
			buffer[n] = byte_at(at + n);
		write_all(fd, buffer, n);
	}
	if (shutdown(fd, SHUT_WR))
		die("shutdown");
}

static int talk(unsigned cid, unsigned port, size_t bytes)
{
	static unsigned char buffer[30000];
	int fd = to(cid, port), status;
	size_t at = 0;
	ssize_t n;

	if (fd < 0)
		die("connect");
	if (!fork()) {
		say(fd, bytes);
		exit(0);
	}
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			if (buffer[i] != byte_at(at)) {
				fprintf(stderr, "WRONG byte %zu\n", at);
				return 1;
			}
	close(fd);
	if (n < 0)
		die("read");
	if (at != bytes)
		fprintf(stderr, "WRONG: %zu bytes of %zu\n", at, bytes);
	return at != bytes || wait(&status) < 0 || status;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	unsigned port = argc > 2 ? (unsigned)atoi(argv[2]) : 0, n = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	unsigned cid = argc > 4 ? (unsigned)atoi(argv[4]) : VMADDR_CID_HOST;
	int bad = 0;

	if (!strcmp(what, "echo"))
		return echo(port, n);
	if (!strcmp(what, "talk"))
		return talk(cid, port, n);
	if (!strcmp(what, "many")) {
		for (unsigned i = 0; i < n; i++)
			bad |= talk(cid, port, i % 50);
		return bad;
	}
	if (!strcmp(what, "refused"))
		return to(cid, port) >= 0;
	fprintf(stderr, "vsock echo|talk|many|refused PORT [N [CID]]\n");
	return 2;
}
