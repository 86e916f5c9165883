/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "net/allow_list.h"

static struct allow_list *list_of(const char *const *entries)
{
    struct allow_list *l = allow_list_new();
    struct fail f;

    for (; *entries; entries++)
        if (allow_list_add(l, str_of(*entries), &f) < 0)
            fail_msg("%s", f.message);
    return l;
}

#define LIST(...) list_of((const char *const[]){__VA_ARGS__, NULL})

static bool permits(const struct allow_list *l, const char *host, const char *address,
                    uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return allow_list_permits(l, str_of(host), (const struct sockaddr *)(const void *)&in);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return allow_list_permits(l, str_of(host), (const struct sockaddr *)(const void *)&in6);
}

static void an_empty_list_permits_nothing(void **state)
{
    struct allow_list *l = allow_list_new();

    (void)state;
    assert_false(permits(l, "example.com", "192.0.2.1", 443));
    assert_false(permits(l, "::1", "::1", 443));
    assert_false(allow_list_may_permit(l, STR("example.com"), 443));
    allow_list_free(&l);
    assert_null(l);
}

static void a_network_permits_the_addresses_in_it_and_no_others(void **state)
{
    struct allow_list *l = LIST("10.0.0.0/8", "192.0.2.128/25", "fd00::/9", "2001:db8::7");

    (void)state;
    assert_true(permits(l, "any.example", "10.255.0.1", 80));
    assert_false(permits(l, "any.example", "11.0.0.0", 80));
    assert_false(permits(l, "any.example", "9.255.255.255", 80));
    assert_true(permits(l, "any.example", "192.0.2.128", 80));
    assert_false(permits(l, "any.example", "192.0.2.127", 80));
    assert_true(permits(l, "any.example", "fd7f:ffff::1", 80));
    assert_false(permits(l, "any.example", "fd80::1", 80));
    assert_true(permits(l, "any.example", "2001:db8::7", 80));
    assert_false(permits(l, "any.example", "2001:db8::6", 80));
    allow_list_free(&l);
}

static void ipv4_inside_ipv6_counts_as_ipv4(void **state)
{
    struct allow_list *l = LIST("10.0.0.0/8", "::ffff:192.0.2.0/120");

    (void)state;
    assert_true(permits(l, "x", "::ffff:10.1.2.3", 80));
    assert_false(permits(l, "x", "::ffff:11.1.2.3", 80));
    assert_true(permits(l, "x", "192.0.2.200", 80));
    assert_false(permits(l, "x", "192.0.3.0", 80));
    allow_list_free(&l);
}

static void all_of_ipv6_does_not_mean_ipv4(void **state)
{
    struct allow_list *l = LIST("::/0");

    (void)state;
    assert_true(permits(l, "x", "2001:db8::1", 80));
    assert_true(permits(l, "x", "::1", 80));
    assert_false(permits(l, "x", "127.0.0.1", 80));
    assert_false(permits(l, "x", "::ffff:127.0.0.1", 80));
    allow_list_free(&l);
    l = LIST("0.0.0.0/0");
    assert_true(permits(l, "x", "127.0.0.1", 80));
    assert_true(permits(l, "x", "::ffff:127.0.0.1", 80));
    assert_false(permits(l, "x", "::1", 80));
    allow_list_free(&l);
}

static void a_port_narrows_an_entry(void **state)
{
    struct allow_list *l = LIST("10.0.0.0/8:443", "[fd00::/8]:8443", "[::1]:80", "a.example:81");

    (void)state;
    assert_true(permits(l, "x", "10.0.0.1", 443));
    assert_false(permits(l, "x", "10.0.0.1", 444));
    assert_true(permits(l, "x", "fd00::1", 8443));
    assert_false(permits(l, "x", "fd00::1", 443));
    assert_true(permits(l, "x", "::1", 80));
    assert_false(permits(l, "x", "::1", 81));
    assert_true(permits(l, "a.example", "192.0.2.1", 81));
    assert_false(permits(l, "a.example", "192.0.2.1", 80));
    allow_list_free(&l);
}

