/* SPDX-License-Identifier: Apache-2.0 */
/* Bulk updates: each rule of each operation, refusals, bounds, and random steps against a naive
 * map. */
#include "api/fleet/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define ADD     COLLECTOR_V1_OPERATION_ADD
#define REMOVE  COLLECTOR_V1_OPERATION_REMOVE
#define REPLACE COLLECTOR_V1_OPERATION_REPLACE
#define MOVE    COLLECTOR_V1_OPERATION_MOVE
#define COPY    COLLECTOR_V1_OPERATION_COPY

static int make_arena(void **state)
{
    *state = arena_new(4096);
    return 0;
}

static int drop_arena(void **state)
{
    struct arena *a = *state;

    arena_free(&a);
    return 0;
}

/* An operation as tests write it; NULL is absent. */
struct step {
    int op;
    const char *path;
    const char *value;
    const char *from;
    const char *old;
};

static struct collector_v1_operation message(const struct step *s)
{
    return (struct collector_v1_operation){
        .op = s->op,
        .path = str_of(s->path),
        .has_from = s->from,
        .from = str_of(s->from),
        .has_value = s->value,
        .value = str_of(s->value),
        .has_oldValue = s->old,
        .oldValue = str_of(s->old),
    };
}

static int parse(struct arena *a, const struct step *steps, size_t count, struct operations *out,
                 struct fail *f)
{
    struct collector_v1_operation *all = arena_new_array(a, struct collector_v1_operation, count);

    for (size_t i = 0; i < count; i++)
        all[i] = message(&steps[i]);
    return operations_parse(a, all, count, out, f);
}

/* "a=1 b=2", sorted. */
static struct attributes attributes_of(struct arena *a, const char *text)
{
    struct attributes all = {.items = arena_new_array(a, struct label, 200)};
    struct str rest = str_of(text);

    while (rest.len > 0) {
        struct str value = str_cut(&rest, ' ');

        all.items[all.count].key = str_cut(&value, '=');
        all.items[all.count++].value = value;
    }
    return all;
}

static struct str text_of(struct arena *a, const struct attributes *all)
{
    struct buf b;

    buf_init_arena(&b, a, 1 << 20);
    for (size_t i = 0; i < all->count; i++)
        buf_printf(&b, "%s%.*s=%.*s", i ? " " : "", STR_ARG(all->items[i].key),
                   STR_ARG(all->items[i].value));
    return buf_str(&b);
}

#define BEFORE "b=1 d=2 f="

/* One step on BEFORE. */
static void one(void **state, struct step step, const char *after)
{
    struct attributes before = attributes_of(*state, BEFORE), got = {0};
    bool changed = !strcmp(after, BEFORE);
    struct operations ops = {0};
    struct fail f = {0};

    if (parse(*state, &step, 1, &ops, &f) < 0 ||
        operations_apply(*state, &ops, &before, &got, &changed, &f) < 0)
        fail_msg("refused: %s", f.message);

    struct str text = text_of(*state, &got);

    if (!str_eq(text, str_of(after)))
        fail_msg("got [%.*s], expected [%s]", STR_ARG(text), after);
    assert_true(changed == (strcmp(after, BEFORE) != 0));
    assert_true(str_eq(text_of(*state, &before), STR(BEFORE)));
}

static void refused(void **state, const struct step *steps, size_t count, const char *reason,
                    const char *field)
{
    struct operations ops = {0};
    struct fail f = {0};

    if (parse(*state, steps, count, &ops, &f) == 0)
        fail_msg("%s is accepted", field);
    assert_null(ops.items);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, reason);
    assert_string_equal(f.field, field);
}

#define K(key) "remoteAttributes." key

static void add_sets_with_or_without_a_value_before(void **state)
{
    one(state, (struct step){ADD, K("a"), "x"}, "a=x b=1 d=2 f=");
    one(state, (struct step){ADD, K("c"), "x"}, "b=1 c=x d=2 f=");
    one(state, (struct step){ADD, K("g"), "x"}, "b=1 d=2 f= g=x");
    one(state, (struct step){ADD, K("d"), "x"}, "b=1 d=x f=");
    one(state, (struct step){ADD, K("d"), ""}, "b=1 d= f=");
    one(state, (struct step){ADD, K("d"), "2"}, BEFORE);
    one(state, (struct step){ADD, "/remote_attributes/a", "x"}, "a=x b=1 d=2 f=");
    one(state, (struct step){ADD, "$.remoteAttributes[\"d\"]", "x"}, "b=1 d=x f=");
}

