"""The two copies of the settings on flash: saved one after the other, judged and mended where they differ. Loaded when there is something to do."""

import json

from node.core import twice
from node.core.measurements import NEW_SETTING, REVISION, SETTINGS, STORAGE
from node.core.settings import COPIES, DAMAGED, LAGGING, LENGTH_MOST, LOST, SOUND, conflict, id_of, within

ASIDE = "settings.bad"  # the newest image that could not be used, for whoever wants to know why
_REVISION = b'"revision":'
_REVISION_MOST = 1 << 30
_TOLD_MOST = 16  # of the settings that fell back


def encode(settings, values, revision):
    """A copy: one JSON line behind its CRC-32. What a newer firmware saved before it was rolled back is in it too."""
    pairs = ['"%s":%d' % (settings.rows[i][0], values[i]) for i in range(len(settings.rows))]
    for key in sorted(settings.newer):
        if type(settings.newer[key]) is int and _is_key(key):
            pairs.append('"%s":%d' % (key, settings.newer[key]))
    body = ('{"revision":%d,"values":{%s}}' % (revision, ",".join(pairs))).encode()
    return twice.framed(body)


def _is_key(word):
    for letter in word:
        if not ("a" <= letter <= "z" or "0" <= letter <= "9" or letter in "._"):
            return False
    return True


def save(storage, settings, values, revision):
    """Both copies, the newer one last, so that one of them is whole at any time. Whether both were written; OSError: neither was."""
    image = encode(settings, values, revision)
    first = 1 - settings.newest
    twice.put(storage, COPIES[first], image)
    settings.newest = first
    try:
        twice.put(storage, COPIES[1 - first], image)
    except OSError:
        return False
    return True


def judge(images, settings):
    """Take the newest copy that is whole; of one that this firmware does not allow as it is, all that it does. Where there is none the station's
    own defaults stay, above any revision that can be learned.
    """
    own = settings.values
    newest = -1
    best = 0
    for which in (0, 1):
        settings.values = own
        if images[which] and settings.recover(images[which]) and (newest < 0 or settings.revision > best):
            newest = which
            best = settings.revision
    settings.values = own
    damaged = [image for image in images if image and not twice.is_whole(image)]
    if newest >= 0:
        settings.recover(images[newest])
        settings.newest = newest
        return DAMAGED if damaged else LAGGING
    for image in sorted(images, key=_revision):
        if image and twice.is_whole(image):
            settings.fallen = _take_allowed(image, settings)
    settings.revision = 1 + max([_revision(image) for image in images])
    return LOST


def _take_allowed(image, settings):
    """Of a whole image each value that the table allows, over the station's own; levels only as three that rise.

    Returns the indices that could not be had: another firmware allowed what this one does not.
    """
    rows, own = settings.rows, settings.values
    try:
        saved = dict(json.loads(image[9:])["values"])
        values, fallen = list(own), []
        for i in range(len(rows)):
            if rows[i][0] in saved:
                try:
                    values[i] = within(rows[i], saved.pop(rows[i][0]))
                except ValueError:
                    fallen.append(i)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    for i in range(len(rows)):
        if rows[i][0].endswith(".alert"):
            three = (i, i + 1, i + 2)
            if [k for k in three if k in fallen] or conflict(values[i : i + 3], rows[i : i + 3]):
                fallen = [k for k in fallen if k not in three] + list(three)
                values[i : i + 3] = own[i : i + 3]
    settings.values = values
    settings.newer = saved
    return fallen


def attend(storage, settings, how, tell):
    """Tell of copies that were damaged, then write them again. `how`: as they were judged. Returns how they are now; a later call goes on."""
    if how == LOST:
        fallen = [(NEW_SETTING + id_of(i), 0, settings.values[i]) for i in settings.fallen[:_TOLD_MOST]]
        if not tell((SETTINGS, 0, 2), (REVISION, 0, settings.revision), *fallen):
            return how
    if how == DAMAGED and not tell((STORAGE, 0, 0)):
        return how
    try:
        mend(storage, settings, how)
    except OSError:
        return LAGGING  # told, and still to be written
    return SOUND


def mend(storage, settings, how):
    """Write what counts into every copy that does not hold it."""
    image = encode(settings, settings.values, settings.revision)
    for which in (1 - settings.newest, settings.newest):
        old = storage.read(COPIES[which], 0, LENGTH_MOST)
        if old != image:
            if old and (how == LOST or not twice.is_whole(old)):
                storage.replace(ASIDE, old)
            storage.replace(COPIES[which], image)


def _revision(image):
    """What a damaged image still tells, 0 if nothing."""
    at = image.find(_REVISION)
    number = 0
    if at >= 0:
        for letter in image[at + len(_REVISION) :]:
            if not 48 <= letter <= 57 or number >= _REVISION_MOST // 10:
                break
            number = number * 10 + letter - 48
    return number
