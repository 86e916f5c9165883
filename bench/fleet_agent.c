/* SPDX-License-Identifier: Apache-2.0 */
/* See fleet_agent.h. Messages are written by hand: they are few and small. */
#include "fleet_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/heap.h"
#include "base/id.h"
#include "base/random.h"
#include "codec/base64.h"

#define TEXT_MAX ((size_t)1 << 20)

/* --- protobuf --- */

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v > 127; v >>= 7)
        buf_put_byte(b, (uint8_t)(v | 128));
    buf_put_byte(b, (uint8_t)v);
}

static void put_bytes(struct buf *b, unsigned field, struct str bytes)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, bytes.len);
    buf_put_str(b, bytes);
}

static size_t bytes_size(size_t len)
{
    return len + (len < 128 ? 2 : 3);
}

static void put_entry(struct buf *b, unsigned field, const char *key, const char *value)
{
    put_varint(b, field << 3 | 2);
    put_varint(b, bytes_size(strlen(key)) + bytes_size(strlen(value)));
    put_bytes(b, 1, str_of(key));
    put_bytes(b, 2, str_of(value));
}

static bool get_varint(struct str *in, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; in->len > 0 && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)in->p[0];

        *in = str_skip(*in, 1);
        *out |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

struct field {
    unsigned number;
    uint64_t value;
    struct str bytes;
};

/* Numbers and bytes only. */
static bool get_field(struct str *in, struct field *out)
{
    uint64_t tag = 0;

    *out = (struct field){0};
    if (!get_varint(in, &tag) || !get_varint(in, &out->value))
        return false;
    out->number = (unsigned)(tag >> 3);
    if ((tag & 7) == 0)
        return true;
    if ((tag & 7) != 2 || out->value > in->len)
        return false;
    out->bytes = str_first(*in, (size_t)out->value);
    *in = str_skip(*in, (size_t)out->value);
    return true;
}

bool fleet_config_read(struct str body, struct config_said *out)
{
    struct field field;

    *out = (struct config_said){0};
    while (body.len > 0) {
        if (!get_field(&body, &field))
            return false;
        if (field.number == 2)
            out->hash = field.bytes;
        if (field.number == 3)
            out->not_modified = field.value != 0;
    }
    return true;
}

size_t fleet_count_read(struct str body)
{
    struct field field;
    size_t count = 0;

    while (body.len > 0 && get_field(&body, &field))
        count += field.number == 1;
    return count;
}

/* --- who they are --- */

static uint64_t mix(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n ^= n >> 29;
    return n * UINT64_C(0xbf58476d1ce4e5b9) ^ n >> 32;
}

static void name_of(size_t agent, char out[40])
{
    uint64_t m = mix(agent);

    snprintf(out, 40, "%08x-%04x-4%03x-8%03x-%012zx", (unsigned)(m >> 32), (unsigned)m & 0xffff,
             (unsigned)(m >> 16) & 0xfff, (unsigned)(m >> 24) & 0xfff, agent);
}

static void put_attributes(struct buf *b, size_t agent)
{
    static const char *const envs[] = {"prod", "staging", "test", "dev"};
    static const char *const systems[] = {"linux", "windows", "darwin"};
    uint64_t m = mix(agent);
    char text[64];

    put_entry(b, 4, "collector.os", systems[m % 16 < 14 ? 0 : m % 16 - 13]);
    snprintf(text, sizeof(text), "v1.%u.%u", 3 + (unsigned)(m >> 8) % 16, (unsigned)(m >> 12) % 3);
    put_entry(b, 4, "collector.version", text);
    snprintf(text, sizeof(text), "node-%07zu.prod.example", agent);
    put_entry(b, 4, "hostname", text);
    put_entry(b, 4, "env", envs[(m >> 16) % 4]);
    snprintf(text, sizeof(text), "region-%u", (unsigned)(m >> 20) % 20);
    put_entry(b, 4, "region", text);
    snprintf(text, sizeof(text), "cluster-%u", (unsigned)(m >> 28) % FLEET_CLUSTERS);
    put_entry(b, 4, "cluster", text);
    snprintf(text, sizeof(text), "team-%u", (unsigned)(m >> 36) % FLEET_TEAMS);
    put_entry(b, 4, "team", text);
    snprintf(text, sizeof(text), "ns-%u", (unsigned)(agent % FLEET_NAMESPACES));
    put_entry(b, 4, "namespace", text);
}

