/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads that a hypervisor's translations and atomics must survive, each with a result that can be wrong:
 *
 *   stress map SECONDS THREADS    mmap, munmap, mprotect and fork's copies under threads that use the pages
 *   stress lock SECONDS THREADS   locks of several kinds around counters
 *   stress fork COUNT PROCESSES   children, each of them executing /bin/true
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16, THREADS_MAX = 64 };

extern char **environ;
static atomic_ulong wrong, rounds;
static double end;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(bool ok, const char *what)
{
	if (!ok && atomic_fetch_add(&wrong, 1) < 10)
		printf("WRONG %s\n", what);
}

/* ---- map ---- */

/* A page whose writers fault while it is read-only, and try again. */
static struct {
	_Atomic uint64_t count;
	char pad[PAGE - 8];
} * shared;
static atomic_bool writable = true;

static void try_again(int signal)
{
	(void)signal;
	while (!atomic_load(&writable))
		sched_yield();
}

/* mprotect has told every CPU before it returns. */
static void protect_shared(void)
{
	uint64_t before;

	atomic_store(&writable, false);
	mprotect(shared, PAGE, PROT_READ);
	before = atomic_load(&shared->count);
	for (volatile int k = 0; k < 2000; k++)
		;
	check(atomic_load(&shared->count) == before, "a store to a page after mprotect made it read-only");
	mprotect(shared, PAGE, PROT_READ | PROT_WRITE);
	atomic_store(&writable, true);
	usleep(200);
}

static void own_pages(uint64_t me)
{
	uint64_t stamp = me << 32 | atomic_fetch_add(&rounds, 1);
	char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		check(false, "mmap");
		return;
	}
	for (int i = 0; i < PAGES; i++) {
		check(*(uint64_t *)(p + i * PAGE + 8) == 0, "a new page is not zero");
		*(uint64_t *)(p + i * PAGE + 8) = stamp + (uint64_t)i;
	}
	mprotect(p, 3 * PAGE, PROT_READ);
	mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE);
	*(uint64_t *)(p + PAGE) = 0;
	munmap(p, 4 * PAGE);
	p = mremap(p + 4 * PAGE, (PAGES - 4) * PAGE, (PAGES + 4) * PAGE, MREMAP_MAYMOVE);
	if (p == MAP_FAILED) {
		check(false, "mremap");
		return;
	}
	for (int i = 0; i < PAGES - 4; i++)
		check(*(uint64_t *)(p + i * PAGE + 8) == stamp + (uint64_t)i + 4, "a page changed while it moved");
	madvise(p, PAGE, MADV_DONTNEED);
	check(*(uint64_t *)(p + 8) == 0, "a page is not zero that was given back");
	munmap(p, (PAGES + 4) * PAGE);
}

static void *map_thread(void *arg)
{
	uint64_t me = (uintptr_t)arg;

	while (now() < end) {
		if (!me) {
			protect_shared();
			continue;
		}
		for (int k = 0; k < 100; k++)
			atomic_fetch_add(&shared->count, 1);
		own_pages(me);
	}
	return NULL;
}

/* ---- lock ---- */

static struct {
	pthread_mutex_t mutex;
	pthread_spinlock_t spin;
	pthread_rwlock_t rw;
	_Atomic uint32_t ticket, serving;
	uint64_t guarded[4], twin[4];
	_Atomic uint64_t added;
} locks = { .mutex = PTHREAD_MUTEX_INITIALIZER, .rw = PTHREAD_RWLOCK_INITIALIZER };

/* With the lock held: two words that are equal whenever it is not. */
static void in_lock(int kind)
{
	check(locks.guarded[kind] == locks.twin[kind], "somebody else holds the lock");
	*(volatile uint64_t *)&locks.guarded[kind] += 1;
	*(volatile uint64_t *)&locks.twin[kind] += 1;
}

