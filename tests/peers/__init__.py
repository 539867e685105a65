# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Simulated terminals: they behave as the real units do, and nobody ever punched at one."""
