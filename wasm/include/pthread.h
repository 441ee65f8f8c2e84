/* pthread.h - what autograd/kernels/parallel.c and waiting.c name of POSIX threads. WASI has
 * one thread: making a second fails, so every region runs on its caller. */
#ifndef TAPEFORMER_WASM_PTHREAD_H
#define TAPEFORMER_WASM_PTHREAD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define PTHREAD_CREATE_DETACHED   1
#define PTHREAD_MUTEX_INITIALIZER 0
#define PTHREAD_COND_INITIALIZER  0

typedef int pthread_t, pthread_attr_t, pthread_mutex_t, pthread_cond_t;

static inline int pthread_create(pthread_t *made, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    (void)made, (void)attributes, (void)run, (void)context;
    return EAGAIN;
}

/* The only thread is equal to itself. */
static inline pthread_t pthread_self(void)
{
    return 0;
}

static inline int pthread_equal(pthread_t a, pthread_t b)
{
    return a == b;
}

/* Nothing forks, so what is registered is never called. */
static inline int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    (void)prepare, (void)parent, (void)child;
    return 0;
}

static inline int pthread_attr_init(pthread_attr_t *attributes)
{
    return *attributes = 0;
}

static inline int pthread_attr_destroy(pthread_attr_t *attributes)
{
    return *attributes = 0;
}

static inline int pthread_attr_setdetachstate(pthread_attr_t *attributes, int state)
{
    (void)attributes, (void)state;
    return 0;
}

static inline int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t bytes)
{
    (void)attributes, (void)bytes;
    return 0;
}

static inline int pthread_sigmask(int how, const unsigned char *set, unsigned char *before)
{
    (void)how, (void)set;
    if (before)
        *before = 0;
    return 0;
}

/* Nobody else holds a mutex, and nobody is there to wait for. */
static inline int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    return *mutex = 0;
}

static inline int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return *mutex = 0;
}

static inline int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)condition, (void)mutex;
    return 0;
}

static inline int pthread_cond_broadcast(pthread_cond_t *condition)
{
    return *condition = 0;
}

#endif
