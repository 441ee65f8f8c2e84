/* test_cli_terminal.c - what a study looks like on a terminal: its width, and whether it
 * is coloured; and the live line of predict. */
#define _XOPEN_SOURCE 700 /* posix_openpt */
#include "cli_util.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char shown[1 << 16];

/* Runs the line in a terminal of so many columns; `shown` is what appears there. */
static void run_in_terminal(const char *line, unsigned short columns)
{
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    const struct winsize size = {.ws_row = 40, .ws_col = columns};
    ck_assert(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const int own = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    ck_assert(own >= 0 && ioctl(own, TIOCSWINSZ, &size) == 0);
    const pid_t child = fork();
    if (child == 0) {
        char command[1024];
        snprintf(command, sizeof command, "T=$TAPEFORMER; %s", line);
        dup2(own, STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(own);
    size_t length = 0;
    for (ssize_t count; (count = read(terminal, shown + length, sizeof shown - 1 - length)) > 0;)
        length += (size_t)count; /* it ends with an error where no process has the terminal any more */
    shown[length] = 0;
    close(terminal);
    int status;
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
}

static int widest(void)
{
    int most = 0;
    for (const char *at = shown; *at; at += strcspn(at, "\r\n"), at += strspn(at, "\r\n"))
        most = (int)strcspn(at, "\r\n") > most ? (int)strcspn(at, "\r\n") : most;
    return most;
}

#define STUDY "$T study attention --model $DIR/run --source abc --target ab --which cross "

START_TEST(test_colours)
{
    static const struct {
        const char *line;
        bool coloured;
    } cases[] = {{"unset NO_COLOR; TERM=xterm " STUDY, true},
                 {"NO_COLOR=1 TERM=xterm " STUDY, false},
                 {"NO_COLOR= TERM=xterm " STUDY, true},
                 {"unset NO_COLOR; TERM=dumb " STUDY, false},
                 {"unset NO_COLOR; TERM=xterm " STUDY "| cat", false},
                 {"NO_COLOR=1 TERM=dumb " STUDY "--color always | cat", true},
                 {"unset NO_COLOR; TERM=xterm " STUDY "--color never", false}};
    cli_train_tiny();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_in_terminal(cases[i].line, 80);
        ck_assert_msg(strstr(shown, "decoder looks at encoder") != NULL, "%s", shown);
        ck_assert_msg((strchr(shown, '\033') != NULL) == cases[i].coloured, "%s: %s", cases[i].line, shown);
    }
}
END_TEST

/* The terminal's own, unless COLUMNS says another; 80 where there is no terminal. */
START_TEST(test_widths)
{
    static const struct {
        const char *line;
        int least, most;
    } cases[] = {{"unset COLUMNS; " STUDY "--color never", 40, 50},
                 {"COLUMNS=64 " STUDY "--color never", 51, 64},
                 {"COLUMNS=0 " STUDY "--color never", 40, 50},
                 {"unset COLUMNS; " STUDY "| cat", 65, 80},
                 {"COLUMNS=30 $T study leaks --model $DIR/run", 20, 30},
                 {"NO_COLOR=1 COLUMNS=30 $T study curves $DIR/run", 20, 30}};
    cli_train_tiny();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run_in_terminal(cases[i].line, 50);
        ck_assert_msg(widest() >= cases[i].least && widest() <= cases[i].most, "%s: %d columns\n%.2000s", cases[i].line,
                      widest(), shown);
    }
}
END_TEST

/* The live line counts up to the last line, and none is among answers on the terminal. */
START_TEST(test_live_line)
{
    char line[512];
    cli_train_tiny();
    snprintf(line, sizeof line, "for i in 1 2 3 4 5 6 7 8 9; do echo ab; done > %s/nine", cli_folder);
    run_in_terminal(line, 80);
    snprintf(line, sizeof line, "$T predict --model %s/run %s/nine %s/nine 2>&1 >%s/answers", cli_folder, cli_folder,
             cli_folder, cli_folder);
    run_in_terminal(line, 80);
    ck_assert_msg(!strncmp(shown, "\r\033[K", 4) && strstr(shown, "\r\033[K18 lines  ") && strstr(shown, " lines/s\r\n"),
                  "%s", shown);
    cli_expect("wc -l < $DIR/answers", 0, "18");
    snprintf(line, sizeof line, "$T predict --model %s/run %s/nine 2>&1", cli_folder, cli_folder);
    run_in_terminal(line, 80);
    ck_assert_msg(!strstr(shown, "\033"), "%s", shown);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("cli_terminal");
    TCase *c = tcase_create("cli_terminal");
    tcase_add_checked_fixture(c, cli_set_up, cli_tear_down);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_colours);
    tcase_add_test(c, test_widths);
    tcase_add_test(c, test_live_line);
    suite_add_tcase(s, c);
    return s;
}

TEST_MAIN(suite)
