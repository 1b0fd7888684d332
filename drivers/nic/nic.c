/* The network cards there are, and the one that serves: the one that the store
 * names, else the first with link, kept as long as it has link. Without any
 * link the first card serves. What the others receive is thrown away: they
 * would hold old frames for the day on which one of them takes over, and keep
 * the processor awake. */
#include "drivers/nic/nic.h"
#include "core/log.h"
#include "drivers/io.h"
#include "drivers/machine_parts.h"
#include <stdio.h>
#include <string.h>

#define CARDS 8u
#define NONE  CARDS
/* How often links are compared while another card might take over. */
#define CHOICE_US 100000u
/* Frames of a card that does not serve, each turn. */
#define DISCARD_BUDGET 16u
/* "52:54:00:12:34:56", the longer of the two. */
#define CHOICE_BYTES 18u

static struct nic_state {
    struct {
        const struct nic_operations *operations;
        void *card;
        char place[MACHINE_NIC_PLACE_BYTES];
    } cards[CARDS];
    unsigned count;
    unsigned serving;
    char wanted[CHOICE_BYTES]; /* as machine_nic_choose() was told */
    unsigned chosen;           /* the card that this is; NONE */
    uint64_t chosen_us;
    uint8_t group[6]; /* joined; all zero: none */
    uint64_t refused; /* frames to send while there was no card */
} state = {.chosen = NONE};

static void card_info(unsigned index, struct machine_nic_info *info)
{
    memset(info, 0, sizeof(*info));
    state.cards[index].operations->info(state.cards[index].card, info);
    memcpy(info->place, state.cards[index].place, sizeof(info->place));
    info->present = true;
    info->serving = index == state.serving;
}

static bool link_is_up(unsigned index)
{
    struct machine_nic_info info;

    card_info(index, &info);
    return info.link_up;
}

static void join(unsigned index)
{
    const struct nic_operations *operations = state.cards[index].operations;

    if (operations->join != NULL)
        operations->join(state.cards[index].card, state.group);
}

/* ---- Choice -------------------------------------------------------------- */

static void serve(unsigned index)
{
    struct machine_nic_info info;

    if (index == state.serving)
        return;
    state.serving = index;
    card_info(index, &info);
    log_info("nic", "serving card=%s name=\"%s\"", info.place, info.name);
}

static bool same_text(const char *a, const char *b)
{
    for (; *a != '\0' || *b != '\0'; a++, b++) {
        const char lower = *a >= 'A' && *a <= 'F' ? (char)(*a - 'A' + 'a') : *a;

        if (lower != *b)
            return false;
    }
    return true;
}

static bool is_wanted(unsigned index)
{
    char text[CHOICE_BYTES];
    struct machine_nic_info info;

    card_info(index, &info);
    (void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
                   info.address[0], info.address[1], info.address[2],
                   info.address[3], info.address[4], info.address[5]);
    return same_text(state.wanted, text) || same_text(state.wanted, info.place);
}

static void find_wanted(void)
{
    state.chosen = NONE;
    for (unsigned i = 0; i < state.count && state.wanted[0] != '\0'; i++)
        if (is_wanted(i))
            state.chosen = i;
}

void machine_nic_choose(const char *card)
{
    (void)snprintf(state.wanted, sizeof(state.wanted), "%s", card);
    find_wanted();
    if (*card != '\0' && state.chosen == NONE)
        log_warn("nic", "no such card=\"%s\": the one with link serves", card);
    state.chosen_us = 0;
    (void)nic_poll();
}

void nic_register(const struct nic_operations *operations, void *card,
                  const struct pci_device *device)
{
    if (state.count == CARDS) {
        log_warn("nic", "too many cards limit=%u", CARDS);
        return;
    }
    state.cards[state.count].operations = operations;
    state.cards[state.count].card = card;
    (void)snprintf(state.cards[state.count].place, MACHINE_NIC_PLACE_BYTES,
                   "%02x:%02x.%x", device->bus, device->device & 31u,
                   device->function & 7u);
    state.count++;
    join(state.count - 1);
    find_wanted();
}

static void choose(void)
{
    if (state.chosen != NONE) {
        serve(state.chosen);
        return;
    }
    if (link_is_up(state.serving))
        return;
    for (unsigned i = 0; i < state.count; i++) {
        if (!link_is_up(i))
            continue;
        serve(i);
        return;
    }
}

static void discard(unsigned index)
{
    struct iobuf *frame;

    for (unsigned i = 0; i < DISCARD_BUDGET; i++) {
        frame = state.cards[index].operations->receive(state.cards[index].card);
        if (frame == NULL)
            return;
        iobuf_release(frame);
    }
}

bool nic_poll(void)
{
    const uint64_t now_us = io_now_us();
    const unsigned served = state.serving;

    if (state.count < 2)
        return false;
    for (unsigned i = 0; i < state.count; i++)
        if (i != state.serving)
            discard(i);
    if (state.chosen_us != 0 && now_us - state.chosen_us < CHOICE_US)
        return false;
    state.chosen_us = now_us;
    choose();
    return state.serving != served;
}

/* ---- The seam ------------------------------------------------------------ */

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

bool machine_nic_at(unsigned index, struct machine_nic_info *info)
{
    if (index >= state.count)
        return false;
    card_info(index, info);
    return true;
}

void machine_nic_info(struct machine_nic_info *info)
{
    if (machine_nic_at(state.serving, info))
        return;
    memset(info, 0, sizeof(*info));
    info->name = "none";
    info->errors_out = state.refused;
}
