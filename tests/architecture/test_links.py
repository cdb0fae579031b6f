"""Every link within the pages leads somewhere."""

import re
import subprocess
from pathlib import Path

from left_out import leave_out

ROOT = Path(__file__).parents[2]


def test_every_relative_link_leads_to_a_file() -> None:
    listing = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        leave_out("this is not a git checkout")
    pages = listing.stdout.split()
    assert len(pages) > 15
    broken = []
    for page in pages:
        text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = link.partition("#")
            aim = (ROOT / page).parent / path if path else ROOT / page
            if "://" in link or link.startswith("mailto:"):
                continue
            if not aim.exists():
                broken.append(f"{page}: {link}")
            elif anchor and aim.suffix == ".md" and anchor not in headings(aim):
                broken.append(f"{page}: {link} (no such heading)")
    assert broken == []


def headings(page: Path) -> set[str]:
    """As the forges make anchors of them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
