/* SPDX-License-Identifier: Apache-2.0 */
/* /admin/v1/builds: the catalogue of builds. A file comes in parts, each at its offset, into an
 * upload that the last call makes a build: no part of the way holds more than one part in memory,
 * and what broke off goes on where it ended. Workers; they may wait for the disk. */
#include "core/build.h"

#include "api/admin/admin_internal.h"
#include "base/id.h"

static const char *const no_names[] = {NULL};

static void build_put(struct json_writer *w, struct arena *a, const struct build *b)
{
    char hex[2 * sizeof(b->sha256)];

    hex_print(b->sha256, sizeof(b->sha256), hex);
    json_obj_begin(w);
    json_key_str(w, STR("version"), b->version);
    json_key_str(w, STR("platform"), b->platform);
    json_key_str(w, STR("from_version"), b->from_version);
    json_key_i64(w, STR("bytes"), b->bytes);
    json_key_str(w, STR("sha256"), arena_str(a, str_make(hex, sizeof(hex))));
    admin_put_time(w, a, STR("added"), b->added_us);
    json_obj_end(w);
}

int builds_list(struct call *c, struct fail *f)
{
    struct json_writer w;
    struct store_tx *tx;
    struct build *rows = NULL;
    size_t count = 0;

    if (admin_query_names(c, no_names, f) < 0 ||
        store_read_open(admin_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = build_list(tx, &rows, &count, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key(&w, STR("builds"));
    json_arr_begin(&w);
    for (size_t i = 0; i < count; i++)
        build_put(&w, c->arena, &rows[i]);
    json_arr_end(&w);
    json_obj_end(&w);
    return 0;
}

static int member(const struct json_value *object, const char *name, struct str *out,
                  struct fail *f)
{
    int rc = json_get_str(object, name, out, f);

    if (rc != 0)
        return rc < 0 ? -1 : 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "missing_member", "%s: is needed", name));
    return fail_field(f, "%s", name);
}

static int request_read(struct arena *a, struct str body, struct str *upload, struct build *b,
                        struct fail *f)
{
    static const char *const names[] = {"upload",       "version", "platform",
                                        "from_version", "sha256",  NULL};
    struct json_value *object = NULL;
    struct str hash = {NULL, 0};

    if (admin_object_read(a, body, names, &object, f) < 0 ||
        member(object, "upload", upload, f) < 0 || member(object, "version", &b->version, f) < 0 ||
        member(object, "platform", &b->platform, f) < 0 || member(object, "sha256", &hash, f) < 0 ||
        json_get_str(object, "from_version", &b->from_version, f) < 0)
        return -1;
    if (hex_parse(hash, b->sha256, sizeof(b->sha256)) == 0)
        return 0;
    IGNORE(
        fail_reason(f, CODE_INVALID_ARGUMENT, "bad_hash", "sha256: must be 64 hexadecimal digits"));
    return fail_field(f, "sha256");
}

int builds_add(struct call *c, struct fail *f)
{
    const struct admin_app *app = admin_app_of(c);
    struct json_writer w;
    struct build b = {0};
    struct str upload = {NULL, 0};

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        request_read(c->arena, c->x->req.body, &upload, &b, f) < 0 ||
        build_publish(app->store, c->arena, c->caller, app->data_dir, upload, &b, f) < 0)
        return -1;
    c->status = 201;
    json_writer_init(&w, &c->out);
    build_put(&w, c->arena, &b);
    return 0;
}

int builds_remove(struct call *c, struct fail *f)
{
    static const char *const names[] = {"version", "platform", NULL};
    const struct admin_app *app = admin_app_of(c);
    struct str version = {NULL, 0}, platform = {NULL, 0};

    if (admin_operator(c, f) < 0 || admin_query_names(c, names, f) < 0)
        return -1;
    if (!call_query(c, STR("version"), &version) || !call_query(c, STR("platform"), &platform))
        return fail_reason(f, CODE_INVALID_ARGUMENT, "missing_parameter",
                           "version and platform say which build is meant");
    if (build_retire(app->store, c->arena, c->caller, app->data_dir, version, platform, f) < 0)
        return -1;
    c->status = 204;
    return 0;
}

int uploads_begin(struct call *c, struct fail *f)
{
    const struct admin_app *app = admin_app_of(c);
    struct json_writer w;
    char id[BUILD_UPLOAD_ID_LEN];

    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        build_upload_begin(app->data_dir, clock_wall_us(app->clock), id, f) < 0)
        return -1;
    c->status = 201;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("upload"), str_make(id, sizeof(id)));
    json_key_i64(&w, STR("part_bytes"), ADMIN_PART_BYTES);
    json_obj_end(&w);
    return 0;
}

int uploads_write(struct call *c, struct fail *f)
{
    static const char *const names[] = {"offset", NULL};
    struct json_writer w;
    struct str text;
    int64_t offset = 0, size = 0;

    if (admin_operator(c, f) < 0 || admin_query_names(c, names, f) < 0)
        return -1;
    if (call_query(c, STR("offset"), &text) && (str_to_i64(text, &offset) < 0 || offset < 0)) {
        IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_offset",
                           "offset must be a number of bytes"));
        return fail_field(f, "offset");
    }
    if (build_upload_write(admin_app_of(c)->data_dir, call_param(c, STR("upload")), offset,
                           c->x->req.body, &size, f) < 0)
        return -1;
    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_i64(&w, STR("bytes"), size);
    json_obj_end(&w);
    return 0;
}

int uploads_drop(struct call *c, struct fail *f)
{
    if (admin_operator(c, f) < 0 || admin_query_names(c, no_names, f) < 0 ||
        build_upload_drop(admin_app_of(c)->data_dir, call_param(c, STR("upload")), f) < 0)
        return -1;
    c->status = 204;
    return 0;
}
