/* SPDX-License-Identifier: Apache-2.0 */
/* muster upgrades list, get, start. While it waits, each change of an upgrade is a line on standard
 * error; what became of all of them goes to standard output. */
#include "cli/ask.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/managed.h"
#include "cli/output.h"
#include "cli/table.h"

#include <unistd.h>

#include "codec/url.h"

#define ROOT      "/admin/v1/upgrades"
#define PATH_MAX_ ((size_t)8192)
#define BODY_MAX  ((size_t)65536)
#define LINE_MAX_ ((size_t)4096)
#define POLL_US   500000

#define ROUND_BYTES ((size_t)64 << 10)

static const struct output_column columns[] = {
    {"ID", "id"},       {"COLLECTOR", "collector"}, {"AGENT", "agent"},     {"TO", "to_version"},
    {"STATE", "state"}, {"REQUESTED", "requested"}, {"MESSAGE", "message"},
};

/* ---- list, get ---- */

/* Of one upgrade, or of all when id is empty. */
static enum exit_code make_path(struct cli *cli, const struct args *args, struct str id,
                                struct str *out)
{
    const char *tenant = args_find(args, "tenant");
    struct buf path;

    buf_init_arena(&path, cli->arena, PATH_MAX_);
    buf_put_str(&path, STR(ROOT));
    if (id.len > 0) {
        buf_put_byte(&path, '/');
        url_put_encoded(&path, id);
    }
    if (tenant) {
        buf_put_str(&path, STR("?tenant="));
        url_put_encoded(&path, str_of(tenant));
    }
    if (path.overflow)
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not an upgrade's number");
    *out = buf_str(&path);
    return EXIT_CODE_OK;
}

static enum exit_code print_list(struct cli *cli, bool json, struct json_value *list)
{
    return output_list(cli, json, columns, COUNTOF(columns), "upgrades", list);
}

static enum exit_code run_list(struct ask *ask)
{
    struct cli *cli = ask->cli;
    struct json_value *list = json_new_array(cli->arena);
    struct str path = {0};
    enum exit_code code = make_path(cli, &ask->args, STR(""), &path);

    if (code == EXIT_CODE_OK)
        code = ask_open_own(ask);
    if (code != EXIT_CODE_OK)
        return code;
    if (args_is_on(&ask->args, "open"))
        path = arena_printf(cli->arena, "%.*s%copen=true", STR_ARG(path),
                            str_index(path, '?') < 0 ? '?' : '&');
    code = client_list(ask->client, path, "upgrades", list);
    return code == EXIT_CODE_OK ? print_list(cli, ask->json, list) : code;
}

static enum exit_code fetch(struct cli *cli, struct client *client, const struct args *args,
                            struct str id, struct json_value **answer)
{
    struct str path = {0};
    enum exit_code code = make_path(cli, args, id, &path);

    if (code == EXIT_CODE_OK)
        code = client_call(client, "GET", path, STR(""), answer);
    if (code == EXIT_CODE_OK && !*answer)
        code = cli_fail(cli, EXIT_CODE_FAILURE, "the server told nothing of the upgrade");
    return code;
}

static enum exit_code run_get(struct ask *ask)
{
    struct str id = str_of(ask->args.operands[0]);
    struct json_value *answer = NULL;
    enum exit_code code;

    if (id.len == 0)
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "that is not an upgrade's number");
    code = ask_open_own(ask);
    if (code == EXIT_CODE_OK)
        code = fetch(ask->cli, ask->client, &ask->args, id, &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return ask->json ? output_json(ask->cli, answer) : output_members(ask->cli, answer);
}

/* ---- start ---- */

/* One of those that were asked for. */
struct started {
    struct str id;
    const char *name;
    struct json_value *upgrade; /* as it was when it was asked for, or when it was over */
    struct str shown;
};

struct starting {
    struct cli *cli;
    const struct args *args;
    struct client *client;  /* of the interface that collectors are managed by */
    struct client *watcher; /* of the one that tells how upgrades go */
    struct started *all;
    size_t count;
    enum exit_code code; /* of the first that failed */
};

static void remember(struct starting *s, enum exit_code code)
{
    if (s->code == EXIT_CODE_OK)
        s->code = code;
}

static struct str start_body(struct cli *cli, struct str collector, const char *to)
{
    struct json_writer w;
    struct buf body;
    int64_t number = 0;

    buf_init_arena(&body, cli->arena, BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    if (str_to_i64(collector, &number) == 0)
        json_key_i64(&w, STR("collectorId"), number);
    if (!str_eq(str_of(to), STR("latest")))
        json_key_str(&w, STR("toVersion"), str_of(to));
    json_obj_end(&w);
    return buf_str(&body);
}

static enum exit_code start_one(struct starting *s, const char *name, const char *to)
{
    struct managed one = {0};
    struct json_value *answer = NULL;
    struct started *made = &s->all[s->count];
    enum exit_code code = managed_collector(s->cli, s->client, name, &one);

    if (code == EXIT_CODE_OK)
        code = client_call(s->client, "POST", STR(MANAGED_ROOT "/upgrades"),
                           start_body(s->cli, managed_id(one.members), to), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    *made = (struct started){.id = fleet_text(answer, "id"), .name = name};
    code = fetch(s->cli, s->watcher, s->args, made->id, &made->upgrade);
    if (code == EXIT_CODE_OK)
        s->count++;
    return code;
}

/* "web-01: progressing, 1.1 on the way to 1.2 (downloading)", when that is news. `kept` outlives
 * the round. */
static void show(struct starting *s, struct started *one, const struct json_value *now,
                 struct arena *kept)
{
    struct str step = fleet_text(now, "step_version");
    struct str to = fleet_text(now, "to_version");
    struct str message = fleet_text(now, "message");
    struct str line;
    struct buf text;

