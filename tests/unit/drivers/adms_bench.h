// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A terminal of ours, played by hand on fake_io: for the tests of the adms driver.
#pragma once

#include "fake_io.h"
#include "fake_listen.h"

#define ADMS_GET(path)  "GET /iclock/" path " HTTP/1.1\nHost: x\n"
#define ADMS_POST(path) "POST /iclock/" path " HTTP/1.1\nHost: x\n"

/// A started device with serial ABC123 and these further options.
struct sp_device *adms_new(const char *options);
/// Head and body are answered with this status and text at once.
void adms_says(const char *head, const char *body, unsigned status, const char *text);
/// The same for what is answered after a commit.
void adms_says_committed(struct sp_device *dev, const char *head, const char *body, unsigned status,
			 const char *text);
