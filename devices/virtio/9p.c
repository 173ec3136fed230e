/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-9p: a folder of the host, shared. In the guest:
 * mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /mnt
 *
 * The server answers on the thread of the notify. What would wait for a disk (a job) goes to one of a few
 * workers; the main thread ends it, as only there and on vCPUs the device's lock is at hand.
 *
 *   notify -> p9_answer -> push
 *                       -> struct task -> worker: p9_job_run -> main thread: p9_job_end -> push
 */
#include <pthread.h>
#include <spec/9p.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/virtio.h>

#include "9p.h"

#define WORKERS_MAX 4
#define TAG_MAX     255

struct task {
	struct task *next;  /* of those to do or done */
	struct task *other; /* of all, with the device's lock */
	struct p9_job *job;
	struct virtq_chain *chain;
	struct virtq_chain *after, *after_last; /* those that wait for its end, in order, by their opaque */
};

struct workers {
	pthread_mutex_t lock; /* nothing is taken with it held */
	pthread_cond_t wake, idle;
	pthread_t thread[WORKERS_MAX];
	unsigned count, busy, todo_count;
	struct task *todo, **todo_last, *done;
	bool end;
	int fd; /* of the event: something is done; -1: there are no workers */
	struct loop_fd *watch;
};

struct share_device {
	struct virtio_device virtio;
	const char *dir, *tag, *map;
	bool readonly;
	uint64_t uid, gid;
	struct p9 *server;
	struct workers workers;
	struct task *tasks; /* all */
	struct {
		uint16_t len;
		char tag[TAG_MAX];
	} __attribute__((packed)) config;
};

/* ---- Workers ---- */

static void run_todo(struct workers *w)
{
	struct task *t = w->todo;

	w->todo = t->next;
	if (!w->todo)
		w->todo_last = &w->todo;
	w->todo_count--;
	w->busy++;
	pthread_mutex_unlock(&w->lock);
	p9_job_run(t->job);
	pthread_mutex_lock(&w->lock);
	w->busy--;
	t->next = w->done;
	w->done = t;
	eventfd_write(w->fd, 1);
	if (!w->busy)
		pthread_cond_broadcast(&w->idle);
}

