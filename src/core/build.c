/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the catalogue, all of them in one value. See build.h; files are build_files.c, and
 * how builds compare is build_match.c. */
#include "core/build.h"

#include <stdlib.h>

#include "base/macros.h"
#include "codec/sha256.h"
#include "core/event.h"
#include "core/tenant.h"
#include "proto/muster_store_v1_rows.pb.h"

#define SETTING       "builds"
#define SETTING_BYTES (1u << 20)

_Static_assert(sizeof(((struct build *)0)->sha256) == SHA256_LEN, "it is SHA-256");

static int by_version(const void *x, const void *y)
{
    const struct build *a = x;
    const struct build *b = y;
    int order = build_compare(b->version, a->version);

    if (order == 0)
        order = str_cmp(b->version, a->version);
    return order != 0 ? order : str_cmp(a->platform, b->platform);
}

static int lost(struct fail *f)
{
    return fail_set(f, CODE_DATA_LOSS, "the catalogue of builds cannot be read");
}

int build_list(struct store_tx *tx, struct build **out, size_t *count, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct muster_store_v1_builds rows = {0};
    struct str value = {0};

    *out = NULL;
    *count = 0;
    if (store_setting_get(tx, 0, STR(SETTING), &value, f) < 0)
        return f->code == CODE_NOT_FOUND ? 0 : -1;
    if (proto_decode(&muster_store_v1_builds_desc, a, value, NULL, &rows, f) < 0)
        return lost(f);

    struct build *all = arena_new_array(a, struct build, rows.builds.count);

    for (size_t i = 0; i < rows.builds.count; i++) {
        const struct muster_store_v1_builds_build *row = &rows.builds.items[i];

        if (row->sha256.len != SHA256_LEN)
            return lost(f);
        all[i] = (struct build){
            .version = row->version,
            .platform = row->platform,
            .from_version = row->from_version,
            .bytes = row->bytes,
            .added_us = row->added_us,
        };
        memcpy(all[i].sha256, row->sha256.p, SHA256_LEN);
    }
    if (rows.builds.count > 0)
        qsort(all, rows.builds.count, sizeof(*all), by_version);
    *out = all;
    *count = rows.builds.count;
    return 0;
}

static int save(struct store_tx *tx, const struct build *all, size_t count, struct fail *f)
{
    struct arena *a = store_tx_arena(tx);
    struct muster_store_v1_builds rows = {0};
    struct buf out;

    rows.builds.items = arena_new_array(a, struct muster_store_v1_builds_build, count);
    rows.builds.count = count;
    for (size_t i = 0; i < count; i++)
        rows.builds.items[i] = (struct muster_store_v1_builds_build){
            .version = all[i].version,
            .platform = all[i].platform,
            .from_version = all[i].from_version,
            .sha256 = str_make(all[i].sha256, SHA256_LEN),
            .bytes = all[i].bytes,
            .added_us = all[i].added_us,
        };
    buf_init_arena(&out, a, SETTING_BYTES);
    if (proto_encode(&muster_store_v1_builds_desc, &rows, &out) < 0)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_builds",
                           "the catalogue of builds is full");
    return store_setting_put(tx, 0, STR(SETTING), buf_str(&out), f);
}

/* The catalogue is the operator's: its events stand with the tenant that operates the server. */
static int tell(struct store_tx *tx, const struct caller *by, const char *kind,
                const struct build *b, struct fail *f)
{
    struct tenant home = {0};

    if (tenant_get(tx, STR(TENANT_DEFAULT), &home, f) < 0)
        return -1;
    return event_append(tx, home.id, by, kind, b->version,
                        event_data(store_tx_arena(tx), "platform", b->platform), f);
}

static const struct build *find_row(const struct build *all, size_t count, struct str version,
                                    struct str platform)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(all[i].version, version) && str_eq(all[i].platform, platform))
            return &all[i];
    }
    return NULL;
}

int build_add(struct store_tx *tx, const struct caller *by, const struct build *b, struct fail *f)
{
    struct build *all;
    size_t count;

    if (build_check(b, f) < 0 || build_list(tx, &all, &count, f) < 0)
        return -1;
    if (find_row(all, count, b->version, b->platform))
        return fail_reason(f, CODE_ALREADY_EXISTS, "build_exists",
                           "there is a build of that version for that platform already");
    if (count >= BUILDS_MAX)
        return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_builds",
                           "there are %zu builds; remove some that nobody needs", count);

    struct build *more = arena_new_array(store_tx_arena(tx), struct build, count + 1);

    if (count > 0)
        memcpy(more, all, count * sizeof(*all));
    more[count] = *b;
    if (save(tx, more, count + 1, f) < 0)
        return -1;
    return tell(tx, by, "build.added", b, f);
}

int build_remove(struct store_tx *tx, const struct caller *by, struct str version,
                 struct str platform, struct fail *f)
{
    struct build *all;
    size_t count;

    if (build_list(tx, &all, &count, f) < 0)
        return -1;

    const struct build *found = find_row(all, count, version, platform);

    if (!found)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_build", "there is no such build");

    struct build gone = *found;
    size_t at = (size_t)(found - all);

    memmove(&all[at], &all[at + 1], (count - at - 1) * sizeof(*all));
    if (save(tx, all, count - 1, f) < 0)
        return -1;
    return tell(tx, by, "build.removed", &gone, f);
}
