# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""What every KPI of the sample fleet must be in September and October 2026, from intent.csv alone: each role of a site has
consequences that were worked out by hand below, and what is left is adding up. Nothing here reads the hub, its formulas, the
script or the timetables' files. Durations are minutes unless a name says otherwise."""
import collections
import csv
import pathlib
from fractions import Fraction

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "tools/fleet/samples/lethuy"
ZONES = ("favourable", "coastal", "mountain")
SEPTEMBER, OCTOBER = 0, 1
DAYS = (30, 31)

# A school day's minutes: 7.00-16.30; 7.30-11.00 and 14.00-16.30; 7.00-11.30; 7.00-11.30 and 13.30-16.30.
LESSON = {"preschool": 570, "primary": 360, "lower_secondary": 270, "combined": 450}
# September has 22 days from Monday to Friday and 4 Saturdays, without the 1st and 2nd (Tuesday, Wednesday); October 22 and 5.
SCHOOL_DAYS = {"preschool": (20, 22), "primary": (20, 22), "lower_secondary": (24, 27), "combined": (20, 22)}

# Minutes in which a role's line was not just up: (provider's fault, any other fault, unknown), in school time and around
# the clock, by month. Where September only is given, October is as of a steady line.
Off = collections.namedtuple("Off", "provider other unknown", defaults=(0, 0, 0))
ROLES = {
    # 15 September, Tuesday, 10.00-14.30, at a primary school: until 11.00, and from 14.00 on.
    "provider-over-lesson-borders": ((Off(60 + 30), Off(270)), (Off(), Off())),
    # 22.00-7.30 at a preschool: its first half hour. From 23.00 on the last of September to 8.00.
    "provider-over-midnights": ((Off(30), Off(570 + 60)), (Off(60), Off(480))),
    # Its cable for an hour, the captive portal for an hour and a half, all from 8.00; what is degraded is up.
    "school-and-account": ((Off(0, 60 + 90), Off(0, 60 + 90)), (Off(), Off())),
    "holiday-outage": ((Off(), Off(720)), (Off(), Off())),
    "exam-outage": ((Off(), Off()), (Off(30), Off(30))),
    # 8.00-10.30, of which two hours were announced.
    "maintenance-and-more": ((Off(30), Off(30)), (Off(), Off())),
    # From 8.00 on 5 October to 8.00 on the 20th, at a primary school: 180 + 150 on the first day, ten whole ones, 30.
    "away-for-a-fortnight": ((Off(), Off()), (Off(0, 0, 330 + 10 * 360 + 30), Off(0, 0, 15 * 1440))),
    # 8.30-10.30 without power; the board's last word is a second older.
    "power-in-a-lesson": ((Off(), Off()), (Off(0, 120, 1 / 60), Off(0, 120, 1 / 60))),
    # On from 6.30 to 16.59 on each day but Sundays: 629 minutes, 26 times; again 26 times in October, and on the 31st until
    # midnight.
    "switched-off-at-night": ((Off(), Off(0, 0, 30 * 1440 - 26 * 629)),
                              (Off(), Off(0, 0, 31 * 1440 - (26 * 629 + 1050)))),
    # What was lost may have told of anything: since the word before it (25 September, 6.45) the line is unknown until it is told
    # of again (on the 28th at 18.00). Two days of school: what remains is just nine tenths. 17 h 15 min, two days, 18 h.
    "lost-a-few": ((Off(0, 0, 2 * 360), Off(0, 0, 1035 + 2 * 1440 + 1080)), (Off(), Off())),
    "restarts": ((Off(), Off(0, 0, 5 / 60)), (Off(), Off(0, 0, 40 / 60))),
    "renewed-journal": ((Off(), Off(0, 0, 5 / 60)), (Off(), Off())),
}
STEADY = ((Off(), Off()), (Off(), Off()))

# Valid domestic tests of a month, as (how many, down, up), and others; the days of the month cut what is daily.
SPEEDS = {
    "none": [], "daily-60": [(31, 60, 30)], "daily-35": [(62, 35, 15)], "daily-12": [(31, 12, 6)],
    "twenty-of-20": [(20, 20, 10)], "nineteen-of-50": [(19, 50, 25)], "twenty-of-19.9": [(20, 19.9, 10)],
    "ten-of-10-ten-of-30": [(10, 10, 10), (10, 30, 10)], "eleven-of-10-ten-of-30": [(11, 10, 10), (10, 30, 10)],
    "nineteen-of-50-thirty-contended": [(19, 50, 25)], "daily-60-abroad-5": [(31, 60, 30)],
    "thousand-of-20": [(1000, 20, 8)], "nine-hundred-ninety-nine-of-20": [(999, 20, 8)],
}
BESIDES = {"nineteen-of-50-thirty-contended": 30, "daily-60-abroad-5": 30}


