/* What the files that read and write HTML share. */
#ifndef MIME_HTML_INTERNAL_H
#define MIME_HTML_INTERNAL_H

#include "mailstore/mime/mime_html.h"

/* ---- Elements (html_tags.c) ------------------------------------------------
 */

/* Those that are told apart; all others of the list are like HTML_SPAN. */
enum html_kind {
    HTML_UNKNOWN, /* its tags are dropped, its content stays */
    HTML_SPAN,
    HTML_DIV,  /* a block */
    HTML_BODY, /* written as a div */
    HTML_P,
    HTML_LI,
    HTML_DT,
    HTML_TD,
    HTML_TR,
    HTML_TABLE_PART, /* thead, tbody, tfoot, caption, colgroup */
    HTML_TABLE,
    HTML_LIST,
    HTML_QUOTE,
    HTML_PRE,
    HTML_A,
    HTML_IMG,
    HTML_BR,
    HTML_HR,
    HTML_VOID, /* others without content */
    HTML_STYLE,
    HTML_RAW, /* dropped with its content, which is no markup */
};

/* html_tag_find - number of an element by its name in lower case; 0: unknown.
 */
uint8_t html_tag_find(const char *name, size_t len);

/* html_tag_name, html_tag_kind - of that number. */
const char *html_tag_name(uint8_t tag);
enum html_kind html_tag_kind(uint8_t tag);

/* html_tag_void - whether it has neither content nor end tag. */
bool html_tag_void(uint8_t tag);

/* ---- The tokenizer (html_lex.c) --------------------------------------------
 */

/* What it tells, in the order of the text. Text and values have their character
 * references replaced; text comes in pieces of any size. */
struct html_events {
    void (*text)(void *context, const char *text, size_t len);
    /* A start tag; its attributes; its end. The element may be unknown, its
     * name is lex->name then. */
    void (*open)(void *context, uint8_t tag);
    /* cut: the value was too long, and is only its beginning. */
    void (*attribute)(void *context, uint8_t tag, char *value, size_t len,
                      bool cut);
    void (*open_end)(void *context, uint8_t tag);
    void (*close)(void *context, uint8_t tag);
    /* Content of <style>. */
    void (*style)(void *context, const char *text, size_t len);
};

void html_lex_begin(struct html_lex *lex, const struct html_events *events,
                    void *context);
void html_lex_write(struct html_lex *lex, const char *html, size_t len);
void html_lex_end(struct html_lex *lex);

/* ---- Writing (html_clean.c) ------------------------------------------------
 */

/* html_put, html_put_escaped - text out as it stands, resp. with < > & " '
 * escaped and control characters left out. */
void html_put(struct html_clean *clean, const char *text);
void html_put_bytes(struct html_clean *clean, const char *text, size_t len);
void html_put_escaped(struct html_clean *clean, const char *text, size_t len);

/* html_block - something remote has been left out. It counts if the caller
 * could have allowed it. */
static inline void html_block(struct html_clean *clean)
{
    clean->blocked += !clean->options.remote;
}

/* ---- URLs (html_url.c) -----------------------------------------------------
 */

/* html_link - whether a link may lead there: http, https, mailto with something
 * behind. url is tidied in place: space at its ends, control characters gone;
 * *len is its length then. */
bool html_link(char *url, size_t *len);

/* html_picture - what is to be loaded from a URL of a picture: of cid: what the
 * caller says, data: with a picture, remote ones if they are allowed; else it
 * is refused, and counted when it is remote. room: of url. */
bool html_picture(struct html_clean *clean, char *url, size_t *len,
                  size_t room);

/* html_remote - whether a value names something on another host. */
bool html_remote(const char *value, size_t len);

/* ---- CSS (html_css.c) ------------------------------------------------------
 */

/* html_css_declarations - writes those that are allowed. css is changed.
 * quoted: within an attribute, else within <style>; begin: written before the
 * first. Returns whether there was one. */
bool html_css_declarations(struct html_clean *clean, char *css, size_t len,
                           bool quoted, const char *begin);

/* html_css_begin, _write, _end - the content of a <style> element. */
void html_css_begin(struct html_clean *clean);
void html_css_write(struct html_clean *clean, const char *css, size_t len);
void html_css_end(struct html_clean *clean);

#endif