static void a_name_permits_whatever_it_resolves_to(void **state)
{
    struct allow_list *l = LIST("Hooks.Example.com.");

    (void)state;
    assert_true(permits(l, "hooks.example.com", "192.0.2.1", 443));
    assert_true(permits(l, "HOOKS.EXAMPLE.COM", "2001:db8::1", 443));
    assert_true(permits(l, "hooks.example.com.", "10.0.0.1", 443));
    assert_false(permits(l, "example.com", "192.0.2.1", 443));
    assert_false(permits(l, "xhooks.example.com", "192.0.2.1", 443));
    assert_false(permits(l, "hooks.example.com.evil.example", "192.0.2.1", 443));
    allow_list_free(&l);
}

static void a_star_permits_what_is_below_the_name_but_not_the_name(void **state)
{
    struct allow_list *l = LIST("*.example.com");

    (void)state;
    assert_true(permits(l, "a.example.com", "192.0.2.1", 443));
    assert_true(permits(l, "a.b.EXAMPLE.com", "192.0.2.1", 443));
    assert_false(permits(l, "example.com", "192.0.2.1", 443));
    assert_false(permits(l, "badexample.com", "192.0.2.1", 443));
    allow_list_free(&l);
}

static void a_name_does_not_reach_link_local_addresses(void **state)
{
    struct allow_list *l = LIST("meta.example", "*.meta.example");

    (void)state;
    assert_false(permits(l, "meta.example", "169.254.169.254", 80));
    assert_false(permits(l, "a.meta.example", "169.254.0.1", 80));
    assert_false(permits(l, "meta.example", "::ffff:169.254.169.254", 80));
    assert_false(permits(l, "meta.example", "64:ff9b::169.254.169.254", 80));
    assert_false(permits(l, "meta.example", "fe80::1", 80));
    assert_false(permits(l, "meta.example", "febf::1", 80));
    assert_true(permits(l, "meta.example", "fec0::1", 80));
    assert_true(permits(l, "meta.example", "169.253.1.1", 80));
    allow_list_free(&l);
    l = LIST("meta.example", "169.254.169.254", "fe80::/10");
    assert_true(permits(l, "meta.example", "169.254.169.254", 80));
    assert_false(permits(l, "meta.example", "169.254.169.253", 80));
    assert_true(permits(l, "meta.example", "fe80::1", 80));
    allow_list_free(&l);
}

static void a_name_entry_says_nothing_about_address_literals(void **state)
{
    struct allow_list *l = LIST("*.example", "192.0.2.1");

    (void)state;
    assert_true(permits(l, "192.0.2.1", "192.0.2.1", 80));
    assert_false(permits(l, "192.0.2.2", "192.0.2.2", 80));
    assert_false(permits(l, "::1", "::1", 80));
    allow_list_free(&l);
}

static void the_early_question_is_never_stricter_than_the_late_one(void **state)
{
    struct allow_list *l = LIST("10.0.0.0/8:443", "a.example:80");

    (void)state;
    assert_true(allow_list_may_permit(l, STR("b.example"), 443)); /* may resolve into 10/8 */
    assert_false(allow_list_may_permit(l, STR("b.example"), 80));
    assert_true(allow_list_may_permit(l, STR("a.example"), 80));
    assert_true(allow_list_may_permit(l, STR("10.1.1.1"), 443));
    assert_false(allow_list_may_permit(l, STR("11.1.1.1"), 443));
    assert_false(allow_list_may_permit(l, STR("10.1.1.1"), 80));
    allow_list_free(&l);
}

static void entries_are_printed_in_normal_form(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {" 10.0.0.0/8 ", "10.0.0.0/8"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"192.0.2.1:443", "192.0.2.1:443"},
        {"[192.0.2.1]:443", "192.0.2.1:443"},
        {"2001:DB8:0:0::1", "2001:db8::1"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"[2001:db8::/32]:80", "[2001:db8::/32]:80"},
        {"[::1]", "::1"},
        {"::ffff:10.0.0.0/104", "10.0.0.0/8"},
        {"::ffff:10.0.0.1", "10.0.0.1"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"::/0", "::/0"},
        {"*.Example.COM:8080", "*.example.com:8080"},
        {"localhost", "localhost"},
        {"my_host-1.internal.", "my_host-1.internal"},
    };

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct allow_list *l = LIST(cases[i].in);
        struct buf out;

        buf_init(&out, 1024);
        allow_list_print(l, 0, &out);
        buf_put_byte(&out, '\0');
        assert_string_equal((const char *)out.data, cases[i].out);
        buf_done(&out);
        allow_list_free(&l);
    }
}

