/* mkusb's pure parts: geometry, settings, the cover over a medium. */
#include "check.h"
#include "mkusb/layout.h"
#include "mkusb/media_file.h"
#include "mkusb/say.h"
#include "mkusb/settings.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB 1048576ull
#define GIB (1024 * MIB)

/* ---- Geometry -------------------------------------------------------------
 */

static void check_plan(uint64_t bytes)
{
    struct layout layout;
    uint64_t before, entries, used;

    CHECK(layout_plan(bytes, &layout) == OK);
    before = layout.data_sector - layout.partition_sector;
    entries = (uint64_t)layout.fat_sectors * 128;
    used = (uint64_t)layout.cluster_count * layout.cluster_sectors;
    CHECK(layout.cluster_count >= 65525);
    CHECK(layout.cluster_count <= 0x0FFFFFF4);
    CHECK(entries >= (uint64_t)layout.cluster_count + 2);
    CHECK(before == layout.reserved_sectors + 2ull * layout.fat_sectors);
    CHECK(layout.reserved_sectors >= 32 && layout.reserved_sectors < 65536);
    CHECK(layout.data_sector % 8 == 0);
    CHECK(bytes < GIB || layout.data_sector % 2048 == 0);
    CHECK(before + used <= layout.partition_sectors);
    CHECK(before + used + layout.cluster_sectors > layout.partition_sectors);
    CHECK((layout.partition_sector + layout.partition_sectors) * 512 <= bytes);
    CHECK((layout.cluster_sectors & (layout.cluster_sectors - 1)) == 0);
}

static void test_layout(void)
{
    struct layout layout;

    for (uint64_t bytes = 40 * MIB; bytes < 700 * MIB; bytes += 512 * 1021)
        check_plan(bytes);
    for (uint64_t bytes = 500 * MIB; bytes < 4096 * GIB; bytes += bytes / 7)
        check_plan(bytes);
    CHECK(layout_plan(0, &layout) == ERR_FULL);
    CHECK(layout_plan(MIB, &layout) == ERR_FULL);
    CHECK(layout_plan(33 * MIB, &layout) == ERR_FULL);
    for (uint64_t content = 0; content < GIB; content += 77 * MIB) {
        uint64_t bytes = layout_bytes_min(content);

        CHECK(layout_plan(bytes, &layout) == OK);
        CHECK((uint64_t)layout.cluster_count * layout.cluster_sectors * 512 >=
              content);
    }
}

static void test_mbr(void)
{
    static const uint8_t boot_code[LAYOUT_BOOT_CODE_BYTES] = {0xFA, 0x33};
    static const uint8_t start_chs[3] = {32, 33, 0}; /* LBA 2048, by hand */
    uint8_t sector[LAYOUT_SECTOR_BYTES];
    struct layout layout;

    CHECK(layout_plan(64 * GIB, &layout) == OK);
    layout_fill_mbr(&layout, boot_code, 0x11223344, sector);
    CHECK(sector[0] == 0xFA && sector[1] == 0x33);
    CHECK(sector[440] == 0x44 && sector[443] == 0x11);
    CHECK(sector[446] == 0x80 && sector[450] == 0x0C);
    CHECK(memcmp(sector + 447, start_chs, 3) == 0);
    CHECK(sector[451] == 254 && sector[452] == 0xFF && sector[453] == 0xFF);
    CHECK(sector[454] == 0 && sector[455] == 8);
    CHECK(sector[462] == 0 && sector[510] == 0x55 && sector[511] == 0xAA);
}

/* ---- Settings ---------------------------------------------------------------
 */

static struct settings settings;

static enum err put(const char *key, const char *value)
{
    return settings_put(&settings, key, value);
}

static bool is(const char *key, const char *value)
{
    const char *have = settings_get(&settings, key);

    return have != NULL && strcmp(have, value) == 0;
}

