/* SPDX-License-Identifier: Apache-2.0 */
/* Each subcommand takes every flag of `muster serve`, so that a start can be tried by changing one
 * word. */
#include "server/config_command.h"

#include <string.h>

#include "cli/table.h"
#include "codec/json_writer.h"
#include "server/apply.h"
#include "server/config.h"
#include "server/config_docs.h"

#define OUTPUT_MAX ((size_t)4 << 20)

/* NULL: *code is how to end. */
static struct config *load(struct cli *cli, const struct args *args, enum exit_code *code)
{
    struct config_problems p;

    config_problems_init(&p);

    struct config *c = config_load(args, cli->env, &p);

    if (!c)
        *code = cli_fail(cli, EXIT_CODE_USAGE, "%zu problem%s in the configuration\n%.*s", p.count,
                         p.count == 1 ? "" : "s", STR_ARG(config_problems_text(&p)));
    config_problems_done(&p);
    return c;
}

static bool parse(struct cli *cli, const struct cli_command *self, const struct args_flag *more,
                  size_t more_count, int argc, char *const *argv, struct args *args,
                  enum exit_code *code)
{
    size_t count;
    const struct args_flag *flags = config_flags(cli->arena, more, more_count, &count);

    return cli_args(cli, self, flags, count, 0, 0, argc, argv, args, code);
}

static enum exit_code run_check(struct cli *cli, const struct cli_command *self, int argc,
                                char *const *argv)
{
    struct args args;
    enum exit_code code;

    if (!parse(cli, self, NULL, 0, argc, argv, &args, &code))
        return code;

    struct config *c = load(cli, &args, &code);
    struct tls *tls = NULL;
    struct fail f;

    if (!c)
        return code;
    code = apply_tls(c, &tls, &f) < 0 ? cli_fail(cli, EXIT_CODE_USAGE, "%s%s%s", f.message,
                                                 f.detail[0] ? ": " : "", f.detail)
                                      : cli_print(cli, STR("configuration is fine\n"));
    tls_free(&tls);
    config_free(&c);
    return code;
}

struct showing {
    const struct config *config;
    struct arena *arena;
    bool changed;
    bool origin;
};

static struct str value_of(const struct showing *s, const struct config_key *key)
{
    struct buf text;

    buf_init_arena(&text, s->arena, 1 << 20);
    config_print(s->config, key, &text);
    return buf_str(&text);
}

static void show_table(const struct showing *s, struct buf *out)
{
    static const char *const titles[] = {"KEY", "VALUE", "ORIGIN"};
    struct table *t = table_new(s->arena, titles, s->origin ? 3 : 2);

    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = config_key_at(i);

        if (s->changed && !config_is_changed(s->config, key))
            continue;
        table_row(t, (struct str[]){str_of(key->name), value_of(s, key),
                                    config_origin(s->config, key, s->arena)});
    }
    table_print(t, out);
}

static void show_json(const struct showing *s, struct buf *out)
{
    struct json_writer w;

    json_writer_init_indented(&w, out, 2);
    json_obj_begin(&w);
    json_key(&w, STR("keys"));
    json_arr_begin(&w);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = config_key_at(i);
        bool changed = config_is_changed(s->config, key);

        if (s->changed && !changed)
            continue;
        json_obj_begin(&w);
        json_key_str(&w, STR("key"), str_of(key->name));
        json_key_str(&w, STR("value"), value_of(s, key));
        json_key_bool(&w, STR("changed"), changed);
        json_key_str(&w, STR("origin"), config_origin(s->config, key, s->arena));
        json_obj_end(&w);
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_put_byte(out, '\n');
}

static enum exit_code run_show(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag more[] = {
        {"changed", ARGS_SWITCH, NULL, "Only keys that differ from their default."},
        {"origin", ARGS_SWITCH, NULL, "Also where each value was set."},
        {"output", ARGS_VALUE, "table|json", "How to print; table when not given."},
    };
    struct args args;
    enum exit_code code;
    struct buf out;

    if (!parse(cli, self, more, COUNTOF(more), argc, argv, &args, &code))
        return code;

    const char *output = args_find(&args, "output");
    bool json = output && strcmp(output, "json") == 0;

    if (output && !json && strcmp(output, "table") != 0)
        return cli_fail(cli, EXIT_CODE_USAGE, "--output is table or json");

    struct config *c = load(cli, &args, &code);

    if (!c)
        return code;

    struct showing s = {c, cli->arena, args_is_on(&args, "changed"), args_is_on(&args, "origin")};

    buf_init_arena(&out, cli->arena, OUTPUT_MAX);
    if (json)
        show_json(&s, &out);
    else
        show_table(&s, &out);
    config_free(&c);
    return cli_print(cli, buf_str(&out));
}

static enum exit_code run_explain(struct cli *cli, const struct cli_command *self, int argc,
                                  char *const *argv)
{
    struct args args;
    enum exit_code code;
    struct buf out;

    if (!cli_args(cli, self, NULL, 0, 1, 1, argc, argv, &args, &code))
        return code;

    struct str name = str_of(args.operands[0]);
    const struct config_key *key = config_key_find(name);

    if (!key) {
        const char *nearest = config_key_nearest(cli->arena, name);

        return cli_fail(cli, EXIT_CODE_USAGE, "unknown key \"%.64s\"%s%s%s", name.p,
                        nearest ? "; did you mean \"" : "", nearest ? nearest : "",
                        nearest ? "\"?" : "; `muster config show` lists them");
    }
    buf_init_arena(&out, cli->arena, OUTPUT_MAX);
    config_docs_explain(key, &out);
    return cli_print(cli, buf_str(&out));
}

static enum exit_code run_example(struct cli *cli, const struct cli_command *self, int argc,
                                  char *const *argv)
{
    struct args args;
    enum exit_code code;
    struct buf out;

    if (!cli_args(cli, self, NULL, 0, 0, 0, argc, argv, &args, &code))
        return code;
    buf_init_arena(&out, cli->arena, OUTPUT_MAX);
    config_docs_example(&out);
    return cli_print(cli, buf_str(&out));
}

static enum exit_code run_docs(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    struct args args;
    enum exit_code code;
    struct buf out;

    if (!cli_args(cli, self, NULL, 0, 0, 0, argc, argv, &args, &code))
        return code;
    buf_init_arena(&out, cli->arena, OUTPUT_MAX);
    config_docs_page(&out);
    return cli_print(cli, buf_str(&out));
}

const struct cli_command config_commands[CONFIG_COMMAND_COUNT] = {
    {.name = "check",
     .usage = "[flags of serve]",
     .text = "Reads flags, environment and file as serve does, and starts nothing.",
     .run = run_check},
    {.name = "show",
     .usage = "[--changed] [--origin] [--output table|json] [flags of serve]",
     .text = "Prints the values that serve would use.",
     .run = run_show},
    {.name = "explain",
     .usage = "KEY",
     .text = "Tells what a key means and how it is written.",
     .run = run_explain},
    {.name = "example",
     .usage = "",
     .text = "Prints a commented configuration file with every key at its default.",
     .run = run_example},
    {.name = "docs",
     .usage = "",
     .text = "Prints the reference of all keys as Markdown.",
     .run = run_docs},
};
