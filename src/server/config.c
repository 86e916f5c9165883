/* SPDX-License-Identifier: Apache-2.0 */
/* The layers, lowest first; each value is parsed where it is found, so that a mistake is reported
 * even when a higher layer hides it. */
#include "server/config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nearest.h"
#include "server/config_check.h"
#include "server/config_file.h"
#include "server/config_value.h"

#define PROBLEMS_MAX       20
#define PROBLEMS_MAX_BYTES 16384

/* clang-format off */
#define KEY(kind, field, key_name, key_initial, low, high, options, bits, words) \
    [CONFIG_KEY_##field] = { \
        .name = (key_name), .initial = (key_initial), .text = (words), .choices = (options), \
        .offset = offsetof(struct config, field), .min = (low), .max = (high), \
        .type = CONFIG_TYPE_##kind, .flags = (bits), \
    },
/* clang-format on */
static const struct config_key keys[] = {
#include "server/config_keys.h"
};
_Static_assert(COUNTOF(keys) == CONFIG_KEY_COUNT, "one row a key");

/* Variables of the commands, which the server lets pass. */
static const char *const command_variables[] = {"MUSTER_SERVER", "MUSTER_KEY", "MUSTER_CA"};

/* Kubernetes describes a service named "muster" to its neighbors in variables of these names. */
static const char *const foreign_prefixes[] = {"MUSTER_SERVICE_", "MUSTER_PORT"};

struct loading {
    struct config *config;
    const char *file;
    unsigned lines[CONFIG_KEY_COUNT]; /* where the file set the key; 0: nowhere */
    struct config_problems *problems;
};

void config_problems_init(struct config_problems *p)
{
    buf_init(&p->text, PROBLEMS_MAX_BYTES);
    p->count = 0;
}

void config_problems_done(struct config_problems *p)
{
    buf_done(&p->text);
}

struct str config_problems_text(const struct config_problems *p)
{
    struct str text = buf_str(&p->text);

    return str_first(text, text.len > 0 ? text.len - 1 : 0);
}

void config_problem(struct config_problems *p, const char *fmt, ...)
{
    char line[640];
    va_list ap;

    p->count++;
    if (p->count > PROBLEMS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf_put_str(&p->text, str_of(line));
    buf_put_byte(&p->text, '\n');
    if (p->count == PROBLEMS_MAX)
        buf_put_str(&p->text, STR("(further problems are not listed)\n"));
}

const struct config_key *config_key_at(size_t index)
{
    assert(index < COUNTOF(keys));
    return &keys[index];
}

const struct config_key *config_key_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (str_eq(str_of(keys[i].name), name))
            return &keys[i];
    }
    return NULL;
}

const char *config_key_nearest(struct arena *a, struct str name)
{
    const char **names = arena_new_array(a, const char *, COUNTOF(keys));

    for (size_t i = 0; i < COUNTOF(keys); i++)
        names[i] = keys[i].name;
    return nearest_find(name, names, COUNTOF(keys));
}

const char *config_flag_name(struct arena *a, const struct config_key *key)
{
    char *name = arena_cstr(a, str_of(key->name));

    for (char *c = name; *c; c++) {
        if (*c == '.' || *c == '_')
            *c = '-';
    }
    return name;
}

const char *config_env_name(struct arena *a, const struct config_key *key)
{
    size_t prefix = sizeof("MUSTER_") - 1;
    char *name = arena_cstr(a, arena_printf(a, "MUSTER_%s", key->name));

    for (char *c = name + prefix; *c; c++) {
        if (*c == '.')
            *c = '_';
        else if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    }
    return name;
}

const struct args_flag *config_flags(struct arena *a, const struct args_flag *more,
                                     size_t more_count, size_t *count)
{
    static const char *const value_names[] = {
        [CONFIG_TYPE_STRING] = "TEXT", [CONFIG_TYPE_PATH] = "PATH",
        [CONFIG_TYPE_BOOL] = "",       [CONFIG_TYPE_INT] = "NUMBER",
        [CONFIG_TYPE_SIZE] = "SIZE",   [CONFIG_TYPE_DURATION] = "DURATION",
        [CONFIG_TYPE_ENUM] = "",       [CONFIG_TYPE_LIST] = "ITEM",
    };
    struct args_flag *flags = arena_new_array(a, struct args_flag, COUNTOF(keys) + more_count);

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        const struct config_key *key = &keys[i];

        flags[i] = (struct args_flag){
            .name = config_flag_name(a, key),
            .kind = key->type == CONFIG_TYPE_BOOL   ? ARGS_SWITCH
                    : key->type == CONFIG_TYPE_LIST ? ARGS_LIST
                                                    : ARGS_VALUE,
            .value = key->choices ? key->choices : value_names[key->type],
            .text = key->text,
        };
    }
    for (size_t i = 0; i < more_count; i++)
        flags[COUNTOF(keys) + i] = more[i];
    *count = COUNTOF(keys) + more_count;
    return flags;
}

