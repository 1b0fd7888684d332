/* libFuzzer: any bytes as a POP3 client's side of a connection, and as the
 * message that it finds.
 *
 * The input is a message, a NUL, and what the client sends: behind a login, or,
 * where it begins with "AUTH", at once.
 * Played whole and cut into spans with little room for answers, it must give
 * the same answers, remove the same messages and leave nothing behind. */
#include "tests/unit/fake_mail.h"
#include "pop3/pop3_session.h"

#define SESSIONS 2

static const char login[] = "USER anna\r\nPASS se cret\r\n";

struct outcome {
    char *out;
    size_t out_len;
    size_t removed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_message(const void *body, size_t len)
{
    uint32_t i = fake_st.entry_count++;

    fake_st.entries[i].message_id = 500 + i;
    fake_st.entries[i].uid = 10 + i;
    fake_st.entries[i].bytes = (uint32_t)len;
    fake_st.bodies[i] = body;
}

static void play(const void *body, size_t body_len, const char *text,
                 size_t len, const struct fake_play *way, size_t read_at_most,
                 struct outcome *outcome)
{
    struct pop3_figures figures;
    struct fake_stream fake;

    fake_store_reset();
    fake_st.read_at_most = read_at_most;
    add_message(body, body_len);
    add_message("x\r\n", 3);
    fake_connect(&fake, way);
    fake_send(&fake, way, text, len);
    fake_lose(&fake, ERR_RESET);
    fake_settle(&fake, way);
    outcome->out = fake.out;
    outcome->out_len = fake.out_len;
    outcome->removed = fake_st.removed_count;
    pop3_figures(&figures);
    if (figures.sessions != 0 || fake_st.locks != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct fake_play cut = {0, true, 64, 11, false};
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t body = end != NULL ? (size_t)(end - data) : size;
    size_t rest = end != NULL ? size - body - 1 : 0;
    bool at_once = rest >= 4 && memcmp(end + 1, "AUTH", 4) == 0;
    size_t before = at_once ? 0 : sizeof(login) - 1;
    size_t len = before + rest;
    struct outcome whole, parts;
    char *text;

    if (!made) {
        task_module_init();
        timer_module_init();
        timer_run();
        fake_store_reset();
        if (pop3_server_init(SESSIONS) != OK)
            abort();
        pop3_server_start();
        made = true;
    }
    text = malloc(len);
    memcpy(text, login, before);
    if (rest > 0)
        memcpy(text + before, end + 1, rest);
    play(data, body, text, len, &fake_play_plain, 0, &whole);
    play(data, body, text, len, &cut, 7, &parts);
    if (whole.removed != parts.removed || whole.out_len != parts.out_len ||
        memcmp(whole.out, parts.out, whole.out_len) != 0)
        abort();
    free(whole.out);
    free(parts.out);
    free(text);
    return 0;
}
