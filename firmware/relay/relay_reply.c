/* A server's replies and what it offers: see relay_reply.h. */
#include "relay/relay_reply.h"
#include "protocol/text.h"
#include <string.h>

#define CODE_DIGITS 3

void relay_reply_init(struct relay_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The code of a line, or 0. */
static uint16_t line_code(const char *line, size_t len)
{
    if (len < CODE_DIGITS || line[0] < '2' || line[0] > '5' ||
        !is_digit(line[1]) || !is_digit(line[2]))
        return 0;
    if (len > CODE_DIGITS && line[CODE_DIGITS] != ' ' &&
        line[CODE_DIGITS] != '-')
        return 0;
    return (uint16_t)((line[0] - '0') * 100 + (line[1] - '0') * 10 +
                      (line[2] - '0'));
}

/* People read it, on a screen and in a notice: nothing but what is printed. */
static void append(struct relay_reply *reply, const char *text, size_t len)
{
    for (size_t i = 0; i < len && reply->len + 1u < sizeof(reply->text); i++) {
        char c = text[i];

        reply->text[reply->len++] = c < 0x20 || c > 0x7e ? '?' : c;
    }
    reply->text[reply->len] = '\0';
}

enum relay_reply_result relay_reply_line(struct relay_reply *reply,
                                         const char *line, size_t len)
{
    uint16_t code = line_code(line, len);

    if (reply->done)
        relay_reply_init(reply);
    if (code == 0 || (reply->lines > 0 && code != reply->code) ||
        reply->lines == RELAY_REPLY_LINES)
        return RELAY_REPLY_BAD;
    reply->code = code;
    if (reply->lines++ == 0)
        append(reply, line, CODE_DIGITS);
    if (len > CODE_DIGITS + 1) {
        append(reply, " ", 1);
        append(reply, line + CODE_DIGITS + 1, len - CODE_DIGITS - 1);
    }
    if (len > CODE_DIGITS && line[CODE_DIGITS] == '-')
        return RELAY_REPLY_MORE;
    reply->done = true;
    return RELAY_REPLY_DONE;
}

/* ---- Enhanced status codes ----------------------------------------------- */

/* The length of "class.subject.detail" at the start of text, or 0. */
static size_t status_length(const char *text)
{
    size_t at = 0;

    for (unsigned part = 0; part < 3; part++) {
        size_t digits = 0;

        if (part > 0 && text[at++] != '.')
            return 0;
        while (is_digit(text[at + digits]))
            digits++;
        if (digits == 0 || digits > (part == 0 ? 1u : 3u))
            return 0;
        at += digits;
    }
    return text[at] == ' ' || text[at] == '\0' ? at : 0;
}

char *relay_status(const char *text, bool permanent, char *status)
{
    char class = permanent ? '5' : '4';
    size_t len = 0;

    if (text[0] == class && is_digit(text[1]) && is_digit(text[2]) &&
        text[3] == ' ') {
        len = status_length(text + 4);
        if (text[4] != class || len >= RELAY_STATUS_BYTES)
            len = 0;
    }
    if (len > 0)
        memcpy(status, text + 4, len);
    else
        memcpy(status, permanent ? "5.0.0" : "4.0.0", len = 5);
    status[len] = '\0';
    return status;
}

/* ---- The answer to EHLO -------------------------------------------------- */

/* Cuts the next word off. Returns its length, 0 at the end. */
static size_t next_word(const char **at, const char *end, const char **word)
{
    while (*at < end && **at == ' ')
        ++*at;
    *word = *at;
    while (*at < end && **at != ' ')
        ++*at;
    return (size_t)(*at - *word);
}

static void offer_mechanism(struct relay_offer *offer, const char *word,
                            size_t len)
{
    if (text_equal(word, len, "PLAIN"))
        offer->auth_plain = true;
    else if (text_equal(word, len, "LOGIN"))
        offer->auth_login = true;
}

/* The number behind "NAME=", 0 when the word is another. */
static uint32_t limit_of(const char *word, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    uint64_t value;

    if (len > name_len && text_equal(word, name_len, name) &&
        text_number(word + name_len, len - name_len, &value) &&
        value <= UINT32_MAX)
        return (uint32_t)value;
    return 0;
}

static void offer_limit(struct relay_offer *offer, const char *word, size_t len)
{
    uint32_t recipients = limit_of(word, len, "RCPTMAX=");
    uint32_t messages = limit_of(word, len, "MAILMAX=");

    if (recipients > 0)
        offer->recipients_max = recipients;
    if (messages > 0)
        offer->messages_max = messages;
}

void relay_offer_line(struct relay_offer *offer, const char *line, size_t len)
{
    const char *at = line + (len < CODE_DIGITS + 1 ? len : CODE_DIGITS + 1);
    const char *end = line + len;
    const char *word;
    size_t keyword_len = next_word(&at, end, &word);
    const char *keyword = word;
    size_t word_len;

    if (text_equal(keyword, keyword_len, "PIPELINING"))
        offer->pipelining = true;
    else if (text_equal(keyword, keyword_len, "8BITMIME"))
        offer->eight_bit = true;
    else if (text_equal(keyword, keyword_len, "SMTPUTF8"))
        offer->smtputf8 = true;
    else if (text_equal(keyword, keyword_len, "DSN"))
        offer->dsn = true;
    else if (text_equal(keyword, keyword_len, "CHUNKING"))
        offer->chunking = true;
    else if (text_equal(keyword, keyword_len, "SIZE")) {
        offer->size = true;
        word_len = next_word(&at, end, &word);
        if (word_len > 0)
            (void)text_number(word, word_len, &offer->size_max);
    } else if (text_equal(keyword, keyword_len, "AUTH")) {
        while ((word_len = next_word(&at, end, &word)) > 0)
            offer_mechanism(offer, word, word_len);
    } else if (text_equal(keyword, keyword_len, "LIMITS")) {
        while ((word_len = next_word(&at, end, &word)) > 0)
            offer_limit(offer, word, word_len);
    }
}
