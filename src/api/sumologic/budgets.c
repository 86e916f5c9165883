/* SPDX-License-Identifier: Apache-2.0 */
/* /api/v1/ingestBudgets/{budget}/collectors/{id}: which budget a collector counts for. It is the
 * field "_budget" of the collector and nothing else: budgets themselves are not kept here, so any
 * text names one. Write lane, but for the GET. */
#include "api/sumologic/internal.h"
#include "codec/utf8.h"

#define FIELD        STR("_budget")
#define BUDGET_CHARS 200 /* of a field's value */

static struct attributes *fields_of(struct sumo_collector *col)
{
    return col->is_hosted ? &col->hosted.fields : &col->agent.remote;
}

/* p NULL: none. */
static struct str budget_of(struct sumo_collector *col)
{
    const struct attributes *fields = fields_of(col);

    return labels_value(fields->items, fields->count, FIELD);
}

static int not_assigned(struct fail *f)
{
    return fail_reason(f, CODE_NOT_FOUND, "no_such_budget",
                       "The collector is not assigned to this ingest budget.");
}

static void answer(struct call *c, struct str budget, const struct sumo_collector *col)
{
    struct json_writer w;

    json_writer_init(&w, &c->out);
    json_obj_begin(&w);
    json_key_str(&w, STR("id"), budget);
    json_key_str(&w, STR("fieldValue"), budget);
    json_key_i64(&w, STR("collectorId"), col->id);
    json_obj_end(&w);
}

int sumo_budgets_get(struct call *c, struct fail *f)
{
    struct str budget = call_param(c, STR("budget"));
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, NULL, "id", &col, f) < 0)
        return -1;
    if (!str_eq(budget_of(&col), budget))
        return not_assigned(f);
    answer(c, budget, &col);
    return 0;
}

/* Takes the place of another budget. */
static int assign(struct arena *a, struct attributes *fields, struct str budget, struct fail *f)
{
    struct attributes made = {arena_new_array(a, struct label, fields->count + 1), fields->count};

    if (fields->count > 0)
        memcpy(made.items, fields->items, fields->count * sizeof(*made.items));
    made.items[made.count++] = (struct label){FIELD, budget};
    attributes_sort(&made);
    if (made.count > fields->count && made.count > MEMBERS_FIELDS_MAX)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "At most %d fields are allowed.", MEMBERS_FIELDS_MAX);
    *fields = made;
    return 0;
}

int sumo_budgets_assign(struct call *c, struct fail *f)
{
    struct str budget = call_param(c, STR("budget"));
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, c->tx, "id", &col, f) < 0)
        return -1;
    if (utf8_count(budget) > BUDGET_CHARS)
        return fail_reason(f, CODE_INVALID_ARGUMENT, "fields_invalid",
                           "Maximum length of an ingest budget's name is %d characters.",
                           BUDGET_CHARS);
    if (assign(c->arena, fields_of(&col), budget, f) < 0 || sumo_collector_save(c, &col, f) < 0)
        return -1;
    answer(c, budget, &col);
    return 0;
}

int sumo_budgets_remove(struct call *c, struct fail *f)
{
    struct sumo_collector col = {0};

    if (sumo_collector_at(c, c->tx, "id", &col, f) < 0)
        return -1;
    if (!str_eq(budget_of(&col), call_param(c, STR("budget"))))
        return not_assigned(f);

    const struct attributes *fields = fields_of(&col);
    struct attributes rest = {arena_new_array(c->arena, struct label, fields->count), 0};

    for (size_t i = 0; i < fields->count; i++) {
        if (!str_eq(fields->items[i].key, FIELD))
            rest.items[rest.count++] = fields->items[i];
    }
    *fields_of(&col) = rest;
    return sumo_collector_save(c, &col, f);
}
