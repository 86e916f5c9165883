/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ask.h"

#include "cli/client.h"
#include "cli/output.h"

enum exit_code ask_open_own(struct ask *ask)
{
    enum exit_code code = EXIT_CODE_OK;

    if (!ask->client)
        ask->client = client_new(ask->cli, &ask->args, &code);
    return code;
}

enum exit_code ask_open(struct ask *ask)
{
    bool is_open = ask->client != NULL;
    enum exit_code code = ask_open_own(ask);

    if (code != EXIT_CODE_OK || is_open)
        return code;
    return client_use_tenant(ask->client, args_find(&ask->args, "tenant"));
}

enum exit_code ask_run(struct cli *cli, const struct cli_command *self, int argc, char *const *argv)
{
    const struct ask_form *form = self->ask;
    struct ask ask = {.cli = cli};
    enum exit_code code;
    size_t count;
    const struct args_flag *flags =
        client_flags_with(cli->arena, form->flags, form->flag_count, &count);

    if (!cli_args(cli, self, flags, count, form->min_operands, form->max_operands, argc, argv,
                  &ask.args, &code) ||
        !output_is_json(cli, &ask.args, &ask.json, &code))
        return code;
    code = form->run(&ask);
    client_free(&ask.client);
    return code;
}