static void test_setting_syntax(void)
{
    static const char *const bad_address[] = {"",
                                              "1.2.3.4",
                                              "1.2.3.4/",
                                              "1.2.3.4/0",
                                              "1.2.3/24",
                                              "1.2.3.4/33",
                                              "1.2.3.0/24",
                                              "1.2.3.255/24",
                                              "0.0.0.1/8",
                                              "dhcpd",
                                              "1.2.3.4/2x",
                                              "127.0.0.1/8",
                                              "224.0.0.1/8",
                                              "1.2.3.4/032",
                                              "256.1.1.1/8",
                                              "1.2.3.4 /24"};

    for (size_t i = 0; i < sizeof(bad_address) / sizeof(bad_address[0]); i++)
        CHECK(put("address", bad_address[i]) == ERR_REFUSED);
    CHECK(put("address", "10.0.0.0/31") == OK);
    CHECK(put("hostname", "-x") == ERR_REFUSED);
    CHECK(put("hostname", "a..b") == ERR_REFUSED);
    CHECK(put("hostname", "") == ERR_REFUSED);
    CHECK(put("domains", "ok.example bad_one") == ERR_REFUSED);
    CHECK(put("dns", "1.1.1.1 x") == ERR_REFUSED);
    CHECK(put("store_id", "0123") == ERR_REFUSED);
    CHECK(put("Bad Key", "1") == ERR_REFUSED);
    CHECK(put("hostname", "a\nb") == ERR_REFUSED);
    CHECK(put("hostnam", "a") == ERR_REFUSED);
}

