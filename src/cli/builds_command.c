/* SPDX-License-Identifier: Apache-2.0 */
/* muster builds add, list, remove. A file is hashed first and then sent in parts, so that it may be
 * larger than what either side keeps in memory. */
#include "cli/ask.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/heap.h"
#include "base/id.h"
#include "codec/json_writer.h"
#include "codec/sha256.h"
#include "codec/url.h"

#define ROOT       "/admin/v1/builds"
#define PATH_MAX_  ((size_t)8192)
#define BODY_MAX   ((size_t)65536)
#define PART_BYTES ((size_t)4 << 20)
#define FILE_MAX   ((int64_t)1 << 30)

static const struct output_column columns[] = {
    {"VERSION", "version"}, {"PLATFORM", "platform"}, {"FROM", "from_version"},
    {"BYTES", "bytes"},     {"ADDED", "added"},       {"SHA256", "sha256"},
};

struct adding {
    struct cli *cli;
    struct client *client;
    const char *path;
    int fd;
    int64_t bytes;
    uint8_t *part; /* PART_BYTES */
    char hash[2 * SHA256_LEN];
};

static enum exit_code cannot_read(const struct adding *b)
{
    return cli_fail(b->cli, EXIT_CODE_USAGE, "cannot read %s: %s", b->path, strerrordesc_np(errno));
}

