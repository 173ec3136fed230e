/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what lies under a disk: a folder of files, programs to make and judge them, and a plain
 * copy of a disk that random requests are compared with.
 */
#ifndef FAKE_IMAGES_H
#define FAKE_IMAGES_H

#include <vmm/disk.h>

/* cmocka's setup and teardown of a group: makes a folder, goes there, removes it. */
int images_setup(void **state);
int images_teardown(void **state);

/* A command of the shell, its output on stderr if it fails unexpectedly. Returns its status. */
int images_sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Skips the test if there is no such program. */
void images_need(const char *program);

struct disk_layer *images_open(const char *name, const char *format, bool readonly);
/* Returns what opening says; closes it if it opens. Messages are off. */
int images_try(const char *name, const char *format, bool readonly);

int images_read(struct disk_layer *l, uint64_t offset, void *data, uint64_t bytes);
int images_write(struct disk_layer *l, uint64_t offset, const void *data, uint64_t bytes);

uint64_t images_random(uint64_t *state, uint64_t below);

struct model {
	uint8_t *data;
	uint64_t bytes, seed;
	uint64_t step; /* offsets and lengths are multiples of it */
	uint64_t most; /* bytes of a request */
	bool can_zero, can_discard, can_write;
};

/* As the disk is now. */
struct model model_of(struct disk_layer *l, uint64_t seed);
/* @count random requests of the disk and of the model; the test fails where they differ. */
void model_run(struct model *m, struct disk_layer *l, unsigned count);
void model_compare(const struct model *m, struct disk_layer *l);
void model_save(const struct model *m, const char *file);
void model_free(struct model *m);

#endif
