/* libFuzzer: any bytes as an SMTP client's side of a connection; the first one
 * says to which port, whether a user has logged in before, and what is set.
 *
 * Each input is played whole and cut into spans with little room for answers:
 * both must give the same answers and store the same messages, and leave
 * nothing behind. */
#include "tests/unit/fake_mail.h"
#include "smtp/smtp_session.h"

#define SESSIONS 2

struct outcome {
    char *out;
    size_t out_len;
    unsigned stored;
    size_t stored_bytes;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOG_IN "EHLO c.test\r\nAUTH PLAIN AGFubmEAc2UgY3JldA==\r\n"

static void play(const uint8_t *data, size_t size, const struct fake_play *way,
                 size_t budget, struct outcome *outcome)
{
    struct smtp_figures figures;
    struct fake_stream fake;
    unsigned i;

    fake_store_reset();
    fake_st.budget = budget;
    if ((data[0] & 1) != 0)
        fake_local_port = 587;
    if ((data[0] & 4) != 0)
        fake_set("check_from", "yes");
    fake_connect(&fake, way);
    if ((data[0] & 2) != 0)
        fake_send(&fake, way, LOG_IN, strlen(LOG_IN));
    fake_send(&fake, way, data + 1, size - 1);
    fake_lose(&fake, ERR_RESET);
    outcome->out = fake.out;
    outcome->out_len = fake.out_len;
    outcome->stored = 0;
    outcome->stored_bytes = 0;
    for (i = 0; i < fake_st.stored_count; i++) {
        /* Notices of delivery are left out when the store is slow. */
        if (strstr(fake_st.stored[i].bytes, "Auto-Submitted") != NULL)
            continue;
        outcome->stored++;
        outcome->stored_bytes += fake_st.stored[i].len;
    }
    smtp_figures(&figures);
    if (figures.sessions != 0 || fake_st.inbound_count != 0)
        abort();
    fake_settle(&fake, way);
}

/* The answers but for the ids of messages, which grow from play to play. */
static void mask_ids(struct outcome *outcome)
{
    char *at = outcome->out;

    while ((at = strstr(at, ", id ")) != NULL)
        while (*at != '\r' && *at != '\0')
            *at++ = '#';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct fake_play cut = {0, true, 64, 11, false};
    struct outcome whole, parts;

    if (size == 0)
        return 0;
    if (!made) {
        task_module_init();
        timer_module_init();
        timer_run();
        fake_store_reset();
        if (smtp_server_init(SESSIONS) != OK)
            abort();
        smtp_server_start();
        made = true;
    }
    play(data, size, &fake_play_plain, 0, &whole);
    play(data, size, &cut, 13, &parts);
    mask_ids(&whole);
    mask_ids(&parts);
    if (whole.stored != parts.stored)
        abort();
    /* The ids' digits may have grown. */
    if (strcspn(whole.out, "#") != strcspn(parts.out, "#") ||
        memcmp(whole.out, parts.out, strcspn(whole.out, "#")) != 0)
        abort();
    free(whole.out);
    free(parts.out);
    return 0;
}
