/* SPDX-License-Identifier: Apache-2.0 */
/* muster collectors list, get, create, update, delete, offline. */
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/managed.h"
#include "cli/output.h"

static const struct output_column columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"TYPE", "collectorType"},
    {"ALIVE", "alive"},
    {"HOST", "hostName"},
    {"VERSION", "collectorVersion"},
    {"CATEGORY", "category"},
};

/* Flags that say what a collector is to have. */
#define WORD_FLAGS                                                                                 \
    {"description", ARGS_VALUE, "TEXT", "What it is for; empty takes it away."},                   \
        {"category", ARGS_VALUE, "TEXT", "Source category, such as prod/web."},                    \
        {"host-name", ARGS_VALUE, "TEXT", "The host's name."},                                     \
        {"time-zone", ARGS_VALUE, "NAME", "Such as Europe/Berlin."},                               \
    {                                                                                              \
        "field", ARGS_LIST, "KEY=VALUE", "A field; an empty value takes it away. May be repeated." \
    }

static const struct {
    const char *flag;
    const char *member;
} words[] = {
    {"description", "description"},
    {"category", "category"},
    {"host-name", "hostName"},
    {"time-zone", "timeZone"},
};

static void put_text(struct cli *cli, struct json_value *members, const char *member,
                     struct str text)
{
    if (text.len == 0)
        IGNORE(json_remove(members, str_of(member)));
    else
        json_set(members, str_of(member), json_new_str(cli->arena, text));
}

/* What the flags say goes into the members. False: *code is how to end. */
static bool put_flags(struct cli *cli, const struct args *args, struct json_value *members,
                      enum exit_code *code)
{
    size_t count;
    const char **fields = args_list(cli->arena, args, "field", &count);
    struct json_value *map = json_find(members, STR("fields"));

    for (size_t i = 0; i < COUNTOF(words); i++) {
        const char *text = args_find(args, words[i].flag);

        if (text)
            put_text(cli, members, words[i].member, str_of(text));
    }
    if (count > 0 && !map) {
        map = json_new_object(cli->arena);
        json_set(members, STR("fields"), map);
    }
    for (size_t i = 0; i < count; i++) {
        struct str value = str_of(fields[i]);
        bool has_value = str_index(value, '=') > 0;
        struct str key = str_cut(&value, '=');

        if (!has_value) {
            *code =
                cli_fail(cli, EXIT_CODE_USAGE, "--field is KEY=VALUE, not \"%.64s\"", fields[i]);
            return false;
        }
        put_text(cli, map, arena_cstr(cli->arena, key), value);
    }
    return true;
}

static enum exit_code print_list(struct cli *cli, bool json, struct json_value *list)
{
    struct json_value *out = json_new_object(cli->arena);

    if (!json)
        return output_table(cli, columns, COUNTOF(columns), list);
    json_set(out, STR("collectors"), list);
    return output_json(cli, out);
}

/* Its fields have lines of their own; links are for programs. */
static enum exit_code print_one(struct cli *cli, bool json, const struct json_value *members)
{
    struct json_value *row = json_new_object(cli->arena);

    if (json || !members)
        return output_json(cli, members ? members : row);
    json_foreach (member, members) {
        struct str key = member->key;

        if (str_eq(key, STR("fields")) && member->kind == JSON_KIND_OBJECT) {
            json_foreach (field, member)
                json_set(row, arena_printf(cli->arena, "field %.*s", STR_ARG(field->key)),
                         json_new_str(cli->arena, field->text));
        } else if (!str_eq(key, STR("links"))) {
            json_set(row, key,
                     json_new_str(cli->arena,
                                  output_cell(cli->arena, members, arena_cstr(cli->arena, key))));
        }
    }
    return output_members(cli, row);
}

