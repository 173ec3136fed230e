/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of device tree bindings. Linux, Documentation/devicetree/bindings:
 * interrupt-controller/arm,gic.yaml and arm,gic-v3.yaml; input-event-codes.h for gpio-keys.
 */
#ifndef SPEC_DT_H
#define SPEC_DT_H

/* An interrupt of a GIC is three cells: type, number, flags. */
#define DT_GIC_SPI              0       /* number: INTID - 32 */
#define DT_GIC_PPI              1       /* number: INTID - 16 */
#define DT_EDGE_RISING          1
#define DT_LEVEL_HIGH           4
#define DT_GICV2_PPI_CPUS_SHIFT 8       /* of the flags of a PPI: one bit a CPU */

#define DT_KEY_POWER            116     /* linux,code */

#endif
