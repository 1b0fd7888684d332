/* Where a statement ends: at a semicolon that stands in no string, no comment
 * and not in the body of a CREATE TRIGGER, which ends with "; END ;". */
#include "mailstore/sql_script.h"
#include <string.h>

enum token {
    TOKEN_SEMICOLON,
    TOKEN_OTHER,
    TOKEN_EXPLAIN,
    TOKEN_CREATE,
    TOKEN_TEMP,
    TOKEN_TRIGGER,
    TOKEN_END,
    TOKENS
};

enum place {
    AT_START,
    AT_EXPLAIN,
    AT_CREATE,
    IN_STATEMENT,
    IN_TRIGGER,
    AT_SEMICOLON, /* within a trigger */
    AT_END,
    PLACES,
    COMPLETE = PLACES
};

static const uint8_t table[PLACES][TOKENS] = {
    /* ; other EXPLAIN CREATE TEMP TRIGGER END */
    [AT_START] = {COMPLETE, IN_STATEMENT, AT_EXPLAIN, AT_CREATE, IN_STATEMENT,
                  IN_STATEMENT, IN_STATEMENT},
    [AT_EXPLAIN] = {COMPLETE, AT_EXPLAIN, IN_STATEMENT, AT_CREATE, IN_STATEMENT,
                    IN_STATEMENT, IN_STATEMENT},
    [AT_CREATE] = {COMPLETE, IN_STATEMENT, IN_STATEMENT, IN_STATEMENT,
                   AT_CREATE, IN_TRIGGER, IN_STATEMENT},
    [IN_STATEMENT] = {COMPLETE, IN_STATEMENT, IN_STATEMENT, IN_STATEMENT,
                      IN_STATEMENT, IN_STATEMENT, IN_STATEMENT},
    [IN_TRIGGER] = {AT_SEMICOLON, IN_TRIGGER, IN_TRIGGER, IN_TRIGGER,
                    IN_TRIGGER, IN_TRIGGER, IN_TRIGGER},
    [AT_SEMICOLON] = {AT_SEMICOLON, IN_TRIGGER, IN_TRIGGER, IN_TRIGGER,
                      IN_TRIGGER, IN_TRIGGER, AT_END},
    [AT_END] = {COMPLETE, IN_TRIGGER, IN_TRIGGER, IN_TRIGGER, IN_TRIGGER,
                IN_TRIGGER, IN_TRIGGER},
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum token word_token(const char *word, size_t len)
{
    static const struct {
        const char *word;
        enum token token;
    } words[] = {
        {"explain", TOKEN_EXPLAIN}, {"create", TOKEN_CREATE},
        {"temp", TOKEN_TEMP},       {"temporary", TOKEN_TEMP},
        {"trigger", TOKEN_TRIGGER}, {"end", TOKEN_END},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t at = 0;

        while (at < len && (word[at] | 0x20) == words[i].word[at])
            at++;
        if (at == len && words[i].word[at] == '\0')
            return words[i].token;
    }
    return TOKEN_OTHER;
}

/* Behind a string, name or comment that begins at `at` and ends with `end`; 0:
 * it does not end. */
static size_t behind(const char *text, size_t len, size_t at, const char *end)
{
    size_t bytes = strlen(end);

    for (; at + bytes <= len; at++)
        if (memcmp(text + at, end, bytes) == 0)
            return at + bytes;
    return 0;
}

/* Behind blanks and comments; 0: a comment does not end. */
static size_t skip_blank(const char *text, size_t len, size_t at)
{
    while (at < len) {
        if (is_space(text[at]))
            at++;
        else if (len - at >= 2 && memcmp(text + at, "--", 2) == 0)
            at = behind(text, len, at + 2, "\n");
        else if (len - at >= 2 && memcmp(text + at, "/*", 2) == 0)
            at = behind(text, len, at + 2, "*/");
        else
            break;
        if (at == 0)
            return len;
    }
    return at;
}

/* Takes the token at *at; false: it does not end. */
static bool next_token(const char *text, size_t len, size_t *at,
                       enum token *token)
{
    size_t start = *at;
    char c = text[start];

    *token = c == ';' ? TOKEN_SEMICOLON : TOKEN_OTHER;
    if (is_word(c)) {
        while (*at < len && is_word(text[*at]))
            ++*at;
        *token = word_token(text + start, *at - start);
        return true;
    }
    if (c == '\'' || c == '"' || c == '`' || c == '[') {
        char end[2] = {c == '[' ? ']' : c, '\0'};

        /* A doubled quote ends one string and begins the next. */
        *at = behind(text, len, start + 1, end);
        return *at != 0;
    }
    ++*at;
    return true;
}

size_t sql_skip_blank(const char *text, size_t len)
{
    return skip_blank(text, len, 0);
}

size_t sql_statement_end(const char *text, size_t len)
{
    enum place place = AT_START;
    size_t at = skip_blank(text, len, 0);

    while (at < len) {
        enum token token;

        if (!next_token(text, len, &at, &token))
            return 0;
        place = (enum place)table[place][token];
        if (place == COMPLETE)
            return at;
        at = skip_blank(text, len, at);
    }
    return 0;
}

bool sql_text_complete(const char *text, size_t len)
{
    size_t at = skip_blank(text, len, 0);

    while (at < len) {
        size_t bytes;

        if (text[at] == '.')
            return true;
        bytes = sql_statement_end(text + at, len - at);
        if (bytes == 0)
            return false;
        at = skip_blank(text, len, at + bytes);
    }
    return true;
}
