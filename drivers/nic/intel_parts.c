/* The parts of Intel's gigabit family and how they differ. */
#include "drivers/nic/intel.h"

/* PCI Express with the first one's registers. */
#define EXPRESS (INTEL_EERD_LARGE | INTEL_QUEUE_ENABLE)
/* In the chip set: no EEPROM of its own, the PHY shared with the firmware. */
#define ICH (INTEL_NO_EERD | INTEL_QUEUE_ENABLE | INTEL_EXTCNF_OWN)
#define PCH (ICH | INTEL_PHY_2)
#define IGB (EXPRESS | INTEL_ADVANCED | INTEL_SWSM_OWN)
#define IGC                                                                    \
    (INTEL_NO_EERD | INTEL_QUEUE_ENABLE | INTEL_ADVANCED | INTEL_SWSM_OWN |    \
     INTEL_IGC | INTEL_PBS)

#define PART(device, name, quirks)                                             \
    {                                                                          \
        0x8086, (device), 0, 0, "Intel " name, (quirks)                        \
    }

const struct pci_id intel_parts[] = {
    PART(0x100e, "82540EM", 0),
    PART(0x100f, "82545EM", 0),
    PART(0x1008, "82544EI", 0),
    PART(0x100c, "82544GC", 0),
    PART(0x1010, "82546EB", 0),
    PART(0x1013, "82541EI", 0),
    PART(0x1026, "82545GM", 0),
    PART(0x1075, "82547GI", 0),
    PART(0x1076, "82541GI", 0),
    PART(0x1079, "82546GB", 0),
    PART(0x107c, "82541PI", 0),

    PART(0x105e, "82571EB", EXPRESS | INTEL_SWSM_OWN),
    PART(0x10b9, "82572EI", EXPRESS | INTEL_SWSM_OWN),
    PART(0x109a, "82573L", EXPRESS | INTEL_EXTCNF_OWN),
    PART(0x10d3, "82574L", EXPRESS | INTEL_EXTCNF_OWN),
    PART(0x150c, "82583V", EXPRESS | INTEL_EXTCNF_OWN),

    PART(0x10bd, "82566DM-2", ICH),
    PART(0x10cc, "82567LM-2", ICH),
    PART(0x10de, "82567LM-3", ICH),
    PART(0x10f5, "82567LM", ICH),
    PART(0x10ea, "82577LM", PCH),
    PART(0x10eb, "82577LC", PCH),
    PART(0x10ef, "82578DM", PCH),
    PART(0x10f0, "82578DC", PCH),
    PART(0x1502, "82579LM", PCH),
    PART(0x1503, "82579V", PCH),
    PART(0x153a, "I217-LM", PCH),
    PART(0x153b, "I217-V", PCH),
    PART(0x155a, "I218-LM", PCH),
    PART(0x1559, "I218-V", PCH),
    PART(0x15a0, "I218-LM", PCH),
    PART(0x15a1, "I218-V", PCH),
    PART(0x15a2, "I218-LM", PCH),
    PART(0x15a3, "I218-V", PCH),

    PART(0x156f, "I219-LM", PCH | INTEL_I219),
    PART(0x1570, "I219-V", PCH | INTEL_I219),
    PART(0x15b7, "I219-LM", PCH | INTEL_I219),
    PART(0x15b8, "I219-V", PCH | INTEL_I219),
    PART(0x15b9, "I219-LM", PCH | INTEL_I219),
    PART(0x15d7, "I219-LM", PCH | INTEL_I219),
    PART(0x15d8, "I219-V", PCH | INTEL_I219),
    PART(0x15e3, "I219-LM", PCH | INTEL_I219),
    PART(0x15d6, "I219-V", PCH | INTEL_I219),
    PART(0x15bd, "I219-LM", PCH | INTEL_I219),
    PART(0x15be, "I219-V", PCH | INTEL_I219),
    PART(0x15bb, "I219-LM", PCH | INTEL_I219),
    PART(0x15bc, "I219-V", PCH | INTEL_I219),
    PART(0x15df, "I219-LM", PCH | INTEL_I219),
    PART(0x15e0, "I219-V", PCH | INTEL_I219),
    PART(0x15e1, "I219-LM", PCH | INTEL_I219),
    PART(0x15e2, "I219-V", PCH | INTEL_I219),
    PART(0x0d4e, "I219-LM", PCH | INTEL_I219),
    PART(0x0d4f, "I219-V", PCH | INTEL_I219),
    PART(0x0d4c, "I219-LM", PCH | INTEL_I219),
    PART(0x0d4d, "I219-V", PCH | INTEL_I219),
    PART(0x0d53, "I219-LM", PCH | INTEL_I219),
    PART(0x0d55, "I219-V", PCH | INTEL_I219),
    PART(0x15fb, "I219-LM", PCH | INTEL_I219),
    PART(0x15fc, "I219-V", PCH | INTEL_I219),
    PART(0x15f9, "I219-LM", PCH | INTEL_I219),
    PART(0x15fa, "I219-V", PCH | INTEL_I219),
    PART(0x15f4, "I219-LM", PCH | INTEL_I219),
    PART(0x15f5, "I219-V", PCH | INTEL_I219),
    PART(0x1a1e, "I219-LM", PCH | INTEL_I219),
    PART(0x1a1f, "I219-V", PCH | INTEL_I219),
    PART(0x1a1c, "I219-LM", PCH | INTEL_I219),
    PART(0x1a1d, "I219-V", PCH | INTEL_I219),

    PART(0x10a7, "82575EB", IGB),
    PART(0x10c9, "82576", IGB),
    PART(0x150e, "82580", IGB),
    PART(0x1521, "I350", IGB),
    PART(0x1522, "I350", IGB),
    PART(0x1523, "I350", IGB | INTEL_NO_ASDE),
    PART(0x1524, "I350", IGB),
    PART(0x1f40, "I354", IGB | INTEL_NO_ASDE),
    PART(0x1533, "I210", IGB | INTEL_PBS),
    PART(0x1536, "I210", IGB | INTEL_PBS),
    PART(0x1537, "I210", IGB | INTEL_PBS),
    PART(0x1538, "I210", IGB | INTEL_PBS),
    PART(0x157b, "I210", IGB | INTEL_PBS | INTEL_NO_EERD),
    PART(0x157c, "I210", IGB | INTEL_PBS | INTEL_NO_EERD),
    PART(0x1539, "I211", IGB | INTEL_PBS | INTEL_NO_EERD),

    PART(0x15f2, "I225-LM", IGC),
    PART(0x15f3, "I225-V", IGC),
    PART(0x15f8, "I225-I", IGC),
    PART(0x3100, "I225-K", IGC),
    PART(0x0d9f, "I225-IT", IGC),
    PART(0x125b, "I226-LM", IGC),
    PART(0x125c, "I226-V", IGC),
    PART(0x125d, "I226-IT", IGC),
};

static const struct pci_driver intel_driver = {
    .name = "intel",
    .ids = intel_parts,
    .id_count = sizeof(intel_parts) / sizeof(intel_parts[0]),
    .probe = intel_probe,
    .poll = intel_poll,
};

PCI_DRIVER(intel_driver);
