/* real.h - ag_real, the number type of all tensors. Every layer includes it, the kernels
 * too. */
#ifndef AG_REAL_H
#define AG_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef TAPEFORMER_DOUBLE
typedef double ag_real;
#else
/* The numbers of tensors: float, or double in the library built with PRECISION=double
 * (its users define TAPEFORMER_DOUBLE too). */
typedef float ag_real;
#endif

#ifdef __cplusplus
#define AG_LINKAGE_BEGIN extern "C" {
#define AG_LINKAGE_END   }
#else
/* Before declarations that have C linkage in C++ too. */
#define AG_LINKAGE_BEGIN
/* After them. */
#define AG_LINKAGE_END
#endif
#ifdef __GNUC__
#define AG_HEADER_BEGIN AG_LINKAGE_BEGIN _Pragma("GCC visibility push(default)")
#define AG_HEADER_END   _Pragma("GCC visibility pop") AG_LINKAGE_END
#else
/* Before the declarations of a public header, which the shared library exports, with C
 * linkage. It exports nothing else. */
#define AG_HEADER_BEGIN AG_LINKAGE_BEGIN
/* After them. */
#define AG_HEADER_END AG_LINKAGE_END
#endif

/* Both are nothing for a compiler without attributes, and in a build with
 * TAPEFORMER_PLAIN defined, which is strict C11. */
#if !defined(__GNUC__) || defined(TAPEFORMER_PLAIN)
/* After a declaration: the compiler warns if a call ignores the result. All functions
 * that return a status have it; a call that ignores a result on purpose assigns it to a
 * variable and says why. */
#define AG_CHECKED
/* After a declaration: the compiler checks a format, argument number `text`, against its
 * arguments, from number `first` on. */
#define AG_PRINTF(text, first)
#else
#define AG_CHECKED             __attribute__((warn_unused_result))
#define AG_PRINTF(text, first) __attribute__((format(printf, text, first)))
#endif

#endif
