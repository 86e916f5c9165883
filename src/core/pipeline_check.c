/* SPDX-License-Identifier: Apache-2.0 */
/* What of a pipeline is refused when it is written. Declared in pipeline.h. Pure. */
#include "codec/utf8.h"
#include "codec/yaml.h"
#include "core/alloy_pipeline.h"
#include "core/matcher.h"
#include "core/pipeline.h"

static int refuse(struct fail *f, const char *reason, const char *field, const char *message)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", message));
    return fail_field(f, "%s", field);
}

_Static_assert(PIPELINE_NAME_MAX == 250, "as the message says");

int pipeline_check_name(struct str name, struct fail *f)
{
    if (name.len > 0 && utf8_is_valid(name) && utf8_count(name) <= PIPELINE_NAME_MAX &&
        !utf8_has_control(name))
        return 0;
    return refuse(f, "bad_name", "name",
                  "a pipeline's name is 1 to 250 characters without control characters");
}

static int check_contents(struct arena *a, const struct pipeline_spec *spec, struct fail *f)
{
    struct alloy_facts facts = {0};

    if (spec->contents.len == 0 || !utf8_is_valid(spec->contents))
        return refuse(f, "bad_contents", "contents", "the contents are empty, or are no text");
    if (spec->contents.len > PIPELINE_CONTENTS_MAX)
        return refuse(f, "too_large", "contents", "the contents are larger than 1 MiB");
    switch (spec->type) {
    case AGENT_ALLOY:
        if (alloy_pipeline_read(a, spec->contents, &facts, f) < 0)
            return fail_field(f, "contents");
        return 0;
    case AGENT_OTEL:
        if (yaml_check(a, spec->contents, f) == 0)
            return 0;
        f->reason = "bad_contents";
        return fail_field(f, "contents");
    }
    return refuse(f, "bad_type", "config_type", "there is no such type of agents");
}

static int check_source(const struct pipeline_spec *spec, struct fail *f)
{
    if (!spec->has_source)
        return 0;
    if (spec->source_type >= 0 && utf8_is_valid(spec->source_namespace) &&
        utf8_count(spec->source_namespace) <= PIPELINE_NAME_MAX)
        return 0;
    return refuse(f, "bad_source", "source", "the source's namespace is too long, or is no text");
}

/* What is compiled to be checked is not kept: there may be many. */
static int check_matchers(const struct pipeline_spec *spec, size_t *steps, struct fail *f)
{
    struct arena *scratch = arena_new(4096);
    struct matcher *compiled = NULL;
    int rc = matchers_parse(scratch, spec->matchers, spec->matcher_count, &compiled, f);

    if (rc == 0)
        *steps += matchers_steps(compiled, spec->matcher_count);
    arena_free(&scratch);
    if (rc == 0 && *steps > PIPELINE_STEPS_MAX)
        return refuse(f, "too_large", "matchers", "the patterns are too large all together");
    return rc;
}

int pipeline_check(struct arena *a, struct str name, const struct pipeline_spec *spec,
                   struct fail *f)
{
    size_t steps = 0;

    return pipeline_check_next(a, name, spec, &steps, f);
}

int pipeline_check_next(struct arena *a, struct str name, const struct pipeline_spec *spec,
                        size_t *steps, struct fail *f)
{
    if (pipeline_check_name(name, f) < 0 || check_source(spec, f) < 0)
        return -1;
    if (spec->matcher_count > PIPELINE_MATCHERS_MAX)
        return refuse(f, "too_large", "matchers", "there are more than 100 matchers");
    if (spec->metadata.len > PIPELINE_CONTENTS_MAX)
        return refuse(f, "too_large", "metadata", "the metadata are larger than 1 MiB");
    if (check_matchers(spec, steps, f) < 0)
        return -1;
    return check_contents(a, spec, f);
}
