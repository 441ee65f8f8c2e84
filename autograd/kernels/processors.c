/* processors.c - affinity, and the quota of control groups.
 *
 * /proc/self/cgroup has a line for each hierarchy, "number:controllers:path"
 * (cgroups(7)): version 2's is "0::path", version 1's for processors has "cpu" among its
 * controllers. Each group on the way from the root to the path may have a limit, and the
 * smallest holds. Inside a container the path may be the host's, which the container does
 * not have. Then those groups on the path count that do exist, at least the root, which
 * has the container's own limit. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "processors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>

static int from_affinity(void)
{
    int found = 0;
    for (int most = 1024; found == 0 && most <= 1 << 16; most *= 4) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        if (set && sched_getaffinity(0, CPU_ALLOC_SIZE((size_t)most), set) == 0)
            found = CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)most), set);
        CPU_FREE(set);
    }
    return found;
}
#else
static int from_affinity(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
#endif

enum { PATH_SIZE = 4096 };

/* The first line of a small file. */
static bool read_line(const char *path, char *line, int size)
{
    FILE *file = fopen(path, "r");
    bool good = file && fgets(line, size, file);
    if (file)
        fclose(file);
    return good;
}

/* The number of processors whose time a group may use; 0 if it has no limit or does not
 * exist. */
static double limit_of(const char *folder, bool version2)
{
    char path[PATH_SIZE + 32], text[64];
    long long quota = 0, period = 0;
    if (version2) {
        snprintf(path, sizeof path, "%s/cpu.max", folder); /* "max 100000", or "200000 100000" */
        if (!read_line(path, text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
            return 0;
    } else {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder); /* -1: none */
        if (!read_line(path, text, sizeof text) || sscanf(text, "%lld", &quota) != 1)
            return 0;
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        if (!read_line(path, text, sizeof text) || sscanf(text, "%lld", &period) != 1)
            return 0;
    }
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* The smallest limit of the groups from `mount` down to mount/path; 0 if there is
 * none. */
static double limit_below(const char *mount, const char *path, bool version2)
{
    char folder[PATH_SIZE];
    double least = limit_of(mount, version2);
    const size_t start = (size_t)snprintf(folder, sizeof folder, "%s", mount);
    if (start + strlen(path) >= sizeof folder)
        return least;
    for (const char *end = path; *end;) {
        end += 1 + strcspn(end + 1, "/");
        memcpy(folder + start, path, (size_t)(end - path));
        folder[start + (size_t)(end - path)] = '\0';
        const double limit = limit_of(folder, version2);
        if (limit > 0 && (least <= 0 || limit < least))
            least = limit;
    }
    return least;
}

static bool names_cpu(const char *controllers)
{
    for (const char *at = controllers; *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == 3 && !strncmp(at, "cpu", 3))
            return true;
    return false;
}

/* The limit that a line of /proc/self/cgroup leads to; 0 if there is none. */
static double limit_by_line(const char *root, char *line)
{
    char mount[PATH_SIZE], *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return 0;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    const bool version2 = !strncmp(line, "0::", 2) && controllers[1] == '\0';
    if (!version2 && !names_cpu(controllers + 1))
        return 0;
    snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, version2 ? "" : "/cpu");
    double limit = limit_below(mount, path, version2);
    if (version2) { /* where version 1 is mounted too */
        snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/unified", root);
        const double unified = limit_below(mount, path, true);
        limit = limit > 0 ? limit : unified;
    }
    return limit;
}

int kernel_processors(const char *root)
{
    char path[PATH_SIZE], line[PATH_SIZE];
    double least = from_affinity();
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *groups = fopen(path, "r");
    while (groups && fgets(line, sizeof line, groups)) {
        const double limit = limit_by_line(root, line);
        if (limit > 0 && limit < least)
            least = limit;
    }
    if (groups)
        fclose(groups);
    const int whole = (int)least;
    return whole < 1 ? 1 : whole + (whole < least);
}
