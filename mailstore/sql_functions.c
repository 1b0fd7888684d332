/* Functions that replace SQLite's own on connections for people.
 *
 * Theirs try again at each place, so that a pattern with many % or a search of
 * one long text in another takes hours; these take steps in proportion to the
 * product of both lengths at most, and breathe in between. What they answer is
 * the same (sqlite.org/lang_corefunc.html), but for trim() of more than
 * TRIM_CHARACTERS characters, which is an error. */
#include "mailstore/sql_internal.h"
#include <string.h>

#define BREATH_COST     (64 * 1024)
#define TRIM_CHARACTERS 64
#define PATTERN_MAX     1000

/* A call that may become long. */
struct work {
    sqlite3_context *context;
    size_t cost;
    bool ended;
};

/* Counts what was done; true: the query is to end, an error is set. */
static bool spend(struct work *work, size_t cost)
{
    work->cost += cost;
    if (work->cost < BREATH_COST || work->ended)
        return work->ended;
    work->cost = 0;
    work->ended = sql_breathe(sqlite3_user_data(work->context), false);
    if (work->ended)
        sqlite3_result_error(work->context, "interrupted", -1);
    return work->ended;
}

/* ---- Patterns ----------------------------------------------------------- */

struct pattern {
    unsigned many, one; /* "any text", "any character" */
    unsigned escape;    /* 0: none */
    bool sets;          /* [a-z] */
    bool caseless;
};

static unsigned next_character(const unsigned char **at)
{
    const unsigned char *text = *at;
    unsigned c = *text++;

    if (c >= 0xc0) {
        c = c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
        while ((*text & 0xc0) == 0x80)
            c = c << 6 | (*text++ & 0x3f);
    }
    *at = text;
    return c;
}

