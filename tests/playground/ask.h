/* ask.h - asks a playground, which has a folder of its own for its files, and expects an
 * answer or a refusal. */
#ifndef TESTS_PLAYGROUND_ASK_H
#define TESTS_PLAYGROUND_ASK_H

#include "check_util.h"
#include "playground/session.h"

#include <string.h>
#include <unistd.h>

/* A checked fixture: the working folder is a new one. */
static char *folder, former[4096];
static inline void enter_folder(void)
{
    folder = test_folder_new();
    ck_assert(getcwd(former, sizeof former) && !chdir(folder));
}
static inline void leave_folder(void)
{
    ck_assert_int_eq(chdir(former), 0);
    test_folder_remove(folder);
}

static inline void ask(playground *p, const char *verb, const char *text)
{
    const ag_status status = playground_ask(p, verb, text);
    ck_assert_msg(status == AG_OK, "%s %s: %s", verb, text, playground_answer(p));
}

static inline void refused(playground *p, const char *verb, const char *text, const char *sentence)
{
    ck_assert_msg(playground_ask(p, verb, text) == AG_BAD_VALUE, "%s %s: %s", verb, text, playground_answer(p));
    ck_assert_msg(strstr(playground_answer(p), sentence), "%s %s: %s", verb, text, playground_answer(p));
}

static inline playground *begin(const char *setting)
{
    playground *p = playground_new();
    ck_assert_ptr_nonnull(p);
    ask(p, "begin", setting);
    return p;
}

#endif
