/* Searching, conversations, contacts: see store_find.h.
 *
 * What people type becomes an expression of FTS5 in which each of their words
 * is a quoted string, so that nothing they type is taken for an operator. It
 * always begins with the owner's word, so that the index itself gives only what
 * the user has; that it lies in a mailbox of his is looked up besides. */
#include "mailstore/store_find.h"
#include "mailstore/store_list.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORDS_MAX    40
#define PATTERN_MAX  2000
#define LIMIT_MAX    500
#define COMPLETE_MAX 50

/* ---- What was typed ----------------------------------------------------- */

struct pattern {
    char text[PATTERN_MAX]; /* what is wanted */
    char not [PATTERN_MAX]; /* what is not */
    size_t len, not_len;
    unsigned words;
    bool any; /* there is something that is wanted */
};

/* One word or phrase of it. */
struct term {
    const char *columns;
    const char *text;
    size_t len;
    bool negative, phrase, prefix;
};

static const struct {
    const char *name, *columns;
} fields[] = {{"from:", "sender"},
              {"to:", "people"},
              {"subject:", "subject"},
              {"body:", "text"}};

/* Whether there is anything in it that is a word for the index. */
static bool has_word(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];

        if (c >= 0x80 || (c >= '0' && c <= '9') ||
            ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
            return true;
    }
    return false;
}

/* The next term at *at; false: there is none any more. */
static bool next_term(const char **at, struct term *term)
{
    const char *text = *at + strspn(*at, " \t\r\n");

    memset(term, 0, sizeof *term);
    term->columns = "{subject sender people text}";
    if (*text == '\0')
        return false;
    if (*text == '-' && text[1] != '\0' && text[1] != ' ') {
        term->negative = true;
        text++;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        size_t len = strlen(fields[i].name);

        if (strncasecmp(text, fields[i].name, len) == 0) {
            term->columns = fields[i].columns;
            text += len;
            break;
        }
    }
    term->phrase = *text == '"';
    text += term->phrase;
    term->text = text;
    term->len = strcspn(text, term->phrase ? "\"" : " \t\r\n");
    text += term->len;
    *at = text + (term->phrase && *text == '"');
    if (!term->phrase && term->len > 1 && term->text[term->len - 1] == '*') {
        term->len--;
        term->prefix = true;
    }
    return true;
}

static bool add(char *text, size_t *len, const char *bytes, size_t count)
{
    if (count >= PATTERN_MAX - *len)
        return false;
    memcpy(text + *len, bytes, count);
    *len += count;
    text[*len] = '\0';
    return true;
}

static bool add_term(struct pattern *pattern, const struct term *term)
{
    char *text = term->negative ? pattern->not : pattern->text;
    size_t *len = term->negative ? &pattern->not_len : &pattern->len;
    /* Side by side, all have to occur, but for what has no word for the index
     * in it, such as a dash; behind AND that would find nothing. */
    const char *link = term->negative ? " OR " : pattern->any ? " " : " AND (";

    if (*len && !add(text, len, link, strlen(link)))
        return false;
    pattern->any |= !term->negative;
    if (!add(text, len, term->columns, strlen(term->columns)) ||
        !add(text, len, ":\"", 2))
        return false;
    for (size_t i = 0; i < term->len; i++) {
        /* A quote within a word would end it: it is no letter anyway. */
        if (!add(text, len, term->text[i] == '"' ? " " : &term->text[i], 1))
            return false;
    }
    return add(text, len, "\"", 1) && (!term->prefix || add(text, len, "*", 1));
}

