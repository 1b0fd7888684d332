/* The users, aliases and domains that the tests of mail protocols know. */
#ifndef TESTS_UNIT_FAKE_DIRECTORY_H
#define TESTS_UNIT_FAKE_DIRECTORY_H

#include "userdb/directory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void fake_add_user(int64_t id, const char *name, bool admin,
                                 bool enabled)
{
    struct user user;

    memset(&user, 0, sizeof(user));
    user.id = id;
    snprintf(user.name, sizeof(user.name), "%s", name);
    user.admin = admin;
    user.enabled = enabled;
    if (directory_add_user(&user) != OK)
        abort();
}

static inline void fake_add_alias(const char *alias, int64_t user,
                                  const char *address)
{
    if ((user != 0 ? directory_add_alias(alias, user)
                   : directory_add_forward(alias, address)) != OK)
        abort();
}

/* The real one: anna is admin, gone is disabled; users "u0" to "u199" have ids
 * from 100 on, and get what comes to "all" and "most"; others as below. */
static void fake_fill_directory(void)
{
    static char memory[512 * 1024];
    static bool filled;
    unsigned i;

    if (filled)
        return;
    filled = true;
    directory_init(memory, sizeof(memory));
    if (directory_add_domain("example.org") != OK ||
        directory_add_domain("closed.example") != OK ||
        directory_add_domain("small.example") != OK ||
        directory_limit_domain("closed.example", 0, true) != OK ||
        directory_limit_domain("small.example", 2000, false) != OK)
        abort();
    fake_add_user(1, "anna", true, true);
    fake_add_user(2, "bert", false, true);
    fake_add_user(3, "gone", false, false);
    for (i = 0; i < 200; i++) {
        char name[8];

        snprintf(name, sizeof(name), "u%u", i);
        fake_add_user(100 + i, name, false, true);
        fake_add_alias("all", 100 + i, "");
        if (i < 60)
            fake_add_alias("most", 100 + i, "");
    }
    fake_add_alias("info", 1, "");
    fake_add_alias("both", 1, "");
    fake_add_alias("both", 2, "");
    fake_add_alias("team", 1, "");
    fake_add_alias("team", 0, "far@away.test");
    fake_add_alias("team", 0, "further@away.test");
    fake_add_alias("away", 0, "Far@away.test");
    fake_add_alias("abroad", 0, "f\303\244r@away.test");
    fake_add_alias("\303\274nal", 2, "");
}

#endif
