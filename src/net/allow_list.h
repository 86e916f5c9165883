/* SPDX-License-Identifier: Apache-2.0 */
/* Where outbound calls may go: what an administrator wrote, and nothing else. Filled by one thread,
 * then immutable and read by any. An empty list permits nothing.
 *
 * An entry is a network, an address or a name, each with an optional port:
 *
 *   10.0.0.0/8   192.0.2.7:8443   [fd00::/8]:443   2001:db8::1   hooks.example.com   *.example.com
 *
 * Networks and addresses are compared with the address that is about to be connected to, so what a
 * name resolves to cannot get past them. A name is compared with the host of the URL and permits
 * whatever it resolves to, except link-local addresses (where clouds keep their metadata): those
 * need an entry of their own. An IPv4 address inside an IPv6 one (::ffff:a.b.c.d) counts as IPv4;
 * "::/0" speaks of IPv6 only. */
#ifndef NET_ALLOW_LIST_H
#define NET_ALLOW_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/fail.h"
#include "base/macros.h"
#include "base/str.h"

struct allow_list;

#define ALLOW_LIST_MAX 1024 /* entries */

struct allow_list *allow_list_new(void) RETURNS_NONNULL;
void allow_list_free(struct allow_list **l);

/* Blanks around the entry are ignored. -1 with a message that quotes the entry and says what is
 * wrong with it; the list is unchanged then. */
int allow_list_add(struct allow_list *l, struct str entry, struct fail *f) MUST_CHECK;

size_t allow_list_count(const struct allow_list *l);

/* The entry in its normal form, which allow_list_add() reads back as the same. */
void allow_list_print(const struct allow_list *l, size_t index, struct buf *out);

/* Before a look-up: whether any address could be permitted for this host and port. Saves the
 * question to the resolver when the answer cannot matter. */
bool allow_list_may_permit(const struct allow_list *l, struct str host, uint16_t port);

/* At connect time: whether this address (AF_INET or AF_INET6, with the port) may be connected to on
 * behalf of that URL host. An IPv6 literal stands without brackets. */
bool allow_list_permits(const struct allow_list *l, struct str host, const struct sockaddr *to);

#endif
