"""Answers to `/move` of every odd form that was met or thought of, and whether the official command v1.2.3 plays them.

Each says left. `{port}` is the snake's own port; `/real` answers plainly, `/other` says down.
"""

import gzip
import zlib
from collections.abc import Sequence
from typing import Final

from scripted_snake import Action, Close, Request, ScriptedSnake, http, move

LEFT: Final = b'{"move":"left"}'
PLAIN: Final = http(LEFT)
OK: Final = b"HTTP/1.1 200 OK\r\n"
REST: Final = b"Content-Length: 15\r\n\r\n" + LEFT
ZIPPED: Final = gzip.compress(LEFT, mtime=0)
_RAW: Final = zlib.compressobj(wbits=-15)


def headed(*lines: bytes) -> bytes:
    """A plain answer with these header lines first."""
    return OK + b"".join(line + b"\r\n" for line in lines) + REST


def packed(body: bytes, encoding: str) -> bytes:
    return http(body, headers=f"Content-Encoding: {encoding}\r\n")


def status(line: bytes) -> bytes:
    return line + b"\r\n" + REST


def length(told: bytes) -> list[Action]:
    return [OK + b"Content-Length:" + told + b"\r\n\r\n" + LEFT, Close]


def chunked(
    *parts: bytes, ext: bytes = b"", trailer: bytes = b"", head: bytes = b"Transfer-Encoding: chunked"
) -> bytes:
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(part), ext, part) for part in parts)
    return OK + head + b"\r\n\r\n" + chunks + b"0\r\n" + trailer + b"\r\n"


def broken_chunks(body: bytes) -> list[Action]:
    return [OK + b"Transfer-Encoding: chunked\r\n\r\n" + body, Close]


def to(location: str, told: str = "307 T", body: bytes = b"") -> bytes:
    return http(body, told, f"Location: {location}\r\n")


