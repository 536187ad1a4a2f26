"""Draw docs/images/journey.svg, the picture of the data's journey. Run: python docs/images/draw_journey.py"""

from pathlib import Path

W, H = 1230, 510
BOXES = {
    # name: (x, y, w, h, title, lines, colour)
    "partners": (
        20,
        70,
        160,
        170,
        "Partners",
        [
            "health",
            "schools",
            "children's services",
            "police, probation",
            "housing",
            "Jobcentre Plus",
            "direct referrals",
        ],
        "#eef3f8",
    ),
    "authority": (
        240,
        30,
        220,
        340,
        "Authority",
        [
            "contract and quarantine",
            "people and families",
            "six issues, ranking",
            "",
            "cohort of assessed families",
            "random refs per recipient",
            "tokens under sub-keys",
        ],
        "#e7f3ec",
    ),
    "identity": (560, 30, 220, 62, "ONS identity custodian", ["five identifiers, nothing else"], "#fdf3e4"),
    "linker": (560, 110, 220, 62, "ONS linker", ["tokens and crosswalk, no key"], "#fdf3e4"),
    "relay": (560, 190, 220, 62, "ONS relay", ["passes on, cannot open"], "#fdf3e4"),
    "research": (
        560,
        270,
        220,
        100,
        "ONS research store",
        ["attributes and returns", "linked by reference", "de-identified"],
        "#fdf3e4",
    ),
    "departments": (
        930,
        130,
        170,
        130,
        "DWP  MoJ  DfE",
        ["match on tokens", "under their own key", "return attributes", "forget in a month"],
        "#f3eaf7",
    ),
    "gate": (930, 310, 170, 62, "Release gate", ["two approvals"], "#fbe9e7"),
    "mhclg": (1130, 310, 90, 62, "MHCLG", ["tables only"], "#eeeeee"),
}
ARROWS = [
    ((180, 155), (240, 155), "feeds"),
    ((460, 61), (560, 61), "identity file"),
    ((460, 141), (560, 141), "tokens"),
    ((460, 221), (560, 221), "sealed requests"),
    ((460, 320), (560, 320), "attribute file"),
    ((780, 221), (930, 190), "unopened"),
    ((930, 240), (780, 310), "ref + attributes"),
    ((780, 342), (930, 342), "tables"),
    ((1100, 342), (1130, 342), ""),
]


def box(x: int, y: int, w: int, h: int, title: str, lines: list[str], fill: str) -> str:
    rows = "".join(f'<text x="{x + 12}" y="{y + 44 + 19 * n}" class="s">{line}</text>' for n, line in enumerate(lines))
    return (
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="8" fill="{fill}" stroke="#505a5f"/>'
        f'<text x="{x + 12}" y="{y + 24}" class="t">{title}</text>{rows}'
    )


def arrow(a: tuple[int, int], b: tuple[int, int], label: str) -> str:
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2 - 6)
    text = f'<text x="{middle[0]}" y="{middle[1]}" class="l" text-anchor="middle">{label}</text>' if label else ""
    return f'<line x1="{a[0]}" y1="{a[1]}" x2="{b[0]}" y2="{b[1]}" stroke="#0b0c0c" stroke-width="1.5" marker-end="url(#h)"/>{text}'


def main() -> None:
    parts = [box(*told) for told in BOXES.values()] + [arrow(*one) for one in ARROWS]
    path = "M780 141 C 815 141, 815 285, 780 285"
    parts.append(f'<path d="{path}" fill="none" stroke="#0b0c0c" stroke-width="1.5" marker-end="url(#h)"/>')
    parts.append('<text x="800" y="138" class="l">link index</text>')
    foot = [
        (
            20,
            "Every holder: own stores, own keys, own credentials. Every holding: encrypted, with a date it must be gone by.",
        ),
        (
            20,
            "The daily sweep destroys what falls due; another credential verifies; a signed certificate and a ledger entry remain.",
        ),
        (20, "Nothing flows back to the authority. From 1 December 2022 the programme takes nothing in."),
    ]
    for n, (x, line) in enumerate(foot):
        parts.append(f'<text x="{x}" y="{430 + 26 * n}" class="f">{line}</text>')
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" width="{W}" height="{H}" role="img" '
        'aria-label="The data&#39;s journey from partners to released tables">'
        "<style>text{font-family:system-ui,Helvetica,Arial,sans-serif;fill:#0b0c0c}.t{font-size:15px;font-weight:600}"
        ".s{font-size:13px}.l{font-size:11.5px;fill:#36454f}.f{font-size:14px}</style>"
        '<defs><marker id="h" markerWidth="9" markerHeight="9" refX="8" refY="4" orient="auto">'
        '<path d="M0 0 L9 4 L0 8 z" fill="#0b0c0c"/></marker></defs>'
        f'<rect width="{W}" height="{H}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
    (Path(__file__).parent / "journey.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
