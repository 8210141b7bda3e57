"""Rules: when something happens, run a command.

``model`` says what a rule is, ``reading`` reads files of them, ``engine`` runs them: ``feeding`` brings what
pollers find, each rule works in one of the ``lanes``. Events wait in an ``inbox``, become a command's data in
``happening``, and are carried out by ``attempts``. What failed in the end goes to ``letters``; ``tracking``
and ``keeping`` make sure that a restart misses nothing.
"""

from __future__ import annotations

from asynctask.rules.engine import RuleEnded as RuleEnded
from asynctask.rules.engine import RuleEngine as RuleEngine
from asynctask.rules.engine import RuleStatistics as RuleStatistics
from asynctask.rules.engine import run_rules as run_rules
from asynctask.rules.limits import Rate as Rate
from asynctask.rules.model import Rule as Rule
from asynctask.rules.model import Rules as Rules
from asynctask.rules.model import Watched as Watched
from asynctask.rules.reading import load_rules as load_rules
from asynctask.rules.reading import parse_rules as parse_rules

__all__ = (
    "Rate",
    "Rule",
    "RuleEnded",
    "RuleEngine",
    "RuleStatistics",
    "Rules",
    "Watched",
    "load_rules",
    "parse_rules",
    "run_rules",
)