PLAYED: Final[dict[str, bytes | list[Action]]] = {
    # Encodings: gzip alone is unpacked, whatever its members; any other name is passed over.
    "gzip": packed(ZIPPED, "GZip"),
    "gzip in two members": packed(gzip.compress(LEFT[:5]) + gzip.compress(LEFT[5:]), "gzip"),
    "gzip twice told": http(ZIPPED, headers="Content-Encoding: gzip\r\n" * 2),
    "gzip in chunks": chunked(ZIPPED, head=b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip"),
    "gzip without a length": [OK + b"Content-Encoding: gzip\r\n\r\n" + ZIPPED, Close],
    "plain, called deflate": packed(LEFT, "deflate"),
    "plain, called br": packed(LEFT, "br"),
    "plain, called identity": packed(LEFT, "identity"),
    # Chunks
    "chunks": chunked(LEFT[:4], LEFT[4:]),
    "chunk with an extension": chunked(LEFT, ext=b";a=b"),
    "chunk with a quoted extension": chunked(LEFT, ext=b';a="b;c"'),
    "chunk with blanks": chunked(LEFT, ext=b"  "),
    "chunk sizes with zeros": OK + b"Transfer-Encoding: chunked\r\n\r\n000F\r\n" + LEFT + b"\r\n00\r\n\r\n",
    "trailers": chunked(LEFT[:3], LEFT[3:], trailer=b"X-T: 1\r\nX-U: 2\r\n"),
    "Chunked in mixed case": chunked(LEFT, head=b"transfer-ENCODING: Chunked"),
    "chunks and a length": chunked(LEFT, head=b"Transfer-Encoding: chunked\r\nContent-Length: 3"),
    # Before and around the answer
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN,
    "102 eight times": b"HTTP/1.1 102 P\r\n\r\n" * 8 + PLAIN,
    "HTTP/1.0 without a length": [b"HTTP/1.0 200 OK\r\n\r\n" + LEFT, Close],
    "no length": [OK + b"\r\n" + LEFT, Close],
    "HTTP/1.0 kept alive": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + REST,
    "byte by byte": [bytes([byte]) for byte in PLAIN],
    "close, but kept open": headed(b"Connection: close"),
    "upgrade offered": headed(b"Upgrade: h2c", b"Connection: Upgrade"),
    "2 MiB": http(LEFT + b" " * (1 << 21)),
    # Status lines
    "no reason": status(b"HTTP/1.1 200"),
    "empty reason": status(b"HTTP/1.1 200 "),
    "two blanks": status(b"HTTP/1.1  200 OK"),
    "HTTP/1.2": status(b"HTTP/1.2 200 OK"),
    "HTTP/2.0": status(b"HTTP/2.0 200 OK"),
    "reason beyond ASCII": status("HTTP/1.1 200 Olé".encode()),
    # Headers
    "bare line feeds": PLAIN.replace(b"\r\n", b"\n"),
    "folded": headed(b"X-A: b", b"  c"),
    "lower case": PLAIN.replace(b"Content-Length", b"content-length"),
    "length twice": headed(b"Content-Length:  15 "),
    "length with zeros": length(b" 0015"),
    "length without a blank": length(b"15"),
    "length with a tab": length(b"\t15"),
    "length empty": length(b""),
    "blank in a name": headed(b"X Y: x"),
    "value beyond ASCII": headed("X: é".encode()),
    "empty value": headed(b"X:"),
    "many headers": headed(*[b"X-%d: y" % number for number in range(3000)]),
    "long header": headed(b"X: " + b"y" * 200_000),
    "200 with a Location": http(LEFT, headers="Location: /other\r\n"),
    # Redirects
    "301": to("/real", "301 M"),
    "302": to("/real", "302 F"),
    "303": to("/real", "303 S"),
    "307": to("/real"),
    "308 with a body": to("/real", "308 P", LEFT),
    "to a relative path": to("real"),
    "to a path with a dot": to("./real"),
    "to another query": to("?real=1"),
    "to a place without a scheme": to("//127.0.0.1:{port}/real"),
    "to a fragment": to("/real#x"),
    "to a path with a blank": to("/real a"),
    "to the first of two": http(b"", "307 T", "Location: /real\r\nLocation: /other\r\n"),
    # JSON
    **{
        f"JSON: {name}": http(body)
        for name, body in {
            "name in upper case": b'{"MOVE":"left"}',
            "name in escapes": b'{"\\u006dove":"left"}',
            "word in escapes": b'{"move":"\\u006ceft"}',
            "null after": b'{"move":"left","move":null}',
            "null before": b'{"move":null,"move":"left"}',
            "null in another case": b'{"move":"left","MOVE":null}',
            "the last of two": b'{"move":"up","Move":"left"}',
            "shout null": b'{"move":"left","shout":null}',
            "shout of 10 kB": b'{"move":"left","shout":"' + b"a" * 10240 + b'"}',
            "shout of escaped controls": b'{"move":"left","shout":"\\u0000\\u001b[31m"}',
            "shout that is no UTF-8": b'{"move":"left","shout":"\xff\xfe"}',
            "lone surrogate": b'{"move":"left","shout":"\\ud800"}',
            "lone surrogate in a name": b'{"move":"left","\\ud800":1}',
            "surrogate in UTF-8": b'{"move":"left","x":"\xed\xa0\x80"}',
            "more fields": b'{"move":"left","a":{"b":[1,2,{"c":null}]},"x":1e999,"":1}',
            "number of 5,000 digits": b'{"move":"left","x":' + b"9" * 5000 + b"}",
            "nesting of 9,000": b'{"move":"left","x":' + b"[" * 9000 + b"]" * 9000 + b"}",
            "blanks around": b'\n\t {"move" : "left"} \r\n\t ',
        }.items()
    },
}
UNREAD: Final[dict[str, bytes | list[Action]]] = {
    "gzip that is none": packed(LEFT, "gzip"),
    "gzip cut": packed(ZIPPED[:-3], "gzip"),
    "gzip with more behind": packed(ZIPPED + b"xx", "gzip"),
    "gzip called x-gzip": packed(ZIPPED, "x-gzip"),
    "gzip in gzip": packed(gzip.compress(ZIPPED), "gzip, gzip"),
    "gzip of nothing": packed(b"", "gzip"),
    "deflate": packed(zlib.compress(LEFT), "deflate"),
    "raw deflate": packed(_RAW.compress(LEFT) + _RAW.flush(), "deflate"),
    "chunk with blanks before its extension": [chunked(LEFT, ext=b" ; a=b"), Close],
    "chunk that ends elsewhere": broken_chunks(b"f\r\n" + LEFT + b"XX0\r\n\r\n"),
    "chunk with bare line feeds": broken_chunks(b"f\n" + LEFT + b"\n0\n\n"),
    "chunks without an end": broken_chunks(b"f\r\n" + LEFT + b"\r\n"),
    "chunks without the last line": broken_chunks(b"f\r\n" + LEFT + b"\r\n0\r\n"),
    "chunk without a size": broken_chunks(b";x\r\n" + LEFT + b"\r\n0\r\n\r\n"),
    "chunked told twice": [chunked(LEFT, head=b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Close],
    "chunks of HTTP/1.0": [chunked(LEFT).replace(b"1.1", b"1.0", 1), Close],
    "identity as a transfer": [OK + b"Transfer-Encoding: identity\r\n" + REST, Close],
    "gzip as a transfer": [chunked(ZIPPED, head=b"Transfer-Encoding: gzip, chunked"), Close],
    "204": http(b"", "204 No Content"),
    "204 with a body": [b"HTTP/1.1 204 N\r\n" + REST, Close],
    "201": http(LEFT, "201 Created"),
    "205": http(LEFT, "205 R"),
    "206": http(LEFT, "206 P"),
    "304": b"HTTP/1.1 304 N\r\n\r\n",
    "404": http(LEFT, "404 Not Found"),
    "500": http(LEFT, "500 Oops"),
    **{
        f"status line {line!r}": [status(line), Close]
        for line in (
            b"http/1.1 200 OK",
            b"HTTP/1 200 OK",
            b"HTTP/11.1 200 OK",
            b"HTTP/1.1 0200 OK",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 200OK",
            b"HTTP/1.1\t200 OK",
            b"ICY 200 OK",
            b"\r\nHTTP/1.1 200 OK",
        )
    },
    "no head at all": [LEFT, Close],
    **{
        f"length {told!r}": length(told)
        for told in (b" +15", b" 15, 15", b" 15;", b" 0xf", b" 1_5", b" -1", b" 99999999999999999999", b" 14", b" 16")
    },
    "two lengths": [headed(b"Content-Length: 16"), Close],
    "two ways to write a length": [headed(b"Content-Length: 015"), Close],
    **{
        f"header {line!r}": [headed(line), Close]
        for line in (
            b"X-Broken",
            b": x",
            b"\xc3\x9c: x",
            b"X: a\0b",
            b"X: a\x01b",
            b"X(): a",
            b"X: a\rb",
            b"X: a\x7fb",
            b" folded: first",
        )
    },
    "nothing": [Close],
    "half a head": [OK + b"Content-Le", Close],
    "308 without a Location": http(b"", "308 P"),
    "307 with an empty Location": to(""),
    "308 in a circle": to("/move", "308 P"),
    "307 to ftp": to("ftp://127.0.0.1/"),
    "307 to no URL": to("http://[::1"),
    "307 to a closed port": to("http://127.0.0.1:9/real"),
    "300": to("/real", "300 M", LEFT),
    "304 with a Location": b"HTTP/1.1 304 N\r\nLocation: /real\r\n\r\n",
    "305": to("/real", "305 U", LEFT),
    **{
        f"JSON: {name}": http(body)
        for name, body in {
            "null": b'{"move":null}',
            "only null": b"null",
            "number first": b'{"move":5,"move":"left"}',
            "number last": b'{"move":"left","move":5}',
            "word in upper case": b'{"move":"Left"}',
            "word with a blank": b'{"move":" left"}',
            "list for a word": b'{"move":["left"]}',
            "shout number": b'{"move":"left","shout":1}',
            "shout object": b'{"move":"left","shout":{}}',
            "shout number and text": b'{"move":"left","shout":5,"shout":"x"}',
            "shout with a long s": '{"move":"left","ſhout":5}'.encode(),
            "shout with a control": b'{"move":"left","shout":"a\x01b"}',
            "shout with a line feed": b'{"move":"left","shout":"a\nb"}',
            "byte order mark": b"\xef\xbb\xbf" + LEFT,
            "UTF-16": '{"move":"left"}'.encode("utf-16"),
            "more behind": LEFT + b" x",
            "NUL behind": LEFT + b"\0",
            "two objects": LEFT * 2,
            "empty": b"",
            "blanks": b"   ",
            "vertical tab": b"\x0b" + LEFT,
            "no-break space": "\u00a0".encode() + LEFT,
            "single quotes": b"{'move':'left'}",
            "comma too many": b'{"move":"left",}',
            "comment": b'{"move":"left"/*x*/}',
            "NaN": b'{"move":"left","x":NaN}',
            "infinity": b'{"move":"left","x":-Infinity}',
            "zero first": b'{"move":"left","x":01}',
            "plus": b'{"move":"left","x":+1}',
            "point last": b'{"move":"left","x":1.}',
            "escape of none": b'{"move":"left","x":"\\q"}',
            "nesting of 10,001": b'{"move":"left","x":' + b"[" * 10001 + b"]" * 10001 + b"}",
            "list": b'["left"]',
            "text": b'"left"',
            "true": b"true",
            "cut": LEFT[:-1],
        }.items()
    },
}
CASES: Final = {**PLAYED, **UNREAD}
PLAIN_TURNS: Final = 2
"""Before each case: where a server has closed the connection, the first of them may be lost on the way."""
A_GAME: Final = 30
"""Cases in a game: nobody starves so soon."""


def snake_saying(names: Sequence[str]) -> ScriptedSnake:
    """A snake that goes up but for every third turn, when it answers with the next of these cases."""

    def script(request: Request) -> Sequence[Action]:
        if "real" in request.path:
            return [PLAIN]
        if request.path != "/move":
            return [move("down")]
        case, plain = divmod(request.body["turn"], PLAIN_TURNS + 1)
        if plain < PLAIN_TURNS or case >= len(names):
            return [move("up")]
        answer = CASES[names[case]]
        actions = [answer] if isinstance(answer, bytes) else answer
        port = str(snake.port).encode()
        return [action.replace(b"{port}", port) if isinstance(action, bytes) else action for action in actions]

    snake = ScriptedSnake(script, everything=True)
    return snake


def played(snake: ScriptedSnake, names: Sequence[str], width: int) -> dict[str, bool]:
    """Which of the cases it was seen to be played, on a wrapped board of this width.

    Where the question after a case was lost on the way, its move was the case's again: two steps to the left, or none.
    """
    heads = {body["turn"]: body["you"]["head"]["x"] for body in snake.bodies()}
    turns = {name: (PLAIN_TURNS + 1) * case + PLAIN_TURNS for case, name in enumerate(names)}
    after = {turn: heads[turn + 1] if turn + 1 in heads else heads[turn + 2] for turn in turns.values()}
    return {name: (heads[turn] - after[turn]) % width in (1, 2) for name, turn in turns.items()}


def batches() -> list[list[str]]:
    """All cases, a game's worth at a time."""
    names = list(CASES)
    return [names[first : first + A_GAME] for first in range(0, len(names), A_GAME)]
