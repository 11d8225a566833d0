"""Makes expected.json of a folder from its templates (*.jinja), conversations.json and snippets.json.

The engine is Jinja2 (Debian's python3-jinja2), set up as Hugging Face's transformers does for chat templates. Usage:
/usr/bin/python3 goldens.py [FOLDER]
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 7, 6, 9, 8, 7)


class Generation(Extension):
    """{% generation %} blocks, whose text is put between two marks so that its place can be found."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller):
        return "\ue000" + caller() + "\ue001"


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    return env


def compiled(env, source):
    try:
        return env.from_string(source)
    except Exception as problem:
        return problem


def render(template, variables):
    try:
        if isinstance(template, Exception):
            raise template
        text = template.render(**variables)
    except Exception as problem:  # whatever goes wrong, a template that fails must fail there too
        return {"error": f"{type(problem).__name__}: {problem}"}
    spans, plain, start = [], "", 0
    for c in text:
        if c == "\ue000":
            start = len(plain.encode("utf-16-le")) // 2
        elif c == "\ue001":
            spans.append([start, len(plain.encode("utf-16-le")) // 2])
        else:
            plain += c
    return {"text": plain, "spans": spans} if spans else {"text": plain}


def main(folder):
    env = environment()
    expected = {}
    conversations = json.loads((folder / "conversations.json").read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.jinja")):
        template = compiled(env, path.read_text(encoding="utf-8"))
        expected[path.name] = {name: render(template, variables) for name, variables in conversations.items()}
    if (folder / "snippets.json").exists():
        snippets = json.loads((folder / "snippets.json").read_text(encoding="utf-8"))
        expected["snippets"] = [render(compiled(env, source), snippets["variables"]) for source in snippets["templates"]]
    (folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
