"""Write the template of the reports' slides: finetune/report/templates/slides.pptx.

All that a slide looks like stands here: its places, sizes of type and colours. The
program opens the file and fills placeholders. It can also be opened and changed by
hand in PowerPoint or LibreOffice, as long as the layouts keep their names and their
placeholders' numbers, which `finetune/report/slides.py` asks for.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "finetune/report/templates/slides.pptx"
MOMENT = (2000, 1, 1, 0, 0, 0)
WIDTH, HEIGHT, MARGIN = 13.333, 7.5, 0.65  # inches
FULL = WIDTH - 2 * MARGIN
TOP, ROOM = 1.4, 4.75  # of what stands between a slide's title and its footnote
WORDS = 0.85  # high: the sentences above a table or chart
HALF, BETWEEN = (FULL - 0.35) / 2, 0.35
FONT = "Arial"  # is, or has an equal of the same widths, on every computer
COLOURS = {
    "dk1": "1B1F24",  # ink
    "lt1": "FFFFFF",
    "dk2": "57606A",  # quiet words
    "lt2": "F3F5F8",  # raised panels
    "accent1": "0072B2",  # base
    "accent2": "C24E00",  # tuned
    "accent3": "8A93A0",  # training
    "accent4": "007A5A",  # validation
    "accent5": "7A8490",  # neutral
    "accent6": "D0D7DE",  # rules
    "hlink": "0550AE",
    "folHlink": "57606A",
}
A = "http://schemas.openxmlformats.org/drawingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
P = "http://schemas.openxmlformats.org/presentationml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
NAMES = f'xmlns:a="{A}" xmlns:r="{R}" xmlns:p="{P}"'
TYPE = "application/vnd.openxmlformats-officedocument"


@dataclass(frozen=True)
class Level:
    """How the paragraphs of one level look."""

    size: float  # points
    bold: bool = False
    colour: str = "tx1"
    after: float = 0.0  # points below a paragraph
    hanging: float = 0.0  # inches that the lines below the first are moved in
    bullet: str = ""


@dataclass(frozen=True)
class Holder:
    """A placeholder of a layout."""

    kind: str
    number: int
    name: str
    place: tuple[float, float, float, float]  # left, top, width, height in inches
    levels: tuple[Level, ...] = ()
    anchor: str = "t"
    panel: bool = False
    """Raised from the slide, with its words moved in from the edges."""


@dataclass(frozen=True)
class Layout:
    """A kind of slide."""

    name: str
    holders: tuple[Holder, ...]
    bars: tuple[tuple[float, float, str], ...] = ()
    """Left and top of bars in a colour, as wide as half the slide."""
    numbered: bool = True


HEADING = Level(30, bold=True)
QUIET = Level(12, colour="tx2")
TITLE = Holder("title", 0, "Title", (MARGIN, 0.4, FULL, 0.85), (HEADING,), "b")
NOTE = Holder("body", 12, "Footnote", (MARGIN, 6.23, FULL, 0.72), (QUIET,))
ABOVE = Holder("body", 11, "Words above", (MARGIN, TOP, FULL, WORDS), (Level(16),))


def _filled(kind: str, name: str, top: float) -> Holder:
    return Holder(kind, 10, name, (MARGIN, top, FULL, TOP + ROOM - top))


def _answer(number: int, name: str, left: float, colour: str) -> Holder:
    levels = (Level(16, bold=True, colour=colour, after=4), Level(16))
    return Holder("body", number, name, (left, 2.6, HALF, 3.4), levels, panel=True)


RIGHT = MARGIN + HALF + BETWEEN
LAYOUTS = (
    Layout(
        "Opening",
        (
            Holder(
                "ctrTitle",
                0,
                "Title",
                (MARGIN, 1.0, FULL, 1.1),
                (Level(40, bold=True),),
                "b",
            ),
            Holder(
                "subTitle",
                1,
                "What came out",
                (MARGIN, 2.2, FULL, 4.4),
                (Level(20, colour="tx2", after=12), Level(20, after=12)),
            ),
        ),
        numbered=False,
    ),
    Layout(
        "Sentences",
        (
            TITLE,
            Holder(
                "body",
                1,
                "Sentences and points",
                (MARGIN, TOP, FULL, 5.55),
                (
                    Level(20, after=9),
                    Level(20, after=9, hanging=0.3, bullet="\N{BULLET}"),
                    Level(20, after=9, hanging=0.3),
                ),
            ),
        ),
    ),
    Layout("Table", (TITLE, _filled("tbl", "Table", TOP), NOTE)),
    Layout(
        "Words and table",
        (TITLE, ABOVE, _filled("tbl", "Table", TOP + WORDS), NOTE),
    ),
    Layout("Chart", (TITLE, _filled("chart", "Chart", TOP), NOTE)),
    Layout(
        "Words and chart",
        (TITLE, ABOVE, _filled("chart", "Chart", TOP + WORDS), NOTE),
    ),
    Layout(
        "Answers",
        (
            TITLE,
            Holder(
                "body",
                11,
                "Question",
                (MARGIN, TOP, FULL, 1.15),
                (Level(12, bold=True, colour="tx2", after=2), Level(16)),
            ),
            _answer(13, "Answer of the base", MARGIN, "accent1"),
            _answer(14, "Answer of the tuned model", RIGHT, "accent2"),
            Holder("body", 12, "Reference", (MARGIN, 6.12, FULL, 0.8), (Level(13),)),
        ),
        bars=((MARGIN, 2.54, "accent1"), (RIGHT, 2.54, "accent2")),
    ),
)


def template() -> bytes:
    """The template as the bytes of a .pptx."""
    count = len(LAYOUTS)
    layouts = [f"/ppt/slideLayouts/slideLayout{n}.xml" for n in range(1, count + 1)]
    master, theme = "/ppt/slideMasters/slideMaster1.xml", "/ppt/theme/theme1.xml"
    styles = "/ppt/tableStyles.xml"
    parts = {
        "[Content_Types].xml": _content_types(master, theme, styles, layouts),
        "_rels/.rels": _relations([("officeDocument", "/ppt/presentation.xml")]),
        "ppt/presentation.xml": _presentation(),
        "ppt/_rels/presentation.xml.rels": _relations(
            [("slideMaster", master), ("theme", theme), ("tableStyles", styles)]
        ),
        styles: f'<a:tblStyleLst xmlns:a="{A}" '
        'def="{5940675A-B579-460E-94D1-54222C63F5DA}"/>',
        theme: _theme(),
        master: _master(count),
        "ppt/slideMasters/_rels/slideMaster1.xml.rels": _relations(
            [*(("slideLayout", name) for name in layouts), ("theme", theme)]
        ),
    }
    for name, layout in zip(layouts, LAYOUTS, strict=True):
        parts[name] = _layout(layout)
        file = name.rpartition("/")[2]
        parts[f"ppt/slideLayouts/_rels/{file}.rels"] = _relations(
            [("slideMaster", master)]
        )
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as package:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name.lstrip("/"), MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            package.writestr(entry, head + content)
    return written.getvalue()


def _content_types(master: str, theme: str, styles: str, layouts: Iterable[str]) -> str:
    kinds = {
        "/ppt/presentation.xml": "presentationml.presentation.main",
        master: "presentationml.slideMaster",
        theme: "theme",
        styles: "presentationml.tableStyles",
        **dict.fromkeys(layouts, "presentationml.slideLayout"),
    }
    told = "".join(
        f'<Override PartName="{name}" ContentType="{TYPE}.{kind}+xml"/>'
        for name, kind in kinds.items()
    )
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'<Types xmlns="{PACKAGE}/content-types">'
        f'<Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{told}</Types>'
    )


def _relations(targets: Iterable[tuple[str, str]]) -> str:
    told = "".join(
        f'<Relationship Id="rId{number}" Type="{R}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, 1)
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{told}</Relationships>'


def _presentation() -> str:
    return (
        f"<p:presentation {NAMES}><p:sldMasterIdLst>"
        '<p:sldMasterId id="2147483648" r:id="rId1"/></p:sldMasterIdLst>'
        f'<p:sldSz cx="{_emu(WIDTH)}" cy="{_emu(HEIGHT)}"/>'
        '<p:notesSz cx="6858000" cy="9144000"/></p:presentation>'
    )


def _master(layouts: int) -> str:
    ids = "".join(
        f'<p:sldLayoutId id="{2147483648 + n}" r:id="rId{n}"/>'
        for n in range(1, layouts + 1)
    )
    body = Holder("body", 1, "Body", (MARGIN, TOP, FULL, 5.55))
    colours = (
        'bg1="lt1" tx1="dk1" bg2="lt2" tx2="dk2" '
        + " ".join(f'accent{n}="accent{n}"' for n in range(1, 7))
        + ' hlink="hlink" folHlink="folHlink"'
    )
    styles = "".join(
        f"<p:{name}>{_levels((level,))}</p:{name}>"
        for name, level in (
            ("titleStyle", HEADING),
            ("bodyStyle", Level(20)),
            ("otherStyle", Level(12)),
        )
    )
    shapes = [_holder(2, TITLE), _holder(3, body), _foot()]
    return (
        f"<p:sldMaster {NAMES}><p:cSld><p:bg><p:bgPr><a:solidFill>"
        '<a:schemeClr val="bg1"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>'
        f"{_tree(shapes)}</p:cSld><p:clrMap {colours}/>"
        f"<p:sldLayoutIdLst>{ids}</p:sldLayoutIdLst>"
        f"<p:txStyles>{styles}</p:txStyles></p:sldMaster>"
    )


def _foot() -> str:
    """The deck's name and the slide's number, which the viewer counts itself."""
    look = '<a:rPr lang="en-GB" sz="1000"><a:solidFill><a:schemeClr val="tx2"/>'
    look += "</a:solidFill></a:rPr>"
    return (
        '<p:sp><p:nvSpPr><p:cNvPr id="4" name="Name and number"/>'
        '<p:cNvSpPr txBox="1"/><p:nvPr userDrawn="1"/></p:nvSpPr>'
        f"<p:spPr>{_place((MARGIN, HEIGHT - 0.5, FULL, 0.3))}"
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr>'
        f"<p:txBody>{_frame(Holder('', 0, '', (0, 0, 0, 0)))}<a:lstStyle/><a:p>"
        f"<a:r>{look}<a:t>Report</a:t></a:r><a:r>{look}<a:t>   </a:t></a:r>"
        f'<a:fld id="{{5C2A3F10-0000-4000-8000-000000000001}}" type="slidenum">{look}'
        "<a:t>0</a:t></a:fld></a:p></p:txBody></p:sp>"
    )


def _layout(layout: Layout) -> str:
    shapes = [_holder(n, holder) for n, holder in enumerate(layout.holders, 2)]
    shapes += [_bar(40 + n, *bar) for n, bar in enumerate(layout.bars)]
    master = "" if layout.numbered else ' showMasterSp="0"'
    return (
        f'<p:sldLayout {NAMES} userDrawn="1"{master}><p:cSld name="{layout.name}">'
        f"{_tree(shapes)}</p:cSld><p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>"
        "</p:sldLayout>"
    )


def _tree(shapes: Iterable[str]) -> str:
    return (
        '<p:spTree><p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/>'
        f"</p:nvGrpSpPr><p:grpSpPr/>{''.join(shapes)}</p:spTree>"
    )


def _holder(number: int, holder: Holder) -> str:
    fill = '<a:solidFill><a:schemeClr val="bg2"/></a:solidFill>' * holder.panel
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="{holder.name}"/><p:cNvSpPr>'
        '<a:spLocks noGrp="1"/></p:cNvSpPr><p:nvPr>'
        f'<p:ph type="{holder.kind}" idx="{holder.number}"/></p:nvPr></p:nvSpPr>'
        f"<p:spPr>{_place(holder.place)}"
        f'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom>{fill}</p:spPr>'
        f"<p:txBody>{_frame(holder)}<a:lstStyle>{_levels(holder.levels)}</a:lstStyle>"
        f'<a:p><a:r><a:rPr lang="en-GB"/><a:t>{holder.name}</a:t></a:r></a:p>'
        "</p:txBody></p:sp>"
    )


def _bar(number: int, left: float, top: float, colour: str) -> str:
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Bar" descr=""/><p:cNvSpPr/>'
        f'<p:nvPr userDrawn="1"/></p:nvSpPr><p:spPr>{_place((left, top, HALF, 0.06))}'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:solidFill>'
        f'<a:schemeClr val="{colour}"/></a:solidFill><a:ln><a:noFill/></a:ln>'
        "</p:spPr></p:sp>"
    )


def _place(place: tuple[float, float, float, float]) -> str:
    left, top, width, height = (_emu(value) for value in place)
    return (
        f'<a:xfrm><a:off x="{left}" y="{top}"/>'
        f'<a:ext cx="{width}" cy="{height}"/></a:xfrm>'
    )


def _frame(holder: Holder) -> str:
    inset = _emu(0.15 if holder.panel else 0.0)
    sides = " ".join(f'{side}Ins="{inset}"' for side in ("l", "t", "r", "b"))
    return (
        f'<a:bodyPr wrap="square" {sides} anchor="{holder.anchor}"><a:noAutofit/>'
        "</a:bodyPr>"
    )


def _levels(levels: Iterable[Level]) -> str:
    told: list[str] = []
    for number, level in enumerate(levels, 1):
        moved = _emu(level.hanging)
        mark = "<a:buNone/>"
        if level.bullet:
            mark = f'<a:buFont typeface="{FONT}"/><a:buChar char="{level.bullet}"/>'
        told.append(
            f'<a:lvl{number}pPr marL="{moved}" indent="{-moved}" algn="l">'
            '<a:spcBef><a:spcPts val="0"/></a:spcBef>'
            f'<a:spcAft><a:spcPts val="{round(100 * level.after)}"/></a:spcAft>{mark}'
            f'<a:defRPr sz="{round(100 * level.size)}" b="{int(level.bold)}">'
            f'<a:solidFill><a:schemeClr val="{level.colour}"/></a:solidFill>'
            f'<a:latin typeface="+mn-lt"/></a:defRPr></a:lvl{number}pPr>'
        )
    return "".join(told)


def _theme() -> str:
    colours = "".join(
        f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>'
        for name, value in COLOURS.items()
    )
    font = f'<a:latin typeface="{FONT}"/><a:ea typeface=""/><a:cs typeface=""/>'
    fill = '<a:solidFill><a:schemeClr val="phClr"/></a:solidFill>'
    line = f'<a:ln w="9525">{fill}</a:ln>'
    effect = "<a:effectStyle><a:effectLst/></a:effectStyle>"
    return (
        f'<a:theme xmlns:a="{A}" name="medassist"><a:themeElements>'
        f'<a:clrScheme name="medassist">{colours}</a:clrScheme>'
        f'<a:fontScheme name="medassist"><a:majorFont>{font}</a:majorFont>'
        f"<a:minorFont>{font}</a:minorFont></a:fontScheme>"
        f'<a:fmtScheme name="medassist"><a:fillStyleLst>{fill * 3}</a:fillStyleLst>'
        f"<a:lnStyleLst>{line * 3}</a:lnStyleLst>"
        f"<a:effectStyleLst>{effect * 3}</a:effectStyleLst>"
        f"<a:bgFillStyleLst>{fill * 3}</a:bgFillStyleLst></a:fmtScheme>"
        "</a:themeElements></a:theme>"
    )


def _emu(inches: float) -> int:
    return int(inches * 914400)


if __name__ == "__main__":
    FILE.write_bytes(template())
    print(FILE)
