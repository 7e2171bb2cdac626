"""Words in which the service refuses, or tells why something failed, in either language."""

import re

NO_SESSION = re.compile(
    r"(?:session|会话).{0,80}(?:not found|not exist|no longer|expired|deleted|gone|不存在|过期|删除)"
    r"|(?:no such|unknown) session",
    re.DOTALL,
)
NO_SESSION_ALONE = re.compile(
    r"\W*(?:[\w.]*(?:error|exception)\W+)?(?:\d{3}\W+)?(?:the |your |this )?session(?: \S{1,80})?"
    r"\W{0,3}(?:is |was |has |does )?(?:been )?(?:not found|not exist|no longer|expired|deleted|gone)"
    r"|\W*会话.{0,80}(?:不存在|过期|删除)"
)
"""Begins a message that is about nothing else."""
LOGIN = re.compile(r"\b(?:log|sign)(?:ged)?[ -]?(?:in|on)\b|login|token|登[录陆]")

TAKEN = re.compile(r"already (?:exists|used|taken)|\bin use\b|duplicate")
UPLOADED = re.compile(
    r"already (?:exists?|been uploaded|uploaded|in (?:the |this |your )?(?:project|session|library))\b"
    r"|duplicate (?:file|video|upload)|已上传|(?:文件|视频|素材|图片|音频).{0,8}(?:已存在|重复)"
)

_PLACE = r"(?:sandbox|container|environment|workspace|沙[箱盒]|容器|环境)"
STARTING_NOW = re.compile(
    r"\bwarming\b|\b(?:is|are|still|being|currently)\s(?:being\s|still\s|not\s)?"
    r"(?:start|boot|creat|provision|prepar|initiali|(?<=not\s)ready|wak|resum|warm)\w*"
    r"|(?:正在|还在|尚在).{0,6}(?:启动|准备|创建|唤醒|初始化)",
    re.IGNORECASE,
)
"""Of a refusal; elsewhere it may be work that is starting."""
PLACE_STARTING = re.compile(
    rf"{_PLACE}[\s_]?(?:(?:is|still|currently|being|not|yet|warm|wak)\w*[\s_]){{0,4}}"
    r"(?:(?:start|boot|provision|prepar|initiali[sz]|warm|wak|resum)ing|(?<=ing[\s_])up"
    r"|(?:(?<=not[\s_])|(?<=yet[\s_]))ready|(?<=being )\w{4,}ed)\b"
    rf"|{_PLACE}(?:仍|还)?(?:正在|还在|尚在|未|尚未|没有?).{{0,4}}(?:启动|准备|创建|唤醒|就绪)"
    rf"|正在(?:启动|准备|创建|唤醒).{{0,6}}{_PLACE}",
    re.IGNORECASE,
)
"""Can't mean anything but the place where the agent works."""
WARMING = re.compile(
    r"\bwarm\w*.?up"
    r"|\b(?:service|server|agent|instance|backend|app(?:lication)?) (?:is )?(?:still )?(?:starting|booting)(?! to)",
    re.IGNORECASE,
)
NOT_READY = re.compile(
    r"\b(?:starting|booting|initiali[sz]ing|provisioning|resuming|waking|preparing|spinning)|being prepared|not ready"
    r"|cold.?start|\bstill loading\b|prepare your|sandbox|\bcontainer|沙[箱盒]"
    r"|(?:环境|容器|正在|还在).{0,20}(?:启动|准备|创建|初始化)",
    re.IGNORECASE,
)
"""Of a refusal: whatever it says of the sandbox. After a gateway's 5xx these words may be about work that
has begun."""

