/* libFuzzer: any bytes as users.csv. What is taken must be what the directory
 * and the store take; what is refused must be refused with a sentence that
 * ends. */
#include "userdb/user.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 120

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned users;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool ends_within(const char *text, size_t bytes)
{
    return memchr(text, '\0', bytes) != NULL;
}

static enum err take_user(void *context, const struct csv_user *user)
{
    static char alias[sizeof user->aliases];
    const char *at = user->aliases;

    require(context == &users);
    require(ends_within(user->user.name, sizeof user->user.name));
    require(user_name_valid(user->user.name));
    require(ends_within(user->user.full_name, sizeof user->user.full_name));
    require(ends_within(user->user.hash, sizeof user->user.hash));
    require(ends_within(user->password, sizeof user->password));
    require(ends_within(user->aliases, sizeof user->aliases));
    require(user->user.hash[0] == '\0' || password_hash_valid(user->user.hash));
    require((user->user.hash[0] == '\0') != (user->password[0] == '\0'));
    while (*at != '\0') {
        size_t len = strcspn(at, " ");

        memcpy(alias, at, len);
        alias[len] = '\0';
        require(user_alias_valid(alias));
        at += len;
        at += *at == ' ';
    }
    users++;
    return users == 7 ? ERR_FULL : OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *message = malloc(MESSAGE_BYTES);
    char *text = malloc(size > 0 ? size : 1);
    enum err err;

    require(message != NULL && text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    memset(message, 'x', MESSAGE_BYTES);
    users = 0;
    err =
        csv_parse_users(text, size, take_user, &users, message, MESSAGE_BYTES);
    require(err == OK || ends_within(message, MESSAGE_BYTES));
    require(users < 7 || err == ERR_FULL);
    free(text);
    free(message);
    return 0;
}
