/* SPDX-License-Identifier: Apache-2.0 */
/* One row of the table in three dresses. */
#include "server/config_docs.h"

#include <string.h>

#include "cli/exit_code.h"
#include "server/config_value.h"

static const struct {
    const char *prefix; /* of the keys' names; empty: keys without a dot */
    const char *title;
} groups[] = {
    {"", "The process"},
    {"log.", "Logs"},
    {"tls.", "TLS"},
    {"limits.", "Limits"},
    {"h2.", "HTTP/2 floods"},
    {"timeouts.", "Timeouts"},
    {"answers.", "Answers"},
    {"store.", "Store"},
    {"events.", "Events"},
    {"tasks.", "Tasks"},
    {"agents.", "Agents"},
    {"fleet.", "Fleet Management"},
    {"sumologic.", "Sumo Logic"},
    {"receiver.", "Receiver"},
    {"spool.", "Spool"},
    {"sink.", "Sinks"},
    {"rate.", "Rates"},
    {"metrics.", "Metrics"},
    {"reflection.", "Reflection"},
    {"outbound.", "Outbound calls"},
};

static bool in_group(const struct config_key *key, const char *prefix)
{
    if (prefix[0] == '\0')
        return strchr(key->name, '.') == NULL;
    return str_starts_with(str_of(key->name), str_of(prefix));
}

static void put_bounds(const struct config_key *key, const char *quote, struct buf *out)
{
    if (key->type == CONFIG_TYPE_LIST) {
        buf_printf(out, ", at most %lld items", (long long)key->max);
        return;
    }
    if (key->min == 0 && key->max == 0)
        return;
    buf_printf(out, ", from %s", quote);
    config_value_print_number(key->type, key->min, out);
    buf_printf(out, "%s to %s", quote, quote);
    config_value_print_number(key->type, key->max, out);
    buf_put_str(out, str_of(quote));
}

/* "size from 1KiB to 1MiB; default 32KiB": `quote` stands around what is literal. */
static void put_facts(const struct config_key *key, const char *quote, struct buf *out)
{
    buf_put_str(out, str_of(config_type_name(key->type)));
    if (key->choices) {
        buf_put_str(out, STR(" of"));
        for (struct str rest = str_of(key->choices); rest.len > 0;) {
            struct str choice = str_cut(&rest, '|');

            buf_printf(out, " %s%.*s%s%s", quote, STR_ARG(choice), quote, rest.len > 0 ? "," : "");
        }
    }
    put_bounds(key, quote, out);
    if (key->initial[0] == '\0')
        buf_put_str(out, STR("; default: empty"));
    else
        buf_printf(out, "; default %s%s%s", quote, key->initial, quote);
}

static const char *reload_text(const struct config_key *key)
{
    return key->flags & CONFIG_RELOADABLE ? "applied on SIGHUP" : "needs a restart";
}

/* Comment lines of at most 80 columns. */
static void put_comment(struct str text, struct buf *out)
{
    size_t column = 0;

    while (text.len > 0) {
        struct str word = str_cut(&text, ' ');

        if (column > 0 && column + 1 + word.len > 80) {
            buf_put_byte(out, '\n');
            column = 0;
        }
        if (column == 0) {
            buf_put_byte(out, '#');
            column = 1;
        }
        buf_put_byte(out, ' ');
        buf_put_str(out, word);
        column += 1 + word.len;
    }
    buf_put_byte(out, '\n');
}

static void put_example_key(struct arena *a, const struct config_key *key, struct buf *out)
{
    struct buf facts;

    buf_init_arena(&facts, a, 4096);
    put_facts(key, "", &facts);
    buf_printf(&facts, "; %s", reload_text(key));
    buf_put_byte(out, '\n');
    put_comment(str_of(key->text), out);
    put_comment(buf_str(&facts), out);
    buf_printf(out, "#%s =%s%s\n", key->name, key->initial[0] ? " " : "", key->initial);
}

void config_docs_example(struct buf *out)
{
    struct arena *a = arena_new(8192);

    buf_put_str(out,
                STR("# Muster's configuration with every key at its default, as\n"
                    "# `muster config example` prints it. Flags win over the environment, the\n"
                    "# environment over this file. `muster config check --config FILE` reads a\n"
                    "# file without starting anything.\n"));
    for (size_t i = 0; i < COUNTOF(groups); i++) {
        for (size_t k = 0; k < CONFIG_KEY_COUNT; k++) {
            const struct config_key *key = config_key_at(k);

            if (in_group(key, groups[i].prefix) && !(key->flags & CONFIG_NOT_IN_FILE))
                put_example_key(a, key, out);
        }
    }
    arena_free(&a);
}

