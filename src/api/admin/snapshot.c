/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/backup and /admin/v1/check: the data as a whole, for an operator. A snapshot is written
 * to a file in the data directory, which loses its name before the first byte is sent: it is gone
 * when the answer is, whatever ends it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/admin/admin_internal.h"
#include "base/random.h"
#include "rpc/file_answer.h"

#define SNAPSHOT_PREFIX "snapshot-"
#define NAME_RANDOM_LEN 16

static int fail_io(struct fail *f, const char *what)
{
    int error = errno;

    IGNORE(fail_reason(f, CODE_UNAVAILABLE, "io_error", "the snapshot cannot be %s", what));
    return fail_detail(f, "errno %d", error);
}

/* Opens the snapshot and takes its name away. */
static int file_take(struct call *c, const char *path, struct fail *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd == -1)
        return fail_io(f, "opened");
    if (unlink(path) == -1 || fstat(fd, &st) == -1) {
        IGNORE(fail_io(f, "prepared"));
        close(fd);
        return -1;
    }
    call_send_file(c, fd, 0, st.st_size);
    return 0;
}

static const char *const no_names[] = {NULL};

int server_backup(struct call *c, struct fail *f)
{
    struct admin_app *app = admin_app_of(c);
    char name[NAME_RANDOM_LEN];

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0)
        return -1;
    random_text(name, sizeof(name));

    const char *path = arena_cstr(c->arena, arena_printf(c->arena, "%s/" SNAPSHOT_PREFIX "%.*s",
                                                         app->data_dir, (int)sizeof(name), name));

    if (c->x->req.method == HTTP_HEAD)
        return fail_reason(f, CODE_UNIMPLEMENTED, "no_head",
                           "the size of a backup is known only when it is made");
    if (app->backup(app->maintenance, path, f) < 0 || file_take(c, path, f) < 0)
        return -1;
    c->content_type = STR("application/vnd.sqlite3");
    http_resp_add(c->x, STR("cache-control"), STR("no-store"));
    http_resp_add(c->x, STR("content-disposition"), STR("attachment; filename=\"muster.db\""));
    return 0;
}

static void lines_put(struct json_writer *w, struct str name, const struct audit_lines *lines)
{
    json_key(w, name);
    json_arr_begin(w);
    for (size_t i = 0; i < lines->count; i++)
        json_str(w, str_of(lines->items[i]));
    json_arr_end(w);
}

static void findings_put(struct call *c, const struct admin_findings *found)
{
    const struct {
        struct str name;
        int64_t count;
    } rows[] = {
        {STR("tenants"), found->tenants},       {STR("keys"), found->keys},
        {STR("collectors"), found->collectors}, {STR("sources"), found->sources},
        {STR("pipelines"), found->pipelines},   {STR("events"), found->events},
        {STR("tasks"), found->tasks},           {STR("builds"), found->builds},
    };
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_bool(&w, STR("clean"), found->audit.findings.count == 0);
    json_key_i64(&w, STR("schema_version"), found->schema_version);
    lines_put(&w, STR("findings"), &found->audit.findings);
    lines_put(&w, STR("notes"), &found->audit.notes);
    json_key(&w, STR("rows"));
    json_obj_begin(&w);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        json_key_i64(&w, rows[i].name, rows[i].count);
    json_obj_end(&w);
    json_key(&w, STR("spool"));
    json_obj_begin(&w);
    json_key_i64(&w, STR("segments"), found->segments);
    json_key_i64(&w, STR("records"), found->records);
    json_obj_end(&w);
    json_obj_end(&w);
}

int server_check(struct call *c, struct fail *f)
{
    struct admin_app *app = admin_app_of(c);
    struct admin_findings found = {0};

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        app->check(app->maintenance, c->arena, &found, f) < 0)
        return -1;
    findings_put(c, &found);
    return 0;
}

void admin_sweep(const char *data_dir)
{
    DIR *dir = opendir(data_dir);
    const struct dirent *entry;

    if (!dir)
        return; /* whoever needs the directory will say so */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is nobody else's */
    while ((entry = readdir(dir)) != NULL)
        if (str_starts_with(str_of(entry->d_name), STR(SNAPSHOT_PREFIX)))
            IGNORE(unlinkat(dirfd(dir), entry->d_name, 0));
    closedir(dir);
}
