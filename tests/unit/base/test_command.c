// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Keys, signatures and signed commands: what is taken, and what is not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/command.h"
#include "agent/base/mem.h"

#define ID "abcdefghijklmnopqrstuvwxyz"

static char folder[] = "/tmp/sp-command-XXXXXX";
static char private_file[64], public_file[64];
static struct sp_sign_key *secret, *known;

static void write_file(const char *file, const void *data, size_t length)
{
	FILE *stream = fopen(file, "w");
	assert_non_null(stream);
	assert_int_equal(fwrite(data, 1, length, stream), length);
	fclose(stream);
}

static int set_up(void **state)
{
	(void)state;
	char why[SP_SIGN_WHY];
	struct sp_buf pem = SP_BUF(1024);
	if (!mkdtemp(folder))
		return -1;
	snprintf(private_file, sizeof(private_file), "%s/key", folder);
	snprintf(public_file, sizeof(public_file), "%s/key.pub", folder);
	if (sp_sign_generate(private_file, &pem, why))
		return -1;
	write_file(public_file, pem.data, pem.length);
	sp_buf_free(&pem);
	secret = sp_sign_private(private_file, why);
	known = sp_sign_public(public_file, why);
	return secret && known ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	sp_sign_free(secret);
	sp_sign_free(known);
	unlink(private_file);
	unlink(public_file);
	return rmdir(folder);
}

static void test_keys(void **state)
{
	(void)state;
	char why[SP_SIGN_WHY] = "";
	struct stat status;
	struct sp_buf pem = SP_BUF(1024);
	assert_int_equal(stat(private_file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	// What exists is left alone.
	assert_int_equal(sp_sign_generate(private_file, &pem, why), -EEXIST);
	assert_int_equal(pem.length, 0);
	assert_null(sp_sign_public(private_file, why));
	assert_non_null(strstr(why, "public"));
	assert_null(sp_sign_private(public_file, why));
	assert_non_null(strstr(why, "others may read it"));
	assert_null(sp_sign_public("/nowhere/key", why));
	assert_string_equal(why, "No such file or directory");
	assert_null(sp_sign_public("/dev/zero", why));
	assert_string_equal(why, "not a key's file");
	sp_buf_free(&pem);
}

static void test_the_vector_of_the_standard(void **state)
{
	(void)state;
	// RFC 8032 §7.1, TEST 1: an empty message.
	static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
				  "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
				  "-----END PUBLIC KEY-----\n";
	static const uint8_t signature[SP_SIGNATURE_LENGTH] = {
	    0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
	    0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
	    0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
	    0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b};
	char file[80], why[SP_SIGN_WHY];
	snprintf(file, sizeof(file), "%s/rfc", folder);
	write_file(file, pem, sizeof(pem) - 1);
	struct sp_sign_key *key = sp_sign_public(file, why);
	unlink(file);
	assert_non_null(key);
	assert_true(sp_sign_good(key, "", 0, signature));
	assert_false(sp_sign_good(key, "x", 1, signature));
	sp_sign_free(key);
}

static struct sp_command an_order(void)
{
	return (struct sp_command){.id = ID,
				   .shard = "ninh-binh",
				   .dev = "k7f2m9",
				   .command = "speedtest",
				   .issued_ms = 1795000000000,
				   .expires_ms = 1795000600000,
				   .device = "neo \"tỉnh\"",
				   .line = "main",
				   .direction = SP_COMMAND_UP};
}

static void test_there_and_back(void **state)
{
	(void)state;
	struct sp_command in = an_order(), out;
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	assert_int_equal(sp_command_seal(&wire, &in, secret), 0);
	assert_int_equal(sp_command_open(&out, known, wire.data, wire.length), 0);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.device, in.device);
	assert_string_equal(out.line, "main");
	assert_int_equal(out.direction, SP_COMMAND_UP);
	assert_int_equal(out.expires_ms, in.expires_ms);
	assert_false(out.unclear);
	sp_buf_free(&wire);
}

static void test_every_changed_byte_is_seen(void **state)
{
	(void)state;
	struct sp_command in = an_order(), out;
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	assert_int_equal(sp_command_seal(&wire, &in, secret), 0);
	for (size_t i = 0; i < wire.length; i++) {
		wire.data[i] ^= 1;
		int result = sp_command_open(&out, known, wire.data, wire.length);
		wire.data[i] ^= 1;
		// The last four bits of base64's padding carry nothing.
		bool padding = strncmp(wire.data + i + 1, "==\"}", 4) == 0;
		if (result == 0 && !padding)
			fail_msg("a change of byte %zu was not seen", i);
	}
	for (size_t length = 0; length < wire.length; length++)
		assert_int_not_equal(sp_command_open(&out, known, wire.data, length), 0);
	sp_buf_free(&wire);
}

static void test_another_key(void **state)
{
	(void)state;
	struct sp_command in = an_order(), out;
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX), pem = SP_BUF(1024);
	char file[80], why[SP_SIGN_WHY];
	snprintf(file, sizeof(file), "%s/other", folder);
	assert_int_equal(sp_sign_generate(file, &pem, why), 0);
	struct sp_sign_key *other = sp_sign_private(file, why);
	unlink(file);
	assert_int_equal(sp_command_seal(&wire, &in, other), 0);
	assert_int_equal(sp_command_open(&out, known, wire.data, wire.length), -EPERM);
	sp_sign_free(other);
	sp_buf_free(&wire);
	sp_buf_free(&pem);
}

