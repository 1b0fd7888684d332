/* The part of UEFI that the loader uses (UEFI Specification 2.10; sections in
 * brackets). Members that it does not call are only named. */
#ifndef BOOT_UEFI_EFI_H
#define BOOT_UEFI_EFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EFIAPI __attribute__((ms_abi))

typedef __CHAR16_TYPE__ char16_t; /* what u"" is made of */
typedef uint64_t efi_status;      /* 0: success; the highest bit: an error */

struct efi_guid {
    uint32_t a;
    uint16_t b, c;
    uint8_t d[8];
};

struct efi_table_header {
    uint64_t signature;
    uint32_t revision, header_bytes, crc, reserved;
};

/* [12.4] */
struct efi_text_output {
    void *reset;
    efi_status(EFIAPI *output_string)(struct efi_text_output *self,
                                      const char16_t *text);
    void *test_string, *query_mode, *set_mode;
    efi_status(EFIAPI *set_attribute)(struct efi_text_output *self,
                                      uint64_t attribute);
    efi_status(EFIAPI *clear_screen)(struct efi_text_output *self);
    efi_status(EFIAPI *set_cursor_position)(struct efi_text_output *self,
                                            uint64_t column, uint64_t row);
    efi_status(EFIAPI *enable_cursor)(struct efi_text_output *self,
                                      uint8_t visible);
};

/* [12.3] */
struct efi_key {
    uint16_t scan; /* EFI_SCAN_*, 0: none */
    char16_t character;
};
#define EFI_SCAN_UP   1
#define EFI_SCAN_DOWN 2

struct efi_text_input {
    void *reset;
    efi_status(EFIAPI *read_key)(struct efi_text_input *self,
                                 struct efi_key *key);
    void *wait_for_key; /* an event */
};

/* [7] */
#define EFI_ALLOCATE_MAX_ADDRESS 1
#define EFI_LOADER_CODE          1
#define EFI_LOADER_DATA          2
#define EFI_BOOT_SERVICES_DATA   4 /* free once UEFI is left */
#define EFI_LOAD_ERROR           (1ull << 63 | 1)
#define EFI_BUFFER_TOO_SMALL     (1ull << 63 | 5)
#define EFI_EVENT_TIMER          0x80000000u
#define EFI_TIMER_PERIODIC       1

struct efi_boot_services {
    struct efi_table_header header;
    void *raise_tpl, *restore_tpl;
    efi_status(EFIAPI *allocate_pages)(int how, int type, uint64_t pages,
                                       uint64_t *physical);
    efi_status(EFIAPI *free_pages)(uint64_t physical, uint64_t pages);
    efi_status(EFIAPI *get_memory_map)(uint64_t *bytes, void *map,
                                       uint64_t *key, uint64_t *row_bytes,
                                       uint32_t *version);
    void *allocate_pool, *free_pool;
    efi_status(EFIAPI *create_event)(uint32_t type, uint64_t level,
                                     void *notify, void *context, void **event);
    efi_status(EFIAPI *set_timer)(void *event, int type, uint64_t time_100_ns);
    efi_status(EFIAPI *wait_for_event)(uint64_t count, void **events,
                                       uint64_t *index);
    void *signal_event;
    efi_status(EFIAPI *close_event)(void *event);
    void *check_event;
    void *install_protocol, *reinstall_protocol, *uninstall_protocol;
    efi_status(EFIAPI *handle_protocol)(void *handle,
                                        const struct efi_guid *protocol,
                                        void **found);
    void *reserved, *register_notify, *locate_handle;
    void *locate_device_path, *install_configuration_table;
    void *load_image, *start_image, *exit, *unload_image;
    efi_status(EFIAPI *exit_boot_services)(void *image, uint64_t key);
    void *get_next_count, *stall;
    efi_status(EFIAPI *set_watchdog_timer)(uint64_t seconds, uint64_t code,
                                           uint64_t bytes,
                                           const char16_t *text);
    void *connect_controller, *disconnect_controller;
    void *open_protocol, *close_protocol, *open_protocol_information;
    void *protocols_per_handle, *locate_handle_buffer;
    efi_status(EFIAPI *locate_protocol)(const struct efi_guid *protocol,
                                        void *registration, void **found);
};

