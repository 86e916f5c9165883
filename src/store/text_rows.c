/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of texts and the count of their references. Inside a transaction. */
#include "store/store_internal.h"

int store_text_hold(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                    struct str text, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_BYTES(str_make(hash, TEXT_HASH_LEN)),
                                     ARG_BYTES(text)};
    int64_t changed;

    if (tx_run(tx, SQL_TEXT_HOLD, args, 2, &changed, f) < 0)
        return -1;
    if (changed)
        return 0;
    if (tx_run(tx, SQL_TEXT_FIRST, args, 2, NULL, f) < 0)
        return -1;
    return tx_run(tx, SQL_TEXT_INSERT, args, 3, NULL, f);
}

int store_text_drop(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                    struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_BYTES(str_make(hash, TEXT_HASH_LEN))};
    int64_t changed;

    if (tx_run(tx, SQL_TEXT_DROP, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    if (changed)
        return 0;
    if (tx_run(tx, SQL_TEXT_LAST, args, COUNTOF(args), &changed, f) < 0)
        return -1;
    if (!changed)
        return fail_set(f, CODE_DATA_LOSS, "a text is gone that a row still refers to");
    return tx_run(tx, SQL_TEXT_DELETE, args, COUNTOF(args), NULL, f);
}

int store_text_get(struct store_tx *tx, uint64_t tenant, const uint8_t hash[TEXT_HASH_LEN],
                   struct str *out, struct fail *f)
{
    const struct sql_value args[] = {ARG_INT(tenant), ARG_BYTES(str_make(hash, TEXT_HASH_LEN))};
    struct sql_cursor *q;

    if (tx_one(tx, SQL_TEXT_GET, args, COUNTOF(args), &q, f) < 0)
        return -1;
    *out = tx_text(tx, q, 0);
    tx_finish(tx, q);
    return 0;
}
