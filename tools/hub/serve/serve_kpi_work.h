// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// KPIs of a country take seconds: they are read on a thread of their own, one question after the other, so
// that the page and everything else is answered meanwhile.
#pragma once

#include "agent/base/http_server.h"
#include "tools/hub/kpi/plan.h"
#include "tools/hub/serve/serve.h"
#include "tools/hub/store/store_kpi.h"

struct sp_kpi_work;

/// NULL with `why`.
struct sp_kpi_work *sp_kpi_work_new(const struct sp_hub_config *config, char why[256]);
/// Once no call is open any more: behind the server's end.
void sp_kpi_work_free(struct sp_kpi_work *work);
/// Within a handler: the call is answered later. Takes the plan (NULL: none) out of *plan, copies the words
/// of the ask.
void sp_kpi_work_ask(struct sp_kpi_work *work, struct sp_http_call *call, const struct sp_kpi_ask *ask,
		     struct sp_plan *plan);
/// Readable: there are answers to be sent, on the serving thread.
int sp_kpi_work_fd(const struct sp_kpi_work *work);
void sp_kpi_work_answer(struct sp_kpi_work *work);
