/* SPDX-License-Identifier: Apache-2.0 */
/* The table, the layers, and every way to get a configuration wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/config.h"
#include "server/config_value.h"

/* One load: what went in, what came out. */
struct load {
    struct arena *arena;
    struct args args;
    struct config_problems problems;
    struct config *config;
};

static int set_up(void **state)
{
    struct load *l = calloc(1, sizeof(*l));

    if (!l)
        return -1;
    l->arena = arena_new(4096);
    config_problems_init(&l->problems);
    *state = l;
    return 0;
}

static int tear_down(void **state)
{
    struct load *l = *state;

    config_free(&l->config);
    config_problems_done(&l->problems);
    arena_free(&l->arena);
    free(l);
    return 0;
}

static void load(struct load *l, const char *const *argv, const char *const *env, const char *file)
{
    size_t count;
    const struct args_flag *flags = config_flags(l->arena, NULL, 0, &count);
    char *args[16], *variables[16];
    size_t argc = 0, n = 0;
    struct fail f;

    for (; argv && argv[argc]; argc++)
        args[argc] = arena_cstr(l->arena, str_of(argv[argc]));
    for (; env && env[n]; n++)
        variables[n] = arena_cstr(l->arena, str_of(env[n]));
    variables[n] = NULL;
    assert_int_equal(args_parse(l->arena, flags, count, (int)argc, args, &l->args, &f), 0);
    config_free(&l->config);
    config_problems_done(&l->problems);
    config_problems_init(&l->problems);
    l->config = config_load_text(&l->args, variables, "muster.conf", str_of(file), &l->problems);
}

static void assert_problem(struct load *l, const char *text)
{
    buf_put_byte(&l->problems.text, '\0');
    assert_null(l->config);
    assert_string_equal((const char *)l->problems.text.data, text);
}

/* Loads a file that is wrong. */
static void assert_refused(struct load *l, const char *file, const char *problem)
{
    load(l, NULL, NULL, file);
    assert_problem(l, problem);
}

static void defaults_are_a_valid_configuration(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL, NULL);
    assert_int_equal(l->problems.count, 0);
    assert_non_null(l->config);
    assert_int_equal(l->config->listen.count, 1);
    assert_string_equal(l->config->listen.items[0], "127.0.0.1:8080");
    assert_int_equal(l->config->limits_headers, 65536);
    assert_int_equal(l->config->timeouts_header_us, 10000000);
    assert_int_equal(l->config->log_level, 1);
    assert_false(l->config->insecure);
}

static void every_default_is_its_own_shortest_spelling(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL, NULL);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (config_is_changed(l->config, config_key_at(i)))
            fail_msg("%s", config_key_at(i)->name);
    }
}

static void names_are_unique_in_each_form(void **state)
{
    struct load *l = *state;

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *one = config_key_at(i);

        assert_ptr_equal(config_key_find(str_of(one->name)), one);
        assert_true(strlen(one->text) > 20);
        for (size_t j = 0; j < i; j++) {
            const struct config_key *other = config_key_at(j);

            assert_string_not_equal(config_flag_name(l->arena, one),
                                    config_flag_name(l->arena, other));
            assert_string_not_equal(config_env_name(l->arena, one),
                                    config_env_name(l->arena, other));
        }
    }
}

static void a_key_has_three_names(void **state)
{
    struct load *l = *state;
    const struct config_key *key = config_key_find(STR("limits.request_line"));

    assert_non_null(key);
    assert_string_equal(config_flag_name(l->arena, key), "limits-request-line");
    assert_string_equal(config_env_name(l->arena, key), "MUSTER_LIMITS_REQUEST_LINE");
}

static void flag_wins_over_environment_over_file(void **state)
{
    struct load *l = *state;
    const char *argv[] = {"--workers", "3", NULL};
    const char *env[] = {"HOME=/", "MUSTER_WORKERS=4", "MUSTER_LOOPS=5", NULL};

    load(l, argv, env, "workers = 6\nloops = 7\nlimits.streams = 8\n");
    assert_non_null(l->config);
    assert_int_equal(l->config->workers, 3);
    assert_int_equal(l->config->loops, 5);
    assert_int_equal(l->config->limits_streams, 8);
}