static unsigned fold(const struct pattern *pattern, unsigned c)
{
    return pattern->caseless && c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* The set behind "[": whether c is in it; *at is moved behind its "]". */
static bool in_set(const unsigned char **at, unsigned c)
{
    bool invert = false, found = false;
    unsigned before = 0, each = next_character(at);

    if (each == '^') {
        invert = true;
        each = next_character(at);
    }
    if (each == ']') {
        found = c == ']';
        each = next_character(at);
    }
    while (each != 0 && each != ']') {
        if (each == '-' && **at != ']' && **at != 0 && before > 0) {
            each = next_character(at);
            found = found || (c >= before && c <= each);
            before = 0;
        } else {
            found = found || c == each;
            before = each;
        }
        each = next_character(at);
    }
    return each == ']' && found != invert;
}

/* One element of the pattern against one character. */
static bool matches_one(const struct pattern *pattern,
                        const unsigned char **element, unsigned c)
{
    unsigned p = next_character(element);

    if (p == pattern->escape && p != 0)
        return **element != 0 &&
               fold(pattern, next_character(element)) == fold(pattern, c);
    if (p == pattern->one)
        return true;
    if (p == '[' && pattern->sets)
        return in_set(element, c);
    return fold(pattern, p) == fold(pattern, c);
}

/* Only the last "any text" has ever to be tried again with a longer one. */
static bool matches(struct work *work, const struct pattern *pattern,
                    const unsigned char *want, const unsigned char *text)
{
    const unsigned char *again = NULL, *again_text = NULL;

    for (;;) {
        const unsigned char *next = want;

        if (spend(work, 1))
            return false;
        if (*want == pattern->many && *want != 0) {
            again = ++want;
            again_text = text;
            continue;
        }
        if (*text == 0 && *want == 0)
            return true;
        if (*text != 0 && *want != 0) {
            const unsigned char *rest = text;

            if (matches_one(pattern, &next, next_character(&rest))) {
                want = next;
                text = rest;
                continue;
            }
        }
        if (again == NULL || *again_text == 0)
            return false;
        (void)next_character(&again_text);
        want = again;
        text = again_text;
    }
}

static void match(sqlite3_context *context, const struct pattern *pattern,
                  sqlite3_value *want, sqlite3_value *text)
{
    struct work work = {.context = context};
    const unsigned char *a, *b;

    if (sqlite3_value_type(want) == SQLITE_BLOB ||
        sqlite3_value_type(text) == SQLITE_BLOB) {
        sqlite3_result_int(context, 0);
        return;
    }
    a = sqlite3_value_text(want);
    b = sqlite3_value_text(text);
    if (a == NULL || b == NULL)
        return;
    if (sqlite3_value_bytes(want) > PATTERN_MAX) {
        sqlite3_result_error(context, "LIKE or GLOB pattern too complex", -1);
        return;
    }
    if (matches(&work, pattern, a, b))
        sqlite3_result_int(context, 1);
    else if (!work.ended)
        sqlite3_result_int(context, 0);
}

static void like(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct pattern pattern = {.many = '%', .one = '_', .caseless = true};

    if (count == 3) {
        const unsigned char *escape = sqlite3_value_text(values[2]);

        if (escape == NULL)
            return;
        pattern.escape = next_character(&escape);
        if (pattern.escape == 0 || *escape != 0) {
            sqlite3_result_error(
                context, "ESCAPE expression must be a single character", -1);
            return;
        }
        if (pattern.escape == '%')
            pattern.many = 0;
        if (pattern.escape == '_')
            pattern.one = 0;
    }
    match(context, &pattern, values[0], values[1]);
}

static void glob(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct pattern pattern = {.many = '*', .one = '?', .sets = true};

    (void)count;
    match(context, &pattern, values[0], values[1]);
}

/* ---- Searching ---------------------------------------------------------- */

struct span {
    const unsigned char *bytes;
    size_t len;
};

static struct span text_of(sqlite3_value *value)
{
    struct span span = {sqlite3_value_text(value), 0};

    span.len = (size_t)sqlite3_value_bytes(value);
    return span;
}

static struct span blob_of(sqlite3_value *value)
{
    struct span span = {sqlite3_value_blob(value), 0};

    span.len = (size_t)sqlite3_value_bytes(value);
    return span;
}

/* Where the needle stands first from `at` on; the haystack's end: nowhere. */
static size_t find(struct work *work, struct span hay, struct span needle,
                   size_t at)
{
    while (at + needle.len <= hay.len) {
        const unsigned char *hit =
            memchr(hay.bytes + at, needle.bytes[0], hay.len - at);
        size_t skipped;

        if (hit == NULL || (size_t)(hit - hay.bytes) + needle.len > hay.len)
            break;
        skipped = (size_t)(hit - hay.bytes) - at;
        at += skipped;
        if (spend(work, skipped / 16 + needle.len / 16 + 1))
            break;
        if (memcmp(hit, needle.bytes, needle.len) == 0)
            return at;
        at++;
    }
    return hay.len;
}

static void instr(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct work work = {.context = context};
    bool blobs = sqlite3_value_type(values[0]) == SQLITE_BLOB &&
                 sqlite3_value_type(values[1]) == SQLITE_BLOB;
    struct span hay, needle;
    sqlite3_int64 place = 1;
    size_t at;

    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL ||
        sqlite3_value_type(values[1]) == SQLITE_NULL)
        return;
    hay = blobs ? blob_of(values[0]) : text_of(values[0]);
    needle = blobs ? blob_of(values[1]) : text_of(values[1]);
    if (needle.len == 0 || hay.bytes == NULL || needle.bytes == NULL) {
        sqlite3_result_int(context, needle.len == 0);
        return;
    }
    at = find(&work, hay, needle, 0);
    if (work.ended)
        return;
    for (size_t i = 0; i < at; i++)
        place += blobs || (hay.bytes[i] & 0xc0) != 0x80;
    sqlite3_result_int64(context, at == hay.len ? 0 : place);
}

/* The length of what replace() makes; 0 when it ended. */
static size_t replaced_bytes(struct work *work, struct span text,
                             struct span from, struct span to)
{
    size_t bytes = text.len;

    for (size_t at = find(work, text, from, 0); at < text.len;
         at = find(work, text, from, at + from.len))
        bytes = bytes - from.len + to.len;
    return work->ended ? 0 : bytes;
}