static void *work(void *opaque)
{
	struct workers *w = opaque;

	pthread_mutex_lock(&w->lock);
	while (!w->end) {
		if (w->todo)
			run_todo(w);
		else
			pthread_cond_wait(&w->wake, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/*
 * Threads come when there is something to do that those there are have no hands for: who has been woken for
 * another task, and has not come yet, is none of them. False: there is none.
 */
static bool give_work(struct workers *w, struct task *t)
{
	pthread_mutex_lock(&w->lock);
	if (w->busy + w->todo_count >= w->count && w->count < WORKERS_MAX &&
	    !pthread_create(&w->thread[w->count], NULL, work, w))
		w->count++;
	if (w->count) {
		t->next = NULL;
		*w->todo_last = t;
		w->todo_last = &t->next;
		w->todo_count++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return w->count;
}

/* Takes back all tasks: those begun are waited for. */
static struct task *take_back(struct workers *w)
{
	struct task *all;

	pthread_mutex_lock(&w->lock);
	all = w->todo;
	w->todo = NULL;
	while (w->busy)
		pthread_cond_wait(&w->idle, &w->lock);
	*w->todo_last = w->done;
	if (!all)
		all = w->done;
	w->todo = w->done = NULL;
	w->todo_last = &w->todo;
	w->todo_count = 0;
	pthread_mutex_unlock(&w->lock);
	return all;
}

static struct task *take_done(struct workers *w)
{
	struct task *done;
	eventfd_t n;

	eventfd_read(w->fd, &n);
	pthread_mutex_lock(&w->lock);
	done = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	return done;
}

static void end_workers(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->end = true;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->thread[i], NULL);
}

/* ---- Requests ---- */

static struct p9_request request_of(const struct virtq_chain *c)
{
	return (struct p9_request){ .out = c->out, .out_count = c->out_count, .in = c->in, .in_count = c->in_count };
}

static void end_job(struct share_device *p, struct p9_job *job, struct virtq_chain *c)
{
	struct p9_request r = request_of(c);

	virtq_push(c, p9_job_end(p->server, job, &r));
}

/* By a worker, or where there is none at once. */
static void begin_job(struct share_device *p, struct p9_job *job, struct virtq_chain *c)
{
	struct task *t = p->workers.fd < 0 ? NULL : calloc(1, sizeof(*t));

	if (t) {
		*t = (struct task){ .job = job, .chain = c, .other = p->tasks };
		if (give_work(&p->workers, t)) {
			p->tasks = t;
			return;
		}
	}
	free(t);
	p9_job_run(job);
	end_job(p, job, c);
}

static void wait_for_job(struct share_device *p, const struct p9_job *job, struct virtq_chain *c)
{
	struct task *t = p->tasks;

	while (t->job != job)
		t = t->other;
	c->opaque = NULL;
	if (t->after)
		t->after_last->opaque = c;
	else
		t->after = c;
	t->after_last = c;
}

static void handle(struct share_device *p, struct virtq_chain *c)
{
	struct p9_request r = request_of(c);
	struct p9_job *job;
	uint32_t written;

	switch (p9_answer(p->server, &r, &written, &job)) {
	case P9_ANSWERED: virtq_push(c, written); break;
	case P9_LATER: begin_job(p, job, c); break;
	case P9_AFTER: wait_for_job(p, job, c); break;
	case P9_BROKEN:
		virtio_broken(&p->virtio, "a 9P request without a header, or without room for an answer");
		break;
	}
}

static void share_notify(struct virtio_device *v, unsigned queue)
{
	struct share_device *p = container_of(v, struct share_device, virtio);
	struct virtq *q = virtio_queue(v, queue);
	struct virtq_chain *c;

	while ((c = virtq_pop(q)))
		handle(p, c);
	virtq_interrupt(q);
}

static void forget_task(struct share_device *p, struct task *t)
{
	struct task **at = &p->tasks;

	while (*at != t)
		at = &(*at)->other;
	*at = t->other;
	free(t);
}

static void end_task(struct share_device *p, struct task *t)
{
	struct virtq_chain *after = t->after, *next;

	end_job(p, t->job, t->chain);
	forget_task(p, t);
	for (; after; after = next) {
		next = after->opaque;
		handle(p, after);
	}
}

static void on_done(void *opaque, uint32_t events)
{
	struct share_device *p = opaque;
	struct task *t = take_done(&p->workers), *next;

	(void)events;
	for (; t; t = next) {
		next = t->next;
		end_task(p, t);
	}
	virtq_interrupt(virtio_queue(&p->virtio, 0));
}

static void cancel_tasks(struct share_device *p)
{
	struct task *t = take_back(&p->workers), *next;

	for (; t; t = next) {
		next = t->next;
		p9_job_end(p->server, t->job, NULL);
		forget_task(p, t);
	}
}

static void share_reset(struct virtio_device *v)
{
	struct share_device *p = container_of(v, struct share_device, virtio);

	cancel_tasks(p);
	p9_forget(p->server);
}

/* ---- Life ---- */

static const char *const feature_names[] = { [VIRTIO_9P_MOUNT_TAG] = "mount_tag" };

static const struct virtio_type share_virtio = {
	.id = VIRTIO_ID_9P,
	.queue_size = 128,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.reset = share_reset,
	.notify = share_notify,
};

static int read_options(struct device *d, struct p9_config *cfg)
{
	struct share_device *p = d->state;

	if (!p->dir)
		return log_err(-EINVAL, "%s: which folder? Say dir=PATH", d->said);
	if (!p->tag)
		p->tag = "share";
	if (!*p->tag || strlen(p->tag) > TAG_MAX)
		return log_err(-EINVAL, "%s: tag=%s has %zu bytes; 1 to %d are possible", d->said, p->tag,
			       strlen(p->tag), TAG_MAX);
	if (p->map && strcmp(p->map, "user") && strcmp(p->map, "xattr"))
		return log_err(-EINVAL, "%s: map=%s: there are user and xattr", d->said, p->map);
	if (p->uid >= UINT32_MAX || p->gid >= UINT32_MAX)
		return log_err(-EINVAL, "%s: uid and gid are less than %u", d->said, UINT32_MAX);
	*cfg = (struct p9_config){
		.said = d->said,
		.dir = p->dir,
		.readonly = p->readonly,
		.map = p->map && !strcmp(p->map, "xattr") ? P9_MAP_XATTR : P9_MAP_USER,
		.uid = (uint32_t)p->uid,
		.gid = (uint32_t)p->gid,
	};
	return 0;
}

static int start_workers(struct device *d)
{
	struct share_device *p = d->state;
	struct workers *w = &p->workers;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	pthread_cond_init(&w->idle, NULL);
	w->todo_last = &w->todo;
	w->fd = -1;
	if (!d->env->loop)
		return 0;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd < 0)
		return log_err(-errno, "%s: the host refuses an eventfd", d->said);
	w->watch = loop_add_fd(d->env->loop, w->fd, EPOLLIN, &d->lock, on_done, p);
	return w->watch ? 0 : log_err(-EIO, "%s: the host refuses to wait for an eventfd", d->said);
}

static void stop(struct share_device *p)
{
	if (p->workers.watch)
		loop_del_fd(p->workers.watch);
	cancel_tasks(p);
	end_workers(&p->workers);
	if (p->workers.fd >= 0)
		close(p->workers.fd);
	p9_free(p->server);
}

static int share_create(struct device *d)
{
	struct share_device *p = d->state;
	struct p9_config cfg;
	int err = read_options(d, &cfg);

	if (!err)
		err = p9_new(&cfg, &p->server);
	if (err)
		return err;
	p->config.len = (uint16_t)strlen(p->tag);
	memcpy(p->config.tag, p->tag, p->config.len);
	err = start_workers(d);
	if (!err)
		err = virtio_init(d, &share_virtio, UINT64_C(1) << VIRTIO_9P_MOUNT_TAG, 1, &p->config,
				  2u + p->config.len);
	if (err)
		stop(p);
	return err;
}

static void share_destroy(struct device *d)
{
	struct share_device *p = d->state;

	stop(p);
	virtio_fini(&p->virtio);
}

static const struct device_option share_options[] = {
	{ "dir", "PATH", "the folder; links in it lead nowhere but where the guest follows them", DEVICE_STRING,
	  offsetof(struct share_device, dir) },
	{ "tag", "NAME", "what the guest calls it when it mounts it (share)", DEVICE_STRING,
	  offsetof(struct share_device, tag) },
	{ "readonly", "on|off", "the guest cannot change anything (off)", DEVICE_BOOL,
	  offsetof(struct share_device, readonly) },
	{ "map", "user|xattr",
	  "whose files are: user: what is yours is the guest's uid and gid; xattr: the guest gives files to whom it "
	  "likes, and makes device nodes, and the host keeps that in attributes user.virtfs.* (user)",
	  DEVICE_STRING, offsetof(struct share_device, map) },
	{ "uid", "N", "whose your files are in the guest (0)", DEVICE_U64, offsetof(struct share_device, uid) },
	{ "gid", "N", "and which group's (0)", DEVICE_U64, offsetof(struct share_device, gid) },
};

static const struct device_type share_type = {
	.name = "virtio-9p",
	.help = "a folder shared with the guest",
	.option = "share",
	.arg = "DIR[,KEY=VALUE...]",
	.first = "dir",
	.state_bytes = sizeof(struct share_device),
	.trial = "dir=FOLDER",
	DEVICE_OPTIONS(share_options),
	VIRTIO_DEVICE,
	.create = share_create,
	.destroy = share_destroy,
};
DEVICE(virtio_9p, &share_type);
