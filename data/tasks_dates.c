/* tasks_dates.c - dates in many written forms to ISO 8601.
 *
 * Only forms that leave no doubt which part is the month: 03/04/1987 is not among them.
 * Each is written as it is, in lower case, or in upper case. Days are those of the
 * Gregorian calendar from 1600 to 2399, two whole cycles of it.
 */
#include "tasks.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_YEAR = 1600, LAST_YEAR = 2399 };

typedef struct calendar_day {
    int year, month, day; /* month and day from 1 */
} calendar_day;

/* %d day, %D day in two digits, %o day as "3rd", %m month in two digits, %b "Mar", %B
 * "March", %R month as a Roman number, %y year, %a "Tue", %A "Tuesday". */
static const char *const forms[] = {
    "%d %B %y",      "%d %b %y",         "%D %b %y",     "%B %d, %y",     "%b %d, %y",          "%o %B %y",
    "%o of %B %y",   "the %o of %B, %y", "%B %o, %y",    "%B the %o, %y", "%A, %d %B %y",       "%A, %o of %B %y",
    "%A, %B %o, %y", "%A, %B %d, %y",    "%a, %d %b %y", "%a %b %d %y",   "%A the %o of %B %y", "%d. %B %y",
    "%d-%b-%y",      "%D/%b/%y",         "%d.%R.%y",     "%y/%m/%D",      "%y.%m.%D",           "%y-%m-%D",
    "%y%m%D",        "%y %B %d",         "%y-%b-%D",     "%B %d %y",      "%y, %B %o",
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const romans[] = {"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"};

/* ---- The calendar ---- */

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* 0 for Sunday. A year moves the weekday by one, a leap day by one more. January and
 * February count as part of the year before, so that a leap day is the last day of its
 * year; `moved` holds how far the months before move the weekday. */
static int weekday(calendar_day date)
{
    static const int moved[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    int year = date.year - (date.month < 3);
    return (year + year / 4 - year / 100 + year / 400 + moved[date.month - 1] + date.day) % 7;
}

static const char *ordinal_ending(int day)
{
    if (day >= 11 && day <= 13)
        return "th";
    return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

/* ---- Writing ---- */

static int write_part(char part, calendar_day date, char *out)
{
    switch (part) {
    case 'd':
        return sprintf(out, "%d", date.day);
    case 'D':
        return sprintf(out, "%02d", date.day);
    case 'o':
        return sprintf(out, "%d%s", date.day, ordinal_ending(date.day));
    case 'm':
        return sprintf(out, "%02d", date.month);
    case 'b':
        return sprintf(out, "%.3s", months[date.month - 1]);
    case 'B':
        return sprintf(out, "%s", months[date.month - 1]);
    case 'R':
        return sprintf(out, "%s", romans[date.month - 1]);
    case 'a':
        return sprintf(out, "%.3s", weekdays[weekday(date)]);
    case 'A':
        return sprintf(out, "%s", weekdays[weekday(date)]);
    default:
        return sprintf(out, "%04d", date.year);
    }
}

/* Writes the date in a form and returns the length. */
static int write_form(const char *form, calendar_day date, char *out)
{
    char *start = out;
    for (; *form; form++) {
        if (*form == '%')
            out += write_part(*++form, date, out);
        else
            *out++ = *form;
    }
    *out = '\0';
    return (int)(out - start);
}

/* Changes the case of every letter from `first` to `first` + 25; ASCII, whatever the
 * locale. */
static void change_case(char *text, char first, int distance)
{
    for (; *text; text++)
        if (*text >= first && *text <= first + 25)
            *text = (char)(*text + distance);
}

/* Dates ignore the lengths. */
static void make_dates(ag_rng *rng, int min_length, int max_length, char *source, char *target)
{
    (void)min_length;
    (void)max_length;
    calendar_day date = {.year = data_draw_between(rng, FIRST_YEAR, LAST_YEAR), .month = data_draw_between(rng, 1, 12)};
    date.day = data_draw_between(rng, 1, days_in_month(date.year, date.month));
    write_form(forms[ag_rng_below(rng, FORMS)], date, source);
    const uint64_t written = ag_rng_below(rng, 3); /* 0: as it is */
    if (written == 1)
        change_case(source, 'A', 'a' - 'A');
    else if (written == 2)
        change_case(source, 'a', 'A' - 'a');
    snprintf(target, DATA_TASK_TEXT, "%04d-%02d-%02d", date.year, date.month, date.day);
}

/* Weekday and month of this day are the longest, and its day has two digits and an
 * ordinal. */
static void most_dates(int max_length, int64_t *source, int64_t *target)
{
    (void)max_length;
    calendar_day wednesday = {2026, 9, 30};
    char text[DATA_TASK_TEXT];
    *source = 0;
    for (int i = 0; i < FORMS; i++) {
        int length = write_form(forms[i], wednesday, text);
        if (length > *source)
            *source = length;
    }
    *target = (int64_t)strlen("2026-09-30");
}

const data_task data_task_dates = {
    .name = "dates",
    .help = "Tuesday, 3rd of March 1987 -> 1987-03-03: dates in many written forms to ISO 8601",
    .default_min = 1,
    .default_max = 1,
    .longest = 1,
    .make = make_dates,
    .most_tokens = most_dates,
    .source_kind = DATA_CHARS,
    .target_kind = DATA_CHARS,
    .source_symbols = "0123456789 ,.-/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    .target_symbols = "0123456789-",
};
