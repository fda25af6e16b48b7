"""Draw docs/images/neovim-lenses.svg from the screen of a real Neovim.

    python docs/make_neovim_picture.py [FILE]

A repository with a history is made in a temporary folder, Neovim opens one of its files with the real language server,
a change is typed, the lens is run, and every cell that Neovim sends to its screen is written down with its colours.
Needs nvim (0.7 or newer) and git on PATH, and codewm in the Python that runs this. Nothing in the picture is drawn by
hand: its lenses are what the shipped model says of that history.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "neovim-lenses.svg"
COLUMNS, LINES = 134, 47
THRESHOLD = 0.05  # lower than the default, so that both kinds of lens are in the picture
CELL, ROW, MARGIN = 7.8, 18.0, 14.0
DAY = 86_400

FOREGROUND, BACKGROUND = "#cdd6f4", "#1e1e2e"
COLOURS = """
hi Normal guifg=#cdd6f4 guibg=#1e1e2e
hi Comment guifg=#7f849c gui=italic
hi Statement guifg=#cba6f7
hi Function guifg=#89b4fa
hi String guifg=#a6e3a1
hi Number guifg=#fab387
hi PreProc guifg=#f5c2e7
hi Type guifg=#f9e2af
hi Identifier guifg=#cdd6f4
hi Constant guifg=#fab387
hi diffAdded guifg=#a6e3a1
hi diffRemoved guifg=#f38ba8
hi diffLine guifg=#89dceb
hi diffFile guifg=#f9e2af
hi diffNewFile guifg=#f9e2af
hi diffOldFile guifg=#f9e2af
hi diffComment guifg=#7f849c gui=italic
hi LspCodeLens guifg=#f9a86f guibg=#2a2a3d
hi StatusLine guifg=#1e1e2e guibg=#89b4fa gui=bold
hi StatusLineNC guifg=#cdd6f4 guibg=#313244 gui=NONE
hi EndOfBuffer guifg=#1e1e2e
hi LineNr guifg=#585b70
hi CursorLine guibg=#262637
hi VertSplit guifg=#313244 guibg=#1e1e2e
"""

SCRIPT = """
vim.o.termguicolors, vim.o.number, vim.o.ruler, vim.o.showcmd = true, true, false, false
vim.o.laststatus, vim.o.shortmess, vim.o.more = 2, 'aoOtTIcF', false
vim.o.statusline = ' %f %m'
vim.cmd('filetype plugin on')
vim.cmd('syntax on')
for line in vim.gsplit(vim.env.PICTURE_COLOURS, '\\n') do vim.cmd(line) end
vim.opt.runtimepath:prepend(vim.env.PICTURE_PLUGIN)
local server = vim.fn.json_decode(vim.env.PICTURE_SERVER)
require('codewm').setup({ cmd = server, picker = 'diff', init_options = { lensesPerFile = 3, threshold = THRESHOLD } })
vim.cmd('edit order.py')

local function row_of(text)
  for row, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    if line:find(text, 1, true) then return row end
  end
end
local function lens_on(row)
  for _, lens in ipairs(vim.lsp.codelens.get(0)) do
    if lens.range.start.line == row - 1 then return lens end
  end
end

local function type_below(text, line)
  local row = row_of(text)
  vim.api.nvim_buf_set_lines(0, row, row, false, { line })
end

