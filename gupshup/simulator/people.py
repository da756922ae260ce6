"""Who receives, and what they do with it: the same person for the same seed and number, in every run."""

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gupshup.simulator.faults import ALWAYS, ONCE


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one person does with a template message that reached them.

    `reads`: blue ticks come. `answer`: what they send back, or nothing; `answers`: how often, at one instant.
    `after`: simulated hours before the answer, 0 for the usual delay. `fails`: the code that is reported instead of
    a delivery. `chatty`: answers session messages too. `no_phone`: known by WhatsApp user id only.
    """

    name: str
    digits: str
    says: str
    reads: bool = True
    answer: str = ""
    answers: int = 1
    after: float = 0.0
    fails: str = ""
    chatty: bool = False
    no_phone: bool = False


BEHAVIOURS = (
    Behaviour("reads", "5001", "receives and reads, never answers"),
    Behaviour("never_reads", "5002", "receives, never reads (or has read receipts off)", reads=False),
    Behaviour("replies", "5003", "answers with a text", answer="text"),
    Behaviour("replies_unread", "5004", "answers with a text, without any `read`", reads=False, answer="text"),
    Behaviour("taps_button", "5005", "taps a button of the template, or writes its words", answer="button"),
    Behaviour("replies_emoji", "5006", "answers with one emoji", answer="emoji"),
    Behaviour("reacts", "5007", "puts a reaction on the message", answer="reaction"),
    Behaviour("replies_image", "5008", "answers with a picture", answer="image"),
    Behaviour("replies_list", "5009", "chooses from a list", answer="list"),
    Behaviour("replies_voice", "5010", "answers with a voice message", answer="voice"),
    Behaviour("replies_location", "5011", "answers with a place", answer="location"),
    Behaviour("replies_twice", "5012", "sends two texts at the same instant", answer="text", answers=2),
    Behaviour("replies_late", "5013", "answers 25 hours later", answer="text", after=25.0),
    Behaviour("stops", "5014", "answers STOP", answer="stop"),
    Behaviour("opts_out", "5015", "stops marketing messages in WhatsApp (preference-event)", answer="preference"),
    Behaviour("chatty", "5016", "answers everything, Message 2 as well", answer="text", chatty=True),
    Behaviour("no_phone", "5017", "answers without a phone number (user id only)", answer="text", no_phone=True),
    Behaviour("no_whatsapp", "5018", "is not on WhatsApp: 1002", fails="1002"),
    Behaviour("undeliverable", "5019", "cannot be reached: 131026", fails="131026"),
    Behaviour("delivered_late", "5020", "131026 first, delivered after all", fails="131026_then_delivered"),
    Behaviour("capped", "5021", "had enough marketing from others: 131049", fails="131049"),
    Behaviour("opens_chat", "5022", "opens the chat (request_welcome), writes nothing", answer="welcome"),
)
BY_NAME = {behaviour.name: behaviour for behaviour in BEHAVIOURS}
BY_DIGITS = {behaviour.digits: behaviour for behaviour in BEHAVIOURS}

REPLIES = (
    "Bonjour, oui ça m'intéresse !",
    "Oui merci 👍",
    "C'est à quel prix ?",
    "Vous êtes ouverts samedi ?",
    "Merci beaucoup,\nje passe demain",
    "Yes please",
    "Could you tell me more?",
    "ok",
    "Je ne sais pas encore… à voir",
)
EMOJI = ("👍", "❤️", "😂", "🙏", "👍🏽", "🎉")
STOPS = ("STOP", "Stop", "stop", "ARRET", "Arrêt")
NAMES = ("Élodie", "Karim", "Asha", "João", "Maëlys", "Li Wei", "Fatou", "Sven", "O'Brien", "")

Range = tuple[float, float]


@dataclass
class Profile:
    """How the people are mixed. Delays are (least, most) simulated seconds; `enqueued` counts from the acceptance,
    each other one from the event before it; `read` and `reply` from the delivery."""

    weights: dict[str, float] = field(default_factory=lambda: {"reads": 1.0})
    enqueued: Range = (0.1, 0.5)
    sent: Range = (0.2, 1.0)
    delivered: Range = (0.3, 2.0)
    read: Range = (2.0, 30.0)
    reply: Range = (5.0, 60.0)
    brazil: bool = True  # numbers 55 + 2 + 9 + 8 digits live on WhatsApp without the 9
    quoted: float = 0.4  # share of typed answers that quote the message

    @classmethod
    def load(cls, text: str) -> "Profile":
        """A name of `PROFILES`, of a behaviour, `name=weight,...`, JSON, or a JSON file. Raises ValueError."""
        if text in PROFILES:
            return PROFILES[text]
        if text.lstrip().startswith("{"):
            return cls.read_data(json.loads(text))
        if text in BY_NAME or "=" in text:
            pairs = (item.partition("=") for item in text.split(","))
            return cls.read_data({"weights": {name.strip(): float(weight or 1) for name, _, weight in pairs}})
        if Path(text).is_file():
            return cls.read_data(json.loads(Path(text).read_text("utf-8")))
        raise ValueError(f"no behaviour profile or file is called {text!r}; profiles: {', '.join(PROFILES)}")

    @classmethod
    def read_data(cls, data: Mapping[str, Any]) -> "Profile":
        unknown = set(data) - {one.name for one in fields(cls)}
        if unknown:
            raise ValueError(f"a behaviour profile has no field {', '.join(sorted(unknown))}")
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        profile = cls(**values)
        strangers = set(profile.weights) - set(BY_NAME)
        if strangers or not any(weight > 0 for weight in profile.weights.values()):
            raise ValueError(
                f"weights name behaviours: {', '.join(BY_NAME)}; not {', '.join(sorted(strangers)) or '0'}"
            )
        return profile

    def as_data(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}


_MIX = {
    "reads": 38,
    "never_reads": 12,
    "replies": 15,
    "replies_unread": 2,
    "taps_button": 9,
    "replies_emoji": 4,
    "reacts": 3,
    "replies_image": 2,
    "replies_voice": 1,
    "replies_list": 1,
    "replies_twice": 2,
    "stops": 3,
    "opts_out": 1,
    "no_whatsapp": 2,
    "undeliverable": 3,
    "delivered_late": 1,
    "capped": 1,
}
_RARE = {"replies_late": 3, "chatty": 3, "no_phone": 1, "opens_chat": 1, "replies_location": 1}
PROFILES = {
    "default": Profile({name: float(weight) for name, weight in _MIX.items()}),
    "quiet": Profile({"reads": 1.0}),
    "none": Profile({"never_reads": 1.0}),
    "all-reply": Profile({"replies": 1.0}, quoted=0.5),
    "lively": Profile({name: float(weight) for name, weight in (_MIX | _RARE).items()}),
}


class Person:
    """One destination: their character and what they have done. `wrote` is monotonic, when they last wrote to us."""

    __slots__ = ("answers", "behaviour", "calls", "dice", "name", "number", "opted_out", "user_id", "wa_id", "wrote")

    def __init__(self, number: str, seed: int, profile: Profile) -> None:
        dice = random.Random(f"{seed}/person/{number}")
        self.number = number
        self.behaviour = behaviour_of(number, dice, profile)
        self.name = dice.choice(NAMES)
        self.user_id = f"{country_letters(number)}.{dice.randrange(10**15, 10**16)}"
        self.wa_id = whatsapp_id(number) if profile.brazil else number
        self.dice = dice
        self.calls = 0
        self.answers = 0
        self.wrote: float | None = None
        self.opted_out = False


def behaviour_of(number: str, dice: random.Random, profile: Profile) -> Behaviour:
    if number[-6:-4] in (ALWAYS, ONCE) and number[-4:] in BY_DIGITS:
        return BY_DIGITS[number[-4:]]
    return BY_NAME[dice.choices(list(profile.weights), list(profile.weights.values()))[0]]


def whatsapp_id(number: str) -> str:
    """The number under which WhatsApp knows a dialled one: Brazilian mobiles lose their ninth digit."""
    if len(number) == 13 and number.startswith("55") and number[4] == "9":
        return number[:4] + number[5:]
    return number


TWO_DIGIT_COUNTRY = re.compile("2[078]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
LETTERS = {"33": "FR", "32": "BE", "41": "CH", "44": "GB", "49": "DE", "55": "BR", "91": "IN", "1": "US", "34": "ES"}


def country_code(number: str) -> str:
    """The calling code at the start of a number, by the plan of ITU E.164."""
    if number[:1] in ("1", "7"):
        return number[:1]
    return number[:2] if TWO_DIGIT_COUNTRY.match(number) else number[:3]


def country_letters(number: str) -> str:
    return LETTERS.get(country_code(number), "XX")
