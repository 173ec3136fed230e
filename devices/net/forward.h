/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostfwd=tcp:127.0.0.1:2222-:22 of --net user; private to devices/net. */
#ifndef NET_FORWARD_H
#define NET_FORWARD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

union net_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct forward {
	bool udp;
	union net_address host, guest; /* a guest of address 0 is whoever has asked for one */
};

#define NET_ADDRESS_TEXT 64

/* NULL, or what is wrong with @text. */
const char *forward_parse(const char *text, struct forward *f);

socklen_t net_address_bytes(const union net_address *a);
/* "127.0.0.1:2222", "[::1]:2222". Returns @text, which has NET_ADDRESS_TEXT bytes. */
const char *net_address_text(const union net_address *a, char *text);

/*
 * Is the host's port free? Port 0 is replaced by one that is. 0 or -errno. Another process may still take it
 * before we do.
 */
int forward_reserve(struct forward *f);

#endif
