/* Templates: HTML whose every dynamic value is escaped by construction.
 *
 *     html(x, "<a href=\"/search?q=%-s\">%s</a>", word, word);
 *
 * The format is a literal (-Wformat=2 sees to it, and to the types) and is the
 * only thing that is written as it is. There is no way to put a value in
 * unescaped, and values stand in these places only:
 *
 *   %s, %.*s   text between tags, or in an attribute in double quotes
 *   %-s        part of a URL's path or query, in such an attribute
 *   %d %u %ld %lu %lld %llu %zu, also with zeros and width ("%02u")
 *   %c         one ASCII character that the program knows, e.g. of a table
 *   %%
 *
 * Values never stand in scripts, styles, names of tags or attributes without
 * quotes: the pages have none of these. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include <stddef.h>

struct http_exchange;

void html(struct http_exchange *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* html_json - a value as a string of JSON, with its quotes (RFC 8259 section
 * 7); what would end a script element is escaped too. */
void html_json(struct http_exchange *x, const char *text);

#endif
