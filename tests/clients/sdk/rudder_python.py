"""An app that uses RudderStack's Python SDK with its defaults. Arguments: host, count of users."""

import sys

import rudderstack.analytics as analytics

analytics.write_key = "any-write-key"
analytics.dataPlaneUrl = sys.argv[1]
analytics.on_error = lambda error, items: print(error, file=sys.stderr)
for i in range(int(sys.argv[2])):
    user = f"u{i}"
    analytics.identify(user, {"email": f"{user}@shop.example"}, anonymous_id=f"a{i}")
    analytics.group(user, "g1", {"plan": "pro"})
    analytics.page(user, None, "Home")
    analytics.screen(user, None, "Cart")
    analytics.alias(f"before-{i}", user)
    analytics.track(user, "Added To Cart", {"cart_id": f"c{i}", "price": 49.9})
analytics.flush()
print("done")
