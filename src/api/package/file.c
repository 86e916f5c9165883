/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the catalogue, by their hash: whole, or one range for a fetch that broke off. */
#include "api/package/package_internal.h"

#include "base/id.h"
#include "core/build.h"
#include "rpc/file_answer.h"

/* --- GET --- */

static int may_fetch(const struct call *c, struct fail *f)
{
    const uint32_t any =
        (uint32_t)SCOPE_BEAT | (uint32_t)SCOPE_AGENT | (uint32_t)SCOPE_COLLECTORS_READ;

    if ((c->caller->scopes & any) != 0)
        return 0;
    return fail_reason(f, CODE_PERMISSION_DENIED, "scope_missing", "the key may not fetch builds");
}

static int no_such_build(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_build", "there is no such build");
}

static int find_build(const struct call *c, struct build *out, struct fail *f)
{
    uint8_t hash[sizeof(out->sha256)];
    struct build *all = NULL;
    struct store_tx *tx = NULL;
    size_t count = 0;

    if (hex_parse(call_param(c, STR("sha256")), hash, sizeof(hash)) < 0)
        return no_such_build(f);
    if (store_read_open(package_app_of(c)->store, c->arena, &tx, f) < 0)
        return -1;

    int rc = build_list(tx, &all, &count, f);

    store_read_close(&tx);
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(all[i].sha256, hash, sizeof(hash)) == 0) {
            *out = all[i];
            return 0;
        }
    }
    return no_such_build(f);
}

static int send_range(struct call *c, const struct build *b, struct byte_range range,
                      struct fail *f)
{
    int fd = -1;

    if (build_file_open(package_app_of(c)->data_dir, b->sha256, &fd, f) < 0)
        return -1;
    call_send_file(c, fd, range.first, range.count);
    return 0;
}

int package_file(struct call *c, struct fail *f)
{
    const struct http_req *req = &c->x->req;
    struct byte_range range = {0};
    struct build b = {0};
    char hex[2 * sizeof(b.sha256)];

    if (may_fetch(c, f) < 0 || find_build(c, &b, f) < 0)
        return -1;
    hex_print(b.sha256, sizeof(b.sha256), hex);

    struct str tag = arena_printf(c->arena, "\"%.*s\"", (int)sizeof(hex), hex);
    struct str condition = http_req_field(req, STR("if-range"));

    http_resp_add(c->x, STR("etag"), tag);
    http_resp_add(c->x, STR("accept-ranges"), STR("bytes"));
    c->content_type = STR("application/octet-stream");
    if (str_eq(str_trim(http_req_field(req, STR("if-none-match"))), tag)) {
        c->status = 304;
        return 0;
    }
    range.count = b.bytes;
    if (condition.len == 0 || str_eq(str_trim(condition), tag)) {
        switch (range_parse(http_req_field(req, STR("range")), b.bytes, &range)) {
        case RANGE_NONE: break;
        case RANGE_OUTSIDE:
            c->status = 416;
            http_resp_add(c->x, STR("content-range"),
                          arena_printf(c->arena, "bytes */%lld", (long long)b.bytes));
            return 0;
        case RANGE_GOOD:
            c->status = 206;
            http_resp_add(c->x, STR("content-range"),
                          arena_printf(c->arena, "bytes %lld-%lld/%lld", (long long)range.first,
                                       (long long)(range.first + range.count - 1),
                                       (long long)b.bytes));
            break;
        }
    }
    return send_range(c, &b, range, f);
}
