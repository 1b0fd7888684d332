/* See model_ehci.h. */
#include "tests/unit/model_ehci.h"
#include <string.h>

#define OPERATIONAL 0x20u

struct model_ehci model;

/* ---- The chip ------------------------------------------------------------ */

uint32_t *model_op(uint32_t offset)
{
    return &model.registers[(OPERATIONAL + offset) / 4];
}

static void *pointer(uint32_t address)
{
    return (void *)(uintptr_t)(address & ~0x1fU);
}

/* One piece: its bytes are gathered from up to five pages. */
static int carry(const struct ehci_qh *qh, uint32_t bytes)
{
    static uint8_t data[5 * 4096];
    uint32_t pid = qh->token & 0x300, offset = qh->buffer[0] & 0xfff, i;
    int result;

    for (i = 0; pid != EHCI_QTD_IN && i < bytes; i++) {
        uint32_t at = offset + i;

        data[i] =
            *((const uint8_t *)(uintptr_t)(qh->buffer[at / 4096] & ~0xfffU) +
              at % 4096);
    }
    model.carried = qh->endpoint >> 8 & 0xf;
    result = model.answer(pid, data, bytes);
    for (i = 0; pid == EHCI_QTD_IN && result > 0 && i < (uint32_t)result; i++) {
        uint32_t at = offset + i;

        *((uint8_t *)(uintptr_t)(qh->buffer[at / 4096] & ~0xfffU) + at % 4096) =
            data[i];
    }
    return result;
}

static bool load_next(struct ehci_qh *qh)
{
    bool is_short = EHCI_QTD_LEFT(qh->token) != 0;
    uint32_t next =
        is_short && (qh->alternate & 1) == 0 ? qh->alternate : qh->next;
    const struct ehci_qtd *qtd = pointer(next);
    unsigned i;

    if ((next & 1) != 0 || (qtd->token & EHCI_QTD_ACTIVE) == 0) {
        return false;
    }
    model.violations += (next & 0x1f) != 0 || qtd->high[0] != 0;
    qh->current = next;
    qh->next = qtd->link;
    qh->alternate = qtd->alternate;
    for (i = 0; i < EHCI_QTD_PAGES; i++) {
        qh->buffer[i] = qtd->buffer[i];
    }
    if ((qh->endpoint & 0x4000) != 0) {
        qh->token = qtd->token;
    } else {
        qh->token =
            (qtd->token & ~EHCI_QTD_TOGGLE) | (qh->token & EHCI_QTD_TOGGLE);
    }
    return true;
}

static void run_queue(struct ehci_qh *qh)
{
    while ((qh->token & EHCI_QTD_HALTED) == 0) {
        uint32_t bytes, packet = qh->endpoint >> 16 & 0x7ff;
        int result;

        if ((qh->token & EHCI_QTD_ACTIVE) == 0 && !load_next(qh)) {
            return;
        }
        bytes = EHCI_QTD_LEFT(qh->token);
        result = carry(qh, bytes);
        if (result == MODEL_NOT_NOW) {
            return;
        }
        model.last_bytes[model.pieces++ % 32] = bytes;
        qh->token &= ~(uint32_t)EHCI_QTD_ACTIVE;
        if (result < 0) {
            qh->token |=
                EHCI_QTD_HALTED | (result == MODEL_BROKEN ? EHCI_QTD_XACT : 0);
            if (result == MODEL_BROKEN) {
                qh->token &= ~(uint32_t)EHCI_QTD_ERRORS;
            }
        } else {
            qh->token -= (uint32_t)result << 16;
            if ((((uint32_t)result + packet - 1) / packet & 1) != 0) {
                qh->token ^= EHCI_QTD_TOGGLE;
            }
        }
        ((struct ehci_qtd *)pointer(qh->current))->token = qh->token;
    }
}

bool model_in_ring(const struct ehci_qh *wanted)
{
    uint32_t start = *model_op(EHCI_ASYNCBASE), at = start;

    do {
        if (pointer(at) == (const void *)wanted) {
            return true;
        }
        at = ((const struct ehci_qh *)pointer(at))->link & ~0x1fU;
    } while (at != start);
    return false;
}

void model_run(void)
{
    uint32_t start = *model_op(EHCI_ASYNCBASE), at = start;
    uint32_t command = *model_op(EHCI_USBCMD);
    uint32_t frame;

    if ((command & EHCI_CMD_RS) == 0 || model.gone) {
        return;
    }
    *model_op(EHCI_USBSTS) &= ~(uint32_t)EHCI_STS_ASS;
    if ((command & EHCI_CMD_ASE) != 0) {
        *model_op(EHCI_USBSTS) |= EHCI_STS_ASS;
        do {
            run_queue(pointer(at));
            at = ((const struct ehci_qh *)pointer(at))->link & ~0x1fU;
        } while (at != start);
    }
    frame = *(uint32_t *)(uintptr_t)*model_op(EHCI_PERIODICBASE);
    while ((command & EHCI_CMD_PSE) != 0 && (frame & 1) == 0) {
        run_queue(pointer(frame));
        frame = ((const struct ehci_qh *)pointer(frame))->link;
    }
    if ((command & EHCI_CMD_IAAD) != 0 && !model.deaf) {
        *model_op(EHCI_USBCMD) &= ~(uint32_t)EHCI_CMD_IAAD;
        *model_op(EHCI_USBSTS) |= EHCI_STS_IAA;
    }
}

static void write_port(uint32_t offset, uint32_t value)
{
    unsigned port = (offset - EHCI_PORTSC) / 4;
    uint32_t *is = model_op(offset);
    uint32_t before = *is;
    uint32_t fixed = EHCI_PORT_CCS | EHCI_PORT_LINE;

    *is = (value & ~(fixed | EHCI_PORT_CHANGES | EHCI_PORT_PED)) |
          (before & fixed) | (before & EHCI_PORT_CHANGES & ~value) |
          (before & value & EHCI_PORT_PED);
    if ((before & EHCI_PORT_PR) != 0 && (value & EHCI_PORT_PR) == 0 &&
        !model.full_speed[port]) {
        *is |= EHCI_PORT_PED;
    }
}

uint8_t io_read8(const struct io_region *region, size_t offset)
{
    (void)region;
    return offset == EHCI_CAPLENGTH ? OPERATIONAL : 0;
}

uint32_t io_read32(const struct io_region *region, size_t offset)
{
    (void)region;
    if (model.gone) {
        return UINT32_MAX;
    }
    if (offset == EHCI_HCSPARAMS) {
        return model.structure;
    }
    if (offset == EHCI_HCCPARAMS) {
        return model.capability;
    }
    return model.registers[offset / 4];
}

void io_write32(const struct io_region *region, size_t offset, uint32_t value)
{
    uint32_t at = (uint32_t)offset - OPERATIONAL;

    (void)region;
    if (at == EHCI_USBSTS) {
        *model_op(at) &= ~(value & EHCI_STS_EVENTS);
    } else if (at >= EHCI_PORTSC) {
        write_port(at, value);
    } else if (at == EHCI_USBCMD && (value & EHCI_CMD_HCRESET) != 0) {
        memset(model.registers, 0, sizeof model.registers);
        *model_op(EHCI_USBSTS) = EHCI_STS_HALTED;
    } else {
        *model_op(at) = value;
    }
    if (at == EHCI_USBCMD) {
        *model_op(EHCI_USBSTS) &= ~(uint32_t)EHCI_STS_HALTED;
        *model_op(EHCI_USBSTS) |=
            (value & EHCI_CMD_RS) != 0 ? 0 : EHCI_STS_HALTED;
    }
}
