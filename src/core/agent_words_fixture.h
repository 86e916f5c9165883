/* SPDX-License-Identifier: Apache-2.0 */
/* For tests: what an agent says of itself, in few words: .local = SAYS(PAIR("os.type", "linux")).
 */
#ifndef CORE_AGENT_WORDS_FIXTURE_H
#define CORE_AGENT_WORDS_FIXTURE_H

#include "core/agent_words.h"

#define SAYS(...)                                                                                  \
    {                                                                                              \
        .items = (struct label[]){__VA_ARGS__}, .count = COUNTOF(((struct label[]){__VA_ARGS__}))  \
    }
#define PAIR(key, value)                                                                           \
    {                                                                                              \
        STR_INIT(key), STR_INIT(value)                                                             \
    }

#endif
