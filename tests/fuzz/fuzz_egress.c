// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a page says our public address is.
#include <stdint.h>
#include <stdlib.h>

#include "drivers/link/egress.h"
#include "drivers/link/hop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage out, none = {0};
	if (sp_egress_parse(data, size, &out) < 0)
		return 0;
	// What is taken is an address that others could send to.
	if (size > SP_EGRESS_BODY || sp_hop_owner(&out, &none) != SP_HOP_PROVIDER)
		abort();
	return 0;
}
