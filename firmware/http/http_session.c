/* Who is logged in: a table of fixed size in memory, which no restart survives.
 *
 * A login is named by a cookie with 128 bits of chance. It ends after some time
 * without a request, after some time at all, by logging out, and when the
 * user's password was changed or the user disabled. A place is found by the
 * cookie's bits within a small set of places; in a full set the login that was
 * used least recently gives way. */
#include "core/bytes.h"
#include "core/memory.h"
#include "core/random.h"
#include "http/http_internal.h"
#include "store/st_number.h"
#include "userdb/directory.h"
#include <stdio.h>
#include <string.h>

#define COOKIE  "barepost="
#define SET     8 /* places of a set */
#define MINUTES UINT64_C(60000)
/* Settings "web_idle_minutes" and "web_login_hours". */
#define IDLE_MINUTES 60
#define LOGIN_HOURS  24

static struct {
    struct http_login *logins;
    unsigned sets;
    uint8_t key[16];
} state;

enum err http_session_init(unsigned bytes)
{
    memset(&state, 0, sizeof(state));
    state.sets = bytes / (SET * (unsigned)sizeof(*state.logins));
    if (state.sets == 0)
        state.sets = 1;
    state.logins = memory_take(
        "web logins", (size_t)state.sets * SET * sizeof(*state.logins), 64);
    random_bytes(state.key, sizeof(state.key));
    return state.logins ? OK : ERR_MEMORY;
}

static uint64_t password_tag(const struct user *user)
{
    return siphash(state.key, user->hash, strlen(user->hash));
}

static void forget(struct http_login *login)
{
    bytes_wipe(login, sizeof(*login));
}

static struct http_login *set_of(const uint64_t id[2])
{
    return &state.logins[(size_t)(id[0] % state.sets) * SET];
}

static bool is_free(const struct http_login *login)
{
    return login->id[0] == 0 && login->id[1] == 0;
}

static uint64_t limit_ms(const char *setting, int64_t otherwise, uint64_t unit)
{
    return (uint64_t)st_setting_number(setting, otherwise, 1, 1000000) * unit;
}

/* Whether it still holds; user: as he is now. */
static bool holds(const struct http_login *login, const struct user *user)
{
    uint64_t now = timer_now_ms();

    return user && user->enabled && login->password_tag == password_tag(user) &&
           now - login->used_ms <
               limit_ms("web_idle_minutes", IDLE_MINUTES, MINUTES) &&
           now - login->begun_ms <
               limit_ms("web_login_hours", LOGIN_HOURS, 60 * MINUTES);
}

/* ---- Cookies --------------------------------------------------------------
 */

static void hex_put(const uint64_t id[2], char *text)
{
    struct text hex;

    text_init(&hex, text, 32);
    text_hex(&hex, id[0], 16);
    text_hex(&hex, id[1], 16);
    text[32] = '\0';
}

static bool hex_read(const char *text, uint64_t id[2])
{
    id[0] = id[1] = 0;
    for (unsigned i = 0; i < 32; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;

        if (digit == 16)
            return false;
        id[i / 16] = id[i / 16] << 4 | digit;
    }
    return true;
}

/* Our cookie among those of the field. */
static bool read_cookie(const char *field, uint64_t id[2])
{
    while (field && *field) {
        field += strspn(field, "; ");
        if (strncmp(field, COOKIE, sizeof(COOKIE) - 1) == 0)
            return hex_read(field + sizeof(COOKIE) - 1, id);
        field += strcspn(field, ";");
    }
    return false;
}

static struct http_login *login_of(const struct http_head *head)
{
    uint64_t id[2];
    struct http_login *login;

    if (!read_cookie(http_head_field(head, FIELD_COOKIE), id) ||
        (id[0] == 0 && id[1] == 0))
        return NULL;
    login = set_of(id);
    for (unsigned i = 0; i < SET; i++, login++)
        if (((login->id[0] ^ id[0]) | (login->id[1] ^ id[1])) == 0)
            return login;
    return NULL;
}

bool http_session_find(struct http_exchange *x)
{
    struct http_login *login = login_of(&x->head);
    const struct user *who;

    x->logged_in = false;
    if (!login)
        return false;
    who = directory_user_by_id(login->user_id);
    if (!holds(login, who)) {
        forget(login);
        return false;
    }
    login->used_ms = timer_now_ms();
    x->logged_in = true;
    x->user.id = who->id;
    x->user.admin = who->admin;
    memcpy(x->user.name, who->name, sizeof(x->user.name));
    memcpy(x->csrf, login->csrf_text, sizeof(x->csrf));
    return true;
}

void http_session_close(struct http_exchange *x)
{
    struct http_login *login = login_of(&x->head);

    if (login)
        forget(login);
    x->logged_in = false;
}

void http_session_open(int64_t user_id, char *cookie)
{
    const struct user *user = directory_user_by_id(user_id);
    struct http_login *login, *oldest;
    uint64_t id[2], csrf[2];
    char text[33];

    do {
        random_bytes(id, sizeof(id));
    } while (id[0] == 0 && id[1] == 0);
    login = oldest = set_of(id);
    for (unsigned i = 0; i < SET; i++, login++)
        if (!is_free(oldest) &&
            (is_free(login) || login->used_ms < oldest->used_ms))
            oldest = login;
    memcpy(oldest->id, id, sizeof(id));
    random_bytes(csrf, sizeof(csrf));
    hex_put(csrf, oldest->csrf_text);
    oldest->user_id = user_id;
    oldest->password_tag = user ? password_tag(user) : 0;
    oldest->begun_ms = oldest->used_ms = timer_now_ms();
    hex_put(id, text);
    (void)snprintf(cookie, HTTP_COOKIE_BYTES,
                   COOKIE "%s; Path=/; HttpOnly; SameSite=Strict", text);
}

void http_login_renew(struct http_exchange *x)
{
    const struct user *user = directory_user_by_id(x->user.id);
    struct http_login *login = login_of(&x->head);

    if (x->logged_in && login && user && login->user_id == user->id)
        login->password_tag = password_tag(user);
}

unsigned http_session_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < state.sets * SET; i++)
        count += !is_free(&state.logins[i]) &&
                 holds(&state.logins[i],
                       directory_user_by_id(state.logins[i].user_id));
    return count;
}

/* In a time that tells nothing of how much of it is right. */
bool http_csrf_right(const struct http_exchange *x, const char *token)
{
    unsigned differs = 0;

    if (!token || strlen(token) != sizeof(x->csrf) - 1)
        return false;
    for (size_t i = 0; i < sizeof(x->csrf) - 1; i++)
        differs |= (uint8_t)(x->csrf[i] ^ token[i]);
    return differs == 0;
}
