/* wasi.h - what the sources use of POSIX and WASI lacks. The build for wasm includes it
 * before each source; wasi.c has the functions, include/pthread.h the threads.
 *
 * One rule decides each case. A call that only helps fails as it may fail on any system,
 * and its callers go on: locks of files, owners, modes, threads, signals. A call whose
 * result is needed is made of what WASI has: a second descriptor, a temporary file. */
#ifndef TAPEFORMER_WASM_WASI_H
#define TAPEFORMER_WASM_WASI_H

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* No page of memory can be given back or be made larger, and mmap() reads a copy of the
 * file: there is nothing to advise. */
#undef MADV_HUGEPAGE
#undef MADV_DONTNEED

/* No signal comes from outside, so no handler is called. (WASI's <signal.h> has the signals'
 * numbers alone.) */
#define SIG_SETMASK 2
typedef unsigned char sigset_t;
struct sigaction {
    void (*sa_handler)(int);
    sigset_t sa_mask;
};
int sigaction(int signal_number, const struct sigaction *action, struct sigaction *before);
int sigemptyset(sigset_t *set);
int sigfillset(sigset_t *set);

/* A second descriptor of a file has the same number. Only the last close() closes it. */
#ifndef F_DUPFD_CLOEXEC
#define F_DUPFD_CLOEXEC 1030
#endif
int wasi_fcntl(int descriptor, int command, int argument);
int wasi_close(int descriptor);
#define fcntl(descriptor, command, argument) wasi_fcntl(descriptor, command, argument)
#define close(descriptor)                    wasi_close(descriptor)

/* <unistd.h>, <stdlib.h> and <sys/file.h> declare for other systems: */
int mkstemp(char *name);
int fchown(int descriptor, uid_t user, gid_t group);
int fchmod(int descriptor, mode_t mode);

#endif
