/* About: which Barepost this is, and whose work is in it. */
#include "core/version.h"
#include "menu/page.h"
#include "menu/screen.h"

static void draw(void)
{
    static const char *const lines[] = {
        "A private mail server that is the whole computer.",
        "Apache License 2.0; there is no warranty.",
        "",
        "Within it are the works of others:",
        "  SQLite    the database, by D. Richard Hipp and others",
        "            public domain",
        "  musl      parts of the C library, (C) 2005-2020 Rich Felker et al.",
        "            MIT licence",
        "  argon2    password hashes, (C) 2015 D. Dinu, D. Khovratovich,",
        "            Jean-Philippe Aumasson, Samuel Neves: CC0 or Apache 2.0",
        "  Terminus  the font on framebuffers, (C) 2020 Dimitar Toshkov Zhekov",
        "            SIL Open Font License 1.1",
        "",
        "On the stick stands, as a program of its own:",
        "  syslinux  the boot loader, (C) H. Peter Anvin and others: GPL 2+",
    };
    unsigned row = PAGE_FIRST_ROW + 3;

    screen_format(PAGE_FIRST_ROW, 3, SCREEN_BRIGHT, "Barepost %s",
                  VERSION_NUMBER);
    screen_format(PAGE_FIRST_ROW + 1, 3, SCREEN_NORMAL, "Build %s",
                  version_build());
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        screen_text(row++, 3, SCREEN_NORMAL, lines[i]);
}

const struct page page_about = {
    .title = "About",
    .help = "Esc  back",
    .draw = draw,
};
