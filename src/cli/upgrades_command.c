/* SPDX-License-Identifier: Apache-2.0 */
/* muster upgrades list, get, start. While it waits, each change of an upgrade is a line on standard
 * error; what became of all of them goes to standard output. */
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/managed.h"
#include "cli/output.h"

#include <unistd.h>

#include "codec/url.h"

#define ROOT      "/admin/v1/upgrades"
#define PATH_MAX_ ((size_t)8192)
#define BODY_MAX  ((size_t)65536)
#define LINE_MAX_ ((size_t)4096)
#define POLL_US   500000

static const struct output_column columns[] = {
    {"ID", "id"},       {"COLLECTOR", "collector"}, {"AGENT", "agent"},     {"TO", "to_version"},
    {"STATE", "state"}, {"REQUESTED", "requested"}, {"MESSAGE", "message"},
};

/* ---- list, get ---- */

static enum exit_code print_list(struct cli *cli, bool json, struct json_value *list)
{
    struct json_value *out = json_new_object(cli->arena);

    if (!json)
        return output_table(cli, columns, COUNTOF(columns), list);
    json_set(out, STR("upgrades"), list);
    return output_json(cli, out);
}

static enum exit_code run_list(struct cli *cli, const struct cli_command *self, int argc,
                               char *const *argv)
{
    static const struct args_flag own[] = {
        {"open", ARGS_SWITCH, NULL, "Only those that are not over."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *list = json_new_array(cli->arena);
    bool json;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = client_list(client, args_is_on(&args, "open") ? STR(ROOT "?open=true") : STR(ROOT),
                       "upgrades", list);
    client_free(&client);
    return code == EXIT_CODE_OK ? print_list(cli, json, list) : code;
}

static enum exit_code fetch(struct cli *cli, struct client *client, struct str id,
                            struct json_value **answer)
{
    struct buf path;

    buf_init_arena(&path, cli->arena, PATH_MAX_);
    buf_put_str(&path, STR(ROOT "/"));
    url_put_encoded(&path, id);
    if (path.overflow || id.len == 0)
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not an upgrade's number");

    enum exit_code code = client_call(client, "GET", buf_str(&path), STR(""), answer);

    if (code == EXIT_CODE_OK && !*answer)
        code = cli_fail(cli, EXIT_CODE_FAILURE, "the server told nothing of the upgrade");
    return code;
}

static enum exit_code run_get(struct cli *cli, const struct cli_command *self, int argc,
                              char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    struct json_value *answer = NULL;
    bool json;

    if (!cli_args(cli, self, flags, count, 1, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = fetch(cli, client, str_of(args.operands[0]), &answer);
    client_free(&client);
    if (code != EXIT_CODE_OK)
        return code;
    return json ? output_json(cli, answer) : output_members(cli, answer);
}

/* ---- start ---- */

/* One of those that were asked for. */
struct started {
    struct str id;
    const char *name;
    struct json_value *upgrade; /* as it was last told */
    struct str shown;
};

struct starting {
    struct cli *cli;
    struct client *client;
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
    code = fetch(s->cli, s->client, made->id, &made->upgrade);
    if (code == EXIT_CODE_OK)
        s->count++;
    return code;
}

/* What came from an agent goes to a terminal. */
static void put_plain(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];

        buf_put_byte(out, c < 0x20 || c == 0x7f ? '?' : c);
    }
}

/* "web-01: progressing, 1.1 of 1.2 (downloading)", when that is news. */
static void show(struct starting *s, struct started *one)
{
    struct str state = fleet_text(one->upgrade, "state");
    struct str step = fleet_text(one->upgrade, "step_version");
    struct str to = fleet_text(one->upgrade, "to_version");
    struct str message = fleet_text(one->upgrade, "message");
    struct buf line;

    buf_init_arena(&line, s->cli->arena, LINE_MAX_);
    put_plain(&line, str_of(one->name));
    buf_put_str(&line, STR(": "));
    put_plain(&line, state);
    buf_put_str(&line, STR(", "));
    if (!str_eq(step, to) && fleet_is_true(one->upgrade, "open")) {
        put_plain(&line, step);
        buf_put_str(&line, STR(" on the way to "));
    }
    put_plain(&line, to);
    if (message.len > 0) {
        buf_put_str(&line, STR(" ("));
        put_plain(&line, message);
        buf_put_byte(&line, ')');
    }
    buf_put_byte(&line, '\n');
    if (str_eq(buf_str(&line), one->shown))
        return;
    one->shown = buf_str(&line);
    IGNORE(write(s->cli->err, line.data, line.len));
}

/* Asks for all that are open and shows what changed; how many are open still. */
static size_t look(struct starting *s)
{
    size_t open = 0;

    for (size_t i = 0; i < s->count && s->code != EXIT_CODE_UNREACHABLE; i++) {
        struct started *one = &s->all[i];
        struct json_value *now = NULL;

        if (!fleet_is_true(one->upgrade, "open"))
            continue;

        enum exit_code code = fetch(s->cli, s->client, one->id, &now);

        if (code != EXIT_CODE_OK) {
            s->code = code;
            return 0;
        }
        one->upgrade = now;
        show(s, one);
        open += fleet_is_true(now, "open");
    }
    return open;
}

static void wait_for_all(struct starting *s)
{
    struct clock *clock = clock_new_real();
    struct waiter *waiter = waiter_new(clock);

    for (size_t i = 0; i < s->count; i++)
        show(s, &s->all[i]);
    while (look(s) > 0)
        IGNORE(waiter_wait(waiter, clock_mono_us(clock) + POLL_US));
    waiter_free(&waiter);
    clock_free(&clock);
    for (size_t i = 0; i < s->count; i++)
        if (!str_eq(fleet_text(s->all[i].upgrade, "state"), STR("succeeded")))
            remember(s, EXIT_CODE_FAILURE);
}

static enum exit_code start_all(struct starting *s, const struct args *args, bool json)
{
    size_t count;
    const char **names = args_list(s->cli->arena, args, "collector", &count);
    struct json_value *list = json_new_array(s->cli->arena);
    enum exit_code code;

    s->all = arena_new_array(s->cli->arena, struct started, count);
    for (size_t i = 0; i < count && s->code != EXIT_CODE_UNREACHABLE; i++)
        remember(s, start_one(s, names[i], args_find(args, "to")));
    if (args_is_on(args, "wait"))
        wait_for_all(s);
    for (size_t i = 0; i < s->count; i++)
        json_append(list, s->all[i].upgrade);
    if (s->count == 0)
        return s->code;
    code = print_list(s->cli, json, list);
    return s->code == EXIT_CODE_OK ? code : s->code;
}

static enum exit_code run_start(struct cli *cli, const struct cli_command *self, int argc,
                                char *const *argv)
{
    static const struct args_flag own[] = {
        {"collector", ARGS_LIST, "NAME|ID", "Which; may be repeated."},
        {"to", ARGS_VALUE, "VERSION", "Which build: a version of the catalogue, or latest."},
        {"wait", ARGS_SWITCH, NULL, "Waits until all are over; FAILURE when one of them failed."},
        OUTPUT_FLAG,
    };
    struct args args;
    enum exit_code code;
    size_t count, names;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    bool json;

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;
    IGNORE(args_list(cli->arena, &args, "collector", &names));
    if (names == 0 || !args_find(&args, "to"))
        return cli_fail(cli, EXIT_CODE_USAGE, "--collector and --to say what is to become of whom");

    struct starting s = {.cli = cli, .client = client_new(cli, &args, &code)};

    if (!s.client)
        return code;
    code = start_all(&s, &args, json);
    client_free(&s.client);
    return code;
}

const struct cli_command upgrade_commands[UPGRADE_COMMAND_COUNT] = {
    {.name = "list", .usage = "[flags]", .text = "Lists upgrades, oldest first.", .run = run_list},
    {.name = "get", .usage = "ID [flags]", .text = "Shows one upgrade.", .run = run_get},
    {.name = "start",
     .usage = "--collector NAME|ID --to VERSION|latest [flags]",
     .text = "Brings installed collectors to a build, up or down.",
     .run = run_start},
};
