/* SPDX-License-Identifier: Apache-2.0 */
/* The table of configuration keys, one row each, in the order of the documentation. No include
 * guard: whoever includes it defines
 *
 *   KEY(kind, field, name, default, min, max, choices, flags, text)
 *
 * first; the macro is gone afterwards. A row's default must be its own shortest spelling. */
#define TEXT_KEY(field, name, initial, flags, text)                                                \
    KEY(STRING, field, name, initial, 0, 0, NULL, flags, text)
#define PATH_KEY(field, name, initial, flags, text)                                                \
    KEY(PATH, field, name, initial, 0, 0, NULL, flags, text)
#define BOOL_KEY(field, name, initial, flags, text)                                                \
    KEY(BOOL, field, name, initial, 0, 0, NULL, flags, text)
#define INT_KEY(field, name, initial, min, max, flags, text)                                       \
    KEY(INT, field, name, initial, min, max, NULL, flags, text)
#define SIZE_KEY(field, name, initial, min, max, flags, text)                                      \
    KEY(SIZE, field, name, initial, min, max, NULL, flags, text)
#define TIME_KEY(field, name, initial, min, max, flags, text)                                      \
    KEY(DURATION, field, name, initial, min, max, NULL, flags, text)
#define ENUM_KEY(field, name, initial, choices, flags, text)                                       \
    KEY(ENUM, field, name, initial, 0, 0, choices, flags, text)
#define LIST_KEY(field, name, initial, max, flags, text)                                           \
    KEY(LIST, field, name, initial, 0, max, NULL, flags, text)

#define LIVE  CONFIG_RELOADABLE
#define FIXED 0
#define KIB   (INT64_C(1) << 10)
#define MIB   (INT64_C(1) << 20)
#define GIB   (INT64_C(1) << 30)
#define MSEC  INT64_C(1000)
#define SEC   INT64_C(1000000)
#define HOUR  (3600 * SEC)
#define DAY   (24 * HOUR)

/* The limits of one dialect, for each key and for each tenant. */
#define RATE_KEYS(dialect, per_second, burst, concurrent)                                          \
    INT_KEY(rate_##dialect##_key_per_second, "rate." #dialect ".key_per_second", per_second, 0,    \
            1000000, LIVE,                                                                         \
            "Requests a second that one key may make on the " #dialect                             \
            " interface on average; more are answered with 429. 0: any number.")                   \
    INT_KEY(rate_##dialect##_key_burst, "rate." #dialect ".key_burst", burst, 0, 1000000, LIVE,    \
            "Requests that one key may make at once on the " #dialect                              \
            " interface after it was quiet. 0: as many as in one second.")                         \
    INT_KEY(rate_##dialect##_key_concurrent, "rate." #dialect ".key_concurrent", concurrent, 0,    \
            1000000, LIVE,                                                                         \
            "Requests of one key on the " #dialect                                                 \
            " interface that are worked on at a time. 0: any number.")                             \
    INT_KEY(rate_##dialect##_tenant_per_second, "rate." #dialect ".tenant_per_second", "0", 0,     \
            1000000, LIVE,                                                                         \
            "Requests a second that all keys of one tenant may make together on the " #dialect     \
            " interface on average. 0: any number.")                                               \
    INT_KEY(rate_##dialect##_tenant_burst, "rate." #dialect ".tenant_burst", "0", 0, 1000000,      \
            LIVE,                                                                                  \
            "Requests that all keys of one tenant may make at once on the " #dialect               \
            " interface after they were quiet. 0: as many as in one second.")                      \
    INT_KEY(rate_##dialect##_tenant_concurrent, "rate." #dialect ".tenant_concurrent", "0", 0,     \
            1000000, LIVE,                                                                         \
            "Requests of all keys of one tenant on the " #dialect                                  \
            " interface that are worked on at a time. 0: any number.")

/* clang-format off */

LIST_KEY(listen, "listen", "127.0.0.1:8080", 64, FIXED,
    "Addresses to listen on, each ADDRESS:PORT for clear text or tls://ADDRESS:PORT. IPv6 addresses "
    "stand in brackets; port 0 takes a free one. HTTP/1.1 and HTTP/2 are spoken on every port.")
PATH_KEY(data, "data", "./data", FIXED,
    "The data directory: the database, the admin socket and the first credentials. Made when it "
    "does not exist. Only one server uses it at a time.")
