// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Encoding a question, reading a response (dns.h). Every step through a message is bounded by its length and
// every compressed name by its own position: pointers only lead backwards.
#include "dns.h"

#include <string.h>
#include <sys/socket.h>

enum {
	HEADER = 12,
	LABEL = 63,
	WIRE_NAME = 255,
	RECORDS = 64, // answers looked at: more fit into no honest datagram
	ALIASES = 16, // of one name, a ring of them included
	TYPE_CNAME = 5,
	CLASS_IN = 1,
	FLAG_RESPONSE = 0x8000,
	FLAG_TRUNCATED = 0x0200,
	FLAG_RECURSE = 0x0100,
	OPCODE = 0x7800,
};

/// A reader that can only fail, never leave the message.
struct cursor {
	const uint8_t *data;
	size_t length, at;
	bool bad;
};

static uint16_t get16(struct cursor *c)
{
	if (c->bad || c->length - c->at < 2) {
		c->bad = true;
		return 0;
	}
	uint16_t value = (uint16_t)(c->data[c->at] << 8 | c->data[c->at + 1]);
	c->at += 2;
	return value;
}

static void skip(struct cursor *c, size_t count)
{
	if (c->bad || c->length - c->at < count)
		c->bad = true;
	else
		c->at += count;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/// Reads a name as text, dots between labels. Bytes that would confuse the text become '?': such a
/// name is never the one we asked for.
static void get_name(struct cursor *c, char out[SP_DNS_NAME])
{
	size_t at = c->at, written = 0, limit = c->at;
	bool jumped = false;
	while (!c->bad) {
		if (at >= c->length) {
			c->bad = true;
			break;
		}
		uint8_t size = c->data[at];
		if ((size & 0xc0) == 0xc0) {
			if (at + 1 >= c->length) {
				c->bad = true;
				break;
			}
			size_t target = (size_t)(size & 0x3f) << 8 | c->data[at + 1];
			if (!jumped)
				c->at = at + 2;
			jumped = true;
			if (target >= limit) {
				c->bad = true;
				break;
			}
			limit = at = target;
			continue;
		}
		if (size > LABEL || at + 1 + size > c->length || written + size + 1 >= WIRE_NAME) {
			c->bad = true;
			break;
		}
		at++;
		if (size == 0)
			break;
		if (written)
			out[written++] = '.';
		for (unsigned i = 0; i < size; i++) {
			uint8_t byte = c->data[at + i];
			out[written++] = byte > ' ' && byte < 0x7f && byte != '.' ? lower((char)byte) : '?';
		}
		at += size;
	}
	if (!jumped)
		c->at = at;
	out[c->bad ? 0 : written] = '\0';
}

ssize_t sp_dns_encode(uint8_t out[SP_DNS_QUESTION], const struct sp_dns_question *question)
{
	static const uint8_t counts[8] = {0, 1, 0, 0, 0, 0, 0, 0};
	out[0] = (uint8_t)(question->id >> 8);
	out[1] = (uint8_t)question->id;
	out[2] = FLAG_RECURSE >> 8;
	out[3] = 0;
	memcpy(out + 4, counts, sizeof(counts));
	size_t at = HEADER;
	const char *label = question->name;
	while (*label) {
		const char *dot = strchrnul(label, '.');
		size_t size = (size_t)(dot - label);
		if (size == 0 || size > LABEL || at + 1 + size + 1 > HEADER + WIRE_NAME)
			return -EINVAL;
		out[at++] = (uint8_t)size;
		memcpy(out + at, label, size);
		at += size;
		label = *dot ? dot + 1 : dot;
	}
	if (at == HEADER)
		return -EINVAL;
	out[at++] = 0;
	out[at++] = 0;
	out[at++] = (uint8_t)question->type;
	out[at++] = 0;
	out[at++] = CLASS_IN;
	return (ssize_t)at;
}

static bool same_name(const char *ours, const char *theirs)
{
	for (; *ours && lower(*ours) == *theirs; ours++, theirs++)
		;
	return !*theirs && (!*ours || (ours[0] == '.' && !ours[1]));
}

struct header {
	uint16_t id, flags, questions, answers;
};

static struct header get_header(struct cursor *c)
{
	struct header header;
	header.id = get16(c);
	header.flags = get16(c);
	header.questions = get16(c);
	header.answers = get16(c);
	skip(c, 4);
	return header;
}

/// Leaves the cursor behind the question.
static bool belongs(struct cursor *c, const struct sp_dns_question *question, struct header *header)
{
	*header = get_header(c);
	if (c->bad || header->id != question->id || !(header->flags & FLAG_RESPONSE) ||
	    header->flags & OPCODE || header->questions != 1)
		return false;
	char name[SP_DNS_NAME];
	get_name(c, name);
	uint16_t type = get16(c), class = get16(c);
	return !c->bad && type == question->type && class == CLASS_IN && same_name(question->name, name);
}

bool sp_dns_belongs(const uint8_t *data, size_t length, const struct sp_dns_question *question)
{
	struct cursor c = {data, length, 0, false};
	struct header header;
	return belongs(&c, question, &header);
}

static void keep_address(const struct cursor *c, uint16_t type, uint16_t size, struct sp_dns_answer *out)
{
	bool v4 = type == SP_DNS_A && size == 4, v6 = type == SP_DNS_AAAA && size == 16;
	if ((!v4 && !v6) || out->count == SP_DNS_ADDRESSES)
		return;
	struct sp_dns_address *address = &out->addresses[out->count++];
	address->family = v4 ? AF_INET : AF_INET6;
	memcpy(address->bytes, c->data + c->at, size);
}

struct record {
	char name[SP_DNS_NAME];
	uint16_t type, class, size;
	struct cursor data; ///< at the record's data, ends with it
};

/// Leaves the cursor behind the record.
static bool get_record(struct cursor *c, struct record *out)
{
	get_name(c, out->name);
	out->type = get16(c);
	out->class = get16(c);
	skip(c, 4);
	out->size = get16(c);
	out->data = *c;
	skip(c, out->size);
	return !c->bad;
}

/// One pass over the answers: the addresses of `name`, and where its alias leads (`alias`, "" for nowhere).
/// False when a record is broken.
static bool follow(struct cursor c, unsigned count, const char *name, char alias[SP_DNS_NAME],
		   struct sp_dns_answer *out)
{
	struct record record;
	alias[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		// A cut message ends wherever it was cut.
		if (!get_record(&c, &record))
			return out->truncated;
		if (record.class != CLASS_IN || !same_name(name, record.name))
			continue;
		if (record.type == TYPE_CNAME) {
			get_name(&record.data, alias);
			if (record.data.bad || record.data.at != c.at)
				return false;
		} else {
			keep_address(&record.data, record.type, record.size, out);
		}
	}
	return true;
}

int sp_dns_parse(const uint8_t *data, size_t length, const struct sp_dns_question *question,
		 struct sp_dns_answer *out)
{
	struct cursor c = {data, length, 0, false};
	struct header header;
	char name[SP_DNS_NAME], alias[SP_DNS_NAME];
	memset(out, 0, sizeof(*out));
	if (!belongs(&c, question, &header))
		return -ENOMSG;
	out->rcode = header.flags & 15;
	out->truncated = header.flags & FLAG_TRUNCATED;
	unsigned count = header.answers < RECORDS ? header.answers : RECORDS;
	memcpy(name, question->name, sizeof(name));
	// Addresses of other names than the one that was asked for, or its aliases, are nobody's business.
	for (unsigned i = 0; i < ALIASES; i++) {
		if (!follow(c, count, name, alias, out))
			return -EBADMSG;
		if (!alias[0] || out->count)
			break;
		memcpy(name, alias, sizeof(name));
	}
	return 0;
}

bool sp_dns_is_local(const struct sp_dns_address *address)
{
	const uint8_t *b = address->bytes;
	if (address->family == AF_INET)
		return b[0] == 0 || b[0] == 10 || b[0] == 127 || (b[0] == 100 && b[1] >> 6 == 1) ||
		       (b[0] == 169 && b[1] == 254) || (b[0] == 172 && b[1] >> 4 == 1) ||
		       (b[0] == 192 && b[1] == 168) || b[0] >= 224;
	static const uint8_t zeros[15];
	return (memcmp(b, zeros, 15) == 0 && b[15] <= 1) || (b[0] & 0xfe) == 0xfc ||
	       (b[0] == 0xfe && b[1] >> 6 == 2) || b[0] == 0xff;
}

const char *sp_dns_rcode_text(int rcode)
{
	static const char *const texts[] = {
	    "no error", "format error", "server failure", "no such name", "not implemented", "refused",
	};
	return rcode >= 0 && (size_t)rcode < SP_COUNT(texts) ? texts[rcode] : "error";
}
