#!/usr/bin/env python3
"""Measures whole processes: caseload, and the tools that people use instead.

    cargo build --release && python3 tests/bench/run.py

Makes its own data from a seed in a temporary folder, runs each command, and
prints a Markdown table with wall time, CPU and peak memory as the operating
system reports them, and the ratio to another tool in the same run. Where a row
names several runs, the figures are medians. `--quick` uses fewer rows and calls
and takes about two minutes; everything takes up to 15 minutes.

Other tools are used when they are on the PATH: `qsv`, `node`, and `frictionless`
and `csv2http` from PyPI. Missing ones are named.
"""

import argparse
import hashlib
import hmac
import http.client
import itertools
import json
import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

# Leaves no files in the source tree.
sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import data  # noqa: E402
import peers  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = Path(__file__).with_name("launch.py")
CONFIG = Path(__file__).with_name("caseload.toml")
DELAY = Path(__file__).with_name("delay.py")


class Figures:
    """What one command took: medians over its runs."""

    def __init__(self, runs):
        self.wall, self.cpu, self.memory = map(statistics.median, zip(*runs))


def environment(folder):
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("CASELOAD", "LEXAMICA")) and name != "CI"
            and not name.lower().endswith("_proxy")}
    return kept | {"XDG_STATE_HOME": str(folder / "state"), "LEXAMICA_PUBLIC_KEY": "bench"}


