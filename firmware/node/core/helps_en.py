"""What the console's commands and the settings are for, in English: loaded by `help` and `get`."""

COMMANDS = """
help=this list, one command, or what a setting is
show=state, and every setting, or those that begin so (* typed, not yet saved)
get=one setting, what it is and what is allowed
set=type a new value; not live until save
diff=what is typed and not saved, or what differs from a new station's settings
save=check, keep and use what was typed
revert=forget what was typed
test=sound the siren shortly: each level's sound, or one; never beside an alarm
calibrate=the staff shows LEVEL: propose sensor.height from the next samples
level=the level, one line a sample, until a key is pressed
log=the journal's newest events, or readings
status=how the station is
ack=acknowledge: silent until it rises, 12 h at most
shelve=sound nothing for 1 to 1440 minutes; 0 ends it
drill=sound a drill of 1 alert, 2 warning or 3 danger
reboot=start again, out of safe mode too
export=settings or journal for a program, each line with its CRC
maintenance=stop the station and open MicroPython's prompt; a reset starts it again
login=give the PIN that is on the label
logout=leave; what was typed and not saved is forgotten
language=the language of these words: en ms id, or level words in th vi km lo ja
machine=answers for a program (docs/console.md)
"""

SETTINGS = """
level.alert=alert (waspada), above gauge datum
level.warning=warning (amaran)
level.danger=danger (bahaya)
level.deadband=a state ends this far below its line
level.on_delay=time above a line before it counts
level.off_delay=time below before a state ends
level.latched=1: stays until acknowledged
rise.limit=alarm on this rise in the window; 0 off
rise.window=window of the rise
alarm.shadow=1: decide and report, sound nothing
siren.from=siren from state 1 alert, 2 warning, 3 danger; 4 never
sensor.height=sensor face above gauge datum
sample.interval=between samples in state normal
sample.alarm_interval=between samples from state alert on
report.interval=between reports while normal
alarm.out_of_service=1: measure and report, decide nothing
battery.low=below it, calm stations sample a third as often
power.profile=0: always on, 1: asleep between samples
radio.interval=asleep and calm: how often the radio comes on
siren.current_low=a siren that sounds draws more; 0: not measured
*.alert=alert (waspada) from here
*.warning=warning (amaran) from here
*.danger=danger (bahaya) from here
*.deadband=a line is left only this far below it
"""
