/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest sees of its devices: a disk (/dev/vda: reads in its first half, writes in the second), a network
 * with tests/bench/peer.py behind 10.0.2.2, a shared folder "bench" by 9p and consoles. Times are the guest's
 * own, which a host that stops it stops for nobody.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"

#define MIB      (1u << 20)
#define SMALL    4096u
#define DEPTH    32u
#define SHARED   256u /* files below /9p/many */
#define GUEST_IP "10.0.2.15"
#define PEER_IP  "10.0.2.2"

/* ---- Disk ---- */

static int disk_open(uint64_t *half)
{
	int fd = open("/dev/vda", O_RDWR | O_DIRECT);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, half))
		fail("/dev/vda");
	*half = *half / 2 / MIB * MIB;
	return fd;
}

static uint64_t first_word(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void sequential(struct run *r, bool write)
{
	uint64_t half, at, *block = pages(MIB);
	int fd = disk_open(&half);

	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++) {
		at = i * MIB % half;
		*block = write ? at : 0;
		if ((write ? pwrite(fd, block, MIB, (off_t)(half + at)) : pread(fd, block, MIB, (off_t)at)) != MIB)
			fail("/dev/vda");
		r->checksum = mix(r->checksum, *block);
	}
	run_stop(r);
	r->units = r->rounds * MIB;
	close(fd);
}

void bench_seqread(struct run *r) { sequential(r, false); }

void bench_seqwrite(struct run *r) { sequential(r, true); }

void bench_randread(struct run *r)
{
	uint64_t half, seed = 1, *block = pages(SMALL);
	int fd = disk_open(&half);

	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++) {
		if (pread(fd, block, SMALL, (off_t)(rnd(&seed) % (half / SMALL) * SMALL)) != SMALL)
			fail("/dev/vda");
		r->checksum = mix(r->checksum, *block);
	}
	run_stop(r);
	r->units = r->rounds;
	close(fd);
}

/* The sum of what is read: no matter in which order it comes. */
void bench_randread32(struct run *r)
{
	uint64_t half, seed = 1, sent = 0, done = 0;
	char *blocks = pages(DEPTH * SMALL);
	struct iocb cb[DEPTH], *p;
	struct io_event ev[DEPTH];
	aio_context_t ctx = 0;
	int fd = disk_open(&half);
	long n;

	if (syscall(SYS_io_setup, DEPTH, &ctx))
		fail("io_setup");
	run_start(r);
	while (done < r->rounds) {
		for (n = 0; sent < r->rounds && sent - done < DEPTH; sent++, n++) {
			/* The first come in order; every later one takes the place of one that is done. */
			uint64_t slot = sent < DEPTH ? sent : ev[n].data;

			cb[slot] = (struct iocb){ .aio_data = slot,
						  .aio_fildes = (uint32_t)fd,
						  .aio_lio_opcode = IOCB_CMD_PREAD,
						  .aio_buf = (uintptr_t)(blocks + slot * SMALL),
						  .aio_nbytes = SMALL,
						  .aio_offset = (int64_t)(rnd(&seed) % (half / SMALL) * SMALL) };
			p = &cb[slot];
			if (syscall(SYS_io_submit, ctx, 1, &p) != 1)
				fail("io_submit");
		}
		n = syscall(SYS_io_getevents, ctx, 1, DEPTH, ev, NULL);
		if (n < 1)
			fail("io_getevents");
		for (long i = 0; i < n; i++) {
			if (ev[i].res != SMALL)
				fail("/dev/vda");
			r->checksum += mix(0, first_word(blocks + ev[i].data * SMALL));
		}
		done += (uint64_t)n;
	}
	run_stop(r);
	r->units = r->rounds;
	close(fd);
}

/* ---- Network ---- */

static unsigned peer_port(void)
{
	char line[4096] = "", *p;
	FILE *f = fopen("/proc/cmdline", "r");

	if (!f || !fgets(line, sizeof(line), f))
		fail("/proc/cmdline");
	fclose(f);
	p = strstr(line, "peer=");
	return p ? (unsigned)strtoul(p + 5, NULL, 10) : 0;
}

