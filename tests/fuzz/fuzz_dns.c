// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// A DNS response of any bytes, to the question that it claims to answer and to another one; the verdict on
// it; and the same bytes as a resolv.conf and as a name to ask for.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/link/dns.h"
#include "drivers/link/dns_verdict.h"
#include "drivers/link/resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/// Whatever the answer, nothing vouches for a line that is cut off but proof.
static void conclude(const struct sp_dns_finding *finding)
{
	const struct sp_dns_witness witnesses[] = {{"a", false, true, finding}, {"b", true, false, finding}};
	struct sp_dns_verdict verdict;
	sp_dns_conclude(witnesses, 2, true, &verdict);
	check((verdict.status == SP_RUNG_OK) == finding->fresh && verdict.reason != NULL);
	sp_dns_conclude(witnesses, 2, false, &verdict);
	check((verdict.status == SP_RUNG_OK) == (finding->result == SP_DNS_GOOD));
}

static void parse(const uint8_t *data, size_t size, struct sp_dns_question *question)
{
	struct sp_dns_answer answer;
	const struct sp_strings expect = {0};
	static char expected[] = "203.0.113.9";
	static char *items[] = {expected};
	const struct sp_strings one = {1, items};
	struct sp_dns_finding finding = {0};
	int result = sp_dns_parse(data, size, question, &answer);
	check((result != -ENOMSG) == sp_dns_belongs(data, size, question));
	check(answer.count <= SP_DNS_ADDRESSES);
	if (result < 0)
		return;
	sp_dns_judge(&answer, &expect, true, &finding);
	check(finding.result == SP_DNS_GOOD || finding.result == SP_DNS_WRONG);
	check(finding.why != NULL && sp_dns_rcode_text(answer.rcode) != NULL && !finding.fresh);
	// Proof of a made-up name is the expected address and nothing else.
	sp_dns_judge(&answer, &one, true, &finding);
	check(!finding.fresh || (finding.result == SP_DNS_GOOD && answer.rcode == SP_DNS_OK && answer.count));
	conclude(&finding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"probe.example", "www.probe.example", "none.example",
					    "lan.example", "vnnic.vn"};
	struct sp_dns_question question = {.type = SP_DNS_A};
	if (size >= 2)
		question.id = (uint16_t)(data[0] << 8 | data[1]);
	for (size_t i = 0; i < SP_COUNT(names); i++) {
		strcpy(question.name, names[i]);
		question.type = SP_DNS_A;
		parse(data, size, &question);
		question.type = SP_DNS_AAAA;
		parse(data, size, &question);
	}
	// What we encode, we recognise as our own question once it is called a response.
	uint8_t message[SP_DNS_QUESTION];
	size_t length = size < sizeof(question.name) - 1 ? size : sizeof(question.name) - 1;
	memcpy(question.name, data, length);
	question.name[length] = '\0';
	ssize_t encoded = sp_dns_encode(message, &question);
	check(encoded <= (ssize_t)sizeof(message));
	if (encoded > 0)
		message[2] |= 0x80;
	bool plain = encoded > 0;
	for (const char *c = question.name; *c; c++)
		plain &= *c > ' ' && *c < 0x7f;
	check(!plain || sp_dns_belongs(message, (size_t)encoded, &question));

	struct sp_resolver resolvers[SP_RESOLVERS];
	check(sp_resolv_parse((const char *)data, size, resolvers) <= SP_RESOLVERS);
	return 0;
}
