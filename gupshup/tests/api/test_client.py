"""The client over real HTTP, against servers that behave and that do not."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gupshup.api import messages, transport
from gupshup.api.client import GupshupService
from gupshup.api.responses import Outcome
from gupshup.tests.api.certificates import make_certificate
from gupshup.tests.api.servers import OK, Request, answering, reply, reset, serving

KEY = "sk_canary_4f5e6d7c8b9a"
PERSON = "+33 6 39 98 00 01"
TEMPLATE = "5d1c1d6e-7c5e-4b7b-9a42-0f6f3c1f0a11"
MESSAGE_ID = "0c7f9b7e-3f0c-4f5c-9d3e-6a1b2c3d4e5f"


def service(url: str, **options: object) -> GupshupService:
    options = {"connect_timeout": 1.0, "deadline": 1.5} | options
    return GupshupService(KEY, "BoutiqueDemo", "+33 1 99 00 00 00", url, **options)


def send(url: str, **options: object):
    return service(url, **options).send_template(PERSON, TEMPLATE, ["Léa"])


@pytest.fixture(autouse=True)
def fresh_connections():
    yield
    transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def echo():
    with serving(answering(reply())) as server:
        yield server


def test_a_template_goes_out_as_the_provider_wants_it(echo):
    """Validates: 2.1, 2.2, 2.5, 3.3"""
    response = send(echo.url())
    request = echo.requests[-1]
    assert request.line == "POST /wa/api/v1/template/msg HTTP/1.1"
    assert request.headers["apikey"] == KEY
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form == {
        "channel": "whatsapp",
        "source": "33199000000",
        "src.name": "BoutiqueDemo",
        "destination": "33639980001",
        "template": json.dumps({"id": TEMPLATE, "params": ["Léa"]}, ensure_ascii=False, separators=(",", ":")),
    }
    assert (response.success, response.message_id, response.outcome) == (True, MESSAGE_ID, Outcome.ACCEPTED)


def test_headers_postbacks_and_offers_travel_beside_the_template(echo):
    header = messages.MediaHeader("document", link="https://exemple.fr/a.pdf", filename="a.pdf")
    service(echo.url()).send_template(
        PERSON,
        TEMPLATE,
        ["a", "CODE10"],
        header=header,
        postback_texts=["oui", None, "non"],
        expiration=1_790_000_000_000,
        product_sections=[{"title": "Sacs", "products": ["p1"]}],
        sandbox=True,
    )
    form = echo.requests[-1].form
    assert json.loads(form["message"]) == {
        "type": "document",
        "document": {"link": "https://exemple.fr/a.pdf", "filename": "a.pdf"},
    }
    assert json.loads(form["postbackTexts"]) == [{"index": 0, "text": "oui"}, {"index": 2, "text": "non"}]
    template = json.loads(form["template"])
    assert template["expiration"] == 1_790_000_000_000
    assert template["mpm"] == {"sections": [{"title": "Sacs", "products": ["p1"]}]}
    assert form["sandbox"] == "true"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (messages.MediaHeader("image", link="https://e.fr/i.jpg"), {"image": {"link": "https://e.fr/i.jpg"}}),
        (messages.MediaHeader("video", media_id="77"), {"video": {"id": "77"}}),
        (messages.LocationHeader(2.35, 48.85), {"location": {"longitude": "2.35", "latitude": "48.85"}}),
        (
            messages.CarouselHeader("IMAGE", [messages.Card(link="https://e.fr/1.jpg", postback_texts=["un"])]),
            {
                "cardHeaderType": "IMAGE",
                "cards": [{"link": "https://e.fr/1.jpg", "postbackTexts": [{"index": 0, "text": "un"}]}],
            },
        ),
    ],
)
def test_each_header_has_its_layout(echo, header, expected):
    service(echo.url()).send_template(PERSON, TEMPLATE, header=header)
    message = json.loads(echo.requests[-1].form["message"])
    message.pop("type")
    assert message == expected


def test_a_name_is_resolved_to_an_id_with_its_language(echo):
    asked = []

    def resolve(name: str, language: str) -> str | None:
        asked.append((name, language))
        return TEMPLATE if name == "soldes" else None

    client = service(echo.url(), resolve_template=resolve)
    assert client.send_template_message(PERSON, "soldes", ["Léa"]).success
    count = len(echo.requests)
    unknown = client.send_template_message(PERSON, "inconnu", language_code="en")
    assert (unknown.outcome, unknown.halts, unknown.error_code) == (Outcome.HALT, "campaign", "template_unknown")
    assert len(echo.requests) == count
    assert asked == [("soldes", "fr"), ("inconnu", "en")]


@settings(max_examples=150, deadline=None)
@given(phone=st.text(alphabet="+0123456789 -.()", max_size=24))
def test_numbers_go_out_as_digits(phone):
    """Validates: 2.3 (P1)"""
    formatted = GupshupService.format_phone_number(phone)
    assert "+" not in formatted
    assert formatted == "".join(c for c in phone if c.isdigit())
    assert GupshupService.format_phone_number(formatted) == formatted


words = st.text(st.characters(codec="utf-8"), max_size=60)


@settings(max_examples=120, deadline=None)
@given(template_id=words.filter(bool), params=st.lists(words, max_size=6))
def test_a_template_is_json_with_its_id_and_params(echo, template_id, params):
    """Validates: 2.4 (P2)"""
    service(echo.url()).send_template(PERSON, template_id, params)
    assert json.loads(echo.requests[-1].form["template"]) == {"id": template_id, "params": params}


@settings(max_examples=120, deadline=None)
@given(params=st.lists(words | st.integers() | st.booleans(), max_size=8))
def test_params_keep_their_number_and_order_and_become_text(echo, params):
    """Validates: 2.4 (P3)"""
    service(echo.url()).send_template(PERSON, TEMPLATE, params)
    assert json.loads(echo.requests[-1].form["template"])["params"] == [str(param) for param in params]


@settings(max_examples=120, deadline=None)
@given(destination=st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True), text=words.filter(str.strip))
def test_a_text_has_every_field(echo, destination, text):
    """Validates: 3.1, 3.2 (P4)"""
    service(echo.url()).send_text_message(destination, text)
    request = echo.requests[-1]
    assert request.line == "POST /wa/api/v1/msg HTTP/1.1"
    assert {name: request.form[name] for name in ("channel", "source", "destination", "src.name")} == {
        "channel": "whatsapp",
        "source": "33199000000",
        "destination": destination[1:],
        "src.name": "BoutiqueDemo",
    }
    assert set(json.loads(request.form["message"])) == {"type", "text"}


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=300).filter(str.strip))
def test_a_text_arrives_unchanged(echo, text):
    """Validates: 3.4 (P5)"""
    service(echo.url()).send_text_message(PERSON, text)
    assert json.loads(echo.requests[-1].form["message"]) == {"type": "text", "text": text}


def test_emoji_accents_and_newlines_arrive_unchanged(echo):
    text = "Merci 👩🏽‍💻 à bientôt !\n« 20 % »\t€ & = + # ٣\u202e"
    service(echo.url()).send_text_message(PERSON, text)
    assert json.loads(echo.requests[-1].form["message"])["text"] == text


def test_half_a_surrogate_does_not_stop_a_message(echo):
    assert service(echo.url()).send_text_message(PERSON, "a\ud83db").success
    assert json.loads(echo.requests[-1].form["message"])["text"] == "a\ufffdb"


def test_link_previews_can_be_turned_off(echo):
    client = service(echo.url())
    client.send_text_message(PERSON, "https://exemple.fr")
    assert "disablePreview" not in echo.requests[-1].form
    client.send_text_message(PERSON, "https://exemple.fr", preview_url=False)
    assert echo.requests[-1].form["disablePreview"] == "true"


@pytest.mark.parametrize(
    "message",
    [
        messages.image("https://e.fr/i.jpg", caption="été"),
        messages.document("https://e.fr/a.pdf", "a.pdf"),
        messages.audio("https://e.fr/a.ogg"),
        messages.video("https://e.fr/v.mp4"),
        messages.uploaded("image", "123"),
        messages.sticker("https://e.fr/s.webp"),
        messages.location(2.35, 48.85, name="Paris"),
        messages.contact("Léa Martin", [{"phone": "+33639980001", "type": "CELL"}]),
        messages.list_message("Menu", "Choisissez", "Voir", [("Jours", [{"title": "Lundi"}])], message_id="m1"),
        messages.quick_reply({"type": "text", "text": "Oui ?"}, {"Oui": "o", "Non": "n"}, message_id="q1"),
        messages.reaction("wamid.X", "👍"),
        messages.product("c1", "p1", "Le sac"),
        messages.product_list("c1", "Sacs", "Choisissez", {"Été": ["p1", "p2"]}),
        messages.location_request("Où êtes-vous ?"),
        messages.quoting(messages.text("Bien sûr"), "wamid.X"),
    ],
)
def test_every_session_message_travels_as_json(echo, message):
    assert service(echo.url()).send_message(PERSON, message, encode_emoji=True).success
    form = echo.requests[-1].form
    assert json.loads(form["message"]) == message
    assert "null" not in form["message"]
    assert form["encode"] == "true"


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4_097])
def test_an_impossible_text_is_refused_without_a_call(echo, text):
    count = len(echo.requests)
    response = service(echo.url()).send_text_message(PERSON, text)
    assert (response.outcome, response.error_code) == (Outcome.REJECTED, "text_invalid")
    assert len(echo.requests) == count


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("https://api.gupshup.io/wa/api/v1", "https://api.gupshup.io"),
        ("https://api.gupshup.io/sm/api/v1/", "https://api.gupshup.io"),
        ("http://127.0.0.1:9000/fake/wa/api/v1", "http://127.0.0.1:9000/fake"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    ],
)
def test_management_addresses_stand_beside_the_send_base(base, root):
    client = GupshupService(KEY, "BoutiqueDemo", "33199000000", base)
    assert client._url("/wa/app/x/template", pageNo=0) == f"{root}/wa/app/x/template?pageNo=0"
    assert client.template_url == base.rstrip("/") + "/template/msg"


# --- what the network does ---------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_a_refused_connection_is_not_sent():
    response = send(f"http://127.0.0.1:{free_port()}/wa/api/v1")
    assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "connect_refused")


def test_an_unknown_host_is_not_sent():
    response = send("http://gupshup.invalid/wa/api/v1")
    assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "dns")


def test_an_address_that_is_none_is_not_sent():
    for url in ("http://", "nonsense", "http://[::1/wa/api/v1", "ftp://127.0.0.1/wa/api/v1"):
        assert send(url).outcome is Outcome.NOT_SENT


def test_a_connection_that_is_not_accepted_in_time_is_not_sent():
    """A listener with a full backlog leaves the handshake unanswered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        response = send(f"http://127.0.0.1:{port}/wa/api/v1", connect_timeout=0.3)
        for filler in fillers:
            filler.close()
    assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "connect_timeout")