def read(path=SAMPLE / "intent.csv"):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def site_name(row):
    return row["school"], row["site"]


# ---- time ------------------------------------------------------------------------------------------------------


def school_days(row, month):
    """With the examination on a Sunday; without the flood."""
    days = SCHOOL_DAYS[row["kind"]][month]
    if month == OCTOBER and row["commune"] == "Hồng Thủy":
        days -= 2
    if month == OCTOBER and row["school_name"] == "Trường THCS Kiến Giang":
        days += 1
    return days


def boarded_days(row, month):
    """Of the month's days, and of its school days, those on which a board stood there."""
    if row["net"] == "no-board" or (row["net"] == "no-board-then-moved-here" and month == SEPTEMBER):
        return 0, 0
    if month == OCTOBER and row["net"] == "moves-away":
        return 15, 11
    if month == OCTOBER and row["net"] == "no-board-then-moved-here":
        return 16, 11
    return DAYS[month], school_days(row, month)


def availability(row, month, clock):
    """Minutes of a site: up, provider's, other, unknown; they are what counts. 24 September, 8.00-10.00, does not, of one
    provider: all of it is school time everywhere."""
    excluded = 120 if month == SEPTEMBER and row["provider"] == "Nhà mạng B" else 0
    days, lessons = boarded_days(row, month)
    of_day = 1440 if clock else LESSON[row["kind"]]
    total = of_day * (DAYS[month] if clock else school_days(row, month)) - excluded
    watched = of_day * (days if clock else lessons) - (excluded if days else 0)
    off = ROLES.get(row["net"], STEADY)[month][1 if clock else 0]
    up = watched - off.provider - off.other - off.unknown
    return up, off.provider, off.other, total - up - off.provider - off.other


def milliseconds(minutes):
    return round(minutes * 60) * 1000


# ---- tests -----------------------------------------------------------------------------------------------------


def what_its_board_does(row, rows):
    """A board that moves does at its new place what it did before."""
    if row["net"] != "no-board-then-moved-here":
        return row
    mover = next(other for other in rows if other["net"] == "moves-away")
    return {**mover, "school": row["school"], "site": row["site"], "zone": row["zone"], "net": row["net"]}


def tests(row, month):
    """Valid domestic ones at this site, as (times, down, up)."""
    days, _ = boarded_days(row, month)
    if not days:
        return []
    role = row[("speed_09", "speed_10")[month]]
    done = []
    for times, down, up in SPEEDS[role]:
        daily, of_day = times in (31, 62), 2 if times == 62 else 1
        if daily:
            times = days * of_day
            if row["net"] == "switched-off-at-night":
                times -= 4 * of_day  # Sundays
            if row["net"] == "away-for-a-fortnight" and month == OCTOBER:
                times -= 15 * of_day
            if row["net"] == "provider-over-midnights":
                times -= 1  # the line was down at 6.45: on 17 September, on 1 October
        done.append((times, down, up))
    return done


def median(samples):
    samples = sorted(samples)
    half = len(samples) // 2
    return samples[half] if len(samples) % 2 else (samples[half - 1] + samples[half]) / 2


def downs(row, month):
    return [down for times, down, _ in tests(row, month) for _ in range(times)]


def high_speed(row, month):
    samples = downs(row, month)
    if len(samples) < 20:
        return "unknown"
    return "yes" if median(samples) >= 20 else "no"


def pools(rows, month):
    """(provider, plan) -> verdict: a thousand of each direction, and four fifths of what was bought. A board that has moved keeps
    the contract that it was told."""
    found = {}
    for row in rows:
        own = what_its_board_does(row, rows)
        pool = found.setdefault((own["provider"], own["plan"]), [0, 0, 0, float(own["bought_down"]), float(own["bought_up"])])
        for times, down, up in tests(own, month):
            pool[0] += times
            pool[1] += times * down
            pool[2] += times * up
    verdicts = {}
    for name, (count, down, up, bought_down, bought_up) in found.items():
        if count < 1000:
            verdicts[name] = "unknown"
        else:
            kept = down * 5 >= count * bought_down * 4 and up * 5 >= count * bought_up * 4
            verdicts[name] = "yes" if kept else "no"
    return verdicts


# ---- facts -----------------------------------------------------------------------------------------------------