static void origins_tell_where_a_value_was_set(void **state)
{
    struct load *l = *state;
    const char *argv[] = {"--workers=3", NULL};
    const char *env[] = {"MUSTER_LOOPS=5", NULL};
    const char *expected[][2] = {{"workers", "--workers"},
                                 {"loops", "MUSTER_LOOPS"},
                                 {"limits.streams", "muster.conf:3"},
                                 {"limits.headers", "default"}};

    load(l, argv, env, "\n# one\nlimits.streams = 8\n");
    for (size_t i = 0; i < COUNTOF(expected); i++) {
        struct str origin =
            config_origin(l->config, config_key_find(str_of(expected[i][0])), l->arena);

        assert_true(str_eq(origin, str_of(expected[i][1])));
    }
}

static void listen_flags_replace_the_list_of_the_file(void **state)
{
    struct load *l = *state;
    const char *argv[] = {"--listen", "127.0.0.1:1", "--listen=[::1]:2", NULL};

    load(l, argv, NULL, "listen = 127.0.0.1:3, 127.0.0.1:4, 127.0.0.1:5\n");
    assert_non_null(l->config);
    assert_int_equal(l->config->listen.count, 2);
    assert_string_equal(l->config->listen.items[0], "127.0.0.1:1");
    assert_string_equal(l->config->listen.items[1], "[::1]:2");
}

static void a_switch_flag_needs_no_value(void **state)
{
    struct load *l = *state;
    const char *on[] = {"--insecure", NULL};
    const char *off[] = {"--insecure=false", NULL};

    load(l, on, NULL, NULL);
    assert_true(l->config->insecure);
    load(l, off, NULL, "insecure = true\n");
    assert_false(l->config->insecure);
}

static void sections_stand_in_front_of_keys(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL,
         "workers = 2\n[limits] # sizes\nheaders = 48KiB\n[ tls ]\nclient_auth = none\n");
    assert_non_null(l->config);
    assert_int_equal(l->config->limits_headers, 49152);
}

static void quotes_keep_blanks_and_comment_signs(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL, "data = \" a #b \\\"c\\\\ \"  # the rest\n");
    assert_non_null(l->config);
    assert_string_equal(l->config->data, " a #b \"c\\ ");
}

static void comments_begin_after_a_blank_only(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL, "data = a#b #c\r\n");
    assert_non_null(l->config);
    assert_string_equal(l->config->data, "a#b");
}

static void sizes_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        int64_t value; /* -1: refused */
    } rows[] = {
        {"4096", 4096},  {"4KiB", 4096},
        {"4 KiB", 4096}, {"1MiB", 1048576},
        {"4kib", -1},    {"4K", -1},
        {"", -1},        {"KiB", -1},
        {"-4KiB", -1},   {"4.5KiB", -1},
        {"+4KiB", -1},   {"9223372036854775807GiB", -1},
        {"4KiBx", -1},   {"99999999999999999999", -1},
    };
    struct load *l = *state;
    struct config_key key = *config_key_find(STR("limits.headers"));
    struct fail f;

    key.min = 0;
    key.max = INT64_MAX;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t n = -1;

        IGNORE(config_value_parse(l->arena, &key, str_of(rows[i].text), &n, &f));
        if (n != rows[i].value)
            fail_msg("%s is %lld", rows[i].text, (long long)n);
    }
}

static void durations_are_read_exactly(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"250ms", 250000},   {"30s", 30000000}, {"2m", 120000000}, {"1h", 3600000000},
        {"1d", 86400000000}, {"0", 0},          {"0s", 0},         {"30", -1},
        {"30sec", -1},       {"1h30m", -1},     {"s", -1},         {"-1s", -1},
        {"106751992d", -1},
    };
    struct load *l = *state;
    struct config_key key = *config_key_find(STR("timeouts.idle"));
    struct fail f;

    key.min = 0;
    key.max = INT64_MAX;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        int64_t n = -1;

        IGNORE(config_value_parse(l->arena, &key, str_of(rows[i].text), &n, &f));
        if (n != rows[i].value)
            fail_msg("%s is %lld", rows[i].text, (long long)n);
    }
}

static void numbers_print_in_the_largest_unit_that_fits(void **state)
{
    static const struct {
        enum config_type type;
        int64_t n;
        const char *text;
    } rows[] = {
        {CONFIG_TYPE_SIZE, 0, "0"},
        {CONFIG_TYPE_SIZE, 1000, "1000"},
        {CONFIG_TYPE_SIZE, 1536, "1536"},
        {CONFIG_TYPE_SIZE, 3 << 20, "3MiB"},
        {CONFIG_TYPE_DURATION, 90000000, "90s"},
        {CONFIG_TYPE_DURATION, 1500000, "1500ms"},
        {CONFIG_TYPE_DURATION, 86400000000, "1d"},
        {CONFIG_TYPE_INT, 86400000000, "86400000000"},
    };
    struct load *l = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct buf out;

        buf_init_arena(&out, l->arena, 64);
        config_value_print_number(rows[i].type, rows[i].n, &out);
        assert_true(str_eq(buf_str(&out), str_of(rows[i].text)));
    }
}

