/* html_util.h - is a text the HTML that reports are written in? */
#ifndef TESTS_HTML_UTIL_H
#define TESTS_HTML_UTIL_H

/* Fails the test unless it is, by rules that are stricter than the language's: every
 * element but the void ones is closed where it was opened, attributes are quoted and come
 * once, every '&' begins a known entity, ids are unique, and what points to an id finds
 * it. */
void test_check_html(const char *html);

#endif
