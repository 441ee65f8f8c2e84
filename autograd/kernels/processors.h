/* processors.h - how many processors this process may use. */
#ifndef AUTOGRAD_KERNELS_PROCESSORS_H
#define AUTOGRAD_KERNELS_PROCESSORS_H

/* The number of processors in the process's affinity, or the quota of its control
 * groups rounded up, whichever is smaller (Linux, versions 1 and 2; a container's
 * limit is such a quota). At least 1. `root` is prefixed to /proc and /sys: "" except
 * in tests. */
int kernel_processors(const char *root);

#endif
