/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h. */
#include "core/agent.h"

#include "codec/utf8.h"
#include "core/registry.h"
#include "core/upgrade.h"

/* One report on its way into one row. */
struct reporting {
    struct store_tx *tx;
    struct registry *registry;
    const struct caller *by;
    const struct agent_report *report;
    bool is_new;
    struct attributes local;
    struct agent *agent;
};

/* What of an agent a report changed. */
struct changes {
    bool content; /* what updated_us speaks of */
    bool status;
    bool returned;
    bool registered;
};

static int refuse(struct fail *f, const char *reason, const char *field, const char *why)
{
    IGNORE(fail_reason(f, CODE_INVALID_ARGUMENT, reason, "%s", why));
    return fail_field(f, "%s", field);
}

static int missing(struct fail *f)
{
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no such agent");
}

static int check_name(struct str name, struct fail *f)
{
    if (utf8_is_valid(name) && utf8_count(name) <= AGENT_NAME_CHARS_MAX)
        return 0;
    return refuse(f, "bad_name", "name", "the name is too long, or is no text");
}

static int check_type(enum agent_type type, struct fail *f)
{
    if (type == AGENT_ALLOY || type == AGENT_OTEL)
        return 0;
    return refuse(f, "bad_type", "type", "there is no such type of agents");
}

int agent_check_room(struct store_tx *tx, struct registry *r, uint64_t tenant, size_t max,
                     struct fail *f)
{
    if (!r || max == 0 || registry_agents(r, tx, tenant) < max)
        return 0;
    return fail_reason(f, CODE_RESOURCE_EXHAUSTED, "too_many_agents",
                       "the tenant has as many agents as it may have");
}

/* Makes the reference in the row that of another text; counts both. */
static int change_text(struct store_tx *tx, uint64_t tenant, struct text_ref *ref,
                       const struct text_ref *to, struct str text, bool *changed, struct fail *f)
{
    if (text_ref_equal(ref, to))
        return 0;
    if (to->set && store_text_hold(tx, tenant, to->hash, text, f) < 0)
        return -1;
    if (ref->set && store_text_drop(tx, tenant, ref->hash, f) < 0)
        return -1;
    *ref = *to;
    *changed = true;
    return 0;
}

/* A status without a text lets go of the text of the one before. */
static int take_status(struct reporting *g, struct changes *what, struct fail *f)
{
    const struct agent_report *report = g->report;
    struct agent *a = g->agent;
    uint64_t tenant = a->row.tenant;

    if (report->has_status) {
        struct text_ref error = report->status_error_ref.set ? report->status_error_ref
                                                             : text_ref_of(report->status_error);

        if (!a->has_status || a->status != report->status)
            what->status = true;
        if (change_text(g->tx, tenant, &a->status_error, &error, report->status_error,
                        &what->status, f) < 0)
            return -1;
        a->has_status = true;
        a->status = report->status;
        if (what->status)
            a->status_us = store_tx_now(g->tx);
    }
    if (report->has_effective_config) {
        struct text_ref config = report->effective_config_ref.set
                                     ? report->effective_config_ref
                                     : text_ref_of(report->effective_config);

        if (change_text(g->tx, tenant, &a->effective_config, &config, report->effective_config,
                        &what->status, f) < 0)
            return -1;
    }
    return 0;
}

static void take_words(struct reporting *g, struct changes *what)
{
    const struct agent_report *report = g->report;
    struct agent *a = g->agent;

    if (report->has_local && (g->is_new || !report->local_if_new) &&
        !attributes_equal(&a->local, &g->local)) {
        a->local = g->local;
        what->content = true;
    }
    if (report->has_name && !a->row.unique_name && !str_eq(a->row.name, report->name)) {
        a->row.name = report->name;
        what->content = true;
    }
    if (report->returns && a->inactive_us) {
        a->inactive_us = 0;
        what->returned = true;
    }
    if (!a->registered) {
        a->registered = true;
        what->registered = true;
    }
}