static void basic(const char *user, const char *token, char *out, size_t size)
{
    struct arena *a = arena_new(4096);
    struct str text = base64_encode(a, BASE64_STD, arena_printf(a, "%s:%s", user, token));

    snprintf(out, size, "%.*s", STR_ARG(text));
    arena_free(&a);
}

void fleet_init(struct fleet *f, size_t count, uint16_t port, const char *agent_token,
                const char *manager_token)
{
    *f = (struct fleet){.count = count, .edition = 1, .run = (unsigned)random_u64()};
    f->hashes = heap_calloc(count, sizeof(*f->hashes));
    f->editions = heap_new_array(uint8_t, count);
    snprintf(f->host, sizeof(f->host), "127.0.0.1:%u", port);
    basic("fleet", agent_token, f->basic, sizeof(f->basic));
    basic("manager", manager_token, f->manager, sizeof(f->manager));
    buf_init(&f->body, TEXT_MAX);
    buf_init(&f->out, TEXT_MAX);
}

void fleet_done(struct fleet *f)
{
    buf_done(&f->body);
    buf_done(&f->out);
    free(f->hashes);
    free(f->editions);
    free(f->logins);
}

bool fleet_learn(struct fleet *f, size_t agent, struct str hash)
{
    if (hash.len != 64 || hex_parse(hash, f->hashes[agent], 32) < 0)
        return false;
    f->editions[agent] = f->edition;
    return true;
}

/* --- what they send --- */

static struct str finish(struct fleet *f, const char *path, const char *credential, bool gzip)
{
    buf_clear(&f->out);
    buf_printf(&f->out,
               "POST /%s HTTP/1.1\r\nHost: %s\r\n"
               "User-Agent: Alloy/v1.18.0 (linux; docker)\r\n"
               "Content-Length: %zu\r\nAuthorization: Basic %s\r\n"
               "Connect-Protocol-Version: 1\r\nContent-Type: application/proto\r\n"
               "%s\r\n",
               path, f->host, f->body.len, credential, gzip ? "Accept-Encoding: gzip\r\n" : "");
    buf_put_str(&f->out, buf_str(&f->body));
    return buf_str(&f->out);
}

/* A status, and what the agent runs: few texts, for it is the same for many. */
static void put_report(struct buf *b, size_t agent)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "prometheus.remote_write \"central\" {\n\tendpoint {\n\t\turl = "
                       "\"http://metrics.team-%u.example/api/v1/write\"\n\t}\n}\n",
                       (unsigned)(mix(agent) >> 36) % FLEET_TEAMS);
    size_t file = bytes_size((size_t)len);
    size_t entry = bytes_size(0) + bytes_size(file);

    put_bytes(b, 5, STR("\x08\x01"));
    put_varint(b, 6 << 3 | 2);
    put_varint(b, bytes_size(bytes_size(entry)));
    put_varint(b, 1 << 3 | 2);
    put_varint(b, bytes_size(entry));
    put_varint(b, 1 << 3 | 2);
    put_varint(b, entry);
    put_bytes(b, 1, STR(""));
    put_varint(b, 2 << 3 | 2);
    put_varint(b, file);
    put_bytes(b, 1, str_make(text, (size_t)len));
}

struct str fleet_request(struct fleet *f, size_t agent, enum fleet_request kind)
{
    char text[64];
    struct buf *b = &f->body;

    buf_clear(b);
    name_of(agent, text);
    put_bytes(b, 1, str_of(text));
    if (kind == FLEET_REGISTER) {
        snprintf(text, sizeof(text), "node-%07zu", agent);
        put_bytes(b, 3, str_of(text));
        put_attributes(b, agent);
        return finish(f, "collector.v1.CollectorService/RegisterCollector", f->basic, true);
    }
    if (kind != FLEET_FIRST && f->editions[agent] != 0) {
        hex_print(f->hashes[agent], 32, text);
        put_bytes(b, 3, str_make(text, 64));
    }
    put_attributes(b, agent);
    if (kind == FLEET_FIRST)
        put_bytes(b, 5, STR(""));
    if (kind == FLEET_REPORT)
        put_report(b, agent);
    return finish(f, "collector.v1.CollectorService/GetConfig", f->basic, kind == FLEET_POLL);
}

static void put_contents(struct buf *b, size_t number, unsigned run, unsigned edition)
{
    char text[1024];
    int len = snprintf(
        text, sizeof(text),
        "// edition %u of run %u\nprometheus.exporter.unix \"host\" { }\n\n"
        "prometheus.scrape \"host\" {\n\ttargets         = prometheus.exporter.unix.host.targets\n"
        "\tforward_to      = [prometheus.remote_write.central.receiver]\n"
        "\tscrape_interval = \"60s\"\n}\n\nprometheus.remote_write \"central\" {\n\tendpoint {\n"
        "\t\turl = \"http://metrics-%zu.example:9090/api/v1/write\"\n\t}\n"
        "\texternal_labels = { \"pipeline\" = \"p%zu\" }\n}\n",
        edition, run, number, number);

    put_bytes(b, 2, str_make(text, (size_t)len));
}

