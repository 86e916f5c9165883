/* SPDX-License-Identifier: Apache-2.0 */
/* The schema, as numbered steps forward: each runs in a transaction of its own together with its
 * number, so a kill between two steps is continued at the next start. A step that was released is
 * never changed. */
#include "base/macros.h"
#include "store/sql.h"

/* Text compares by bytes. Rows of volume tables lie in the order of their key, and keys grow with
 * time, so that a batch of new rows dirties few pages. */
static const char first[] =
    "CREATE TABLE counters ("
    " name {text} NOT NULL PRIMARY KEY,"
    " value {int} NOT NULL"
    "){clustered};"

    "CREATE TABLE tenants ("
    " id {int} NOT NULL PRIMARY KEY,"
    " name {text} NOT NULL,"
    " created_us {int} NOT NULL"
    "){table};"
    "CREATE UNIQUE INDEX tenants_name ON tenants (name);"

    "CREATE TABLE settings ("
    " tenant {int} NOT NULL,"
    " name {text} NOT NULL,"
    " value {blob} NOT NULL,"
    " PRIMARY KEY (tenant, name)"
    "){clustered};"

    "CREATE TABLE keys ("
    " tenant {int} NOT NULL,"
    " id {text} NOT NULL,"
    " hash {blob} NOT NULL,"
    " role {int} NOT NULL,"
    " scopes {int} NOT NULL,"
    " label {text} NOT NULL,"
    " created_us {int} NOT NULL,"
    " expires_us {int} NOT NULL,"
    " last_used_us {int} NOT NULL,"
    " revoked_us {int} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"

    "CREATE TABLE collectors ("
    " tenant {int} NOT NULL,"
    " id {int} NOT NULL,"
    " kind {int} NOT NULL,"
    " space {text} NOT NULL,"
    " ext_id {text} NOT NULL,"
    " name {text} NOT NULL,"
    " name_group {int} NOT NULL,"
    " name_key {text},"
    " labels {blob} NOT NULL,"
    " revision {int} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " last_seen_us {int} NOT NULL,"
    " body {blob} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"
    "CREATE UNIQUE INDEX collectors_ext ON collectors"
    " (tenant, kind, space, ext_id);"
    "CREATE UNIQUE INDEX collectors_name ON collectors"
    " (tenant, name_group, name_key) WHERE name_key IS NOT NULL;"
    "CREATE INDEX collectors_kind ON collectors (tenant, kind, id);"
    "CREATE INDEX collectors_order ON collectors (tenant, kind, name, id) WHERE kind > 0;"

    "CREATE TABLE sources ("
    " tenant {int} NOT NULL,"
    " collector {int} NOT NULL,"
    " id {int} NOT NULL,"
    " type {text} NOT NULL,"
    " name {text} NOT NULL,"
    " revision {int} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " body {blob} NOT NULL,"
    " PRIMARY KEY (tenant, collector, id),"
    " FOREIGN KEY (tenant, collector) REFERENCES collectors (tenant, id)"
    "){clustered};"
    "CREATE UNIQUE INDEX sources_name ON sources (tenant, collector, name);"

    "CREATE TABLE pipelines ("
    " tenant {int} NOT NULL,"
    " id {int} NOT NULL,"
    " name {text} NOT NULL,"
    " enabled {int} NOT NULL,"
    " revision {int} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " body {blob} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"
    "CREATE UNIQUE INDEX pipelines_name ON pipelines (tenant, name);"

    "CREATE TABLE pipeline_revisions ("
    " tenant {int} NOT NULL,"
    " id {int} NOT NULL,"
    " pipeline {int} NOT NULL,"
    " revision {int} NOT NULL,"
    " change {int} NOT NULL,"
    " at_us {int} NOT NULL,"
    " actor {text} NOT NULL,"
    " name {text} NOT NULL,"
    " enabled {int} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " body {blob} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"
    "CREATE UNIQUE INDEX pipeline_revisions_pipeline ON pipeline_revisions"
    " (tenant, pipeline, id);"

    "CREATE TABLE events ("
    " seq {int} NOT NULL PRIMARY KEY,"
    " tenant {int} NOT NULL,"
    " kind {text} NOT NULL,"
    " subject {text} NOT NULL,"
    " actor {text} NOT NULL,"
    " at_us {int} NOT NULL,"
    " data {text} NOT NULL"
    "){table};"
    "CREATE INDEX events_tenant ON events (tenant, seq);"

    "CREATE TABLE tasks ("
    " tenant {int} NOT NULL,"
    " id {int} NOT NULL,"
    " kind {text} NOT NULL,"
    " subject {text} NOT NULL,"
    " parent {int} NOT NULL,"
    " state {int} NOT NULL,"
    " attempts {int} NOT NULL,"
    " max_attempts {int} NOT NULL,"
    " due_us {int} NOT NULL,"
    " deadline_us {int} NOT NULL,"
    " owner {text} NOT NULL,"
    " payload {blob} NOT NULL,"
    " result {blob} NOT NULL,"
    " error {text} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"
    "CREATE INDEX tasks_due ON tasks (due_us) WHERE state < 2;"
    "CREATE INDEX tasks_deadline ON tasks (deadline_us)"
    " WHERE state < 2 AND deadline_us > 0;"
    "CREATE INDEX tasks_over ON tasks (updated_us) WHERE state >= 2;"
    "CREATE INDEX tasks_subject ON tasks (tenant, subject, id);";

