/* SPDX-License-Identifier: Apache-2.0 */
/* One parser and one printer a type; units are tables, largest first. */
#include "server/config_value.h"

#include "codec/utf8.h"

#define MAX_TEXT 4096

struct unit {
    struct str suffix;
    int64_t factor;
};

static const struct unit sizes[] = {
    {STR_INIT("GiB"), 1LL << 30},
    {STR_INIT("MiB"), 1LL << 20},
    {STR_INIT("KiB"), 1LL << 10},
};

static const struct unit durations[] = {
    {STR_INIT("d"), 86400000000}, {STR_INIT("h"), 3600000000}, {STR_INIT("m"), 60000000},
    {STR_INIT("s"), 1000000},     {STR_INIT("ms"), 1000},
};

/* What a message quotes of a value. */
static int shown(struct str text)
{
    return (int)MIN(text.len, (size_t)64);
}

static int refuse_form(struct str text, struct fail *f, const char *what)
{
    return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.*s\" is not %s", shown(text), text.p, what);
}

/* Digits and, when `units` is given, one of its suffixes. */
static int parse_number(struct str text, const struct unit *units, size_t unit_count,
                        bool unit_needed, int64_t *out)
{
    size_t digits = 0;
    int64_t n, factor = 1;

    if (units) {
        while (digits < text.len && text.p[digits] >= '0' && text.p[digits] <= '9')
            digits++;
    } else {
        digits = text.len;
    }
    if (str_to_i64(str_first(text, digits), &n) < 0)
        return -1;

    struct str suffix = str_trim(str_skip(text, digits));

    if (suffix.len == 0) {
        if (unit_needed && n != 0)
            return -1;
        *out = n;
        return 0;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (str_eq(units[i].suffix, suffix))
            factor = units[i].factor;
    }
    if (factor == 1 || __builtin_mul_overflow(n, factor, &n))
        return -1;
    *out = n;
    return 0;
}

void config_value_print_number(enum config_type type, int64_t n, struct buf *out)
{
    const struct unit *units = type == CONFIG_TYPE_SIZE ? sizes : durations;
    size_t count = type == CONFIG_TYPE_SIZE       ? COUNTOF(sizes)
                   : type == CONFIG_TYPE_DURATION ? COUNTOF(durations)
                                                  : 0;

    for (size_t i = 0; n != 0 && i < count; i++) {
        if (n % units[i].factor == 0) {
            buf_put_i64(out, n / units[i].factor);
            buf_put_str(out, units[i].suffix);
            return;
        }
    }
    buf_put_i64(out, n);
}

static int parse_bounded(struct arena *a, const struct config_key *key, struct str text,
                         int64_t *out, struct fail *f)
{
    int64_t n;

    if (key->type == CONFIG_TYPE_SIZE) {
        if (parse_number(text, sizes, COUNTOF(sizes), false, &n) < 0)
            return refuse_form(text, f,
                               "a size; write a number of bytes, or one with KiB, MiB or GiB, "
                               "such as 64KiB");
    } else if (key->type == CONFIG_TYPE_DURATION) {
        if (parse_number(text, durations, COUNTOF(durations), true, &n) < 0)
            return refuse_form(text, f,
                               "a duration; write a number with ms, s, m, h or d, such as 30s");
    } else if (parse_number(text, NULL, 0, false, &n) < 0) {
        return refuse_form(text, f, "a whole number, such as 8");
    }
    if (n < key->min || n > key->max) {
        struct buf low, high;

        buf_init_arena(&low, a, 64);
        buf_init_arena(&high, a, 64);
        config_value_print_number(key->type, key->min, &low);
        config_value_print_number(key->type, key->max, &high);
        return fail_set(f, CODE_OUT_OF_RANGE,
                        "%.*s is out of bounds; write a value from %.*s to %.*s", shown(text),
                        text.p, STR_ARG(buf_str(&low)), STR_ARG(buf_str(&high)));
    }
    *out = n;
    return 0;
}

static int parse_bool(struct str text, bool *out, struct fail *f)
{
    if (str_eq(text, STR("true")))
        *out = true;
    else if (str_eq(text, STR("false")))
        *out = false;
    else
        return refuse_form(text, f, "a switch; write true or false");
    return 0;
}

