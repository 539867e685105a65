// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What the readers of a statement's parts share.
#pragma once

#include "tools/fleet/script.h"
#include "tools/fleet/tokens.h"

/// Up to "at".
bool sp_who_read(struct sp_tokens *tokens, struct sp_statement *statement);
/// Up to ":".
bool sp_when_read(struct sp_tokens *tokens, struct sp_when *when);
