/* SPDX-License-Identifier: Apache-2.0 */
/* What agents of each dialect say of themselves, and what an operator may overlay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/agent_words_fixture.h"

static void is(struct str got, const char *want)
{
    assert_true(str_eq(got, str_of(want)));
}

static void an_empty_value_lets_the_next_name_speak(void **state)
{
    const struct agent agent = {
        .local = SAYS(PAIR("collector.version", ""), PAIR("service.version", "2"))};

    (void)state;
    is(agent_word_said(&agent, AGENT_WORD_VERSION), "2");
    is(agent_word_shown(&agent, AGENT_WORD_VERSION), "2");
    assert_null(agent_word_said(&agent, AGENT_WORD_HOST).p);
}

static void the_name_of_an_os_is_no_type(void **state)
{
    const struct agent agent = {
        .local = SAYS(PAIR("os.name", "Debian GNU/Linux"), PAIR("os.type", "linux"))};

    (void)state;
    is(agent_word_said(&agent, AGENT_WORD_OS), "Debian GNU/Linux");
    is(agent_word_said(&agent, AGENT_WORD_OS_TYPE), "linux");
}

static void an_operator_is_shown_but_was_not_said(void **state)
{
    const struct agent agent = {
        .local = SAYS(PAIR("collector.os", "linux"), PAIR("service.version", "1")),
        .remote = SAYS(PAIR("collector.os", "plan9"), PAIR("service.version", "2")),
    };

    (void)state;
    is(agent_word_shown(&agent, AGENT_WORD_VERSION), "2");
    is(agent_word_said(&agent, AGENT_WORD_VERSION), "1");
    is(agent_word_shown(&agent, AGENT_WORD_OS), "linux");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_value_lets_the_next_name_speak),
        cmocka_unit_test(the_name_of_an_os_is_no_type),
        cmocka_unit_test(an_operator_is_shown_but_was_not_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
