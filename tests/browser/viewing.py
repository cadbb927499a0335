"""A real browser on a real page, and everything that went wrong in it."""

import re

ARGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


class View:
    """A page and everything that went wrong in it."""

    def __init__(self, browser, gateway, size, scheme="light"):
        self.context = browser.new_context(
            viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="Asia/Kuching"
        )
        self.page = self.context.new_page()
        self.wrong = []
        self.bytes = 0
        self.hosts = set()
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: self.hosts.add(re.sub(r"^\w+://([^/]+)/.*", r"\1", r.url)))
        network = self.context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", self._count)
        self.address = f"127.0.0.1:{gateway.web_port}"
        self.page.goto(f"http://{self.address}/")
        self.page.wait_for_selector('#live[data-live="live"]')

    def _count(self, event):
        self.bytes += int(event["encodedDataLength"])

    def card(self, title):
        return self.page.locator(".card", has=self.page.get_by_role("button", name=title, exact=True))

    def close(self):
        self.context.close()
