/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: either a configuration, or problems, never both and never
 * neither; what was loaded, printed as a file, loads again to the same values. */
#include <stdlib.h>

#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Quoted, so that blanks and comment signs survive. */
static void put_setting(const struct config *c, const struct config_key *key, struct buf *out)
{
    struct buf value;

    buf_init(&value, 65536);
    config_print(c, key, &value);
    buf_printf(out, "%s = \"", key->name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\')
            buf_put_byte(out, '\\');
        buf_put_byte(out, value.data[i]);
    }
    buf_put_str(out, STR("\"\n"));
    buf_done(&value);
}

static void load_again(const struct config *c, struct config_problems *p)
{
    struct buf file;

    buf_init(&file, 1 << 20);
    for (size_t i = 0; i < CONFIG_KEY_COUNT; i++) {
        if (!(config_key_at(i)->flags & CONFIG_NOT_IN_FILE))
            put_setting(c, config_key_at(i), &file);
    }

    struct config *again = config_load_text(NULL, NULL, "again", buf_str(&file), p);

    /* Printing may lengthen a value: ", " for ",". */
    if (!again && file.len < 8192)
        abort();
    for (size_t i = 0; again && i < CONFIG_KEY_COUNT; i++) {
        if (config_is_changed(c, config_key_at(i)) != config_is_changed(again, config_key_at(i)))
            abort();
    }
    config_free(&again);
    buf_done(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_problems p;
    struct str text = size ? str_make(data, size) : STR("");

    config_problems_init(&p);

    struct config *c = config_load_text(NULL, NULL, "fuzz.conf", text, &p);

    if ((c == NULL) == (p.count == 0))
        abort();
    if (c)
        load_again(c, &p);
    config_free(&c);
    config_problems_done(&p);
    return 0;
}
