/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread takes the signals, all others block them: SIGHUP reloads, SIGTERM and SIGINT
 * drain and end, and once more end at once. */
#include "server/serve.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/config.h"
#include "server/notify.h"
#include "server/server.h"

struct serving {
    struct cli *cli;
    struct args args;
    struct clock *clock;
    struct logger *logger;
    struct log log;
    struct config *config;
    struct server *server;
    sigset_t signals;
};

static struct config *load(struct serving *v, struct config_problems *p)
{
    return config_load(&v->args, v->cli->env, p);
}

/* Every connection needs a descriptor; the soft limit is often a small one for old programs. */
static void raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        IGNORE(setrlimit(RLIMIT_NOFILE, &files));
    }
}

/* Before any thread is made, so that all of them inherit the mask. */
static void take_signals(struct serving *v)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL); /* a file that may not grow is a full disk */
    sigemptyset(&v->signals);
    sigaddset(&v->signals, SIGTERM);
    sigaddset(&v->signals, SIGINT);
    sigaddset(&v->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &v->signals, NULL);
}

static void end_at_once(int signal)
{
    (void)signal;
    _exit(EXIT_CODE_FAILURE);
}

/* From here on a second SIGTERM or SIGINT does not wait for anything. */
static void arm_second_signal(void)
{
    struct sigaction end = {.sa_handler = end_at_once};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void log_problems(struct serving *v, const struct config_problems *p)
{
    for (struct str rest = buf_str(&p->text); rest.len > 0;)
        log_error(&v->log, "configuration not reloaded", KV_SLICE("error", str_cut(&rest, '\n')));
}

static void reload(struct serving *v)
{
    struct config_problems p;
    struct fail f = {0};
    char state[64];

    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)clock_mono_us(v->clock));
    notify_send(state);
    config_problems_init(&p);

    struct config *fresh = load(v, &p);

    if (fresh && config_may_become(v->config, fresh, &p) && server_reload(v->server, fresh, &f) < 0)
        config_problem(&p, "%s%s%s", f.message, f.detail[0] ? ": " : "", f.detail);
    if (p.count == 0) {
        struct config *old = v->config;

        assert(fresh); /* load() names a problem when it has nothing to give */
        v->config = fresh;
        config_free(&old);
        log_info(&v->log, "configuration reloaded", KV_STR("file", v->config->file_name));
    } else {
        log_problems(v, &p);
        config_free(&fresh);
    }
    config_problems_done(&p);
    log_flush(v->logger);
    notify_send("READY=1");
}

/* The next signal, or 0 when the time is up. */
static int wait_signal(const struct serving *v, int64_t us)
{
    struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    int signal = us > 0 ? sigtimedwait(&v->signals, NULL, &wait) : sigwaitinfo(&v->signals, NULL);

    return signal > 0 ? signal : 0;
}

/* Returns when it is time to end. */
static void watch(struct serving *v)
{
    int64_t watchdog_us = notify_watchdog_us() / 3;

    for (;;) {
        int signal = wait_signal(v, watchdog_us);

        if (signal == SIGTERM || signal == SIGINT) {
            log_info(&v->log, "stopping", KV_STR("signal", signal == SIGTERM ? "TERM" : "INT"));
            log_flush(v->logger);
            return;
        }
        if (signal == SIGHUP)
            reload(v);
        if (signal == 0 && watchdog_us > 0 && server_is_alive(v->server))
            notify_send("WATCHDOG=1");
    }
}

/* Time for load balancers to notice that we are not ready. */
static void linger(const struct serving *v)
{
    int64_t until_us = clock_mono_us(v->clock) + v->config->drain_delay_us;

    for (;;) {
        int64_t left_us = until_us - clock_mono_us(v->clock);
        int signal = left_us > 0 ? wait_signal(v, left_us) : 0;

        if (signal == SIGTERM || signal == SIGINT)
            end_at_once(signal);
        if (left_us <= 0)
            return;
    }
}

static enum exit_code run(struct serving *v)
{
    const struct server_host host = {v->clock, v->logger, &v->log};
    struct fail f = {0};
    enum exit_code code = server_start(&host, v->config, &v->server, &f);

    if (code != EXIT_CODE_OK) {
        log_error(&v->log, "cannot start", KV_STR("error", f.message), KV_STR("detail", f.detail),
                  KV_INT("exit_code", code));
        return code;
    }
    notify_send("READY=1");
    watch(v);
    notify_send("STOPPING=1");
    server_lame(v->server);
    linger(v);
    arm_second_signal();
    if (!server_drain(v->server))
        log_warn(&v->log, "requests were cut when the time to drain was over",
                 KV_INT("drain_timeout_ms", v->config->drain_timeout_us / 1000));
    server_free(&v->server);
    log_info(&v->log, "stopped", KV_INT("exit_code", EXIT_CODE_OK));
    return EXIT_CODE_OK;
}

static enum log_format format_of(const struct config *c)
{
    switch (c->log_format) {
    case 1: return LOGFORMAT_LOGFMT;
    case 2: return LOGFORMAT_JSON;
    default: return isatty(STDERR_FILENO) ? LOGFORMAT_LOGFMT : LOGFORMAT_JSON;
    }
}

enum exit_code serve_command(struct cli *cli, const struct cli_command *self, int argc,
                             char *const *argv)
{
    struct serving v = {.cli = cli};
    struct config_problems p;
    enum exit_code code;
    size_t count;
    const struct args_flag *flags = config_flags(cli->arena, NULL, 0, &count);

    if (!cli_args(cli, self, flags, count, 0, 0, argc, argv, &v.args, &code))
        return code;
    config_problems_init(&p);
    v.config = load(&v, &p);
    if (!v.config)
        code = cli_fail(cli, EXIT_CODE_USAGE, "wrong configuration\n%.*s",
                        STR_ARG(config_problems_text(&p)));
    config_problems_done(&p);
    if (!v.config)
        return code;

    umask(S_IRWXG | S_IRWXO);
    raise_file_limit();
    take_signals(&v);
    v.clock = clock_new_real();
    v.logger =
        logger_new(cli->err, format_of(v.config), (enum log_level)v.config->log_level, v.clock);
    v.log = (struct log){.out = v.logger};
    code = run(&v);
    log_flush(v.logger);
    config_free(&v.config);
    logger_free(&v.logger);
    clock_free(&v.clock);
    return code;
}
