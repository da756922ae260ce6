"""What every error of the provider means to us: one table, from a code to what is done and said.

Three vocabularies meet here: Gupshup's own codes, WhatsApp's (Meta's Cloud API and the retired on-premises API, passed
on by Gupshup) and, for calls, words of our own (``read_timeout``, ``http_404``). The meanings come from Gupshup's page
*Error codes* and Meta's *Error codes*; the actions are this project's. Decide by code, never by text: texts are only
looked at (``by_text``) when an answer carries no code at all.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from gupshup.api.reading import clean


class Words(NamedTuple):
    """One sentence in both languages; the caller picks (this package knows no gettext)."""

    fr: str
    en: str


class Fault(StrEnum):
    """Whose doing it is, so that a report can say where to look."""

    PERSON = "person"  # this recipient, or his number
    CONTENT = "content"  # the template, the parameters or the media
    SENDER = "sender"  # our account: key, number, wallet, quality, payment
    PROVIDER = "provider"  # Gupshup
    WHATSAPP = "whatsapp"  # Meta: its service or its rules
    NETWORK = "network"  # the way between us and Gupshup
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What the system does with the message, and with what comes after it."""

    RETRY = "retry"  # passing trouble: again after a delay
    SLOW_DOWN = "slow_down"  # too fast: push the pace back, then again
    FAIL = "fail"  # this message only
    WAIT_24H = "wait_24h"  # this message, and nothing to this person for a day
    INVALID_NUMBER = "invalid_number"  # this message, and mark the number as unusable
    SUPPRESS = "suppress"  # this message, and never write to this person again
    SUPPRESS_MARKETING = "suppress_marketing"  # this message, and no marketing to this person again
    PAUSE_CAMPAIGN = "pause_campaign"  # everybody else of the campaign would fail too
    HALT_SENDER = "halt_sender"  # everybody else of the sender would fail too
    HOLD = "hold"  # nobody can know whether it went: never again by the program
    SHOW = "show"  # an answer to a person at work (template or subscription form)


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One line of the catalogue. ``delay``: the least wait before another try, in seconds, where one is known."""

    code: str
    name: str
    fault: Fault
    action: Action
    what: Words
    advice: Words
    delay: int | None = None
    known: bool = True

    @property
    def retries(self) -> bool:
        """May the same message be tried again after a delay? Only where a refusal is sure and passing."""
        return self.action in (Action.RETRY, Action.SLOW_DOWN)

    @property
    def halts(self) -> str | None:
        """What must stop, because the next message would fail too: ``"sender"``, ``"campaign"`` or nothing."""
        return _SCOPES.get(self.action)


_SCOPES: Final = {Action.HALT_SENDER: "sender", Action.PAUSE_CAMPAIGN: "campaign"}

_WAIT: Final = Words(
    "Rien à faire : l'envoi est retenté automatiquement.", "Nothing to do: sending is tried again automatically."
)
_NOTHING: Final = Words(
    "Rien à faire : les autres contacts ne sont pas touchés.", "Nothing to do: other contacts are not affected."
)
_ACCOUNT: Final = Words(
    "Ouvrez le tableau de bord Gupshup, réglez le problème du compte, puis relancez l'expéditeur.",
    "Open the Gupshup dashboard, settle the account's problem, then start the sender again.",
)
_REGISTRATION: Final = Words(
    "Demandez à Gupshup de vérifier l'enregistrement du numéro, puis relancez l'expéditeur.",
    "Ask Gupshup to check the registration of the number, then start the sender again.",
)
_TEMPLATE: Final = Words(
    "Vérifiez le modèle dans la page Modèles, choisissez-en un approuvé, puis reprenez la campagne.",
    "Check the template on the Templates page, choose an approved one, then resume the campaign.",
)
_EDIT_TEMPLATE: Final = Words(
    "Corrigez le modèle comme indiqué, puis soumettez-le de nouveau.",
    "Correct the template as the message says, then submit it again.",
)
_MEDIA: Final = Words(
    "Vérifiez que l'adresse du média est publique, du bon type et assez légère, puis reprenez la campagne.",
    "Check that the media address is public, of the right type and small enough, then resume the campaign.",
)
_CHECK_NUMBER: Final = Words(
    "Vérifiez le numéro auprès de la personne, ou retirez-le de vos listes.",
    "Check the number with the person, or take it off your lists.",
)
_CHECK_SETTINGS: Final = Words(
    "Vérifiez ensemble la clé, le nom de l'application et le numéro de l'expéditeur, puis relancez-le.",
    "Check the key, the app name and the sender's number together, then start the sender again.",
)
_HOLD: Final = Words(
    "Attendez : le rapport de Gupshup tranchera. Après 24 h, décidez vous-même de renvoyer ou d'abandonner.",
    "Wait: Gupshup's report will settle it. After 24 h, decide yourself to resend or give up.",
)
_SUPPORT: Final = Words(
    "Signalez ce code au support technique ; ne relancez pas la campagne avant sa réponse.",
    "Report this code to technical support; do not resume the campaign before they answer.",
)

_Row = tuple[str, str, Fault, Action, Words, Words]


def _row(codes: str, name: str, fault: Fault, action: Action, fr: str, en: str, advice: Words) -> _Row:
    return codes, name, fault, action, Words(fr, en), advice


_P, _C, _S = Fault.PERSON, Fault.CONTENT, Fault.SENDER
_G, _W, _N = Fault.PROVIDER, Fault.WHATSAPP, Fault.NETWORK

# fmt: off
_GUPSHUP: Final = (
    _row("500", "internal_error", _G, Action.RETRY,
         "Erreur interne de Gupshup.", "Internal error at Gupshup.", _WAIT),
    _row("503", "connection_failed", _G, Action.RETRY,
         "Gupshup n'a pas pu joindre WhatsApp.", "Gupshup could not reach WhatsApp.", _WAIT),
    _row("1001", "sender_mismatch", _S, Action.HALT_SENDER,
         "Le nom de l'application ne correspond pas au numéro de l'expéditeur.",
         "The app name does not fit the sender's number.", _CHECK_SETTINGS),
    _row("1002", "not_on_whatsapp", _P, Action.INVALID_NUMBER,
         "Ce numéro n'a pas de compte WhatsApp.", "This number has no WhatsApp account.", _CHECK_NUMBER),
    _row("1003", "wallet_low", _S, Action.HALT_SENDER,
         "Le portefeuille Gupshup est vide ou presque.", "The Gupshup wallet is empty or nearly so.",
         Words("Rechargez le portefeuille Gupshup, puis relancez l'expéditeur.",
               "Top up the Gupshup wallet, then start the sender again.")),
    _row("1004", "user_inactive", _P, Action.FAIL,
         "La personne n'a pas écrit récemment et les modèles sont désactivés sur l'application.",
         "The person has not written lately and templates are disabled for the app.",
         Words("Activez l'envoi de modèles dans l'application Gupshup, ou attendez que la personne écrive.",
               "Enable template messaging in the Gupshup app, or wait until the person writes.")),
    _row("1005", "no_template_match", _C, Action.FAIL,
         "Hors de la fenêtre de 24 h, ce texte ne correspond à aucun modèle approuvé.",
         "Outside the 24 h window, this text matches no approved template.",
         Words("Écrivez à cette personne avec un modèle approuvé.", "Write to this person with an approved template.")),
    _row("1006 1007 1008", "no_opt_in", _P, Action.FAIL,
         "Gupshup ne connaît pas le consentement de cette personne.", "Gupshup knows no opt-in of this person.",
         Words("Assurez-vous d'avoir le consentement de la personne avant de lui réécrire.",
               "Make sure that you have the person's consent before writing again.")),
    _row("1009", "missing_parameter", _C, Action.PAUSE_CAMPAIGN,
         "Il manque une information obligatoire dans la demande.", "The request lacks a required field.", _SUPPORT),
    _row("1010", "media_url_invalid", _C, Action.PAUSE_CAMPAIGN,
         "L'adresse du média n'est pas valable.", "The media address is not valid.", _MEDIA),
    _row("1011", "media_too_big", _C, Action.PAUSE_CAMPAIGN,
         "Le média est trop volumineux.", "The media file is too big.", _MEDIA),
    _row("1012", "opted_out", _P, Action.SUPPRESS,
         "La personne s'est désinscrite.", "The person has opted out.",
         Words("Ne lui écrivez plus : sa désinscription a été enregistrée.",
               "Do not write to this person again: the opt-out has been recorded.")),
    _row("1013", "user_not_valid", _P, Action.INVALID_NUMBER,
         "WhatsApp ne reconnaît pas ce numéro.", "WhatsApp does not know this number.", _CHECK_NUMBER),
    _row("4001", "api_rate_limited", _S, Action.SLOW_DOWN,
         "Gupshup demande de ralentir les envois.", "Gupshup asks us to slow down.",
         Words("Baissez le débit de l'expéditeur ; si cela dure, écrivez à Gupshup.",
               "Lower the sender's rate; if it lasts, write to Gupshup.")),
    _row("4002", "invalid_whatsapp_answer", _W, Action.RETRY,
         "Gupshup a reçu de WhatsApp une réponse incompréhensible.",
         "Gupshup got an unreadable answer from WhatsApp.", _WAIT),
    _row("4003", "template_no_match", _C, Action.PAUSE_CAMPAIGN,
         "Aucun modèle ne correspond à cet envoi.", "No template matches this message.", _TEMPLATE),
    _row("4004", "cloud_api_only", _S, Action.PAUSE_CAMPAIGN,
         "Cette fonction n'existe que sur la Cloud API de WhatsApp.",
         "This feature exists on WhatsApp's Cloud API only.", _SUPPORT),
    _row("4005", "template_paused", _C, Action.PAUSE_CAMPAIGN,
         "Le modèle est en pause.", "The template is paused.",
         Words("Attendez la fin de la pause ou choisissez un autre modèle, puis reprenez la campagne.",
               "Wait until the pause ends or choose another template, then resume the campaign.")),
)

_ON_PREMISES: Final = (
    _row("400 407 408 410 480", "request_trouble", _W, Action.RETRY,
         "Incident de connexion chez WhatsApp.", "Connection trouble at WhatsApp.", _WAIT),
    _row("470", "window_closed", _P, Action.FAIL,
         "Plus de 24 h ont passé depuis le dernier message de la personne.",
         "More than 24 h have passed since the person last wrote.",
         Words("Écrivez à cette personne avec un modèle approuvé.", "Write to this person with an approved template.")),
    _row("471", "spam_rate_limit", _S, Action.HALT_SENDER,
         "WhatsApp limite ce numéro : trop de messages ont été bloqués ou signalés.",
         "WhatsApp limits this number: too many messages were blocked or reported.",
         Words("Attendez demain, ciblez des contacts plus engagés, puis relancez l'expéditeur.",
               "Wait until tomorrow, aim at more engaged contacts, then start the sender again.")),
    _row("472", "experiment", _W, Action.FAIL,
         "Meta retient le marketing pour cette personne (expérience en cours).",
         "Meta holds marketing back for this person (running experiment).", _NOTHING),
    _row("1026", "receiver_incapable", _P, Action.FAIL,
         "Le téléphone de la personne ne sait pas afficher ce message.",
         "The person's phone cannot show this message.", _NOTHING),
    _row("2000", "params_mismatch", _C, Action.PAUSE_CAMPAIGN,
         "Le nombre de variables ne correspond pas au modèle.",
         "The number of variables does not fit the template.", _TEMPLATE),
    _row("2001", "template_missing", _C, Action.PAUSE_CAMPAIGN,
         "Le modèle n'existe pas dans cette langue.", "The template does not exist in this language.", _TEMPLATE),
    _row("2005", "text_too_long", _C, Action.FAIL,
         "Le texte est trop long une fois les variables remplies.",
         "The text is too long once the variables are filled in.",
         Words("Raccourcissez les valeurs de ce contact.", "Shorten this contact's values.")),
    _row("2017", "policy_violation", _C, Action.PAUSE_CAMPAIGN,
         "Le contenu enfreint les règles de WhatsApp.", "The content breaks WhatsApp's rules.", _TEMPLATE),
)

_META: Final = (
    _row("0 3 10 190 131005", "access_denied", _G, Action.HALT_SENDER,
         "Gupshup n'a plus l'autorisation d'agir sur ce compte WhatsApp.",
         "Gupshup is no longer authorised on this WhatsApp account.", _ACCOUNT),
    _row("1 2", "service_down", _W, Action.RETRY,
         "WhatsApp est momentanément indisponible.", "WhatsApp is down for a moment.", _WAIT),
    _row("4 80007 130429", "throughput_limit", _W, Action.SLOW_DOWN,
         "WhatsApp demande de ralentir les envois.", "WhatsApp asks us to slow down.",
         Words("Rien à faire : le débit est réduit automatiquement. Si cela dure, baissez-le.",
               "Nothing to do: the rate is lowered automatically. If it lasts, lower it yourself.")),
    _row("33 100 131008 131009 135000", "bad_parameter", _C, Action.FAIL,
         "WhatsApp refuse une valeur de ce message.", "WhatsApp refuses a value of this message.",
         Words("Vérifiez le numéro et les variables de ce contact ; si tous échouent, vérifiez le modèle.",
               "Check this contact's number and variables; if everybody fails, check the template.")),
    _row("368", "policy_block", _S, Action.HALT_SENDER,
         "WhatsApp a bloqué le compte pour non-respect de ses règles.",
         "WhatsApp has blocked the account for breaking its rules.", _ACCOUNT),
    _row("130472", "experiment", _W, Action.FAIL,
         "Meta retient le marketing pour cette personne (expérience en cours).",
         "Meta holds marketing back for this person (running experiment).", _NOTHING),
    _row("130497", "country_not_allowed", _S, Action.FAIL,
         "Votre compte ne peut pas écrire aux personnes de ce pays.",
         "Your account may not write to people of this country.",
         Words("Retirez les contacts de ce pays de vos campagnes.",
               "Leave contacts of this country out of your campaigns.")),
    _row("131000", "something_went_wrong", _W, Action.RETRY,
         "WhatsApp a rencontré une erreur passagère.", "Something went wrong at WhatsApp for a moment.", _WAIT),
    _row("131014", "media_request_failed", _C, Action.FAIL,
         "WhatsApp n'a pas pu télécharger le média.", "WhatsApp could not download the media.", _MEDIA),
    _row("131016 131057 133004 2494100", "service_unavailable", _W, Action.RETRY,
         "WhatsApp est indisponible ou en maintenance.", "WhatsApp is unavailable or under maintenance.", _WAIT),
    _row("131021", "recipient_is_sender", _P, Action.FAIL,
         "Le destinataire est le numéro de l'expéditeur.", "The recipient is the sender's own number.",
         Words("Retirez votre propre numéro de vos listes.", "Take your own number off your lists.")),
    _row("131026", "undeliverable", _P, Action.FAIL,
         "Message non distribuable : pas de WhatsApp, version trop ancienne ou conditions non acceptées.",
         "Undeliverable: no WhatsApp, too old a version, or terms not accepted.", _CHECK_NUMBER),
    _row("131031", "account_locked", _S, Action.HALT_SENDER,
         "Le compte WhatsApp est verrouillé.", "The WhatsApp account is locked.", _ACCOUNT),
    _row("131037", "display_name_not_approved", _S, Action.HALT_SENDER,
         "Le nom affiché du numéro n'est pas approuvé.", "The number's display name is not approved.",
         Words("Faites approuver le nom affiché dans le tableau de bord Gupshup, puis relancez l'expéditeur.",
               "Have the display name approved in the Gupshup dashboard, then start the sender again.")),
    _row("131042", "payment_trouble", _S, Action.HALT_SENDER,
         "Un problème de paiement bloque le compte WhatsApp.", "A payment problem blocks the WhatsApp account.",
         Words("Réglez le moyen de paiement du compte, puis relancez l'expéditeur.",
               "Settle the account's payment method, then start the sender again.")),
    _row("131045", "certificate_trouble", _S, Action.HALT_SENDER,
         "L'enregistrement du numéro n'est pas valable.", "The registration of the number is not valid.",
         _REGISTRATION),
    _row("131047", "window_closed", _P, Action.FAIL,
         "Plus de 24 h ont passé depuis le dernier message de la personne.",
         "More than 24 h have passed since the person last wrote.",
         Words("Écrivez à cette personne avec un modèle approuvé.", "Write to this person with an approved template.")),
    _row("131048", "spam_rate_limit", _S, Action.HALT_SENDER,
         "WhatsApp limite ce numéro : trop de messages ont été bloqués ou signalés.",
         "WhatsApp limits this number: too many messages were blocked or reported.",
         Words("Attendez demain, ciblez des contacts plus engagés, puis relancez l'expéditeur.",
               "Wait until tomorrow, aim at more engaged contacts, then start the sender again.")),
    _row("131049", "held_back_by_meta", _W, Action.WAIT_24H,
         "Retenu par Meta : cette personne a déjà reçu beaucoup de messages marketing.",
         "Held back by Meta: this person has had many marketing messages already.",
         Words("N'écrivez pas de nouveau à cette personne avant 24 h.",
               "Do not write to this person again within 24 h.")),
    _row("131050", "marketing_stopped", _P, Action.SUPPRESS_MARKETING,
         "La personne a demandé à WhatsApp de ne plus recevoir votre marketing.",
         "The person told WhatsApp to stop your marketing messages.",
         Words("Ne lui envoyez plus de marketing : elle seule peut le réactiver.",
               "Send this person no more marketing: only the person can turn it on again.")),
    _row("131051", "type_not_supported", _C, Action.FAIL,
         "WhatsApp ne prend pas en charge ce type de message.", "WhatsApp does not support this type of message.",
         _NOTHING),
    _row("131052 131053", "media_trouble", _C, Action.FAIL,
         "WhatsApp n'a pas pu lire le média.", "WhatsApp could not read the media.", _MEDIA),
    _row("131055 131063 134100 134102", "marketing_endpoint", _S, Action.PAUSE_CAMPAIGN,
         "Ce modèle ne peut pas partir par la voie marketing de WhatsApp.",
         "This template cannot go through WhatsApp's marketing route.", _SUPPORT),
    _row("134101", "template_syncing", _C, Action.RETRY,
         "Le modèle est encore en cours de synchronisation chez WhatsApp.",
         "The template is still being synchronised at WhatsApp.", _WAIT),
    _row("131056", "pair_rate_limit", _P, Action.RETRY,
         "Trop de messages en peu de temps à la même personne.",
         "Too many messages to the same person in a short time.", _WAIT),
    _row("131064", "misclassified_templates", _C, Action.PAUSE_CAMPAIGN,
         "Limite atteinte pour des modèles classés dans la mauvaise catégorie.",
         "Limit reached for templates in the wrong category.", _TEMPLATE),
    _row("132000", "params_mismatch", _C, Action.PAUSE_CAMPAIGN,
         "Le nombre de variables ne correspond pas au modèle.",
         "The number of variables does not fit the template.",
         Words("Synchronisez les modèles, vérifiez les variables de la campagne, puis reprenez-la.",
               "Synchronise the templates, check the campaign's variables, then resume it.")),
    _row("132001", "template_missing", _C, Action.PAUSE_CAMPAIGN,
         "Le modèle n'existe pas ou n'est pas approuvé dans cette langue.",
         "The template does not exist or is not approved in this language.", _TEMPLATE),
    _row("132005", "text_too_long", _C, Action.FAIL,
         "Le texte est trop long une fois les variables remplies.",
         "The text is too long once the variables are filled in.",
         Words("Raccourcissez les valeurs de ce contact.", "Shorten this contact's values.")),
    _row("132007", "policy_violation", _C, Action.PAUSE_CAMPAIGN,
         "Le contenu du modèle enfreint les règles de WhatsApp.", "The template's content breaks WhatsApp's rules.",
         _TEMPLATE),
    _row("132012", "param_format", _C, Action.FAIL,
         "Une variable n'a pas la forme attendue par le modèle.",
         "A variable does not have the form the template expects.",
         Words("Corrigez les valeurs de ce contact ; si tous échouent, vérifiez le modèle.",
               "Correct this contact's values; if everybody fails, check the template.")),
    _row("132015", "template_paused", _C, Action.PAUSE_CAMPAIGN,
         "WhatsApp a mis le modèle en pause à cause de sa qualité.",
         "WhatsApp has paused the template for its quality.",
         Words("Attendez la fin de la pause ou choisissez un autre modèle, puis reprenez la campagne.",
               "Wait until the pause ends or choose another template, then resume the campaign.")),
    _row("132016", "template_disabled", _C, Action.PAUSE_CAMPAIGN,
         "WhatsApp a désactivé le modèle définitivement.", "WhatsApp has disabled the template for good.",
         Words("Créez un nouveau modèle, faites-le approuver, puis changez celui de la campagne.",
               "Create a new template, have it approved, then use it in the campaign.")),
    _row("132018", "param_characters", _C, Action.FAIL,
         "Une variable contient un retour à la ligne, une tabulation, plus de quatre espaces de suite, ou rien.",
         "A variable holds a line break, a tab, more than four spaces in a row, or nothing.",
         Words("Nettoyez les valeurs de ce contact, puis renvoyez-lui le message.",
               "Clean this contact's values, then send the message again.")),
    _row("132068", "flow_blocked", _C, Action.PAUSE_CAMPAIGN,
         "Le formulaire WhatsApp (Flow) de ce modèle est bloqué.", "This template's WhatsApp Flow is blocked.",
         _TEMPLATE),
    _row("132069", "flow_throttled", _C, Action.PAUSE_CAMPAIGN,
         "Le formulaire WhatsApp (Flow) de ce modèle est limité.", "This template's WhatsApp Flow is throttled.",
         _TEMPLATE),
    _row("133000 133005 133006 133008 133009 133010 133015 133016", "not_registered", _S, Action.HALT_SENDER,
         "Le numéro n'est pas, ou plus, enregistré chez WhatsApp.",
         "The number is not, or no longer, registered with WhatsApp.", _REGISTRATION),
    _row("134011", "payments_terms", _S, Action.HALT_SENDER,
         "Les conditions de paiement de WhatsApp ne sont pas acceptées.",
         "WhatsApp's payment terms are not accepted.", _ACCOUNT),
    _row("2388019", "too_many_templates", _S, Action.SHOW,
         "La limite de 250 modèles est atteinte.", "The limit of 250 templates is reached.",
         Words("Supprimez des modèles inutilisés, ou faites vérifier votre entreprise.",
               "Delete unused templates, or have your business verified.")),
    _row("2388040", "template_too_long", _C, Action.SHOW,
         "Un champ du modèle est trop long.", "A field of the template is too long.", _EDIT_TEMPLATE),
    _row("2388047", "template_header_format", _C, Action.SHOW,
         "L'en-tête du modèle n'a pas la bonne forme.", "The template's header is malformed.", _EDIT_TEMPLATE),
    _row("2388072", "template_body_format", _C, Action.SHOW,
         "Le corps du modèle n'a pas la bonne forme.", "The template's body is malformed.", _EDIT_TEMPLATE),
    _row("2388073", "template_footer_format", _C, Action.SHOW,
         "Le pied de page du modèle n'a pas la bonne forme.", "The template's footer is malformed.", _EDIT_TEMPLATE),
    _row("2388293", "template_too_many_variables", _C, Action.SHOW,
         "Le modèle a trop de variables pour si peu de texte.",
         "The template has too many variables for so little text.",
         _EDIT_TEMPLATE),
    _row("2388299", "template_variable_at_edge", _C, Action.SHOW,
         "Une variable se trouve au début ou à la fin du texte.",
         "A variable stands at the start or the end of the text.",
         _EDIT_TEMPLATE),
)

# The Enterprise gateway (SMSGupShup): three characters, zeros kept, so that "003" never meets Meta's 3.
_ENTERPRISE: Final = (
    _row("001", "absent_subscriber", _P, Action.FAIL,
         "La personne était injoignable.", "The person could not be reached.", _NOTHING),
    _row("002", "call_barred", _P, Action.FAIL,
         "Le numéro refuse les messages.", "The number refuses messages.", _NOTHING),
    _row("003", "unknown_subscriber", _P, Action.INVALID_NUMBER,
         "Ce numéro n'existe pas.", "This number does not exist.", _CHECK_NUMBER),
    _row("004", "service_down", _G, Action.RETRY,
         "Le service était arrêté.", "The service was down.", _WAIT),
    _row("005", "system_failure", _G, Action.RETRY,
         "Panne chez l'opérateur ou chez Gupshup.", "Failure at the operator or at Gupshup.", _WAIT),
    _row("006 008", "do_not_disturb", _P, Action.FAIL,
         "Le numéro est inscrit sur une liste anti-démarchage.", "The number is on a do-not-disturb list.", _NOTHING),
    _row("007", "blocked", _P, Action.SUPPRESS,
         "La personne a bloqué vos messages.", "The person has blocked your messages.",
         Words("Ne lui écrivez plus.", "Do not write to this person again.")),
    _row("009", "outside_working_hours", _S, Action.FAIL,
         "Envoi hors des heures permises.", "Sent outside the permitted hours.",
         Words("Planifiez vos envois aux heures permises.", "Schedule your messages in the permitted hours.")),
    _row("00a", "other", Fault.UNKNOWN, Action.FAIL,
         "Échec sans raison précise.", "Failed for no stated reason.", _NOTHING),
    _row("00b", "blocked_mask", _S, Action.FAIL,
         "L'identifiant de l'expéditeur est bloqué pour ce numéro.", "The sender's id is blocked for this number.",
         _NOTHING),
    _row("00c", "centre_timeout", _G, Action.RETRY,
         "Le centre de messages n'a pas répondu à temps.", "The message centre did not answer in time.", _WAIT),
    _row("00d 00e", "cancelled", _S, Action.FAIL,
         "L'envoi a été annulé.", "The message was cancelled.", _NOTHING),
    _row("010", "deferred", _G, Action.RETRY,
         "L'envoi a été différé.", "The message was deferred.", _WAIT),
    _row("011", "inbox_full", _P, Action.FAIL,
         "La boîte de réception de la personne est pleine.", "The person's inbox is full.", _NOTHING),
    _row("012", "congestion", _G, Action.RETRY,
         "Le réseau était saturé.", "The network was congested.", _WAIT),
    _row("013", "no_acknowledgement", _G, Action.FAIL,
         "L'opérateur n'a pas accusé réception.", "The operator did not acknowledge.", _NOTHING),
    _row("038", "template_no_match", _C, Action.PAUSE_CAMPAIGN,
         "Le texte ne correspond à aucun modèle approuvé.", "The text matches no approved template.", _TEMPLATE),
    _row("102", "wrong_account", _S, Action.HALT_SENDER,
         "Identifiant ou mot de passe Gupshup incorrect.", "Wrong Gupshup user or password.", _CHECK_SETTINGS),
    _row("106", "method_not_supported", _S, Action.HALT_SENDER,
         "Ce compte ne peut pas envoyer ce type de message.", "This account cannot send this type of message.",
         _ACCOUNT),
)

# Answers that carry a text and no code, under names of our own.
_TEXTS: Final = (
    _row("authentication_failed", "authentication_failed", _S, Action.HALT_SENDER,
         "Gupshup refuse la clé API.", "Gupshup refuses the API key.",
         Words("Copiez de nouveau la clé depuis les réglages de l'application Gupshup, puis relancez l'expéditeur.",
               "Copy the key again from the Gupshup app's settings, then start the sender again.")),
    _row("invalid_app_details", "invalid_app_details", _S, Action.HALT_SENDER,
         "Le nom de l'application, le numéro et la clé ne vont pas ensemble.",
         "The app name, the number and the key do not belong together.", _CHECK_SETTINGS),
    _row("app_not_live", "app_not_live", _S, Action.HALT_SENDER,
         "L'application Gupshup n'est pas encore en service.", "The Gupshup app is not live yet.", _ACCOUNT),
    _row("callback_billing", "callback_billing", _S, Action.HALT_SENDER,
         "La facturation par événement n'est pas activée sur l'application.",
         "Callback billing is not enabled for the app.", _ACCOUNT),
    _row("invalid_destination", "invalid_destination", _P, Action.INVALID_NUMBER,
         "Le numéro du destinataire est mal formé.", "The recipient's number is malformed.", _CHECK_NUMBER),
    _row("too_many_requests", "too_many_requests", _S, Action.SLOW_DOWN,
         "Gupshup demande de ralentir les envois.", "Gupshup asks us to slow down.",
         Words("Rien à faire : le débit est réduit automatiquement. Si cela dure, baissez-le.",
               "Nothing to do: the rate is lowered automatically. If it lasts, lower it yourself.")),
    _row("template_exists", "template_exists", _C, Action.SHOW,
         "Un modèle porte déjà ce nom dans cette langue.", "A template of this name exists in this language already.",
         Words("Donnez un autre nom au modèle.", "Give the template another name.")),
    _row("invalid_url", "invalid_url", _S, Action.SHOW,
         "Gupshup n'a pas pu appeler l'adresse du webhook, ou elle n'a pas répondu 2xx.",
         "Gupshup could not call the webhook address, or it did not answer 2xx.",
         Words("Vérifiez que l'adresse est publique, en https, et que le serveur tourne.",
               "Check that the address is public, https, and that the server runs.")),
    _row("subscription_missing", "subscription_missing", _S, Action.SHOW,
         "Cet abonnement n'existe pas.", "This subscription does not exist.",
         Words("Relisez la liste des abonnements.", "Read the list of subscriptions again.")),
    _row("not_subscription_owner", "not_subscription_owner", _S, Action.SHOW,
         "Cet abonnement appartient à un autre compte.", "This subscription belongs to another account.",
         Words("Modifiez-le depuis le compte qui l'a créé.", "Change it from the account that made it.")),
    _row("subscription_failed", "subscription_failed", _G, Action.SHOW,
         "Gupshup n'a pas pu créer l'abonnement.", "Gupshup could not create the subscription.",
         Words("Réessayez plus tard.", "Try again later.")),
)

# What became of a call, in words of our own.
_CALLS: Final = (
    _row("dns", "dns", _N, Action.RETRY,
         "L'adresse de Gupshup n'a pas été trouvée.", "Gupshup's address was not found.", _WAIT),
    _row("connect_refused", "connect_refused", _N, Action.RETRY,
         "La connexion à Gupshup a été refusée.", "The connection to Gupshup was refused.", _WAIT),
    _row("connect_timeout", "connect_timeout", _N, Action.RETRY,
         "Gupshup n'a pas accepté la connexion à temps.", "Gupshup did not accept the connection in time.", _WAIT),
    _row("tls", "tls", _N, Action.RETRY,
         "La connexion chiffrée avec Gupshup n'a pas pu s'établir.",
         "The encrypted connection to Gupshup could not be made.",
         Words("L'envoi est retenté ; si cela dure, faites vérifier les certificats et l'adresse de l'API.",
               "Sending is tried again; if it lasts, have the certificates and the API address checked.")),
    _row("not_connected", "not_connected", _N, Action.RETRY,
         "Rien n'a pu partir vers Gupshup.", "Nothing could leave for Gupshup.", _WAIT),
    _row("fenced", "fenced", _N, Action.RETRY,
         "L'envoi a été retenu au dernier moment : rien n'est parti.",
         "Sending was held at the last moment: nothing left.", _WAIT),
    _row("read_timeout", "read_timeout", _N, Action.HOLD,
         "Gupshup n'a pas répondu à temps : le message est peut-être parti.",
         "Gupshup did not answer in time: the message may have gone.", _HOLD),
    _row("connection_lost", "connection_lost", _N, Action.HOLD,
         "La connexion s'est coupée avant la réponse : le message est peut-être parti.",
         "The connection broke before the answer: the message may have gone.", _HOLD),
    _row("bad_answer", "bad_answer", _G, Action.HOLD,
         "La réponse de Gupshup est illisible : le message est peut-être parti.",
         "Gupshup's answer is unreadable: the message may have gone.", _HOLD),
    _row("no_message_id", "no_message_id", _G, Action.HOLD,
         "Gupshup a répondu sans identifiant : le message est peut-être parti.",
         "Gupshup answered without an id: the message may have gone.", _HOLD),
    _row("contradiction", "contradiction", _G, Action.HOLD,
         "La réponse de Gupshup dit à la fois oui et non : le message est peut-être parti.",
         "Gupshup's answer says yes and no at once: the message may have gone.", _HOLD),
    _row("redirect", "redirect", _G, Action.HOLD,
         "Gupshup a renvoyé vers une autre adresse : le message est peut-être parti.",
         "Gupshup pointed to another address: the message may have gone.",
         Words("Vérifiez l'adresse de l'API (GUPSHUP_API_URL).", "Check the API address (GUPSHUP_API_URL).")),
    _row("server_error", "server_error", _G, Action.HOLD,
         "Panne chez Gupshup pendant l'envoi : le message est peut-être parti.",
         "Failure at Gupshup while sending: the message may have gone.", _HOLD),
    _row("refused", "refused", _G, Action.FAIL,
         "Gupshup a refusé ce message.", "Gupshup refused this message.",
         Words("Lisez le texte de Gupshup à côté du message ; les autres contacts ne sont pas touchés.",
               "Read Gupshup's text beside the message; other contacts are not affected.")),
    _row("forbidden", "forbidden", _S, Action.HALT_SENDER,
         "Gupshup interdit cet envoi à votre compte.", "Gupshup forbids your account to send this.", _CHECK_SETTINGS),
    _row("wrong_address", "wrong_address", _S, Action.HALT_SENDER,
         "L'adresse de l'API ne mène pas à Gupshup.", "The API address does not lead to Gupshup.",
         Words("Corrigez GUPSHUP_API_URL (https://api.gupshup.io/wa/api/v1), puis relancez l'expéditeur.",
               "Correct GUPSHUP_API_URL (https://api.gupshup.io/wa/api/v1), then start the sender again.")),
    _row("exception", "exception", _N, Action.HOLD,
         "Ce logiciel s'est interrompu pendant l'appel : le message est peut-être parti.",
         "This program broke off during the call: the message may have gone.", _HOLD),
    _row("trouble", "trouble", _N, Action.HALT_SENDER,
         "Plusieurs appels de suite à Gupshup sont restés sans réponse claire.",
         "Several calls to Gupshup in a row had no clear answer.",
         Words("Rien à faire : un message d'essai part dans une minute, puis l'envoi reprend s'il passe.",
               "Nothing to do: one message tries in a minute, and sending goes on if it gets through.")),
    _row("template_unknown", "template_unknown", _C, Action.PAUSE_CAMPAIGN,
         "Ce modèle n'est pas connu dans cette langue.", "This template is not known in this language.",
         Words("Synchronisez les modèles, puis choisissez-en un approuvé.",
               "Synchronise the templates, then choose an approved one.")),
    _row("text_invalid", "text_invalid", _C, Action.FAIL,
         "Le texte est vide ou dépasse 4096 caractères.", "The text is empty or exceeds 4096 characters.",
         Words("Corrigez le texte du message.", "Correct the message's text.")),
    _row("app_id_missing", "app_id_missing", _S, Action.SHOW,
         "L'identifiant de l'application (GUPSHUP_APP_ID) n'est pas renseigné.",
         "The app's id (GUPSHUP_APP_ID) is not set.",
         Words("Copiez l'App ID depuis les réglages de l'application Gupshup.",
               "Copy the App ID from the Gupshup app's settings.")),
)

# What Meta decided about a template or the account, told by an event or found in Gupshup's list.
_DECISIONS: Final = (
    _row("template_pending template_in_appeal", "template_pending", _C, Action.PAUSE_CAMPAIGN,
         "Le modèle attend de nouveau l'approbation de Meta.", "The template waits for Meta's approval again.",
         Words("Attendez l'approbation ou choisissez un autre modèle, puis reprenez la campagne.",
               "Wait for the approval or choose another template, then resume the campaign.")),
    _row("template_rejected template_failed", "template_rejected", _C, Action.PAUSE_CAMPAIGN,
         "Meta a refusé le modèle.", "Meta has rejected the template.", _TEMPLATE),
    _row("template_paused", "template_paused", _C, Action.PAUSE_CAMPAIGN,
         "WhatsApp a mis le modèle en pause à cause de sa qualité.",
         "WhatsApp has paused the template for its quality.",
         Words("Attendez la fin de la pause ou choisissez un autre modèle, puis reprenez la campagne.",
               "Wait until the pause ends or choose another template, then resume the campaign.")),
    _row("template_disabled", "template_disabled", _C, Action.PAUSE_CAMPAIGN,
         "WhatsApp a désactivé le modèle définitivement.", "WhatsApp has disabled the template for good.",
         Words("Créez un nouveau modèle, faites-le approuver, puis changez celui de la campagne.",
               "Create a new template, have it approved, then use it in the campaign.")),
    _row("template_deleted", "template_deleted", _C, Action.PAUSE_CAMPAIGN,
         "Le modèle a été supprimé chez Gupshup.", "The template was deleted at Gupshup.", _TEMPLATE),
    _row("template_category", "template_category", _C, Action.PAUSE_CAMPAIGN,
         "Meta a changé la catégorie du modèle : le prix et les limites d'envoi changent avec elle.",
         "Meta has changed the template's category: price and sending limits change with it.",
         Words("Vérifiez que l'envoi vous convient toujours, puis reprenez la campagne.",
               "Make sure that you still want to send it, then resume the campaign.")),
    _row("account_stopped", "account_stopped", _S, Action.HALT_SENDER,
         "Meta a désactivé ou restreint le compte WhatsApp.", "Meta has disabled or restricted the WhatsApp account.",
         _ACCOUNT),
)
# fmt: on

_DELAYS: Final = {"134101": 600, "131049": 86_400, "131056": 60}


def _expand() -> Iterator[tuple[str, ErrorEntry]]:
    for codes, name, fault, action, what, advice in (
        *_GUPSHUP,
        *_ON_PREMISES,
        *_META,
        *_ENTERPRISE,
        *_TEXTS,
        *_CALLS,
        *_DECISIONS,
    ):
        for code in codes.split():
            yield code, ErrorEntry(code, name, fault, action, what, advice, delay=_DELAYS.get(code))


CATALOGUE: Final[dict[str, ErrorEntry]] = dict(_expand())

_UNKNOWN: Final = ErrorEntry(
    code="",
    name="unknown",
    fault=Fault.UNKNOWN,
    action=Action.FAIL,
    what=Words("Gupshup signale une erreur inconnue de ce logiciel.", "Gupshup reports an unknown error."),
    advice=Words(
        "Notez le code et demandez au support ; les autres contacts ne sont pas touchés.",
        "Note the code and ask support; other contacts are not affected.",
    ),
    known=False,
)

# No code came with it. The first five are documented; the others are the plain words for what the design halts on.
_PATTERNS: Final = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"invalid app details", "invalid_app_details"),
        (r"authentication failed|portal user not found|invalid api ?key|unauthori[sz]ed", "authentication_failed"),
        (r"invalid destination", "invalid_destination"),
        (r"too many requests|rate limit", "too_many_requests"),
        (r"number opted out", "1012"),
        (r"callback billing must be enabled", "callback_billing"),
        (r"app is not live|waba id not found", "app_not_live"),
        (r"template already exists", "template_exists"),
        (r"invalid url passed", "invalid_url"),
        (r"subscription does not exist", "subscription_missing"),
        (r"not subscription owner", "not_subscription_owner"),
        (r"unable to create subscription", "subscription_failed"),
        (r"wallet|insufficient (?:balance|funds)|low balance", "1003"),
        (r"template\b.{0,40}\bpaused", "132015"),
        (r"template\b.{0,40}\bdisabled", "132016"),
        (r"template\b.{0,40}\b(?:not found|(?:does not|doesn't) exists?)", "132001"),
        (r"account\b.{0,40}\b(?:blocked|locked|disabled|restricted)", "131031"),
    )
)


def normalise(code: object) -> str:
    """A code as the catalogue spells it: text without blanks; ``1002``, ``"1002"`` and ``1002.0`` are one."""
    if isinstance(code, bool) or code is None:
        return ""
    if isinstance(code, float):
        return str(int(code)) if code.is_integer() else ""
    return clean(str(code), 256).strip().lower()[:64] if isinstance(code, int | str) else ""


def lookup(code: object) -> ErrorEntry:
    """The entry of a code; never raises. An unknown code is final for its message and touches nothing else.

    ``known`` is False then, and ``code`` is what was asked for.
    """
    word = normalise(code)
    if entry := CATALOGUE.get(word):
        return entry
    if len(word) == 3 and word.isdecimal() and word[0] == "2":  # Meta: 200 to 299 are all permissions
        return _named(CATALOGUE["10"], word)
    if re.fullmatch(r"http_\d{3}", word):
        return _named(CATALOGUE["server_error" if word[5] == "5" else "refused"], word)
    return _named(_UNKNOWN, word)


def by_text(text: str) -> ErrorEntry | None:
    """The entry for an answer that has a text and no code, or None when the text is not known."""
    words = " ".join(text.lower().split())[:500]
    return next((CATALOGUE[code] for pattern, code in _PATTERNS if pattern.search(words)), None)


def _named(entry: ErrorEntry, code: str) -> ErrorEntry:
    return ErrorEntry(
        code, entry.name, entry.fault, entry.action, entry.what, entry.advice, delay=entry.delay, known=entry.known
    )