static void put_page_intro(struct buf *out)
{
    static const char intro[] =
        "# Configuration\n"
        "\n"
        "This page is printed by `muster config docs` from the table that the server itself reads\n"
        "(`src/server/config_keys.h`).\n"
        "\n"
        "Every key can be given in three ways. A flag wins over the environment, the environment\n"
        "over the file, the file over the default:\n"
        "\n"
        "| where | how `limits.headers` is written |\n"
        "|---|---|\n"
        "| flag of `muster serve` | `--limits-headers 64KiB` |\n"
        "| environment | `MUSTER_LIMITS_HEADERS=64KiB` |\n"
        "| file named by `--config` | `limits.headers = 64KiB` |\n"
        "\n"
        "`muster config check` reads everything and starts nothing, `muster config show --changed\n"
        "--origin` tells what differs from the defaults and where it was set, `muster config\n"
        "explain KEY` prints one key, `muster config example` a commented file.\n"
        "\n"
        "## The file\n"
        "\n"
        "```\n"
        "# A comment ends with the line.\n"
        "listen = 127.0.0.1:8080, tls://[::]:8443   # so does one behind a value, after a blank\n"
        "tls.cert = \"/etc/muster/cert #1.pem\"\n"
        "\n"
        "[limits]                                   # keys below begin with \"limits.\"\n"
        "headers = 64KiB\n"
        "```\n"
        "\n"
        "UTF-8, at most 1 MiB. A value may stand in double quotes, where `\\\"` and `\\\\` are a\n"
        "quote and a backslash. A key may be set once. Items of a list have commas between them;\n"
        "a list given by flags or by the environment replaces the file's list as a whole.\n"
        "\n"
        "| type | how it is written |\n"
        "|---|---|\n"
        "| switch | `true` or `false`; as a flag the name alone means `true` |\n"
        "| number | digits |\n"
        "| size | bytes, or a number with `KiB`, `MiB`, `GiB` |\n"
        "| duration | a number with `ms`, `s`, `m`, `h`, `d` |\n"
        "\n"
        "An unknown key, flag or `MUSTER_` variable is an error that names the nearest known one.\n"
        "All mistakes are listed, each with its place; the exit code is 2.\n"
        "\n"
        "## Reload\n"
        "\n"
        "On SIGHUP the server reads the file again, with the flags and the environment it was\n"
        "started with, and the certificates. It takes over everything or, when anything is wrong\n"
        "or a key changed that needs a restart, nothing; the log says which.\n";

    buf_put_str(out, STR(intro));
}

static void put_page_key(struct arena *a, const struct config_key *key, struct buf *out)
{
    buf_printf(out, "\n### `%s`\n\n%s\n\n", key->name, key->text);
    buf_put_str(out, STR("Type: "));
    put_facts(key, "`", out);
    buf_printf(out, "; %s.\n", reload_text(key));
    buf_printf(out, "Flag `--%s`, variable `%s`%s.\n", config_flag_name(a, key),
               config_env_name(a, key),
               key->flags & CONFIG_NOT_IN_FILE ? "; cannot stand in the file" : "");
}

void config_docs_page(struct buf *out)
{
    struct arena *a = arena_new(8192);
    size_t count;
    const struct exit_code_row *codes = exit_code_rows(&count);

    put_page_intro(out);
    for (size_t i = 0; i < COUNTOF(groups); i++) {
        buf_printf(out, "\n## %s\n", groups[i].title);
        for (size_t k = 0; k < CONFIG_KEY_COUNT; k++) {
            if (in_group(config_key_at(k), groups[i].prefix))
                put_page_key(a, config_key_at(k), out);
        }
    }
    buf_put_str(out, STR("\n## Exit codes\n\n| code | meaning |\n|---|---|\n"));
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "| %d | %s |\n", (int)codes[i].code, codes[i].text);
    arena_free(&a);
}

void config_docs_explain(const struct config_key *key, struct buf *out)
{
    struct arena *a = arena_new(1024);

    buf_printf(out, "%s\n\n", key->name);
    args_wrap(out, key->text, 2);
    buf_put_str(out, STR("\n  type         "));
    put_facts(key, "", out);
    buf_printf(
        out, "\n  flag         --%s\n  environment  %s\n  file         %s\n  change       %s\n",
        config_flag_name(a, key), config_env_name(a, key),
        key->flags & CONFIG_NOT_IN_FILE ? "cannot stand in it" : key->name, reload_text(key));
    arena_free(&a);
}
