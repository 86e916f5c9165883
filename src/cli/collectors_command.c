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
    {"LAST SEEN", "lastSeenAlive"},
    {"HOST", "hostName"},
    {"VERSION", "collectorVersion"},
    {"CATEGORY", "category"},
};

static const struct args_flag plain_flags[] = {TENANT_FLAG, OUTPUT_FLAG};

static const struct args_flag list_flags[] = {
    {"filter", ARGS_VALUE, "KIND", "Only those that are installed, hosted, alive or dead."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

/* Flags that say what a collector is to have. */
#define WORD_FLAGS                                                                                 \
    {"description", ARGS_VALUE, "TEXT", "What it is for; empty takes it away."},                   \
        {"category", ARGS_VALUE, "TEXT", "Source category, such as prod/web."},                    \
        {"host-name", ARGS_VALUE, "TEXT", "The host's name."},                                     \
        {"time-zone", ARGS_VALUE, "NAME", "Such as Europe/Berlin."},                               \
    {                                                                                              \
        "field", ARGS_LIST, "KEY=VALUE", "A field; an empty value takes it away."                  \
    }

static const struct args_flag create_flags[] = {WORD_FLAGS, TENANT_FLAG, OUTPUT_FLAG};

static const struct args_flag update_flags[] = {
    {"name", ARGS_VALUE, "NAME", "The new name."}, WORD_FLAGS, TENANT_FLAG, OUTPUT_FLAG};

static const struct args_flag delete_flags[] = {TENANT_FLAG};

static const struct args_flag offline_flags[] = {
    {"days", ARGS_VALUE, "N", "Silent for at least so many days; 100 when not given."},
    {"delete", ARGS_SWITCH, NULL, "Deletes them; without it they are listed."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

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

static enum exit_code print_list(const struct ask *ask, struct json_value *list)
{
    struct cli *cli = ask->cli;

    for (struct json_value *one = list->first; one && !ask->json; one = one->next)
        managed_show_time(cli, one, "lastSeenAlive");
    return output_list(cli, ask->json, columns, COUNTOF(columns), "collectors", list);
}

/* Its fields have lines of their own; links are for programs. */
static enum exit_code print_one(const struct ask *ask, struct json_value *members)
{
    struct cli *cli = ask->cli;
    struct json_value *row = json_new_object(cli->arena);

    if (ask->json)
        return output_json(cli, members);
    managed_show_time(cli, members, "lastSeenAlive");
    managed_show_time(cli, members, "cutoffTimestamp");
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

static enum exit_code run_list(struct ask *ask)
{
    static const char *const kinds[] = {"installed", "hosted", "alive", "dead"};
    struct cli *cli = ask->cli;
    struct json_value *list = json_new_array(cli->arena);
    struct str path = STR(MANAGED_ROOT);
    const char *filter = args_find(&ask->args, "filter");

    for (size_t i = 0; filter && i < COUNTOF(kinds); i++)
        if (str_eq_nocase(str_of(filter), str_of(kinds[i])))
            path = arena_printf(cli->arena, MANAGED_ROOT "?filter=%s", kinds[i]);
    if (filter && str_eq(path, STR(MANAGED_ROOT)))
        return cli_fail(cli, EXIT_CODE_USAGE,
                        "--filter is installed, hosted, alive or dead, not \"%.64s\"", filter);

    enum exit_code code = ask_open(ask);

    if (code == EXIT_CODE_OK)
        code = managed_list(cli, ask->client, path, "collectors", list);
    return code == EXIT_CODE_OK ? print_list(ask, list) : code;
}

static enum exit_code run_get(struct ask *ask)
{
    struct managed one = {0};
    enum exit_code code = managed_open(ask, &one);

    return code == EXIT_CODE_OK ? print_one(ask, one.members) : code;
}

static enum exit_code run_create(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *members = json_new_object(cli->arena), *answer = NULL, *made = NULL;
    enum exit_code code;

    json_set(members, STR("collectorType"), json_new_str(cli->arena, STR("Hosted")));
    json_set(members, STR("name"), json_new_str(cli->arena, str_of(ask->args.operands[0])));
    if (!put_flags(cli, &ask->args, members, &code))
        return code;
    code = ask_open(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "POST", STR(MANAGED_ROOT),
                           managed_body(cli, "collector", members), &answer);
    if (code == EXIT_CODE_OK)
        code = managed_inner(cli, answer, "collector", &made);
    return code == EXIT_CODE_OK ? print_one(ask, made) : code;
}

static enum exit_code run_update(struct ask *ask)
{
    struct cli *cli = ask->cli;
    const char *name = args_find(&ask->args, "name");
    struct json_value *now = NULL;
    struct managed one = {0};
    enum exit_code code = managed_open(ask, &one);

    if (code != EXIT_CODE_OK || !put_flags(cli, &ask->args, one.members, &code))
        return code;
    if (name)
        json_set(one.members, STR("name"), json_new_str(cli->arena, str_of(name)));
    code = managed_replace(cli, ask->client, &one, "collector", &now);
    return code == EXIT_CODE_OK ? print_one(ask, now) : code;
}

static enum exit_code run_delete(struct ask *ask)
{
    struct cli *cli = ask->cli;
    enum exit_code code = ask_open(ask);

    for (size_t i = 0; i < ask->args.operand_count && code == EXIT_CODE_OK; i++) {
        const char *which = ask->args.operands[i];
        struct json_value *answer = NULL;
        struct managed one = {0};

        code = managed_collector(cli, ask->client, which, &one);
        if (code == EXIT_CODE_OK)
            code = client_call(ask->client, "DELETE", one.path, STR(""), &answer);
        if (code == EXIT_CODE_OK)
            code =
                fleet_print_text(cli, arena_printf(cli->arena, "collector %s is deleted", which));
    }
    return code;
}

static enum exit_code run_offline(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *list = json_new_array(cli->arena), *answer = NULL;
    const char *text = args_find(&ask->args, "days");
    uint64_t days = 100;

    if (text && (str_to_u64(str_of(text), &days) < 0 || days < 1 || days > 100000))
        return cli_fail(cli, EXIT_CODE_USAGE, "--days is a number from 1 on, not \"%.64s\"", text);

    struct str path = arena_printf(cli->arena, MANAGED_ROOT "/offline?aliveBeforeDays=%llu",
                                   (unsigned long long)days);
    enum exit_code code = ask_open(ask);

    if (code == EXIT_CODE_OK)
        code = managed_list(cli, ask->client, path, "collectors", list);
    if (code == EXIT_CODE_OK && args_is_on(&ask->args, "delete"))
        code = client_call(ask->client, "DELETE", path, STR(""), &answer);
    return code == EXIT_CODE_OK ? print_list(ask, list) : code;
}

const struct cli_command collector_commands[COLLECTOR_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists collectors, installed and hosted, by number.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "get",
     .usage = "NAME|ID [flags]",
     .text = "Shows one collector.",
     .ask = ASK(run_get, plain_flags, 1, 1)},
    {.name = "create",
     .usage = "NAME [flags]",
     .text = "Creates a hosted collector. Installed ones register themselves.",
     .ask = ASK(run_create, create_flags, 1, 1)},
    {.name = "update",
     .usage = "NAME|ID [flags]",
     .text = "Changes what the flags say; the rest stays.",
     .ask = ASK(run_update, update_flags, 1, 1)},
    {.name = "delete",
     .usage = "NAME|ID... [flags]",
     .text = "Deletes collectors with their sources.",
     .ask = ASK(run_delete, delete_flags, 1, 1000)},
    {.name = "offline",
     .usage = "[flags]",
     .text = "Lists installed collectors that have been silent for long, or deletes them.",
     .ask = ASK(run_offline, offline_flags, 0, 0)},
};