static void *field_of(struct config *c, const struct config_key *key)
{
    return (char *)c + key->offset;
}

static const void *const_field_of(const struct config *c, const struct config_key *key)
{
    return (const char *)c + key->offset;
}

static void set(struct loading *l, const struct config_key *key, struct str text,
                enum config_origin origin, unsigned line)
{
    struct config *c = l->config;
    size_t index = (size_t)(key - keys);
    struct config_source before = c->sources[index];
    struct fail f;

    c->sources[index] = (struct config_source){origin, line};
    if (config_value_parse(c->arena, key, text, field_of(c, key), &f) == 0)
        return;

    struct str where = config_origin(c, key, c->arena);

    c->sources[index] = before;
    if (origin == CONFIG_FROM_FILE)
        config_problem(l->problems, "%.*s: %s: %s", STR_ARG(where), key->name, f.message);
    else
        config_problem(l->problems, "%.*s: %s", STR_ARG(where), f.message);
}

static void set_defaults(struct loading *l)
{
    for (size_t i = 0; i < COUNTOF(keys); i++)
        set(l, &keys[i], str_of(keys[i].initial), CONFIG_FROM_DEFAULT, 0);
    assert(l->problems->count == 0);
}

static void set_from_file(void *arg, const struct config_setting *s)
{
    struct loading *l = arg;
    const struct config_key *key = config_key_find(s->key);
    int shown = (int)MIN(s->key.len, (size_t)NEAREST_MAX);

    if (!key) {
        const char *nearest = config_key_nearest(l->config->arena, s->key);

        config_problem(l->problems, "%s:%u: unknown key \"%.*s\"%s%s%s", l->file, s->line, shown,
                       s->key.p, nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                       nearest ? "\"?" : "; `muster config example` lists them");
        return;
    }
    if (key->flags & CONFIG_NOT_IN_FILE) {
        config_problem(
            l->problems,
            "%s:%u: %s: cannot stand in the file; give it as a flag or in the environment", l->file,
            s->line, key->name);
        return;
    }

    unsigned *line = &l->lines[key - keys];

    if (*line != 0) {
        config_problem(l->problems, "%s:%u: %s: is set in line %u already; remove one of the two",
                       l->file, s->line, key->name, *line);
        return;
    }
    *line = s->line;
    set(l, key, s->value, CONFIG_FROM_FILE, s->line);
}

static bool is_foreign(struct str name)
{
    for (size_t i = 0; i < COUNTOF(command_variables); i++) {
        if (str_eq(name, str_of(command_variables[i])))
            return true;
    }
    for (size_t i = 0; i < COUNTOF(foreign_prefixes); i++) {
        if (str_starts_with(name, str_of(foreign_prefixes[i])))
            return true;
    }
    return false;
}

static void set_from_variable(struct loading *l, const char *const *names, const char *entry)
{
    struct str value = str_of(entry);
    struct str name = str_cut(&value, '=');

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (str_eq(name, str_of(names[i]))) {
            set(l, &keys[i], value, CONFIG_FROM_ENVIRONMENT, 0);
            return;
        }
    }
    if (is_foreign(name))
        return;

    const char *nearest = nearest_find(name, names, COUNTOF(keys));
    int shown = (int)MIN(name.len, (size_t)NEAREST_MAX);

    config_problem(l->problems, "%.*s: unknown variable in the environment%s%s%s", shown, name.p,
                   nearest ? "; did you mean " : "", nearest ? nearest : "",
                   nearest ? "?" : "; names that begin with MUSTER_ are configuration keys");
}

static void set_from_environment(struct loading *l, char *const *env)
{
    const char **names = arena_new_array(l->config->arena, const char *, COUNTOF(keys));

    for (size_t i = 0; i < COUNTOF(keys); i++)
        names[i] = config_env_name(l->config->arena, &keys[i]);
    for (; env && *env; env++) {
        if (str_starts_with(str_of(*env), STR("MUSTER_")))
            set_from_variable(l, names, *env);
    }
}

