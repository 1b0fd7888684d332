/* Scripts of SQL and dot-commands of any kind, on a database beside mail.db:
 * the cutting into statements, the fence, our functions, the forms of answers.
 * What is answered must be whole JSON, and nothing outside the database's files
 * may be written. */
#include "core/random.h"
#include "mailstore/sql_heap.h"
#include "mailstore/sql_internal.h"
#include "mailstore/sql_script.h"
#include "tests/unit/ram_medium.h"
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES  (10u << 20)
#define QUERY_BYTES (1u << 20)
#define PAUSES      300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    bool ready;
    struct ram_medium medium;
    struct store_place place;
    unsigned pauses;
    size_t out;
    int depth; /* of braces and brackets in JSON */
    bool in_string, escaped;
    bool json;
} state;

static int64_t now_ms(void)
{
    return 1700000000000;
}

static uint64_t now_us(void)
{
    return 0;
}

static bool on_pause(void *context, bool waiting)
{
    (void)context;
    return waiting || ++state.pauses > PAUSES;
}

static void follow(char c)
{
    if (state.escaped)
        state.escaped = false;
    else if (state.in_string && c == '\\')
        state.escaped = true;
    else if (c == '"')
        state.in_string = !state.in_string;
    else if (!state.in_string && (c == '{' || c == '['))
        state.depth++;
    else if (!state.in_string && (c == '}' || c == ']'))
        state.depth--;
    if (state.depth < 0 || (state.in_string && (unsigned char)c < ' '))
        abort();
}

static enum err on_write(void *context, const char *bytes, size_t len)
{
    (void)context;
    state.out += len;
    for (size_t i = 0; state.json && i < len; i++)
        follow(bytes[i]);
    return state.out > 1000000 ? ERR_GONE : OK;
}

static enum err on_open(void *context, const struct sql_session *session,
                        struct sql **sql, char message[SQL_MESSAGE_BYTES])
{
    struct sql_options options = {.place = &state.place,
                                  .mail =
                                      strcmp(session->database, "mail") == 0,
                                  .write = session->write,
                                  .pause = on_pause};

    (void)context;
    return sql_open(&options, sql, message);
}

static enum err on_read(void *context, const char *name, char **text,
                        size_t *len)
{
    (void)context;
    *len = strlen(name);
    *text = sql_text_alloc(*len + 1);
    if (*text == NULL)
        return ERR_MEMORY;
    memcpy(*text, name, *len);
    return OK;
}

static void make_ready(void)
{
    uint64_t sectors = 5000;

    state.ready = true;
    random_module_init();
    ram_medium_init(&state.medium, sectors, false);
    state.place.media = &state.medium.media;
    state.place.wal_sector = 100;
    state.place.wal_bytes = 512 << 10;
    state.place.database_sector = 100 + (512 << 10) / 512;
    state.place.database_bytes = 1 << 20;
    state.place.data = true;
    state.medium.allowed[0][0] = 100;
    state.medium.allowed[0][1] = 100 + ((512 << 10) + (1 << 20)) / 512;
    if (store_module_init(malloc(HEAP_BYTES), HEAP_BYTES, now_ms) != OK ||
        sql_heap_init(0, malloc(QUERY_BYTES), QUERY_BYTES) != OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sql_host host = {
        .write = on_write, .now_us = now_us, .open = on_open, .read = on_read};
    struct sql_session session;
    struct sql_result result;
    struct sql *sql = NULL;
    enum err err;

    if (!state.ready)
        make_ready();
    if (size == 0)
        return 0;
    state.pauses = 0;
    state.out = 0;
    state.depth = 0;
    state.in_string = state.escaped = false;
    sql_heap_use(0, NULL);
    if (sql_data_create(&state.place) != OK)
        abort();
    sql_session_init(&session);
    session.mode = (enum sql_mode)(data[0] % SQL_MODES);
    session.shell = data[0] >> 4 & 1;
    session.write = data[0] >> 5 & 1;
    session.rows_max = 100;
    session.cut = data[0] >> 6 & 1 ? 5 : 0;
    state.json = !session.shell && (session.mode == SQL_MODE_JSON ||
                                    session.mode == SQL_MODE_ARRAYS);
    err = sql_script(&sql, &session, &host, (const char *)data + 1, size - 1,
                     &result);
    if (state.json && err == OK && (state.depth != 0 || state.in_string))
        abort();
    sql_close(sql);
    sql_heap_use(SQL_NONE, NULL);
    if (state.medium.outside != 0)
        abort();
    return 0;
}
