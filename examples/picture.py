"""Draws the picture of the README, examples/terminal.svg, from a real run.

    cargo build --release && python3 examples/picture.py target/release/caseload
"""

import html
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

EXAMPLES = pathlib.Path(__file__).parent
COMMANDS = [
    "caseload check broken.csv --quiet --max-shown 3",
    "caseload import export.csv --sandbox",
    "caseload import export.csv --sandbox",
]
COLUMNS, CHARACTER, LINE, MARGIN = 114, 7.8, 18, 16

# By the reader's own setting, so that it is never a bright page in the dark.
STYLE = """
text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #24292f; white-space: pre }
rect { fill: #f6f8fa; stroke: #d0d7de }
.bold { font-weight: bold } .faint { fill: #57606a }
.red { fill: #b31d28 } .green { fill: #176f2c } .yellow { fill: #8a5a00 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } rect { fill: #161b22; stroke: #30363d } .faint { fill: #9198a1 }
  .red { fill: #ff8b82 } .green { fill: #56d364 } .yellow { fill: #e3b341 }
}
"""
CLASSES = {"1": "bold", "2": "faint", "31": "red", "32": "green", "33": "yellow"}


def printed(program):
    """The lines that the commands print, each after its prompt."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ["broken.csv", "export.csv", "caseload.toml"]:
            shutil.copy(EXAMPLES / name, folder)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "CLICOLOR_FORCE": "1"}
        for command in COMMANDS:
            yield f"\033[1m$ {command}\033[0m"
            words = [program, *command.split()[1:]]
            run = subprocess.run(
                words, cwd=folder, env=environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            yield from run.stdout.rstrip("\n").split("\n")
            yield ""


def styled(line):
    """The characters of a line, each with its class."""
    style = ""
    for part in re.split(r"(\033\[[0-9;]*m)", line):
        if part.startswith("\033"):
            style = CLASSES.get(part[2:-1], "")
        else:
            yield from ((character, style) for character in part)


def rows(line):
    """The rows that a terminal of this width makes of a line."""
    characters = list(styled(line))
    starts = range(0, max(len(characters), 1), COLUMNS)
    return [characters[start : start + COLUMNS] for start in starts]


def drawn(row):
    spans, at = [], 0
    while at < len(row):
        style, end = row[at][1], at
        while end < len(row) and row[end][1] == style:
            end += 1
        text = html.escape("".join(character for character, _ in row[at:end]), quote=False)
        spans.append(f'<tspan class="{style}">{text}</tspan>' if style else text)
        at = end
    return "".join(spans)


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    lines = [row for line in printed(program) for row in rows(line)][:-1]
    width = round(COLUMNS * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    picture = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>A check that finds problems, and an import that is run twice</title>",
        f"<style>{STYLE}</style>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>',
    ]
    for number, line in enumerate(lines):
        if line:
            picture.append(f'<text x="{MARGIN}" y="{MARGIN + 13 + number * LINE}">{drawn(line)}</text>')
    (EXAMPLES / "terminal.svg").write_text("\n".join([*picture, "</svg>", ""]), encoding="utf-8")


main()
