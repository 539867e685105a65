// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// schoolpulse-hub: one program, its roles by subcommand.
#include <stdio.h>

int main(void)
{
	fputs("usage: schoolpulse-hub --config FILE ingest|serve|all|import|facts\n", stderr);
	return 2;
}
