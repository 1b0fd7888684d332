/* Passwords: argon2id (RFC 9106) by its reference code, in a fixed arena.
 *
 * The reference works through its memory in segments; it is compiled with its
 * own segment function renamed, so that the one here is called in its place and
 * gives way between two of them. Encoded hashes are the usual
 * "$argon2id$v=19$m=..,t=..,p=1$salt$hash". The arena holds what was derived
 * from a password only while one is worked on: the reference wipes it. */
#include "userdb/user.h"
#include <argon2.h>
#include <core.h>
#include <encoding.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES 16
#define HASH_BYTES 32
/* A hash that somebody brings along may not hold up all logins for long. */
#define PASSES_MAX 16

static struct {
    uint8_t *arena;
    size_t bytes;
    void (*pause)(void);
} state;

void argon2_fill_segment(const argon2_instance_t *instance,
                         argon2_position_t position);

void fill_segment(const argon2_instance_t *instance, argon2_position_t position)
{
    if (state.pause)
        state.pause();
    argon2_fill_segment(instance, position);
}

/* Where the reference's malloc() and free() lead (see ARGON2_OPTIONS in the
 * Makefile). It takes its memory through the two functions below and needs
 * these for entry points that are not used here. */
void *argon2_malloc(size_t bytes);
void argon2_free(void *memory);

void *argon2_malloc(size_t bytes)
{
    (void)bytes;
    return NULL;
}

void argon2_free(void *memory)
{
    (void)memory;
}

static int arena_take(uint8_t **memory, size_t bytes)
{
    *memory = bytes <= state.bytes ? state.arena : NULL;
    return 0;
}

static void arena_give_back(uint8_t *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
}

void password_module_init(void *arena, size_t bytes, void (*pause)(void))
{
    state.arena = arena;
    state.bytes = bytes;
    state.pause = pause;
}

static enum err derive(argon2_context *context)
{
    context->allocate_cbk = arena_take;
    context->free_cbk = arena_give_back;
    switch (argon2_ctx(context, Argon2_id)) {
    case ARGON2_OK:
        return OK;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return ERR_MEMORY;
    default:
        return ERR_INVALID;
    }
}

enum err password_hash(const char *password, size_t len, const uint8_t salt[16],
                       char *hash)
{
    uint8_t out[HASH_BYTES];
    uint8_t salt_copy[SALT_BYTES];
    argon2_context context = {
        .out = out,
        .outlen = sizeof out,
        .pwd = (uint8_t *)(uintptr_t)password,
        .pwdlen = (uint32_t)len,
        .salt = salt_copy,
        .saltlen = SALT_BYTES,
        .t_cost = PASSWORD_PASSES,
        .m_cost = PASSWORD_MEMORY_KIB,
        .lanes = 1,
        .threads = 1,
        .version = ARGON2_VERSION_13,
    };
    enum err err;

    if (len > UINT32_MAX)
        return ERR_INVALID;
    memcpy(salt_copy, salt, SALT_BYTES);
    err = derive(&context);
    if (!err && encode_string(hash, USER_HASH_BYTES, &context, Argon2_id))
        err = ERR_INVALID;
    return err;
}

/* What an encoded hash says; the buffers lie in the caller. */
static enum err decode(const char *text, argon2_context *context, uint8_t *salt,
                       uint8_t *hash)
{
    static const char prefix[] = "$argon2id$v=19$";

    memset(context, 0, sizeof *context);
    context->salt = salt;
    context->saltlen = USER_HASH_BYTES;
    context->out = hash;
    context->outlen = USER_HASH_BYTES;
    if (strnlen(text, USER_HASH_BYTES) >= USER_HASH_BYTES ||
        strncmp(text, prefix, sizeof prefix - 1) != 0 ||
        decode_string(context, text, Argon2_id) != ARGON2_OK)
        return ERR_INVALID;
    if (context->lanes != 1 || context->t_cost > PASSES_MAX ||
        context->outlen < 16)
        return ERR_INVALID;
    return OK;
}

bool password_hash_valid(const char *text)
{
    uint8_t salt[USER_HASH_BYTES], hash[USER_HASH_BYTES];
    argon2_context context;

    return decode(text, &context, salt, hash) == OK &&
           context.m_cost <= PASSWORD_MEMORY_MAX_KIB;
}

enum err password_verify(const char *hash, const char *password, size_t len)
{
    uint8_t salt[USER_HASH_BYTES], wanted[USER_HASH_BYTES];
    uint8_t out[USER_HASH_BYTES];
    argon2_context context;
    enum err err = decode(hash, &context, salt, wanted);
    uint8_t difference = 0;

    if (err || len > UINT32_MAX)
        return ERR_INVALID;
    if ((uint64_t)context.m_cost * 1024 > state.bytes)
        return ERR_MEMORY;
    context.pwd = (uint8_t *)(uintptr_t)password;
    context.pwdlen = (uint32_t)len;
    context.out = out;
    err = derive(&context);
    if (err)
        return err;
    for (uint32_t i = 0; i < context.outlen; i++)
        difference |= (uint8_t)(out[i] ^ wanted[i]);
    return difference ? ERR_REFUSED : OK;
}
