/* COM1: a 16550 at 115200 baud, 8N1, both ways through rings (PC16550D).
 *
 * Bytes go out 16 at a time when the transmitter's FIFO is empty; its
 * interrupt is asked for only while bytes wait, so that it ends a sleep. A
 * board without the chip is found out by the scratch register; then what is
 * written is dropped.
 *
 * Not supported: hardware handshake, another rate. */
#include "core/machine.h"
#include "drivers/console/console.h"
#include "drivers/interrupt.h"
#include "drivers/io.h"

#define PORT 0x3f8u
#define LINE 4u

#define DATA           0u /* divisor low with LCR.DLAB */
#define IER            1u /* divisor high with LCR.DLAB */
#define IER_RECEIVED   0x01u
#define IER_TRANSMIT   0x02u
#define IIR            2u
#define IIR_NONE       0x01u
#define FCR            2u
#define FCR_ENABLE     0x07u /* on, both emptied */
#define LCR            3u
#define LCR_8N1        0x03u
#define LCR_DLAB       0x80u
#define MCR            4u
#define MCR_DTR_RTS    0x03u
#define MCR_INTERRUPTS 0x08u /* OUT2 lets them through */
#define LSR            5u
#define LSR_RECEIVED   0x01u
#define LSR_EMPTY      0x20u
#define SCRATCH        7u

#define FIFO_BYTES     16u
#define TRANSMIT_BYTES 16384u
#define RECEIVE_BYTES  512u
/* One character takes 87 us; a port read at least 0.1 us. */
#define EMERGENCY_POLLS 20000u

static struct serial_state {
    bool present;
    uint8_t interrupts; /* as IER has it */
    uint8_t transmit[TRANSMIT_BYTES];
    uint32_t transmit_head, transmit_tail; /* free running */
    uint8_t receive[RECEIVE_BYTES];
    uint32_t receive_head, receive_tail;
} state;

static uint8_t read_port(unsigned offset)
{
    return io_in8((uint16_t)(PORT + offset));
}

static void write_port(unsigned offset, uint8_t value)
{
    io_out8((uint16_t)(PORT + offset), value);
}

static void set_interrupts(uint8_t wanted)
{
    if (state.interrupts == wanted)
        return;
    state.interrupts = wanted;
    write_port(IER, wanted);
}

void serial_init(void)
{
    write_port(SCRATCH, 0x5a);
    if (read_port(SCRATCH) != 0x5a)
        return;
    write_port(SCRATCH, 0xa5);
    if (read_port(SCRATCH) != 0xa5)
        return;
    write_port(IER, 0);
    write_port(LCR, LCR_DLAB);
    write_port(DATA, 1);
    write_port(IER, 0);
    write_port(LCR, LCR_8N1);
    write_port(FCR, FCR_ENABLE);
    write_port(MCR, MCR_DTR_RTS | MCR_INTERRUPTS);
    state.interrupts = 0;
    state.present = true;
    set_interrupts(IER_RECEIVED);
    interrupt_enable(LINE);
}

/* Takes what has arrived; bounded, because a chip that is gone reads as all
 * ones. */
static bool receive(void)
{
    unsigned count = 0;

    while (count < 4 * FIFO_BYTES && (read_port(LSR) & LSR_RECEIVED)) {
        const uint8_t byte = read_port(DATA);

        if (state.receive_tail - state.receive_head < RECEIVE_BYTES)
            state.receive[state.receive_tail++ % RECEIVE_BYTES] = byte;
        count++;
    }
    return count > 0;
}

static bool transmit(void)
{
    if (state.transmit_head == state.transmit_tail) {
        set_interrupts(IER_RECEIVED);
        return false;
    }
    set_interrupts(IER_RECEIVED | IER_TRANSMIT);
    if (!(read_port(LSR) & LSR_EMPTY))
        return false;
    for (unsigned i = 0;
         i < FIFO_BYTES && state.transmit_head != state.transmit_tail; i++)
        write_port(DATA,
                   state.transmit[state.transmit_head++ % TRANSMIT_BYTES]);
    return true;
}

bool serial_poll(void)
{
    bool moved;

    if (!state.present)
        return false;
    /* Reading IIR takes the transmitter's interrupt back; the receiver's goes
     * with its bytes. Its line is edge triggered: it must fall to speak. */
    (void)read_port(IIR);
    moved = receive();
    return transmit() || moved;
}

size_t machine_serial_write(const void *bytes, size_t count)
{
    const uint8_t *from = bytes;
    size_t taken = 0;

    if (!state.present)
        return count;
    while (taken < count &&
           state.transmit_tail - state.transmit_head < TRANSMIT_BYTES)
        state.transmit[state.transmit_tail++ % TRANSMIT_BYTES] = from[taken++];
    return taken;
}

int machine_serial_read(void)
{
    if (state.receive_head == state.receive_tail)
        return -1;
    return state.receive[state.receive_head++ % RECEIVE_BYTES];
}

static void write_waiting(uint8_t byte)
{
    for (unsigned i = 0; i < EMERGENCY_POLLS; i++) {
        if (read_port(LSR) & LSR_EMPTY)
            break;
    }
    write_port(DATA, byte);
}

void serial_emergency_write(char character)
{
    if (!state.present)
        return;
    /* What was queued came first. */
    while (state.transmit_head != state.transmit_tail)
        write_waiting(state.transmit[state.transmit_head++ % TRANSMIT_BYTES]);
    if (character == '\n')
        write_waiting('\r');
    write_waiting((uint8_t)character);
}