static void remove_takes_away_what_is_there(void **state)
{
    one(state, (struct step){REMOVE, K("b")}, "d=2 f=");
    one(state, (struct step){REMOVE, K("f")}, "b=1 d=2");
    one(state, (struct step){REMOVE, K("c")}, BEFORE);
}

static void remove_with_a_value_is_selective(void **state)
{
    one(state, (struct step){REMOVE, K("d"), "2"}, "b=1 f=");
    one(state, (struct step){REMOVE, K("d"), "3"}, BEFORE);
    one(state, (struct step){REMOVE, K("d"), ""}, BEFORE);
    one(state, (struct step){REMOVE, K("f"), ""}, "b=1 d=2");
    one(state, (struct step){REMOVE, K("c"), ""}, BEFORE);
}

static void replace_never_creates(void **state)
{
    one(state, (struct step){REPLACE, K("d"), "x"}, "b=1 d=x f=");
    one(state, (struct step){REPLACE, K("d"), ""}, "b=1 d= f=");
    one(state, (struct step){REPLACE, K("c"), "x"}, BEFORE);
    one(state, (struct step){REPLACE, K("d"), "2"}, BEFORE);
}

static void replace_with_an_old_value_is_selective(void **state)
{
    one(state, (struct step){REPLACE, K("d"), "x", .old = "2"}, "b=1 d=x f=");
    one(state, (struct step){REPLACE, K("d"), "x", .old = "3"}, BEFORE);
    one(state, (struct step){REPLACE, K("d"), "x", .old = ""}, BEFORE);
    one(state, (struct step){REPLACE, K("f"), "x", .old = ""}, "b=1 d=2 f=x");
    one(state, (struct step){REPLACE, K("c"), "x", .old = ""}, BEFORE);
}

static void move_takes_the_value_along(void **state)
{
    one(state, (struct step){MOVE, K("a"), .from = K("d")}, "a=2 b=1 f=");
    one(state, (struct step){MOVE, K("g"), .from = K("b")}, "d=2 f= g=1");
    one(state, (struct step){MOVE, K("b"), .from = K("d")}, "b=2 f=");
    one(state, (struct step){MOVE, K("d"), .from = K("b")}, "d=1 f=");
    one(state, (struct step){MOVE, K("c"), .from = "/remoteAttributes/f"}, "b=1 c= d=2");
    one(state, (struct step){MOVE, K("d"), .from = "/remoteAttributes/d"}, BEFORE);
}

static void copy_leaves_the_source(void **state)
{
    one(state, (struct step){COPY, K("a"), .from = K("d")}, "a=2 b=1 d=2 f=");
    one(state, (struct step){COPY, K("b"), .from = K("f")}, "b= d=2 f=");
    one(state, (struct step){COPY, K("d"), .from = K("d")}, BEFORE);
}

static void a_source_that_is_missing_fails_the_whole_request(void **state)
{
    static const int both[] = {MOVE, COPY};

    for (size_t i = 0; i < COUNTOF(both); i++) {
        const struct step steps[] = {{ADD, K("a"), "x"}, {both[i], K("b"), .from = K("c")}};
        const struct step same[] = {{both[i], K("c"), .from = K("c")}};
        struct attributes before = attributes_of(*state, BEFORE), got = {0};
        struct operations ops = {0};
        struct fail f = {0};
        bool changed = false;

        assert_int_equal(parse(*state, steps, 2, &ops, &f), 0);
        assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), -1);
        assert_int_equal(f.code, CODE_FAILED_PRECONDITION);
        assert_string_equal(f.reason, "no_such_attribute");
        assert_string_equal(f.field, "ops[1].from");
        assert_null(got.items);
        assert_true(str_eq(text_of(*state, &before), STR(BEFORE)));

        assert_int_equal(parse(*state, same, 1, &ops, &f), 0);
        assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), -1);
        assert_int_equal(f.code, CODE_FAILED_PRECONDITION);
    }
}

static void fields_without_a_use_are_ignored(void **state)
{
    one(state, (struct step){ADD, K("d"), "x", "name", "y"}, "b=1 d=x f=");
    one(state, (struct step){REMOVE, K("d"), "2", "", "y"}, "b=1 f=");
    one(state, (struct step){REPLACE, K("d"), "x", "name"}, "b=1 d=x f=");
    one(state, (struct step){MOVE, K("b"), "x", K("d"), "y"}, "b=2 f=");
    one(state, (struct step){COPY, K("b"), "x", K("d"), "y"}, "b=2 d=2 f=");
}

