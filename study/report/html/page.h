/* page.h - what all reports have in common: their style and their script. */
#ifndef STUDY_HTML_PAGE_H
#define STUDY_HTML_PAGE_H

/* Pieces of the text, to be written one after the other; NULL ends them. (One string of
 * this length is more than C requires a compiler to accept.) */
extern const char *const html_style[], *const html_script[];

/* The SHA-256 of the whole script in base64, by which the page's security policy
 * recognises it. No other script runs, so none can be smuggled in by a token. After the
 * script has changed, tests/study/test_study_html.c says what the hash must be. */
extern const char html_script_hash[];

#endif
