"""The app's templates: a handful that are always there, and those created at run time."""

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
BAD_PARAM = re.compile(r"[\n\r\t]| {5,}")
NAMESPACE = uuid.UUID("8c0f9f0e-6d6b-5a55-9d0f-67757073686f")  # any constant: names of apps and templates hang under it
MEDIA_TYPES = ("IMAGE", "VIDEO", "DOCUMENT", "LOCATION")


def stable_uuid(*names: str) -> str:
    """The same UUID for the same names, for ever and everywhere."""
    return str(uuid.uuid5(NAMESPACE, "/".join(names)))


@dataclass
class Template:
    """One template in one language. `buttons` as in containerMeta: `{"type": "QUICK_REPLY", "text": ...}`."""

    id: str
    name: str
    language: str
    body: str
    category: str = "MARKETING"
    kind: str = "TEXT"
    status: str = "APPROVED"
    header: str = ""
    footer: str = ""
    buttons: list[dict[str, Any]] = field(default_factory=list)
    example: str = ""
    quality: str = "GREEN"
    reason: str = ""
    vertical: str = "Marketing"
    media_url: str = ""
    app_id: str = ""
    created: int = 0
    modified: int = 0

    @property
    def params_due(self) -> int:
        """How many params a send must bring: text header, body, then codes and variable URLs of buttons."""
        texts = len(set(PLACEHOLDER.findall(self.body))) + len(set(PLACEHOLDER.findall(self.header)))
        urls = sum(len(set(PLACEHOLDER.findall(str(one.get("url", ""))))) for one in self.buttons)
        return texts + urls + len([one for one in self.buttons if one.get("type") == "COPY_CODE"])

    @property
    def quick_replies(self) -> list[str]:
        return [str(one["text"]) for one in self.buttons if one.get("type") == "QUICK_REPLY"]

    def complaint(self, params: list[str], message: dict[str, Any] | None) -> str:
        """The code with which WhatsApp would fail this send later, or nothing."""
        if self.status in ("PAUSED", "DISABLED"):
            return "132015" if self.status == "PAUSED" else "132016"
        if self.status != "APPROVED":
            return "132001"
        if len(params) != self.params_due:
            return "132000"
        if any(BAD_PARAM.search(param) or not param.strip() for param in params):
            return "132018"
        if self.kind in MEDIA_TYPES and (message or {}).get("type", "").upper() != self.kind:
            return "132012"
        return ""

    def listed(self) -> dict[str, Any]:
        """The entry of `GET /wa/app/{appId}/template`."""
        labels = "".join(f" | [{one.get('text', '')}]" for one in self.buttons)
        kinds = {"QUICK_REPLY": "QR", "PHONE_NUMBER": "PN"}
        entry: dict[str, Any] = {
            "id": self.id,
            "appId": self.app_id,
            "elementName": self.name,
            "externalId": str(uuid.UUID(self.id).int)[:16],
            "languageCode": self.language,
            "languagePolicy": "deterministic",
            "category": self.category,
            "data": self.body + labels,
            "meta": json.dumps({"example": self.example}),
            "containerMeta": json.dumps(self._container()),
            "buttonSupported": ",".join(sorted({kinds.get(one["type"], one["type"]) for one in self.buttons})),
            "templateType": self.kind,
            "status": self.status,
            "quality": self.quality,
            "stage": "NONE",
            "namespace": "simulated_0000_0000_0000_namespace",
            "wabaId": str(uuid.UUID(self.app_id).int)[:15] if self.app_id else "",
            "vertical": self.vertical,
            "internalCategory": 0,
            "internalType": 0,
            "priority": 1,
            "retry": 0,
            "createdOn": self.created,
            "modifiedOn": self.modified,
        }
        return entry | ({"reason": self.reason} if self.reason else {})

    def _container(self) -> dict[str, Any]:
        data: dict[str, Any] = {"appId": self.app_id, "data": self.body, "sampleText": self.example}
        data |= {"enableSample": True, "editTemplate": False, "allowTemplateCategoryChange": False}
        optional = {"header": self.header, "footer": self.footer, "buttons": self.buttons, "mediaUrl": self.media_url}
        return data | {name: value for name, value in optional.items() if value}

    def touch(self, now: float) -> None:
        self.modified = int(now * 1000)