PATH_KEY(config_file, "config", "", CONFIG_NOT_IN_FILE,
    "The configuration file. Relative paths, here and in the file, start at the working directory.")
BOOL_KEY(insecure, "insecure", "false", FIXED,
    "Permits clear-text listeners on addresses that other machines can reach. Keys and data then "
    "travel unprotected; meant for a server behind a proxy that speaks TLS.")
INT_KEY(loops, "loops", "0", 0, 256, FIXED,
    "Threads that serve connections. 0: one for each processor.")
INT_KEY(workers, "workers", "0", 0, 1024, FIXED,
    "Threads that run requests which read the database or compute. 0: two for each processor, at "
    "least four.")
INT_KEY(workers_queue, "workers_queue", "4096", 1, 1000000, FIXED,
    "Requests that may wait for a worker thread; more are answered with 503.")
TIME_KEY(drain_delay_us, "drain_delay", "0", 0, HOUR, LIVE,
    "How long connections are still accepted after SIGTERM while /readyz says 503, so that a load "
    "balancer has time to look elsewhere.")
TIME_KEY(drain_timeout_us, "drain_timeout", "30s", 0, HOUR, LIVE,
    "How long running requests may go on, once nothing is accepted any more, before their "
    "connections are closed.")

ENUM_KEY(log_level, "log.level", "info", "debug|info|warn|error|off", LIVE,
    "The least important lines that are still logged.")
ENUM_KEY(log_format, "log.format", "auto", "auto|logfmt|json", FIXED,
    "How lines are written to standard error. auto: logfmt on a terminal, JSON otherwise.")

PATH_KEY(tls_cert, "tls.cert", "", LIVE,
    "The certificate chain in PEM form, the server's own first. Read again on SIGHUP.")
PATH_KEY(tls_key, "tls.key", "", LIVE,
    "The private key of the certificate in PEM form. Read again on SIGHUP.")
PATH_KEY(tls_client_ca, "tls.client_ca", "", LIVE,
    "Certificates in PEM form of the authorities that sign client certificates. Read again on "
    "SIGHUP.")
ENUM_KEY(tls_client_auth, "tls.client_auth", "none", "none|optional|required", LIVE,
    "Whether clients are asked for a certificate, and refused when they have none.")
ENUM_KEY(tls_min_version, "tls.min_version", "1.2", "1.2|1.3", LIVE,
    "The oldest TLS version that is spoken.")

INT_KEY(limits_connections, "limits.connections", "200000", 1, 10000000, FIXED,
    "Connections at a time over all listeners; more are closed at once.")
SIZE_KEY(limits_request_line, "limits.request_line", "32KiB", 256, 64 * KIB, LIVE,
    "Longest request line (method, target and version); longer ones are answered with 414.")
SIZE_KEY(limits_headers, "limits.headers", "64KiB", KIB, MIB, LIVE,
    "Largest sum of a request's header fields; larger ones are answered with 431.")
INT_KEY(limits_header_count, "limits.header_count", "100", 8, 1000, LIVE,
    "Most header fields of a request; more are answered with 431.")
INT_KEY(limits_streams, "limits.streams", "256", 1, 10000, LIVE,
    "Requests at a time on one HTTP/2 connection.")
SIZE_KEY(limits_min_rate, "limits.min_rate", "256", 0, GIB, LIVE,
    "Bytes a second that a client must send of a body, or take of an answer, once the timeout's "
    "length has passed; slower ones are closed. 0: any pace.")
SIZE_KEY(limits_output, "limits.output", "64KiB", 4 * KIB, 64 * MIB, LIVE,
    "Bytes of answers that wait in memory for one slow client before no more are made.")

INT_KEY(h2_resets, "h2.resets", "1000", 1, 1000000, LIVE,
    "Streams that an HTTP/2 client may reset in 10 seconds before its connection is closed. This "
    "and the following ceilings end floods of frames that cost a client little and us much.")
INT_KEY(h2_pings, "h2.pings", "200", 1, 1000000, LIVE,
    "PING frames that an HTTP/2 client may send in 10 seconds.")
INT_KEY(h2_settings, "h2.settings", "100", 1, 1000000, LIVE,
    "SETTINGS frames that an HTTP/2 client may send in 10 seconds.")