static const char *event_of(const struct changes *what)
{
    if (what->registered)
        return "agent.registered";
    if (what->content)
        return "agent.updated";
    return what->returned ? "agent.returned" : "agent.status";
}

static int report_known(struct reporting *g, bool *changed, struct fail *f)
{
    struct agent *a = g->agent;
    int64_t now = store_tx_now(g->tx);
    struct str ran = upgrade_running(a);
    struct changes what = {0};

    take_words(g, &what);
    if (take_status(g, &what, f) < 0)
        return -1;
    *changed = what.content || what.status || what.returned || what.registered;
    if (!*changed)
        return 0;
    if (what.content)
        a->row.updated_us = MAX(now, a->row.updated_us);
    a->row.last_seen_us = MAX(now, a->row.last_seen_us);
    if (agent_encode(store_tx_arena(g->tx), a, f) < 0 ||
        collector_replace(g->tx, g->by, &a->row, event_of(&what), f) < 0)
        return -1;
    registry_agent_changed(g->registry, g->tx, a);

    struct str runs = upgrade_running(a);

    if (runs.len == 0 || str_eq(runs, ran))
        return 0;
    return upgrade_observe(g->tx, a->row.tenant, a->row.id, runs, f);
}

static int insert(struct store_tx *tx, struct registry *r, const struct caller *by, struct agent *a,
                  const char *event, struct fail *f)
{
    if (agent_encode(store_tx_arena(tx), a, f) < 0 ||
        collector_insert(tx, by, &a->row, event, f) < 0)
        return -1;
    registry_agent_changed(r, tx, a);
    return 0;
}

static int report_new(struct reporting *g, uint64_t tenant, bool *changed, struct fail *f)
{
    const struct agent_report *report = g->report;
    struct agent *a = g->agent;
    struct changes what = {0};

    if (agent_check_room(g->tx, g->registry, tenant, report->agents_max, f) < 0)
        return -1;
    *a = (struct agent){
        .row = {.tenant = tenant, .ext_id = report->id, .last_seen_us = store_tx_now(g->tx)},
        .type = report->type ? report->type : AGENT_ALLOY,
        .enabled = true,
    };
    take_words(g, &what);
    if (take_status(g, &what, f) < 0)
        return -1;
    *changed = true;
    return insert(g->tx, g->registry, g->by, a, "agent.registered", f);
}

static int check_report(const struct agent_report *report, struct fail *f)
{
    if (agent_check_id(report->id, f) < 0)
        return -1;
    if (report->has_name && check_name(report->name, f) < 0)
        return -1;
    if (report->has_local && agent_check_local(&report->local, report->local_max, f) < 0)
        return -1;
    if (report->type && check_type(report->type, f) < 0)
        return -1;
    if (report->has_status &&
        (report->status > AGENT_STATUS_FAILED || report->status_error.len > AGENT_TEXT_MAX))
        return refuse(f, "too_large", "status", "the status is unknown, or its text is too large");
    if (report->has_effective_config && report->effective_config.len > AGENT_TEXT_MAX)
        return refuse(f, "too_large", "effective_config", "the configuration is too large");
    return 0;
}

static int read_agent(struct store_tx *tx, uint64_t tenant, struct str id, struct agent *out,
                      struct fail *f)
{
    struct collector row = {0};

    if (store_collector_get_ext(tx, tenant, COLLECTOR_AGENT, STR(""), id, &row, f) < 0)
        return -1;
    return agent_decode(store_tx_arena(tx), &row, out, f);
}

