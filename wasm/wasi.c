/* wasi.c - see wasi.h. */
#include "wasi.h"

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <wasi/api.h>

#undef fcntl
#undef close

static int refuse(int reason)
{
    errno = reason;
    return -1;
}

/* ---- Calls that fail, and are not missed ------------------------------------------- */

int sigaction(int signal_number, const struct sigaction *action, struct sigaction *before)
{
    (void)signal_number, (void)action, (void)before;
    return refuse(ENOSYS);
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigfillset(sigset_t *set)
{
    *set = (sigset_t)-1;
    return 0;
}

int fchown(int descriptor, uid_t user, gid_t group)
{
    (void)descriptor, (void)user, (void)group;
    return refuse(ENOSYS);
}

int fchmod(int descriptor, mode_t mode)
{
    (void)descriptor, (void)mode;
    return refuse(ENOSYS);
}

/* As on a file system without locks. */
int flock(int descriptor, int operation)
{
    (void)descriptor, (void)operation;
    return refuse(ENOLCK);
}

int gethostname(char *name, size_t size)
{
    (void)name, (void)size;
    return refuse(ENOSYS);
}

/* ---- Descriptors ------------------------------------------------------------------- */

/* How many descriptors a file has besides the first. */
static unsigned char more[1024];

int wasi_fcntl(int descriptor, int command, int argument)
{
    if (command != F_DUPFD_CLOEXEC)
        return fcntl(descriptor, command, argument);
    if (fcntl(descriptor, F_GETFD) < 0)
        return -1;
    if (descriptor >= (int)sizeof more || more[descriptor] == (unsigned char)-1)
        return refuse(EMFILE);
    more[descriptor]++;
    return descriptor;
}

int wasi_close(int descriptor)
{
    if (descriptor < 0 || descriptor >= (int)sizeof more || more[descriptor] == 0)
        return close(descriptor);
    more[descriptor]--;
    return 0;
}

/* ---- A temporary file -------------------------------------------------------------- */

int mkstemp(char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    enum { PLACES = 6, TRIES = 100 };
    unsigned char drawn[PLACES];
    char *places = name + strlen(name) - PLACES;
    for (int i = 0; i < TRIES; i++) {
        if (__wasi_random_get(drawn, sizeof drawn) != 0)
            return refuse(EIO);
        for (int j = 0; j < PLACES; j++)
            places[j] = letters[drawn[j] % (sizeof letters - 1)];
        const int descriptor = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

/* ---- The folder that relative paths begin in --------------------------------------- */

/* WASI has none. A host that shows its files under their own names passes PWD, as a shell
 * does; where that folder does not exist, relative paths begin in what the host has opened. */
__attribute__((constructor)) static void begin_in_folder(void)
{
    const char *folder = getenv("PWD");
    const int failed = folder ? chdir(folder) : 0;
    (void)failed;
}