def test_a_server_without_tls_is_not_sent():
    with serving(answering(reply(status="400 Bad Request")), until=b"") as server:
        response = send(server.url("https"))
    assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "tls")


def test_a_certificate_nobody_vouches_for_is_not_sent(certificate):
    with serving(answering(reply()), context=certificate.server) as server:
        response = send(server.url("https"))
        assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "tls")
        assert server.requests == []


def test_messages_travel_encrypted(certificate):
    with serving(answering(reply()), context=certificate.server) as server:
        client = service(server.url("https"), verify=certificate.path)
        assert all(client.send_template(PERSON, TEMPLATE).success for _ in range(3))
        assert server.connections == 1


@pytest.mark.parametrize(("handler", "code"), [("_silent", "read_timeout"), ("_dripping", "read_timeout")])
def test_the_deadline_holds_under_tls_too(certificate, handler, code):
    with serving(globals()[handler], context=certificate.server) as server:
        started = time.monotonic()
        response = service(server.url("https"), verify=certificate.path, deadline=0.6).send_template(PERSON, TEMPLATE)
        assert (response.outcome, response.error_code) == (Outcome.UNCERTAIN, code)
        assert time.monotonic() - started < 1.6


def test_a_tls_handshake_that_hangs_is_not_sent_and_bounded():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        response = send(f"https://127.0.0.1:{listener.getsockname()[1]}/wa/api/v1", connect_timeout=0.3)
    assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "connect_timeout")
    assert time.monotonic() - started < 1.4


