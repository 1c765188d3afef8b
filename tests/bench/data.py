"""Made-up cases, the same for every run, and the files that hold them."""

import json
import random

COLUMNS = ["Lead ID", "First", "Last", "Phone", "Email", "Case Type", "Date of Loss",
           "Open Date", "State", "Firm", "Summary", "Notes"]
TYPES = [f"Type {number:02}" for number in range(20)]
FIRST = ["Ann", "José", "Marcus", "Renée", "Li", "Aaliyah", "Tom", "Gina", "Pat", "Quang"]
LAST = ["Smith", "Ramírez", "O'Brien", "Thibodeaux", "Washington", "Nguyen", "Katz", "Müller"]
STATES = ["NV", "CA", "Nevada", "TX Texas", "NY", "FL", "Georgia", "IL"]


def rows(count):
    dice = random.Random(7)
    one_of, number_to = dice.choice, lambda most: int(dice.random() * most)
    for number in range(count):
        summary = (f"Rear-ended at a red light on I-{1 + number_to(99)} "
                   f"exit {1 + number_to(300)}")
        if dice.random() < 0.2:
            summary += ', then "treated" at the ER'
        yield [
            f"L-{number:08}", one_of(FIRST), one_of(LAST), f"(702) 555-{number_to(10_000):04}",
            f"p{number}@example.com", one_of(TYPES),
            f"{1 + number_to(12):02}/{1 + number_to(28):02}/{2015 + number_to(11)}",
            f"{2015 + number_to(11)}-{1 + number_to(12):02}-{1 + number_to(28):02}",
            one_of(STATES), f"firm_{1 + number_to(40)}", summary, "x" * number_to(41),
        ]


def write(folder, count):
    """The same rows as CSV, NDJSON and a JSON array; written once."""
    paths = {form: folder / f"cases-{count}.{form}" for form in ("csv", "ndjson", "json")}
    if paths["csv"].exists():
        return paths
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with (open(paths["csv"], "w", encoding="utf-8") as csv,
          open(paths["ndjson"], "w", encoding="utf-8") as ndjson,
          open(paths["json"], "w", encoding="utf-8") as array):
        csv.write(",".join(COLUMNS) + "\n")
        for number, row in enumerate(rows(count)):
            csv.write(",".join(map(cell, row)) + "\n")
            line = encode(dict(zip(COLUMNS, row)))
            ndjson.write(line + "\n")
            array.write((",\n" if number else "[\n") + line)
        array.write("\n]\n")
    return paths


def cell(text):
    if "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text
