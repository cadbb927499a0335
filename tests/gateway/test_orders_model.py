"""Technicians, the gateway, a bad network, other boards and an older database in any order: in the end station and gateway agree."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from node.core import settings as S
from tests.gateway.station import District

LEVELS = st.sampled_from((1100, 1500, 1800, 2400, 3100, 9000))  # the last is above what the sensor can tell
KEYS = st.sampled_from(("warning", "danger", "deadband"))
ENDS = ("confirmed", "refused", "superseded", "replaced", "withdrawn")


class Conflicts(RuleBasedStateMachine):
    """`made`: every settings order; `ran`: (life, revision) -> values the station had with it."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.district = District(Path(self.folder.name))
        self.district.carry(20_000)
        self.district.snapshot()
        self.made = []
        self.ran = {}

    # what people do

    @rule(key=KEYS, mm=LEVELS, other=st.none() | LEVELS)
    def the_gateway_wants(self, key, mm, other):
        words = {"level." + key: f"{mm / 1000}"} | ({"level.deadband": f"{other / 1000}"} if other else {})
        try:
            self.made.append(self.district.orders.desire(self.district.node, words, "amina", self.district.now_ms))
        except ValueError:
            return

    @rule(key=KEYS, mm=LEVELS)
    def a_technician_saves(self, key, mm):
        self.district.save(**{key: mm})

    @rule(key=KEYS, mm=LEVELS, other=LEVELS, ms=st.sampled_from((0, 3000)), same=st.booleans())
    def both_at_once(self, key, mm, other, ms, same):
        """A wish for a station that is away, where someone saves before it hears of it."""
        self.district.away()
        self.district.carry(300)
        self.the_gateway_wants(key, mm, None)
        self.district.carry(ms)
        self.a_technician_saves(key, mm if same else other)

    @precondition(lambda self: self.made)
    @rule()
    def the_gateway_withdraws(self):
        try:
            self.district.orders.withdraw(self.district.node, "amina", self.district.now_ms)
        except ValueError:
            return

    # what happens to them

    @rule(ms=st.sampled_from((300, 3000, 30_000, 700_000)))
    def time_passes(self, ms):
        self.district.carry(ms)
        self.district.mixed = lambda messages: messages

    @rule()
    def the_network_goes(self):
        self.district.away()

    @rule()
    def the_network_returns(self):
        self.district.back()

    @rule()
    def the_link_drops(self):
        self.district.station.broker.drop()

    @rule(order=st.randoms(use_true_random=False))
    def messages_come_twice_and_in_any_order(self, order):
        def mixed(messages):
            both = messages + messages
            order.shuffle(both)
            return both

        self.district.mixed = mixed

    @rule()
    def the_station_restarts(self):
        self.district.reboot()

    @rule()
    def the_board_is_replaced(self):
        self.district.carry(3000)
        self.district.replace_board()

    @rule()
    def the_gateway_restarts(self):
        self.district.restart()
        self.forget()

    @rule()
    def the_database_is_copied(self):
        self.district.snapshot()

    @rule()
    def the_database_is_restored(self):
        self.district.restart(restore=True)
        self.forget()

    def forget(self):
        """The gateway's own memory is what it reads back; of orders that were never kept there is nothing to ask for."""
        self.made = []

    # what must hold

    @invariant()
    def nothing_is_half_applied(self):
        if not hasattr(self, "made"):
            return
        runs, life = self.district.runs, self.district.station.app.life
        assert S.conflict(runs.values) is None
        before = self.ran.get((life, runs.revision - 1))
        for order in self.made:
            if (order.life, order.number) == (life, runs.revision) and order.state == "confirmed":
                assert all(runs.values[S.index(k)] == S.validate(S.ROWS[S.index(k)], v) for k, v in order.body.items())
            elif (order.life, order.number) == (life, runs.revision) and before:
                new = {k: S.validate(S.ROWS[S.index(k)], v) for k, v in order.body.items()}
                took = {k for k, v in new.items() if runs.values[S.index(k)] == v != before[S.index(k)]}
                others = {k for k, v in new.items() if runs.values[S.index(k)] != v}
                assert not took or not others or len(took) == 1, (took, others)
        self.ran.setdefault((life, runs.revision), list(runs.values))

    def teardown(self):
        if not hasattr(self, "made"):
            return
        self.district.settle(12)
        self.district.station.broker.drop()  # what came in a wrong order is said again with the next connection
        self.district.settle(14)
        desk = self.district.orders.desk(self.district.node)
        assert self.district.agrees, (desk.desired and desk.desired.message(), desk.running, self.district.runs.values)
        self.district.ingest.flush()
        rows = self.district.store.rows(
            "SELECT o.id, o.state, a.what FROM orders o LEFT JOIN audit a ON a.order_id = o.id AND a.what IN "
            f"({','.join('?' * len(ENDS))}) WHERE o.do = 'set' ORDER BY o.id, a.id",
            ENDS,
        )
        told = Counter((id, what) for id, _, what in rows)
        assert not any(what is None for _, what in told), "every order ends, and that is told"
        assert set(told.values()) <= {1}, "once"
        states = {id: state for id, state, _ in rows}
        for id, state in states.items():
            ends = [what for i, _, what in rows if i == id]
            assert ends[-1] == state and (
                len(ends) == 1 or ends in (["refused", "confirmed"], ["withdrawn", "confirmed"])
            )
        self.district.store.close()
        self.folder.cleanup()


TestConflicts = Conflicts.TestCase
TestConflicts.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