static void a_bad_entry_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *in;
        const char *why; /* part of the message */
    } cases[] = {
        {"", "empty"},
        {"   ", "empty"},
        {"a b", "blank"},
        {"caf\xc3\xa9.example", "printable ASCII"},
        {"10.1.2.3/8", "beyond the prefix"},
        {"10.0.0.0/33", "0 to 32"},
        {"10.0.0.0/", "0 to 32"},
        {"10.0.0.0/-1", "0 to 32"},
        {"10.0.0.0/8/8", "0 to 32"},
        {"2001:db8::/129", "0 to 128"},
        {"2001:db8::1/64", "beyond the prefix"},
        {"::ffff:0:0/90", "wider than IPv4"},
        {"10.0.0/8", "not an IPv4 or IPv6 address"},
        {"example.com/24", "not an IPv4 or IPv6 address"},
        {"10.0.0.1:0", "port"},
        {"10.0.0.1:65536", "port"},
        {"10.0.0.1:", "port"},
        {"example.com:https", "port"},
        {"example.com:000080", "port"},
        {"[::1", "bracket is not closed"},
        {"[::1]80", "only a port"},
        {"[::1]/128", "only a port"},
        {"[]:80", "no host"},
        {":80", "no host"},
        {"[example.com]:80", "not an IPv6 address"},
        {"fe80::1%eth0", "not an IPv6 address"},
        {":::", "not an IPv6 address"},
        {"127.1", "neither an address"},
        {"2130706433", "neither an address"},
        {"0x7f000001", "neither an address"},
        {"a.0x1", "neither an address"},
        {"010.0.0.1", "neither an address"},
        {"*", "star alone"},
        {"*example.com", "star may stand only in front"},
        {"a.*.example.com", "star may stand only in front"},
        {"*.", "star alone"},
        {"a..b", "empty part"},
        {".a", "empty part"},
        {".", "empty part"},
        {"-a.example", "hyphen"},
        {"a-.example", "hyphen"},
        {"ex$ample", "letters, digits"},
        {"http://example.com", "not a URL"},
        {"user@example.com", "host and a port only"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", "63"},
    };
    struct allow_list *l = allow_list_new();
    struct fail f;

    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        if (allow_list_add(l, str_of(cases[i].in), &f) == 0)
            fail_msg("accepted: %s", cases[i].in);
        assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
        if (!strstr(f.message, cases[i].why))
            fail_msg("%s: %s", cases[i].in, f.message);
    }
    assert_int_equal(allow_list_count(l), 0);
    allow_list_free(&l);
}

static void the_list_is_bounded(void **state)
{
    struct allow_list *l = allow_list_new();
    struct fail f;

    (void)state;
    for (int i = 0; i < ALLOW_LIST_MAX; i++)
        assert_int_equal(allow_list_add(l, STR("a.example"), &f), 0);
    assert_int_equal(allow_list_add(l, STR("a.example"), &f), -1);
    assert_int_equal(f.code, CODE_RESOURCE_EXHAUSTED);
    assert_int_equal(allow_list_count(l), ALLOW_LIST_MAX);
    allow_list_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_list_permits_nothing),
        cmocka_unit_test(a_network_permits_the_addresses_in_it_and_no_others),
        cmocka_unit_test(ipv4_inside_ipv6_counts_as_ipv4),
        cmocka_unit_test(all_of_ipv6_does_not_mean_ipv4),
        cmocka_unit_test(a_port_narrows_an_entry),
        cmocka_unit_test(a_name_permits_whatever_it_resolves_to),
        cmocka_unit_test(a_star_permits_what_is_below_the_name_but_not_the_name),
        cmocka_unit_test(a_name_does_not_reach_link_local_addresses),
        cmocka_unit_test(a_name_entry_says_nothing_about_address_literals),
        cmocka_unit_test(the_early_question_is_never_stricter_than_the_late_one),
        cmocka_unit_test(entries_are_printed_in_normal_form),
        cmocka_unit_test(a_bad_entry_is_refused_with_its_reason),
        cmocka_unit_test(the_list_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