START = 4  # the journal opens, the boot, the clock, the line is up
BACK = 5   # the same, and the outage that the board's absence was
EDGE = 2   # of a line's trouble: the line's word and the outage's
GOODBYE = 1
STAMPS = {  # what a role's events say: September, October
    "provider-over-lesson-borders": (2 * EDGE, 0), "provider-over-midnights": (3 * EDGE, EDGE),
    "school-and-account": (3 * 2 * EDGE, 0), "holiday-outage": (2 * EDGE, 0), "exam-outage": (0, 2 * EDGE),
    "maintenance": (2 * EDGE, 0), "maintenance-and-more": (2 * EDGE, 0),
    "away-for-a-fortnight": (0, GOODBYE + BACK), "power-in-a-lesson": (0, 1 + BACK),
    # A word before each cut, and back on each working day's morning, 26 and 27 times; also on the first one.
    "switched-off-at-night": (26 + 26 * BACK - START, 27 + 27 * BACK),
    "restarts": (GOODBYE + BACK, GOODBYE + BACK), "renewed-journal": (GOODBYE + BACK, 0),
    "lost-a-few": (1 + 2 * EDGE, 0),  # that they were dropped
}
KIOSK = {"healthy": 2, "down-2-days": 2 + 2 * 4, "down-3-days": 2 + 3 * 4}
LOST = 100


def signs(row, month):
    days, _ = boarded_days(row, month)
    role = row[("signs_09", "signs_10")[month]]
    if not days:
        return 0
    if role != "every":
        return days - int(role[len("skip-"):])
    if row["net"] == "switched-off-at-night":
        return days - 4
    if row["net"] == "away-for-a-fortnight" and month == OCTOBER:
        return days - 15
    return days


def facts(row, month, rows):
    days, _ = boarded_days(row, month)
    if not days:
        return 0
    told = what_its_board_does(row, rows)
    count = START if month == SEPTEMBER else 0
    count += 2 * sum(times for times, _, _ in tests(told, month))
    count += 2 * BESIDES.get(told[("speed_09", "speed_10")[month]], 0)
    count += signs(told, month) + STAMPS.get(row["net"], (0, 0))[month]
    if month == SEPTEMBER:
        count += KIOSK.get(row["kiosk"], 0)
    return count + timely(row, month)


def timely(row, month):
    """Only what happened in the last minutes before it all was sent."""
    return int(row["timely"]) if month == OCTOBER else 0


# How often a journal was opened, but for the first time: each time samples have their stream, too, which says so.
AGAIN = {"switched-off-at-night": (26 - 1, 27), "restarts": (1, 1), "renewed-journal": (1, 0), "away-for-a-fortnight": (0, 1),
         "power-in-a-lesson": (0, 1)}


def bulk(row, month):
    """Where a stream of samples begins, and of those who watch platforms a record each hour."""
    if not boarded_days(row, month)[0]:
        return 0
    opened = AGAIN.get(row["net"], (0, 0))[month] + (1 if month == SEPTEMBER else 0)
    return opened + (DAYS[month] * 24 if row["platform"] else 0)


def connected(row, month):
    """School days of a board with a fact, of all: signs come daily, tests too."""
    days = school_days(row, month)
    if row["signs_09"].startswith("skip") and month == SEPTEMBER:
        return days - int(row["signs_09"][len("skip-"):]), days
    if row["net"] == "away-for-a-fortnight" and month == OCTOBER:
        return days - 10, days  # 6-9, 12-16 and 19 October; on the 5th it had tested, on the 20th it came back
    return days, days


# ---- KPIs ------------------------------------------------------------------------------------------------------


def schools(rows):
    """School by school, its sites; the first one is the main campus."""
    found = collections.OrderedDict()
    for row in rows:
        found.setdefault(row["school"], []).append(row)
    return list(found.values())


def fibre(sites, month):
    """Any line that is fibre by contract or reading, and was up under a board in that month."""
    proven = [site for site in sites if site["medium"] == "fibre" and site["evidence"] and boarded_days(site, month)[0]]
    other = [site for site in sites if site["medium"] not in ("fibre", "")]
    return "yes" if proven else "no" if len(other) == len(sites) else "unknown"


def school_connected(sites, month):
    boards = [connected(site, month) for site in sites if boarded_days(site, month)[1]]
    if not boards:
        return "unknown"
    done, days = max(boards)
    return "yes" if done * 10 >= days * 9 else "no"


def platform(sites, _month):
    answered = [site["platform"] for site in sites if site["platform"]]
    return "unknown" if not answered else "yes" if int(answered[0]) >= 99 else "no"


def kiosk(sites, month):
    roles = [site["kiosk"] for site in sites if site["kiosk"]]
    if not roles:
        return "unknown"
    return "no" if roles[0] == "down-3-days" and month == SEPTEMBER else "yes"  # 17 of 20 days; 18 of 20 are nine tenths


def ready(sites, month):
    """Down 10, up 2, 99 % of school time, loss and round trip of the main campus. Loss is told by those who send minutes."""
    main = sites[0]
    up, provider, other, unknown = availability(main, month, clock=False)
    samples, known = downs(main, month), up + provider + other
    ups = [value for times, _, value in tests(main, month) for _ in range(times)]
    rated = known * 10 >= (known + unknown) * 9
    if (rated and up * 100 < known * 99) or (len(samples) >= 20 and (median(samples) < 10 or median(ups) < 2)):
        return "no"
    return "yes" if main["platform"] and rated and len(samples) >= 20 else "unknown"


