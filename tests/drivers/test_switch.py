from hypothesis import given
from hypothesis import strategies as st

from node.drivers.switch import Switch
from simulator.chips.switch import Switch as Contact
from tests.drivers.wire import Clock, measure, outcome


def test_a_lid_is_closed_or_open_and_may_be_wired_the_other_way():
    for closed in (0, 1):
        clock = Clock()
        contact = Contact(clock, lambda t, closed=closed: closed)
        assert measure(Switch(contact, {}), clock) == (0, [closed], 20)
        assert outcome(Switch(contact, {"inverted": True}), clock) == [1 - closed]


@given(st.lists(st.integers(0, 1), min_size=1, max_size=20))
def test_a_contact_that_chatters_is_a_reading_only_when_two_looks_agree(looks):
    class Chattering:
        at = -1

        def closed(self):
            self.at += 1
            return looks[self.at % len(looks)]

    contact = Chattering()
    got = outcome(Switch(contact, {}))
    last = [looks[i % len(looks)] for i in (contact.at - 1, contact.at)]
    assert got == [last[1]] if last[0] == last[1] else got == "out_of_range"


def test_a_worn_contact_settles():
    clock = Clock(1000)
    contact = Contact(clock, lambda t: 1 if t >= 1000 else 0, chatter_ms=15)
    assert outcome(Switch(contact, {}), clock) == [1]
