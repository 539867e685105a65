// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A school and its Internet in two network namespaces: this process moves into the school's, a child lives in
// the other one and answers there. They are joined by one veth pair, line0 (school) and isp0. Nothing of the
// machine's own network is seen or touched, and both namespaces vanish with their processes.
#pragma once

#include <stdbool.h>

#define LAB_GATEWAY4  "192.0.2.1"
#define LAB_GATEWAY6  "2001:db8::1"
#define LAB_ANCHOR_A  "203.0.113.1"
#define LAB_ANCHOR_B  "203.0.113.2"
#define LAB_ANCHOR_V6 "2001:db8:53::1"
#define LAB_FOREIGN   "198.51.100.1"

/// False when the machine does not let us (no root, no namespaces): the reason is printed.
bool lab_open(void);
void lab_close(void);

/// Runs a command in the school or in the Internet; fails the test when it fails.
void lab_school(const char *format, ...) __attribute__((format(printf, 1, 2)));
void lab_internet(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// The plain state: addresses, default routes, all anchors answering.
void lab_heal(void);

/// What the child's page says: '2' status 204, 'p' a login page, 'r' a redirect; and its DNS: 'g' good, 'f'
/// server failure, 's' silent, 'l' its own private address, 'o' good but from another port, 'x' forged
/// answers before the good one.
void lab_page(char mode);
void lab_dns(char mode);