INT_KEY(h2_priorities, "h2.priorities", "2000", 1, 1000000, LIVE,
    "PRIORITY frames that an HTTP/2 client may send in 10 seconds.")
INT_KEY(h2_empty_data, "h2.empty_data", "200", 1, 1000000, LIVE,
    "DATA frames without data or end that an HTTP/2 client may send in 10 seconds.")
INT_KEY(h2_continuations, "h2.continuations", "500", 1, 1000000, LIVE,
    "CONTINUATION frames that an HTTP/2 client may send in 10 seconds.")
INT_KEY(h2_window_updates, "h2.window_updates", "10000", 1, 1000000, LIVE,
    "WINDOW_UPDATE frames that an HTTP/2 client may send in 10 seconds beyond those that the "
    "answers explain.")
INT_KEY(h2_stalls, "h2.stalls", "64", 1, 1000000, LIVE,
    "Streams whose window an HTTP/2 client may leave shut for timeouts.write in 10 seconds.")

TIME_KEY(timeouts_header_us, "timeouts.header", "10s", 100 * MSEC, HOUR, LIVE,
    "From the first byte of a request, or from the connection's start, to the end of its header; "
    "includes the TLS handshake.")
TIME_KEY(timeouts_body_us, "timeouts.body", "30s", 100 * MSEC, HOUR, LIVE,
    "Longest pause between two pieces of a request's body.")
TIME_KEY(timeouts_idle_us, "timeouts.idle", "2m", 100 * MSEC, DAY, LIVE,
    "How long a connection without a request stays open.")
TIME_KEY(timeouts_write_us, "timeouts.write", "30s", 100 * MSEC, HOUR, LIVE,
    "How long a client may take nothing of an answer that waits for it.")
TIME_KEY(timeouts_request_us, "timeouts.request", "30s", 0, DAY, FIXED,
    "Deadline of a request that names none itself. 0: none.")

SIZE_KEY(answers_compress_above, "answers.compress_above", "1KiB", 0, GIB, FIXED,
    "Answers of at least this size are compressed for clients that accept gzip. 0: never.")

INT_KEY(store_queue, "store.queue", "8192", 16, 1000000, FIXED,
    "Changes that may wait to be written; more are answered with 503.")
INT_KEY(store_batch, "store.batch", "512", 1, 100000, FIXED,
    "Most changes that are made durable with one write to the disk.")
INT_KEY(store_readers, "store.readers", "0", 0, 1024, FIXED,
    "Database connections for reading. 0: one for each worker thread and two more.")
INT_KEY(store_checkpoint_pages, "store.checkpoint_pages", "4000", 100, 10000000, FIXED,
    "Pages in the write-ahead log after which it is moved into the database file.")
TIME_KEY(store_last_used_interval_us, "store.last_used_interval", "30s", SEC, DAY, FIXED,
    "How often the times at which keys were last used are written down. A crash loses at most this "
    "much of them, and nothing else.")

TIME_KEY(events_keep_us, "events.keep", "90d", HOUR, 3650 * DAY, LIVE,
    "How long events (the audit log) are kept.")

TIME_KEY(tasks_keep_us, "tasks.keep", "7d", HOUR, 3650 * DAY, LIVE,
    "How long tasks that have ended are kept.")
TIME_KEY(tasks_poll_us, "tasks.poll", "10s", 100 * MSEC, HOUR, FIXED,
    "How often the scheduler looks for tasks that are due, at least; a new task wakes it at once.")
TIME_KEY(tasks_lease_us, "tasks.lease", "1m", SEC, DAY, FIXED,
    "How long a task belongs to the thread that took it before another may take it over.")
TIME_KEY(tasks_retry_us, "tasks.retry", "5s", 100 * MSEC, DAY, FIXED,
    "Pause before the second attempt of a task that failed; it doubles with each further one.")
TIME_KEY(tasks_retry_max_us, "tasks.retry_max", "10m", SEC, 7 * DAY, FIXED,
    "Longest pause between two attempts of a task.")
TIME_KEY(agents_inactive_after_us, "agents.inactive_after", "30m", SEC, 365 * DAY, LIVE,
    "Silence after which an agent is shown as inactive. It stays known and is served as before.")
