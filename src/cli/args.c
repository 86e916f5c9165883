/* SPDX-License-Identifier: Apache-2.0 */
/* Walks argv once; every refusal says what to write instead. */
#include "cli/args.h"

#include <assert.h>
#include <string.h>

#include "cli/nearest.h"

#define WIDTH 80

struct walk {
    struct arena *arena;
    const struct args_flag *flags;
    size_t flag_count;
    int argc;
    char *const *argv;
    int at;
    struct args *out;
};

static const struct args_flag *find_flag(const struct walk *w, struct str name)
{
    for (size_t i = 0; i < w->flag_count; i++) {
        if (str_eq(str_of(w->flags[i].name), name))
            return &w->flags[i];
    }
    return NULL;
}

static int refuse_unknown(const struct walk *w, struct str name, struct fail *f)
{
    const char **names = arena_new_array(w->arena, const char *, w->flag_count + 1);

    for (size_t i = 0; i < w->flag_count; i++)
        names[i] = w->flags[i].name;
    names[w->flag_count] = "help";

    const char *nearest = nearest_find(name, names, w->flag_count + 1);
    int shown = (int)MIN(name.len, (size_t)NEAREST_MAX);

    if (nearest)
        return fail_set(f, CODE_INVALID_ARGUMENT, "unknown flag --%.*s; did you mean --%s?", shown,
                        name.p, nearest);
    return fail_set(f, CODE_INVALID_ARGUMENT, "unknown flag --%.*s; --help lists the flags", shown,
                    name.p);
}

static int take_switch(const struct args_flag *flag, const char *inline_value, const char **value,
                       struct fail *f)
{
    if (!inline_value) {
        *value = "true";
        return 0;
    }
    if (strcmp(inline_value, "true") != 0 && strcmp(inline_value, "false") != 0)
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "--%s is a switch: write --%s, --%s=true or --%s=false", flag->name,
                        flag->name, flag->name, flag->name);
    *value = inline_value;
    return 0;
}

static int take_value(struct walk *w, const struct args_flag *flag, const char *inline_value,
                      const char **value, struct fail *f)
{
    if (flag->kind == ARGS_SWITCH)
        return take_switch(flag, inline_value, value, f);
    if (inline_value) {
        *value = inline_value;
        return 0;
    }
    if (w->at >= w->argc)
        return fail_set(f, CODE_INVALID_ARGUMENT, "--%s needs a value: --%s %s", flag->name,
                        flag->name, flag->value);

    const char *next = w->argv[w->at];

    /* More likely a forgotten value than a value that looks like a flag. */
    if (next[0] == '-' && next[1] == '-')
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "--%s needs a value; one that begins with -- is written --%s=VALUE",
                        flag->name, flag->name);
    *value = next;
    w->at++;
    return 0;
}

static int take_flag(struct walk *w, const char *arg, struct fail *f)
{
    struct str rest = str_of(arg + 2);
    struct str name = str_cut(&rest, '=');
    const char *inline_value = arg[2 + name.len] == '=' ? arg + 2 + name.len + 1 : NULL;

    if (str_eq(name, STR("help"))) {
        w->out->help = true;
        return 0;
    }

    const struct args_flag *flag = find_flag(w, name);
    const char *value = NULL;

    if (!flag)
        return refuse_unknown(w, name, f);
    if (take_value(w, flag, inline_value, &value, f) < 0)
        return -1;
    w->out->values[w->out->count++] = (struct args_value){flag, value};
    return 0;
}

/* "-f" or "-fVALUE". */
static int take_letter(struct walk *w, const char *arg, struct fail *f)
{
    const struct args_flag *flag = NULL;
    const char *value = NULL;

    for (size_t i = 0; i < w->flag_count; i++)
        if (w->flags[i].letter && w->flags[i].letter[0] == arg[1])
            flag = &w->flags[i];
    if (!flag)
        return fail_set(f, CODE_INVALID_ARGUMENT,
                        "unknown flag %.64s; flags are written with two dashes", arg);
    if (take_value(w, flag, arg[2] != '\0' ? arg + 2 : NULL, &value, f) < 0)
        return -1;
    w->out->values[w->out->count++] = (struct args_value){flag, value};
    return 0;
}