def _silent(_connection: socket.socket, _request: Request) -> None:
    threading.Event().wait(3)


def _reset(connection: socket.socket, _request: Request) -> None:
    reset(connection)


def _close(_connection: socket.socket, _request: Request) -> None:
    return None


def _drip(head: bytes, drop: bytes):
    def handle(connection: socket.socket, _request: Request) -> None:
        connection.sendall(head)
        for _ in range(60):
            connection.sendall(drop)
            threading.Event().wait(0.1)

    return handle


def _dripping(connection: socket.socket, request: Request) -> None:
    _drip(b"HTTP/1.1 202 Accepted\r\nX-A: ", b"a")(connection, request)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (_silent, "read_timeout"),
        (_reset, "connection_lost"),
        (_close, "connection_lost"),
        (_drip(b"HTTP/1.1 202 Accepted\r\nX-A: ", b"a"), "read_timeout"),
        (_drip(b"HTTP/1.1 202 Accepted\r\n", b"X-A: b\r\n"), "read_timeout"),
        (_drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "read_timeout"),
        (_drip(b"HTTP/1.1 202 Accepted\r\nContent-Length: 900\r\n\r\n", b"{"), "bad_answer"),
        (_drip(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n{\r\n"), "bad_answer"),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "connection_lost"),
        (answering(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "bad_answer"),
        (answering(reply(b"", Content_Length="900", Connection="close")[:-2] + b"\r\n"), "bad_answer"),
        (answering(reply(b"<html>ok</html>", Content_Type="text/html")), "bad_answer"),
        (answering(reply(b"")), "bad_answer"),
        (answering(reply(OK[:-10])), "bad_answer"),
        (answering(reply(OK, Content_Encoding="gzip")), "bad_answer"),
        (answering(reply(b'{"status":"submitted"}')), "no_message_id"),
        (answering(reply(b"{}" + b" " * 10_000_000)), "bad_answer"),
        (answering(reply(b"", "302 Found", Location="http://127.0.0.1:1/other")), "redirect"),
        (answering(reply(b"x" * 300_000, "307 Temporary Redirect", Location="http://[bad/")), "redirect"),
        (answering(reply(b"<html>", "502 Bad Gateway")), "server_error"),
        (answering(reply(OK, "500 Internal Server Error")), "server_error"),
    ],
)
def test_what_cannot_be_known_is_uncertain_within_the_deadline(handler, code):
    with serving(handler) as server:
        started = time.monotonic()
        response = send(server.url(), deadline=0.8)
        assert (response.outcome, response.error_code) == (Outcome.UNCERTAIN, code)
        assert time.monotonic() - started < 2
        assert len(server.requests) == 1, "never tried twice"


@pytest.mark.parametrize(
    "handler",
    [
        answering(reply(OK, Content_Type="text/html; charset=iso-8859-1")),
        answering(reply(b"\xef\xbb\xbf" + OK)),
        answering(reply(OK, "200 OK")),
        answering(reply(OK, Content_Length="900", Connection="close")),
        answering(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n49\r\n" + OK + b"\r\n0\r\n\r\n"),
        answering(b"HTTP/1.1 100 Continue\r\n\r\n" + reply()),
    ],
)
def test_an_acceptance_is_read_in_whatever_wrapping(handler):
    with serving(handler) as server:
        response = send(server.url(), deadline=0.5)
    assert (response.outcome, response.message_id) == (Outcome.ACCEPTED, MESSAGE_ID)


def test_a_slow_honest_answer_is_waited_for():
    def handle(connection: socket.socket, _request: Request) -> bool:
        for piece in (reply()[:20], reply()[20:90], reply()[90:]):
            connection.sendall(piece)
            threading.Event().wait(0.15)
        return True

    with serving(handle) as server:
        assert send(server.url()).success


# --- connections -------------------------------------------------------------------------------------------------


def test_a_connection_is_kept_for_the_next_message():
    with serving(answering(reply())) as server:
        client = service(server.url())
        assert all(client.send_template(PERSON, TEMPLATE).success for _ in range(5))
        assert (server.connections, len(server.requests)) == (1, 5)


def test_a_connection_that_lay_idle_is_not_used_again(monkeypatch):
    """Else a server's keep-alive limit would turn a harmless message into an uncertain one."""
    with serving(answering(reply())) as server:
        client = service(server.url())
        assert client.send_template(PERSON, TEMPLATE).success
        monkeypatch.setattr(transport, "IDLE", 0.0)
        assert client.send_template(PERSON, TEMPLATE).success
        assert server.connections == 2


def test_a_connection_that_the_server_closed_is_not_used_again():
    closed = threading.Event()

    def handle(connection: socket.socket, _request: Request) -> None:
        connection.sendall(reply())
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(handle) as server:
        client = service(server.url())
        for _ in range(3):
            closed.clear()
            assert client.send_template(PERSON, TEMPLATE).success
            assert closed.wait(2)
        assert server.connections == 3


def test_a_connection_closed_while_the_fence_is_asked_is_replaced():
    gone = threading.Event()
    ask = threading.Event()

    def handle(connection: socket.socket, _request: Request) -> None:
        connection.sendall(reply())
        ask.wait(2)
        connection.shutdown(socket.SHUT_RDWR)
        gone.set()

    def fence() -> bool:
        ask.set()
        gone.wait(2)
        return True

    with serving(handle) as server:
        client = service(server.url())
        assert client.send_template(PERSON, TEMPLATE).success
        assert client.send_template(PERSON, TEMPLATE, before_first_byte=fence).success
        assert server.connections == 2


def test_a_hint_before_the_answer_is_not_taken_for_the_next_messages_answer():
    with serving(answering(b"HTTP/1.1 103 Early Hints\r\n\r\n" + reply())) as server:
        client = service(server.url())
        responses = [client.send_template(PERSON, TEMPLATE) for _ in range(2)]
        assert [response.outcome for response in responses] == [Outcome.UNCERTAIN] * 2
        assert server.connections == 2


def test_threads_do_not_share_answers():
    def handle(connection: socket.socket, request: Request) -> bool:
        body = json.dumps({"status": "success", "messageId": "id-" + request.form["destination"]}).encode()
        connection.sendall(reply(body))
        return True

    wrong: list[str] = []
    with serving(handle) as server:
        client = service(server.url(), deadline=10.0)

        def work(first: int) -> None:
            for number in range(first, first + 25):
                if client.send_template(f"+3363998{number:04}", TEMPLATE).message_id != f"id-3363998{number:04}":
                    wrong.append(str(number))

        threads = [threading.Thread(target=work, args=(start * 25,)) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (wrong, len(server.requests)) == ([], 200)


def test_the_environment_names_no_proxy_for_us(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    with serving(answering(reply())) as server:
        assert send(server.url()).success


# --- the fence ---------------------------------------------------------------------------------------------------


def _raise() -> bool:
    raise RuntimeError("the database is gone")


@pytest.mark.parametrize("fence", [lambda: False, _raise])
def test_a_fence_that_says_no_lets_nothing_out(fence):
    with serving(answering(reply())) as server:
        response = service(server.url()).send_template(PERSON, TEMPLATE, before_first_byte=fence)
        assert (response.outcome, response.error_code) == (Outcome.NOT_SENT, "fenced")
        assert server.requests == []


def test_the_fence_is_asked_once_and_only_when_connected():
    asked: list[int] = []

    def fence() -> bool:
        asked.append(1)
        return True

    refused = service(f"http://127.0.0.1:{free_port()}/wa/api/v1")
    assert refused.send_template(PERSON, TEMPLATE, before_first_byte=fence).outcome is Outcome.NOT_SENT
    assert asked == []
    with serving(answering(reply())) as server:
        assert service(server.url()).send_template(PERSON, TEMPLATE, before_first_byte=fence).success
    assert asked == [1]


def test_a_fence_that_takes_too_long_lets_nothing_out():
    def fence() -> bool:
        threading.Event().wait(0.4)
        return True

    with serving(answering(reply())) as server:
        client = service(server.url(), deadline=0.3)
        assert client.send_template(PERSON, TEMPLATE, before_first_byte=fence).outcome is Outcome.NOT_SENT
        assert server.requests == []


# --- what is said about it ---------------------------------------------------------------------------------------


def test_nothing_personal_and_no_key_is_logged_or_shown(caplog):
    """Validates: 2.6"""
    said = f'{{"status":"error","message":"Number +33 6 39 98 00 01 refused for key {KEY}"}}'.encode()
    text = "Bonjour Léa Canari"
    with caplog.at_level(logging.DEBUG):
        with serving(answering(reply(said, "400 Bad Request"))) as server:
            client = service(server.url())
            responses = [client.send_text_message(PERSON, text), client.send_template(PERSON, TEMPLATE, [text])]
        responses.append(client.send_text_message(PERSON, text))
    shown = caplog.text + repr(client) + repr(responses) + str(responses[0])
    for secret in (KEY, "33639980001", "39 98 00", "Canari"):
        assert secret not in shown
    assert responses[0].error_message == "Number +33 6 39 98 00 01 refused for key ***"
    ours = [record for record in caplog.records if record.name == "gupshup.api"]
    assert len(ours) == 3
    assert "outcome=rejected http=400 code=http_400" in ours[0].getMessage()


def test_an_answer_never_raises_out_of_the_client(monkeypatch):
    def explode(*_: object, **__: object) -> None:
        raise MemoryError

    with serving(answering(reply())) as server:
        monkeypatch.setattr(transport._Adapter, "build_response", explode)
        response = send(server.url())
    assert (response.outcome, response.error_code) == (Outcome.UNCERTAIN, "connection_lost")