TIME_KEY(agents_expire_after_us, "agents.expire_after", "0", 0, 3650 * DAY, LIVE,
    "Silence after which an agent is forgotten, with what was decided about it. 0: never.")
TIME_KEY(agents_seen_interval_us, "agents.seen_interval", "30s", 100 * MSEC, HOUR, FIXED,
    "How often the times at which agents were last seen are written down, and silent ones looked "
    "for. A crash loses at most this much of them, and nothing else.")

ENUM_KEY(fleet_empty_matchers, "fleet.empty_matchers", "none", "none|all", FIXED,
    "Which agents a pipeline without matchers goes to.")
ENUM_KEY(fleet_empty_config, "fleet.empty_config", "comment", "comment|empty", FIXED,
    "What an agent gets that is disabled or that no pipeline matches. Alloy ignores an empty "
    "configuration and goes on with the one it has; a comment clears it.")
INT_KEY(fleet_local_attributes_max, "fleet.local_attributes_max", "22", 0, 1000, LIVE,
    "Local attributes that an agent may have, not counting those that begin with \"collector.\". "
    "0: as many as can be kept.")
INT_KEY(fleet_collectors_max, "fleet.collectors_max", "0", 0, 1000000000, LIVE,
    "Collectors that one tenant may have; agents beyond that get their configuration but cannot "
    "register. 0: any number.")
INT_KEY(fleet_pipelines_max, "fleet.pipelines_max", "0", 0, 1000000, LIVE,
    "Pipelines that one tenant may have. 0: any number.")
SIZE_KEY(fleet_text_cache_bytes, "fleet.text_cache_bytes", "64MiB", MIB, 64 * GIB, FIXED,
    "Memory for configurations whose text depends on an agent's attributes. What does not fit is "
    "made anew when it is asked for.")

TIME_KEY(sumologic_alive_after_us, "sumologic.alive_after", "30m", SEC, 365 * DAY, FIXED,
    "Silence after which an installed collector is no longer shown as alive.")
TIME_KEY(sumologic_ephemeral_after_us, "sumologic.ephemeral_after", "12h", SEC, 3650 * DAY, FIXED,
    "Silence after which a collector that registered as ephemeral is deleted.")
TIME_KEY(sumologic_upgrade_timeout_us, "sumologic.upgrade_timeout", "30m", SEC, 30 * DAY, FIXED,
    "How long an upgrade may take from its request until the collector says that it runs the "
    "version; later it has failed.")
INT_KEY(sumologic_failed_registrations, "sumologic.failed_registrations_per_minute", "10", 0,
    1000000, FIXED,
    "Registrations from one address that may fail in a minute before more of them are answered with "
    "429, which makes a collector whose credential and token are both dead pause between its "
    "attempts. Those that succeed are not counted. 0: any number.")
TEXT_KEY(sumologic_public_url, "sumologic.public_url", "", FIXED,
    "How clients reach this server, as \"https://muster.example:8443\": the beginning of the URLs "
    "that sources take data by. Empty: the address that the request was sent to.")

SIZE_KEY(receiver_max_body, "receiver.max_body", "16MiB", KIB, 128 * MIB, FIXED,
    "The most data that one request may bring to a source, packed or not; more is answered with "
    "413.")
SIZE_KEY(receiver_memory, "receiver.memory", "1GiB", MIB, 1024 * GIB, FIXED,
    "The memory that data may take up while it is coming in, of all requests together; senders "
    "beyond it are answered with 503. Packed data counts as sixteen times its size, or what it turns "
    "out to be, and data of unknown size as receiver.max_body.")
SIZE_KEY(spool_segment_bytes, "spool.segment_bytes", "64MiB", 64 * KIB, 4 * GIB, FIXED,
    "Received data waits for its sinks in files of this size, which are deleted as a whole. At most "
    "a quarter of spool.total_bytes.")
SIZE_KEY(spool_total_bytes, "spool.total_bytes", "4GiB", MIB, 1024 * GIB, FIXED,
    "What all of these files may take up. When the sinks cannot keep up and it is reached, senders "
    "are answered with 429 until there is room again.")
SIZE_KEY(spool_queue_bytes, "spool.queue_bytes", "64MiB", MIB, 16 * GIB, FIXED,
    "Received data in memory that waits for the disk; more is answered with 503.")