static void wrong_values_are_named_with_place_and_remedy(void **state)
{
    struct load *l = *state;

    assert_refused(l, "\nlimits.headers = 32Kib\n",
                   "muster.conf:2: limits.headers: \"32Kib\" is not a size; write a number of "
                   "bytes, or one with KiB, MiB or GiB, such as 64KiB\n");
    assert_refused(l, "limits.headers = 1GiB\n",
                   "muster.conf:1: limits.headers: 1GiB is out of bounds; write a value from 1KiB "
                   "to 1MiB\n");
    assert_refused(l, "timeouts.idle = 30\n",
                   "muster.conf:1: timeouts.idle: \"30\" is not a duration; write a number with "
                   "ms, s, m, h or d, such as 30s\n");
    assert_refused(l, "insecure = yes\n",
                   "muster.conf:1: insecure: \"yes\" is not a switch; write true or false\n");
    assert_refused(l, "log.level = verbose\n",
                   "muster.conf:1: log.level: \"verbose\" is not one of "
                   "debug|info|warn|error|off\n");
    assert_refused(l, "workers = many\n",
                   "muster.conf:1: workers: \"many\" is not a whole number, such as 8\n");
    assert_refused(l, "listen = 127.0.0.1:1,,127.0.0.1:2\n",
                   "muster.conf:1: listen: \"127.0.0.1:1,,127.0.0.1:2\" is not a list; write items "
                   "with one comma between two\n");
}

static void bounds_themselves_are_allowed(void **state)
{
    struct load *l = *state;

    load(l, NULL, NULL, "limits.headers = 1KiB\nlimits.request_line = 64KiB\n");
    assert_non_null(l->config);
}

static void unknown_keys_name_the_nearest(void **state)
{
    struct load *l = *state;

    assert_refused(l, "[limits]\nheader = 1KiB\n",
                   "muster.conf:2: unknown key \"limits.header\"; did you mean "
                   "\"limits.headers\"?\n");
    assert_refused(l, "color = red\n",
                   "muster.conf:1: unknown key \"color\"; `muster config example` lists them\n");
}

static void unknown_variables_name_the_nearest(void **state)
{
    struct load *l = *state;
    const char *env[] = {"MUSTER_LISTN=x", "MUSTERING=1", NULL};

    load(l, NULL, env, NULL);
    assert_problem(l,
                   "MUSTER_LISTN: unknown variable in the environment; did you mean "
                   "MUSTER_LISTEN?\n");
}

static void variables_of_the_commands_and_of_kubernetes_pass(void **state)
{
    struct load *l = *state;
    const char *env[] = {"MUSTER_SERVER=http://x", "MUSTER_KEY=k", "MUSTER_SERVICE_HOST=10.0.0.1",
                         "MUSTER_PORT_80_TCP=tcp://10.0.0.1:80", NULL};

    load(l, NULL, env, NULL);
    assert_non_null(l->config);
}

static void wrong_flags_and_variables_are_named(void **state)
{
    struct load *l = *state;
    const char *argv[] = {"--workers", "x", NULL};
    const char *env[] = {"MUSTER_LOOPS=y", NULL};

    load(l, argv, env, NULL);
    assert_problem(l,
                   "MUSTER_LOOPS: \"y\" is not a whole number, such as 8\n"
                   "--workers: \"x\" is not a whole number, such as 8\n");
}

static void a_value_that_a_flag_hides_is_still_checked(void **state)
{
    struct load *l = *state;
    const char *argv[] = {"--workers", "1", NULL};

    load(l, argv, NULL, "workers = x\n");
    assert_problem(l, "muster.conf:1: workers: \"x\" is not a whole number, such as 8\n");
}

static void duplicate_keys_are_refused(void **state)
{
    struct load *l = *state;

    assert_refused(l, "limits.streams = 1\n[limits]\nstreams = 1\n",
                   "muster.conf:3: limits.streams: is set in line 1 already; remove one of the "
                   "two\n");
}

