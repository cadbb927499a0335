"""The embedded broker: amqtt on a loopback port, until it is told to end. Good for the demo and a smoke test, for nothing contractual."""

import asyncio
import logging
import signal
import sys

from amqtt.broker import Broker


def config(port: int) -> dict:
    """Loopback only, anonymous, no plugins that talk."""
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}", "max_connections": 200}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def serve(port: int) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    broker = Broker(config(port))
    await broker.start()
    await ended.wait()
    await broker.shutdown()


def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