/* ---- list ---- */

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {
        {"filter", ARGS_VALUE, "KIND", "Only those that are installed, hosted, alive or dead."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *list = json_new_array(cli->arena);
    struct str path = STR(MANAGED_ROOT);
    bool json;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    const char *filter = args_find(&args, "filter");

    if (filter && !str_is_within(str_of(filter), 'A', 'z'))
        return cli_fail(cli, EXIT_CODE_USAGE, "--filter is installed, hosted, alive or dead");
    if (filter)
        path = arena_printf(cli->arena, MANAGED_ROOT "?filter=%s", filter);

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = managed_list(cli, client, path, "collectors", list);
    client_free(&client);
    return code == EXIT_CODE_OK ? print_list(cli, json, list) : code;
}

/* ---- get ---- */

static enum exit_code run_get(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct managed one = {0};
    bool json;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = managed_open(cli, &args, &one, &code);

    if (!client)
        return code;
    client_free(&client);
    return print_one(cli, json, one.members);
}

/* ---- create ---- */

static enum exit_code run_create(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {WORD_FLAGS, OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *members = json_new_object(cli->arena), *answer = NULL, *made = NULL;
    bool json;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;
    json_set(members, STR("collectorType"), json_new_str(cli->arena, STR("Hosted")));
    json_set(members, STR("name"), json_new_str(cli->arena, str_of(args.operands[0])));
    if (!put_flags(cli, &args, members, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = client_call(client, "POST", STR(MANAGED_ROOT), managed_body(cli, "collector", members),
                       &answer);
    client_free(&client);
    if (code == EXIT_CODE_OK)
        code = managed_inner(cli, answer, "collector", &made);
    return code == EXIT_CODE_OK ? print_one(cli, json, made) : code;
}

/* ---- update ---- */

static enum exit_code update(struct cli *cli, struct client *client, const struct args *args,
                             struct json_value **now)
{
    struct managed one = {0};
    enum exit_code code = managed_collector(cli, client, args->operands[0], &one);
    const char *name = args_find(args, "name");

    if (code != EXIT_CODE_OK || !put_flags(cli, args, one.members, &code))
        return code;
    if (name)
        json_set(one.members, STR("name"), json_new_str(cli->arena, str_of(name)));
    return managed_replace(cli, client, &one, "collector", now);
}

static enum exit_code run_update(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    static const struct args_flag own[] = {
        {"name", ARGS_VALUE, "NAME", "The new name."}, WORD_FLAGS, OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *now = NULL;
    bool json;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = update(cli, client, &args, &now);
    client_free(&client);
    return code == EXIT_CODE_OK ? print_one(cli, json, now) : code;
}

/* ---- delete ---- */

static enum exit_code run_delete(struct cli *cli, const struct cli_command *self, int argc,
                                 char *const *argv)
{
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, NULL, 0, &count);

    if (!cli_args(cli, self, flags, count, 1, 1000, argc, argv, &args, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    for (size_t i = 0; i < args.operand_count && code == EXIT_CODE_OK; i++) {
        struct managed one = {0};
        struct json_value *answer = NULL;

        code = managed_collector(cli, client, args.operands[i], &one);
        if (code == EXIT_CODE_OK)
            code = client_call(client, "DELETE", one.path, STR(""), &answer);
        if (code == EXIT_CODE_OK)
            code = fleet_print_text(
                cli, arena_printf(cli->arena, "collector %s is deleted", args.operands[i]));
    }
    client_free(&client);
    return code;
}

/* ---- offline ---- */

static enum exit_code run_offline(struct cli *cli, const struct cli_command *self, int argc,
                                  char *const *argv)
{
    static const struct args_flag own[] = {
        {"days", ARGS_VALUE, "N", "Silent for at least so many days; 100 when not given."},
        {"delete", ARGS_SWITCH, NULL, "Deletes them; without it they are listed."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *list = json_new_array(cli->arena), *answer = NULL;
    uint64_t days = 100;
    bool json;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    const char *text = args_find(&args, "days");

    if (text && (str_to_u64(str_of(text), &days) < 0 || days < 1 || days > 100000))
        return cli_fail(cli, EXIT_CODE_USAGE, "--days is a number from 1 on, not \"%.64s\"", text);

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;

    struct str path = arena_printf(cli->arena, MANAGED_ROOT "/offline?aliveBeforeDays=%llu",
                                   (unsigned long long)days);

    code = managed_list(cli, client, path, "collectors", list);
    if (code == EXIT_CODE_OK && args_is_on(&args, "delete"))
        code = client_call(client, "DELETE", path, STR(""), &answer);
    client_free(&client);
    return code == EXIT_CODE_OK ? print_list(cli, json, list) : code;
}

const struct cli_command collector_commands[COLLECTOR_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists collectors, installed and hosted, by number.",
     .run = run_list},
    {.name = "get", .usage = "NAME|ID [flags]", .text = "Shows one collector.", .run = run_get},
    {.name = "create",
     .usage = "NAME [flags]",
     .text = "Creates a hosted collector. Installed ones register themselves.",
     .run = run_create},
    {.name = "update",
     .usage = "NAME|ID [flags]",
     .text = "Changes what the flags say; the rest stays.",
     .run = run_update},
    {.name = "delete",
     .usage = "NAME|ID... [flags]",
     .text = "Deletes collectors with their sources.",
     .run = run_delete},
    {.name = "offline",
     .usage = "[flags]",
     .text = "Lists installed collectors that have been silent for long, or deletes them.",
     .run = run_offline},
};