/* "owner:u17 AND (...) NOT (...)". False: there are no words, or too many. */
static bool make_pattern(struct pattern *pattern, int64_t user_id,
                         const char *words)
{
    struct term term;
    char owner[40];

    memset(pattern, 0, sizeof *pattern);
    snprintf(owner, sizeof owner, "owner:u%lld", (long long)user_id);
    if (!add(pattern->text, &pattern->len, owner, strlen(owner)))
        return false;
    while (next_term(&words, &term)) {
        if (!has_word(term.text, term.len))
            continue;
        /* What is being typed is the beginning of a word. */
        if (*words == '\0' && !term.phrase && !term.negative)
            term.prefix = true;
        if (++pattern->words > WORDS_MAX || !add_term(pattern, &term))
            return false;
    }
    if (pattern->any && !add(pattern->text, &pattern->len, ")", 1))
        return false;
    if (pattern->not_len &&
        (!add(pattern->text, &pattern->len, " NOT (", 6) ||
         !add(pattern->text, &pattern->len, pattern->not, pattern->not_len) ||
         !add(pattern->text, &pattern->len, ")", 1)))
        return false;
    return pattern->words > 0;
}

/* ---- Search ------------------------------------------------------------- */

/* Keys of a page, in memory, so that no statement is half-way when they are
 * shown. */
struct found {
    unsigned count, room;
    bool more;
    int64_t nearest, last; /* MailID of the first and the last one */
    struct store_key keys[];
};

static struct found *make_found(unsigned limit)
{
    /* A message may lie in several folders: they belong together. */
    unsigned room = limit + 16;
    struct found *found =
        sqlite3_malloc64(sizeof *found + room * sizeof found->keys[0]);

    if (!found)
        return NULL;
    found->count = 0;
    found->room = room;
    found->more = false;
    found->nearest = found->last = 0;
    return found;
}

static enum err
show(struct store *store, int64_t user_id, const struct found *found,
     enum err (*each)(void *context, const struct store_row *row),
     void *context)
{
    struct store_row_memory *memory = store_row_memory();
    enum err err = memory ? OK : ERR_MEMORY;

    for (unsigned i = 0; !err && i < found->count; i++) {
        err = store_fill_row(store, user_id, &found->keys[i], memory);
        if (!err)
            err = each(context, &memory->row);
        else if (err == ERR_NOT_FOUND)
            err = OK;
    }
    store_row_memory_free(memory);
    return err;
}

/* "N:" */
static bool read_cursor(const char *cursor, bool backwards, int64_t *number)
{
    char *end;

    *number = backwards ? -1 : INT64_MAX;
    if (!cursor || !cursor[0])
        return true;
    *number = strtoll(cursor, &end, 10);
    return end != cursor && *end == ':' && end[1] == '\0';
}

static enum err find(struct store *store, int64_t user_id,
                     const struct store_search *search, const char *pattern,
                     int64_t before, struct found *found)
{
    sqlite3_stmt *statement =
        store_statement(store, search->backwards ? SQL_FIND_BACK : SQL_FIND);
    int code = SQLITE_DONE;
    enum err err;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    sqlite3_bind_text(statement, 1, pattern, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, before);
    sqlite3_bind_int64(statement, 3, user_id);
    sqlite3_bind_int64(statement, 4, search->mailbox_id);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t mail_id = sqlite3_column_int64(statement, 0);

        if (found->count == found->room ||
            (found->count >= search->limit && mail_id != found->last)) {
            found->more = true;
            break;
        }
        if (found->count == 0)
            found->nearest = mail_id;
        found->last = mail_id;
        found->keys[found->count++] =
            (struct store_key){sqlite3_column_int64(statement, 1),
                               (uint32_t)sqlite3_column_int64(statement, 2)};
    }
    err = store_error(store, code);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

/* As it is shown, whichever way it was read: the newest first. */
static void end_search(struct store_search *search, struct found *found)
{
    int64_t first = search->backwards ? found->last : found->nearest;
    int64_t last = search->backwards ? found->nearest : found->last;

    search->count = found->count;
    search->more = found->more;
    snprintf(search->first, sizeof search->first, "%lld:", (long long)first);
    snprintf(search->last, sizeof search->last, "%lld:", (long long)last);
    for (unsigned i = 0; search->backwards && i < found->count / 2; i++) {
        struct store_key key = found->keys[i];

        found->keys[i] = found->keys[found->count - 1 - i];
        found->keys[found->count - 1 - i] = key;
    }
}

