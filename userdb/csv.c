/* users.csv: RFC 4180 with a header line.
 *
 *   text -> records (fields unquoted into one buffer) -> struct csv_user -> add
 *
 * Strict: a line that is not understood stops the parsing with line number and
 * reason. Lines that hold nothing are skipped. A record is at most
 * RECORD_BYTES long. A line break inside a quoted field is refused, since no
 * column may hold one. */
#include "userdb/user.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 4096
#define FIELDS_MAX   16

enum column {
    COLUMN_USERNAME,
    COLUMN_PASSWORD,
    COLUMN_NAME,
    COLUMN_QUOTA,
    COLUMN_ADMIN,
    COLUMN_ALIASES,
    COLUMN_FORWARD,
    COLUMNS
};

static const char *const column_names[COLUMNS] = {
    "username", "password", "name", "quota_mb", "admin", "aliases", "forward",
};

static struct {
    const char *at, *end;
    unsigned line;
    char buffer[RECORD_BYTES];
    const char *fields[FIELDS_MAX];
    unsigned field_count;
    int place[COLUMNS]; /* index of the field, -1: no such column */
    struct csv_user entry;
    char *message;
    size_t message_bytes;
} state;

__attribute__((format(printf, 1, 2))) static enum err fail(const char *format,
                                                           ...)
{
    va_list args;
    int len;

    if (state.message_bytes == 0)
        return ERR_INVALID;
    len = snprintf(state.message, state.message_bytes, "line %u: ", state.line);
    if (len >= 0 && (size_t)len < state.message_bytes) {
        va_start(args, format);
        (void)vsnprintf(state.message + len, state.message_bytes - (size_t)len,
                        format, args);
        va_end(args);
    }
    return ERR_INVALID;
}

/* A quoted field's content, from behind its opening quote. */
static enum err read_quoted(size_t *used)
{
    for (;;) {
        if (state.at == state.end || *state.at == '\n' || *state.at == '\r')
            return fail("a quoted field is not closed");
        if (*state.at == '"') {
            state.at++;
            if (state.at == state.end || *state.at != '"')
                break;
        }
        if (*used >= RECORD_BYTES - 1)
            return fail("the line is too long");
        state.buffer[(*used)++] = *state.at++;
    }
    if (state.at < state.end && !strchr(",\r\n", *state.at))
        return fail("text behind a closing quote");
    return OK;
}

static enum err read_plain(size_t *used)
{
    while (state.at < state.end && !strchr(",\r\n", *state.at)) {
        if (*state.at == '"')
            return fail("a quote inside a field that is not quoted");
        if (*used >= RECORD_BYTES - 1)
            return fail("the line is too long");
        state.buffer[(*used)++] = *state.at++;
    }
    return OK;
}

static enum err read_field(size_t *used)
{
    enum err err;

    if (state.field_count == FIELDS_MAX)
        return fail("too many fields");
    if (*used >= RECORD_BYTES - 1)
        return fail("the line is too long");
    state.fields[state.field_count++] = state.buffer + *used;
    if (state.at < state.end && *state.at == '"') {
        state.at++;
        err = read_quoted(used);
    } else {
        err = read_plain(used);
    }
    if (!err)
        state.buffer[(*used)++] = '\0';
    return err;
}

/* The fields of one line; leaves state.at at the start of the next. */
static enum err read_record(void)
{
    const char *newline;
    size_t used = 0;
    enum err err;

    newline = memchr(state.at, '\n', (size_t)(state.end - state.at));
    if (memchr(state.at, '\0',
               (size_t)((newline ? newline : state.end) - state.at)))
        return fail("a NUL character");
    state.field_count = 0;
    for (;;) {
        err = read_field(&used);
        if (err)
            return err;
        if (state.at == state.end || *state.at != ',')
            break;
        state.at++;
    }
    if (state.at < state.end && *state.at == '\r')
        state.at++;
    if (state.at < state.end) {
        if (*state.at != '\n')
            return fail("a carriage return inside the line");
        state.at++;
    }
    return OK;
}

static enum err read_header(void)
{
    enum err err = read_record();

    if (err)
        return err;
    for (int column = 0; column < COLUMNS; column++)
        state.place[column] = -1;
    for (unsigned i = 0; i < state.field_count; i++) {
        int column = 0;

        while (column < COLUMNS &&
               strcmp(state.fields[i], column_names[column]) != 0)
            column++;
        if (column == COLUMNS)
            return fail("unknown column \"%.64s\"", state.fields[i]);
        if (state.place[column] >= 0)
            return fail("column \"%s\" stands there twice",
                        column_names[column]);
        state.place[column] = (int)i;
    }
    for (int column = 0; column <= COLUMN_PASSWORD; column++) {
        if (state.place[column] < 0)
            return fail("the header has no column \"%s\"",
                        column_names[column]);
    }
    return OK;
}

static const char *field(enum column column)
{
    int place = state.place[column];

    return place < 0 ? "" : state.fields[place];
}

static enum err read_names(struct csv_user *entry)
{
    const char *username = field(COLUMN_USERNAME);
    const char *name = field(COLUMN_NAME);

    if (username[0] == '\0')
        return fail("the username is empty");
    if (!user_name_valid(username))
        return fail("\"%.80s\" cannot be a username", username);
    if (strlen(name) >= sizeof entry->user.full_name)
        return fail("the name is longer than %zu bytes",
                    sizeof entry->user.full_name - 1);
    if (!user_text_valid(name, strlen(name)))
        return fail("the name is not plain UTF-8 text");
    memcpy(entry->user.name, username, strlen(username) + 1);
    memcpy(entry->user.full_name, name, strlen(name) + 1);
    return OK;
}

