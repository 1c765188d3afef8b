"""What people use instead: the guide's own loop (one call, then a pause) in two
languages, and Python's own CSV reader."""

import sys

CSV_MODULE = """
import csv, sys
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for _ in csv.reader(file):
        pass
"""

PYTHON = """
import http.client, sys, time, urllib.parse
url, file, pause = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], float(sys.argv[3]) / 1000
connection = http.client.HTTPConnection(url.netloc)
for row in open(file, "rb"):
    connection.request("POST", url.path, row.strip(), {"Content-Type": "application/json"})
    connection.getresponse().read()
    time.sleep(pause)
"""

NODE = """
const [url, file, pause] = process.argv.slice(2);
const rows = require('fs').readFileSync(file, 'utf8').trim().split('\\n').map(row => JSON.parse(row));
(async () => {
  for (const row of rows) {
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(row),
                                      headers: { 'Content-Type': 'application/json' } });
    await answer.json();
    await new Promise(done => setTimeout(done, Number(pause)));
  }
})();
"""


def loops(folder, node):
    """Name and command of each loop; its arguments are URL, file and pause."""
    (folder / "loop.py").write_text(PYTHON)
    yield "Python", [sys.executable, folder / "loop.py"]
    if node:
        (folder / "loop.js").write_text(NODE)
        yield "Node", [node, folder / "loop.js"]
