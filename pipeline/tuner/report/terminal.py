"""The report for a terminal: the same numbers, a screenful."""

from pipeline.tuner.report.content import FrontPoint, GateRecord, Report, WeightChange
from pipeline.tuner.screen import EffectKind

SHOWN_WEIGHTS, SHOWN_TESTS = 15, 8


def text_report(report: Report) -> str:
    """The report as plain text; control characters in names are shown, not sent."""
    lines = [
        f"Run {report.run}: {report.snake}, {report.search}, {report.objective} ({report.state}, {report.written_at})",
        report.headline,
        f"{report.games_in_all:,} games ({_kinds(report)}), {report.spent[0]} of processor time in"
        f" {report.spent[1]}; {report.backend}; seed {report.seed}",
    ]
    lines += _front(report) if len(report.aims) > 1 else [report.rules.promise()]
    lines += [f"! {note}" for note in report.notes]
    if report.gates:
        lines += ["", f"{'test':>4}  {'verdict':<16} {'games':>6}  {'ratio':>6}  measured gain"]
        lines += [_gate(record) for record in report.gates[-SHOWN_TESTS:]]
    changed = [row for row in report.weights if row.changed]
    if changed:
        wide = max(len(row.path) for row in changed)
        lines += ["", f"{len(changed)} weights changed:"]
        lines += [_weight(row, wide) for row in changed[:SHOWN_WEIGHTS]]
        if len(changed) > SHOWN_WEIGHTS:
            lines.append(f"  and {len(changed) - SHOWN_WEIGHTS} more; the page shows all")
    if report.carry_over:
        lines += ["", "Carried over to:"]
        lines += [
            f"  {row.conditions}: {row.measured.gain:+.1%} [{row.measured.low:+.1%}, {row.measured.high:+.1%}]"
            for row in report.carry_over
        ]
    return "\n".join(_printable(line) for line in lines) + "\n"


def _front(report: Report) -> list[str]:
    lines = [f"  {aim.name}: {aim.meaning}" for aim in report.aims]
    for point in report.front:
        values = (f"{aim.name} {point.values[aim.name]:.3g}{_within(point, aim.name)}" for aim in report.aims)
        lines.append(f"  [{point.name}] {', '.join(values)}; {len(point.changed)} weights differ")
    return [*lines, f"  `ouroboros tune apply {report.run} --member 1` puts one into the snake."]


def _within(point: FrontPoint, name: str) -> str:
    return f" ± {1.96 * point.errors[name]:.2g}" if name in point.errors else ""


def _kinds(report: Report) -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in report.games.items()) or "none"


def _gate(record: GateRecord) -> str:
    verdict = record.verdict.value.replace("_", " ") if record.verdict else "under way"
    measured = record.measured
    shown = f"{measured.gain:+.1%} [{measured.low:+.1%}, {measured.high:+.1%}]" if measured else ""
    decision = record.decision
    return f"{decision.number:>4}  {verdict:<16} {2 * decision.seeds:>6}  {decision.ratio:>+6.2f}  {shown}".rstrip()


def _weight(row: WeightChange, wide: int) -> str:
    effect = "" if row.effect is None else f"  {row.effect.value.replace('_', ' ')}"
    dead = "  (left out)" if row.effect is EffectKind.NO_EFFECT else ""
    return f"  {row.path:<{wide}}  {row.before!s:>10} -> {row.after!s:<10}{effect}{dead}"


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)