static enum err read_password(struct csv_user *entry)
{
    const char *password = field(COLUMN_PASSWORD);

    if (password[0] == '\0')
        return fail("the password is empty");
    if (password_hash_valid(password)) {
        memcpy(entry->user.hash, password, strlen(password) + 1);
        return OK;
    }
    if (strncmp(password, "$argon2", 7) == 0)
        return fail("the password looks like a hash, but is not one that "
                    "can be used ($argon2id$v=19$m=...,t=...,p=1$...)");
    if (strlen(password) >= sizeof entry->password)
        return fail("the password is longer than %zu bytes",
                    sizeof entry->password - 1);
    if (!user_text_valid(password, strlen(password)))
        return fail("the password is not plain UTF-8 text");
    memcpy(entry->password, password, strlen(password) + 1);
    return OK;
}

static enum err read_quota(struct csv_user *entry)
{
    const char *text = field(COLUMN_QUOTA);
    uint64_t megabytes = 0;

    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return fail("quota_mb \"%.40s\" is not a number", text);
        megabytes = megabytes * 10 + (uint64_t)(*at - '0');
        if (megabytes > 1000u * 1000 * 1000)
            return fail("quota_mb \"%.40s\" is too large", text);
    }
    entry->user.quota_bytes = megabytes * 1024 * 1024;
    return OK;
}

static enum err read_admin(struct csv_user *entry)
{
    static const char *const words[] = {"",  "0",   "no",   "false",
                                        "1", "yes", "true", "admin"};
    const char *text = field(COLUMN_ADMIN);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            entry->user.admin = i >= 4;
            return OK;
        }
    }
    return fail("admin \"%.40s\" is neither yes nor no", text);
}

/* Words of a field, each of them valid, into `list` with single spaces. */
static enum err read_words(const char *at, char *list, size_t list_bytes,
                           bool (*valid)(const char *word), const char *what)
{
    size_t used = 0;

    for (;;) {
        char word[USER_ADDRESS_BYTES];
        size_t len;

        at += strspn(at, " ");
        len = strcspn(at, " ");
        if (len == 0)
            return OK;
        if (len < sizeof word) {
            memcpy(word, at, len);
            word[len] = '\0';
        }
        if (len >= sizeof word || !valid(word))
            return fail("\"%.*s\" cannot be an %s", (int)(len < 80 ? len : 80),
                        at, what);
        if (used + len + 2 > list_bytes)
            return fail("the %s list is longer than %zu bytes", what,
                        list_bytes - 1);
        if (used)
            list[used++] = ' ';
        memcpy(list + used, word, len + 1);
        used += len;
        at += len;
    }
}

static enum err read_aliases(struct csv_user *entry)
{
    return read_words(field(COLUMN_ALIASES), entry->aliases,
                      sizeof entry->aliases, user_alias_valid, "alias");
}

static bool outside_address_valid(const char *address)
{
    return strchr(address, '@') && user_address_valid(address);
}

/* Addresses; with the word "only" before them no copy stays here. */
static enum err read_forward(struct csv_user *entry)
{
    const char *at = field(COLUMN_FORWARD);
    enum err err;

    at += strspn(at, " ");
    entry->forward_only =
        strncmp(at, "only", 4) == 0 && (at[4] == ' ' || at[4] == '\0');
    if (entry->forward_only)
        at += 4;
    err = read_words(at, entry->forward, sizeof entry->forward,
                     outside_address_valid, "address");
    if (!err && entry->forward_only && entry->forward[0] == '\0')
        return fail("forward is \"only\" without an address behind it");
    return err;
}

static enum err read_user(void)
{
    static enum err (*const readers[])(struct csv_user *) = {
        read_names, read_password, read_quota,
        read_admin, read_aliases,  read_forward,
    };
    unsigned wanted = 0;

    for (int column = 0; column < COLUMNS; column++)
        wanted += state.place[column] >= 0;
    if (state.field_count != wanted)
        return fail("%u fields, but the header has %u", state.field_count,
                    wanted);
    memset(&state.entry, 0, sizeof state.entry);
    state.entry.user.enabled = true;
    state.entry.line = state.line;
    state.entry.has_name = state.place[COLUMN_NAME] >= 0;
    state.entry.has_quota = state.place[COLUMN_QUOTA] >= 0;
    state.entry.has_admin = state.place[COLUMN_ADMIN] >= 0;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        enum err err = readers[i](&state.entry);

        if (err)
            return err;
    }
    return OK;
}

static enum err parse(enum err (*add)(void *, const struct csv_user *),
                      void *context)
{
    enum err err = read_header();

    while (!err && state.at < state.end) {
        state.line++;
        err = read_record();
        if (err || (state.field_count == 1 && state.fields[0][0] == '\0'))
            continue;
        err = read_user();
        if (err)
            break;
        err = add(context, &state.entry);
        if (err)
            (void)fail("\"%s\": %s", state.entry.user.name, err_text(err));
    }
    return err;
}

enum err csv_parse_users(const char *text, size_t len,
                         enum err (*add)(void *context,
                                         const struct csv_user *user),
                         void *context, char *message, size_t message_bytes)
{
    enum err err;

    state.at = text;
    state.end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        state.at += 3;
    state.line = 1;
    state.message = message;
    state.message_bytes = message_bytes;
    err = parse(add, context);
    /* Passwords do not stay in memory. */
    memset(state.buffer, 0, sizeof state.buffer);
    memset(&state.entry, 0, sizeof state.entry);
    return err;
}
