// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The section of an `adms` terminal: its serial number, and what its firmware wants differently.
#include <stdio.h>
#include <string.h>

#include "adms.h"
#include "civil_time.h"
#include "zk_punch.h"

enum { TEXT_MAX = 256 };

#define AT(member) offsetof(struct adms_conf, member)

const struct sp_option adms_options[] = {
    {"serial", SP_OPTION_STRING, NULL, 1, ADMS_SERIAL_MAX, AT(serial), NULL,
     "Serial number, as its menu or label shows it: nobody else's events are taken"},
    {"port", SP_OPTION_INT, "8081", 1, 65535, AT(port), NULL,
     "Port to which the terminals push; several terminals share one"},
    {"address", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(address), NULL,
     "Address of this board on which to listen; empty: all"},
    {"cert_file", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(cert_file), NULL,
     "Certificate (PEM) for terminals that push over HTTPS"},
    {"key_file", SP_OPTION_STRING, "", 0, TEXT_MAX, AT(key_file), NULL, "Its private key (PEM)"},
    {"comm_key", SP_OPTION_STRING, "", 0, 64, AT(comm_key), NULL,
     "The pushcommkey that the terminal must send; empty: none"},
    {"time_zone", SP_OPTION_STRING, "+07:00", 1, 6, AT(time_zone), NULL, "Zone of the terminal's clock"},
    {"direction", SP_OPTION_ENUM, "auto", 0, 0, AT(direction), SP_DIRECTION_CHOICES,
     "What an event here means; auto: what status_is_direction says"},
    {"status_is_direction", SP_OPTION_BOOL, "no", 0, 0, AT(status_is_direction), NULL,
     "Pupils press in and out on this terminal, or it switches by a timetable of its own"},
    {"verify_codes", SP_OPTION_ENUM, "auto", 0, 0, AT(verify_codes), SP_ZK_VERIFY_CHOICES,
     "By which table it numbers finger, card and the like; auto: by its protocol version"},
    {"delay", SP_OPTION_DURATION, "10s", 2000, 60000, AT(delay_ms), NULL, "Time between two of its polls"},
    {"error_delay", SP_OPTION_DURATION, "60s", 30000, 300000, AT(error_delay_ms), NULL,
     "Time after which it tries again what failed"},
    {"zone_form", SP_OPTION_ENUM, "auto", 0, 0, AT(zone_form), "auto minutes offset",
     "How it is told the zone; auto: hours where they are whole"},
    {"flag_form", SP_OPTION_ENUM, "transdata", 0, 0, AT(flag_form), "transdata bare",
     "How it is told what to send: with the word TransData, or without"},
    {"acknowledgement", SP_OPTION_ENUM, "count", 0, 0, AT(ack_form), "count tight bare",
     "How events are acknowledged: \"OK: 3\", \"OK:3\" or \"OK\""},
    {0},
};

static int wrong(const char **key, const char *name, char *why, size_t size, const char *text)
{
	*key = name;
	snprintf(why, size, "%s", text);
	return -EINVAL;
}

int adms_check(const void *generic, const char **key, char *why, size_t size)
{
	const struct adms_conf *conf = generic;
	int32_t zone_s;
	for (const char *c = conf->serial; *c; c++)
		if (*c <= ' ' || *c > '~')
			return wrong(key, "serial", why, size, "letters and digits only");
	if (sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zone_s) < 0)
		return wrong(key, "time_zone", why, size, "an offset is meant, as in +07:00");
	if (!*conf->cert_file != !*conf->key_file)
		return wrong(key, *conf->cert_file ? "cert_file" : "key_file", why, size,
			     "cert_file and key_file belong together");
	return 0;
}

int32_t adms_zone_s(const struct adms_conf *conf)
{
	int32_t zone_s;
	return sp_zone_parse(conf->time_zone, strlen(conf->time_zone), &zone_s) < 0 ? 0 : zone_s;
}