struct str fleet_pipeline(struct fleet *f, size_t number, unsigned edition)
{
    struct buf inner;
    char text[64];

    buf_init(&inner, TEXT_MAX);
    snprintf(text, sizeof(text), "pipeline_%03zu", number);
    put_bytes(&inner, 1, str_of(text));
    put_contents(&inner, number, f->run, edition);
    if (number == 0) {
        put_bytes(&inner, 3, STR("collector.os=~\".+\""));
    } else if (number <= FLEET_TEAMS) {
        snprintf(text, sizeof(text), "team=\"team-%zu\"", number - 1);
        put_bytes(&inner, 3, str_of(text));
    } else {
        snprintf(text, sizeof(text), "cluster=\"cluster-%zu\"", number % FLEET_CLUSTERS);
        put_bytes(&inner, 3, str_of(text));
        put_bytes(&inner, 3, STR("env=~\"prod|staging\""));
    }
    buf_clear(&f->body);
    put_bytes(&f->body, 1, buf_str(&inner));
    buf_done(&inner);
    return finish(f, "pipeline.v1.PipelineService/UpsertPipeline", f->manager, false);
}

struct str fleet_list(struct fleet *f, const char *matcher)
{
    buf_clear(&f->body);
    put_bytes(&f->body, 1, str_of(matcher));
    return finish(f, "collector.v1.CollectorService/ListCollectors", f->manager, false);
}

/* --- installed collectors --- */

void fleet_hire(struct fleet *f, size_t collectors)
{
    free(f->logins);
    f->collectors = collectors;
    f->logins = heap_calloc(collectors, sizeof(*f->logins));
}

static struct str finish_plain(struct fleet *f, const char *path, const char *scheme,
                               const char *credential)
{
    buf_clear(&f->out);
    buf_printf(&f->out,
               "POST /api/v1/collector/%s HTTP/1.1\r\nHost: %s\r\n"
               "User-Agent: otelcol-sumo\r\nContent-Length: %zu\r\nAuthorization: %s %s\r\n"
               "Accept: application/json\r\nContent-Type: application/json\r\n\r\n",
               path, f->host, f->body.len, scheme, credential);
    buf_put_str(&f->out, buf_str(&f->body));
    return buf_str(&f->out);
}

/* Clobber: another run on the same data takes the names over. */
struct str fleet_enroll(struct fleet *f, size_t collector, const char *token)
{
    buf_clear(&f->body);
    buf_printf(&f->body,
               "{\"collectorName\":\"otelcol-%07zu\",\"hostname\":\"host-%07zu.prod.example\","
               "\"clobber\":true,\"ephemeral\":false,\"timeZone\":\"UTC\","
               "\"fields\":{\"team\":\"team-%zu\",\"env\":\"prod\"}}",
               collector, collector, collector % FLEET_TEAMS);
    return finish_plain(f, "register", "Bearer", token);
}

struct str fleet_beat(struct fleet *f, size_t collector)
{
    buf_clear(&f->body);
    return finish_plain(f, "heartbeat", "Basic", f->logins[collector]);
}

/* The value of a string member that needs no unescaping. */
static bool get_text(struct str json, const char *name, char *out, size_t size)
{
    char key[64];
    int len = snprintf(key, sizeof(key), "\"%s\":\"", name);
    const char *at = memmem(json.p, json.len, key, (size_t)len);

    if (!at)
        return false;
    at += len;

    size_t left = json.len - (size_t)(at - json.p);
    const char *stop = memchr(at, '"', left);

    if (!stop || stop == at || (size_t)(stop - at) >= size)
        return false;
    snprintf(out, size, "%.*s", (int)(stop - at), at);
    return true;
}

bool fleet_enrolled(struct fleet *f, size_t collector, struct str body)
{
    char id[64];
    char key[128];

    if (!get_text(body, "collectorCredentialId", id, sizeof(id)) ||
        !get_text(body, "collectorCredentialKey", key, sizeof(key)) ||
        strlen(id) + strlen(key) > (FLEET_LOGIN - 1) / 4 * 3 - 3)
        return false;
    basic(id, key, f->logins[collector], FLEET_LOGIN);
    return true;
}
