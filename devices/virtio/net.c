/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio network device (virtio 1.2, 5.1): queues of the guest on one side, a host end of
 * devices/net on the other.
 *
 * What the guest sends goes to the end on the thread that notifies; what the end answers at
 * once is in the guest's buffers before the notifying store is over. Offloads are those the
 * end has; towards the guest, those the guest takes.
 *
 * Queues: receive and transmit of pair 0, of pair 1, ..., control; the last is number 2 for a driver
 * without VIRTIO_NET_F_MQ.
 */
#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/net.h>
#include <vmm/virtio.h>

#include "vhost.h"

#define QUEUE_SIZE    256
#define RX_CHAINS_MAX 256
/* Frames taken from a queue in a row: a guest that never stops shall not keep others from the device. */
#define TX_BURST 1024
#define MACS_MAX 64
#define ETH_ALEN 6

struct net {
	struct virtio_device virtio; /* first */
	struct virtio_net_config config;
	struct net_end *end;
	const char *mac_text;
	uint64_t mtu, pairs;
	uint8_t mac[ETH_ALEN]; /* at power-on */
	bool link_up;
	struct vhost *vhost[NET_PAIRS_MAX]; /* of each pair, or all NULL */

	/* Since the driver's start. */
	unsigned active_pairs, guest_offloads, host_offloads;
	uint32_t tx_waits;   /* by pair: the end is full */
	uint32_t tx_goes_on; /* by pair: a burst is over, and there is more */
	struct loop_timer tx_go_on;
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	struct {
		uint8_t mac[MACS_MAX][ETH_ALEN];
		unsigned count;
		bool all; /* more than we can know */
	} unicast, multicast;
	uint64_t vlan[4096 / 64];
};

static unsigned rx_queue(unsigned pair) { return 2 * pair; }
static unsigned tx_queue(unsigned pair) { return 2 * pair + 1; }

static unsigned control_queue(const struct net *n)
{
	return virtio_has(&n->virtio, VIRTIO_NET_F_MQ) ? 2 * (unsigned)n->pairs : 2;
}

/* ---- From the host ---- */

static bool mac_is(const uint8_t *a, const uint8_t *b) { return !memcmp(a, b, ETH_ALEN); }

static bool in_table(const uint8_t (*table)[ETH_ALEN], unsigned count, const uint8_t *mac)
{
	for (unsigned i = 0; i < count; i++)
		if (mac_is(table[i], mac))
			return true;
	return false;
}

