// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// As much of XML as a terminal's short answers need: the text of one named element. No entities are resolved,
// no document type is read, nothing is allocated.
#pragma once

#include <stddef.h>

#include "schoolpulse/err.h"

/// The text of the first element of that name, prefixes of namespaces aside, without white space around it.
/// The length, NUL added; -ENOENT: there is none; -EMSGSIZE: it does not fit; -EINVAL: it holds an element,
/// an entity or CDATA, the document has a type, or is none.
int sp_hik_xml_text(const char *xml, size_t length, const char *name, char *out, size_t size);
