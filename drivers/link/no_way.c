// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The one list of errno values that mean "there is no way to ask" (no_way.h).
#include "no_way.h"

#include <errno.h>

bool sp_no_way(int result)
{
	switch (-result) {
	case ENETUNREACH:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENODEV:
	case ENXIO:
	case EAFNOSUPPORT: // a kernel without IPv6
		return true;
	default:
		return false;
	}
}

bool sp_no_way_out(int result)
{
	return sp_no_way(result) || result == -EHOSTUNREACH || result == -EACCES;
}