static bool mac_wanted(const struct net *n, const uint8_t *mac)
{
	static const uint8_t broadcast[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (mac_is(mac, broadcast))
		return !n->nobcast;
	if (mac[0] & 1)
		return !n->nomulti &&
		       (n->allmulti || n->multicast.all || in_table(n->multicast.mac, n->multicast.count, mac));
	return !n->nouni && (n->alluni || n->unicast.all || mac_is(mac, n->config.mac) ||
			     in_table(n->unicast.mac, n->unicast.count, mac));
}

/* 5.1.6.5.1, 5.1.6.5.3: does the driver want this frame? */
static bool frame_wanted(const struct net *n, const struct net_frame *f)
{
	uint8_t head[18] = { 0 };
	size_t have = 0;

	if (n->promisc || !virtio_has(&n->virtio, VIRTIO_NET_F_CTRL_RX))
		return true;
	for (unsigned i = 0; i < f->iov_count && have < sizeof(head); i++) {
		size_t take = sizeof(head) - have < f->iov[i].iov_len ? sizeof(head) - have : f->iov[i].iov_len;

		memcpy(head + have, f->iov[i].iov_base, take);
		have += take;
	}
	if (virtio_has(&n->virtio, VIRTIO_NET_F_CTRL_VLAN) && head[12] == 0x81 && head[13] == 0x00 &&
	    !bit_of(n->vlan, (head[14] & 0xfu) << 8 | head[15]))
		return false;
	return mac_wanted(n, head);
}

/* Without segmentation offload: with Ethernet header and VLAN tag. */
static size_t frame_max(const struct net *n) { return (n->mtu ? n->mtu : 1500) + 18; }

static void put_back(struct virtq_chain **chain, unsigned count)
{
	while (count)
		virtq_unpop(chain[--count]);
}

/*
 * Requests with room for @bytes: how many, or 0. Without mergeable buffers it is one that must
 * be large enough.
 */
static unsigned gather(struct net *n, struct virtq *q, struct virtq_chain **chain, uint64_t bytes)
{
	unsigned max = virtio_has(&n->virtio, VIRTIO_NET_F_MRG_RXBUF) ? RX_CHAINS_MAX : 1, count = 0;
	uint64_t room = 0;

	while (room < bytes && count < max) {
		struct virtq_chain *c = virtq_pop(q);

		if (!c)
			break;
		room += c->in_bytes;
		chain[count++] = c;
	}
	if (room >= bytes)
		return count;
	put_back(chain, count);
	return 0;
}

static void write_frame(struct virtq_chain **chain, unsigned count, const struct net_frame *f)
{
	struct virtio_net_hdr hdr = f->hdr;
	uint32_t written[RX_CHAINS_MAX];
	unsigned c = 0;

	for (unsigned i = 0; i < count; i++)
		written[i] = (uint32_t)chain[i]->in_bytes;
	hdr.num_buffers = (uint16_t)count;
	for (size_t done = 0; done < sizeof(hdr); c += done < sizeof(hdr))
		done += virtq_write(chain[c], (const char *)&hdr + done, sizeof(hdr) - done);
	for (unsigned i = 0; i < f->iov_count; i++)
		for (size_t done = 0; done < f->iov[i].iov_len; c += done < f->iov[i].iov_len)
			done += virtq_write(chain[c], (const char *)f->iov[i].iov_base + done,
					    f->iov[i].iov_len - done);
	for (unsigned i = 0; i < count; i++)
		written[i] -= (uint32_t)chain[i]->in_bytes;
	/* 5.1.6.4: a driver on another vCPU must not see the first without the rest. */
	virtq_push_all(chain, written, count);
}

/*
 * Notifications are on while we wait for buffers, and only then. A buffer that came just before is seen
 * by looking once more.
 */
static unsigned gather_or_wait(struct net *n, struct virtq *q, struct virtq_chain **chain, uint64_t bytes)
{
	unsigned count = gather(n, q, chain, bytes);

	if (count)
		return count;
	virtq_notifications(q, true);
	count = gather(n, q, chain, bytes);
	if (count)
		virtq_notifications(q, false);
	return count;
}

static bool net_receive(struct net_end *e, unsigned pair, const struct net_frame *f)
{
	struct net *n = e->dev->state;
	struct virtq *q = virtio_queue(&n->virtio, rx_queue(pair));
	struct virtq_chain *chain[RX_CHAINS_MAX];
	bool too_large = !f->hdr.gso_type && f->bytes > frame_max(n);
	unsigned count;

	/* 5.1.4.1: a driver that was told the MTU gets nothing beyond. */
	if (too_large && virtio_has(&n->virtio, VIRTIO_NET_F_MTU))
		return true;
	if (!n->virtio.running || pair >= n->active_pairs || !virtq_ready(q) || !frame_wanted(n, f))
		return true;
	count = gather_or_wait(n, q, chain, sizeof(f->hdr) + f->bytes);
	if (count) {
		write_frame(chain, count, f);
		return true;
	}
	if (!n->virtio.running)
		return true;
	/* Its buffers may never be enough for it. */
	return too_large;
}

static void net_received(struct net_end *e, unsigned pair)
{
	struct net *n = e->dev->state;

	virtq_interrupt(virtio_queue(&n->virtio, rx_queue(pair)));
}

static void net_link(struct net_end *e, bool up)
{
	struct net *n = e->dev->state;

	if (n->link_up == up)
		return;
	n->link_up = up;
	n->config.status = up ? VIRTIO_NET_S_LINK_UP : 0;
	/* Who is at the other end now has not heard of us yet. */
	if (up && virtio_has(&n->virtio, VIRTIO_NET_F_GUEST_ANNOUNCE))
		n->config.status |= VIRTIO_NET_S_ANNOUNCE;
	virtio_config_changed(&n->virtio);
}

/* ---- From the guest ---- */

/* false: the end is full, and the chain is as it was. */
static bool send_chain(struct net *n, unsigned pair, struct virtq_chain *c)
{
	struct net_frame f = { 0 };
	const char *wrong;

	if (virtq_read(c, &f.hdr, sizeof(f.hdr)) < sizeof(f.hdr)) {
		log_guest("%s: a request of less than a header; dropped", n->virtio.dev->name);
		return true;
	}
	f.iov = c->out;
	f.iov_count = c->out_count;
	f.bytes = c->out_bytes;
	wrong = net_frame_check(&f, n->host_offloads);
	if (wrong) {
		log_guest("%s: a frame of %zu bytes with %s; dropped", n->virtio.dev->name, f.bytes, wrong);
		return true;
	}
	return n->end->type->send(n->end, pair, &f);
}

/* Takes what there is, at most a burst of it. */
static void send_some(struct net *n, unsigned pair)
{
	struct virtq *q = virtio_queue(&n->virtio, tx_queue(pair));
	struct virtq_chain *c;

	for (unsigned i = 0; i < TX_BURST; i++) {
		c = virtq_pop(q);
		if (!c)
			return;
		if (!send_chain(n, pair, c)) {
			virtq_unpop(c);
			n->tx_waits |= 1u << pair;
			return;
		}
		virtq_push(c, 0);
	}
	n->tx_goes_on |= 1u << pair;
	loop_timer_arm(&n->tx_go_on, loop_now_ns());
}

static void send_queue(struct net *n, unsigned pair)
{
	struct virtq *q = virtio_queue(&n->virtio, tx_queue(pair));

	if (!n->virtio.running || pair >= n->active_pairs || !virtq_ready(q) || n->tx_waits >> pair & 1 ||
	    n->tx_goes_on >> pair & 1)
		return;
	do {
		virtq_notifications(q, false);
		send_some(n, pair);
		/* Unless we come back by ourselves, the driver has to say when there is more. */
		if ((n->tx_waits | n->tx_goes_on) >> pair & 1)
			break;
		virtq_notifications(q, true);
	} while (!virtq_empty(q));
	if (n->end->type->sent)
		n->end->type->sent(n->end, pair);
	virtq_interrupt(q);
}

static void tx_goes_on(void *opaque)
{
	struct net *n = opaque;
	uint32_t pairs = n->tx_goes_on;

	n->tx_goes_on = 0;
	for (unsigned i = 0; i < n->active_pairs; i++)
		if (pairs >> i & 1)
			send_queue(n, i);
}

static void net_writable(struct net_end *e, unsigned pair)
{
	struct net *n = e->dev->state;

	if (!(n->tx_waits >> pair & 1))
		return;
	n->tx_waits &= ~(1u << pair);
	send_queue(n, pair);
}

static const struct net_user net_user = {
	.receive = net_receive,
	.received = net_received,
	.writable = net_writable,
	.link = net_link,
};

/* ---- Control queue ---- */

/* Tells the end what frames for the guest may have. */
static void accept_frames(struct net *n) { n->end->type->accept(n->end, n->guest_offloads, n->active_pairs); }

static uint8_t control_rx(struct net *n, uint8_t command, struct virtq_chain *c)
{
	static const size_t flags[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = offsetof(struct net, promisc),
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = offsetof(struct net, allmulti),
		[VIRTIO_NET_CTRL_RX_ALLUNI] = offsetof(struct net, alluni),
		[VIRTIO_NET_CTRL_RX_NOMULTI] = offsetof(struct net, nomulti),
		[VIRTIO_NET_CTRL_RX_NOUNI] = offsetof(struct net, nouni),
		[VIRTIO_NET_CTRL_RX_NOBCAST] = offsetof(struct net, nobcast),
	};
	uint8_t on;

	if (command >= ARRAY_SIZE(flags) || virtq_read(c, &on, 1) != 1)
		return VIRTIO_NET_ERR;
	*(bool *)((char *)n + flags[command]) = on;
	return VIRTIO_NET_OK;
}

/* One of the two tables: a count, and as many addresses. */
static bool read_macs(struct virtq_chain *c, uint8_t (*mac)[ETH_ALEN], unsigned *count, bool *all)
{
	uint32_t entries, take;

	if (virtq_read(c, &entries, sizeof(entries)) != sizeof(entries) ||
	    (uint64_t)entries * ETH_ALEN > c->out_bytes)
		return false;
	*all = entries > MACS_MAX;
	take = *all ? 0 : entries;
	virtq_read(c, mac, (size_t)take * ETH_ALEN);
	virtq_skip_out(c, (size_t)(entries - take) * ETH_ALEN);
	*count = take;
	return true;
}

static uint8_t control_mac(struct net *n, uint8_t command, struct virtq_chain *c)
{
	uint8_t mac[ETH_ALEN];

	switch (command) {
	case VIRTIO_NET_CTRL_MAC_TABLE_SET:
		return read_macs(c, n->unicast.mac, &n->unicast.count, &n->unicast.all) &&
				       read_macs(c, n->multicast.mac, &n->multicast.count, &n->multicast.all)
			       ? VIRTIO_NET_OK
			       : VIRTIO_NET_ERR;
	case VIRTIO_NET_CTRL_MAC_ADDR_SET:
		if (virtq_read(c, mac, sizeof(mac)) != sizeof(mac) || c->out_bytes)
			return VIRTIO_NET_ERR;
		memcpy(n->config.mac, mac, sizeof(mac));
		return VIRTIO_NET_OK;
	}
	return VIRTIO_NET_ERR;
}

static uint8_t control_vlan(struct net *n, uint8_t command, struct virtq_chain *c)
{
	uint16_t id;

	if (command > VIRTIO_NET_CTRL_VLAN_DEL || virtq_read(c, &id, sizeof(id)) != sizeof(id) || id >= 4096)
		return VIRTIO_NET_ERR;
	if (command == VIRTIO_NET_CTRL_VLAN_ADD)
		n->vlan[id / 64] |= UINT64_C(1) << id % 64;
	else
		n->vlan[id / 64] &= ~(UINT64_C(1) << id % 64);
	return VIRTIO_NET_OK;
}

static uint8_t control_announce(struct net *n, uint8_t command, struct virtq_chain *c)
{
	(void)c;
	if (command != VIRTIO_NET_CTRL_ANNOUNCE_ACK || !(n->config.status & VIRTIO_NET_S_ANNOUNCE))
		return VIRTIO_NET_ERR;
	n->config.status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
	return VIRTIO_NET_OK;
}

static uint8_t control_mq(struct net *n, uint8_t command, struct virtq_chain *c)
{
	uint16_t pairs;

	if (command != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_has(&n->virtio, VIRTIO_NET_F_MQ) ||
	    virtq_read(c, &pairs, sizeof(pairs)) != sizeof(pairs) || !pairs || pairs > n->pairs)
		return VIRTIO_NET_ERR;
	n->active_pairs = pairs;
	accept_frames(n);
	return VIRTIO_NET_OK;
}

static unsigned guest_offloads(uint64_t features)
{
	return (features >> VIRTIO_NET_F_GUEST_CSUM & 1 ? NET_CSUM : 0) |
	       (features >> VIRTIO_NET_F_GUEST_TSO4 & 1 ? NET_TSO4 : 0) |
	       (features >> VIRTIO_NET_F_GUEST_TSO6 & 1 ? NET_TSO6 : 0) |
	       (features >> VIRTIO_NET_F_GUEST_ECN & 1 ? NET_TSO_ECN : 0);
}

/* 5.1.3.1: which features need one of which; without, the driver has not read the document. */
#define F(name) (UINT64_C(1) << VIRTIO_NET_F_##name)

static const struct {
	uint8_t feature;
	uint64_t one_of;
} requirements[] = {
	{ VIRTIO_NET_F_GUEST_TSO4, F(GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_TSO6, F(GUEST_CSUM) },
	{ VIRTIO_NET_F_GUEST_ECN, F(GUEST_TSO4) | F(GUEST_TSO6) },
	{ VIRTIO_NET_F_HOST_TSO4, F(CSUM) },
	{ VIRTIO_NET_F_HOST_TSO6, F(CSUM) },
	{ VIRTIO_NET_F_HOST_ECN, F(HOST_TSO4) | F(HOST_TSO6) },
	{ VIRTIO_NET_F_CTRL_RX, F(CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_RX_EXTRA, F(CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_VLAN, F(CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_MAC_ADDR, F(CTRL_VQ) },
	{ VIRTIO_NET_F_CTRL_GUEST_OFFLOADS, F(CTRL_VQ) },
	{ VIRTIO_NET_F_GUEST_ANNOUNCE, F(CTRL_VQ) },
	{ VIRTIO_NET_F_MQ, F(CTRL_VQ) },
};

/* Has every feature what it needs? */
static bool features_fit(const struct net *n, uint64_t features)
{
	for (unsigned i = 0; i < ARRAY_SIZE(requirements); i++)
		if (features >> requirements[i].feature & 1 && !(features & requirements[i].one_of)) {
			log_guest("%s: feature %u without one that it needs", n->virtio.dev->name,
				  requirements[i].feature);
			return false;
		}
	return true;
}

static uint8_t control_offloads(struct net *n, uint8_t command, struct virtq_chain *c)
{
	const uint64_t known = F(GUEST_CSUM) | F(GUEST_TSO4) | F(GUEST_TSO6) | F(GUEST_ECN);
	uint64_t wanted;

	if (command != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has(&n->virtio, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
	    virtq_read(c, &wanted, sizeof(wanted)) != sizeof(wanted) || wanted & ~(n->virtio.features & known) ||
	    !features_fit(n, wanted))
		return VIRTIO_NET_ERR;
	n->guest_offloads = guest_offloads(wanted);
	accept_frames(n);
	return VIRTIO_NET_OK;
}

static uint8_t (*const controls[])(struct net *n, uint8_t command, struct virtq_chain *c) = {
	[VIRTIO_NET_CTRL_RX] = control_rx,     [VIRTIO_NET_CTRL_MAC] = control_mac,
	[VIRTIO_NET_CTRL_VLAN] = control_vlan, [VIRTIO_NET_CTRL_ANNOUNCE] = control_announce,
	[VIRTIO_NET_CTRL_MQ] = control_mq,     [VIRTIO_NET_CTRL_GUEST_OFFLOADS] = control_offloads,
};

static uint8_t control(struct net *n, struct virtq_chain *c)
{
	uint8_t head[2];

	if (virtq_read(c, head, sizeof(head)) != sizeof(head) || head[0] >= ARRAY_SIZE(controls))
		return VIRTIO_NET_ERR;
	return controls[head[0]](n, head[1], c);
}

static void control_all(struct net *n, struct virtq *q)
{
	struct virtq_chain *c;

	for (unsigned i = 0; i < QUEUE_SIZE && (c = virtq_pop(q)); i++) {
		uint8_t answer = control(n, c);

		virtq_push(c, (uint32_t)virtq_write(c, &answer, sizeof(answer)));
	}
	virtq_interrupt(q);
}

/* ---- Life ---- */

static void net_notify(struct virtio_device *v, unsigned queue)
{
	struct net *n = container_of(v, struct net, virtio);

	if (queue == control_queue(n))
		control_all(n, virtio_queue(v, queue));
	else if (queue & 1)
		send_queue(n, queue / 2);
	else if (queue / 2 < n->active_pairs) {
		virtq_notifications(virtio_queue(v, queue), false);
		n->end->type->room(n->end, queue / 2);
	}
}

static bool net_accept(struct virtio_device *v, uint64_t features)
{
	return features_fit(container_of(v, struct net, virtio), features);
}

static unsigned host_offloads(uint64_t features)
{
	return (features >> VIRTIO_NET_F_CSUM & 1 ? NET_CSUM : 0) |
	       (features >> VIRTIO_NET_F_HOST_TSO4 & 1 ? NET_TSO4 : 0) |
	       (features >> VIRTIO_NET_F_HOST_TSO6 & 1 ? NET_TSO6 : 0) |
	       (features >> VIRTIO_NET_F_HOST_ECN & 1 ? NET_TSO_ECN : 0);
}

/* ---- vhost-net: the kernel serves the pairs ---- */

static int set_backend(struct net *n, unsigned pair, int fd)
{
	for (unsigned ring = 0; ring < 2; ring++) {
		struct vhost_vring_file f = { ring, fd };

		if (virtq_ready(virtio_queue(&n->virtio, 2 * pair + ring)) &&
		    ioctl(vhost_fd(n->vhost[pair]), VHOST_NET_SET_BACKEND, &f) && fd >= 0)
			return log_err(-errno, "%s: the kernel refuses a tap for vhost: %s", n->virtio.dev->said,
				       strerror(errno));
	}
	return 0;
}

static void stop_vhost(struct net *n)
{
	for (unsigned i = 0; n->vhost[0] && i < n->pairs; i++) {
		set_backend(n, i, VHOST_FILE_UNBIND);
		vhost_stop(n->vhost[i]);
	}
	n->end->vhost_runs = false;
}

static int start_vhost(struct net *n)
{
	unsigned pairs = virtio_has(&n->virtio, VIRTIO_NET_F_MQ) ? (unsigned)n->pairs : 1;
	int err = 0;

	n->end->vhost_runs = n->vhost[0];
	for (unsigned i = 0; n->vhost[0] && i < pairs && !err; i++) {
		err = vhost_start(n->vhost[i], 2 * i, 2);
		if (!err)
			err = set_backend(n, i, n->end->vhost_fd[i]);
	}
	if (err)
		stop_vhost(n);
	return err;
}

static void close_vhost(struct net *n)
{
	for (unsigned i = 0; i < n->pairs; i++) {
		vhost_close(n->vhost[i]);
		n->vhost[i] = NULL;
	}
}

static int open_vhost(struct net *n)
{
	struct virtio_device *v = &n->virtio;
	int err = 0;

	if (!n->end->vhost_wanted)
		return 0;
	for (unsigned i = 0; i < n->pairs && !err; i++)
		err = vhost_open(v, v->dev->said, "/dev/vhost-net", n->end->vhost_must, &n->vhost[i]);
	if (err) {
		close_vhost(n);
		return n->end->vhost_must ? err : 0;
	}
	vhost_offer(n->vhost[0]);
	log_debug("%s: served by the kernel", v->dev->name);
	return 0;
}

static int net_start(struct virtio_device *v)
{
	struct net *n = container_of(v, struct net, virtio);
	int err = start_vhost(n);

	if (err)
		return err;
	n->host_offloads = host_offloads(v->features);
	n->guest_offloads = guest_offloads(v->features);
	n->active_pairs = 1;
	accept_frames(n);
	return 0;
}

static void net_reset(struct virtio_device *v)
{
	struct net *n = container_of(v, struct net, virtio);

	stop_vhost(n);
	n->active_pairs = n->guest_offloads = n->host_offloads = 0;
	accept_frames(n);
	n->tx_waits = n->tx_goes_on = 0;
	loop_timer_arm(&n->tx_go_on, UINT64_MAX);
	/* Until the driver says otherwise it gets everything. */
	n->promisc = true;
	n->allmulti = n->alluni = n->nomulti = n->nouni = n->nobcast = false;
	memset(&n->unicast, 0, sizeof(n->unicast));
	memset(&n->multicast, 0, sizeof(n->multicast));
	memset(n->vlan, 0, sizeof(n->vlan));
	memcpy(n->config.mac, n->mac, sizeof(n->mac));
	n->config.status = n->link_up ? VIRTIO_NET_S_LINK_UP : 0;
}

static const char *const feature_names[] = {
	[VIRTIO_NET_F_CSUM] = "csum",
	[VIRTIO_NET_F_GUEST_CSUM] = "guest-csum",
	[VIRTIO_NET_F_CTRL_GUEST_OFFLOADS] = "ctrl-guest-offloads",
	[VIRTIO_NET_F_MTU] = "mtu",
	[VIRTIO_NET_F_MAC] = "mac",
	[VIRTIO_NET_F_GUEST_TSO4] = "guest-tso4",
	[VIRTIO_NET_F_GUEST_TSO6] = "guest-tso6",
	[VIRTIO_NET_F_GUEST_ECN] = "guest-ecn",
	[VIRTIO_NET_F_HOST_TSO4] = "host-tso4",
	[VIRTIO_NET_F_HOST_TSO6] = "host-tso6",
	[VIRTIO_NET_F_HOST_ECN] = "host-ecn",
	[VIRTIO_NET_F_MRG_RXBUF] = "mrg-rxbuf",
	[VIRTIO_NET_F_STATUS] = "status",
	[VIRTIO_NET_F_CTRL_VQ] = "ctrl-vq",
	[VIRTIO_NET_F_CTRL_RX] = "ctrl-rx",
	[VIRTIO_NET_F_CTRL_VLAN] = "ctrl-vlan",
	[VIRTIO_NET_F_CTRL_RX_EXTRA] = "ctrl-rx-extra",
	[VIRTIO_NET_F_GUEST_ANNOUNCE] = "guest-announce",
	[VIRTIO_NET_F_MQ] = "mq",
	[VIRTIO_NET_F_CTRL_MAC_ADDR] = "ctrl-mac-addr",
};

static const struct virtio_type net_virtio_type = {
	.id = VIRTIO_ID_NET,
	.queue_size = QUEUE_SIZE,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.accept = net_accept,
	.start = net_start,
	.reset = net_reset,
	.notify = net_notify,
};

static uint64_t features_of(const struct net *n)
{
	const unsigned offloads = n->end->offloads;
	uint64_t f = F(MAC) | F(STATUS) | F(MRG_RXBUF) | F(GUEST_CSUM) | F(GUEST_TSO4) | F(GUEST_TSO6) |
		     F(GUEST_ECN) | F(CTRL_GUEST_OFFLOADS) | F(CTRL_VQ) | F(CTRL_RX) | F(CTRL_RX_EXTRA) |
		     F(CTRL_VLAN) | F(CTRL_MAC_ADDR) | F(GUEST_ANNOUNCE);

	f |= offloads & NET_CSUM ? F(CSUM) : 0;
	f |= offloads & NET_TSO4 ? F(HOST_TSO4) : 0;
	f |= offloads & NET_TSO6 ? F(HOST_TSO6) : 0;
	f |= offloads & NET_TSO_ECN ? F(HOST_ECN) : 0;
	f |= n->mtu ? F(MTU) : 0;
	f |= n->pairs > 1 ? F(MQ) : 0;
	return f;
}

/*
 * Alone on its wire a guest may have the same address each time, which is what its configuration
 * may know it by; elsewhere another's must not be the same.
 */
static int choose_mac(struct net *n, const struct device *d)
{
	const char *text = n->mac_text;
	unsigned char *m = n->mac;
	int end = 0;

	if (!text) {
		static const uint8_t fixed[ETH_ALEN] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

		memcpy(m, fixed, sizeof(fixed));
		if (n->end->type->alone)
			m[5] = (uint8_t)(m[5] + d->slot);
		else if (getrandom(m + 3, 3, 0) != 3)
			return log_err(-EIO, "%s: the host has no random bytes for a MAC; say mac=", d->said);
		return 0;
	}
	if (strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5], &end) !=
		    ETH_ALEN ||
	    text[end] || end != 3 * ETH_ALEN - 1)
		return log_err(-EINVAL, "%s: mac=%s is not a MAC; use one like 52:54:00:12:34:56", d->said, text);
	if (m[0] & 1)
		return log_err(-EINVAL, "%s: mac=%s is the address of a group; its first byte must be even", d->said,
			       text);
	return 0;
}

static int check_options(const struct net *n, const struct device *d)
{
	if (n->mtu && (n->mtu < NET_MTU_MIN || n->mtu > NET_MTU_MAX))
		return log_err(-EINVAL, "%s: mtu=%llu: use %d to %d", d->said, (unsigned long long)n->mtu,
			       NET_MTU_MIN, NET_MTU_MAX);
	if (n->pairs > NET_PAIRS_MAX)
		return log_err(-EINVAL, "%s: queues=%llu: use 1 to %d", d->said, (unsigned long long)n->pairs,
			       NET_PAIRS_MAX);
	return 0;
}

static int net_create(struct device *d)
{
	struct net *n = d->state;
	int err = check_options(n, d);

	if (err)
		return err;
	n->pairs = n->pairs ? n->pairs : 1;
	loop_timer_init(&n->tx_go_on, d->env->loop, &d->lock, tx_goes_on, n);
	n->link_up = true;
	err = net_end_open(d, &net_user, (unsigned)n->pairs, (unsigned)n->mtu, &n->end);
	if (err)
		return err;
	err = choose_mac(n, d);
	if (err)
		goto close;
	n->config.max_virtqueue_pairs = (uint16_t)n->pairs;
	n->config.mtu = (uint16_t)n->mtu;
	err = virtio_init(d, &net_virtio_type, features_of(n), 2 * (unsigned)n->pairs + 1, &n->config,
			  sizeof(n->config));
	if (err)
		goto close;
	err = open_vhost(n);
	if (err)
		goto fini;
	return 0;
fini:
	virtio_fini(&n->virtio);
close:
	net_end_close(n->end);
	return err;
}

static void net_destroy(struct device *d)
{
	struct net *n = d->state;

	close_vhost(n);
	net_end_close(n->end);
	pthread_mutex_lock(&d->lock);
	loop_timer_arm(&n->tx_go_on, UINT64_MAX);
	pthread_mutex_unlock(&d->lock);
	virtio_fini(&n->virtio);
}

static const struct device_option net_options[] = {
	{ "end", "NAME", "where the frames go; see below", DEVICE_END, 0 },
	{ "mac", "MAC", "the guest's address (52:54:00:12:34:56 and up with user, else at random)", DEVICE_STRING,
	  offsetof(struct net, mac_text) },
	{ "mtu", "BYTES", "the largest packet, up to 65535, which the guest is told (nothing: 1500)", DEVICE_COUNT,
	  offsetof(struct net, mtu) },
	{ "queues", "N", "pairs of queues, where the end can, up to 16 (1)", DEVICE_COUNT,
	  offsetof(struct net, pairs) },
};

static const struct device_state net_state[] = {
	STATE(struct net, config),        STATE(struct net, active_pairs), STATE(struct net, guest_offloads),
	STATE(struct net, host_offloads), STATE(struct net, promisc),      STATE(struct net, allmulti),
	STATE(struct net, alluni),        STATE(struct net, nomulti),      STATE(struct net, nouni),
	STATE(struct net, nobcast),       STATE(struct net, unicast),      STATE(struct net, multicast),
	STATE(struct net, vlan),
};

static const struct device_type net_type = {
	.name = "virtio-net",
	.help = "a network card",
	.state_bytes = sizeof(struct net),
	.trial = "end=socket,fd=SOCKET",
	VIRTIO_DEVICE,
	DEVICE_OPTIONS(net_options),
	.option = "net",
	.arg = "[NAME][,KEY=VALUE...]",
	.first = "end",
	.end_at = net_end_at,
	.end_default = "user",
	.state = net_state,
	.state_count = ARRAY_SIZE(net_state),
	.create = net_create,
	.destroy = net_destroy,
};
DEVICE(virtio_net, &net_type);
