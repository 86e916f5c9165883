/* SPDX-License-Identifier: Apache-2.0 */
/* The words for each exit code. Static, any thread. */
#include "cli/exit_code.h"

static const struct exit_code_row rows[] = {
    {EXIT_CODE_OK, "done"},
    {EXIT_CODE_FAILURE, "failed for a reason that has no number of its own; the message tells it"},
    {EXIT_CODE_USAGE, "wrong flags, environment or configuration file"},
    {EXIT_CODE_LOCKED, "the data is in use by another process"},
    {EXIT_CODE_NEWER_SCHEMA, "the data was written by a newer version"},
    {EXIT_CODE_CORRUPT, "the data is damaged"},
    {EXIT_CODE_NOT_WRITABLE, "the data directory or the target file cannot be written"},
    {EXIT_CODE_DISK, "the disk failed while data was made durable"},
    {EXIT_CODE_LISTEN, "cannot listen: the address is in use or not allowed"},
    {EXIT_CODE_MASTER_KEY, "master.key is missing, broken, or belongs to another database"},
    {EXIT_CODE_UNREACHABLE, "cannot reach the server"},
    {EXIT_CODE_DENIED, "the server did not accept the key, or the key may not do this"},
    {EXIT_CODE_NOT_FOUND, "there is no such thing"},
    {EXIT_CODE_CONFLICT, "something of that name exists, or it changed meanwhile"},
    {EXIT_CODE_REFUSED, "the server refused the request as invalid"},
    {EXIT_CODE_PROBLEMS, "the data has problems, which are listed"},
    {EXIT_CODE_DIFFERS, "what is stored differs from the files"},
};

const struct exit_code_row *exit_code_rows(size_t *count)
{
    *count = COUNTOF(rows);
    return rows;
}
