/* peak.h - the most multiply-adds that the processor can do. */
#ifndef AUTOGRAD_KERNELS_PEAK_H
#define AUTOGRAD_KERNELS_PEAK_H

/* Does multiply-adds in the registers of `threads` processors for about a millisecond.
 * Returns how many it did. */
double kernel_peak_sample(int threads);
/* The name of the instructions that it uses: "avx512". */
const char *kernel_peak_instructions(void);

#endif
