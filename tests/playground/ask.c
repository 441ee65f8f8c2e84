/* ask.c - asks a playground natively, in the working folder: ask VERB TEXT VERB TEXT... Prints
 * the status and the answer of each on a line. ask.mjs does the same with the module of the
 * page, so that test_page can compare the two. */
#include "playground.h"

#include <stdio.h>

int main(int count, char **arguments)
{
    playground *p = playground_new();
    if (!p)
        return 1;
    for (int i = 1; i + 1 < count; i += 2) {
        const ag_status status = playground_ask(p, arguments[i], arguments[i + 1]);
        printf("%d %s\n", (int)status, playground_answer(p));
    }
    playground_free(p);
    return 0;
}
