/* xml_util.h - a strict reader of XML, for what the studies draw. */
#ifndef TESTS_XML_UTIL_H
#define TESTS_XML_UTIL_H

#include <stddef.h>

/* NULL where the text is one well-formed element (XML 1.0, no declaration, comments,
 * CDATA or namespaces' rules), whose ids are unique and hold every url(#...) in it; else
 * what is wrong, with the place in *at. */
const char *test_xml_fault(const char *text, size_t *at);

#endif