    buf_init_arena(&text, s->cli->arena, LINE_MAX_);
    buf_printf(&text, "%s: ", one->name);
    buf_put_str(&text, fleet_text(now, "state"));
    buf_put_str(&text, STR(", "));
    if (!str_eq(step, to) && fleet_is_true(now, "open")) {
        buf_put_str(&text, step);
        buf_put_str(&text, STR(" on the way to "));
    }
    buf_put_str(&text, to);
    if (message.len > 0) {
        buf_put_str(&text, STR(" ("));
        buf_put_str(&text, message);
        buf_put_byte(&text, ')');
    }
    line = table_text(s->cli->arena, buf_str(&text));
    if (str_eq(line, one->shown))
        return;
    one->shown = arena_str(kept, line);
    line = arena_printf(s->cli->arena, "%.*s\n", STR_ARG(line));
    IGNORE(write(s->cli->err, line.p, line.len));
}

/* One round of one that is open still. */
static enum exit_code look_at(struct starting *s, struct started *one, struct arena *round)
{
    struct arena *kept = s->cli->arena;
    struct json_value *now = NULL;
    enum exit_code code;

    s->cli->arena = round;
    code = fetch(s->cli, s->watcher, s->args, one->id, &now);
    if (code == EXIT_CODE_OK)
        show(s, one, now, kept);
    s->cli->arena = kept;
    if (code == EXIT_CODE_OK && !fleet_is_true(now, "open"))
        code = fetch(s->cli, s->watcher, s->args, one->id, &one->upgrade);
    arena_reset(round);
    return code;
}

/* Asks for all that are open and shows what changed; how many are open still. What a round needs is
 * given back with it: thousands of them may pass. */
static size_t look(struct starting *s, struct arena *round)
{
    size_t open = 0;

    for (size_t i = 0; i < s->count && s->code != EXIT_CODE_UNREACHABLE; i++) {
        struct started *one = &s->all[i];

        if (!fleet_is_true(one->upgrade, "open"))
            continue;

        enum exit_code code = look_at(s, one, round);

        if (code != EXIT_CODE_OK) {
            s->code = code;
            return 0;
        }
        open += fleet_is_true(one->upgrade, "open");
    }
    return open;
}

static void wait_for_all(struct starting *s)
{
    struct clock *clock = clock_new_real();
    struct waiter *waiter = waiter_new(clock);
    struct arena *round = arena_new(ROUND_BYTES);

    for (size_t i = 0; i < s->count; i++)
        show(s, &s->all[i], s->all[i].upgrade, s->cli->arena);
    while (look(s, round) > 0)
        IGNORE(waiter_wait(waiter, clock_mono_us(clock) + POLL_US));
    arena_free(&round);
    waiter_free(&waiter);
    clock_free(&clock);
    for (size_t i = 0; i < s->count; i++)
        if (!str_eq(fleet_text(s->all[i].upgrade, "state"), STR("succeeded")))
            remember(s, EXIT_CODE_FAILURE);
}

static enum exit_code start_all(struct starting *s, bool json)
{
    size_t count;
    const char **names = args_list(s->cli->arena, s->args, "collector", &count);
    struct json_value *list = json_new_array(s->cli->arena);
    enum exit_code code;

    s->all = arena_new_array(s->cli->arena, struct started, count);
    for (size_t i = 0; i < count && s->code != EXIT_CODE_UNREACHABLE; i++)
        remember(s, start_one(s, names[i], args_find(s->args, "to")));
    if (args_is_on(s->args, "wait"))
        wait_for_all(s);
    for (size_t i = 0; i < s->count; i++)
        json_append(list, s->all[i].upgrade);
    if (s->count == 0)
        return s->code;
    code = print_list(s->cli, json, list);
    return s->code == EXIT_CODE_OK ? code : s->code;
}

static enum exit_code run_start(struct ask *ask)
{
    struct starting s = {.cli = ask->cli, .args = &ask->args};
    enum exit_code code;
    size_t names;

    IGNORE(args_list(ask->cli->arena, &ask->args, "collector", &names));
    if (names == 0 || !args_find(&ask->args, "to"))
        return cli_fail(ask->cli, EXIT_CODE_USAGE,
                        "--collector and --to say what is to become of whom");
    code = ask_open(ask);
    if (code != EXIT_CODE_OK)
        return code;
    s.client = ask->client;
    s.watcher = client_new(ask->cli, &ask->args, &code);
    if (!s.watcher)
        return code;
    code = start_all(&s, ask->json);
    client_free(&s.watcher);
    return code;
}

static const struct args_flag list_flags[] = {
    {"open", ARGS_SWITCH, NULL, "Only those that are not over."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

static const struct args_flag get_flags[] = {TENANT_FLAG, OUTPUT_FLAG};

static const struct args_flag start_flags[] = {
    {"collector", ARGS_LIST, "NAME|ID", "A collector to upgrade."},
    {"to", ARGS_VALUE, "VERSION", "Which build: a version of the catalogue, or latest."},
    {"wait", ARGS_SWITCH, NULL,
     "Waits until all are over and shows each change; the exit code is 1 when one of them failed."},
    TENANT_FLAG,
    OUTPUT_FLAG,
};

const struct cli_command upgrade_commands[UPGRADE_COMMAND_COUNT] = {
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists upgrades, oldest first.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "get",
     .usage = "ID [flags]",
     .text = "Shows one upgrade.",
     .ask = ASK(run_get, get_flags, 1, 1)},
    {.name = "start",
     .usage = "--collector NAME|ID --to VERSION|latest [flags]",
     .text = "Brings installed collectors to a build, up or down.",
     .ask = ASK(run_start, start_flags, 0, 0)},
};
