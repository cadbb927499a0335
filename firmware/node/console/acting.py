"""What is done at once: `ack shelve test drill reboot maintenance`."""


def answer_ack(console, typed):
    if len(typed) != 1:
        console.usage("ack")
    console.app.orders.acknowledge()
    yield console.word("acknowledged")


def answer_shelve(console, typed):
    if len(typed) != 2:
        console.usage("shelve")
    digits = typed[1]
    minutes = int(digits) if digits.isdigit() and len(digits) < 5 else 9999
    if minutes > 1440:
        raise ValueError(console.word("shelve takes"))
    console.app.orders.shelve(minutes * 60)
    yield console.word("shelved") % minutes if minutes else console.word("unshelved")


def answer_drill(console, typed):
    if len(typed) != 2:
        console.usage("drill")
    console.app.orders.drill(int(typed[1]) if typed[1] in ("1", "2", "3") else 0)
    yield console.word("drill")


def answer_test(console, typed):
    app = console.app
    if len(typed) > 2 or (len(typed) == 2 and typed[1] not in ("1", "2", "3", "off")):
        console.usage("test")
    if typed[1:] == ["off"]:
        if not (app.drill and hasattr(app.drill, "stop")):
            raise ValueError(console.word("no test"))
        app.drill.stop()
        yield console.word("test off")
        return
    from node.console.sounds import Test

    states = [int(typed[1])] if len(typed) == 2 else [1, 2, 3]
    app.drill = Test(app, states)
    yield console.word("test")


def answer_reboot(console, typed):
    if len(typed) != 1:
        console.usage("reboot")
    console.close()
    console.app.orders.reboot()
    yield console.word("rebooting")


def answer_maintenance(console, typed):
    if len(typed) != 1:
        console.usage("maintenance")
    if not hasattr(console.port, "repl_wanted"):
        raise ValueError(console.word("no repl"))
    yield console.word("maintenance")
    for _ in range(8):
        yield None  # what was answered still goes out
    console.close()
    console.port.repl_wanted = True