def once(command, folder, expect=(0,)):
    """Runs a command; returns wall time, CPU seconds and peak memory in MB."""
    report = folder / "report"
    launched = subprocess.run(
        [sys.executable, "-I", "-S", LAUNCH, report, *map(str, command)], cwd=folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=environment(folder))
    code, wall, cpu, memory = map(float, report.read_text().split())
    if int(code) not in expect:
        sys.exit(f"{command} ended with {int(code)}:\n"
                 f"{launched.stderr.decode(errors='replace')[-800:]}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return wall, cpu, memory / unit


def measure(command, folder, runs=1, expect=(0,)):
    return Figures([once(command, folder, expect) for _ in range(runs)])


class Sandbox:
    """`caseload sandbox` in a process of its own."""

    def __init__(self, binary, folder, latency=0):
        self.process = subprocess.Popen(
            [binary, "sandbox", "--port", "0", "--latency", f"{latency}ms"], cwd=folder,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(folder))
        self.url = json.loads(self.process.stdout.readline())["base_url"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()

    def starts(self):
        """When each call arrived, in milliseconds."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.url}/__sandbox/calls") as answer:
            calls = json.load(answer)
        return sorted(call["started_ms"] for call in calls)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.binary = str(Path(args.binary).resolve())
        self.table, self.missing = [], []
        shutil.copy(CONFIG, folder / "caseload.toml")

    def row(self, what, figures=None, note=""):
        cells = ["", "", ""]
        if figures:
            cells = [seconds(figures.wall), seconds(figures.cpu), memory(figures.memory)]
        self.table.append("| " + " | ".join([what, *cells, note]) + " |")
        print(self.table[-1], file=sys.stderr)

    def available(self, name):
        found = shutil.which(name)
        if not found and name not in self.missing:
            self.missing.append(name)
        return found

    def importing(self, url, *flags):
        return [self.binary, "import", "--base-url", url, "--map-id", "m", "-q", *flags]

    def start_up(self):
        self.row("`--version`, 30 runs",
                  measure([self.binary, "--version"], self.folder, 30), "goal: at most 5 ms")
        small = data.write(self.folder, 25)["csv"]
        self.row("`check` of 25 rows, 30 runs",
                  measure([self.binary, "check", small, "-q"], self.folder, 30), "goal: at most 15 ms")

    def checks(self):
        rows, runs = self.args.rows, self.args.runs
        big = data.write(self.folder, rows)
        size = big["csv"].stat().st_size / 1e6
        cat = measure(["cat", big["csv"]], self.folder, runs)
        self.row(f"`cat` of {rows:,} rows, CSV, {size:.0f} MB", cat)
        python = measure([sys.executable, "-c", peers.CSV_MODULE, big["csv"]], self.folder, runs)
        self.row(f"Python's `csv` reading {rows:,} rows", python)
        for form in ("csv", "ndjson", "json"):
            figures = measure([self.binary, "check", big[form], "-q"], self.folder, runs)
            if form == "csv":
                self.check = figures
            self.row(f"**`check` of {rows:,} rows, {form}**, {runs} runs", figures,
                      f"{ratio(figures, python)} × Python's `csv`")
        if self.available("qsv"):
            figures = measure(["qsv", "validate", big["csv"]], self.folder, 1, (0, 1))
            self.row(f"`qsv validate` of {rows:,} rows, without a schema", figures,
                      f"`check`: {ratio(self.check, figures)} × that")
        if self.available("frictionless"):
            fewer = min(rows, 20_000 if self.args.quick else 100_000)
            cases = data.write(self.folder, fewer)["csv"]
            ours = measure([self.binary, "check", cases, "-q"], self.folder, runs)
            figures = measure(["frictionless", "validate", cases], self.folder, 1, (0, 1))
            self.row(f"`frictionless validate` of {fewer:,} rows, without a schema", figures,
                      f"`check` of the same rows: {ratio(ours, figures)} × that")
        return big["csv"]

    def plans(self, cases):
        rows, runs = self.args.rows, self.args.runs
        with Sandbox(self.binary, self.folder) as sandbox:
            ledger = self.folder / "known.db"
            plan = [*self.importing(sandbox.url, "--dry-run"), cases, "--ledger"]
            figures = measure([*plan, self.folder / "none.db"], self.folder, runs)
            self.row(f"**plan of a first import**, {rows:,} rows, {runs} runs", figures,
                      f"{figures.wall / self.check.wall:.2f} × the check")
            self.fill(plan, sandbox.url, cases, ledger)
            figures = measure([*plan, ledger], self.folder, runs)
            self.row(f"**plan of a re-run**, {rows:,} rows, all imported, {runs} runs", figures,
                      f"{seconds(figures.wall - self.check.wall)} more than the check")

    def fill(self, plan, url, cases, ledger):
        """Fills the ledger as an import of the whole input would: two cases are
        imported, and rows like theirs are added for the others. The next plan
        shows whether that worked."""
        once([*self.importing(url, "--yes", "--new-ledger", "--limit", "2"), cases,
              "--ledger", ledger], self.folder)
        planned = subprocess.Popen([*map(str, plan), str(ledger), "--output", "json",
                                    "--no-redact"], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=environment(self.folder))
        database = sqlite3.connect(ledger)
        database.execute("PRAGMA synchronous = OFF")
        for table, number in (("cases", "no"), ("attempts", "case_no")):
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = database.execute(f"SELECT * FROM {table} WHERE {number} = 1").fetchone()
            if table == "cases":
                columns, first = names, dict(zip(names, values))
                marks = ",".join("?" * len(names))
                database.executemany(f"INSERT INTO cases VALUES ({marks})",
                                     imported(planned.stdout, columns, first))
            else:
                others = ",".join("no" if name == number else "?" for name in names)
                rest = [value for name, value in zip(names, values) if name != number]
                database.execute(f"INSERT INTO attempts SELECT {others} FROM cases "
                                 "WHERE no > 2", rest)
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        planned.wait()
        shown = subprocess.run([*map(str, plan), str(ledger)], cwd=self.folder, text=True,
                              capture_output=True, env=environment(self.folder), check=True)
        if f"{self.args.rows:,} already imported" not in shown.stderr + shown.stdout:
            sys.exit("the filled ledger is not what an import would leave:\n" + shown.stderr[-800:])

    def imports(self):
        peaks = {}
        for count in (1_000, 10_000 if self.args.quick else 100_000):
            cases = data.write(self.folder, count)["csv"]
            with Sandbox(self.binary, self.folder) as sandbox:
                figures = measure(
                    [*self.importing(sandbox.url, "--yes", "--pace", "1ms", "--new-ledger"),
                     cases, "--ledger", self.folder / f"import-{count}.db"], self.folder)
            peaks[count] = figures.memory
            self.row(f"**import of {count:,} cases at 1 ms** into the sandbox", figures,
                      f"{count / figures.wall:,.0f} calls/s, {figures.cpu / count * 1e3:.2f} ms "
                     "CPU per call")
        few, many = peaks
        self.row(f"peak memory, {many:,} compared with {few:,} cases", None,
                  f"{peaks[many] - peaks[few]:+.0f} MB")
        if self.available("csv2http"):
            cases = data.write(self.folder, 1_000)["csv"]
            with Sandbox(self.binary, self.folder) as sandbox:
                figures = measure(["csv2http", "-n", "-c", "1", cases,
                                   f"{sandbox.url}/case/m/create-existing"], self.folder)
            self.row("`csv2http -c 1`, 1,000 rows, no pace and no ledger", figures,
                      f"{1_000 / figures.wall:,.0f} calls/s")

    def pace(self):
        quick = self.args.quick
        for latency, count in ((0, 100), (400, 100), (2_000, 40)):
            if quick:
                count //= 10 if latency else 5
            cases = data.write(self.folder, count)
            # The first two calls wait for their answers, and the run for the last.
            bound = 2 * max(0.1, latency / 1000) + (count - 3) * 0.1 + latency / 1000
            with Sandbox(self.binary, self.folder, latency) as sandbox:
                ours = measure(
                    [*self.importing(sandbox.url, "--yes", "--pace", "100ms", "--new-ledger"),
                     cases["csv"], "--ledger", self.folder / f"pace-{latency}.db"], self.folder)
            self.row(f"**import of {count} cases at 100 ms**, answers after {latency} ms", ours,
                      f"{ours.wall / bound:.3f} × the lower bound ({bound:.1f} s)")
            for name, command in peers.loops(self.folder, self.available("node")):
                with Sandbox(self.binary, self.folder, latency) as sandbox:
                    figures = measure([*command, f"{sandbox.url}/case/m/create-existing",
                                       cases["ndjson"], "100"], self.folder)
                self.row(f"the guide's loop in {name}, same cases", figures,
                          f"caseload: {ratio(ours, figures)} × that")

    def on_a_server(self, url):
        """With the ledger on the PostgreSQL server at this address, whose database
        is emptied; also through a proxy that delays each direction by 20 ms."""
        address = urllib.parse.urlsplit(url)
        empty = ["psql", "-q", url, "-c", "DROP SCHEMA IF EXISTS caseload CASCADE"]
        quietly = {"stderr": subprocess.DEVNULL}
        count = 50 if self.args.quick else 200
        cases = data.write(self.folder, count)["csv"]
        bound = 2 * 0.1 + (count - 3) * 0.1
        delayed = subprocess.Popen([sys.executable, DELAY, address.hostname, str(address.port or 5432),
                                    "0.02"], stdout=subprocess.PIPE, text=True)
        try:
            port = delayed.stdout.readline().strip()
            through = url.replace(f"{address.hostname}:{address.port or 5432}", f"127.0.0.1:{port}")
            for name, ledger in (("loopback", url), ("20 ms each way", through)):
                subprocess.run(empty, check=True, **quietly)
                with Sandbox(self.binary, self.folder) as sandbox:
                    figures = measure([*self.importing(sandbox.url, "--yes", "--pace", "100ms",
                                                       "--new-ledger"),
                                       cases, "--ledger", ledger], self.folder)
                self.row(f"**import of {count} cases at 100 ms**, ledger on a server, {name}", figures,
                          f"{figures.wall / bound:.3f} × the lower bound ({bound:.1f} s)")
        finally:
            delayed.kill()
        subprocess.run(empty, check=True, **quietly)
        rows = data.write(self.folder, self.args.rows)["csv"]
        fewer = self.args.rows // 10
        some = self.folder / "some.csv"
        with open(rows, encoding="utf-8") as lines:
            some.write_text("".join(itertools.islice(lines, fewer + 1)), encoding="utf-8")
        file = self.folder / "moved.db"
        check = measure([self.binary, "check", some, "-q"], self.folder, self.args.runs)
        with Sandbox(self.binary, self.folder) as sandbox:
            plan = [*self.importing(sandbox.url, "--dry-run"), rows, "--ledger"]
            self.fill(plan, sandbox.url, rows, file)
            copied = measure([self.binary, "ledger", "copy", file, url, "-q"], self.folder)
            self.row(f"`ledger copy` of {self.args.rows:,} cases to a server", copied)
            plan = [*self.importing(sandbox.url, "--dry-run"), some, "--ledger", url]
            figures = measure(plan, self.folder, self.args.runs)
        self.row(f"**plan of {fewer:,} rows**, {self.args.rows:,} imported, ledger on a server",
                  figures, f"{seconds(figures.wall - check.wall)} more than the check")

    def slow_disk(self):
        """A commit syncs about five times; claims and settles share commits."""
        if not self.available("strace"):
            return
        count = 30 if self.args.quick else 100
        cases = data.write(self.folder, count)["csv"]
        delay = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
                 "-e", "inject=fsync,fdatasync:delay_enter=10000"]
        with Sandbox(self.binary, self.folder) as sandbox:
            ours = measure(
                [*delay, *self.importing(sandbox.url, "--yes", "--pace", "100ms", "--new-ledger"),
                 cases, "--ledger", self.folder / "slow-disk.db"], self.folder)
            starts = sandbox.starts()
        bound = (count - 1) * 0.1
        self.row(f"**import of {count} cases at 100 ms**, each sync takes 10 ms more", ours,
                 f"{(starts[-1] - starts[0]) / 1000 / bound:.3f} × the lower bound from the "
                 "first call to the last")

    def gaps(self):
        count, interval = (200 if self.args.quick else 1_000), 50
        cases = data.write(self.folder, count)["csv"]
        with Sandbox(self.binary, self.folder) as sandbox:
            figures = measure(
                [*self.importing(sandbox.url, "--yes", "--pace", f"{interval}ms", "--new-ledger"),
                 cases, "--ledger", self.folder / "gaps.db"], self.folder)
            starts = sandbox.starts()
        gaps = sorted(later - sooner for sooner, later in zip(starts, starts[1:]))
        low = gaps[len(gaps) // 1000]
        bound = (count - 1) * interval / 1000
        self.row(f"gaps between {count:,} calls at {interval} ms, on arrival", figures,
                  f"shortest {gaps[0]:.1f} ms, 99.9% at least {low:.1f} ms, "
                 f"{figures.wall / bound:.3f} × the lower bound")

    def webhooks(self):
        """Deliveries at 100 a second, while an import uses the same ledger."""
        count = 500 if self.args.quick else 10_000
        cases = data.write(self.folder, count // 10)["csv"]
        ledger, secret = self.folder / "webhooks.db", "bench-secret-of-webhooks"
        (self.folder / "webhook-secrets.toml").write_text(f'updates = ["{secret}"]\n')
        with Sandbox(self.binary, self.folder) as sandbox:
            first = [*self.importing(sandbox.url, "--yes", "--limit", "1", "--new-ledger"),
                     cases, "--ledger", ledger]
            once(first, self.folder)
            listen = subprocess.Popen(
                [self.binary, "listen", "--address", "127.0.0.1:0", "--ledger", ledger,
                 "--output", "json", "-q"], cwd=self.folder, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=environment(self.folder))
            address = json.loads(listen.stdout.readline())["address"]
            importing = subprocess.Popen(
                [*self.importing(sandbox.url, "--yes", "--pace", "100ms"), cases,
                 "--ledger", ledger], cwd=self.folder, stderr=subprocess.DEVNULL,
                env=environment(self.folder))
            times = deliver(address, secret, count)
            late = importing.wait() != 0
            listen.terminate()
            _, _, usage = os.wait4(listen.pid, 0)
        quantile = statistics.quantiles(times, n=1000)
        self.row(f"**{count:,} deliveries to `listen` at 100 a second**, beside an import", None,
                 f"answered within {quantile[499]:.0f} ms (median), {quantile[989]:.0f} ms (99%); "
                 f"{usage.ru_maxrss / 1024:.0f} MB{'; the import failed' if late else ''}")

    def parts(self):
        """Builds and runs the Criterion benchmarks."""
        target = Path(tempfile.mkdtemp(dir=self.folder))
        subprocess.run(["cargo", "bench", "--bench", "parts", "--", "--quiet"], cwd=ROOT,
                       check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"CRITERION_HOME": str(target)})
        for found in sorted(target.glob("**/new/benchmark.json")):
            benchmark = json.loads(found.read_text())
            median = json.loads(found.with_name("estimates.json").read_text())["median"]
            each = median["point_estimate"]
            elements = (benchmark.get("throughput") or {}).get("Elements")
            rate = f", {each / elements:,.0f} ns each" if elements else ""
            self.row(f"{benchmark['full_id']}, one thread", None, f"{each / 1e6:.3f} ms{rate}")


def deliver(address, secret, count):
    """Delivers at 100 a second; how long each answer took, in milliseconds."""
    began, times, lock = time.perf_counter(), [], threading.Lock()

    def send(numbers):
        connection = http.client.HTTPConnection(address)
        for number in numbers:
            time.sleep(max(0, began + number / 100 - time.perf_counter()))
            body = json.dumps({"number": number}).encode()
            signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
            start = time.perf_counter()
            connection.request("POST", "/updates", body, {"x-lexamica-signature": signature})
            answer = connection.getresponse()
            answer.read()
            took = (time.perf_counter() - start) * 1000
            if answer.status != 200:
                sys.exit(f"a delivery was answered {answer.status}")
            with lock:
                times.append(took)

    threads = [threading.Thread(target=send, args=(range(n, count, 20),)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def imported(lines, columns, first):
    """Ledger rows for the cases that a dry run would send."""
    number = first["no"] + 1
    for line in lines:
        case = json.loads(line)
        if case.get("action") != "send":
            continue
        number += 1
        firm, payload = case["partner_firm_id"], case["payload"]
        payload.pop("partnerFirmId", None)
        key = json.dumps([case["key"]], ensure_ascii=False)
        content = "".join(f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)},"
                          for name, value in sorted(payload.items()))
        other = hashlib.sha256(str(number).encode()).digest()
        row = first | {
            "no": number, "position": number - 1, "line": case["line"], "key": key,
            "key_digest": digest(key), "payload_digest": digest(f"{content}@{firm}"),
            "content": int.from_bytes(other[:8], "big", signed=True),
            "record": int.from_bytes(other[8:16], "big", signed=True),
            "case_id": other[16:28].hex(), "partner_firm": firm,
        }
        yield [row[name] for name in columns]


def digest(text):
    return hashlib.sha256(text.encode()).digest()[:16]


def ratio(ours, theirs):
    return f"{ours.wall / theirs.wall:.2f}"


def seconds(span):
    return f"{span * 1000:.1f} ms" if span < 0.1 else f"{span:.2f} s"


def memory(megabytes):
    return f"{megabytes:.0f} MB" if megabytes > 11 else "under 11 MB"


def processor():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true",
                        help="100,000 rows, 3 runs, fewer calls, no Criterion")
    parser.add_argument("--no-parts", action="store_true", help="skip Criterion")
    parser.add_argument("--binary", default=str(ROOT / "target/release/caseload"))
    parser.add_argument("--postgres", metavar="URL",
                        help="also measure with the ledger in this database, which is emptied")
    parser.add_argument("--tmp", help="folder for the data; about 2 GB for 1,000,000 rows")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.runs = 100_000, 3
    folder = Path(tempfile.mkdtemp(prefix="caseload-bench-", dir=args.tmp))
    began = time.monotonic()
    try:
        bench = Bench(args, folder)
        bench.start_up()
        bench.plans(bench.checks())
        bench.imports()
        bench.pace()
        bench.slow_disk()
        bench.gaps()
        bench.webhooks()
        if args.postgres:
            bench.on_a_server(args.postgres)
        if not (args.quick or args.no_parts):
            bench.parts()
    finally:
        shutil.rmtree(folder)
    print("| what | wall | CPU | peak memory | |\n|---|---|---|---|---|")
    print("\n".join(bench.table))
    took = (time.monotonic() - began) / 60
    print(f"\n{os.cpu_count()} processors, {processor()}, {platform.system()} "
          f"{platform.release()}; {took:.0f} min with "
          f"`python3 tests/bench/run.py{' --quick' if args.quick else ''}`; not installed: "
          f"{', '.join(bench.missing) or 'none'}")


if __name__ == "__main__":
    main()
