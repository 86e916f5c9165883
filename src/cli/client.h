/* SPDX-License-Identifier: Apache-2.0 */
/* How the commands reach a running server: through the admin socket in its data directory, or a URL
 * with a key. Over libcurl, one request at a time. What goes wrong is printed here, with what to do
 * about it, and becomes an exit code. Main thread. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "base/str.h"
#include "cli/args.h"
#include "cli/cli.h"

struct client;
struct json_value;

#define CLIENT_FLAG_COUNT 5

/* --data, --server, --key, --ca, --insecure: every command that talks to a server has them. */
extern const struct args_flag client_flags[CLIENT_FLAG_COUNT];

/* The command's own flags with those of the client behind them. */
const struct args_flag *client_flags_with(struct arena *a, const struct args_flag *own,
                                          size_t own_count, size_t *count) RETURNS_NONNULL;

/* Decides where the server is; nothing is sent yet. NULL: *code is how to end. */
struct client *client_new(struct cli *cli, const struct args *args, enum exit_code *code)
    MUST_CHECK;
void client_free(struct client **c);

/* One JSON call. `body` empty: none. The answer lives in the cli's arena; NULL when it is empty. */
enum exit_code client_call(struct client *c, const char *method, struct str path, struct str body,
                           struct json_value **answer) MUST_CHECK;

/* Same without a body, for what takes as long as it takes. */
enum exit_code client_call_long(struct client *c, const char *method, struct str path,
                                struct json_value **answer) MUST_CHECK;

/* Same as client_call(), but when the server says that there is no such thing, only the code tells.
 */
enum exit_code client_ask(struct client *c, const char *method, struct str path, struct str body,
                          struct json_value **answer) MUST_CHECK;

/* A GET that also says the entity's tag, empty when there is none; like client_ask() where there is
 * no such thing. */
enum exit_code client_get_tagged(struct client *c, struct str path, struct str *tag,
                                 struct json_value **answer) MUST_CHECK;

/* A PUT that counts only while the entity still has this tag. */
enum exit_code client_put_tagged(struct client *c, struct str path, struct str tag, struct str body,
                                 struct json_value **answer) MUST_CHECK;

/* All pages of a list: GETs `path` (with or without a query) again with each next_page_token, and
 * puts the items of the array `member` behind those that are in `list`. */
enum exit_code client_list(struct client *c, struct str path, const char *member,
                           struct json_value *list) MUST_CHECK;

/* Puts the items of one array, all of them, behind those that are in `list`. */
void client_move_items(const struct json_value *from, struct json_value *list);

/* Streams the body of a GET to a file descriptor; *bytes says how much came. Succeeds only when the
 * answer was complete; like client_ask() where there is no such thing. */
enum exit_code client_download(struct client *c, struct str path, int fd, uint64_t *bytes)
    MUST_CHECK;

/* PUTs bytes as they are. */
enum exit_code client_put_bytes(struct client *c, struct str path, struct str bytes,
                                struct json_value **answer) MUST_CHECK;

/* One call of an RPC method that answers with a stream, by Connect's framing: POSTs one message and
 * hands over each of the answer's as it comes; they live until `take` returns. It returns false to
 * end the call. OK when it did, or when the server ended the stream well. */
enum exit_code client_watch(struct client *c, struct str path, struct str body,
                            bool (*take)(void *arg, const struct json_value *message), void *arg)
    MUST_CHECK;

/* From now on acts for the tenant of that name, which only operators may. NULL: nothing to do. */
enum exit_code client_use_tenant(struct client *c, const char *name) MUST_CHECK;

/* The directory whose server is meant, or NULL when it is reached by a URL. */
const char *client_data_dir(const struct client *c);

/* How to end after an answer of that HTTP status. */
enum exit_code client_status_code(long status);

#endif