static void set_from_flags(struct loading *l, const struct args *flags)
{
    struct arena *a = l->config->arena;

    for (size_t i = 0; flags && i < COUNTOF(keys); i++) {
        const char *name = config_flag_name(a, &keys[i]);
        size_t count;
        const char **values = args_list(a, flags, name, &count);

        if (count == 0)
            continue;
        if (keys[i].type != CONFIG_TYPE_LIST) {
            set(l, &keys[i], str_of(values[count - 1]), CONFIG_FROM_FLAG, 0);
            continue;
        }

        struct buf all;

        buf_init_arena(&all, a, 1 << 20);
        for (size_t j = 0; j < count; j++) {
            if (j > 0)
                buf_put_byte(&all, ',');
            buf_put_str(&all, str_of(values[j]));
        }
        set(l, &keys[i], buf_str(&all), CONFIG_FROM_FLAG, 0);
    }
}

static struct config *config_new(void)
{
    struct arena *a = arena_new(16384);
    struct config *c = arena_new_type(a, struct config);

    c->arena = a;
    return c;
}

void config_free(struct config **c)
{
    if (!*c)
        return;

    struct arena *a = (*c)->arena;

    *c = NULL;
    arena_free(&a);
}

struct config *config_load_text(const struct args *flags, char *const *env, const char *name,
                                struct str text, struct config_problems *p)
{
    struct config *c = config_new();
    struct loading l = {.config = c, .file = arena_cstr(c->arena, str_of(name)), .problems = p};
    size_t before = p->count;

    set_defaults(&l);
    c->file_name = l.file;
    if (text.p)
        config_file_parse(c->arena, l.file, arena_str(c->arena, text), set_from_file, &l, p);
    set_from_environment(&l, env);
    set_from_flags(&l, flags);
    if (p->count == before)
        config_check(c, p);
    if (p->count > before)
        config_free(&c);
    return c;
}

/* Flag over environment, as for every other key. */
static const char *file_named(const struct args *flags, char *const *env)
{
    const char *path = flags ? args_find(flags, "config") : NULL;

    if (path)
        return path;
    for (; env && *env; env++) {
        if (str_starts_with(str_of(*env), STR("MUSTER_CONFIG=")))
            return *env + sizeof("MUSTER_CONFIG=") - 1;
    }
    return "";
}

struct config *config_load(const struct args *flags, char *const *env, struct config_problems *p)
{
    const char *path = file_named(flags, env);
    struct arena *a = arena_new(4096);
    struct str text = {NULL, 0};
    struct config *c = NULL;

    if (path[0] == '\0' || config_file_read(a, path, &text, p) == 0)
        c = config_load_text(flags, env, path, text, p);
    arena_free(&a);
    return c;
}

void config_print(const struct config *c, const struct config_key *key, struct buf *out)
{
    config_value_print(key, const_field_of(c, key), out);
}

static struct str printed(const struct config *c, const struct config_key *key, struct arena *a)
{
    struct buf text;

    buf_init_arena(&text, a, 1 << 20);
    config_print(c, key, &text);
    return buf_str(&text);
}

bool config_is_changed(const struct config *c, const struct config_key *key)
{
    struct arena *a = arena_new(1024);
    bool changed = !str_eq(printed(c, key, a), str_of(key->initial));

    arena_free(&a);
    return changed;
}

struct str config_origin(const struct config *c, const struct config_key *key, struct arena *a)
{
    struct config_source source = c->sources[key - keys];

    switch (source.origin) {
    case CONFIG_FROM_DEFAULT: return STR("default");
    case CONFIG_FROM_FILE: return arena_printf(a, "%s:%u", c->file_name, source.line);
    case CONFIG_FROM_ENVIRONMENT: return str_of(config_env_name(a, key));
    case CONFIG_FROM_FLAG: return arena_printf(a, "--%s", config_flag_name(a, key));
    }
    return STR("");
}

bool config_may_become(const struct config *old, const struct config *new_one,
                       struct config_problems *p)
{
    struct arena *a = arena_new(4096);
    size_t before = p->count;

    for (size_t i = 0; i < COUNTOF(keys); i++) {
        if (keys[i].flags & CONFIG_RELOADABLE)
            continue;
        if (!str_eq(printed(old, &keys[i], a), printed(new_one, &keys[i], a)))
            config_problem(p, "%.*s: %s: cannot change while the server runs; restart it",
                           STR_ARG(config_origin(new_one, &keys[i], a)), keys[i].name);
    }
    arena_free(&a);
    return p->count == before;
}
