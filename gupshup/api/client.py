"""GupshupService: one call, one GupshupResponse, sorted by what the caller can do next.

The provider facts are on Gupshup's pages *Template messages*, *Session messages* and their reference. There is no
idempotency key: a call whose answer is lost is UNCERTAIN and must never be repeated blindly.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

from gupshup.api import messages
from gupshup.api.account import AccountCalls
from gupshup.api.calls import API_URL, CONNECT_TIMEOUT, DEADLINE, Fence
from gupshup.api.events import GupshupWebhookInteraction, interaction_of
from gupshup.api.messages import Buttons, Header, encode, postbacks
from gupshup.api.responses import GupshupResponse, Outcome

ResolveTemplate = Callable[[str, str], str | None]
_NOT_FOUND: Final = "template_unknown"


class GupshupService(AccountCalls):
    """A Gupshup app that sends; the rest of its account is in ``AccountCalls``.

    Every method that sends takes ``before_first_byte``: asked when the connection stands and nothing has been written;
    False (or an exception) means *do not send*, and the answer is NOT_SENT with the code ``fenced``.
    """

    def __init__(
        self,
        api_key: str,
        app_name: str,
        phone_number: str,
        api_url: str = API_URL,
        customer_id: str | None = None,
        app_id: str | None = None,
        *,
        resolve_template: ResolveTemplate | None = None,
        connect_timeout: float = CONNECT_TIMEOUT,
        deadline: float = DEADLINE,
        verify: bool | str = True,
    ) -> None:
        """``resolve_template(name, language)`` answers Gupshup's id, or None; without it, names are taken for ids."""
        super().__init__(
            api_key,
            app_name,
            phone_number,
            api_url,
            customer_id,
            app_id,
            connect_timeout=connect_timeout,
            deadline=deadline,
            verify=verify,
        )
        self._resolve_template = resolve_template
        self.template_url = f"{self.api_url}/template/msg"
        self.message_url = f"{self.api_url}/msg"

    def send_template_message(
        self,
        phone: str,
        template_name: str,
        params: Sequence[object] | None = None,
        language_code: str = "fr",
        *,
        header: Header | Mapping[str, Any] | None = None,
        postback_texts: Buttons | None = None,
        before_first_byte: Fence | None = None,
    ) -> GupshupResponse:
        """Send a template by its name and language, or by its id. An unknown name is HALT: nobody would get it."""
        template_id: str | None = template_name
        if self._resolve_template is not None:
            template_id = self._resolve_template(template_name, language_code)
        if not template_id:
            return self._refuse("template", _NOT_FOUND, Outcome.HALT)
        return self.send_template(
            phone,
            template_id,
            params or (),
            header=header,
            postback_texts=postback_texts,
            before_first_byte=before_first_byte,
        )

    def send_template(
        self,
        destination: str,
        template_id: str,
        params: Sequence[object] = (),
        *,
        header: Header | Mapping[str, Any] | None = None,
        postback_texts: Buttons | None = None,
        expiration: int | None = None,
        product_sections: Sequence[Mapping[str, Any]] | None = None,
        sandbox: bool | None = None,
        before_first_byte: Fence | None = None,
    ) -> GupshupResponse:
        """Send a template by Gupshup's id.

        ``params`` is flat: body first, then cards, coupon code, variable parts of URL buttons; they go out as given.
        ``expiration`` (limited-time offer) is in epoch milliseconds. ``header`` is due at every send of a template
        with media; a mapping is taken as the finished ``message``.
        """
        phone = self.format_phone_number(destination)
        if not phone:
            return self._refuse("template", "invalid_destination")
        template: dict[str, Any] = {"id": template_id, "params": [str(param) for param in params]}
        if expiration is not None:
            template["expiration"] = expiration
        if product_sections is not None:
            template["mpm"] = {"sections": [dict(section) for section in product_sections]}
        form = f"{self._fixed}&destination={phone}&template={quote_plus(encode(template))}"
        if header is not None:
            message = header if isinstance(header, Mapping) else header.message()
            form += f"&message={quote_plus(encode(message))}"
        if postback_texts:
            form += f"&postbackTexts={quote_plus(encode(postbacks(postback_texts)))}"
        if sandbox is not None:
            form += f"&sandbox={'true' if sandbox else 'false'}"
        return self._call("template", "POST", self.template_url, form, sends=True, before_first_byte=before_first_byte)

    def send_text_message(
        self, phone: str, text: str, preview_url: bool = True, *, before_first_byte: Fence | None = None
    ) -> GupshupResponse:
        """Send free text, unchanged. Outside the contact's 24 h window it is accepted, and reported as failed later."""
        if not text.strip() or len(text) > messages.LONGEST_TEXT:
            return self._refuse("message", "text_invalid")
        return self.send_message(
            phone, messages.text(text), disable_preview=not preview_url, before_first_byte=before_first_byte
        )

    def send_message(
        self,
        destination: str,
        message: Mapping[str, Any],
        *,
        disable_preview: bool = False,
        encode_emoji: bool = False,
        before_first_byte: Fence | None = None,
    ) -> GupshupResponse:
        """Send any session message that ``gupshup.api.messages`` builds. ``encode_emoji`` is for lists with emoji."""
        phone = self.format_phone_number(destination)
        if not phone:
            return self._refuse("message", "invalid_destination")
        form = f"{self._fixed}&destination={phone}&message={quote_plus(encode(message))}"
        if disable_preview:
            form += "&disablePreview=true"
        if encode_emoji:
            form += "&encode=true"
        return self._call("message", "POST", self.message_url, form, sends=True, before_first_byte=before_first_byte)

    @staticmethod
    def parse_webhook_payload(payload: Mapping[str, Any] | bytes | str) -> GupshupWebhookInteraction | None:
        """The first message or status of a callback; None for anything else. (``events.parse`` tells everything.)"""
        return interaction_of(payload)