static void steps_see_what_the_ones_before_left(void **state)
{
    static const struct step steps[] = {
        {ADD, K("tmp"), "x"},           {MOVE, K("b"), .from = K("tmp")},
        {REMOVE, K("b"), "1"},          {REPLACE, K("b"), "y", .old = "x"},
        {COPY, K("c"), .from = K("b")}, {REMOVE, K("f")},
    };
    struct attributes before = attributes_of(*state, BEFORE), got = {0};
    struct operations ops = {0};
    struct fail f = {0};
    bool changed = false;

    assert_int_equal(parse(*state, steps, COUNTOF(steps), &ops, &f), 0);
    assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), 0);
    assert_true(str_eq(text_of(*state, &got), STR("b=y c=y d=2")));
    assert_true(changed);
}

static void steps_that_undo_each_other_change_nothing(void **state)
{
    static const struct step steps[] = {
        {MOVE, K("x"), .from = K("b")},
        {ADD, K("y"), "z"},
        {REMOVE, K("y")},
        {MOVE, K("b"), .from = K("x")},
    };
    struct attributes before = attributes_of(*state, BEFORE), got = {0};
    struct operations ops = {0};
    struct fail f = {0};
    bool changed = true;

    assert_int_equal(parse(*state, steps, COUNTOF(steps), &ops, &f), 0);
    assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), 0);
    assert_true(str_eq(text_of(*state, &got), STR(BEFORE)));
    assert_false(changed);
}

static void no_attributes_are_a_good_start(void **state)
{
    static const struct step steps[] = {{REMOVE, K("a")}, {ADD, K("a"), "1"}};
    struct attributes none = {0}, got = {0};
    struct operations ops = {0};
    struct fail f = {0};
    bool changed = false;

    assert_int_equal(parse(*state, steps, 2, &ops, &f), 0);
    assert_int_equal(operations_apply(*state, &ops, &none, &got, &changed, &f), 0);
    assert_true(str_eq(text_of(*state, &got), STR("a=1")));
}

static void what_is_missing_or_unknown_is_refused(void **state)
{
    static const struct {
        struct step step;
        const char *reason;
        const char *field;
    } all[] = {
        {{0, K("a"), "x"}, "bad_operation", "ops[1].op"},
        {{6, K("a"), "x"}, "bad_operation", "ops[1].op"},
        {{-1, K("a"), "x"}, "bad_operation", "ops[1].op"},
        {{ADD, K("a")}, "bad_operation", "ops[1].value"},
        {{REPLACE, K("a"), .old = "x"}, "bad_operation", "ops[1].value"},
        {{MOVE, K("a"), "x"}, "bad_operation", "ops[1].from"},
        {{COPY, K("a"), "x"}, "bad_operation", "ops[1].from"},
        {{ADD, "", "x"}, "bad_path", "ops[1].path"},
        {{ADD, "name", "x"}, "bad_path", "ops[1].path"},
        {{REMOVE, "localAttributes.a"}, "bad_path", "ops[1].path"},
        {{REMOVE, K("")}, "bad_path", "ops[1].path"},
        {{MOVE, K("a"), .from = ""}, "bad_path", "ops[1].from"},
        {{COPY, K("a"), .from = "enabled"}, "bad_path", "ops[1].from"},
    };

    for (size_t i = 0; i < COUNTOF(all); i++) {
        const struct step steps[] = {{ADD, K("a"), "x"}, all[i].step};

        refused(state, steps, 2, all[i].reason, all[i].field);
    }
}

static void reserved_keys_are_refused_wherever_they_stand(void **state)
{
    static const int all[] = {ADD, REMOVE, REPLACE, MOVE, COPY};

    for (size_t i = 0; i < COUNTOF(all); i++) {
        const struct step step = {all[i], "/remoteAttributes/collector.os", "x", K("b")};

        refused(state, &step, 1, "reserved_attribute", "ops[0].path");
    }
    refused(state, &(struct step){COPY, K("a"), .from = K("collector.ID")}, 1, "reserved_attribute",
            "ops[0].from");
    one(state, (struct step){ADD, K("collector"), "x"}, "b=1 collector=x d=2 f=");
}

static void append(char *text, const char *more)
{
    memcpy(text + strlen(text), more, strlen(more) + 1);
}

