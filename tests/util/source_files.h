/* source_files.h - for the tests that read the project's own sources. They run in the
 * project's folder. */
#ifndef TESTS_SOURCE_FILES_H
#define TESTS_SOURCE_FILES_H

/* The layers of the library, lowest first, and the command: the folders that hold them,
 * NULL after the last. */
extern const char *const test_layer_folders[];

typedef void test_visit_source(const char *path, const char *text);
/* Calls `visit` for each .c and .h file of the folder and of the folders in it. Returns
 * the number of files. */
int test_visit_sources(const char *folder, test_visit_source *visit);

/* The end of the comment, string or character constant that begins at `at`; `at` itself
 * if none begins there. */
const char *test_skip_quoted(const char *at);

#endif
