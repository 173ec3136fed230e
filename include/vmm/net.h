/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host ends of a network: Ethernet frames between a device of the guest and the world.
 *
 *   virtio-net -> net_end_type.send() -> user (libslirp), tap, socket
 *              <- net_user.receive()  <-
 *
 * A file in devices/net ending in NET_END(name, &type) is one: `--net name,key=value`. Its
 * state begins with a struct net_end and is what the options of the end go to.
 *
 * All calls, in both directions, are made with the device's lock held: on a vCPU's
 * thread for what the guest sends, on the main one for what the host's descriptors bring.
 * An end may call receive() from within send(): an answer needs no other thread.
 */
#ifndef VMM_NET_H
#define VMM_NET_H

#include <spec/virtio-net.h>
#include <sys/uio.h>
#include <vmm/device.h>

/* The largest IP packet, an Ethernet header and a VLAN tag. */
#define NET_FRAME_MAX   (65535 + 14 + 4)
#define NET_FRAME_MIN   14
#define NET_MTU_MIN     68
#define NET_MTU_MAX     65535
#define NET_PAIRS_MAX   16

/* What the sender of a frame may leave to who takes it. */
#define NET_CSUM        1u      /* the checksum: hdr.flags NEEDS_CSUM */
#define NET_TSO4        2u      /* cutting TCP over IPv4 to size: hdr.gso_type */
#define NET_TSO6        4u
#define NET_TSO_ECN     8u

/* The header is ours and consistent with the bytes: net_frame_ok(). The bytes may change as long as they are the guest's. */
struct net_frame {
	struct virtio_net_hdr hdr;      /* num_buffers: anything */
	const struct iovec *iov;
	unsigned iov_count;
	size_t bytes;
};

/* NULL, or what is wrong with a frame when the sender may leave @offloads to us. Clears what has no meaning. */
const char *net_frame_check(struct net_frame *f, unsigned offloads);

struct net_end;

/* Who uses the end. */
struct net_user {
	/*
	 * A frame for the guest, on queue pair @pair. false: there is no room; the end keeps it, and stops, until
	 * net_end_type.room. A frame that nobody wants is taken and gone.
	 */
	bool (*receive)(struct net_end *n, unsigned pair, const struct net_frame *f);
	/* After one or many receive(): tell the guest. */
	void (*received)(struct net_end *n, unsigned pair);
	/* After a send() that was refused. */
	void (*writable)(struct net_end *n, unsigned pair);
	/* The cable, as it were. It is up at first. */
	void (*link)(struct net_end *n, bool up);
};

struct net_end_type {
	struct device_end end;          /* first; its name and options are those of --net */
	bool alone;                     /* the guest is the only one on the wire: its MAC need not differ from others' */
	/*
	 * Fills n->offloads, n->vhost_fd and the like; n->pairs is what the user wants, and less is an error.
	 * 0, or -errno with a message.
	 */
	int  (*open)(struct net_end *n);
	void (*close)(struct net_end *n);
	/*
	 * A frame of the guest. false: full; writable() follows, and the frame comes again. What cannot be
	 * delivered is taken and gone.
	 */
	bool (*send)(struct net_end *n, unsigned pair, const struct net_frame *f);
	/* After one or many send(). NULL: nothing to do. */
	void (*sent)(struct net_end *n, unsigned pair);
	/* The guest has made room on @pair. */
	void (*room)(struct net_end *n, unsigned pair);
	/*
	 * From now on the guest takes frames with @offloads, NET_*, on the first @pairs pairs; 0 pairs: it takes none, and
	 * what was kept for it is to be forgotten.
	 */
	void (*accept)(struct net_end *n, unsigned offloads, unsigned pairs);
};

struct net_end {
	const struct net_end_type *type;
	struct device *dev;             /* ->said for messages, ->lock, ->env->loop */
	const struct net_user *user;
	unsigned pairs;
	unsigned mtu;                   /* what the user said, or 0 */
	/* Set by open. */
	unsigned offloads;              /* what frames for send() may leave to us */
	int vhost_fd[NET_PAIRS_MAX];    /* of a tap, which the host's kernel can serve by itself; else -1 */
	bool vhost_wanted, vhost_must;
	/* Set by the user before accept(): the kernel moves the frames, and the end leaves them alone. */
	bool vhost_runs;
};

#define NET_END(name, object) REGISTER(net_end, const struct net_end_type, name, object)

/* For device_type.end_at: by name, NULL past the last. */
const struct device_end *net_end_at(unsigned i);

/* On dev->end, with its state; before: n->pairs and n->mtu. 0, or -errno with a message. */
int net_end_open(struct device *dev, const struct net_user *user, unsigned pairs, unsigned mtu, struct net_end **n);
void net_end_close(struct net_end *n);

#endif
