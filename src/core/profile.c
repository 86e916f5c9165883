/* SPDX-License-Identifier: Apache-2.0 */
/* See profile.h and profile_body.h. */
#include "core/profile.h"

#include "codec/utf8.h"
#include "core/profile_body.h"
#include "proto/muster_store_v1_rows.pb.h"

static bool same(struct str x, struct str y)
{
    return !x.p == !y.p && str_eq(x, y);
}

bool profile_equal(const struct profile *x, const struct profile *y)
{
    return same(x->description, y->description) && same(x->category, y->category) &&
           same(x->time_zone, y->time_zone) && same(x->host_name, y->host_name) &&
           x->cutoff_ms == y->cutoff_ms;
}

bool profile_is_empty(const struct profile *p)
{
    return profile_equal(p, &(struct profile){0});
}

static int check_text(struct str text, const char *field, struct fail *f)
{
    if (utf8_is_valid(text) && utf8_count(text) <= PROFILE_TEXT_CHARS_MAX)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_profile", "the %s is too long, or is no text",
                       field));
    return fail_field(f, "%s", field);
}

int profile_check(const struct profile *p, struct fail *f)
{
    if (check_text(p->description, "description", f) < 0 ||
        check_text(p->category, "category", f) < 0 ||
        check_text(p->time_zone, "time_zone", f) < 0 ||
        check_text(p->host_name, "host_name", f) < 0)
        return -1;
    if (p->cutoff_ms >= 0)
        return 0;
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, "bad_profile", "the cutoff is negative"));
    return fail_field(f, "cutoff");
}

struct muster_store_v1_profile *profile_pack(const struct profile *p,
                                             struct muster_store_v1_profile *out)
{
    if (profile_is_empty(p))
        return NULL;
    *out = (struct muster_store_v1_profile){
        .has_description = p->description.p != NULL,
        .description = p->description,
        .has_category = p->category.p != NULL,
        .category = p->category,
        .has_time_zone = p->time_zone.p != NULL,
        .time_zone = p->time_zone,
        .has_host_name = p->host_name.p != NULL,
        .host_name = p->host_name,
        .cutoff_ms = p->cutoff_ms,
    };
    return out;
}

/* Present and empty is not absent. */
static struct str text_of(bool has, struct str text)
{
    if (!has)
        return (struct str){NULL, 0};
    return text.p ? text : STR("");
}

void profile_unpack(const struct muster_store_v1_profile *m, struct profile *out)
{
    *out = (struct profile){0};
    if (!m)
        return;
    *out = (struct profile){
        .description = text_of(m->has_description, m->description),
        .category = text_of(m->has_category, m->category),
        .time_zone = text_of(m->has_time_zone, m->time_zone),
        .host_name = text_of(m->has_host_name, m->host_name),
        .cutoff_ms = m->cutoff_ms,
    };
}
