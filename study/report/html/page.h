/* page.h - the parts of a report that are the same in all: its style and its script. */
#ifndef STUDY_HTML_PAGE_H
#define STUDY_HTML_PAGE_H

/* Texts to be put one behind the other, ended by NULL: a compiler need not take one string as long as that. */
extern const char *const html_style[], *const html_script[];

/* The SHA-256 of the whole script in base64, by which the page's security policy knows it: no other script runs, so
 * that no token can smuggle one in. tests/study/test_study_html.c says what it must be after the script has changed. */
extern const char html_script_hash[];

#endif