static void replace_in(struct work *work, struct span text, struct span from,
                       struct span to, unsigned char *out)
{
    size_t done = 0;

    while (!work->ended && done < text.len) {
        size_t at = find(work, text, from, done);

        memcpy(out, text.bytes + done, at - done);
        out += at - done;
        done = at;
        if (at == text.len || work->ended)
            break;
        if (to.len != 0)
            memcpy(out, to.bytes, to.len);
        out += to.len;
        done += from.len;
    }
}

static void replace(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct work work = {.context = context};
    struct sql *sql = sqlite3_user_data(context);
    struct span text = text_of(values[0]), from = text_of(values[1]);
    struct span to = text_of(values[2]);
    unsigned char *out;
    size_t bytes;

    (void)count;
    if (text.bytes == NULL || from.bytes == NULL || to.bytes == NULL)
        return;
    if (from.len == 0 || text.len == 0) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    bytes = replaced_bytes(&work, text, from, to);
    if (work.ended)
        return;
    if (bytes > (size_t)sqlite3_limit(sql->db, SQLITE_LIMIT_LENGTH, -1)) {
        sqlite3_result_error_toobig(context);
        return;
    }
    out = sqlite3_malloc64(bytes + 1);
    if (out == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    replace_in(&work, text, from, to, out);
    if (work.ended)
        sqlite3_free(out);
    else
        sqlite3_result_text64(context, (char *)out, bytes, sqlite3_free,
                              SQLITE_UTF8);
}

/* ---- trim(), ltrim(), rtrim() of characters ------------------------------ */

static size_t character_bytes(struct span set, size_t at)
{
    size_t bytes = 1;

    while (at + bytes < set.len && (set.bytes[at + bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

/* Bytes of the character of the set that the text begins, resp. ends with. */
static size_t trimmed(struct span text, struct span set, bool at_end)
{
    for (size_t at = 0; at < set.len;) {
        size_t bytes = character_bytes(set, at);

        if (bytes <= text.len &&
            memcmp(text.bytes + (at_end ? text.len - bytes : 0), set.bytes + at,
                   bytes) == 0)
            return bytes;
        at += bytes;
    }
    return 0;
}

static void trim(sqlite3_context *context, int left, int right,
                 sqlite3_value **values)
{
    struct span text = text_of(values[0]), set = text_of(values[1]);
    size_t bytes;

    if (text.bytes == NULL || set.bytes == NULL)
        return;
    if (set.len > TRIM_CHARACTERS) {
        sqlite3_result_error(context, "too many characters to trim", -1);
        return;
    }
    while (left && (bytes = trimmed(text, set, false)) > 0) {
        text.bytes += bytes;
        text.len -= bytes;
    }
    while (right && (bytes = trimmed(text, set, true)) > 0)
        text.len -= bytes;
    sqlite3_result_text64(context, (const char *)text.bytes, text.len,
                          SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void trim_both(sqlite3_context *context, int count,
                      sqlite3_value **values)
{
    (void)count;
    trim(context, 1, 1, values);
}

static void trim_left(sqlite3_context *context, int count,
                      sqlite3_value **values)
{
    (void)count;
    trim(context, 1, 0, values);
}

static void trim_right(sqlite3_context *context, int count,
                       sqlite3_value **values)
{
    (void)count;
    trim(context, 0, 1, values);
}

enum err sql_add_functions(struct sql *sql)
{
    static const struct {
        const char *name;
        int arguments;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {
        {"like", 2, like},       {"like", 3, like},
        {"glob", 2, glob},       {"instr", 2, instr},
        {"replace", 3, replace}, {"trim", 2, trim_both},
        {"ltrim", 2, trim_left}, {"rtrim", 2, trim_right},
    };

    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (sqlite3_create_function_v2(
                sql->db, functions[i].name, functions[i].arguments,
                SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, sql,
                functions[i].function, NULL, NULL, NULL) != SQLITE_OK)
            return ERR_MEMORY;
    return OK;
}
