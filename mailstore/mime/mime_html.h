/* HTML of mail made safe, and HTML as plain text; both are streams.
 *
 * What comes out of html_clean is written anew from what was understood:
 * elements, attributes and CSS properties of a list, every attribute quoted,
 * every < > & " ' escaped, every element closed, no comments, no foreign
 * content, no scripts, forms, frames, plug-ins, meta, base. It is meant as the
 * content of <body> of a document of its own within a sandboxed iframe with a
 * strict CSP: these are the second wall. <body> itself is written as a <div>.
 */
#ifndef MIME_MIME_HTML_H
#define MIME_MIME_HTML_H

#include "mailstore/mime/mime_decode.h"

/* Longest attribute value and longest CSS rule; longer ones are dropped. */
#define HTML_VALUE 8192
/* Longest URL in CSS, and of what cid: stands for. */
#define HTML_URL     2048
#define HTML_CID_URL 256
/* Open elements; tags that would go deeper are dropped, their text stays. */
#define HTML_DEPTH 200
/* Names of elements and attributes that are looked at, with NUL. */
#define HTML_NAME 24
#define HTML_OUT  512

struct html_events;

/* The tokenizer's own (html_lex.c). */
struct html_lex {
    const struct html_events *events;
    void *context;
    uint8_t state;
    uint8_t back;    /* the state around a character reference */
    uint8_t comment; /* how much of its end has come */
    uint8_t tag;     /* number of the element, 0: unknown */
    uint8_t raw_until;
    bool end_tag, value_cut;
    uint16_t name_len, attribute_len, entity_len;
    uint32_t value_len;
    char name[HTML_NAME];
    char attribute[HTML_NAME];
    char entity[36];
    char value[HTML_VALUE];
};

struct html_options {
    /* Remote pictures are loaded. When false they are left out and counted. */
    bool remote;
    /* Where cid:ID is to be found: writes its URL (NUL-terminated; relative
     * ones are fine) and returns true, or returns false. May be NULL. */
    bool (*cid)(void *context, const char *id, size_t len, char *url,
                size_t room);
    void *cid_context;
};

struct html_clean {
    unsigned blocked; /* remote loads that were left out; the result */

    /* The sanitiser's own. */
    struct html_lex lex;
    struct html_options options;
    struct mime_sink sink;
    enum err error;
    uint64_t seen; /* attributes of the tag */
    bool tag_open; /* the tag is being written */
    bool link;     /* with a target */
    bool css_any, css_media, css_cut;
    char css_quote;
    uint8_t css_state, css_comment;
    uint16_t css_depth;
    uint32_t css_bytes, css_block;
    uint16_t depth;
    uint16_t out_bytes;
    uint8_t stack[HTML_DEPTH];
    char out[HTML_OUT];
    char url[HTML_URL];
    char css[HTML_VALUE];
};

/* html_clean_begin, _write, _end - HTML in UTF-8 in, in pieces of any size;
 * safe HTML out, in pieces. After html_clean_end all of it has gone out; it
 * returns OK or what the sink returned first. clean->blocked tells what was
 * left out. */
void html_clean_begin(struct html_clean *clean,
                      const struct html_options *options,
                      const struct mime_sink *sink);
void html_clean_write(struct html_clean *clean, const char *html, size_t len);
enum err html_clean_end(struct html_clean *clean);

/* Plain text: paragraphs, lists, quotes ("> "), table rows as lines. */
struct html_text {
    struct html_lex lex;
    struct mime_sink sink;
    enum err error;
    uint16_t quotes, pre;
    uint16_t line_quotes; /* of the last line */
    uint8_t breaks;       /* line ends to come before the next character */
    bool space;           /* one is to come before the next character */
    bool begun;           /* something stands on this line */
    bool any;             /* something has come out */
    uint16_t out_bytes;
    char out[HTML_OUT];
};

/* html_text_begin, _write, _end - as html_clean_begin and so on. */
void html_text_begin(struct html_text *text, const struct mime_sink *sink);
void html_text_write(struct html_text *text, const char *html, size_t len);
enum err html_text_end(struct html_text *text);

/* Memory of mime_plain. */
struct mime_plain {
    struct mime_decoder decoder;
    struct html_text html;
    char piece[512];
};

/* mime_plain - the plain text of a text part (HTML is turned into it), in UTF-8
 * with LF, into a sink: for search, previews and quoting. Returns OK, or the
 * error of the source or of the sink. */
enum err mime_plain(struct mime_plain *work, const struct mime_source *source,
                    const struct mime_part *part, const struct mime_sink *sink);

#endif