vim.fn.setline(2, (vim.fn.getline(2):gsub('note', 'note, currency')))
type_below('self.note = note', '        self.currency = currency')
type_below('"note": self.note', '            "currency": self.currency,')
local row = row_of('def to_dict(')
vim.wait(60000, function() return lens_on(row) end, 50)
vim.wait(4000, function() return false end)
vim.api.nvim_win_set_cursor(0, { row, 0 })
vim.lsp.codelens.run()
vim.wait(60000, function() return vim.bo.filetype == 'diff' end, 50)
vim.cmd('resize 15')
vim.wo.number = false
vim.fn.search('^commit')
vim.cmd('normal! zt')
vim.cmd('wincmd p')
vim.cmd('normal! gg')
vim.wait(1000, function() return false end)
"""

Cell = tuple[str, int, int, bool, bool, bool]


def record(name: str, *names: str) -> str:
    """A class that is made from a dictionary and becomes one: whoever adds a field changes three methods."""
    rows = (
        f"class {name}:",
        f"    def __init__(self, {', '.join(names)}):",
        *(f"        self.{field} = {field}" for field in names),
        "",
        "    def to_dict(self):",
        "        return {",
        *(f'            "{field}": self.{field},' for field in names),
        "        }",
        "",
        "    @classmethod",
        "    def from_dict(cls, data):",
        "        return cls(",
        *(f'            {field}=data["{field}"],' for field in names),
        "        )",
        "",
        "    def __repr__(self):",
        f'        return f"{name}({{self.{names[0]}}})"',
    )
    return "\n".join((*rows, ""))


def write_history(folder: Path) -> None:
    """Commits of the last eleven months: records get one field after another, among other work."""
    now = int(time.time())
    customer, invoice, order = ["name"], ["number"], ["number"]
    dates = "def parse(text):\n    return text.strip()\n"
    begin = {"customer.py": record("Customer", *customer), "invoice.py": record("Invoice", *invoice)}
    steps: list[tuple[int, str, dict[str, str]]] = [
        (330, "Begin", {**begin, "order.py": record("Order", *order), "dates.py": dates}),
        (140, "Ignore the case of dates", {"dates.py": dates.replace("strip()", "strip().lower()")}),
        (12, "Write down what this is", {"README.md": "Orders, and who they are from.\n"}),
    ]
    for days, fields, name, new in (
        (320, customer, "Customer", "street"),
        (290, invoice, "Invoice", "customer"),
        (265, order, "Order", "customer"),
        (240, customer, "Customer", "email"),
        (222, order, "Order", "items"),
        (200, invoice, "Invoice", "due"),
        (131, order, "Order", "weight"),
        (97, customer, "Customer", "language"),
        (64, invoice, "Invoice", "currency"),
        (33, order, "Order", "note"),
    ):
        fields.append(new)
        article = "an" if new[0] in "aeiou" else "a"
        title = f"Add {article} {new} to {name}" if new[-1] != "s" else f"Add {new} to {name}"
        steps.append((days, title, {f"{name.lower()}.py": record(name, *fields)}))
    git(folder, "init", "--quiet", "--initial-branch=main")
    for days, subject, files in sorted(steps, key=lambda step: -step[0]):
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", subject, at=now - days * DAY)


def git(folder: Path, *arguments: str, at: int = 0) -> None:
    """Run git, undisturbed by its settings on this machine."""
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in _WHO.items()}
    dates = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"}
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **who, **dates, **quiet}, check=True)


_WHO = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.org"}


@dataclass
class Screen:
    """What Neovim's interface protocol (``ext_linegrid``) has drawn so far."""

    cells: list[list[tuple[str, int]]] = field(default_factory=list)
    styles: dict[int, dict[str, Any]] = field(default_factory=dict)

    def draw(self, event: str, arguments: list[Any]) -> None:
        """Take in one event."""
        if event == "grid_resize":
            _, columns, lines = arguments
            self.cells = [[(" ", 0)] * columns for _ in range(lines)]
        elif event == "grid_clear":
            self.cells = [[(" ", 0)] * len(row) for row in self.cells]
        elif event == "hl_attr_define":
            self.styles[arguments[0]] = arguments[1]
        elif event == "grid_scroll":
            _, top, bottom, left, right, lines, _ = arguments
            rows = range(top, bottom - lines) if lines > 0 else range(bottom - 1, top - lines - 1, -1)
            for row in rows:
                self.cells[row][left:right] = self.cells[row + lines][left:right]
        elif event == "grid_line":
            _, row, column, cells = arguments[:4]
            style = 0
            for text, *more in cells:
                style = more[0] if more else style
                for _ in range(more[1] if len(more) > 1 else 1):
                    self.cells[row][column] = (text, style)
                    column += 1

    def styled(self) -> list[list[Cell]]:
        """Cells as (character, foreground, background, bold, italic, reverse)."""
        return [[self._cell(text, self.styles.get(style, {})) for text, style in row] for row in self.cells]

    def _cell(self, text: str, style: dict[str, Any]) -> Cell:
        fore, back = style.get("foreground", -1), style.get("background", -1)
        return text, fore, back, bool(style.get("bold")), bool(style.get("italic")), bool(style.get("reverse"))