int args_parse(struct arena *a, const struct args_flag *flags, size_t flag_count, int argc,
               char *const *argv, struct args *out, struct fail *f)
{
    struct args result = {0};
    struct walk w = {a, flags, flag_count, argc, argv, 0, &result};
    size_t room = argc > 0 ? (size_t)argc : 0;

    result.values = arena_new_array(a, struct args_value, room + 1);
    result.operands = arena_new_array(a, const char *, room + 1);

    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            result.help = true;
            *out = result;
            return 0;
        }
    }

    while (w.at < argc) {
        const char *arg = argv[w.at++];

        if (strcmp(arg, "--") == 0) {
            while (w.at < argc)
                result.operands[result.operand_count++] = argv[w.at++];
        } else if (arg[0] == '-' && arg[1] == '-') {
            if (take_flag(&w, arg, f) < 0)
                return -1;
        } else if (arg[0] == '-' && arg[1] != '\0') {
            if (take_letter(&w, arg, f) < 0)
                return -1;
        } else {
            result.operands[result.operand_count++] = arg;
        }
    }
    *out = result;
    return 0;
}

int args_operands(const struct args *args, size_t min, size_t max, const char *usage,
                  struct fail *f)
{
    if (args->operand_count < min)
        return fail_set(f, CODE_INVALID_ARGUMENT, "something is missing; usage: %s", usage);
    if (args->operand_count > max)
        return fail_set(f, CODE_INVALID_ARGUMENT, "\"%.64s\" is too much; usage: %s",
                        args->operands[max], usage);
    return 0;
}

const char *args_find(const struct args *args, const char *name)
{
    for (size_t i = args->count; i > 0; i--) {
        if (strcmp(args->values[i - 1].flag->name, name) == 0)
            return args->values[i - 1].text;
    }
    return NULL;
}

bool args_is_on(const struct args *args, const char *name)
{
    const char *value = args_find(args, name);

    return value && strcmp(value, "true") == 0;
}

const char **args_list(struct arena *a, const struct args *args, const char *name, size_t *count)
{
    const char **list = arena_new_array(a, const char *, args->count + 1);
    size_t n = 0;

    for (size_t i = 0; i < args->count; i++) {
        if (strcmp(args->values[i].flag->name, name) == 0)
            list[n++] = args->values[i].text;
    }
    *count = n;
    return list;
}

void args_wrap(struct buf *out, const char *text, size_t indent)
{
    struct str rest = str_of(text);
    size_t column = 0;

    while (rest.len > 0) {
        struct str word = str_cut(&rest, ' ');

        if (word.len == 0)
            continue;
        if (column > 0 && column + 1 + word.len > WIDTH) {
            buf_put_byte(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_printf(out, "%*s", (int)indent, "");
            column = indent;
        } else {
            buf_put_byte(out, ' ');
            column++;
        }
        buf_put_str(out, word);
        column += word.len;
    }
    buf_put_byte(out, '\n');
}

void args_help(struct buf *out, const struct args_flag *flags, size_t flag_count)
{
    for (size_t i = 0; i < flag_count; i++) {
        buf_put_str(out, STR("  "));
        if (flags[i].letter)
            buf_printf(out, "-%s, ", flags[i].letter);
        buf_printf(out, "--%s", flags[i].name);
        if (flags[i].kind != ARGS_SWITCH)
            buf_printf(out, " %s", flags[i].value);
        if (flags[i].kind == ARGS_LIST)
            buf_put_str(out, STR(" (repeatable)"));
        buf_put_byte(out, '\n');
        args_wrap(out, flags[i].text, 8);
    }
}
