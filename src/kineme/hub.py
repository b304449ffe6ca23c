"""Models on the Hugging Face Hub: addresses, downloads, uploads. What comes from there is data, never code.

    hf:user/name              the newest revision
    hf:user/name@revision     a branch, a tag or a commit

Only files that a run has are asked for, by names that are checked first. They stay in the cache of
huggingface_hub, and are found there without a network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from kineme.errors import KinemeError, one_line
from kineme.runs import WEIGHTS
from kineme.untrusted import bad_name

PREFIX = "hf:"
ALLOWED = re.compile(
    r"model\.safetensors|config\.yaml|README\.md|classifiers/[^/\\.][^/\\]*\.safetensors|"
    r"results/\w[\w.+-]*\.json"
)
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_REVISION = re.compile(r"\w[\w./-]*")


def is_address(path: str | Path) -> bool:
    """Whether a path is the address of a model on the hub.

    >>> is_address("hf:user/name"), is_address("runs/mine")
    (True, False)
    """
    return str(path).startswith(PREFIX)


def check_repository(name: str) -> str:
    """Checks the name of a repository.

    Raises:
        KinemeError: it is not user/name.
    """
    if not _REPOSITORY.fullmatch(name) or ".." in name or "--" in name:
        raise KinemeError(f"{name}: is not a repository name; write user/name, such as anna/walking")
    return name


def parse_address(address: str) -> tuple[str, str | None]:
    """`hf:user/name@revision` → repository and revision, None if there is none.

    Raises:
        KinemeError: it is malformed.

    >>> parse_address("hf:user/name@v1.0")
    ('user/name', 'v1.0')
    """
    repository, at, revision = address.removeprefix(PREFIX).partition("@")
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise KinemeError(f"{address}: has no valid revision; write {PREFIX}user/name@revision")
    return check_repository(repository), revision or None


def fetch(address: str | Path) -> Path:
    """Downloads a model and returns its folder in the cache, which reads as a run directory.

    Without a network, or in huggingface_hub's offline mode, it is what the cache holds.

    Raises:
        KinemeError: huggingface_hub is missing; there is no such model, or no right to read it; it cannot be
            reached and is not in the cache.
    """
    check_installed()
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, revision = parse_address(str(address))
    with _explained(str(address)):
        try:
            info = HfApi().model_info(repository, revision=revision)
        except Exception as error:
            if not _is_unreachable(error):
                raise
            try:
                weights = hf_hub_download(repository, WEIGHTS, revision=revision, local_files_only=True)
            except LocalEntryNotFoundError:
                raise KinemeError(
                    f"{address}: the hub cannot be reached, and the model is not in the cache; try again "
                    "with a network"
                ) from error
            return Path(weights).parent
        names = [each.rfilename for each in info.siblings or ()]
        if WEIGHTS not in names:
            raise KinemeError(f"{address}: holds no {WEIGHTS}, so it is not a model of Kineme")
        weights = hf_hub_download(repository, WEIGHTS, revision=revision)
        for name in names:
            if ALLOWED.fullmatch(name) and not bad_name([name]) and name != WEIGHTS:
                hf_hub_download(repository, name, revision=info.sha)
    return Path(weights).parent


def upload(folder: Path, repository: str, *, private: bool, message: str) -> str:
    """Uploads a folder as the contents of a repository, which is made if there is none.

    Classifiers and results of an earlier upload that are not in the folder are removed.

    Returns:
        Its address in a browser.

    Raises:
        KinemeError: huggingface_hub is missing, nobody is logged in or has the right to write, or the hub
            cannot be reached.
    """
    check_installed()
    from huggingface_hub import HfApi, get_token

    check_repository(repository)
    if get_token() is None:
        raise KinemeError("you are not logged in to the hub; run `hf auth login`, or set HF_TOKEN")
    with _explained(repository):
        api = HfApi()
        url = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message=message,
            delete_patterns=["classifiers/*", "results/*"],
        )
    return str(url)


def check_installed() -> None:
    """Checks for the package of the extra `hub`.

    Raises:
        KinemeError: it is missing.
    """
    if find_spec("huggingface_hub") is None:
        raise KinemeError('the hub needs huggingface_hub; pip install "kineme[hub]"')


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raises KinemeError in one line for whatever huggingface_hub and its HTTP client raise."""
    from huggingface_hub import errors

    try:
        yield
    except KinemeError:
        raise
    except errors.RevisionNotFoundError as error:
        raise KinemeError(f"{what}: has no such revision") from error
    except errors.GatedRepoError as error:
        raise KinemeError(f"{what}: is gated; accept its conditions on its page first") from error
    except errors.RepositoryNotFoundError as error:
        raise KinemeError(
            f"{what}: no such model, or it is private; check its name, and log in by `hf auth login` or "
            "HF_TOKEN"
        ) from error
    except errors.HFValidationError as error:
        raise KinemeError(f"{what}: is not a repository ({one_line(error)})") from error
    except errors.HfHubHTTPError as error:
        status, reason = getattr(error.response, "status_code", None), one_line(error)
        if status == 401:
            raise KinemeError(
                f"{what}: the token is not valid; run `hf auth login`, or set HF_TOKEN"
            ) from error
        if status == 403:
            raise KinemeError(f"{what}: the token has no right to do this ({reason})") from error
        raise KinemeError(f"{what}: the hub refuses this ({reason})") from error
    except Exception as error:  # of the HTTP client, which differs between versions
        failed = "the hub cannot be reached" if _is_unreachable(error) else "the transfer failed"
        raise KinemeError(f"{what}: {failed} ({one_line(error)})") from error


def _is_unreachable(error: Exception) -> bool:
    """Whether no answer came at all. Clients: requests before huggingface_hub 1.0, httpx and httpx2 since."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"OfflineModeIsEnabled", "ConnectionError", "TransportError", "Timeout"})
