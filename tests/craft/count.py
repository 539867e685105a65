# SPDX-FileCopyrightText: The SchoolPulse authors
# SPDX-License-Identifier: Apache-2.0
"""Sums up a folder of results: ctest's JUnit files and the notes of tools/test. Counts cases where
a program tells them (cmocka, pytest), programs where it does not. The last line is the verdict."""
import pathlib
import re
import sys
import xml.etree.ElementTree as xml

CMOCKA = {"passed": r"\[  PASSED  \] (\d+) test", "failed": r"\[  FAILED  \] (\d+) test",
          "skipped": r"\[  SKIPPED \] (\d+) test"}
PYTEST_LINE = re.compile(r"^(?=.*\bin [\d.]+s)[\d.]+ (?:passed|failed|skipped|error|xfailed|deselected).*$", re.M)
PYTEST = {"passed": r"(\d+) passed", "failed": r"(\d+) (?:failed|errors?)", "skipped": r"(\d+) skipped"}


def cases(text):
    """What the program itself counted, or None."""
    if re.search(CMOCKA["passed"], text):
        return {word: sum(map(int, re.findall(pattern, text))) for word, pattern in CMOCKA.items()}
    lines = PYTEST_LINE.findall(text)
    if lines:
        return {word: sum(map(int, re.findall(pattern, lines[-1]))) for word, pattern in PYTEST.items()}
    return None


def judge(case):
    """(passed, failed, skipped) of one ctest test."""
    status = case.get("status")
    text = case.findtext("system-out") or ""
    counted = cases(text)
    if status == "run":
        return counted or {"passed": 1, "failed": 0, "skipped": 0}
    if status == "notrun" or status == "disabled":
        # "notrun" is also what ctest says of a program that is missing: that is a failure.
        skip = case.find("skipped")
        reason = skip.get("message", "") if skip is not None else ""
        if status == "notrun" and "SKIP_" not in reason:
            return {"passed": 0, "failed": 1, "skipped": 0}
        return counted or {"passed": 0, "failed": 0, "skipped": 1}
    counted = counted or {"passed": 0, "failed": 1, "skipped": 0}
    # Crashed or timed out after its own count, or before it.
    counted["failed"] = max(counted["failed"], 1)
    return counted


def main(directory):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    failures, skips = [], []
    for file in sorted(directory.glob("*.xml")):
        for case in xml.parse(file).getroot().iter("testcase"):
            counted = judge(case)
            for word in total:
                total[word] += counted[word]
            name = f"{file.stem}: {case.get('name')}"
            if counted["failed"]:
                failures.append(name)
            if counted["skipped"]:
                text = case.findtext("system-out") or ""
                reasons = re.findall(r"^SKIPPED \[\d+\] [^:]+:(?:\d+:)? ?(.*)$", text, re.M)
                skips.append(f"{name}: {'; '.join(sorted(set(reasons))) or 'skipped by the test'}")
    notes = directory / "notes"
    for line in notes.read_text().splitlines() if notes.exists() else []:
        word, name, text = line.split("\t")
        total[word] += 1
        if word == "failed":
            failures.append(f"{name}: {text}")
        elif word == "skipped":
            skips.append(f"{name}: {text}")
    for skip in skips:
        print("skipped ", skip)
    for failure in failures:
        print("FAILED  ", failure)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**total))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