static void malformed_lines_are_named(void **state)
{
    struct load *l = *state;

    assert_refused(l, "workers\n",
                   "muster.conf:1: a line is written as key = value, [section] or # comment\n");
    assert_refused(l, "[limits\n", "muster.conf:1: a section is written as [name]\n");
    assert_refused(l, "[limits] headers = 1\n",
                   "muster.conf:1: something follows the section; write [name] on a line of its "
                   "own\n");
    assert_refused(l, "Workers = 1\n",
                   "muster.conf:1: the key before = has only small letters, digits, dots and "
                   "underscores\n");
    assert_refused(l, "data = \"x\n",
                   "muster.conf:1: the closing quote is missing; write key = \"value\"\n");
    assert_refused(l, "data = \"x\" y\n",
                   "muster.conf:1: something follows the closing quote; write key = \"value\"\n");
    assert_refused(l, "data = \"\\n\"\n",
                   "muster.conf:1: after a backslash in a quoted value comes \" or another "
                   "backslash\n");
    assert_refused(l, "data = \xff\n", "muster.conf:1: the line is not UTF-8\n");
    assert_refused(l, "data = a\x01\n", "muster.conf:1: the line holds a control character\n");
}

static void all_mistakes_are_listed_at_once(void **state)
{
    struct load *l = *state;

    assert_refused(l, "a = 1\nworkers = x\n[limits\n",
                   "muster.conf:1: unknown key \"a\"; `muster config example` lists them\n"
                   "muster.conf:2: workers: \"x\" is not a whole number, such as 8\n"
                   "muster.conf:3: a section is written as [name]\n");
}

static void the_list_of_mistakes_is_bounded(void **state)
{
    struct load *l = *state;
    struct buf file;

    buf_init_arena(&file, l->arena, 1 << 20);
    for (int i = 0; i < 1000; i++)
        buf_put_str(&file, STR("x\n"));
    buf_put_byte(&file, '\0');
    load(l, NULL, NULL, (const char *)file.data);
    assert_null(l->config);
    assert_int_equal(l->problems.count, 1000);
    assert_true(l->problems.text.len < 4096);
}

static void the_file_cannot_name_itself(void **state)
{
    struct load *l = *state;

    assert_refused(l, "config = other.conf\n",
                   "muster.conf:1: config: cannot stand in the file; give it as a flag or in the "
                   "environment\n");
}

static void clear_text_to_other_machines_needs_consent(void **state)
{
    struct load *l = *state;

    assert_refused(l, "listen = 0.0.0.0:8080\n",
                   "muster.conf:1: listen: 0.0.0.0:8080 would send keys in clear text to other "
                   "machines; write tls://0.0.0.0:8080, listen on 127.0.0.1, or set insecure\n");
    load(l, NULL, NULL, "listen = 0.0.0.0:8080, [::]:1\ninsecure = true\n");
    assert_non_null(l->config);
    load(l, NULL, NULL, "listen = 127.8.8.8:8080, [::1]:1\n");
    assert_non_null(l->config);
}

static void tls_settings_belong_together(void **state)
{
    struct load *l = *state;

    assert_refused(l, "listen = tls://0.0.0.0:1\n",
                   "muster.conf:1: listen: tls://0.0.0.0:1 needs a certificate; set tls.cert and "
                   "tls.key\n");
    assert_refused(l, "tls.cert = a\n", "muster.conf:1: tls.cert: needs tls.key beside it\n");
    assert_refused(l, "tls.key = a\n", "muster.conf:1: tls.key: needs tls.cert beside it\n");
    assert_refused(l, "tls.client_auth = required\n",
                   "muster.conf:1: tls.client_auth: needs tls.client_ca, the authorities to "
                   "trust\n");
    load(l, NULL, NULL,
         "listen = tls://0.0.0.0:1\n[tls]\ncert = a\nkey = b\nclient_auth = optional\n"
         "client_ca = c\n");
    assert_non_null(l->config);
}

static void the_data_directory_leaves_room_for_its_socket(void **state)
{
    struct load *l = *state;
    char path[97] = "/";
    const char *argv[] = {"--data", path, NULL};

    memset(path + 1, 'd', 95); /* 96 bytes, and 12 for the socket's name and the end */
    load(l, argv, NULL, NULL);
    assert_non_null(l->config);
    assert_refused(l, "data = \"\"\n", "muster.conf:1: data: is empty; name a directory\n");
}

static void a_data_directory_too_long_for_its_socket_is_refused(void **state)
{
    struct load *l = *state;
    char path[98] = "/";
    const char *argv[] = {"--data", path, NULL};

    memset(path + 1, 'd', 96);
    load(l, argv, NULL, NULL);
    assert_problem(l,
                   "--data: is too long for the admin socket in it; write a path of at most 96 "
                   "bytes, such as a relative one\n");
}

