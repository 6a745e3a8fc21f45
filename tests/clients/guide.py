"""guide.py HEADING [FOLDER]: prints the commands that stand under a heading of docs/clients.md.

All other code there must be a part, line by line, of a file in the folder, which is what the commands then run on."""

import re
import sys
from pathlib import Path


def lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip()) + "\n"


heading, folders = sys.argv[1], sys.argv[2:]
sections = (Path(__file__).parents[2] / "docs/clients.md").read_text().split("\n## ")
section = next((s for s in sections if s.startswith(heading + "\n")), None)
if section is None:
    sys.exit(f"docs/clients.md has no heading {heading}")
files = [lines(path.read_text()) for folder in folders for path in Path(folder).iterdir() if path.is_file()]
for language, code in re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
    if language == "sh":
        print(code)
    elif not any(lines(code) in file for file in files):
        sys.exit(f"docs/clients.md, {heading}: no file of {folders} holds\n{code}")
