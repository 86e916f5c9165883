/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/protos.h"

static const struct str text_plain = STR_INIT("text/plain; charset=utf-8");

int protos_list(struct call *c, struct fail *f)
{
    size_t count;
    const struct proto_file *const *files = proto_pool_files(c->app, &count);

    (void)f;
    c->content_type = text_plain;
    for (size_t i = 0; i < count; i++) {
        if (files[i]->source.len == 0)
            continue;
        buf_put_str(&c->out, files[i]->name);
        buf_put_byte(&c->out, '\n');
    }
    return 0;
}

int protos_get(struct call *c, struct fail *f)
{
    const struct proto_file *file = proto_pool_file(c->app, call_param(c, STR("rest")));

    if (!file || file->source.len == 0)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_file", "there is no such .proto file");
    c->content_type = text_plain;
    buf_put_str(&c->out, file->source);
    return 0;
}