/* Up to a part from that offset; -1 with errno. */
static ssize_t read_part(const struct adding *b, int64_t offset)
{
    size_t got = 0;

    while (got < PART_BYTES) {
        ssize_t n = pread(b->fd, b->part + got, PART_BYTES - got, offset + (int64_t)got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static enum exit_code hash(struct adding *b)
{
    struct sha256_stream *stream = sha256_begin();
    uint8_t digest[SHA256_LEN] = {0};
    ssize_t n = 0;

    for (b->bytes = 0; b->bytes <= FILE_MAX; b->bytes += n) {
        n = read_part(b, b->bytes);
        if (n <= 0)
            break;
        sha256_add(stream, str_make(b->part, (size_t)n));
    }
    sha256_end(&stream, digest);
    hex_print(digest, sizeof(digest), b->hash);
    if (n < 0)
        return cannot_read(b);
    if (b->bytes == 0)
        return cli_fail(b->cli, EXIT_CODE_USAGE, "%s is empty", b->path);
    if (b->bytes > FILE_MAX)
        return cli_fail(b->cli, EXIT_CODE_USAGE, "%s is larger than 1 GiB", b->path);
    return EXIT_CODE_OK;
}

static enum exit_code begin(const struct adding *b, struct str *upload)
{
    struct json_value *answer = NULL;
    struct fail f;
    enum exit_code code = client_call(b->client, "POST", STR(ROOT "/uploads"), STR(""), &answer);

    if (code == EXIT_CODE_OK && json_get_str(answer, "upload", upload, &f) != 1)
        code = cli_fail(b->cli, EXIT_CODE_FAILURE, "the server named no upload");
    return code;
}

static struct str upload_path(const struct adding *b, struct str upload)
{
    struct buf path;

    buf_init_arena(&path, b->cli->arena, PATH_MAX_);
    buf_put_str(&path, STR(ROOT "/uploads/"));
    url_put_encoded(&path, upload);
    return buf_str(&path);
}

static enum exit_code send(const struct adding *b, struct str upload)
{
    struct str path = upload_path(b, upload);

    for (int64_t at = 0; at < b->bytes;) {
        struct json_value *answer = NULL;
        ssize_t n = read_part(b, at);
        struct str part_path =
            arena_printf(b->cli->arena, "%.*s?offset=%lld", STR_ARG(path), (long long)at);
        enum exit_code code;

        if (n < 0)
            return cannot_read(b);
        if (n == 0)
            return cli_fail(b->cli, EXIT_CODE_FAILURE, "%s became shorter meanwhile", b->path);
        code = client_put_bytes(b->client, part_path, str_make(b->part, (size_t)n), &answer);
        if (code != EXIT_CODE_OK)
            return code;
        at += n;
    }
    return EXIT_CODE_OK;
}

static struct str publish_body(const struct adding *b, const struct args *args, struct str upload)
{
    const char *from = args_find(args, "from-version");
    struct json_writer w;
    struct buf body;

    buf_init_arena(&body, b->cli->arena, BODY_MAX);
    json_writer_init(&w, &body);
    json_obj_begin(&w);
    json_key_str(&w, STR("upload"), upload);
    json_key_str(&w, STR("version"), str_of(args_find(args, "version")));
    json_key_str(&w, STR("platform"), str_of(args_find(args, "platform")));
    if (from)
        json_key_str(&w, STR("from_version"), str_of(from));
    json_key_str(&w, STR("sha256"), str_make(b->hash, sizeof(b->hash)));
    json_obj_end(&w);
    return buf_str(&body);
}

static enum exit_code add(struct adding *b, const struct args *args, struct json_value **answer)
{
    struct str upload = STR("");
    struct json_value *dropped = NULL;
    enum exit_code code = hash(b);

    if (code == EXIT_CODE_OK)
        code = begin(b, &upload);
    if (code != EXIT_CODE_OK)
        return code;
    code = send(b, upload);
    if (code == EXIT_CODE_OK)
        code = client_call(b->client, "POST", STR(ROOT), publish_body(b, args, upload), answer);
    if (code != EXIT_CODE_OK)
        IGNORE(client_ask(b->client, "DELETE", upload_path(b, upload), STR(""), &dropped));
    return code;
}

static enum exit_code open_file(struct adding *b)
{
    struct stat st;

    b->fd = open(b->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (b->fd < 0)
        return cannot_read(b);
    if (fstat(b->fd, &st) == 0 && S_ISREG(st.st_mode))
        return EXIT_CODE_OK;
    close(b->fd);
    return cli_fail(b->cli, EXIT_CODE_USAGE, "%s is not a file", b->path);
}

static enum exit_code run_add(struct ask *ask)
{
    const struct args *args = &ask->args;
    struct json_value *answer = NULL;
    struct adding b = {.cli = ask->cli, .path = args->operands[0]};
    enum exit_code code;

    if (!args_find(args, "version") || !args_find(args, "platform"))
        return cli_fail(ask->cli, EXIT_CODE_USAGE, "--version and --platform say what FILE is");
    code = open_file(&b);
    if (code != EXIT_CODE_OK)
        return code;
    code = ask_open(ask);
    if (code == EXIT_CODE_OK) {
        b.client = ask->client;
        b.part = heap_alloc(PART_BYTES);
        code = add(&b, args, &answer);
        free(b.part);
    }
    close(b.fd);
    if (code != EXIT_CODE_OK)
        return code;
    return output_made(ask->cli, ask->json, columns, COUNTOF(columns), answer);
}

static enum exit_code run_list(struct ask *ask)
{
    struct json_value *answer = NULL;
    const struct json_value *builds = NULL;
    enum exit_code code = ask_open(ask);
    struct fail f;

    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "GET", STR(ROOT), STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    if (json_get_array(answer, "builds", &builds, &f) != 1)
        return cli_fail(ask->cli, EXIT_CODE_FAILURE, "the server's answer is no list of builds");
    if (ask->json)
        return output_json(ask->cli, answer);
    return output_table(ask->cli, columns, COUNTOF(columns), builds);
}

static enum exit_code run_remove(struct ask *ask)
{
    struct cli *cli = ask->cli;
    const char *version = ask->args.operands[0];
    const char *platform = args_find(&ask->args, "platform");
    struct json_value *answer = NULL;
    enum exit_code code;
    struct buf path;

    if (!platform)
        return cli_fail(cli, EXIT_CODE_USAGE, "--platform says which build of %s is meant",
                        version);
    buf_init_arena(&path, cli->arena, PATH_MAX_);
    buf_put_str(&path, STR(ROOT "?version="));
    url_put_encoded(&path, str_of(version));
    buf_put_str(&path, STR("&platform="));
    url_put_encoded(&path, str_of(platform));
    if (path.overflow)
        return cli_fail(cli, EXIT_CODE_USAGE, "that is not a build's version");
    code = ask_open(ask);
    if (code == EXIT_CODE_OK)
        code = client_call(ask->client, "DELETE", buf_str(&path), STR(""), &answer);
    if (code != EXIT_CODE_OK)
        return code;
    return cli_print(cli,
                     arena_printf(cli->arena, "build %s for %s is removed\n", version, platform));
}

/* The catalogue is the whole server's: there is no --tenant. */
static const struct args_flag add_flags[] = {
    {"version", ARGS_VALUE, "VERSION", "The version that an agent says it runs with it."},
    {"platform", ARGS_VALUE, "OS/ARCH",
     "What it runs on: linux/amd64, an operating system alone, or any."},
    {"from-version", ARGS_VALUE, "VERSION", "Agents that run less take a build in between first."},
    OUTPUT_FLAG,
};

static const struct args_flag list_flags[] = {OUTPUT_FLAG};

static const struct args_flag remove_flags[] = {
    {"platform", ARGS_VALUE, "OS/ARCH", "As it was added."},
};

const struct cli_command build_commands[BUILD_COMMAND_COUNT] = {
    {.name = "add",
     .usage = "FILE --version VERSION --platform OS/ARCH [flags]",
     .text = "Adds a file that agents can be upgraded to.",
     .ask = ASK(run_add, add_flags, 1, 1)},
    {.name = "list",
     .usage = "[flags]",
     .text = "Lists builds, newest first.",
     .ask = ASK(run_list, list_flags, 0, 0)},
    {.name = "remove",
     .usage = "VERSION --platform OS/ARCH [flags]",
     .text = "Removes a build; upgrades that still need it fail.",
     .ask = ASK(run_remove, remove_flags, 1, 1)},
};