def screen_of_neovim(folder: Path, work: Path) -> list[list[Cell]]:
    """The screen of a Neovim that has run the lens of the change being typed."""
    neovim = shutil.which("nvim")
    if neovim is None:
        sys.exit("nvim is not on PATH: install Neovim 0.7 or newer")
    environment = {
        **os.environ,
        **{f"XDG_{name}_HOME": str(work / name.lower()) for name in ("CACHE", "CONFIG", "DATA", "STATE")},
        "PICTURE_COLOURS": COLOURS.strip(),
        "PICTURE_PLUGIN": str(ROOT / "neovim"),
        "PICTURE_SERVER": json.dumps([sys.executable, "-m", "codewm_lsp.server"]),
    }
    command = [neovim, "--embed", "-u", "NONE", "-i", "NONE", "-n"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    screen = Screen()
    try:
        options = {"rgb": True, "ext_linegrid": True}
        for number, (method, arguments) in enumerate(
            [
                ("nvim_ui_attach", [COLUMNS, LINES, options]),
                ("nvim_exec_lua", [SCRIPT.replace("THRESHOLD", str(THRESHOLD)), []]),
                ("nvim_command", ["redraw!"]),
            ]
        ):
            process.stdin.write(packed([0, number, method, arguments]))
            process.stdin.flush()
            while (message := unpacked(process.stdout))[0] != 1:
                for event, *calls in message[2] if message[1] == "redraw" else ():
                    for call in calls:
                        screen.draw(event, call)
            if message[2] is not None:
                sys.exit(f"Neovim refused {method}: {message[2]}")
    finally:
        process.kill()
        process.wait()
    return screen.styled()[:-1]  # without the command line


def packed(value: Any) -> bytes:
    """MessagePack, as far as a request needs it."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack(">Bq", 0xD3, value)
    if isinstance(value, str):
        data = value.encode()
        return struct.pack(">BI", 0xDB, len(data)) + data
    if isinstance(value, list):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(packed, value))
    pairs = b"".join(packed(key) + packed(item) for key, item in value.items())
    return struct.pack(">BI", 0xDF, len(value)) + pairs


def unpacked(stream: IO[bytes]) -> Any:
    """One MessagePack value of a stream."""

    def read(form: str) -> Any:
        (number,) = struct.unpack(f">{form}", stream.read(struct.calcsize(form)))
        return number

    def text(length: int) -> str:
        return stream.read(length).decode("utf-8", "replace")

    def pairs(count: int) -> dict[Any, Any]:
        return {unpacked(stream): unpacked(stream) for _ in range(count)}

    def items(count: int) -> list[Any]:
        return [unpacked(stream) for _ in range(count)]

    first = stream.read(1)
    if not first:
        sys.exit("Neovim ended before its time")
    kind = first[0]
    if kind < 0x80 or kind >= 0xE0:
        return kind if kind < 0x80 else kind - 0x100
    if kind < 0xC0:
        return text(kind & 0x1F) if kind >= 0xA0 else items(kind & 0x0F) if kind >= 0x90 else pairs(kind & 0x0F)
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind]
    if 0xCA <= kind <= 0xD3:
        return read("fdBHIQbhiq"[kind - 0xCA])
    if 0xD4 <= kind <= 0xD8 or 0xC7 <= kind <= 0xC9:  # windows and buffers
        return text((1, 2, 4, 8, 16)[kind - 0xD4] + 1 if kind >= 0xD4 else read("BHI"[kind - 0xC7]) + 1)
    length = read(
        {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I", 0xDC: "H", 0xDD: "I"}.get(
            kind, "H" if kind == 0xDE else "I"
        )
    )
    return text(length) if kind <= 0xDB else items(length) if kind <= 0xDD else pairs(length)


def svg(cells: list[list[Cell]]) -> str:
    """Cells as an SVG: a rectangle for each run of one background, a text for each run of one style."""
    width, height = COLUMNS * CELL + 2 * MARGIN, len(cells) * ROW + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}"'
        f' height="{height:g}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\','
        ' monospace" font-size="13" xml:space="preserve">\n'
        "<title>Code lenses of CodeWM in Neovim, and the past diffs behind one of them</title>\n"
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>\n'
    ]
    for number, row in enumerate(cells):
        top = MARGIN + number * ROW
        for start, run in runs(row):
            text, fore, back, bold, italic, reverse = run
            front, behind = colour(fore, FOREGROUND), colour(back, BACKGROUND)
            if reverse:
                front, behind = behind, front
            left, wide = MARGIN + start * CELL, len(text) * CELL
            if behind != BACKGROUND:
                parts.append(f'<rect x="{left:g}" y="{top:g}" width="{wide:g}" height="{ROW:g}" fill="{behind}"/>\n')
            if text.strip():
                shift = len(text) - len(text.lstrip())
                word = text.strip()
                style = (' font-weight="bold"' if bold else "") + (' font-style="italic"' if italic else "")
                parts.append(
                    f'<text x="{left + shift * CELL:g}" y="{top + 13:g}" textLength="{len(word) * CELL:g}"'
                    f' fill="{front}"{style}>{escape(word)}</text>\n'
                )
    return "".join(parts) + "</svg>\n"


def runs(row: list[Cell]) -> list[tuple[int, Cell]]:
    """Neighbouring cells of one style, put together."""
    found: list[tuple[int, Cell]] = []
    for column, (character, *style) in enumerate(row):
        if found and list(found[-1][1][1:]) == style:
            start, (text, *_) = found[-1]
            found[-1] = (start, (text + character, *style))  # type: ignore[assignment]
        else:
            found.append((column, (character, *style)))  # type: ignore[arg-type]
    return found


def colour(number: int, default: str) -> str:
    """A colour of Neovim's (-1: none) in hexadecimal."""
    return default if number < 0 else f"#{number:06x}"


def main() -> None:
    """Draw the picture."""
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        folder = Path(work) / "http-client"
        folder.mkdir()
        write_history(folder)
        drawing = svg(screen_of_neovim(folder, Path(work)))
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(drawing, encoding="utf-8")
    print(picture)


if __name__ == "__main__":
    main()
