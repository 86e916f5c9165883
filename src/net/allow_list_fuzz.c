/* SPDX-License-Identifier: Apache-2.0 */
/* Each line is an entry. What is accepted prints to a form that is accepted again and prints the
 * same; no accepted entry but a network makes the metadata address reachable; an address that is
 * permitted late was not ruled out early. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/allow_list.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_twice_alike(const struct allow_list *l, size_t i)
{
    struct allow_list *again = allow_list_new();
    struct buf first;
    struct buf second;
    struct fail f;

    buf_init(&first, 4096);
    buf_init(&second, 4096);
    allow_list_print(l, i, &first);
    CHECK(allow_list_add(again, buf_str(&first), &f) == 0);
    allow_list_print(again, 0, &second);
    CHECK(str_eq(buf_str(&first), buf_str(&second)));
    buf_done(&first);
    buf_done(&second);
    allow_list_free(&again);
}

static bool is_literal(struct str host)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];

    if (host.len >= sizeof(text))
        return false;
    memcpy(text, host.p, host.len);
    text[host.len] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool permits(const struct allow_list *l, struct str host, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};

    CHECK(inet_pton(AF_INET, address, &in.sin_addr) == 1);
    return allow_list_permits(l, host, (const struct sockaddr *)(const void *)&in);
}

static void ask(const struct allow_list *l, struct str host)
{
    static const char *const addresses[] = {"10.0.0.1", "127.0.0.1", "192.0.2.7"};

    if (is_literal(host))
        return;
    for (size_t i = 0; i < COUNTOF(addresses); i++)
        if (permits(l, host, addresses[i]))
            CHECK(allow_list_may_permit(l, host, 443));

    /* A name alone reaches the metadata address only if the address is listed, and then every
     * name does. */
    CHECK(permits(l, host, "169.254.169.254") ==
          permits(l, STR("unlisted.invalid."), "169.254.169.254"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allow_list *l = allow_list_new();
    struct str rest = str_make(data, size);
    struct fail f;

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        size_t before = allow_list_count(l);

        if (allow_list_add(l, line, &f) == 0) {
            CHECK(allow_list_count(l) == before + 1);
            print_twice_alike(l, before);
        } else {
            CHECK(allow_list_count(l) == before && f.message[0] != '\0');
        }
        ask(l, line);
    }
    ask(l, STR("hooks.example.com"));
    allow_list_free(&l);
    return 0;
}
