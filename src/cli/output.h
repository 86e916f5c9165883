/* SPDX-License-Identifier: Apache-2.0 */
/* --output table|json, and what the tables of several commands share. Main thread. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>

#include "cli/args.h"
#include "cli/cli.h"
#include "codec/json.h"

#define OUTPUT_FLAG                                                                                \
    {                                                                                              \
        "output", ARGS_VALUE, "table|json", "How to print; table when not given."                  \
    }

/* False: *code is how to end. */
bool output_is_json(struct cli *cli, const struct args *args, bool *json, enum exit_code *code)
    MUST_CHECK;

/* As it came, indented. */
enum exit_code output_json(struct cli *cli, const struct json_value *v);

/* A member as one cell: text, number, true or false, a list's items with commas; empty when absent,
 * null or "". */
struct str output_cell(struct arena *a, const struct json_value *object, const char *key);

/* A column a member, a line an object. */
struct output_column {
    const char *title;
    const char *key;
};

enum exit_code output_table(struct cli *cli, const struct output_column *columns, size_t count,
                            const struct json_value *rows);

/* Same in the form asked for; JSON is an object whose only member, of that name, is the list. */
enum exit_code output_list(struct cli *cli, bool json, const struct output_column *columns,
                           size_t count, const char *member, struct json_value *list);

/* One object, a line a member under the member's own name. */
enum exit_code output_object(struct cli *cli, const struct output_column *columns, size_t count,
                             const struct json_value *object);

/* One object, a line for each of its members. */
enum exit_code output_members(struct cli *cli, const struct json_value *object);

/* One object that a server made and told of, in the form asked for; FAILURE when it told of none.
 */
enum exit_code output_made(struct cli *cli, bool json, const struct output_column *columns,
                           size_t count, const struct json_value *answer);

#endif
