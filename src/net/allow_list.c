/* SPDX-License-Identifier: Apache-2.0 */
/* Every address is held as 16 bytes of IPv6, IPv4 in its mapped form, so that one comparison of
 * leading bits serves both; the `v4` flag keeps the families apart. */
#include "net/allow_list.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/heap.h"

#define NAME_MAX_LEN  253
#define LABEL_MAX_LEN 63
#define QUOTED_MAX    80 /* characters of a bad entry that a message repeats */

enum entry_kind {
    ENTRY_NAME,   /* exactly this host */
    ENTRY_SUFFIX, /* any host below this one */
    ENTRY_NETWORK,
};

struct address {
    uint8_t b[16];
    bool v4; /* the last four bytes */
};

struct entry {
    enum entry_kind kind;
    uint16_t port; /* 0: any */
    unsigned bits; /* of the sixteen bytes */
    struct address address;
    struct str name; /* lower case, no final dot; of a suffix: with its leading dot */
};

struct allow_list {
    struct arena *arena; /* names */
    struct entry *entries;
    size_t count;
    size_t cap;
};

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct address address_of_v4(const void *four)
{
    struct address a = {.v4 = true};

    memcpy(a.b, mapped_prefix, sizeof(mapped_prefix));
    memcpy(a.b + 12, four, 4);
    return a;
}

static struct address address_of_v6(const void *sixteen)
{
    struct address a;

    memcpy(a.b, sixteen, 16);
    a.v4 = memcmp(a.b, mapped_prefix, sizeof(mapped_prefix)) == 0;
    return a;
}

static bool bits_match(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* IPv4 169.254.0.0/16, also behind the well-known NAT64 prefix, and IPv6 fe80::/10. */
static bool address_is_link_local(const struct address *a)
{
    static const uint8_t v6[2] = {0xfe, 0x80};
    static const uint8_t v4[2] = {169, 254};
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};

    if (bits_match(a->b, v6, 10))
        return true;
    return (a->v4 || memcmp(a->b, nat64, sizeof(nat64)) == 0) &&
           memcmp(a->b + 12, v4, sizeof(v4)) == 0;
}

static bool address_parse(struct str s, struct address *out)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, '\0', s.len))
        return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    if (inet_pton(AF_INET, text, bytes) == 1) {
        *out = address_of_v4(bytes);
        return true;
    }
    if (inet_pton(AF_INET6, text, bytes) == 1) {
        *out = address_of_v6(bytes);
        return true;
    }
    return false;
}

struct allow_list *allow_list_new(void)
{
    struct allow_list *l = heap_new_type(struct allow_list);

    l->arena = arena_new(1024);
    return l;
}

void allow_list_free(struct allow_list **l)
{
    if (!*l)
        return;
    arena_free(&(*l)->arena);
    free((*l)->entries);
    free(*l);
    *l = NULL;
}

static int refuse(struct fail *f, struct str entry, const char *why)
{
    struct str shown = str_first(entry, QUOTED_MAX);

    return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.*s%s\": %s", STR_ARG(shown),
                    shown.len < entry.len ? "..." : "", why);
}

/* What stands before the port, and the port (0 when there is none). */
static const char *split_port(struct str s, struct str *host, uint16_t *port)
{
    struct str digits = {NULL, 0};
    uint64_t number = 0;

    *port = 0;
    if (s.p[0] == '[') {
        ptrdiff_t end = str_index(s, ']');
        struct str after;

        if (end < 0)
            return "the bracket is not closed";
        after = str_skip(s, (size_t)end + 1);
        *host = str_make(s.p + 1, (size_t)end - 1);
        if (after.len == 0)
            return NULL;
        if (after.p[0] != ':')
            return "after the bracket only a port may follow, as in [fd00::/8]:443";
        digits = str_skip(after, 1);
    } else {
        struct str rest = s;

        *host = str_cut(&rest, ':');
        if (host->len == s.len || str_index(rest, ':') >= 0) {
            *host = s; /* no colon, or an IPv6 address */
            return NULL;
        }
        digits = rest;
    }
    if (digits.len > 5 || str_to_u64(digits, &number) < 0 || number == 0 || number > UINT16_MAX)
        return "the port is not a number from 1 to 65535";
    *port = (uint16_t)number;
    return NULL;
}