/* Set by hand: there is nobody who would ask for a lease. Again and again does no harm. */
static void network_up(void)
{
	struct sockaddr_in *in;
	struct ifreq ifr = { .ifr_name = "eth0" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	in = (struct sockaddr_in *)&ifr.ifr_addr;
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = inet_addr(GUEST_IP);
	if (ioctl(fd, SIOCSIFADDR, &ifr))
		fail("eth0");
	in->sin_addr.s_addr = inet_addr("255.255.255.0");
	if (ioctl(fd, SIOCSIFNETMASK, &ifr))
		fail("eth0");
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		fail("eth0");
	close(fd);
}

/* @what is the letter of peer.py, @count what it is to do. */
static int peer(char what, uint64_t count)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = inet_addr(PEER_IP),
				  .sin_port = htons((uint16_t)peer_port()) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char order[32];

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	snprintf(order, sizeof(order), "%c%020llu\n", what, (unsigned long long)count);
	if (write(fd, order, 22) != 22)
		fail("peer");
	return fd;
}

void bench_netdown(struct run *r)
{
	char *block = pages(MIB);
	ssize_t n;
	int fd;

	network_up();
	fd = peer('d', r->rounds * MIB);
	run_start(r);
	for (r->units = 0; r->units < r->rounds * MIB; r->units += (uint64_t)n) {
		n = read(fd, block, MIB);
		if (n <= 0)
			fail("peer");
	}
	run_stop(r);
	close(fd);
}

void bench_netup(struct run *r)
{
	char *block = pages(MIB), answer;
	ssize_t n;
	int fd;

	network_up();
	fd = peer('u', r->rounds * MIB);
	run_start(r);
	for (r->units = 0; r->units < r->rounds * MIB; r->units += (uint64_t)n) {
		n = write(fd, block, r->rounds * MIB - r->units < MIB ? r->rounds * MIB - r->units : MIB);
		if (n <= 0)
			fail("peer");
	}
	if (read(fd, &answer, 1) != 1) /* it has everything */
		fail("peer");
	run_stop(r);
	close(fd);
}

void bench_netping(struct run *r)
{
	char c = 'x';
	int fd;

	network_up();
	fd = peer('p', r->rounds);
	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++)
		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			fail("peer");
	run_stop(r);
	r->units = r->rounds;
	close(fd);
}

void bench_netconn(struct run *r)
{
	char c;

	network_up();
	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++) {
		int fd = peer('p', 0);

		if (read(fd, &c, 1) != 0)
			fail("peer");
		close(fd);
	}
	run_stop(r);
	r->units = r->rounds;
}

/* ---- Consoles ---- */

static void console(struct run *r, const char *path)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog, and nobody who sees it is amazed.\n";
	char block[sizeof(line) * 8];
	int fd = open(path, O_WRONLY | O_NOCTTY);

	if (fd < 0)
		fail(path);
	for (unsigned i = 0; i < 8; i++)
		memcpy(block + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++)
		if (write(fd, block, 8 * (sizeof(line) - 1)) != 8 * (sizeof(line) - 1))
			fail(path);
	tcdrain(fd);
	run_stop(r);
	r->units = r->rounds * 8 * (sizeof(line) - 1);
	close(fd);
}

void bench_uart(struct run *r) { console(r, "/dev/ttyAMA0"); }

void bench_hvc(struct run *r) { console(r, "/dev/hvc0"); }

/* ---- Shared folder ---- */

static void share_mount(void)
{
	mkdir("/9p", 0755);
	if (mount("bench", "/9p", "9p", MS_RDONLY, "trans=virtio,version=9p2000.L,msize=524288,cache=none"))
		fail("mount 9p");
}

void bench_9pstat(struct run *r)
{
	char path[64];
	struct stat st;

	share_mount();
	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++) {
		snprintf(path, sizeof(path), "/9p/many/%u", (unsigned)(i % SHARED));
		if (stat(path, &st))
			fail(path);
		r->checksum = mix(r->checksum, (uint64_t)st.st_size);
	}
	run_stop(r);
	r->units = r->rounds;
	umount("/9p");
}

void bench_9pread(struct run *r)
{
	char *block = pages(MIB);
	uint64_t size;
	struct stat st;
	int fd;

	share_mount();
	fd = open("/9p/big", O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		fail("/9p/big");
	size = (uint64_t)st.st_size / MIB * MIB;
	run_start(r);
	for (uint64_t i = 0; i < r->rounds; i++) {
		if (pread(fd, block, MIB, (off_t)(i * MIB % size)) != MIB)
			fail("/9p/big");
		r->checksum = mix(r->checksum, first_word(block));
	}
	run_stop(r);
	r->units = r->rounds * MIB;
	close(fd);
	umount("/9p");
}
