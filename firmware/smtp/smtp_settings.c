/* The settings of the SMTP server: see smtp_settings.h. They are read again
 * when one of the store's has changed, so that no command has to. */
#include "smtp/smtp_settings.h"
#include "protocol/text.h"
#include "smtp/smtp_session.h"
#include "store/st.h"
#include "store/st_number.h"
#include <stdio.h>
#include <string.h>

#define HEADER_BYTES_MAX  (256 * 1024)
#define ERRORS_MAX        20
#define IDLE_COMMANDS_MAX 100

static struct {
    struct smtp_settings settings;
    uint32_t version;
    bool read;
} state;

/* A number, with K, M or G behind it. */
static uint64_t read_number(const char *key, uint64_t lowest, uint64_t highest,
                            uint64_t otherwise)
{
    static const char units[] = "KMG";
    const char *value = st_setting(key);
    size_t len = strlen(value);
    const char *unit = len > 0 ? strchr(units, value[len - 1]) : NULL;
    unsigned shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number;

    if (!text_number(value, unit != NULL ? len - 1 : len, &number) ||
        number > UINT64_MAX >> shift)
        return otherwise;
    number <<= shift;
    return number >= lowest && number <= highest ? number : otherwise;
}

static void read_all(struct smtp_settings *settings)
{
    const char *host = st_setting("hostname");

    if (!smtp_domain_valid(host, strlen(host)))
        host = "localhost";
    (void)snprintf(settings->host, sizeof(settings->host), "%s", host);
    settings->message_max = read_number(
        "message_max", 1024, SMTP_MESSAGE_BYTES_MAX, SMTP_MESSAGE_BYTES_MAX);
    settings->header_max =
        read_number("header_max", 1024, UINT32_MAX, HEADER_BYTES_MAX);
    settings->line_max = (uint32_t)read_number("line_max", 78, UINT32_MAX, 0);
    settings->recipients_max = (uint32_t)read_number(
        "recipients_max", 1, STORE_RECIPIENTS_MAX, STORE_RECIPIENTS_MAX);
    settings->errors_max =
        (uint32_t)read_number("smtp_errors_max", 1, 200, ERRORS_MAX);
    settings->commands_max = (uint32_t)read_number("smtp_commands_max", 10,
                                                   60000, IDLE_COMMANDS_MAX);
    settings->auth_clear = st_setting_switch("auth_clear", true);
    settings->check_from = st_setting_switch("check_from", false);
}

const struct smtp_settings *smtp_settings(void)
{
    uint32_t version = st_settings_version();

    if (!state.read || version != state.version) {
        state.version = version;
        state.read = true;
        read_all(&state.settings);
    }
    return &state.settings;
}

const char *smtp_host(void)
{
    return smtp_settings()->host;
}
