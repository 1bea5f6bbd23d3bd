"""Files of data sets of the hub, in the hub library's own cache."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from medctx.errors import MedctxError
from medctx.fetch.errors import RetryError, may_pass, refused, unreachable, with_retries
from medctx.fetch.http import connection_problem


def from_hub(repo: str, file: str, revision: str, *, force: bool = False) -> tuple[Path, str]:
    """Fetch a file of a data set; return it in the hub's cache, and the commit it belongs to.

    ``HF_ENDPOINT``, ``HF_HOME``, ``HF_TOKEN`` and ``HF_HUB_OFFLINE`` are honoured.

    Args:
        repo: Data set, ``owner/name``.
        file: File in it.
        revision: Commit, tag or branch.
        force: Whether to download the file even if it is in the cache.
    """
    import huggingface_hub

    place = f"{file} of the data set {repo} (revision {revision})"

    def download() -> tuple[Path, str]:
        try:
            path = Path(
                huggingface_hub.hf_hub_download(
                    repo, file, repo_type="dataset", revision=revision, force_download=force
                )
            )
        except Exception as error:
            raise hub_error(place, error) from None
        # The hub's cache lays files out as snapshots/<commit>/<file>.
        return path, path.parents[file.count("/")].name

    return with_retries(place, download)


def hub_error(place: str, error: Exception) -> Exception:
    """Return what an exception of the hub library stands for; a defect is returned unchanged."""
    # As a module without types: it gathers some of its names without listing them.
    errors: ModuleType = import_module("huggingface_hub.errors")
    if isinstance(error, errors.GatedRepoError):
        return refused(place, 403)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return RetryError(f"the hub answers {status}") if may_pass(status) else refused(place, status)
    if problem := connection_problem(error):
        return unreachable(place, problem)
    if isinstance(error, errors.LocalEntryNotFoundError):
        cause = error.__cause__
        reason = "offline mode is on" if isinstance(cause, errors.OfflineModeIsEnabled) else "the hub does not answer"
        return unreachable(place, f"{reason} and it is not in the hub's cache")
    if isinstance(error, errors.HTTPError):
        return RetryError(type(error).__name__)
    if isinstance(error, errors.HFValidationError):
        return MedctxError(f"{place} is no name on a hub ({str(error).splitlines()[0]}); correct it.")
    if isinstance(error, OSError):
        return unreachable(place, str(error).partition("\n")[0] or type(error).__name__)
    return error
