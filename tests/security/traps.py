"""A repository in which everything that Git can be made to run is a trap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

HOOKS = (
    "applypatch-msg",
    "fsmonitor-watchman",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-rewrite",
    "pre-auto-gc",
    "pre-commit",
    "pre-push",
    "proc-receive",
    "query-watchman",
    "reference-transaction",
    "sendemail-validate",
    "update",
    "pre-receive",
)


def settings(program: str) -> list[tuple[str, str, str]]:
    """Every setting of Git that names a program, or leads to one: section, key, value."""
    return [
        ("alias", "cat-file", f"!{program}"),
        ("alias", "diff-tree", f"!{program}"),
        ("alias", "ls-files", f"!{program}"),
        ("alias", "rev-list", f"!{program}"),
        ("browser.trap", "cmd", program),
        ("core", "alternateRefsCommand", program),
        ("core", "askPass", program),
        ("core", "editor", program),
        ("core", "fsmonitor", program),
        ("core", "gitProxy", program),
        ("core", "pager", program),
        ("core", "sshCommand", program),
        ("credential", "helper", f"!{program}"),
        ("credential.https://evil.example", "helper", program),
        ("diff", "external", program),
        ("diff.trap", "command", program),
        ("diff.trap", "textconv", program),
        ("diff.trap", "cachetextconv", "true"),
        ("difftool.trap", "cmd", program),
        ("filter.trap", "clean", program),
        ("filter.trap", "process", program),
        ("filter.trap", "required", "true"),
        ("filter.trap", "smudge", program),
        ("gpg", "program", program),
        ("gpg.ssh", "program", program),
        ("gpg.ssh", "defaultKeyCommand", program),
        ("interactive", "diffFilter", program),
        ("log", "showSignature", "true"),
        ("man.trap", "cmd", program),
        ("merge.trap", "driver", program),
        ("mergetool.trap", "cmd", program),
        ("pager", "log", program),
        ("pager", "diff", program),
        ("remote.origin", "receivepack", program),
        ("remote.origin", "uploadpack", program),
        ("remote.origin", "url", f"ext::{program}"),
        ("remote.origin", "vcs", "trap"),
        ("remote.origin", "promisor", "true"),
        ("sequence", "editor", program),
        ("submodule", "recurse", "true"),
        ("submodule.inner", "update", f"!{program}"),
        ("submodule.inner", "url", f"ext::{program}"),
        ("submodule.inner", "active", "true"),
        ("tar.trap", "command", program),
        ("trailer.trap", "command", program),
        ("uploadpack", "packObjectsHook", program),
        ("web", "browser", program),
    ]


def as_config(program: str, extra: str = "") -> str:
    """The same as the text of a configuration file."""
    lines = []
    for section, key, value in settings(program):
        head, _, name = section.partition(".")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'[{head} "{name}"]' if name else f"[{head}]")
        lines.append(f'\t{key} = "{escaped}"')
    return "\n".join(lines) + "\n" + extra


def set_traps(repository: Any, program: Path, way: str) -> None:
    """Set them all. ``way``: where the settings stand – "config", "include", "includeIf" or "worktree"."""
    git = repository.path / ".git"
    hooks = git / "other-hooks"
    for folder in (hooks, git / "hooks"):
        folder.mkdir(exist_ok=True)
        for name in HOOKS:
            (folder / name).write_text(program.read_text(encoding="utf-8"), encoding="utf-8")
            (folder / name).chmod(0o755)
    attributes = "* filter=trap diff=trap merge=trap ident text working-tree-encoding=UTF-16\n"
    repository.write(".gitattributes", attributes)
    (git / "info").mkdir(exist_ok=True)
    (git / "info" / "attributes").write_text(attributes, encoding="utf-8")
    repository.write(
        ".gitmodules",
        f'[submodule "inner"]\n\tpath = inner\n\turl = ext::{program}\n\tupdate = !{program}\n'
        f'[submodule "-dash"]\n\tpath = -dash\n\turl = "--upload-pack={program}"\n'
        '[submodule "../../up"]\n\tpath = up\n\turl = ./up\n',
    )
    repository.write(".lfsconfig", f"[lfs]\n\turl = ext::{program}\n")
    text = as_config(str(program), f'[core]\n\thooksPath = "{hooks}"\n\tattributesFile = "{git / "attributes"}"\n')
    (git / "attributes").write_text(attributes, encoding="utf-8")
    config = git / "config"
    known = config.read_text(encoding="utf-8")
    if way == "config":
        config.write_text(known + text, encoding="utf-8")
    elif way == "worktree":
        config.write_text(known + "[extensions]\n\tworktreeConfig = true\n", encoding="utf-8")
        repository.git("config", "core.repositoryFormatVersion", "1")
        (git / "config.worktree").write_text(text, encoding="utf-8")
    else:
        (git / "more").write_text(text, encoding="utf-8")
        section = "include" if way == "include" else f'includeIf "gitdir:{git}"'
        config.write_text(known + f"[{section}]\n\tpath = more\n", encoding="utf-8")