static const char *parse_network(struct str host, ptrdiff_t slash, struct entry *e)
{
    struct str digits = {NULL, 0};
    uint64_t bits;

    if (slash >= 0) {
        digits = str_skip(host, (size_t)slash + 1);
        host = str_first(host, (size_t)slash);
    }
    if (!address_parse(host, &e->address))
        return "what stands before the slash is not an IPv4 or IPv6 address";

    /* A mapped address written in IPv6 counts its bits in IPv6. */
    bool dotted = e->address.v4 && str_index(host, ':') < 0;
    unsigned most = dotted ? 32 : 128;

    bits = most;
    if (slash >= 0 && (digits.len > 3 || str_to_u64(digits, &bits) < 0 || bits > most))
        return dotted ? "the prefix length is not a number from 0 to 32"
                      : "the prefix length is not a number from 0 to 128";
    e->kind = ENTRY_NETWORK;
    e->bits = (unsigned)bits + (dotted ? 96 : 0);
    if (e->address.v4 && e->bits < 96)
        return "the prefix is wider than IPv4; write the IPv4 network instead";
    for (unsigned i = e->bits; i < 128; i++)
        if (e->address.b[i / 8] & (0x80u >> (i % 8)))
            return "the address has bits set beyond the prefix length";
    return NULL;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static const char *check_label(struct str label)
{
    if (label.len == 0)
        return "a name may not have an empty part";
    if (label.len > LABEL_MAX_LEN)
        return "a part of the name is longer than 63 characters";
    if (label.p[0] == '-' || label.p[label.len - 1] == '-')
        return "a part of the name may not begin or end with a hyphen";
    for (size_t i = 0; i < label.len; i++)
        if (!is_name_char(label.p[i]))
            return label.p[i] == '*' ? "a star may stand only in front, as in *.example.com"
                                     : "a name is written in letters, digits, hyphens and dots";
    return NULL;
}

/* What a URL parser could take for a number is not a name: "127.1", "0x7f000001". */
static bool label_is_numeric(struct str label)
{
    if (str_starts_with(label, STR("0x")))
        return true;
    for (size_t i = 0; i < label.len; i++)
        if (label.p[i] < '0' || label.p[i] > '9')
            return false;
    return true;
}

static const char *parse_name(struct arena *a, struct str host, struct entry *e)
{
    char lower[NAME_MAX_LEN + 1];
    struct str rest;
    struct str label = {NULL, 0};
    const char *wrong;

    if (str_ends_with(host, STR(".")))
        host.len--;
    if (str_eq(host, STR("*")))
        return "a star alone is not an entry; 0.0.0.0/0 and ::/0 permit every address";
    if (host.len > NAME_MAX_LEN)
        return "the name is longer than 253 characters";
    for (size_t i = 0; i < host.len; i++)
        lower[i] = (char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] + 32 : host.p[i]);
    host = str_make(lower, host.len);
    e->kind = ENTRY_NAME;
    if (str_starts_with(host, STR("*."))) {
        e->kind = ENTRY_SUFFIX;
        host = str_skip(host, 1);
    }
    rest = str_skip(host, e->kind == ENTRY_SUFFIX);
    do {
        bool last = str_index(rest, '.') < 0;

        label = str_cut(&rest, '.');
        wrong = check_label(label);
        if (wrong)
            return wrong;
        if (last)
            break;
    } while (true);
    if (label_is_numeric(label))
        return "this is neither an address in full (192.0.2.7) nor a name";
    e->name = arena_str(a, host);
    return NULL;
}

static const char *parse_entry(struct arena *a, struct str s, struct entry *e)
{
    struct str host;
    struct address ignored;
    const char *wrong;

    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] == '@' || s.p[i] == '\\')
            return "an entry holds a host and a port only";
    if (str_starts_with(s, STR("http://")) || str_starts_with(s, STR("https://")))
        return "write the host (and :port), not a URL";
    wrong = split_port(s, &host, &e->port);
    if (wrong)
        return wrong;
    if (host.len == 0)
        return "there is no host";

    ptrdiff_t slash = str_index(host, '/');

    if (slash >= 0 || address_parse(host, &ignored))
        return parse_network(host, slash, e);
    if (s.p[0] == '[' || str_index(host, ':') >= 0)
        return "this is not an IPv6 address";
    return parse_name(a, host, e);
}

