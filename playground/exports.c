/* exports.c - the functions that WebAssembly's host calls.
 *
 *     room = playground_room(size)         the host writes "verb\0text\0" there
 *     status = playground_call()
 *     playground_reply()                   the address of the answer, which ends with a zero byte
 */
#include "playground.h"

#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(#name)))
EXPORT(playground_room) char *playground_room(size_t size);
EXPORT(playground_call) int playground_call(void);
EXPORT(playground_reply) const char *playground_reply(void);

static playground *the_playground;
static char *room;

char *playground_room(size_t size)
{
    char *larger = realloc(room, size);
    room = larger ? larger : room;
    return larger;
}

int playground_call(void)
{
    if (!the_playground)
        the_playground = playground_new();
    return the_playground ? (int)playground_ask(the_playground, room, room + strlen(room) + 1) : AG_NO_MEMORY;
}

const char *playground_reply(void)
{
    return the_playground ? playground_answer(the_playground) : "no memory for a playground";
}
