#!/usr/bin/env python3
"""Whole-process figures of caseload and of what people use instead.

    cargo build --release && python3 tests/bench/run.py [--rows 1000000] [--quick]

Makes its own data from a seed in a temporary folder, runs every command several
times, and prints one Markdown table: median wall time, CPU and peak memory as
the operating system accounts them, and the ratio to the peer of the same run.
Peers that are not installed are left out and named: `qsv` from the PATH,
`frictionless` and `csv2http` from PyPI, `node` for the guide's own loop.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TYPES = [f"Type {n:02}" for n in range(20)]
COLUMNS = ["Lead ID", "First", "Last", "Phone", "Email", "Case Type", "Date of Loss",
           "Open Date", "State", "Firm", "Summary", "Notes"]
PROFILE = """
[case]
key = "Lead ID"
partner_firm = "Firm"
[fields.LeadId]
from = "Lead ID"
required = true
[fields.FirstName]
from = "First"
required = true
[fields.LastName]
from = "Last"
required = true
[fields.Phone]
from = "Phone"
type = "phone"
[fields.Email]
from = "Email"
type = "email"
[fields.CaseType]
from = "Case Type"
choices = %s
[fields.IncidentDate]
from = "Date of Loss"
type = "date"
formats = ["%%m/%%d/%%Y"]
[fields.OpenDate]
from = "Open Date"
type = "date"
formats = ["%%Y-%%m-%%d"]
[fields.State]
from = "State"
type = "state"
[fields.Summary]
from = "Summary"
required = true
""" % json.dumps(TYPES)

NODE_LOOP = """
const [url, file, pause] = process.argv.slice(2);
const rows = require('fs').readFileSync(file, 'utf8').trim().split('\\n').map(JSON.parse);
(async () => {
  for (const row of rows) {
    await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' },
                       body: JSON.stringify(row) });
    await new Promise(done => setTimeout(done, Number(pause)));
  }
})();
"""


def rows(count):
    """Made-up cases, the same for every run."""
    dice = random.Random(7)
    first = ["Ann", "José", "Marcus", "Renée", "Li", "Aaliyah", "Tom", "Gina"]
    last = ["Smith", "Ramírez", "O'Brien", "Thibodeaux", "Nguyen", "Katz", "Müller"]
    states = ["NV", "CA", "Nevada", "TX Texas", "NY", "FL", "Georgia", "IL"]
    for number in range(count):
        summary = f"Rear-ended at a red light on I-{dice.randint(1, 99)}"
        if dice.random() < 0.2:
            summary += ', then "treated" at the ER'
        yield [
            f"L-{number:08}", dice.choice(first), dice.choice(last),
            f"(702) 555-{dice.randint(0, 9999):04}", f"p{number}@example.com",
            dice.choice(TYPES),
            f"{dice.randint(1, 12):02}/{dice.randint(1, 28):02}/{dice.randint(2015, 2025)}",
            f"{dice.randint(2015, 2025)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}",
            dice.choice(states), f"firm_{dice.randint(1, 40)}", summary,
            "x" * dice.randint(0, 40),
        ]


def write_data(folder, count):
    """The same rows as CSV, NDJSON and a JSON array."""
    def cell(text):
        return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"') else text

    paths = {form: folder / f"cases-{count}.{form}" for form in ("csv", "ndjson", "json")}
    with (open(paths["csv"], "w") as csv, open(paths["ndjson"], "w") as ndjson,
          open(paths["json"], "w") as array):
        csv.write(",".join(COLUMNS) + "\n")
        array.write("[\n")
        for number, row in enumerate(rows(count)):
            csv.write(",".join(map(cell, row)) + "\n")
            line = json.dumps(dict(zip(COLUMNS, row)), ensure_ascii=False)
            ndjson.write(line + "\n")
            array.write((",\n" if number else "") + line)
        array.write("\n]\n")
    return paths


def measure(command, cwd, runs, expect=(0,), before=None):
    """Median (wall, cpu, peak memory in MB) of several whole processes."""
    figures = []
    for _ in range(runs):
        if before:
            before()
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, env=environment(cwd))
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in expect:
            sys.exit(f"{command} ended with {process.returncode}: {error.decode()[-400:]}")
        figures.append((wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    return tuple(statistics.median(column) for column in zip(*figures))


def environment(folder):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("CASELOAD", "LEXAMICA")) and name != "CI"}
    return kept | {"XDG_STATE_HOME": str(folder / "state"), "LEXAMICA_PUBLIC_KEY": "bench"}


class Sandbox:
    """`caseload sandbox` as a process of its own."""

    def __init__(self, binary, folder, *flags):
        self.process = subprocess.Popen([binary, "sandbox", "--port", "0", *flags], cwd=folder,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=environment(folder))
        self.url = json.loads(self.process.stdout.readline())["base_url"]

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="100,000 rows, 3 runs")
    parser.add_argument("--binary", default=str(ROOT / "target/release/caseload"))
    args = parser.parse_args()
    if args.quick:
        args.rows, args.runs = 100_000, 3
    binary = str(Path(args.binary).resolve())
    folder = Path(tempfile.mkdtemp(prefix="caseload-bench-"))
    try:
        run(binary, folder, args)
    finally:
        shutil.rmtree(folder)


def run(binary, folder, args):
    (folder / "caseload.toml").write_text(PROFILE)
    table, missing = [], []
    big = write_data(folder, args.rows)
    small = ROOT / "examples/cases.csv"

    def row(what, figures, peer=None):
        wall, cpu, memory = figures
        ratio = f"{wall / peer[0]:.2f} of its peer" if peer else ""
        table.append(f"| {what} | {wall:.3f} s | {cpu:.3f} s | {memory:.0f} MB | {ratio} |")
        print(table[-1], file=sys.stderr)

    row("start: `--version`", measure([binary, "--version"], folder, 20))
    row("start: `check` of 25 rows", measure([binary, "check", str(small), "-q", "--profile",
                                              os.devnull], folder, 20))

    read = measure([sys.executable, "-c",
                    "import csv,sys\nfor _ in csv.reader(open(sys.argv[1])): pass",
                    str(big["csv"])], folder, args.runs)
    row(f"peer: Python's csv module reads {args.rows:,} rows", read)
    for form in ("csv", "ndjson", "json"):
        row(f"`check`, {args.rows:,} rows, {form}",
            measure([binary, "check", str(big[form]), "-q"], folder, args.runs), read)
    for name, command in [
        ("qsv", ["qsv", "validate", str(big["csv"])]),
        ("frictionless", ["frictionless", "validate", str(big["csv"])]),
    ]:
        if shutil.which(name):
            row(f"peer: `{name} validate`", measure(command, folder, 1, expect=(0, 1)))
        else:
            missing.append(name)

    with Sandbox(binary, folder) as url:
        importing = [binary, "import", "--base-url", url, "--map-id", "m", "--yes", "-q"]
        for count in (1_000, min(100_000, args.rows)):
            cases = write_data(folder, count)["csv"]
            ledger = folder / f"ledger-{count}.db"
            figures = measure([*importing, str(cases), "--pace", "1ms", "--new-ledger",
                               "--ledger", str(ledger)], folder, 1)
            row(f"import of {count:,} at 1 ms: {count / figures[0]:,.0f} calls/s", figures)
            row("the same again: nothing to send",
                measure([*importing, str(cases), "--ledger", str(ledger)], folder, args.runs))

    cases = write_data(folder, 100)
    for latency in (0, 400, 2000):
        with Sandbox(binary, folder, "--latency", f"{latency}ms") as url:
            bound = 99 * 0.1 + latency / 1000 * 3
            figures = measure(
                [binary, "import", "--base-url", url, "--map-id", "m", "--yes", "-q", "--pace",
                 "100ms", "--new-ledger", "--ledger", str(folder / f"pace-{latency}.db"),
                 str(cases["csv"])], folder, 1)
            peer = None
            if shutil.which("node"):
                loop = folder / "loop.js"
                loop.write_text(NODE_LOOP)
                peer = measure(["node", str(loop), f"{url}/case/m/create-existing",
                                str(cases["ndjson"]), "100"], folder, 1)
                row(f"peer: the guide's loop, 100 cases, answers in {latency} ms", peer)
            row(f"import of 100 at 100 ms, answers in {latency} ms "
                f"(bound {bound:.1f} s: {figures[0] / bound:.3f})", figures, peer)
    if not shutil.which("node"):
        missing.append("node")
    if not shutil.which("csv2http"):
        missing.append("csv2http")

    print("| what | wall | CPU | peak memory | ratio |\n|---|---|---|---|---|")
    print("\n".join(table))
    print(f"\n{os.cpu_count()} processors; medians of {args.runs} runs; peers not installed: "
          f"{', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
