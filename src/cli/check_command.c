/* SPDX-License-Identifier: Apache-2.0 */
/* muster check: files that no server uses are read here; the data of a running server is checked by
 * that server. */
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/fleet.h"
#include "cli/output.h"

#include <sys/stat.h>

#include "codec/json_writer.h"

/* Both ways end in {"clean":..., "findings":[...], "notes":[...], "schema_version":...}. */
static enum exit_code report(struct cli *cli, bool json, const char *what,
                             const struct json_value *answer)
{
    const struct json_value *problems = NULL, *notes = NULL;
    struct fail f;
    enum exit_code code;
    struct buf out;

    if (!answer || json_get_array(answer, "findings", &problems, &f) < 0 ||
        json_get_array(answer, "notes", &notes, &f) < 0)
        return cli_fail(cli, EXIT_CODE_FAILURE, "the server's answer tells nothing about a check");

    bool clean = !problems || problems->count == 0;

    if (json) {
        code = output_json(cli, answer);
    } else {
        buf_init_arena(&out, cli->arena, 1 << 20);
        if (clean)
            buf_printf(&out, "%s is fine\n", what);
        for (const struct json_value *p = problems ? problems->first : NULL; p; p = p->next)
            buf_printf(&out, "%.*s\n", STR_ARG(p->text));
        for (const struct json_value *n = notes ? notes->first : NULL; n; n = n->next)
            buf_printf(&out, "note: %.*s\n", STR_ARG(n->text));
        code = fleet_print_text(cli, buf_str(&out));
    }
    if (code != EXIT_CODE_OK || clean)
        return code;
    return cli_fail(cli, EXIT_CODE_PROBLEMS, "%s has problems", what);
}

static struct json_value *texts(struct arena *a, const char *const *lines, size_t count)
{
    struct json_value *array = json_new_array(a);

    for (size_t i = 0; i < count; i++)
        json_append(array, json_new_str(a, str_of(lines[i])));
    return array;
}

/* A backup, the directory of a server that is stopped, or a database alone. */
static enum exit_code check_files(struct cli *cli, const char *path, bool json)
{
    struct cli_findings found = {0};
    struct fail f = {0};
    struct stat st;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    const char *database =
        is_dir ? arena_cstr(cli->arena, arena_printf(cli->arena, "%s/" CLI_DATABASE, path)) : path;
    enum exit_code code = cli->check_files(database, is_dir ? path : NULL, cli->arena, &found, &f);

    if (code == EXIT_CODE_LOCKED)
        return cli_fail(cli, code, "%s: muster check --data DIR", f.message);
    if (code != EXIT_CODE_OK)
        return cli_fail(cli, code, "%s", f.message);

    struct json_value *answer = json_new_object(cli->arena);

    json_set(answer, STR("clean"), json_new_bool(cli->arena, found.count == 0));
    json_set(answer, STR("schema_version"), json_new_i64(cli->arena, found.schema_version));
    json_set(answer, STR("findings"), texts(cli->arena, found.lines, found.count));
    json_set(answer, STR("notes"), texts(cli->arena, found.notes, found.note_count));
    return report(cli, json, path, answer);
}

enum exit_code check_command(struct cli *cli, const struct cli_command *self, int argc,
                             char *const *argv)
{
    static const struct args_flag own[] = {OUTPUT_FLAG};
    struct args args;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = client_flags_with(cli->arena, own, COUNTOF(own), &count);
    bool json;
    struct json_value *answer;

    if (!cli_args(cli, self, flags, count, 0, 1, argc, argv, &args, &code) ||
        !output_is_json(cli, &args, &json, &code))
        return code;
    if (args.operand_count == 1) {
        if (args_find(&args, "data") || args_find(&args, "server"))
            return cli_fail(
                cli, EXIT_CODE_USAGE,
                "PATH is read here; --data and --server ask a server: give one of them");
        return check_files(cli, args.operands[0], json);
    }

    struct client *client = client_new(cli, &args, &code);

    if (!client)
        return code;
    code = client_call_long(client, "POST", STR("/admin/v1/check"), &answer);

    const char *dir = client_data_dir(client);

    client_free(&client);
    return code == EXIT_CODE_OK ? report(cli, json, dir ? dir : "the server's data", answer) : code;
}