/// A body of these members beside good ones.
static int read_with(struct sp_command *out, const char *id, const char *rest)
{
	char *body = sp_asprintf("{\"id\":\"%s\",\"shard\":\"s\",\"dev\":\"d\",\"command\":\"speedtest\",%s}",
				 id, rest);
	int result = sp_command_read(out, body, strlen(body));
	free(body);
	return result;
}

static void test_bodies(void **state)
{
	(void)state;
	struct sp_command out;
	assert_int_equal(read_with(&out, ID, "\"args\":{},\"issued_ms\":1,\"expires_ms\":2"), 0);
	assert_false(out.unclear);
	assert_int_equal(out.direction, SP_COMMAND_BOTH);
	static const char *const unclear[] = {
	    "\"args\":{\"speed\":1},\"issued_ms\":1,\"expires_ms\":2",
	    "\"args\":{\"direction\":\"both\"},\"issued_ms\":1,\"expires_ms\":2",
	    "\"args\":{\"direction\":5},\"issued_ms\":1,\"expires_ms\":2",
	    "\"args\":{\"device\":\"a\",\"line\":\"\"},\"issued_ms\":1,\"expires_ms\":2",
	    "\"args\":[],\"issued_ms\":1,\"expires_ms\":2",
	    "\"issued_ms\":1,\"expires_ms\":2",
	};
	for (size_t i = 0; i < SP_COUNT(unclear); i++) {
		assert_int_equal(read_with(&out, ID, unclear[i]), 0);
		assert_true(out.unclear);
		assert_string_equal(out.device, "");
	}
	static const char *const bad[] = {"\"args\":{},\"issued_ms\":1",
					  "\"args\":{},\"issued_ms\":1,\"expires_ms\":-2",
					  "\"args\":{},\"issued_ms\":1,\"expires_ms\":2.5",
					  "\"args\":{},\"issued_ms\":1,\"expires_ms\":1e300",
					  "\"args\":{},\"issued_ms\":\"1\",\"expires_ms\":2"};
	for (size_t i = 0; i < SP_COUNT(bad); i++)
		assert_int_equal(read_with(&out, ID, bad[i]), -EBADMSG);
	assert_int_equal(read_with(&out, "short", "\"args\":{},\"issued_ms\":1,\"expires_ms\":2"), -EBADMSG);
}

static void test_sizes(void **state)
{
	(void)state;
	struct sp_command in = an_order(), out;
	struct sp_buf wire = SP_BUF(SP_COMMAND_MESSAGE_MAX);
	assert_int_equal(sp_command_seal(&wire, &in, secret), 0);
	char *large = sp_alloc(SP_COMMAND_MESSAGE_MAX + 2);
	memset(large, ' ', SP_COMMAND_MESSAGE_MAX + 1);
	memcpy(large, wire.data, wire.length);
	assert_int_equal(sp_command_open(&out, known, large, SP_COMMAND_MESSAGE_MAX), 0);
	assert_int_equal(sp_command_open(&out, known, large, SP_COMMAND_MESSAGE_MAX + 1), -EBADMSG);
	// Bytes behind a NUL are bytes, too.
	memset(large, 0, SP_COMMAND_MESSAGE_MAX);
	large[0] = '{';
	assert_int_equal(sp_command_open(&out, known, large, SP_COMMAND_MESSAGE_MAX), -EBADMSG);
	assert_int_equal(sp_command_open(&out, known, large, 0), -EBADMSG);
	free(large);
	strcpy(in.command, "Speedtest");
	sp_buf_reset(&wire);
	assert_int_equal(sp_command_seal(&wire, &in, secret), -EINVAL);
	sp_buf_free(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),           cmocka_unit_test(test_the_vector_of_the_standard),
	    cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_every_changed_byte_is_seen),
	    cmocka_unit_test(test_another_key),    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_sizes),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
