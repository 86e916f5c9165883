/* SPDX-License-Identifier: Apache-2.0 */
/* Versions, platforms and catalogues: versions are in one order whatever they are, what passes the
 * check has the shape that it says, and a step is a build of the catalogue that fits, may be taken
 * and leads on; as many steps as are allowed end at the target. Lines of the input: what an agent
 * is, runs and shall run, and then a build each, its three words apart by blanks. */
#include "core/build.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define BUILDS ((size_t)24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign(int n)
{
    return (n > 0) - (n < 0);
}

static int newest_first(const void *x, const void *y)
{
    const struct build *a = x;
    const struct build *b = y;

    return build_compare(b->version, a->version);
}

/* Any three of them. */
static void check_order(const struct build *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct str a = all[i].version, b = all[(i + 1) % count].version;
        struct str c = all[(i + 2) % count].version;
        int ab = sign(build_compare(a, b)), bc = sign(build_compare(b, c));

        assert(build_compare(a, a) == 0);
        assert(sign(build_compare(b, a)) == -ab);
        if (ab == bc)
            assert(sign(build_compare(a, c)) == ab);
        else if (ab == 0 || bc == 0)
            assert(sign(build_compare(a, c)) == ab + bc);
    }
}

static void check_build(const struct build *b)
{
    struct fail f = {0};

    if (build_check(b, &f) < 0) {
        assert(f.code == CODE_INVALID_ARGUMENT && f.reason);
        return;
    }
    assert(b->version.len > 0 && b->version.len <= BUILD_VERSION_MAX);
    assert(b->platform.len > 0 && b->platform.len <= BUILD_PLATFORM_MAX);
    assert(build_compare(b->from_version, b->version) <= 0);
    assert(build_fits(b->platform, b->platform) && build_fits(b->platform, STR("")));
}

static const struct build *find(const struct build *all, size_t count, const struct build *b)
{
    for (size_t i = 0; i < count; i++)
        if (str_eq(all[i].version, b->version) && str_eq(all[i].platform, b->platform) &&
            str_eq(all[i].from_version, b->from_version))
            return &all[i];
    return NULL;
}

/* From step to step, as an agent does that takes each of them. */
static void walk(const struct build *all, size_t count, struct str platform, struct str from,
                 struct str to)
{
    struct build step = {0};
    size_t steps = 0;

    if (!build_step(all, count, platform, from, to, &step))
        return;
    for (;;) {
        assert(find(all, count, &step) && build_fits(step.platform, platform));
        assert(step.from_version.len == 0 || build_compare(step.from_version, from) <= 0);
        if (str_eq(step.version, to))
            return;
        assert(build_compare(step.version, from) > 0 && build_compare(step.version, to) < 0);
        steps++;
        assert(steps < BUILD_STEPS_MAX);
        from = step.version;

        bool found = build_step(all, count, platform, from, to, &step);

        assert(found);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size);
    struct str platform = str_cut(&rest, '\n');
    struct str from = str_cut(&rest, '\n');
    struct str to = str_cut(&rest, '\n');
    struct build all[BUILDS] = {0}, out = {0};
    size_t count = 0;

    for (; rest.len > 0 && count < BUILDS; count++) {
        struct str line = str_cut(&rest, '\n');

        all[count].version = str_cut(&line, ' ');
        all[count].platform = str_cut(&line, ' ');
        all[count].from_version = line;
        check_build(&all[count]);
    }
    check_order(all, count);
    if (count > 0)
        qsort(all, count, sizeof(all[0]), newest_first);
    for (size_t i = 1; i < count; i++)
        assert(build_compare(all[i - 1].version, all[i].version) >= 0);
    if (build_find(all, count, to, platform, &out))
        assert(str_eq(out.version, to) && build_fits(out.platform, platform));
    if (build_latest(all, count, platform, &out))
        assert(find(all, count, &out) && build_fits(out.platform, platform));
    walk(all, count, platform, from, to);
    return 0;
}
