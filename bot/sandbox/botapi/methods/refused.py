"""Documented methods that are always refused, in Telegram's words, and those that merely say ``True``.

The stand-in has no business accounts, gifts, games, payments, stories, managed bots, ephemeral messages or sticker
sets, and takes no rich messages, paid or live media: it answers as Telegram does where a bot names one that doesn't
exist.
"""

from typing import Any

from bot.sandbox.botapi.context import METHODS, Context, Handler, method
from bot.sandbox.botapi.errors import bad_request

_QUERY_GONE = "query is too old and response timeout expired or query ID is invalid"

_REFUSED: dict[str, str] = {
    "BUSINESS_CONNECTION_INVALID": """
        convertGiftToStars deleteBusinessMessages deleteStory editMessageChecklist editStory
        getBusinessAccountGifts getBusinessAccountStarBalance getBusinessConnection postStory readBusinessMessage
        removeBusinessAccountProfilePhoto repostStory sendChecklist setBusinessAccountBio
        setBusinessAccountGiftSettings setBusinessAccountName setBusinessAccountProfilePhoto
        setBusinessAccountUsername transferBusinessAccountStars transferGift upgradeGift
    """,
    "STICKERSET_INVALID": """
        addStickerToSet createNewStickerSet deleteStickerFromSet deleteStickerSet getStickerSet replaceStickerInSet
        setCustomEmojiStickerSetThumbnail setStickerEmojiList setStickerKeywords setStickerMaskPosition
        setStickerPositionInSet setStickerSetThumbnail setStickerSetTitle uploadStickerFile setChatStickerSet
        deleteChatStickerSet
    """,
    "STARGIFT_INVALID": "sendGift giftPremiumSubscription",
    "CHARGE_ID_INVALID": "refundStarPayment editUserStarSubscription",
    "PAYMENT_PROVIDER_INVALID": "sendInvoice createInvoiceLink",
    "BOT_INVALID": """
        getManagedBotAccessSettings getManagedBotToken replaceManagedBotToken setManagedBotAccessSettings
    """,
    "wrong game short name specified": "sendGame",
    "message to edit not found": """
        editEphemeralMessageCaption editEphemeralMessageMedia editEphemeralMessageReplyMarkup
        editEphemeralMessageText editMessageLiveLocation getGameHighScores setGameScore stopMessageLiveLocation
    """,
    "message to delete not found": "deleteEphemeralMessage",
    _QUERY_GONE: """
        answerChatJoinRequestQuery answerPreCheckoutQuery answerShippingQuery
        answerWebAppQuery sendChatJoinRequestWebApp
    """,
    "HIDE_REQUESTER_MISSING": "approveChatJoinRequest declineChatJoinRequest",
    "SUGGESTED_POST_INVALID": "approveSuggestedPost declineSuggestedPost",
    "can't parse rich message: expected a supported block": "sendRichMessage sendRichMessageDraft",
    "MEDIA_INVALID": "sendLivePhoto sendPaidMedia",
    "inline mode is disabled for the bot": "savePreparedInlineMessage",
    "BUTTON_INVALID": "savePreparedKeyboardButton",
    "USER_PERMISSION_DENIED": "setUserEmojiStatus",
    "BOT_VERIFIER_FORBIDDEN": "removeChatVerification removeUserVerification verifyChat verifyUser",
    "DATA_INVALID": "setPassportDataErrors",
    "PHOTO_INVALID": "setMyProfilePhoto removeMyProfilePhoto",
}
"""Telegram's words, each with the methods that answer them."""


def _refusing(words: str) -> Handler:
    async def refuse(_: Context) -> Any:
        raise bad_request(words)

    return refuse


REFUSED = frozenset(" ".join(_REFUSED.values()).split())
"""The names of all methods that are always refused."""

for _words, _names in _REFUSED.items():
    for _name in _names.split():
        method(_name)(_refusing(_words))


def implemented() -> frozenset[str]:
    """Return the names of the methods that do what they are documented to do."""
    return frozenset(one.name for one in METHODS.values()) - REFUSED
