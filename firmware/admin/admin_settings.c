/* The page "Settings": what can be changed while mail is served. Those of the
 * network's configuration are only shown: a mistake would shut this page out;
 * they are changed at the console. */
#include "admin/admin_page.h"
#include "store/st.h"
#include <string.h>

enum kind { NUMBER, YES_NO, SIZE, WORDS };

static const struct {
    const char *key;
    enum kind kind;
    const char *hint;
} settings[] = {
    {"auth_clear", YES_NO, "no: no passwords without encryption"},
    {"check_from", YES_NO, "yes: the From line has to be the user's own"},
    {"message_max", SIZE, "largest message, 32M"},
    {"recipients_max", NUMBER, "of one message, 100"},
    {"tag_separator", WORDS, "+: mail for anna+shop is anna's; none"},
    {"queue_days", NUMBER, "how long mail for others is tried, 5"},
    {"queue_delay_notice", NUMBER, "hours until the sender hears of it, 4"},
    {"queue_host_sessions", NUMBER, "connections to one server, 20"},
    {"bounce_postmaster", YES_NO, "yes: postmaster gets copies of notices"},
    {"log_lines", NUMBER, "kept on the stick, 20000"},
    {"syslog", WORDS, "ADDRESS[:PORT]: the log goes there too"},
    {"ntp", WORDS, "time servers, or off"},
    {"limit_sessions", NUMBER, "at once from one address, 20"},
    {"limit_connections", NUMBER, "a minute from one address, 120"},
    {"limit_invalid_recipients", NUMBER, "then a client is turned away, 15"},
    {"limit_user_messages", NUMBER, "of a user an hour, 300"},
    {"limit_user_recipients", NUMBER, "of a user an hour, 500"},
    {"limit_private", NUMBER, "1: limits hold for private addresses too"},
    {"tarpit_ms", NUMBER, "who guesses addresses is slowed down by this"},
    {"greet_delay_ms", NUMBER, "before the greeting, 0"},
    {"slow_strangers_ms", NUMBER, "for who never sent before, 0"},
    {"dnsbl", WORDS, "DNS block lists"},
    {"dnsbl_action", WORDS, "refuse or mark"},
    {"data_access", WORDS, "who may query data.db: admin, shared, own"},
    {"web_idle_minutes", NUMBER, "until a browser has to log in again, 60"},
    {"web_login_hours", NUMBER, "and at all, 24"},
    {"files_read", WORDS, "shared files: users, everyone, off"},
    {"files_write", WORDS, "who brings and deletes them: admins, users, off"},
    {"files_max_mb", NUMBER, "the largest of them, 64"},
    {"load_at_start", WORDS, "ADDRESS/FILE of a TFTP server, several of them"},
    {"metrics", WORDS, "who may read /metrics: private, all, admin"},
};

#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const char *const shown[] = {"hostname", "address", "gateway",
                                    "dns",      "http",    "data_bytes"};

static void show(struct http_exchange *x, struct store *store)
{
    admin_begin(x, store, 200, "Settings");
    admin_table(x, "At the console, or by mkusb", "Setting|Value");
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
        admin_row(x, shown[i], st_setting(shown[i]));
    admin_table_end(x);
    admin_table(x, "Here; nothing means the usual", "Setting|Value|What it is");
    for (size_t i = 0; i < SETTINGS; i++) {
        http_printf(x, "<tr><th scope=\"row\">%h</th><td>", settings[i].key);
        admin_form(x, "/admin/settings");
        http_printf(x,
                    "<input type=\"hidden\" name=\"key\" value=\"%h\">"
                    "<input type=\"text\" name=\"value\" aria-label=\"%h\" "
                    "value=\"%h\"> <button>Save</button></form></td>"
                    "<td>%h</td></tr>",
                    settings[i].key, settings[i].key,
                    st_setting(settings[i].key), settings[i].hint);
    }
    admin_table_end(x);
    admin_end(x);
}

static bool is_valid(enum kind kind, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    if (*value == '\0')
        return true;
    switch (kind) {
    case NUMBER:
        return digits <= 9 && value[digits] == '\0';
    case YES_NO:
        return strcmp(value, "yes") == 0 || strcmp(value, "no") == 0;
    case SIZE:
        return digits != 0 && digits <= 9 &&
               (value[digits] == '\0' ||
                (strchr("KM", value[digits]) && value[digits + 1] == '\0'));
    case WORDS:
        break;
    }
    for (; *value != '\0'; value++)
        if ((unsigned char)*value < ' ' || *value == 127)
            return false;
    return true;
}

static enum err put(const char *key, const char *value)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].key, key) == 0)
            return is_valid(settings[i].kind, value)
                       ? admin_put_setting(key, value)
                       : ERR_INVALID;
    return ERR_NOT_FOUND;
}

void admin_settings_page(struct http_exchange *x, struct store *store)
{
    if (http_is_post(x))
        admin_said(
            x, "/admin/settings",
            put(http_param_or(x, "key", ""), http_param_or(x, "value", "")));
    else
        show(x, store);
}
