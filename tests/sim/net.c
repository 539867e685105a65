// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What becomes of a packet.
#include "tests/sim/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum {
	LATE_PER_MILLION = 300, ///< answers that a queue somewhere holds back for longer than a timeout
	LATE_MS = 1400,
};

struct sim_net *sim_net;

void sim_net_use(struct sim_net *net)
{
	sim_net = net;
}

const struct sim_state *sim_net_state(void)
{
	return sim_world_at(sim_net->world, sim_clock_true_ms(sim_net->clock));
}

bool sim_net_has_route(int family)
{
	const struct sim_state *state = sim_net_state();
	if (family == 6 && !sim_net->world->school.ipv6)
		return false;
	return state->address && (state->carrier || sim_net->world->school.keeps_lease);
}

static int64_t rtt_of(enum sim_place place)
{
	static const int64_t base_ms[] = {[SIM_AT_ROUTER] = 1,
					  [SIM_AT_ACCESS] = 4,
					  [SIM_AT_HOME] = 12,
					  [SIM_AT_ABROAD] = 65,
					  [SIM_AT_HUB] = 15};
	if (sim_rng_chance(&sim_net->rng, LATE_PER_MILLION) && place != SIM_AT_ROUTER)
		return LATE_MS;
	return base_ms[place] + sim_rng_between(&sim_net->rng, 0, base_ms[place] / 4 + 1);
}

struct packet {
	char address[INET6_ADDRSTRLEN];
	int family; ///< 4 or 6
	bool known, echo;
	enum sim_place place;
	uint32_t anchor;
};

static struct packet packet_to(const struct sockaddr_storage *to, bool echo)
{
	bool v6 = to->ss_family == AF_INET6;
	struct packet packet = {.family = v6 ? 6 : 4, .echo = echo, .place = SIM_AT_HOME};
	inet_ntop(to->ss_family,
		  v6 ? (const void *)&((const struct sockaddr_in6 *)to)->sin6_addr
		     : (const void *)&((const struct sockaddr_in *)to)->sin_addr,
		  packet.address, sizeof(packet.address));
	packet.known = sim_who(packet.address, &packet.place, &packet.anchor);
	return packet;
}

static bool answers(const struct packet *packet)
{
	const struct sim_state *state = sim_net_state();
	bool deaf = packet->echo && packet->place == SIM_AT_ROUTER && sim_net->world->school.router_deaf;
	bool through = sim_path(state, packet->place, packet->family);
	// Some portals let echoes pass to wherever they go.
	if (state->portal && packet->echo && sim_net->world->school.portal_echo &&
	    packet->place >= SIM_AT_HOME) {
		struct sim_state open = *state;
		open.portal = false;
		through = sim_path(&open, packet->place, packet->family);
	}
	return packet->known && through && !deaf && !(state->dead_anchors & packet->anchor);
}

static struct sim_trip travel(const struct packet *packet)
{
	struct sim_trip trip = {0};
	unsigned loss = sim_net_state()->loss;
	sim_net->packets++;
	// Chance is asked for in any case, so that one fault more does not move all others.
	bool lost_there = sim_rng_chance(&sim_net->rng, loss),
	     lost_back = sim_rng_chance(&sim_net->rng, loss);
	trip.rtt_ms = rtt_of(packet->place);
	trip.back = answers(packet) && !lost_there && !lost_back;
	return trip;
}

static void set_from(struct sim_trip *trip, const char *address, int family)
{
	if (family == 6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&trip->from;
		in6->sin6_family = AF_INET6;
		inet_pton(AF_INET6, address, &in6->sin6_addr);
	} else {
		struct sockaddr_in *in = (struct sockaddr_in *)&trip->from;
		in->sin_family = AF_INET;
		inet_pton(AF_INET, address, &in->sin_addr);
	}
}

struct sim_trip sim_net_datagram(const struct sockaddr_storage *to)
{
	struct packet packet = packet_to(to, false);
	return travel(&packet);
}

/// The way: the school's router, the provider's first hop, whoever it is for.
struct sim_trip sim_net_trip(const struct sockaddr_storage *to, unsigned ttl, size_t size)
{
	struct packet packet = packet_to(to, true);
	(void)size; // every link here takes it
	bool expires = ttl == 1 || (ttl == 2 && packet.place > SIM_AT_ACCESS);
	if (expires && ttl == 1)
		packet = (struct packet){.family = packet.family, .known = true, .place = SIM_AT_ROUTER};
	else if (expires)
		packet = (struct packet){.family = packet.family, .known = true, .place = SIM_AT_ACCESS};
	struct sim_trip trip = travel(&packet);
	trip.expired = expires;
	bool v6 = packet.family == 6;
	if (expires && ttl == 1)
		set_from(&trip, v6 ? SIM_ROUTER6_WIDE : SIM_ROUTER4, packet.family);
	else if (expires)
		set_from(&trip, v6 ? SIM_ACCESS6 : SIM_ACCESS4, packet.family);
	else
		trip.from = *to;
	return trip;
}