LIST_KEY(sink_targets, "sink.targets", "received=file:received.ndjson", 64, FIXED,
    "Where received data goes, each as NAME=TARGET: file:PATH (JSON lines; a path that is not "
    "absolute lies in the data directory) or an http or https URL, which outbound.allow must permit. "
    "Each sink gets all of it, at least once and in order; its place is kept by its name. Empty: "
    "data is taken and thrown away.")
TIME_KEY(sink_retry_us, "sink.retry", "500ms", 10 * MSEC, HOUR, FIXED,
    "The first pause after a target could not take data; each further one is twice as long.")
TIME_KEY(sink_retry_max_us, "sink.retry_max", "1m", 10 * MSEC, DAY, FIXED,
    "The longest of these pauses.")
SIZE_KEY(sink_batch_bytes, "sink.batch_bytes", "1MiB", 4 * KIB, 64 * MIB, FIXED,
    "About how much a sink delivers at once.")

INT_KEY(rate_entries, "rate.entries", "100000", 100, 100000000, FIXED,
    "Keys and tenants whose rates are remembered; the one that was quiet longest makes room.")
RATE_KEYS(admin, "0", "0", "0")
INT_KEY(rate_fleet_collector_per_second, "rate.fleet.collector_per_second", "0", 0, 1000000, LIVE,
    "Requests for configuration a second that one key may make on average, from all agents that use "
    "it; more are answered with 429. Registrations are never refused. 0: any number.")
INT_KEY(rate_fleet_collector_burst, "rate.fleet.collector_burst", "0", 0, 1000000, LIVE,
    "Requests for configuration that one key may make at once after it was quiet. 0: as many as in "
    "one second.")
INT_KEY(rate_fleet_api_per_second, "rate.fleet.api_per_second", "0", 0, 1000000, LIVE,
    "Requests a second that one key may make on average to manage collectors and pipelines; more "
    "are answered with 429. 0: any number.")
INT_KEY(rate_fleet_api_burst, "rate.fleet.api_burst", "0", 0, 1000000, LIVE,
    "Requests that one key may make at once to manage collectors and pipelines after it was quiet. "
    "0: as many as in one second.")

INT_KEY(rate_sumologic_key_per_minute, "rate.sumologic.key_per_minute", "240", 0, 1000000, LIVE,
    "Requests that one key may make in any minute to manage collectors, sources, upgrades and "
    "tokens the Sumo Logic way; more are answered with 429. Registrations, heartbeats and data are "
    "not counted. 0: any number.")
INT_KEY(rate_sumologic_key_concurrent, "rate.sumologic.key_concurrent", "10", 0, 1000000, LIVE,
    "Such requests of one key that are worked on at a time. 0: any number.")
INT_KEY(rate_sumologic_tenant_per_minute, "rate.sumologic.tenant_per_minute", "0", 0, 1000000, LIVE,
    "Such requests that all keys of one tenant may make together in any minute. 0: any number.")

INT_KEY(rate_package_downloads, "rate.package.downloads", "0", 0, 1000000, LIVE,
    "Files of builds that the agents of one tenant may fetch at a time; one more is answered with "
    "429 and fetched later. 0: any number.")

BOOL_KEY(metrics_open, "metrics.open", "false", FIXED,
    "Shows /metrics to callers on other machines without a key, too.")

LIST_KEY(reflection_services, "reflection.services", "", 64, FIXED,
    "Services that gRPC reflection lists, by full name; PORT=NAME lists one on that listener alone, "
    "where the others are not listed then. Some clients know services by their last name only and "
    "want one package a port. Empty: every listener lists all of them.")

LIST_KEY(outbound_allow, "outbound.allow", "", 1024, LIVE,
    "Networks (10.0.0.0/8), addresses and host names (*.example.com) that the server may call, each "
    "with an optional port. Empty: it calls nobody.")

/* clang-format on */

#undef TEXT_KEY
#undef PATH_KEY
#undef BOOL_KEY
#undef INT_KEY
#undef SIZE_KEY
#undef TIME_KEY
#undef ENUM_KEY
#undef LIST_KEY
#undef RATE_KEYS
#undef LIVE
#undef FIXED
#undef KIB
#undef MIB
#undef GIB
#undef MSEC
#undef SEC
#undef HOUR
#undef DAY
#undef KEY