int agent_report(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 const struct agent_report *report, bool *changed, struct fail *f)
{
    struct arena *arena = store_tx_arena(tx);
    struct reporting g = {.tx = tx, .registry = r, .by = by, .report = report};
    bool ignored;

    if (check_report(report, f) < 0)
        return -1;
    if (report->has_local)
        g.local = attributes_sorted(arena, &report->local);
    g.agent = arena_new_type(arena, struct agent);
    if (read_agent(tx, tenant, report->id, g.agent, f) == 0)
        return report_known(&g, changed ? changed : &ignored, f);
    if (f->code != CODE_NOT_FOUND)
        return -1;
    g.is_new = true;
    return report_new(&g, tenant, changed ? changed : &ignored, f);
}

/* The words of an agent beyond its own. */
static int check_words(const struct agent *a, struct fail *f)
{
    if (check_name(a->row.name, f) < 0 || check_type(a->type, f) < 0 ||
        agent_check_fields(&a->remote, f) < 0 || profile_check(&a->profile, f) < 0)
        return -1;
    if (a->target_cpu >= 0 && a->target_cpu <= AGENT_TARGET_CPU_MAX)
        return 0;
    return refuse(f, "bad_target_cpu", "target_cpu", "the share of the processor is 0 to 100");
}

int agent_create(struct store_tx *tx, struct registry *r, const struct caller *by, struct agent *a,
                 struct fail *f)
{
    struct arena *arena = store_tx_arena(tx);
    struct agent made = *a;

    made.row = (struct collector){
        .tenant = a->row.tenant,
        .ext_id = a->row.ext_id,
        .name = a->row.name,
        .unique_name = a->row.unique_name,
        .last_seen_us = a->registered ? store_tx_now(tx) : 0,
    };
    made.type = a->type ? a->type : AGENT_ALLOY;
    if (!a->registered)
        made.local = (struct attributes){NULL, 0};
    made.inactive_us = 0;
    made.has_status = false;
    made.status = AGENT_STATUS_UNSET;
    made.status_us = 0;
    made.status_error = (struct text_ref){0};
    made.effective_config = (struct text_ref){0};
    if (made.row.ext_id.len > 0 && agent_check_id(made.row.ext_id, f) < 0)
        return -1;
    if (check_words(&made, f) < 0 || agent_check_local(&made.local, 0, f) < 0)
        return -1;
    made.local = attributes_sorted(arena, &made.local);
    made.remote = attributes_sorted(arena, &made.remote);
    if (insert(tx, r, by, &made, made.registered ? "agent.registered" : "agent.created", f) < 0)
        return -1;
    *a = made;
    return 0;
}

int agent_get(struct store_tx *tx, uint64_t tenant, struct str id, struct agent *out,
              struct fail *f)
{
    return read_agent(tx, tenant, id, out, f) < 0 ? missing(f) : 0;
}

static bool differs(const struct agent *x, const struct agent *y)
{
    const struct attributes extras = {x->extras, x->extra_count};
    const struct attributes others = {y->extras, y->extra_count};

    return !str_eq(x->row.name, y->row.name) || x->row.unique_name != y->row.unique_name ||
           x->type != y->type || x->enabled != y->enabled || x->inactive_us != y->inactive_us ||
           x->ephemeral != y->ephemeral || x->target_cpu != y->target_cpu ||
           x->sources_local != y->sources_local || !profile_equal(&x->profile, &y->profile) ||
           !attributes_equal(&x->local, &y->local) || !attributes_equal(&x->remote, &y->remote) ||
           !attributes_equal(&extras, &others);
}

/* What agent_update() takes over. */
static void take_words_of(const struct agent *a, struct agent *to)
{
    to->row.name = a->row.name;
    to->row.unique_name = a->row.unique_name;
    to->type = a->type;
    to->enabled = a->enabled;
    to->inactive_us = a->inactive_us;
    to->local = a->local;
    to->remote = a->remote;
    to->extras = a->extras;
    to->extra_count = a->extra_count;
    to->profile = a->profile;
    to->ephemeral = a->ephemeral;
    to->target_cpu = a->target_cpu;
    to->sources_local = a->sources_local;
}