static void lengths_count_characters(void **state)
{
    char key[sizeof(K("")) + 2 * (AGENT_KEY_CHARS_MAX + 1)] = K("");
    char value[2 * (AGENT_VALUE_CHARS_MAX + 1) + 1] = "";
    struct operations ops = {0};
    struct fail f = {0};

    for (size_t i = 0; i < AGENT_KEY_CHARS_MAX; i++)
        append(key, "\xc3\xa4");
    for (size_t i = 0; i < AGENT_VALUE_CHARS_MAX; i++)
        append(value, "\xc3\xa4");
    assert_int_equal(parse(*state, &(struct step){ADD, key, value}, 1, &ops, &f), 0);
    assert_int_equal(parse(*state, &(struct step){MOVE, K("a"), .from = key}, 1, &ops, &f), 0);
    ops = (struct operations){0};
    append(value, "x");
    refused(state, &(struct step){ADD, key, value}, 1, "bad_attributes", "ops[0].value");
    refused(state, &(struct step){REPLACE, key, value}, 1, "bad_attributes", "ops[0].value");
    append(key, "x");
    refused(state, &(struct step){ADD, key, ""}, 1, "bad_attributes", "ops[0].path");
    refused(state, &(struct step){COPY, K("a"), .from = key}, 1, "bad_attributes", "ops[0].from");
    one(state, (struct step){REMOVE, K("d"), value}, BEFORE); /* only compared */
}

static void a_request_has_a_bounded_number_of_steps(void **state)
{
    struct step *steps = arena_new_array(*state, struct step, OPERATIONS_MAX + 1);
    struct operations ops = {0};
    struct fail f = {0};

    for (size_t i = 0; i <= OPERATIONS_MAX; i++)
        steps[i] = (struct step){REMOVE, K("a")};
    refused(state, steps, 0, "bad_operation", "ops");
    refused(state, steps, OPERATIONS_MAX + 1, "bad_operation", "ops");
    assert_int_equal(parse(*state, steps, OPERATIONS_MAX, &ops, &f), 0);
    assert_int_equal(ops.count, OPERATIONS_MAX);
}

static void only_the_result_counts_against_the_limit(void **state)
{
    struct step steps[AGENT_REMOTE_MAX + 2] = {0};
    struct attributes before = attributes_of(*state, "z=1"), got = {0};
    struct operations ops = {0};
    struct fail f = {0};
    bool changed = false;

    for (size_t i = 0; i < COUNTOF(steps); i++)
        steps[i] = (struct step){
            ADD, arena_cstr(*state, arena_printf(*state, "/remoteAttributes/k%zu", i)), "x"};
    assert_int_equal(parse(*state, steps, AGENT_REMOTE_MAX, &ops, &f), 0);
    assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), -1);
    assert_int_equal(f.code, CODE_INVALID_ARGUMENT);
    assert_string_equal(f.reason, "bad_attributes");
    assert_null(got.items);

    steps[AGENT_REMOTE_MAX] = (struct step){REMOVE, K("z")};
    assert_int_equal(parse(*state, steps, AGENT_REMOTE_MAX + 1, &ops, &f), 0);
    assert_int_equal(operations_apply(*state, &ops, &before, &got, &changed, &f), 0);
    assert_int_equal(got.count, AGENT_REMOTE_MAX);
}

/* --- random steps against a map that is as simple as can be --- */

static const char *const keys[] = {"a", "a.b", "b", "c", "collector", "\xc3\xa4", "z"};
static const char *const values[] = {"", "x", "y"};

/* By the numbers of the key and of the value; -1: none. */
struct naive {
    int value[COUNTOF(keys)];
};

struct random_step {
    int op;
    int key;
    int from;
    int value; /* -1: absent */
    int old;
};

static unsigned draw(uint64_t *seed, unsigned below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(*seed >> 33) % below;
}

static const char *random_path(struct arena *a, uint64_t *seed, int key)
{
    static const char *const forms[][2] = {
        {"remoteAttributes.", ""},      {"remote_attributes.", ""},    {"$.remoteAttributes.", ""},
        {"remoteAttributes[\"", "\"]"}, {"remote_attributes['", "']"}, {"/remote_attributes/", ""},
        {"/remoteAttributes/", ""},
    };
    const char *const *form = forms[draw(seed, COUNTOF(forms))];

    return arena_cstr(a, arena_printf(a, "%s%s%s", form[0], keys[key], form[1]));
}

