/* SPDX-License-Identifier: Apache-2.0 */
/* What people read about configuration is what the table says. SOURCE_ROOT names the tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "server/config.h"
#include "server/config_docs.h"

static struct str read_file(struct arena *a, const char *name)
{
    const char *root = getenv("SOURCE_ROOT");
    struct str path = arena_printf(a, "%s/%s", root ? root : ".", name);
    FILE *file = fopen(arena_cstr(a, path), "r");
    char *text = arena_alloc(a, 1 << 18);
    size_t len = 0;

    if (!file)
        fail_msg("cannot open %.*s", STR_ARG(path));
    else {
        len = fread(text, 1, 1 << 18, file);
        fclose(file);
    }
    return str_make(text, len);
}

static void the_example_file_is_up_to_date(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 1 << 20);
    config_docs_example(&out);
    if (!str_eq(read_file(a, "packaging/muster.conf.example"), buf_str(&out)))
        fail_msg("run: muster config example > packaging/muster.conf.example");
    arena_free(&a);
}

static void the_reference_page_is_up_to_date(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 1 << 20);
    config_docs_page(&out);
    if (!str_eq(read_file(a, "docs/configuration.md"), buf_str(&out)))
        fail_msg("run: muster config docs > docs/configuration.md");
    arena_free(&a);
}

/* The page as one text, and how often a key's heading stands in it. */
static size_t count_headings(struct str page, const char *name)
{
    char heading[128];
    size_t n = 0;

    snprintf(heading, sizeof(heading), "### `%s`", name);
    while (page.len > 0)
        n += str_eq(str_cut(&page, '\n'), str_of(heading));
    return n;
}

static void every_key_stands_on_the_page_once(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 1 << 20);
    config_docs_page(&out);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (count_headings(buf_str(&out), config_key_at(i)->name) != 1)
            fail_msg("%s", config_key_at(i)->name);
    }
    arena_free(&a);
}

/* Takes the comment sign off every line that sets a key. */
static struct str uncommented(struct arena *a, struct str text)
{
    struct buf out;

    buf_init_arena(&out, a, 1 << 20);
    while (text.len > 0) {
        struct str line = str_cut(&text, '\n');

        if (line.len > 1 && line.p[1] != ' ')
            line = str_skip(line, 1);
        buf_put_str(&out, line);
        buf_put_byte(&out, '\n');
    }
    return buf_str(&out);
}

static void the_example_without_comment_signs_is_a_valid_file(void **state)
{
    struct arena *a = arena_new(4096);
    struct config_problems p;
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 1 << 20);
    config_docs_example(&out);
    config_problems_init(&p);

    struct config *c = config_load_text(NULL, NULL, "example", uncommented(a, buf_str(&out)), &p);

    if (!c)
        fail_msg("%.*s", STR_ARG(buf_str(&p.text)));
    for (size_t i = 0; c && i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = config_key_at(i);

        assert_false(config_is_changed(c, key));
        if (!(key->flags & CONFIG_NOT_IN_FILE))
            assert_int_equal(c->sources[i].origin, CONFIG_FROM_FILE);
    }
    config_free(&c);
    config_problems_done(&p);
    arena_free(&a);
}

static void a_key_explained_tells_all_its_names(void **state)
{
    struct arena *a = arena_new(4096);
    struct buf out;

    (void)state;
    buf_init_arena(&out, a, 1 << 20);
    config_docs_explain(config_key_find(STR("drain_timeout")), &out);
    buf_put_byte(&out, '\0');
    assert_string_equal(
        (const char *)out.data,
        "drain_timeout\n\n"
        "  How long running requests may go on, once nothing is accepted any more, before\n"
        "  their connections are closed.\n\n"
        "  type         duration, from 0 to 1h; default 30s\n"
        "  flag         --drain-timeout\n"
        "  environment  MUSTER_DRAIN_TIMEOUT\n"
        "  file         drain_timeout\n"
        "  change       applied on SIGHUP\n");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_file_is_up_to_date),
        cmocka_unit_test(the_reference_page_is_up_to_date),
        cmocka_unit_test(every_key_stands_on_the_page_once),
        cmocka_unit_test(the_example_without_comment_signs_is_a_valid_file),
        cmocka_unit_test(a_key_explained_tells_all_its_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