/* Liveness moves to a table of its own: rows of a few bytes, so that a million of them are written
 * behind without touching the wide ones. collectors.last_seen_us stays, as the value at the last
 * full write of the row; the later of the two counts, so nothing has to be moved here.
 *
 * Texts lie apart from the count of their references: the count changes often, the text never.
 *
 * Sources lose their foreign key: it made the engine keep a journal of its own for each collector
 * that is deleted, in time that grows with all that the job did before. Sources go before their
 * collector, and the verification finds orphans. */
static const char second[] =
    "CREATE TABLE collector_seen ("
    " tenant {int} NOT NULL,"
    " id {int} NOT NULL,"
    " seen_us {int} NOT NULL,"
    " PRIMARY KEY (tenant, id)"
    "){clustered};"

    "CREATE TABLE texts ("
    " tenant {int} NOT NULL,"
    " hash {blob} NOT NULL,"
    " content {blob} NOT NULL,"
    " PRIMARY KEY (tenant, hash)"
    "){table};"

    "CREATE TABLE text_refs ("
    " tenant {int} NOT NULL,"
    " hash {blob} NOT NULL,"
    " refs {int} NOT NULL,"
    " PRIMARY KEY (tenant, hash)"
    "){clustered};"

    "CREATE TABLE sources_without_key ("
    " tenant {int} NOT NULL,"
    " collector {int} NOT NULL,"
    " id {int} NOT NULL,"
    " type {text} NOT NULL,"
    " name {text} NOT NULL,"
    " revision {int} NOT NULL,"
    " created_us {int} NOT NULL,"
    " updated_us {int} NOT NULL,"
    " body {blob} NOT NULL,"
    " PRIMARY KEY (tenant, collector, id)"
    "){clustered};"
    "INSERT INTO sources_without_key"
    " SELECT tenant, collector, id, type, name, revision, created_us, updated_us, body"
    " FROM sources;"
    "DROP TABLE sources;"
    "ALTER TABLE sources_without_key RENAME TO sources;"
    "CREATE UNIQUE INDEX sources_name ON sources (tenant, collector, name);";

/* A tenant that is deleted is closed at once, and its rows go in small steps. */
static const char third[] =
    "ALTER TABLE tenants ADD COLUMN closed_us {int} NOT NULL DEFAULT 0;"
    "CREATE INDEX tenants_closed ON tenants (id) WHERE closed_us > 0;";

const struct migration migrations[] = {
    {"first tables", first},
    {"liveness, texts, sources without a foreign key", second},
    {"tenants that are closed", third},
};
const size_t migration_count = COUNTOF(migrations);
