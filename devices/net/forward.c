/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forward.h"

socklen_t net_address_bytes(const union net_address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

const char *net_address_text(const union net_address *a, char *text)
{
	char address[INET6_ADDRSTRLEN] = "?";
	bool v6 = a->any.sa_family == AF_INET6;

	inet_ntop(a->any.sa_family, v6 ? (const void *)&a->v6.sin6_addr : (const void *)&a->v4.sin_addr, address,
		  sizeof(address));
	snprintf(text, NET_ADDRESS_TEXT, v6 ? "[%s]:%u" : "%s:%u", address,
		 ntohs(v6 ? a->v6.sin6_port : a->v4.sin_port));
	return text;
}

/* Cuts "ADDRESS" or "[ADDRESS]" off *@text, up to a colon, which goes too. *@family 0: it is empty. */
static const char *parse_address(char **text, union net_address *a, sa_family_t *family)
{
	char *begin = *text, *end;
	bool v6 = *begin == '[';

	end = strchr(begin, v6 ? ']' : ':');
	if (!end)
		return v6 ? "a '[' without ']'" : "an address and a port want a ':' between them";
	*end++ = 0;
	if (v6 && *end++ != ':')
		return "']' wants a ':' behind it";
	*text = end;
	*family = 0;
	memset(a, 0, sizeof(*a));
	if (!v6 && !*begin)
		return NULL;
	*family = a->any.sa_family = v6 ? AF_INET6 : AF_INET;
	if (inet_pton(*family, v6 ? begin + 1 : begin, v6 ? (void *)&a->v6.sin6_addr : (void *)&a->v4.sin_addr) != 1)
		return "an address is written like 127.0.0.1 or [::1]";
	return NULL;
}

static bool parse_port(const char *text, unsigned least, in_port_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || v < least || v > 65535)
		return false;
	*port = htons((uint16_t)v);
	return true;
}

static void set_port(union net_address *a, in_port_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = port;
	else
		a->v4.sin_port = port;
}

/* Both sides are of one kind, which one that is left out takes from the other. */
static const char *settle_families(struct forward *f, sa_family_t host, sa_family_t guest)
{
	sa_family_t family = host ? host : guest ? guest : AF_INET;

	if (host && guest && host != guest)
		return "host and guest are both IPv4 or both IPv6";
	f->host.any.sa_family = f->guest.any.sa_family = family;
	if (!host && family == AF_INET)
		f->host.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (!host)
		f->host.v6.sin6_addr = in6addr_loopback;
	return NULL;
}

static const char *parse(char *text, struct forward *f)
{
	sa_family_t host, guest;
	in_port_t host_port, guest_port;
	const char *wrong;
	char *dash;

	f->udp = !strncmp(text, "udp:", 4);
	if (!f->udp && strncmp(text, "tcp:", 4))
		return "it begins with tcp: or udp:";
	text += 4;
	wrong = parse_address(&text, &f->host, &host);
	if (wrong)
		return wrong;
	dash = strchr(text, '-');
	if (!dash)
		return "the host's port wants a '-' behind it, and then the guest's";
	*dash++ = 0;
	if (!parse_port(text, 0, &host_port))
		return "the host's port is 1 to 65535, or 0 for any that is free";
	wrong = parse_address(&dash, &f->guest, &guest);
	if (wrong)
		return wrong;
	if (!parse_port(dash, 1, &guest_port))
		return "the guest's port is 1 to 65535";
	wrong = settle_families(f, host, guest);
	set_port(&f->host, host_port);
	set_port(&f->guest, guest_port);
	return wrong;
}

const char *forward_parse(const char *text, struct forward *f)
{
	char copy[160];

	if (strlen(text) >= sizeof(copy))
		return "it is too long";
	strcpy(copy, text);
	return parse(copy, f);
}

int forward_reserve(struct forward *f)
{
	int fd = socket(f->host.any.sa_family, (f->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0), one = 1,
	    err = 0;
	socklen_t len = net_address_bytes(&f->host);

	if (fd < 0)
		return -errno;
	/* A server's connections that are not quite over do not keep its port; a second socket of UDP's would be let
	 * in. */
	if (!f->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (f->host.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &f->host.any, len) || (!f->udp && listen(fd, 1)) || getsockname(fd, &f->host.any, &len))
		err = -errno;
	close(fd);
	return err;
}
