/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines as files: JSON with one pipeline or {"pipelines":[...]}, or a file of contents (.alloy,
 * .river, .yaml, .yml) that is named by its file and keeps what is stored of the rest. As trees of
 * the service's own JSON, with the names that its answers have. Main thread; the cli's arena. */
#ifndef CLI_PIPELINE_FILE_H
#define CLI_PIPELINE_FILE_H

#include "cli/args.h"
#include "cli/cli.h"
#include "codec/json.h"

#define PIPELINE_FILE_FLAG                                                                         \
    {                                                                                              \
        .name = "file", .kind = ARGS_LIST, .value = "FILE", .letter = "f",                         \
        .text =                                                                                    \
            "JSON with one pipeline or {\"pipelines\":[...]} (- reads it from standard "           \
            "input), or contents: .alloy and .river for Alloy, .yaml and .yml for an "             \
            "OpenTelemetry collector."                                                             \
    }

#define PIPELINE_NAME_FLAG                                                                         \
    {                                                                                              \
        .name = "name", .kind = ARGS_VALUE, .value = "NAME",                                       \
        .text = "Of a file of contents: the pipeline's name, instead of the file's."               \
    }

#define PIPELINE_MATCHER_FLAG                                                                      \
    {                                                                                              \
        .name = "matcher", .kind = ARGS_LIST, .value = "MATCHER",                                  \
        .text =                                                                                    \
            "Of files of contents: the pipeline's matchers. When none is given, those that "       \
            "are stored stay."                                                                     \
    }

struct pipeline_file {
    const char *path;
    struct str name;
    struct json_value *pipeline;
    bool contents_only; /* what it does not say stays as it is stored */
};

/* Reads all that --file and the operands name. False: *code is how to end. */
bool pipeline_files_read(struct cli *cli, const struct args *args, struct pipeline_file **out,
                         size_t *count, enum exit_code *code) MUST_CHECK;

/* What is to be written where `stored` (NULL: nothing) is: a file of contents takes the rest from
 * it; what only the server says (id, times) is left out. Changes neither. */
struct json_value *pipeline_file_merge(struct arena *a, const struct pipeline_file *file,
                                       const struct json_value *stored) RETURNS_NONNULL;

/* All that a pipeline says as lines of text, for comparison; fields that are absent have their
 * defaults. Equal pipelines have equal texts. */
struct str pipeline_text(struct arena *a, const struct json_value *pipeline);

#endif
