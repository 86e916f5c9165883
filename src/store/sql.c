/* SPDX-License-Identifier: Apache-2.0 */
/* The statements' text. Immutable data; any thread. */
#include "store/sql.h"

#include <assert.h>

/* What was seen is written to a table of its own; the row has what it was at its last full write.
 * The later of the two counts. */
#define COLLECTOR_SELECT                                                                           \
    "SELECT c.tenant, c.id, c.kind, c.space, c.ext_id, c.name,"                                    \
    " CASE WHEN c.name_key IS NULL THEN 0 ELSE 1 END, c.labels, c.revision, c.created_us,"         \
    " c.updated_us, CASE WHEN s.seen_us > c.last_seen_us THEN s.seen_us"                           \
    " ELSE c.last_seen_us END, c.body"                                                             \
    " FROM collectors c LEFT JOIN collector_seen s ON s.tenant = c.tenant AND s.id = c.id"
#define SOURCE_COLUMNS   "tenant, collector, id, type, name, revision, created_us, updated_us, body"
#define PIPELINE_COLUMNS "tenant, id, name, enabled, revision, created_us, updated_us, body"
#define REVISION_COLUMNS                                                                           \
    "id, change, at_us, actor, tenant, pipeline, name, enabled, revision, created_us,"             \
    " updated_us, body"
#define EVENT_COLUMNS "seq, tenant, kind, subject, actor, at_us, data"
#define TASK_COLUMNS                                                                               \
    "tenant, id, kind, subject, parent, state, attempts, max_attempts, due_us, deadline_us,"       \
    " owner, payload, result, error, created_us, updated_us"
#define KEY_COLUMNS                                                                                \
    "tenant, id, hash, role, scopes, label, created_us, expires_us, last_used_us, revoked_us"

/* Some rows of a tenant that is closed, by their key within it. */
#define PURGE(table, key)                                                                          \
    "DELETE FROM " table " WHERE tenant = $1 AND (" key ") IN (SELECT " key " FROM " table         \
    " WHERE tenant = $1 LIMIT $2)"

/* Their rows go little by little, so what holds between rows need not hold there. */
#define CLOSED "(SELECT id FROM tenants WHERE closed_us > 0)"