def online(parts, whose="all"):
    """Of sites of which nine tenths of the time are known: available with 99.5 %, and the time of all of them."""
    tally, up_all, known_all = collections.Counter(), 0, 0
    for up, provider, other, unknown in parts:
        known = up + provider + (other if whose == "all" else 0)
        total = up + provider + other + unknown
        if known * 10 < total * 9:
            tally["unknown"] += 1
            continue
        tally["yes" if up * 1000 >= known * 995 else "no"] += 1
        up_all += milliseconds(up)
        known_all += milliseconds(known)
    covered = tally["yes"] + tally["no"]
    return {"num": up_all, "den": known_all, "yes": tally["yes"], "no": tally["no"], "unknown": tally["unknown"],
            "covered": covered, "of": covered + tally["unknown"]}


UNITS = {"fibre_schools_ratio": fibre, "data_connected_ratio": school_connected, "platform_reachable_ratio": platform,
         "attendance_automation_ratio": kiosk, "online_ready_ratio": ready}


def counts(units):
    tally = collections.Counter(units)
    return {"yes": tally["yes"], "no": tally["no"], "unknown": tally["unknown"]}


def of_month(month, zone=None, rows=None, kinds=()):
    """Every KPI of one zone, or of all, and of schools of these kinds: counts of units, or numerator and denominator with what is
    covered, of how much."""
    everywhere = rows or read()
    rows = [row for row in everywhere if zone in (None, row["zone"]) and (not kinds or row["kind"] in kinds)]
    out = {name: counts(rule(sites, month) for sites in schools(rows)) for name, rule in UNITS.items()}
    out["high_speed_sites_ratio"] = counts(high_speed(what_its_board_does(row, everywhere), month) for row in rows)
    if zone is None:
        out["contract_kept_ratio"] = counts(pools(rows, month).values())
    out["availability"] = online(availability(row, month, clock=False) for row in rows)
    out["availability_clock"] = online(availability(row, month, clock=True) for row in rows)
    out["availability_provider"] = online((availability(row, month, clock=True) for row in rows), whose="provider")
    exam = [row for row in rows if row["school_name"] == "Trường THCS Kiến Giang"] if month == OCTOBER else []
    out["availability_exam"] = online((240, 30, 0, 0) for _ in exam)
    made = sum(facts(row, month, everywhere) for row in rows)
    lost = LOST * sum(row["net"] == "lost-a-few" for row in rows) if month == SEPTEMBER else 0
    issued = made + lost + sum(bulk(row, month) for row in rows)
    speaking = sum(any(boarded_days(site, month)[0] for site in sites) for sites in schools(rows))
    out["data_completeness_ratio"] = {"num": issued - lost, "den": issued, "covered": speaking, "of": len(schools(rows))}
    out["data_timeliness_ratio"] = {"num": sum(timely(row, month) for row in rows), "den": made, "covered": speaking, "of": len(schools(rows))}
    inventories = [sites[0] for sites in schools(rows)]
    declared = [row for row in inventories if int(row["declared"])]
    out["assets_recorded_ratio"] = {"num": sum(int(row["complete"]) for row in declared),
                                    "den": sum(int(row["declared"]) for row in declared),
                                    "covered": len(declared), "of": len(inventories)}
    # No board of this sample reports a classroom: of every school's lessons nothing is known, and nothing is rated.
    out["smart_classroom_availability"] = {"num": 0, "den": 0, "covered": 0, "of": len(inventories),
                                           "yes": 0, "no": 0, "unknown": len(inventories)}
    out["connectivity_index"] = index(out)
    return out


COMPONENTS = ("fibre_schools_ratio", "high_speed_sites_ratio", "data_connected_ratio", "data_completeness_ratio", "availability")


def share(kpi):
    """Of units: those that surely do, of all; of a value: its quotient, of what is known."""
    if "num" in kpi:
        return Fraction(kpi["num"], kpi["den"])
    return Fraction(kpi["yes"], kpi["yes"] + kpi["no"] + kpi["unknown"])


def index(kpis):
    """Five shares, weighted alike; never judged."""
    parts = {name: share(kpis[name]) for name in COMPONENTS}
    return {"parts": parts, "mean": sum(parts.values()) / len(parts)}


if __name__ == "__main__":
    for number, name in enumerate(("September", "October")):
        for place in (None, *ZONES):
            print(name, place or "everywhere")
            for kpi, value in of_month(number, place).items():
                print("   ", kpi, value)