static struct random_step random_step(uint64_t *seed)
{
    struct random_step s = {
        .op = ADD + (int)draw(seed, 5),
        .key = (int)draw(seed, COUNTOF(keys)),
        .from = (int)draw(seed, COUNTOF(keys)),
        .value = (int)draw(seed, COUNTOF(values)),
        .old = (int)draw(seed, COUNTOF(values) + 1) - 1,
    };

    if (s.op == REMOVE && draw(seed, 2))
        s.value = -1;
    return s;
}

/* False: the source is missing. */
static bool naive_apply(struct naive *n, const struct random_step *s)
{
    int *value = &n->value[s->key];

    if (s->op == ADD)
        *value = s->value;
    else if (s->op == REMOVE && (s->value < 0 || s->value == *value))
        *value = -1;
    else if (s->op == REPLACE && *value >= 0 && (s->old < 0 || s->old == *value))
        *value = s->value;
    if (s->op != MOVE && s->op != COPY)
        return true;

    int taken = n->value[s->from];

    if (taken < 0)
        return false;
    if (s->op == MOVE)
        n->value[s->from] = -1;
    *value = taken;
    return true;
}

static struct attributes naive_attributes(struct arena *a, const struct naive *n)
{
    struct attributes all = {.items = arena_new_array(a, struct label, COUNTOF(keys))};

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (n->value[i] >= 0)
            all.items[all.count++] = (struct label){str_of(keys[i]), str_of(values[n->value[i]])};
    }
    attributes_sort(&all);
    return all;
}

static void run_random_steps(struct arena *a, uint64_t seed)
{
    struct step steps[12] = {0};
    size_t count = 1 + draw(&seed, COUNTOF(steps));
    struct naive before, after;
    struct operations ops = {0};
    struct attributes got = {0};
    struct fail f = {0};
    bool holds = true, changed = false;

    for (size_t i = 0; i < COUNTOF(keys); i++)
        before.value[i] = (int)draw(&seed, COUNTOF(values) + 1) - 1;
    after = before;
    for (size_t i = 0; i < count; i++) {
        struct random_step s = random_step(&seed);

        holds = holds && naive_apply(&after, &s);
        steps[i] = (struct step){
            .op = s.op,
            .path = random_path(a, &seed, s.key),
            .from = random_path(a, &seed, s.from),
            .value = s.value < 0 ? NULL : values[s.value],
            .old = s.old < 0 ? NULL : values[s.old],
        };
    }

    struct attributes remote = naive_attributes(a, &before);
    struct str start = text_of(a, &remote);

    assert_int_equal(parse(a, steps, count, &ops, &f), 0);

    int result = operations_apply(a, &ops, &remote, &got, &changed, &f);

    assert_int_equal(result, holds ? 0 : -1);
    assert_true(str_eq(text_of(a, &remote), start));
    if (!holds)
        return;

    struct attributes expected = naive_attributes(a, &after);

    assert_true(str_eq(text_of(a, &got), text_of(a, &expected)));
    assert_true(changed == !str_eq(text_of(a, &got), start));
}

static void random_steps_end_as_on_a_naive_map(void **state)
{
    for (uint64_t seed = 0; seed < 20000; seed++) {
        run_random_steps(*state, seed * UINT64_C(0x9e3779b97f4a7c15));
        arena_reset(*state);
    }
}

#define IN_ARENA(test) cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ARENA(add_sets_with_or_without_a_value_before),
        IN_ARENA(remove_takes_away_what_is_there),
        IN_ARENA(remove_with_a_value_is_selective),
        IN_ARENA(replace_never_creates),
        IN_ARENA(replace_with_an_old_value_is_selective),
        IN_ARENA(move_takes_the_value_along),
        IN_ARENA(copy_leaves_the_source),
        IN_ARENA(a_source_that_is_missing_fails_the_whole_request),
        IN_ARENA(fields_without_a_use_are_ignored),
        IN_ARENA(steps_see_what_the_ones_before_left),
        IN_ARENA(steps_that_undo_each_other_change_nothing),
        IN_ARENA(no_attributes_are_a_good_start),
        IN_ARENA(what_is_missing_or_unknown_is_refused),
        IN_ARENA(reserved_keys_are_refused_wherever_they_stand),
        IN_ARENA(lengths_count_characters),
        IN_ARENA(a_request_has_a_bounded_number_of_steps),
        IN_ARENA(only_the_result_counts_against_the_limit),
        IN_ARENA(random_steps_end_as_on_a_naive_map),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