static void test_further_settings(void)
{
    static const struct {
        const char *key, *value;
        enum err result;
    } cases[] = {
        {"card", "52:54:00:12:34:5F", OK},
        {"card", "03:00.0", OK},
        {"card", "", OK},
        {"card", "eth0", ERR_REFUSED},
        {"card", "03:00.0.", ERR_REFUSED},
        {"syslog", "192.168.1.9", OK},
        {"syslog", "192.168.1.9:1514", OK},
        {"syslog", "192.168.1.9:0", ERR_REFUSED},
        {"syslog", "192.168.1.9:65536", ERR_REFUSED},
        {"syslog", "192.168.1.9:", ERR_REFUSED},
        {"syslog", "192.168.1.9:5x", ERR_REFUSED},
        {"syslog", "log.example.org", ERR_REFUSED},
        {"log_lines", "0", OK},
        {"log_lines", "50000", OK},
        {"log_lines", "", ERR_REFUSED},
        {"log_lines", "-1", ERR_REFUSED},
        {"log_lines", "many", ERR_REFUSED},
        {"limit_sessions", "100", OK},
        {"limit_user_recipients", "1e3", ERR_REFUSED},
        {"dnsbl", "zen.example.org bl.example", OK},
        {"dnsbl", "zen,example", ERR_REFUSED},
        {"dnsbl_action", "mark", OK},
        {"dnsbl_action", "delete", ERR_REFUSED},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK(put(cases[i].key, cases[i].value) == cases[i].result);
}

static void test_mail_settings(void)
{
    static const struct {
        const char *key, *value;
        bool good;
    } cases[] = {
        {"auth_clear", "no", true},
        {"auth_clear", "maybe", false},
        {"check_from", "yes", true},
        {"message_max", "25M", true},
        {"message_max", "500K", true},
        {"message_max", "1000", true},
        {"message_max", "M", false},
        {"message_max", "25MB", false},
        {"message_max", "-1", false},
        {"message_max", "1234567890", false},
        {"recipients_max", "50", true},
        {"tag_separator", "+", true},
        {"tag_separator", "-+", true},
        {"tag_separator", "none", true},
        {"tag_separator", "", false},
        {"tag_separator", "@", false},
        {"tag_separator", "++++++++", false},
        {"domain:example.org", "closed", true},
        {"domain:example.org", "size=10M closed", true},
        {"domain:example.org", "", true},
        {"domain:example.org", "size=", false},
        {"domain:example.org", "open", false},
        {"domain:-x", "closed", false},
        {"domain:", "closed", false},
        {"domain:a234567890.b234567890.c234567890.d234567890.e234567890.org",
         "closed", false},
    };

    memset(&settings, 0, sizeof(settings));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        CHECK((put(cases[i].key, cases[i].value) == OK) == cases[i].good);
}

static void test_setting_defaults(void)
{
    memset(&settings, 0, sizeof(settings));
    CHECK(settings_complete(&settings) == OK);
    CHECK(is("hostname", "barepost") && is("domains", "barepost.local"));
    CHECK(is("address", "dhcp"));
    memset(&settings, 0, sizeof(settings));
    CHECK(put("hostname", "mail.example.org") == OK);
    CHECK(settings_complete(&settings) == OK && is("domains", "example.org"));
    memset(&settings, 0, sizeof(settings));
    CHECK(put("hostname", "example.org") == OK);
    CHECK(settings_complete(&settings) == OK && is("domains", "example.org"));
    memset(&settings, 0, sizeof(settings));
    CHECK(settings_append(&settings, "domains", "a.example") == OK);
    CHECK(settings_append(&settings, "domains", "b.example") == OK);
    CHECK(put("address", "192.168.1.10/24") == OK);
    CHECK(put("gateway", "192.168.2.1") == OK);
    CHECK(settings_complete(&settings) == ERR_REFUSED);
    CHECK(put("gateway", "192.168.1.1") == OK);
    CHECK(settings_complete(&settings) == OK);
    CHECK(is("domains", "a.example b.example"));
    CHECK(put("address", "dhcp") == OK);
    CHECK(settings_complete(&settings) == ERR_REFUSED);
}

/* ---- The cover over a medium
 * -------------------------------------------------- */

#define SECTORS 20003

static void fill(uint8_t *bytes, size_t sectors, unsigned seed)
{
    for (size_t i = 0; i < sectors * 512; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 512 + seed);
}

static void test_overlay(void)
{
    static uint8_t model[SECTORS * 512], base[SECTORS * 512], got[64 * 512];
    struct media_overlay overlay;
    struct media_file file;
    unsigned random = 12345;
    int fd = memfd_create("medium", 0);

    fill(model, SECTORS, 1);
    memcpy(base, model, sizeof(base));
    CHECK(file_write_at(fd, model, sizeof(model), 0) == OK);
    media_file_init(&file, fd, sizeof(model), false);
    CHECK(media_overlay_init(&overlay, &file.media) == OK);
    for (unsigned i = 0; i < 6000; i++) {
        uint32_t sector, count;

        random = random * 1103515245 + 12345;
        sector = (random >> 8) % SECTORS;
        count = 1 + i % 64;
        if (count > SECTORS - sector)
            count = SECTORS - sector;
        if (i % 2 == 0) {
            fill(got, count, i);
            memcpy(model + (size_t)sector * 512, got, (size_t)count * 512);
            CHECK(overlay.media.write(&overlay.media, sector, count, got) ==
                  OK);
        }
        CHECK(overlay.media.read(&overlay.media, sector, count, got) == OK);
        CHECK(memcmp(got, model + (size_t)sector * 512, (size_t)count * 512) ==
              0);
    }
    CHECK(overlay.media.read(&overlay.media, SECTORS, 1, got) == ERR_INVALID);
    CHECK(overlay.media.read(&overlay.media, SECTORS - 1, 2, got) ==
          ERR_INVALID);
    CHECK(overlay.media.write(&overlay.media, UINT64_MAX, 2, got) ==
          ERR_INVALID);
    CHECK(file.media.write(&file.media, 0, 1, got) == ERR_REFUSED);
    CHECK(file_read_at(fd, model, sizeof(model), 0) == OK);
    CHECK(memcmp(model, base, sizeof(base)) == 0);
    media_overlay_free(&overlay);
    close(fd);
}

static void test_sizes(void)
{
    char text[SAY_SIZE_BYTES];

    CHECK(strcmp(say_size(511, text), "511 bytes") == 0);
    CHECK(strcmp(say_size(64 * MIB, text), "64.0 MiB") == 0);
    CHECK(strcmp(say_size(15 * GIB / 10, text), "1.5 GiB") == 0);
    CHECK(strcmp(say_size(UINT64_MAX, text), "16777215.9 TiB") == 0);
}

int main(void)
{
    test_layout();
    test_mbr();
    test_setting_syntax();
    test_further_settings();
    test_mail_settings();
    test_setting_defaults();
    test_overlay();
    test_sizes();
    return check_report();
}
