/* processors.h - how many processors this process may use. */
#ifndef AUTOGRAD_KERNELS_PROCESSORS_H
#define AUTOGRAD_KERNELS_PROCESSORS_H

/* The processors of the process's affinity, but no more than the quota of its control
 * groups (Linux, versions 1 and 2; a container's limit is one), rounded up. At least 1.
 * `root` stands before /proc and /sys: "", but in tests. */
int kernel_processors(const char *root);

#endif