const char *const sql_texts[SQL_STATEMENT_COUNT] = {
    [SQL_COUNTER_GET] = "SELECT value FROM counters WHERE name = $1",
    [SQL_COUNTER_PUT] =
        "INSERT INTO counters (name, value) VALUES ($1, $2)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        " WHERE counters.value < excluded.value",

    [SQL_TENANT_INSERT] =
        "INSERT INTO tenants (id, name, created_us) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    [SQL_TENANT_GET] = "SELECT id, name, created_us FROM tenants WHERE id = $1 AND closed_us = 0",
    [SQL_TENANT_FIND] =
        "SELECT id, name, created_us FROM tenants WHERE name = $1 AND closed_us = 0",
    [SQL_TENANT_LIST] =
        "SELECT id, name, created_us FROM tenants WHERE id > $1 AND closed_us = 0"
        " ORDER BY id LIMIT $2",
    [SQL_TENANT_CLOSE] =
        "UPDATE tenants SET name = $1, closed_us = $2 WHERE id = $3 AND closed_us = 0",
    [SQL_TENANT_CLOSED] = "SELECT id FROM tenants WHERE closed_us > 0 ORDER BY id LIMIT 1",
    [SQL_TENANT_PURGE_KEYS] = PURGE("keys", "id"),
    [SQL_TENANT_PURGE_TASKS] = PURGE("tasks", "id"),
    [SQL_TENANT_PURGE_SOURCES] = PURGE("sources", "collector, id"),
    [SQL_TENANT_PURGE_SEEN] = PURGE("collector_seen", "id"),
    [SQL_TENANT_PURGE_COLLECTORS] = PURGE("collectors", "id"),
    [SQL_TENANT_PURGE_TEXT_REFS] = PURGE("text_refs", "hash"),
    [SQL_TENANT_PURGE_TEXTS] = PURGE("texts", "hash"),
    [SQL_TENANT_PURGE_PIPELINES] = PURGE("pipelines", "id"),
    [SQL_TENANT_PURGE_REVISIONS] = PURGE("pipeline_revisions", "id"),
    [SQL_TENANT_PURGE_EVENTS] = PURGE("events", "seq"),
    [SQL_TENANT_PURGE_SETTINGS] = PURGE("settings", "name"),
    [SQL_TENANT_DELETE] = "DELETE FROM tenants WHERE id = $1 AND closed_us > 0",

    [SQL_KEY_INSERT] = "INSERT INTO keys (" KEY_COLUMNS
                       ")"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    [SQL_KEY_GET] = "SELECT " KEY_COLUMNS " FROM keys WHERE tenant = $1 AND id = $2",
    [SQL_KEY_LIST] = "SELECT " KEY_COLUMNS
                     " FROM keys WHERE tenant = $1 AND id > $2"
                     " ORDER BY id LIMIT $3",
    [SQL_KEY_REVOKE] = "UPDATE keys SET revoked_us = $1 WHERE tenant = $2 AND id = $3",
    [SQL_KEY_USED] =
        "UPDATE keys SET last_used_us = $1 WHERE tenant = $2 AND id = $3"
        " AND last_used_us < $4",
    [SQL_KEY_EACH] =
        "SELECT k.tenant, k.id, k.hash, k.role, k.scopes, k.label, k.created_us,"
        " k.expires_us, k.last_used_us, k.revoked_us, t.name"
        " FROM keys k JOIN tenants t ON t.id = k.tenant WHERE k.revoked_us = 0 AND t.closed_us = 0",
    [SQL_KEY_DELETE] = "DELETE FROM keys WHERE tenant = $1 AND id >= $2 AND id < $3",

    [SQL_COLLECTOR_INSERT] =
        "INSERT INTO collectors (tenant, id, kind, space, ext_id, name,"
        " name_group, name_key, labels, revision, created_us, updated_us,"
        " last_seen_us, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
        " $14) ON CONFLICT DO NOTHING",
    [SQL_COLLECTOR_GET] = COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.id = $2",
    [SQL_COLLECTOR_GET_EXT] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.kind = $2 AND c.space = $3 AND c.ext_id = $4",
    [SQL_COLLECTOR_GET_NAME] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.name_group = $2 AND c.name_key = $3",
    [SQL_COLLECTOR_BY_ID] = COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.id > $2 ORDER BY c.id",
    [SQL_COLLECTOR_BY_ID_DESC] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.id < $2 ORDER BY c.id DESC",
    [SQL_COLLECTOR_BY_NAME] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND (c.name, c.id) > ($2, $3) ORDER BY c.name, c.id",
    [SQL_COLLECTOR_KIND_BY_ID] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.kind = $2 AND c.id > $3 ORDER BY c.id",
    [SQL_COLLECTOR_KIND_BY_ID_DESC] =
        COLLECTOR_SELECT " WHERE c.tenant = $1 AND c.kind = $2 AND c.id < $3 ORDER BY c.id DESC",
    [SQL_COLLECTOR_KIND_BY_NAME] = COLLECTOR_SELECT
    " WHERE c.tenant = $1 AND c.kind = $2 AND c.kind > 0"
    " AND (c.name, c.id) > ($3, $4) ORDER BY c.name, c.id",
    [SQL_COLLECTOR_LOAD] = COLLECTOR_SELECT " ORDER BY c.tenant, c.id",
    [SQL_COLLECTOR_UPDATE] =
        "UPDATE collectors SET name = $1, name_key = $2, labels = $3,"
        " revision = $4, updated_us = $5, last_seen_us = $6, body = $7"
        " WHERE tenant = $8 AND id = $9 AND revision = $10",
    [SQL_COLLECTOR_DELETE] = "DELETE FROM collectors WHERE tenant = $1 AND id = $2",
    [SQL_COLLECTOR_DELETE_SOURCES] = "DELETE FROM sources WHERE tenant = $1 AND collector = $2",
    [SQL_COLLECTOR_DELETE_SEEN] = "DELETE FROM collector_seen WHERE tenant = $1 AND id = $2",
    [SQL_COLLECTOR_SEEN_UPDATE] =
        "UPDATE collector_seen SET seen_us = $1"
        " WHERE tenant = $2 AND id = $3 AND seen_us < $4",
    [SQL_COLLECTOR_SEEN_INSERT] =
        "INSERT INTO collector_seen (tenant, id, seen_us)"
        " SELECT tenant, id, $1 FROM collectors"
        " WHERE tenant = $2 AND id = $3 AND last_seen_us < $4 ON CONFLICT DO NOTHING",

    [SQL_SOURCE_INSERT] = "INSERT INTO sources (" SOURCE_COLUMNS
                          ")"
                          " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    [SQL_SOURCE_GET] = "SELECT " SOURCE_COLUMNS
                       " FROM sources"
                       " WHERE tenant = $1 AND collector = $2 AND id = $3",
    [SQL_SOURCE_GET_NAME] = "SELECT " SOURCE_COLUMNS
                            " FROM sources"
                            " WHERE tenant = $1 AND collector = $2 AND name = $3",
    [SQL_SOURCE_LIST] = "SELECT " SOURCE_COLUMNS
                        " FROM sources"
                        " WHERE tenant = $1 AND collector = $2 AND id > $3 ORDER BY id LIMIT $4",
    [SQL_SOURCE_COUNT] =
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM sources"
        " WHERE tenant = $1 AND collector = $2",
    [SQL_SOURCE_LOAD] = "SELECT " SOURCE_COLUMNS " FROM sources ORDER BY tenant, collector, id",
    [SQL_SOURCE_UPDATE] =
        "UPDATE sources SET type = $1, name = $2, revision = $3,"
        " updated_us = $4, body = $5"
        " WHERE tenant = $6 AND collector = $7 AND id = $8 AND revision = $9",
    [SQL_SOURCE_DELETE] = "DELETE FROM sources WHERE tenant = $1 AND collector = $2 AND id = $3",

    [SQL_PIPELINE_INSERT] = "INSERT INTO pipelines (" PIPELINE_COLUMNS
                            ")"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    [SQL_PIPELINE_GET] = "SELECT " PIPELINE_COLUMNS
                         " FROM pipelines"
                         " WHERE tenant = $1 AND id = $2",
    [SQL_PIPELINE_GET_NAME] = "SELECT " PIPELINE_COLUMNS
                              " FROM pipelines"
                              " WHERE tenant = $1 AND name = $2",
    [SQL_PIPELINE_LIST] = "SELECT " PIPELINE_COLUMNS
                          " FROM pipelines"
                          " WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
    [SQL_PIPELINE_UPDATE] =
        "UPDATE pipelines SET name = $1, enabled = $2, revision = $3,"
        " updated_us = $4, body = $5"
        " WHERE tenant = $6 AND id = $7 AND revision = $8",
    [SQL_PIPELINE_DELETE] = "DELETE FROM pipelines WHERE tenant = $1 AND id = $2",
    [SQL_REVISION_INSERT] = "INSERT INTO pipeline_revisions (" REVISION_COLUMNS
                            ")"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    [SQL_REVISION_GET] = "SELECT " REVISION_COLUMNS
                         " FROM pipeline_revisions"
                         " WHERE tenant = $1 AND id = $2",
    [SQL_REVISION_LIST] = "SELECT " REVISION_COLUMNS
                          " FROM pipeline_revisions"
                          " WHERE tenant = $1 AND pipeline = $2 AND id < $3"
                          " ORDER BY id DESC LIMIT $4",
    [SQL_REVISION_LIST_ALL] = "SELECT " REVISION_COLUMNS
                              " FROM pipeline_revisions"
                              " WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3",

    [SQL_EVENT_INSERT] = "INSERT INTO events (" EVENT_COLUMNS
                         ")"
                         " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [SQL_EVENT_LIST] = "SELECT " EVENT_COLUMNS
                       " FROM events WHERE tenant = $1 AND seq > $2"
                       " ORDER BY seq LIMIT $3",
    [SQL_EVENT_FOLLOW] = "SELECT " EVENT_COLUMNS
                         " FROM events WHERE seq > $1"
                         " ORDER BY seq LIMIT $2",
    [SQL_EVENT_PRUNE] =
        "DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq, at_us"
        " FROM events ORDER BY seq LIMIT $1) AS oldest WHERE at_us < $2)",

    [SQL_TASK_INSERT] = "INSERT INTO tasks (" TASK_COLUMNS
                        ")"
                        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
                        " $15, $16)",
    [SQL_TASK_GET] = "SELECT " TASK_COLUMNS " FROM tasks WHERE tenant = $1 AND id = $2",
    [SQL_TASK_LIST] = "SELECT " TASK_COLUMNS
                      " FROM tasks WHERE tenant = $1 AND id > $2"
                      " ORDER BY id",
    [SQL_TASK_LIST_SUBJECT] = "SELECT " TASK_COLUMNS
                              " FROM tasks"
                              " WHERE tenant = $1 AND subject = $2 AND id > $3 ORDER BY id",
    [SQL_TASK_DUE] = "SELECT " TASK_COLUMNS
                     " FROM tasks WHERE state < 2 AND due_us <= $1"
                     " ORDER BY due_us",
    [SQL_TASK_LATE] = "SELECT " TASK_COLUMNS
                      " FROM tasks WHERE state < 2 AND deadline_us > 0"
                      " AND deadline_us < $1 ORDER BY deadline_us LIMIT $2",
    [SQL_TASK_UPDATE] =
        "UPDATE tasks SET state = $1, attempts = $2, due_us = $3, owner = $4,"
        " result = $5, error = $6, updated_us = $7"
        " WHERE tenant = $8 AND id = $9 AND state = $10 AND attempts = $11"
        " AND owner = $12",
    [SQL_TASK_NEXT_DUE] =
        "SELECT (SELECT MIN(due_us) FROM tasks WHERE state < 2),"
        " (SELECT MIN(deadline_us) FROM tasks WHERE state < 2"
        " AND deadline_us > 0)",
    [SQL_TASK_PRUNE] =
        "DELETE FROM tasks WHERE (tenant, id) IN (SELECT tenant, id FROM tasks"
        " WHERE state >= 2 AND updated_us < $1 ORDER BY updated_us LIMIT $2)",
    [SQL_TASK_COUNT_OPEN] = "SELECT COUNT(*) FROM tasks WHERE state < 2 AND kind = $1",

    [SQL_SETTING_GET] = "SELECT value FROM settings WHERE tenant = $1 AND name = $2",
    [SQL_SETTING_PUT] =
        "INSERT INTO settings (tenant, name, value) VALUES ($1, $2, $3)"
        " ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value",

    [SQL_TEXT_GET] = "SELECT content FROM texts WHERE tenant = $1 AND hash = $2",
    [SQL_TEXT_INSERT] = "INSERT INTO texts (tenant, hash, content) VALUES ($1, $2, $3)",
    [SQL_TEXT_DELETE] = "DELETE FROM texts WHERE tenant = $1 AND hash = $2",
    [SQL_TEXT_HOLD] = "UPDATE text_refs SET refs = refs + 1 WHERE tenant = $1 AND hash = $2",
    [SQL_TEXT_FIRST] = "INSERT INTO text_refs (tenant, hash, refs) VALUES ($1, $2, 1)",
    [SQL_TEXT_DROP] =
        "UPDATE text_refs SET refs = refs - 1"
        " WHERE tenant = $1 AND hash = $2 AND refs > 1",
    [SQL_TEXT_LAST] = "DELETE FROM text_refs WHERE tenant = $1 AND hash = $2",

    [SQL_CHECK_KEY_TENANT] =
        "SELECT k.tenant, k.id FROM keys k LEFT JOIN tenants t"
        " ON t.id = k.tenant WHERE t.id IS NULL LIMIT 10",
    [SQL_CHECK_COLLECTOR_TENANT] =
        "SELECT c.tenant, c.id FROM collectors c LEFT JOIN tenants t"
        " ON t.id = c.tenant WHERE t.id IS NULL LIMIT 10",
    [SQL_CHECK_COLLECTOR_ROW] =
        "SELECT tenant, id FROM collectors WHERE revision < 1"
        " OR kind < 0 OR kind > 3 OR ext_id = ''"
        " OR updated_us < created_us OR name_key <> name LIMIT 10",
    [SQL_CHECK_SEEN_OWNER] =
        "SELECT s.tenant, s.id FROM collector_seen s LEFT JOIN collectors c"
        " ON c.tenant = s.tenant AND c.id = s.id"
        " WHERE c.id IS NULL OR s.seen_us < 1 LIMIT 10",
    [SQL_CHECK_SOURCE_OWNER] =
        "SELECT s.tenant, s.id FROM sources s LEFT JOIN collectors c"
        " ON c.tenant = s.tenant AND c.id = s.collector"
        " WHERE c.id IS NULL LIMIT 10",
    [SQL_CHECK_SOURCE_ROW] =
        "SELECT tenant, id FROM sources WHERE revision < 1"
        " OR updated_us < created_us LIMIT 10",
    [SQL_CHECK_PIPELINE_TENANT] =
        "SELECT p.tenant, p.id FROM pipelines p LEFT JOIN tenants t"
        " ON t.id = p.tenant WHERE t.id IS NULL LIMIT 10",
    [SQL_CHECK_PIPELINE_ROW] =
        "SELECT tenant, id FROM pipelines WHERE revision < 1"
        " OR updated_us < created_us LIMIT 10",
    [SQL_CHECK_PIPELINE_HISTORY] =
        "SELECT p.tenant, p.id FROM pipelines p"
        " LEFT JOIN pipeline_revisions r ON r.tenant = p.tenant"
        " AND r.pipeline = p.id AND r.revision = p.revision"
        " WHERE r.id IS NULL LIMIT 10",
    [SQL_CHECK_REVISION_TENANT] =
        "SELECT r.tenant, r.id FROM pipeline_revisions r"
        " LEFT JOIN tenants t ON t.id = r.tenant"
        " WHERE t.id IS NULL LIMIT 10",
    [SQL_CHECK_TASK_TENANT] =
        "SELECT k.tenant, k.id FROM tasks k LEFT JOIN tenants t"
        " ON t.id = k.tenant WHERE t.id IS NULL LIMIT 10",
    [SQL_CHECK_TASK_ROW] =
        "SELECT tenant, id FROM tasks WHERE state < 0 OR state > 4"
        " OR attempts > max_attempts OR (state = 1 AND owner = '') LIMIT 10",
    [SQL_CHECK_IDS] =
        "SELECT MIN(tenant), id FROM (SELECT tenant, id FROM collectors"
        " UNION ALL SELECT tenant, id FROM sources"
        " UNION ALL SELECT tenant, id FROM pipelines"
        " UNION ALL SELECT tenant, id FROM pipeline_revisions"
        " UNION ALL SELECT tenant, id FROM tasks"
        " UNION ALL SELECT id, id FROM tenants) AS every_id"
        " GROUP BY id HAVING COUNT(*) > 1 LIMIT 10",
    [SQL_CHECK_ID_COUNTER] =
        "SELECT 0, id FROM (SELECT MAX(id) AS id FROM collectors"
        " UNION ALL SELECT MAX(id) FROM sources"
        " UNION ALL SELECT MAX(id) FROM pipelines"
        " UNION ALL SELECT MAX(id) FROM pipeline_revisions"
        " UNION ALL SELECT MAX(id) FROM tasks"
        " UNION ALL SELECT MAX(id) FROM tenants) AS highest"
        " WHERE id > COALESCE((SELECT value FROM counters"
        " WHERE name = 'id'), 0) LIMIT 10",
    [SQL_CHECK_SEQ_COUNTER] =
        "SELECT tenant, seq FROM events WHERE seq > COALESCE((SELECT value"
        " FROM counters WHERE name = 'event'), 0) LIMIT 10",
    [SQL_CHECK_AGENTS] =
        "SELECT tenant, id, labels, body FROM collectors WHERE kind = 0"
        " AND tenant NOT IN " CLOSED " ORDER BY tenant, id",
    [SQL_CHECK_TEXTS] =
        "SELECT r.tenant, r.hash, r.refs, t.content FROM text_refs r"
        " LEFT JOIN texts t ON t.tenant = r.tenant AND t.hash = r.hash"
        " WHERE r.tenant NOT IN " CLOSED
        " UNION ALL SELECT t.tenant, t.hash, 0, t.content FROM texts t"
        " LEFT JOIN text_refs r ON r.tenant = t.tenant AND r.hash = t.hash"
        " WHERE r.refs IS NULL AND t.tenant NOT IN " CLOSED,
    [SQL_TOTALS] =
        "SELECT (SELECT COUNT(*) FROM tenants WHERE closed_us = 0), (SELECT COUNT(*) FROM keys),"
        " (SELECT COUNT(*) FROM collectors), (SELECT COUNT(*) FROM sources),"
        " (SELECT COUNT(*) FROM pipelines), (SELECT COUNT(*) FROM events),"
        " (SELECT COUNT(*) FROM tasks), (SELECT COUNT(*) FROM texts)",
};