def _buttons(*labels: str) -> list[dict[str, Any]]:
    return [{"type": "QUICK_REPLY", "text": label} for label in labels]


def defaults(app_name: str, app_id: str) -> list[Template]:
    """The templates of a fresh app. Ids hang on the app's name, the element name and the language only."""
    rows: list[dict[str, Any]] = [
        {
            "name": "bienvenue",
            "language": "fr",
            "body": "Bonjour {{1}}, merci de votre visite ! Répondez à ce message pour recevoir notre guide.",
            "footer": "Répondez STOP pour ne plus recevoir nos messages",
            "example": "Bonjour Élodie, merci de votre visite ! Répondez à ce message pour recevoir notre guide.",
        },
        {
            "name": "bienvenue",
            "language": "en",
            "body": "Hello {{1}}, thank you for your visit! Answer this message to receive our guide.",
            "footer": "Answer STOP to stop receiving our messages",
            "example": "Hello Elodie, thank you for your visit! Answer this message to receive our guide.",
        },
        {
            "name": "promo_rentree",
            "language": "fr",
            "body": "Bonjour {{1}}, -20 % sur {{2}} jusqu'à dimanche. Cela vous intéresse ?",
            "buttons": _buttons("Oui, dites-m'en plus", "Non merci"),
            "example": "Bonjour Karim, -20 % sur les sacs jusqu'à dimanche. Cela vous intéresse ?",
        },
        {
            "name": "seasonal_offer",
            "language": "en",
            "body": "Hello {{1}}, 20 % off {{2}} until Sunday. Are you interested?",
            "buttons": _buttons("Yes, tell me more", "No thanks"),
            "example": "Hello Karim, 20 % off bags until Sunday. Are you interested?",
        },
        {
            "name": "annonce",
            "language": "fr",
            "body": "Notre nouvelle boutique ouvre samedi. Répondez OUI pour recevoir l'adresse.",
            "example": "Notre nouvelle boutique ouvre samedi. Répondez OUI pour recevoir l'adresse.",
        },
        {
            "name": "rappel_rdv",
            "language": "fr",
            "category": "UTILITY",
            "body": "Bonjour {{1}}, votre rendez-vous du {{2}} à {{3}} est confirmé.",
            "example": "Bonjour Asha, votre rendez-vous du 3 mai à 14 h est confirmé.",
        },
        {
            "name": "nouvelle_collection",
            "language": "fr",
            "kind": "IMAGE",
            "body": "Bonjour {{1}}, découvrez notre nouvelle collection.",
            "buttons": [
                {
                    "type": "URL",
                    "text": "Voir",
                    "url": "https://example.com/c/{{1}}",
                    "example": ["https://example.com/c/a"],
                },
                {"type": "PHONE_NUMBER", "text": "Appeler", "phone_number": "+33100000000"},
            ],
            "media_url": "https://example.com/collection.jpg",
            "example": "Bonjour Maëlys, découvrez notre nouvelle collection.",
        },
        {
            "name": "soldes_flash",
            "language": "fr",
            "status": "PAUSED",
            "quality": "RED",
            "body": "Bonjour {{1}}, soldes flash aujourd'hui seulement !",
            "example": "Bonjour João, soldes flash aujourd'hui seulement !",
        },
        {
            "name": "offre_refusee",
            "language": "fr",
            "status": "REJECTED",
            "quality": "UNKNOWN",
            "reason": "INVALID_FORMAT",
            "body": "{{1}} {{2}} {{3}}",
            "example": "a b c",
        },
    ]
    born = int(time.time() * 1000)
    return [
        Template(stable_uuid(app_name, row["name"], row["language"]), app_id=app_id, created=born, modified=born, **row)
        for row in rows
    ]