static void malformed_listeners_are_refused(void **state)
{
    static const char *const rows[] = {
        "8080",          ":8080",           "127.0.0.1",   "127.0.0.1:",
        "1.2.3:80",      "127.0.0.1:x",     "::1:80",      "[::1]80",
        "[::1:80",       "127.0.0.1:65536", "tls://",      "http://1.1.1.1:1",
        "[127.0.0.1]:1", "unix:/tmp/x",     "127.0.0.1:-1"};
    struct load *l = *state;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const char *argv[] = {"--listen", rows[i], NULL};

        load(l, argv, NULL, NULL);
        if (l->config)
            fail_msg("%s", rows[i]);
    }
}

static void only_reloadable_keys_may_change(void **state)
{
    struct load *l = *state;
    struct config_problems p;

    config_problems_init(&p);
    load(l, NULL, NULL, "workers = 1\n");

    struct config *old = l->config;

    l->config = NULL;
    load(l, NULL, NULL, "workers = 1\nlog.level = debug\nlimits.headers = 2KiB\n");
    assert_true(config_may_become(old, l->config, &p));
    load(l, NULL, NULL, "workers = 2\nlog.level = debug\n");
    assert_false(config_may_become(old, l->config, &p));
    buf_put_byte(&p.text, '\0');
    assert_string_equal((const char *)p.text.data,
                        "muster.conf:1: workers: cannot change while the server runs; restart "
                        "it\n");
    config_free(&old);
    config_problems_done(&p);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    struct load *l = *state;
    char *env[] = {(char[]){"MUSTER_CONFIG=/nonexistent/muster.conf"}, NULL};

    l->config = config_load(NULL, env, &l->problems);
    assert_problem(l,
                   "/nonexistent/muster.conf: cannot read the configuration file: No such file "
                   "or directory\n");
}

static void the_file_that_a_flag_names_is_read(void **state)
{
    struct load *l = *state;
    char path[] = "/tmp/muster-config-XXXXXX";
    int fd = mkstemp(path);
    size_t count;
    const struct args_flag *flags = config_flags(l->arena, NULL, 0, &count);
    char *argv[] = {(char[]){"--config"}, path};
    struct fail f;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "workers = 9\n", 12), 12);
    close(fd);
    assert_int_equal(args_parse(l->arena, flags, count, 2, argv, &l->args, &f), 0);
    l->config = config_load(&l->args, NULL, &l->problems);
    unlink(path);
    assert_non_null(l->config);
    assert_int_equal(l->config->workers, 9);
    assert_string_equal(l->config->config_file, path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_a_valid_configuration),
        TEST(every_default_is_its_own_shortest_spelling),
        TEST(names_are_unique_in_each_form),
        TEST(a_key_has_three_names),
        TEST(flag_wins_over_environment_over_file),
        TEST(origins_tell_where_a_value_was_set),
        TEST(listen_flags_replace_the_list_of_the_file),
        TEST(a_switch_flag_needs_no_value),
        TEST(sections_stand_in_front_of_keys),
        TEST(quotes_keep_blanks_and_comment_signs),
        TEST(comments_begin_after_a_blank_only),
        TEST(sizes_are_read_exactly),
        TEST(durations_are_read_exactly),
        TEST(numbers_print_in_the_largest_unit_that_fits),
        TEST(wrong_values_are_named_with_place_and_remedy),
        TEST(bounds_themselves_are_allowed),
        TEST(unknown_keys_name_the_nearest),
        TEST(unknown_variables_name_the_nearest),
        TEST(variables_of_the_commands_and_of_kubernetes_pass),
        TEST(wrong_flags_and_variables_are_named),
        TEST(a_value_that_a_flag_hides_is_still_checked),
        TEST(duplicate_keys_are_refused),
        TEST(malformed_lines_are_named),
        TEST(all_mistakes_are_listed_at_once),
        TEST(the_list_of_mistakes_is_bounded),
        TEST(the_file_cannot_name_itself),
        TEST(clear_text_to_other_machines_needs_consent),
        TEST(tls_settings_belong_together),
        TEST(the_data_directory_leaves_room_for_its_socket),
        TEST(a_data_directory_too_long_for_its_socket_is_refused),
        TEST(malformed_listeners_are_refused),
        TEST(only_reloadable_keys_may_change),
        TEST(a_file_that_cannot_be_read_is_named),
        TEST(the_file_that_a_flag_names_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
