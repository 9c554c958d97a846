"""An app that uses NATS's Python client with its defaults. Arguments: URL, count of users."""

import asyncio
import json
import sys

import nats


async def main():
    connection = await nats.connect(sys.argv[1])
    stream = connection.jetstream()
    for i in range(int(sys.argv[2])):
        event = {
            "type": "track",
            "userId": f"u{i}",
            "event": "Added To Cart",
            "properties": {"cart_id": f"c{i}", "price": 49.9},
        }
        payload = json.dumps(event).encode()
        # Twice by the same id, as an app does that got no answer to the first one.
        for _ in range(2):
            await stream.publish("events.shop.web", payload, headers={"Nats-Msg-Id": f"m{i}"})
        await connection.publish("events.shop.app", json.dumps({**event, "event": "Seen"}).encode())
    await connection.drain()
    print("done")


asyncio.run(main())