struct efi_configuration_table {
    struct efi_guid guid;
    void *table;
};

/* [4.3] */
struct efi_system_table {
    struct efi_table_header header;
    const char16_t *vendor;
    uint32_t firmware_revision;
    void *input_handle;
    struct efi_text_input *input;
    void *output_handle;
    struct efi_text_output *output;
    void *error_handle;
    struct efi_text_output *error;
    void *runtime_services;
    struct efi_boot_services *boot_services;
    uint64_t table_count;
    struct efi_configuration_table *tables;
};

/* Loaded Image Protocol [9.1], as far as it is read */
struct efi_loaded_image {
    uint32_t revision;
    void *parent;
    struct efi_system_table *system;
    void *device; /* from which it was loaded */
};

/* Simple File System Protocol, File Protocol [13.4, 13.5] */
#define EFI_FILE_READ 1ull
#define EFI_FILE_END  UINT64_MAX

struct efi_file {
    uint64_t revision;
    efi_status(EFIAPI *open)(struct efi_file *self, struct efi_file **file,
                             const char16_t *name, uint64_t mode,
                             uint64_t attributes);
    efi_status(EFIAPI *close)(struct efi_file *self);
    void *delete_file;
    efi_status(EFIAPI *read)(struct efi_file *self, uint64_t *bytes,
                             void *buffer);
    void *write;
    efi_status(EFIAPI *get_position)(struct efi_file *self, uint64_t *position);
    efi_status(EFIAPI *set_position)(struct efi_file *self, uint64_t position);
};

struct efi_file_system {
    uint64_t revision;
    efi_status(EFIAPI *open_volume)(struct efi_file_system *self,
                                    struct efi_file **root);
};

/* Graphics Output Protocol [12.9] */
enum efi_pixel_format {
    EFI_PIXEL_RGB, /* red in the lowest byte */
    EFI_PIXEL_BGR,
    EFI_PIXEL_MASKS,
    EFI_PIXEL_BLT_ONLY,
};

struct efi_graphics_information {
    uint32_t version, width, height, format;
    uint32_t red_mask, green_mask, blue_mask, reserved_mask;
    uint32_t stride;
};

struct efi_graphics_mode {
    uint32_t modes, mode;
    const struct efi_graphics_information *information;
    uint64_t information_bytes;
    uint64_t framebuffer, framebuffer_bytes;
};

struct efi_graphics {
    void *query_mode, *set_mode, *blt;
    const struct efi_graphics_mode *mode;
};

/* Protocols and tables that are looked for by name. */
#define EFI_GUID_GRAPHICS                                                      \
    {                                                                          \
        0x9042a9de, 0x23dc, 0x4a38,                                            \
        {                                                                      \
            0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a                     \
        }                                                                      \
    }
#define EFI_GUID_LOADED_IMAGE                                                  \
    {                                                                          \
        0x5b1b31a1, 0x9562, 0x11d2,                                            \
        {                                                                      \
            0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b                     \
        }                                                                      \
    }
#define EFI_GUID_FILE_SYSTEM                                                   \
    {                                                                          \
        0x964e5b22, 0x6459, 0x11d2,                                            \
        {                                                                      \
            0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b                     \
        }                                                                      \
    }
#define EFI_GUID_ACPI_2                                                        \
    {                                                                          \
        0x8868e871, 0xe4f1, 0x11d3,                                            \
        {                                                                      \
            0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81                     \
        }                                                                      \
    }
#define EFI_GUID_ACPI_1                                                        \
    {                                                                          \
        0xeb9d2d30, 0x2d88, 0x11d3,                                            \
        {                                                                      \
            0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d                     \
        }                                                                      \
    }

#endif
