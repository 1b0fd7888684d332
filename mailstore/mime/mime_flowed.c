/* Plain text as paragraphs (RFC 3676 section 4), byte by byte: the quote marks
 * of a line are counted, then it is decided whether it goes on with the
 * paragraph before. "-- " alone is the signature's line and joins nothing. */
#include "mailstore/mime/mime_flowed.h"
#include <string.h>

/* Within a line: among the quote marks; behind a space among them; in what may
 * be "-- "; in the text. */
enum { AT_QUOTES, AT_SPACE, AT_DASHES, AT_TEXT };

#define QUOTES 1000

void mime_flowed_begin(struct mime_flowed *flow, bool flowed, bool del_sp,
                       const struct mime_flowed_sink *sink)
{
    *flow = (struct mime_flowed){
        .sink = sink, .flowed = flowed, .del_sp = flowed && del_sp};
}

static void close_paragraph(struct mime_flowed *flow)
{
    if (flow->open)
        flow->sink->close(flow->sink->context);
    flow->open = false;
}

/* The line goes on with the paragraph, or begins one. */
static void begin_line(struct mime_flowed *flow, bool joins)
{
    if (flow->open &&
        !(joins && flow->soft && flow->quotes == flow->open_quotes))
        close_paragraph(flow);
    if (!flow->open)
        flow->sink->open(flow->sink->context, flow->quotes);
    flow->open = true;
    flow->open_quotes = flow->quotes;
    flow->soft = false;
}

static void put_spaces(struct mime_flowed *flow, uint32_t count)
{
    static const char spaces[] = "                ";

    flow->spaces = 0;
    while (count > 0) {
        size_t some = count < sizeof spaces ? count : sizeof spaces - 1;

        flow->sink->text(flow->sink->context, spaces, some);
        count -= (uint32_t)some;
    }
}

/* What the dashes were is known now: text. */
static void begin_text(struct mime_flowed *flow)
{
    begin_line(flow, true);
    if (flow->dashes > 0)
        flow->sink->text(flow->sink->context, "-- ",
                         flow->dashes < 3 ? flow->dashes : 3);
    flow->dashes = 0;
    flow->state = AT_TEXT;
}

static void end_line(struct mime_flowed *flow)
{
    bool signature = flow->state == AT_DASHES && flow->dashes == 3;

    if (signature) {
        begin_line(flow, false);
        flow->sink->text(flow->sink->context, "-- ", 3);
    } else if (flow->state != AT_TEXT) {
        begin_text(flow);
    }
    flow->soft = flow->flowed && flow->spaces > 0 && !signature;
    if (flow->soft)
        put_spaces(flow, flow->spaces - flow->del_sp);
    else
        close_paragraph(flow);
    flow->spaces = 0;
    flow->quotes = 0;
    flow->dashes = 0;
    flow->state = AT_QUOTES;
}

/* A byte before the text of a line. Returns false when it belongs to it. */
static bool take_front(struct mime_flowed *flow, char c)
{
    if (flow->state == AT_QUOTES || flow->state == AT_SPACE) {
        if (c == '>' && (flow->state == AT_QUOTES || !flow->flowed)) {
            if (flow->quotes < QUOTES)
                flow->quotes++;
            flow->state = AT_QUOTES;
            return true;
        }
        if (c == ' ' && flow->state == AT_QUOTES &&
            (flow->flowed || flow->quotes > 0)) {
            flow->state = AT_SPACE;
            return true;
        }
        flow->state = AT_DASHES;
    }
    if (flow->state == AT_DASHES && flow->dashes < 3 &&
        c == "-- "[flow->dashes]) {
        flow->dashes++;
        return true;
    }
    begin_text(flow);
    return false;
}

void mime_flowed_write(struct mime_flowed *flow, const char *text, size_t len)
{
    const char *end = text + len;

    while (text < end) {
        size_t run = 0;

        if (*text == '\n') {
            end_line(flow);
            text++;
            continue;
        }
        if (flow->state != AT_TEXT && take_front(flow, *text)) {
            text++;
            continue;
        }
        if (*text == ' ') {
            flow->spaces++;
            text++;
            continue;
        }
        put_spaces(flow, flow->spaces);
        while (text + run < end && text[run] != '\n' && text[run] != ' ')
            run++;
        flow->sink->text(flow->sink->context, text, run);
        text += run;
    }
}

void mime_flowed_end(struct mime_flowed *flow)
{
    if (flow->state != AT_QUOTES || flow->quotes > 0)
        end_line(flow);
    close_paragraph(flow);
}