static void *lock_thread(void *arg)
{
	uint64_t done = 0;
	uint32_t t;

	(void)arg;
	for (; (done & 63) || now() < end; done++) {
		pthread_mutex_lock(&locks.mutex);
		in_lock(0);
		pthread_mutex_unlock(&locks.mutex);
		pthread_spin_lock(&locks.spin);
		in_lock(1);
		pthread_spin_unlock(&locks.spin);
		pthread_rwlock_wrlock(&locks.rw);
		in_lock(2);
		pthread_rwlock_unlock(&locks.rw);
		pthread_rwlock_rdlock(&locks.rw);
		check(locks.guarded[2] == locks.twin[2], "a writer beside a reader");
		pthread_rwlock_unlock(&locks.rw);
		if (!(done & 15)) { /* fair, so slow when there are more threads than CPUs */
			t = atomic_fetch_add(&locks.ticket, 1);
			while (atomic_load_explicit(&locks.serving, memory_order_acquire) != t)
				sched_yield();
			in_lock(3);
			atomic_store_explicit(&locks.serving, t + 1, memory_order_release);
		}
		atomic_fetch_add_explicit(&locks.added, 1, memory_order_relaxed);
	}
	atomic_fetch_add(&rounds, done);
	return NULL;
}

static void locks_add_up(void)
{
	for (int k = 0; k < 3; k++)
		check(locks.guarded[k] == rounds, "an increment under a lock was lost");
	check(locks.guarded[3] == locks.ticket, "an increment under the ticket lock was lost");
	check(locks.added == rounds, "an atomic increment was lost");
}

/* ---- fork ---- */

static long per_thread;

/* A child that looks at what it has inherited and changes it; ours stays. */
static void copy_on_write(uint64_t stamp)
{
	static __thread uint64_t page[2 * PAGE / 8];
	int status;
	pid_t pid;

	for (unsigned i = 0; i < 2 * PAGE / 8; i++)
		page[i] = stamp + i;
	pid = fork();
	if (pid == 0) {
		bool ok = true;

		for (unsigned i = 0; i < 2 * PAGE / 8; i++) {
			ok &= page[i] == stamp + i;
			page[i] = 0;
		}
		_exit(!ok);
	}
	page[7] = 1;
	check(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a child sees other memory");
	for (unsigned i = 0; i < 2 * PAGE / 8; i++)
		check(page[i] == (i == 7 ? 1 : stamp + i), "a child's stores are seen by its parent");
}

static void *fork_thread(void *arg)
{
	char *argv[] = { "true", NULL };
	int status;
	pid_t pid;

	for (long k = 0; k < per_thread; k++) {
		check(!posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) && waitpid(pid, &status, 0) == pid &&
			      status == 0,
		      "/bin/true");
		if (k % 4 == 0)
			copy_on_write((uintptr_t)arg << 32 | (uint64_t)k << 16);
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

/* ---- */

static void run_threads(void *(*fn)(void *), unsigned count)
{
	pthread_t t[THREADS_MAX];

	for (unsigned k = 0; k < count; k++)
		if (pthread_create(&t[k], NULL, fn, (void *)(uintptr_t)k)) {
			check(false, "pthread_create");
			count = k;
		}
	for (unsigned k = 0; k < count; k++)
		pthread_join(t[k], NULL);
}

int main(int argc, char **argv)
{
	unsigned count = argc == 4 ? (unsigned)atoi(argv[3]) : 0;

	if (count < 1 || count > THREADS_MAX) {
		fprintf(stderr, "stress map|lock SECONDS THREADS, stress fork COUNT PROCESSES\n");
		return 2;
	}
	end = now() + atoi(argv[2]);
	if (!strcmp(argv[1], "map")) {
		shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		signal(SIGSEGV, try_again);
		run_threads(map_thread, count);
	} else if (!strcmp(argv[1], "lock")) {
		pthread_spin_init(&locks.spin, 0);
		run_threads(lock_thread, count);
		locks_add_up();
	} else {
		per_thread = atol(argv[2]) / count;
		run_threads(fork_thread, count);
	}
	printf("%s: %lu rounds, %lu wrong\n", argv[1], rounds, wrong);
	return wrong != 0;
}
