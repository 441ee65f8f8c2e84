/* source_files.c - visits the project's own sources. */
#include "source_files.h"

#include "check_util.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *const test_layer_folders[] = {"autograd", "nn", "data", "train", "study", "cli", "playground", NULL};

static bool is_source(const char *name)
{
    const char *end = strrchr(name, '.');
    return end && (!strcmp(end, ".c") || !strcmp(end, ".h"));
}

int test_visit_sources(const char *folder, test_visit_source *visit)
{
    int sources = 0;
    DIR *entries = opendir(folder);
    ck_assert_msg(entries != NULL, "no folder %s: run the tests in the project's folder", folder);
    for (struct dirent *entry; (entry = readdir(entries));) {
        char path[512];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || stat(path, &info))
            continue;
        if (S_ISDIR(info.st_mode)) {
            sources += test_visit_sources(path, visit);
        } else if (is_source(entry->d_name)) {
            char *text = test_file_read(folder, entry->d_name, NULL);
            visit(path, text);
            free(text);
            sources++;
        }
    }
    closedir(entries);
    return sources;
}

const char *test_skip_quoted(const char *at)
{
    if (!strncmp(at, "/*", 2))
        return strstr(at, "*/") ? strstr(at, "*/") + 2 : at + strlen(at);
    if (!strncmp(at, "//", 2))
        return at + strcspn(at, "\n");
    if (*at != '"' && *at != '\'')
        return at;
    const char quote = *at++;
    while (*at && *at != quote)
        at += *at == '\\' && at[1] ? 2 : 1;
    return *at ? at + 1 : at;
}
