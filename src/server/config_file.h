/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file's syntax, and nothing of its meaning:
 *
 *   # a comment, to the end of the line
 *   listen = 127.0.0.1:8080        # also behind a value, after a blank
 *   tls.cert = "/etc/muster/a #1.pem"
 *   [limits]                       # the keys below begin with "limits."
 *   headers = 64KiB
 *
 * A value may stand in double quotes, where \" and \\ are a quote and a backslash. Pure, any
 * thread; settings live in the arena or in the text. */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "server/config.h"

#define CONFIG_FILE_MAX_BYTES ((size_t)1 << 20)
#define CONFIG_FILE_MAX_LINE  ((size_t)8192)

struct config_setting {
    struct str key; /* with its section in front */
    struct str value;
    unsigned line; /* from 1 */
};

/* Calls fn for each setting in order. What is malformed becomes a problem that begins with
 * "name:line: ". Goes on after a malformed line. */
void config_file_parse(struct arena *a, const char *name, struct str text,
                       void (*fn)(void *arg, const struct config_setting *setting), void *arg,
                       struct config_problems *p);

/* Reads a whole file of bounded size. -1 with a problem that names it. */
int config_file_read(struct arena *a, const char *path, struct str *text, struct config_problems *p)
    MUST_CHECK;

#endif
