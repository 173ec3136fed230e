/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host end of a network without a device: what the device would do the target does. */
#ifndef FUZZ_NET_H
#define FUZZ_NET_H

#include <sys/epoll.h>
#include <vmm/net.h>

#include "fuzz.h"
#include "turn.h"

struct fuzz_end {
	struct device_env env;
	struct device dev;
	struct net_end *n;
};

/* Options are set where their rows say. */
static inline void fuzz_end_option(struct fuzz_end *e, const char *name, const char *value)
{
	const struct device_option *o = e->dev.end->options;
	char *at;

	while (strcmp(o->name, name))
		o++;
	at = (char *)e->dev.end_state + o->offset;
	if (o->kind == DEVICE_BOOL) {
		*(bool *)(void *)at = true;
	} else if (o->kind == DEVICE_LIST) {
		struct opt_list *l = (void *)at;

		l->value[l->count++] = value;
	} else {
		EXPECT(o->kind == DEVICE_STRING);
		*(const char **)(void *)at = value;
	}
}

static inline void fuzz_end_begin(struct fuzz_end *e, struct loop *loop, const char *name)
{
	*e = (struct fuzz_end){ .env = { .loop = loop }, .dev = { .name = "net", .said = "--net" } };
	e->dev.env = &e->env;
	pthread_mutex_init(&e->dev.lock, NULL);
	for (unsigned i = 0; !e->dev.end || strcmp(e->dev.end->name, name); i++)
		EXPECT((e->dev.end = net_end_at(i)));
	e->dev.end_state = calloc(1, e->dev.end->state_bytes);
	EXPECT(e->dev.end_state);
}

static inline void fuzz_end_free(struct fuzz_end *e)
{
	net_end_close(e->n);
	free(e->dev.end_state);
	pthread_mutex_destroy(&e->dev.lock);
}

static inline void fuzz_end_send(struct fuzz_end *e, const struct net_frame *f)
{
	pthread_mutex_lock(&e->dev.lock);
	e->n->type->send(e->n, 0, f);
	if (e->n->type->sent)
		e->n->type->sent(e->n, 0);
	pthread_mutex_unlock(&e->dev.lock);
}

static inline void fuzz_end_room(struct fuzz_end *e)
{
	pthread_mutex_lock(&e->dev.lock);
	e->n->type->room(e->n, 0);
	pthread_mutex_unlock(&e->dev.lock);
}

static inline void fuzz_end_accept(struct fuzz_end *e, unsigned offloads, unsigned pairs)
{
	pthread_mutex_lock(&e->dev.lock);
	e->n->type->accept(e->n, offloads, pairs);
	pthread_mutex_unlock(&e->dev.lock);
}

/* What the target need not know: net_user.received, .writable and .link. */
static inline void fuzz_end_pair(struct net_end *n, unsigned pair)
{
	(void)n;
	EXPECT(!pair);
}

static inline void fuzz_end_link(struct net_end *n, bool up)
{
	(void)n;
	(void)up;
}

/* A frame for the guest must be one that a driver with @offloads understands. */
static inline void fuzz_end_judge(const struct net_frame *f, unsigned offloads)
{
	struct net_frame copy = *f;
	size_t bytes = 0;

	for (unsigned i = 0; i < f->iov_count; i++)
		bytes += f->iov[i].iov_len;
	EXPECT(bytes == f->bytes);
	EXPECT(!net_frame_check(&copy, offloads));
}

#endif