static int parse_enum(const struct config_key *key, struct str text, int *out, struct fail *f)
{
    struct str rest = str_of(key->choices);

    for (int i = 0; rest.len > 0; i++) {
        if (str_eq(str_cut(&rest, '|'), text)) {
            *out = i;
            return 0;
        }
    }
    return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.*s\" is not one of %s", shown(text), text.p,
                    key->choices);
}

static int parse_list(struct arena *a, const struct config_key *key, struct str text,
                      struct config_list *out, struct fail *f)
{
    size_t room = 1;
    struct config_list list = {0};

    for (size_t i = 0; i < text.len; i++)
        room += text.p[i] == ',';
    if (room > (size_t)key->max)
        return fail_set(f, CODE_OUT_OF_RANGE, "has %zu items; at most %lld are possible", room,
                        (long long)key->max);
    list.items = arena_new_array(a, const char *, room);

    for (struct str rest = str_trim(text); rest.len > 0;) {
        bool last = str_index(rest, ',') < 0;
        struct str item = str_trim(str_cut(&rest, ','));

        if (item.len == 0 || (rest.len == 0 && !last))
            return refuse_form(text, f, "a list; write items with one comma between two");
        list.items[list.count++] = arena_cstr(a, item);
    }
    *out = list;
    return 0;
}

int config_value_parse(struct arena *a, const struct config_key *key, struct str text, void *field,
                       struct fail *f)
{
    if (text.len > MAX_TEXT)
        return fail_set(f, CODE_INVALID_ARGUMENT, "is longer than %d bytes", MAX_TEXT);
    if (!utf8_is_valid(text))
        return fail_set(f, CODE_INVALID_ARGUMENT, "is not UTF-8");
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return fail_set(f, CODE_INVALID_ARGUMENT, "holds a control character");
    }

    switch (key->type) {
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_PATH: *(const char **)field = arena_cstr(a, text); return 0;
    case CONFIG_TYPE_BOOL: return parse_bool(text, field, f);
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SIZE:
    case CONFIG_TYPE_DURATION: return parse_bounded(a, key, text, field, f);
    case CONFIG_TYPE_ENUM: return parse_enum(key, text, field, f);
    case CONFIG_TYPE_LIST: return parse_list(a, key, text, field, f);
    }
    return -1;
}

static void print_enum(const struct config_key *key, int value, struct buf *out)
{
    struct str rest = str_of(key->choices);
    struct str name = str_cut(&rest, '|');

    for (int i = 0; i < value; i++)
        name = str_cut(&rest, '|');
    buf_put_str(out, name);
}

static void print_list(const struct config_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_put_str(out, STR(", "));
        buf_put_str(out, str_of(list->items[i]));
    }
}

void config_value_print(const struct config_key *key, const void *field, struct buf *out)
{
    switch (key->type) {
    case CONFIG_TYPE_STRING:
    case CONFIG_TYPE_PATH: buf_put_str(out, str_of(*(const char *const *)field)); break;
    case CONFIG_TYPE_BOOL: buf_put_str(out, str_of(*(const bool *)field ? "true" : "false")); break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SIZE:
    case CONFIG_TYPE_DURATION:
        config_value_print_number(key->type, *(const int64_t *)field, out);
        break;
    case CONFIG_TYPE_ENUM: print_enum(key, *(const int *)field, out); break;
    case CONFIG_TYPE_LIST: print_list(field, out); break;
    }
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_TYPE_STRING] = "text", [CONFIG_TYPE_PATH] = "path",
        [CONFIG_TYPE_BOOL] = "switch", [CONFIG_TYPE_INT] = "number",
        [CONFIG_TYPE_SIZE] = "size",   [CONFIG_TYPE_DURATION] = "duration",
        [CONFIG_TYPE_ENUM] = "choice", [CONFIG_TYPE_LIST] = "list",
    };
    _Static_assert(COUNTOF(names) == CONFIG_TYPE_COUNT, "name every type");

    return names[type];
}
