/* The network cards there are, and the one that serves: the first with link,
 * kept as long as it has link. Without any link the first card serves. */
#include "drivers/nic/nic.h"
#include "core/log.h"
#include "drivers/io.h"
#include "drivers/machine_parts.h"
#include <string.h>

#define CARDS 4u
/* How often links are compared while another card might take over. */
#define CHOICE_US 100000u

static struct nic_state {
    struct {
        const struct nic_operations *operations;
        void *card;
    } cards[CARDS];
    unsigned count;
    unsigned serving;
    uint64_t chosen_us;
    uint8_t group[6]; /* joined; all zero: none */
    uint64_t refused; /* frames to send while there was no card */
} state;

static bool link_is_up(unsigned index)
{
    struct machine_nic_info info;

    memset(&info, 0, sizeof(info));
    state.cards[index].operations->info(state.cards[index].card, &info);
    return info.link_up;
}

static void join(unsigned index)
{
    const struct nic_operations *operations = state.cards[index].operations;

    if (operations->join != NULL)
        operations->join(state.cards[index].card, state.group);
}

void nic_register(const struct nic_operations *operations, void *card)
{
    if (state.count == CARDS) {
        log_warn("nic", "too many cards limit=%u", CARDS);
        return;
    }
    state.cards[state.count].operations = operations;
    state.cards[state.count].card = card;
    state.count++;
    join(state.count - 1);
}

bool nic_poll(void)
{
    const uint64_t now_us = io_now_us();

    if (state.count < 2 || now_us - state.chosen_us < CHOICE_US)
        return false;
    state.chosen_us = now_us;
    if (link_is_up(state.serving))
        return false;
    for (unsigned i = 0; i < state.count; i++) {
        if (!link_is_up(i))
            continue;
        log_info("nic", "other card serves index=%u", i);
        state.serving = i;
        return true;
    }
    return false;
}

void machine_nic_join(const uint8_t group[6])
{
    memcpy(state.group, group, sizeof(state.group));
    for (unsigned i = 0; i < state.count; i++)
        join(i);
}

bool machine_nic_send(struct iobuf *frame)
{
    if (state.count == 0) {
        state.refused++;
        return false;
    }
    return state.cards[state.serving].operations->send(
        state.cards[state.serving].card, frame);
}

struct iobuf *machine_nic_receive(void)
{
    if (state.count == 0)
        return NULL;
    return state.cards[state.serving].operations->receive(
        state.cards[state.serving].card);
}

void machine_nic_info(struct machine_nic_info *info)
{
    memset(info, 0, sizeof(*info));
    info->name = "none";
    info->errors_out = state.refused;
    if (state.count == 0)
        return;
    state.cards[state.serving].operations->info(state.cards[state.serving].card,
                                                info);
    info->present = true;
}