PLAN = re.compile(
    r"\bplan\b|\btier\b|\btrial\b|upgrade|subscri|not included|premium|entitle|paying|payment.?required|\bvip\b"
    r"|\bpro[ -](?:member|user|account|feature|only)|requires pro\b|(?:paid|free) (?:account|member|user)"
    r"|membership|套餐|升级|会员|订阅|付费|专业版|免费版|开通VIP",
    re.IGNORECASE,
)
_PAID = r"(?:paid|pro|premium|plus|higher(?! (?:bitrate|resolution|quality|version))|business|standard|creator|vip)"
_OF_ACCOUNT = r"(?:plan|tier|subscription|membership|account|members?|users?)"
NEEDS_PLAN = re.compile(
    rf"upgrade (?:your {_OF_ACCOUNT}|to (?:\w+ ){{0,2}}(?:{_PAID}|{_OF_ACCOUNT}))\b|\bplan upgrade\b"
    r"|\b(?:free|starter|trial) (?:plan|tier)\b|\b(?:free|basic|current|your) (?:tier|subscription|membership)\b"
    r"|\bplan limit|\bplan does(?: not|n['’]t) (?:include|allow|support|cover|permit)"
    rf"|\b(?:subscription|membership|vip|{_PAID} {_OF_ACCOUNT})[ -](?:limit|required|needed|only|features?)"
    rf"|\b{_PAID}[ -](?:only(?! (?:support|accept|work))|features?)\b|\b(?:free|trial|guest) (?:users?|accounts?)\b"
    rf"|\b(?:requires?|needs?|only (?:for|in|on|with)) (?:an? |the )?(?:\w+ )?"
    rf"(?:subscription|membership|vip|{_PAID} {_OF_ACCOUNT}|(?:pro|premium)(?=$|[.,;!]))"
    r"|(?:includ|availab|allow|support|permit|cover)\w* (?:in|on|for|by|with|under) (?:\w+ ){0,2}plan\b"
    r"|payment.?required|套餐|专业版|免费版|请(?:先)?(?:订阅|升级)|升级(?:账[户号]|版本)"
    r"|(?:需要?|仅限?|限|开通|成为|升级为?|非).{0,4}会员|会员(?:专|才|可用|功能|权益)"
    r"|付费(?:版|用户|账[户号]|订阅|后)|(?:需要?|请)付费",
    re.IGNORECASE,
)
"""Can't mean anything but the account's plan."""
MAINTENANCE = re.compile(
    r"(?:service|system|server|maintenance).{0,12}upgrad\w*(?: in progress)?|upgrad\w* in progress|being upgraded"
    r"|(?:系统|服务|服务器)\S{0,4}升级|升级(?:中|维护)",
    re.IGNORECASE,
)
STATUS_WORDS = re.compile(r"payment.?required", re.IGNORECASE)
"""What any 402 says."""

TOKEN_NAMED = re.compile(
    r"token|credential|api.?key|unauthori[sz]ed|authenticat|令牌|密钥|登[录陆]|未授权|鉴权|身份验证",
    re.IGNORECASE,
)
TOKEN_REFUSED = re.compile(
    rf"{TOKEN_NAMED.pattern}|expired|revoked|logg?(?:ed)?.?in|过期|失效", re.IGNORECASE
)
LACKS_SCOPE = re.compile(r"scope|guest|anonymous|permission|游客|权限", re.IGNORECASE)
"""At a render: guests' tokens have no right to it."""

TOO_LARGE = re.compile(
    r"too (?:large|big)|exceed\w*.{0,40}(?:size|limit|\d ?[mg]i?b\b)|size.{0,20}(?:limit|exceed)"
    r"|过大|太大|超过.{0,10}(?:大小|限制)",
    re.IGNORECASE,
)
KIND_REFUSED = re.compile(
    r"(?:unsupported|not supported|invalid|unknown).{0,30}(?:type|format|codec|extension)"
    r"|(?:type|format|codec|extension).{0,30}(?:not (?:supported|allowed|accepted)|unsupported)"
    r"|不支持.{0,10}(?:格式|类型)|(?:格式|类型).{0,10}不支持",
    re.IGNORECASE,
)