int agent_update(struct store_tx *tx, struct registry *r, const struct caller *by, struct agent *a,
                 struct fail *f)
{
    struct arena *arena = store_tx_arena(tx);
    struct agent now = {0};

    if (check_words(a, f) < 0 || agent_check_local(&a->local, 0, f) < 0 ||
        agent_get(tx, a->row.tenant, a->row.ext_id, &now, f) < 0)
        return -1;
    if (a->row.revision && a->row.revision != now.row.revision)
        return fail_reason(f, CODE_ABORTED, "revision_mismatch",
                           "the agent was changed meanwhile; read it again");
    a->local = attributes_sorted(arena, &a->local);
    a->remote = attributes_sorted(arena, &a->remote);
    if (differs(a, &now)) {
        take_words_of(a, &now);
        now.row.updated_us = MAX(store_tx_now(tx), now.row.updated_us);
        if (collector_check_name(tx, &now.row, f) < 0 || agent_encode(arena, &now, f) < 0 ||
            collector_replace(tx, by, &now.row, "agent.updated", f) < 0)
            return -1;
        registry_agent_changed(r, tx, &now);
    }
    *a = now;
    return 0;
}

int agent_delete(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 struct str id, struct fail *f)
{
    struct agent a = {0};

    if (agent_get(tx, tenant, id, &a, f) < 0)
        return -1;
    if (a.status_error.set && store_text_drop(tx, tenant, a.status_error.hash, f) < 0)
        return -1;
    if (a.effective_config.set && store_text_drop(tx, tenant, a.effective_config.hash, f) < 0)
        return -1;
    if (registry_drop(r, tx, tenant, a.row.id, f) < 0 ||
        collector_remove(tx, by, &a.row, "agent.deleted", f) < 0)
        return -1;
    registry_agent_deleted(r, tx, tenant, a.row.ext_id);
    return 0;
}

int agent_leave(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                struct str id, struct fail *f)
{
    int64_t now = store_tx_now(tx);
    struct agent a = {0};

    if (read_agent(tx, tenant, id, &a, f) < 0)
        return f->code == CODE_NOT_FOUND ? 0 : -1;
    if (a.inactive_us)
        return 0;
    a.inactive_us = now;
    a.row.last_seen_us = MAX(now, a.row.last_seen_us);
    if (agent_encode(store_tx_arena(tx), &a, f) < 0 ||
        collector_replace(tx, by, &a.row, "agent.left", f) < 0)
        return -1;
    registry_agent_changed(r, tx, &a);
    return 0;
}

int agent_return(struct store_tx *tx, struct registry *r, const struct caller *by, uint64_t tenant,
                 int64_t number, struct fail *f)
{
    int64_t now = store_tx_now(tx);
    struct collector row = {0};
    struct agent a = {0};

    if (store_collector_get(tx, tenant, number, &row, f) < 0)
        return missing(f);
    if (row.kind != COLLECTOR_AGENT)
        return fail_reason(f, CODE_NOT_FOUND, "no_such_agent", "there is no such agent");
    if (agent_decode(store_tx_arena(tx), &row, &a, f) < 0)
        return -1;
    if (!a.inactive_us)
        return 0;
    a.inactive_us = 0;
    a.row.last_seen_us = MAX(now, a.row.last_seen_us);
    if (agent_encode(store_tx_arena(tx), &a, f) < 0 ||
        collector_replace(tx, by, &a.row, "agent.returned", f) < 0)
        return -1;
    registry_agent_changed(r, tx, &a);
    return 0;
}

int agent_text(struct store_tx *tx, uint64_t tenant, const struct text_ref *ref, struct str *out,
               struct fail *f)
{
    if (!ref->set) {
        *out = STR("");
        return 0;
    }
    if (store_text_get(tx, tenant, ref->hash, out, f) == 0)
        return 0;
    if (f->code != CODE_NOT_FOUND)
        return -1;
    return fail_set(f, CODE_DATA_LOSS, "a text is gone that a row still refers to");
}
