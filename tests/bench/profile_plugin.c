/* A plugin for QEMU (TCG) that counts the instructions of the guest by the
 * blocks they are translated in. At QEMU's end it writes a line for each block
 * into the file of its argument out=PATH: address, instructions, executions.
 *
 * Debian ships no qemu-plugin.h: what is used of the interface (version 1) is
 * declared here by its documentation (QEMU, docs/devel/tcg-plugins). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS (1u << 17)

struct qemu_plugin_tb;
struct qemu_info;

typedef uint64_t plugin_id;

extern int qemu_plugin_version;
void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*translated)(plugin_id id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(plugin_id id,
                                    void (*ended)(plugin_id id, void *data),
                                    void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
/* operation 0: add */
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
                                              int operation, void *counter,
                                              uint64_t summand);
int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc,
                        char **argv);

int qemu_plugin_version = 1;

static struct {
    struct block {
        uint64_t address, instructions, executions;
    } blocks[BLOCKS];
    unsigned used;
    char path[4096];
} state;

/* A block that is translated anew goes on counting where it was. */
static struct block *find(uint64_t address, uint64_t instructions)
{
    size_t at = (size_t)(address * 0x9e3779b97f4a7c15u >> 47);

    for (;; at = (at + 1) % BLOCKS) {
        struct block *block = &state.blocks[at];

        if (block->address == address && block->instructions == instructions)
            return block;
        if (block->instructions != 0)
            continue;
        if (state.used == BLOCKS - 1)
            return NULL;
        state.used++;
        block->address = address;
        block->instructions = instructions;
        return block;
    }
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
    struct block *block =
        find(qemu_plugin_tb_vaddr(tb), qemu_plugin_tb_n_insns(tb));

    (void)id;
    if (block != NULL)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, 0, &block->executions, 1);
}

static void ended(plugin_id id, void *data)
{
    FILE *file = fopen(state.path, "w");

    (void)id;
    (void)data;
    if (file == NULL)
        return;
    for (size_t i = 0; i < BLOCKS; i++) {
        const struct block *block = &state.blocks[i];

        if (block->executions != 0)
            fprintf(file, "%llx %llu %llu\n",
                    (unsigned long long)block->address,
                    (unsigned long long)block->instructions,
                    (unsigned long long)block->executions);
    }
    fclose(file);
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc,
                        char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) != 0 ||
        strlen(argv[0] + 4) >= sizeof state.path)
        return 1;
    strcpy(state.path, argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
