/* SPDX-License-Identifier: Apache-2.0 */
/* Everything about configuration that people read, written from the table: the commented example
 * file (packaging/muster.conf.example), docs/configuration.md, one key explained. Pure, any thread.
 */
#ifndef SERVER_CONFIG_DOCS_H
#define SERVER_CONFIG_DOCS_H

#include "base/buf.h"
#include "server/config.h"

void config_docs_example(struct buf *out);
void config_docs_page(struct buf *out);
void config_docs_explain(const struct config_key *key, struct buf *out);

#endif
