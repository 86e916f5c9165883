/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that the store runs, by number, and the schema's steps. The text keeps to what
 * SQLite, PostgreSQL and its distributed relatives understand alike: placeholders in order, the
 * tenant first in every key, no database clock, booleans as 0 and 1, times as microseconds.
 * Immutable data; any thread. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <stddef.h>

enum sql_id {
    SQL_COUNTER_GET,
    SQL_COUNTER_PUT,
    SQL_TENANT_INSERT,
    SQL_TENANT_GET,
    SQL_TENANT_FIND,
    SQL_TENANT_LIST,
    SQL_TENANT_CLOSE,
    SQL_TENANT_CLOSED,
    SQL_TENANT_PURGE_FIRST, /* each takes the tenant and how many rows at most */
    SQL_TENANT_PURGE_KEYS = SQL_TENANT_PURGE_FIRST,
    SQL_TENANT_PURGE_TASKS,
    SQL_TENANT_PURGE_SOURCES,
    SQL_TENANT_PURGE_SEEN,
    SQL_TENANT_PURGE_COLLECTORS,
    SQL_TENANT_PURGE_TEXT_REFS,
    SQL_TENANT_PURGE_TEXTS,
    SQL_TENANT_PURGE_PIPELINES,
    SQL_TENANT_PURGE_REVISIONS,
    SQL_TENANT_PURGE_EVENTS,
    SQL_TENANT_PURGE_SETTINGS,
    SQL_TENANT_DELETE,
    SQL_KEY_INSERT,
    SQL_KEY_GET,
    SQL_KEY_LIST,
    SQL_KEY_REVOKE,
    SQL_KEY_USED,
    SQL_KEY_EACH,
    SQL_KEY_DELETE,
    SQL_COLLECTOR_INSERT,
    SQL_COLLECTOR_GET,
    SQL_COLLECTOR_GET_EXT,
    SQL_COLLECTOR_GET_NAME,
    SQL_COLLECTOR_BY_ID,
    SQL_COLLECTOR_BY_ID_DESC,
    SQL_COLLECTOR_BY_NAME,
    SQL_COLLECTOR_KIND_BY_ID,
    SQL_COLLECTOR_KIND_BY_ID_DESC,
    SQL_COLLECTOR_KIND_BY_NAME,
    SQL_COLLECTOR_LOAD,
    SQL_COLLECTOR_UPDATE,
    SQL_COLLECTOR_DELETE,
    SQL_COLLECTOR_DELETE_SOURCES,
    SQL_COLLECTOR_DELETE_SEEN,
    SQL_COLLECTOR_SEEN_UPDATE,
    SQL_COLLECTOR_SEEN_INSERT,
    SQL_SOURCE_INSERT,
    SQL_SOURCE_GET,
    SQL_SOURCE_GET_NAME,
    SQL_SOURCE_LIST,
    SQL_SOURCE_COUNT,
    SQL_SOURCE_LOAD,
    SQL_SOURCE_UPDATE,
    SQL_SOURCE_DELETE,
    SQL_PIPELINE_INSERT,
    SQL_PIPELINE_GET,
    SQL_PIPELINE_GET_NAME,
    SQL_PIPELINE_LIST,
    SQL_PIPELINE_UPDATE,
    SQL_PIPELINE_DELETE,
    SQL_REVISION_INSERT,
    SQL_REVISION_GET,
    SQL_REVISION_LIST,
    SQL_REVISION_LIST_ALL,
    SQL_EVENT_INSERT,
    SQL_EVENT_LIST,
    SQL_EVENT_FOLLOW,
    SQL_EVENT_PRUNE,
    SQL_TASK_INSERT,
    SQL_TASK_GET,
    SQL_TASK_LIST,
    SQL_TASK_LIST_SUBJECT,
    SQL_TASK_DUE,
    SQL_TASK_LATE,
    SQL_TASK_UPDATE,
    SQL_TASK_NEXT_DUE,
    SQL_TASK_PRUNE,
    SQL_TASK_COUNT_OPEN,
    SQL_SETTING_GET,
    SQL_SETTING_PUT,
    SQL_TEXT_GET,
    SQL_TEXT_INSERT,
    SQL_TEXT_DELETE,
    SQL_TEXT_HOLD,
    SQL_TEXT_FIRST,
    SQL_TEXT_DROP,
    SQL_TEXT_LAST,
    SQL_CHECK_FIRST, /* the invariants: each selects the rows that break one */
    SQL_CHECK_KEY_TENANT = SQL_CHECK_FIRST,
    SQL_CHECK_COLLECTOR_TENANT,
    SQL_CHECK_COLLECTOR_ROW,
    SQL_CHECK_SEEN_OWNER,
    SQL_CHECK_SOURCE_OWNER,
    SQL_CHECK_SOURCE_ROW,
    SQL_CHECK_PIPELINE_TENANT,
    SQL_CHECK_PIPELINE_ROW,
    SQL_CHECK_PIPELINE_HISTORY,
    SQL_CHECK_REVISION_TENANT,
    SQL_CHECK_TASK_TENANT,
    SQL_CHECK_TASK_ROW,
    SQL_CHECK_IDS,
    SQL_CHECK_ID_COUNTER,
    SQL_CHECK_SEQ_COUNTER,
    SQL_CHECK_END,
    SQL_CHECK_AGENTS = SQL_CHECK_END, /* what has to be decoded to be checked */
    SQL_CHECK_TEXTS,
    SQL_TOTALS,
    SQL_STATEMENT_COUNT,
};

extern const char *const sql_texts[SQL_STATEMENT_COUNT];

/* What a row of SQL_CHECK_... means, for the finding. */
const char *sql_check_meaning(enum sql_id id);

/* Statements separated by ';'. Tokens that a driver replaces: {int} a 64-bit integer, {text},
 * {blob}, {table} and {clustered} what ends a CREATE TABLE, the latter when rows should lie in the
 * order of their primary key. */
struct migration {
    const char *name;
    const char *script;
};

extern const struct migration migrations[];
extern const size_t migration_count;

#endif
