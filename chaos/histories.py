#!/usr/bin/env python3
"""Checks histories of calls (docs/histories.md), and says which line breaks which rule.

Shares no code with the invariants of the chaos, and needs nothing but Python 3:

    cargo chaos --histories histories
    python3 chaos/histories.py histories/*.jsonl

Exit code 0 if all histories keep all rules, and those of negative controls break one; 1 if not; 2 for bad use.
"""

import json
import sys

SCHEMA = "dske-history/1"

# Invariants that are about what is in a history. A control that breaks one of them has to break a rule.
SEEN_HERE = ("agreement", "no-false-key", "access")


class Checker:
    def __init__(self):
        self.begun = {}  # call -> its first line
        self.ended = set()  # calls
        self.time = 0
        self.written = {}  # key ID -> (number of the line, master, slaves, digest)
        self.unanswered = []  # get_key calls that nobody had an answer to, or has not yet
        self.read = {}  # (key ID, SAE) -> number of the line
        self.early = {}  # key ID fetched before it was given -> (digest, calls that may have written it)
        self.broken = []

    def breaks(self, number, rule, what):
        self.broken.append((number, rule, what))

    def line(self, number, line):
        if line["at_us"] < self.time:
            self.breaks(number, "order", "is earlier than the line before")
        self.time = line["at_us"]
        call = line["call"]
        same = ("call", "process", "kind", "slaves", "master", "key_ids")
        asked = {name: line[name] for name in same if name in line}
        if line["type"] == "invoke":
            if call in self.begun:
                self.breaks(number, "order", "call %d begins again" % call)
            self.begun[call] = asked
            if line["kind"] == "get_key":
                self.unanswered.append(asked)
            return
        if self.begun.get(call) != asked or call in self.ended:
            self.breaks(number, "order", "no such call is under way")
        self.ended.add(call)
        if line["kind"] == "get_key" and line["type"] != "info" and asked in self.unanswered:
            self.unanswered.remove(asked)
        if line["type"] != "ok":
            if "keys" in line:
                self.breaks(number, "refused", "a call that failed has keys")
            return
        for key in line["keys"]:
            if line["kind"] == "get_key":
                self.given(number, line, key["key_id"], key["digest"])
            else:
                self.fetched(number, line, key["key_id"], key["digest"])
        if line["kind"] == "get_key_with_ids":
            if sorted(key["key_id"] for key in line["keys"]) != sorted(line["key_ids"]):
                self.breaks(number, "asked", "the keys are not those that were asked for")

    def given(self, number, line, key_id, digest):
        if key_id in self.written:
            self.breaks(number, "once-written", "key %s was given before, in line %d" % (key_id, self.written[key_id][0]))
            return
        self.written[key_id] = (number, line["process"], line["slaves"], digest)
        value, calls = self.early.get(key_id, (digest, [line["call"]]))
        if line["call"] not in calls:
            self.breaks(number, "written-first", "key %s was fetched before this call began" % key_id)
        if digest != value:
            self.breaks(number, "same-key", "key %s is another than was fetched" % key_id)

    def fetched(self, number, line, key_id, digest):
        sae = line["process"]
        if key_id in self.written:
            _, master, slaves, value = self.written[key_id]
            writers = [slaves] if master == line["master"] else []
        else:
            # The master may be waiting for its answer, or never have had it.
            value, calls = self.early.get(key_id, (digest, None))
            maybe = [call for call in self.unanswered if call["process"] == line["master"]]
            maybe = [call for call in maybe if calls is None or call["call"] in calls]
            writers = [call["slaves"] for call in maybe]
            if writers:
                self.early[key_id] = (value, [call["call"] for call in maybe if sae in call["slaves"]])
        if not writers:
            self.breaks(number, "written-first", "no call by master %s can have written key %s" % (line["master"], key_id))
        elif not any(sae in slaves for slaves in writers):
            self.breaks(number, "named", "SAE %s is not named for key %s" % (sae, key_id))
        if digest != value:
            self.breaks(number, "same-key", "key %s is another than before" % key_id)
        if (key_id, sae) in self.read:
            self.breaks(number, "once-read", "SAE %s had key %s before, in line %d" % (sae, key_id, self.read[key_id, sae]))
        self.read[key_id, sae] = number


def check(path):
    """Whether the history is as it has to be, and what is to be said of it."""
    checker = Checker()
    with open(path, encoding="utf-8") as lines:
        head = json.loads(lines.readline())
        if head["schema"] != SCHEMA:
            raise ValueError("schema %s is not %s" % (head["schema"], SCHEMA))
        for number, line in enumerate(lines, 2):
            checker.line(number, json.loads(line))
    for call in sorted(set(checker.begun) - checker.ended):
        checker.breaks(0, "order", "call %d never ends" % call)
    said = ["%s:%d: %s: %s" % (path, number, rule, what) for number, rule, what in checker.broken]
    if head.get("breaks") in SEEN_HERE:
        return bool(said), [] if said else ["%s: has to break %s, and breaks no rule" % (path, head["breaks"])]
    return not said, said


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    good = 0
    for path in paths:
        try:
            is_good, said = check(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            print("%s: cannot be read as a history: %r" % (path, error), file=sys.stderr)
            return 2
        good += is_good
        for line in said:
            print(line)
    print("%d of %d histories are as they have to be" % (good, len(paths)))
    return 0 if good == len(paths) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