static enum err search_for(struct store *store, int64_t user_id,
                           struct store_search *search, int64_t before,
                           enum err (*each)(void *context,
                                            const struct store_row *row),
                           void *context)
{
    struct pattern *pattern = sqlite3_malloc(sizeof *pattern);
    struct found *found = make_found(search->limit);
    enum err err = pattern && found ? OK : ERR_MEMORY;

    if (!err && !make_pattern(pattern, user_id, search->words))
        err = ERR_INVALID;
    if (!err)
        err = find(store, user_id, search, pattern->text, before, found);
    if (!err) {
        end_search(search, found);
        err = show(store, user_id, found, each, context);
    }
    sqlite3_free(pattern);
    sqlite3_free(found);
    return err;
}

enum err
store_search(struct store *store, int64_t user_id, struct store_search *search,
             enum err (*each)(void *context, const struct store_row *row),
             void *context)
{
    int64_t before;
    enum err err = OK;

    search->count = 0;
    search->more = false;
    if (search->limit == 0 || search->limit > LIMIT_MAX ||
        !read_cursor(search->cursor, search->backwards, &before))
        return ERR_INVALID;
    /* The cursor may have been that. */
    search->first[0] = search->last[0] = '\0';
    if (search->mailbox_id)
        err = store_check_folder(store, user_id, search->mailbox_id, NULL);
    return err ? err
               : search_for(store, user_id, search, before, each, context);
}

/* ---- Contacts ----------------------------------------------------------- */

/* What was typed as a pattern of LIKE, with \ before its special characters. */
static void make_like(const char *typed, const char *before, char *like,
                      size_t bytes)
{
    size_t used = (size_t)snprintf(like, bytes, "%s", before);

    for (; *typed && used + 4 < bytes; typed++) {
        if (*typed == '%' || *typed == '_' || *typed == '\\')
            like[used++] = '\\';
        like[used++] = *typed;
    }
    like[used++] = '%';
    like[used] = '\0';
}

struct completion {
    unsigned count;
    struct store_contact contacts[COMPLETE_MAX];
};

static enum err complete(struct store *store, int64_t user_id,
                         const char *typed, unsigned limit,
                         struct completion *completion)
{
    sqlite3_stmt *statement = store_statement(store, SQL_CONTACT_FIND);
    char begin[300], inside[300];
    int code = SQLITE_DONE;

    if (!statement)
        return store_error(store, sqlite3_errcode(store->db));
    make_like(typed, "", begin, sizeof begin);
    make_like(typed, "% ", inside, sizeof inside);
    sqlite3_bind_int64(statement, 1, user_id);
    sqlite3_bind_text(statement, 2, begin, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, inside, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, limit);
    while (completion->count < COMPLETE_MAX &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_contact *contact =
            &completion->contacts[completion->count++];
        const char *address = (const char *)sqlite3_column_text(statement, 0);
        const char *name = (const char *)sqlite3_column_text(statement, 1);

        snprintf(contact->address, sizeof contact->address, "%s",
                 address ? address : "");
        snprintf(contact->name, sizeof contact->name, "%s", name ? name : "");
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return store_error(store, code);
}

enum err store_complete(struct store *store, int64_t user_id, const char *typed,
                        unsigned limit,
                        enum err (*each)(void *context,
                                         const struct store_contact *contact),
                        void *context)
{
    struct completion *completion = sqlite3_malloc(sizeof *completion);
    enum err err;

    if (!completion)
        return ERR_MEMORY;
    completion->count = 0;
    err = complete(store, user_id, typed, limit, completion);
    for (unsigned i = 0; !err && i < completion->count; i++)
        err = each(context, &completion->contacts[i]);
    sqlite3_free(completion);
    return err;
}
