"""The house rules hold in every file, and each of them can fail."""

import pytest

from tests.house import sources
from tests.house.rules import RULES, Rule

EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])


@EACH_RULE
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    broken = [
        line for name in sources.texts() if rule.holds_for(name) for line in rule.breaches(name, sources.text(name))
    ]
    assert not broken, f"\n{rule.name}: {rule.why}\n" + "\n".join(broken)


@EACH_RULE
def test_the_rule_catches_what_it_forbids(rule: Rule) -> None:
    name = rule.as_file or rule.where[0] + "planted.py"
    for snippet in rule.broken:
        assert rule.breaches(name, snippet), f"{rule.name} lets this pass:\n{snippet}"


@EACH_RULE
def test_the_rule_lets_good_code_pass(rule: Rule) -> None:
    name = rule.as_file or rule.where[0] + "planted.py"
    for snippet in rule.kept:
        assert not rule.breaches(name, snippet), f"{rule.name} forbids this:\n{snippet}"


@EACH_RULE
def test_an_exemption_is_still_needed(rule: Rule) -> None:
    for name in rule.allowed:
        assert name in sources.files(), f"{name} is gone: take its exemption out of the rule"
        assert rule.breaches(name, sources.text(name)), f"{name} keeps the rule now: take its exemption out"
