"""The simulator's layouts and the product's parser were written apart: here they meet."""

from collections import Counter

import pytest

from gupshup.api.events import Inbound, StatusReport, Unrecognised, parse

LIVELY = "callback.batched=0.3,callback.text_ts=0.3,callback.no_gs_id=0.1"


@pytest.mark.parametrize("layout", ["v2", "v3", "enterprise"])
def test_the_parser_reads_what_the_simulator_tells(fast, receiver, layout):
    simulator = fast("--layout", layout, "--faults", LIVELY, "--seed", "5")
    template_id = simulator.template_id("promo_rentree")
    for number in range(60):
        simulator.send(str((33612340000, 5511912340000)[number % 2] + number), ["a", "b"], template_id=template_id)
    for word in ("text", "button", "quick", "list", "image", "video", "voice", "file", "sticker", "location"):
        simulator.steer("/control/inbound", **{"from": "33699999999", "type": word})
    simulator.wait_for_quiet()
    events = [event for _, headers, body in receiver.requests for event in parse(body, headers["Content-Type"])]
    assert not any(isinstance(event, Unrecognised) for event in events)
    told = simulator.ledger("?only=callbacks")["callbacks"]
    assert sum(isinstance(event, Inbound) for event in events) == sum(one["event"] == "message" for one in told)
    words = Counter(event.word.name.lower() for event in events if isinstance(event, StatusReport))
    assert words == Counter(one["word"] for one in told if one["event"] == "status")
