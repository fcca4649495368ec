"""Gates as JUnit XML, which build servers show: one test case for each gate. Pure."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from promptrial.comparison.pages import gate_words
from promptrial.documents.comparison import Comparison, GateResult
from promptrial.reporting.cells import temperature

__all__ = ["as_junit"]


def as_junit(comparison: Comparison) -> bytes:
    """Return a document with a case for each gate, pair of trials, arm and temperature; a gate that failed says why."""
    failed = sum(not gate.passed for gate in comparison.gates)
    figures = {"tests": str(len(comparison.gates)), "failures": str(failed), "errors": "0"}
    root = ET.Element("testsuites", figures)
    name = f"promptrial compare {comparison.run_a} {comparison.run_b}"
    suite = ET.SubElement(root, "testsuite", {"name": name, "skipped": "0", **figures})
    for gate in comparison.gates:
        _add_case(suite, gate)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _add_case(suite: ET.Element, gate: GateResult) -> None:
    trial = gate.trial_a if gate.trial_a == gate.trial_b else f"{gate.trial_a} / {gate.trial_b}"
    name = f"{gate.gate} ({gate.condition}, temp {temperature(gate.temp)})"
    case = ET.SubElement(suite, "testcase", {"classname": trial, "name": name})
    if gate.passed:
        ET.SubElement(case, "system-out").text = gate_words(gate)
    else:
        failure = ET.SubElement(case, "failure", {"type": "gate", "message": gate_words(gate)})
        failure.text = gate_words(gate)