int allow_list_add(struct allow_list *l, struct str entry, struct fail *f)
{
    struct entry e = {.port = 0};
    struct str s = str_trim(entry);
    const char *wrong;

    if (s.len == 0)
        return fail_set(f, CODE_INVALID_ARGUMENT, "the entry is empty");
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return fail_set(f, CODE_INVALID_ARGUMENT,
                            "the entry has a blank or a character outside printable ASCII");
    if (l->count == ALLOW_LIST_MAX)
        return fail_set(f, CODE_RESOURCE_EXHAUSTED, "more than %d entries", ALLOW_LIST_MAX);
    wrong = parse_entry(l->arena, s, &e);
    if (wrong)
        return refuse(f, s, wrong);
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->entries = heap_realloc(l->entries, l->cap * sizeof(*l->entries));
    }
    l->entries[l->count++] = e;
    return 0;
}

size_t allow_list_count(const struct allow_list *l)
{
    return l->count;
}

static void print_network(const struct entry *e, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    bool bracket = !e->address.v4 && e->port != 0;
    unsigned most = e->address.v4 ? 32 : 128;
    unsigned bits = e->address.v4 ? e->bits - 96 : e->bits;
    const void *bytes = e->address.v4 ? e->address.b + 12 : e->address.b;
    const char *shown = inet_ntop(e->address.v4 ? AF_INET : AF_INET6, bytes, text, sizeof(text));

    assert(shown);
    buf_printf(out, "%s%s", bracket ? "[" : "", shown);
    if (bits < most)
        buf_printf(out, "/%u", bits);
    if (bracket)
        buf_put_byte(out, ']');
}

void allow_list_print(const struct allow_list *l, size_t index, struct buf *out)
{
    const struct entry *e;

    assert(index < l->count);
    e = &l->entries[index];
    switch (e->kind) {
    case ENTRY_NETWORK: print_network(e, out); break;
    case ENTRY_SUFFIX:
        buf_put_byte(out, '*');
        buf_put_str(out, e->name);
        break;
    case ENTRY_NAME: buf_put_str(out, e->name); break;
    }
    if (e->port != 0)
        buf_printf(out, ":%u", e->port);
}

static bool name_matches(const struct entry *e, struct str host)
{
    if (str_ends_with(host, STR(".")))
        host.len--;
    if (e->kind == ENTRY_SUFFIX)
        return host.len > e->name.len &&
               str_eq_nocase(str_skip(host, host.len - e->name.len), e->name);
    return str_eq_nocase(host, e->name);
}

static bool network_matches(const struct entry *e, const struct address *a)
{
    return e->address.v4 == a->v4 && bits_match(e->address.b, a->b, e->bits);
}

bool allow_list_may_permit(const struct allow_list *l, struct str host, uint16_t port)
{
    struct address literal;
    bool is_literal = address_parse(host, &literal);

    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];

        if (e->port != 0 && e->port != port)
            continue;
        if (e->kind != ENTRY_NETWORK) {
            if (!is_literal && name_matches(e, host))
                return true;
        } else if (!is_literal || network_matches(e, &literal)) {
            return true;
        }
    }
    return false;
}

bool allow_list_permits(const struct allow_list *l, struct str host, const struct sockaddr *to)
{
    struct address a;
    struct address literal;
    uint16_t port;
    bool is_literal = address_parse(host, &literal);

    if (to->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, to, sizeof(in));
        a = address_of_v4(&in.sin_addr);
        port = ntohs(in.sin_port);
    } else if (to->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, to, sizeof(in6));
        a = address_of_v6(&in6.sin6_addr);
        port = ntohs(in6.sin6_port);
    } else {
        return false;
    }

    bool link_local = address_is_link_local(&a);

    for (size_t i = 0; i < l->count; i++) {
        const struct entry *e = &l->entries[i];

        if (e->port != 0 && e->port != port)
            continue;
        if (e->kind == ENTRY_NETWORK) {
            if (network_matches(e, &a))
                return true;
        } else if (!link_local && !is_literal && name_matches(e, host)) {
            return true;
        }
    }
    return false;
}
