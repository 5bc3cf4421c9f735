"""The reply to a request that is refused."""

from pydantic import BaseModel, ConfigDict, Field


class ProblemReply(BaseModel):
    """Problem details (RFC 9457).

    ``detail`` is one sentence with the reason, the numbers and the ids; ``code`` is stable.
    ``fields`` says of each wrong field why, after a 400. ``type`` is ``about:blank``,
    ``resource_limit_exceeded`` or ``approval_required``. A refused transaction has further
    members, such as ``transaction_id``.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: dict[str, str] = Field(default={})
