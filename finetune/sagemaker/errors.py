"""Refusals of AWS as sentences with the next step. No message holds a secret."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from finetune.errors import FinetuneError


class SageMakerError(FinetuneError):
    """Something on the side of AWS failed, or cannot be asked of it."""


class ResourceMissing(SageMakerError):
    """The resource does not exist (any more)."""


class AccessRefused(SageMakerError):
    """The credentials are right, and they may not do this."""


class QuotaReached(SageMakerError):
    """The account may not have (so many of) these instances."""


NO_CREDENTIALS = (
    "no AWS credentials were found. Name a profile by --profile, sign in with "
    "`aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on an EC2 "
    "instance with a role, say --instance-role"
)
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
    }
)
UNKNOWN_KEY = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "AuthFailure",
    }
)
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "403",
    }
)
GONE = frozenset(
    {
        "404",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchKey",
        "NotFoundException",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "NoSuchResourceException",
    }
)
SLOW_DOWN = frozenset(
    {
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# SageMaker has one code for a wrong value and for a thing that is not there.
_NOT_THERE = ("could not find", "does not exist", "not found", "cannot find")


@contextmanager
def told(doing: str) -> Generator[None]:
    """Turn botocore's errors into sentences: `doing` could not be done, and why.

    Args:
        doing: what was tried, after "cannot": "read the price of ml.g5.2xlarge".

    Raises:
        SageMakerError: or the one of its kinds that fits.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise in_words(error, doing) from error


def in_words(error: Exception, doing: str) -> SageMakerError:
    """An error of boto3 as one of ours."""
    from botocore import exceptions as those
    from botocore.exceptions import ClientError

    if isinstance(error, ClientError):
        return _of_service(error, doing)
    match error:
        case those.NoCredentialsError() | those.PartialCredentialsError():
            return SageMakerError(f"cannot {doing}: {NO_CREDENTIALS}")
        case those.ProfileNotFound():
            return SageMakerError(
                f"cannot {doing}: {error}. `aws configure list-profiles` shows those "
                "that are there; name one by --profile"
            )
        case those.NoRegionError():
            return SageMakerError(NO_REGION)
        case those.TokenRetrievalError() | those.UnauthorizedSSOTokenError():
            return SageMakerError(
                f"cannot {doing}: the sign-in has expired ({error}). Sign in again "
                "with `aws sso login`"
            )
        case those.SSOTokenLoadError():
            return SageMakerError(
                f"cannot {doing}: there is no sign-in yet ({error}). Sign in with "
                "`aws sso login`"
            )
        case those.CredentialRetrievalError():
            return SageMakerError(
                f"cannot {doing}: the profile gives no credentials ({error})"
            )
        case those.EndpointConnectionError() | those.HTTPClientError():
            return SageMakerError(
                f"cannot {doing}: {_connection(error)}. See that this computer is "
                "online and that the region is right, and call it again: what is done "
                "already is not done twice"
            )
        case those.ParamValidationError():
            return SageMakerError(f"cannot {doing}: {error}")
        case _:
            return SageMakerError(f"cannot {doing}: {error}")


NO_REGION = (
    "no region is configured, and none is taken by itself: it decides in which "
    "country the data lies. Name it by --region, or set it in the profile (`aws "
    "configure`)"
)


def _connection(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, SageMakerError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error)


def code_of(error: BaseException) -> str:
    """The code of a service's error: "ResourceInUse"; empty for any other error."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", "")).split("#")[-1]


def _of_service(error: Exception, doing: str) -> SageMakerError:
    code = code_of(error)
    response = getattr(error, "response", {})
    message = str(response.get("Error", {}).get("Message", "")) or code
    if code in EXPIRED:
        return SageMakerError(
            f"cannot {doing}: the AWS credentials have expired. Sign in again (`aws "
            "sso login`), or set new ones"
        )
    if code in UNKNOWN_KEY:
        return SageMakerError(
            f"cannot {doing}: AWS does not know these credentials ({code}). Look at "
            "the access key of the profile; a key of another partition (China, "
            "GovCloud) holds in its own regions alone"
        )
    if code in DENIED:
        return AccessRefused(
            f"cannot {doing}: these credentials may not ({message}). `medassist "
            "finetune sagemaker role` shows the rights that are needed; who "
            "runs the account can give them"
        )
    if code == "ResourceLimitExceeded":
        return QuotaReached(
            f"cannot {doing}: a quota of the account is reached ({message}). "
            "`medassist finetune sagemaker plan` shows how to ask for more"
        )
    if code in GONE or (
        code == "ValidationException"
        and any(words in message.lower() for words in _NOT_THERE)
    ):
        return ResourceMissing(f"cannot {doing}: it does not exist ({message})")
    if code == "ResourceInUse":
        return SageMakerError(
            f"cannot {doing}: the name is taken already, or it is busy ({message})"
        )
    if code in SLOW_DOWN:
        return SageMakerError(
            f"cannot {doing}: AWS asks us to wait ({code}); call it again in a minute"
        )
    return SageMakerError(f"cannot {doing}: {message} ({code})")