static const char *const meanings[SQL_CHECK_END - SQL_CHECK_FIRST] = {
    [SQL_CHECK_KEY_TENANT - SQL_CHECK_FIRST] = "key of a tenant that does not exist",
    [SQL_CHECK_COLLECTOR_TENANT - SQL_CHECK_FIRST] = "collector of a tenant that does not exist",
    [SQL_CHECK_COLLECTOR_ROW - SQL_CHECK_FIRST] = "collector with impossible values",
    [SQL_CHECK_SEEN_OWNER - SQL_CHECK_FIRST] = "liveness of a collector that does not exist",
    [SQL_CHECK_SOURCE_OWNER - SQL_CHECK_FIRST] = "source of a collector that does not exist",
    [SQL_CHECK_SOURCE_ROW - SQL_CHECK_FIRST] = "source with impossible values",
    [SQL_CHECK_PIPELINE_TENANT - SQL_CHECK_FIRST] = "pipeline of a tenant that does not exist",
    [SQL_CHECK_PIPELINE_ROW - SQL_CHECK_FIRST] = "pipeline with impossible values",
    [SQL_CHECK_PIPELINE_HISTORY - SQL_CHECK_FIRST] = "pipeline without its latest revision",
    [SQL_CHECK_REVISION_TENANT - SQL_CHECK_FIRST] = "revision of a tenant that does not exist",
    [SQL_CHECK_TASK_TENANT - SQL_CHECK_FIRST] = "task of a tenant that does not exist",
    [SQL_CHECK_TASK_ROW - SQL_CHECK_FIRST] = "task with impossible values",
    [SQL_CHECK_IDS - SQL_CHECK_FIRST] = "number that two rows share",
    [SQL_CHECK_ID_COUNTER - SQL_CHECK_FIRST] = "number beyond the counter",
    [SQL_CHECK_SEQ_COUNTER - SQL_CHECK_FIRST] = "event beyond the counter",
};

const char *sql_check_meaning(enum sql_id id)
{
    assert(id >= SQL_CHECK_FIRST && id < SQL_CHECK_END);
    return meanings[id - SQL_CHECK_FIRST];
}
