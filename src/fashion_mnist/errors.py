"""Every error that a user can cause or correct, in one tree.

A message says what was found, what was expected, where, and what to do. A stage prints it as one line
and exits with code 1; anything outside this tree is a defect of the project and keeps its traceback.
"""


class PipelineError(Exception):
    """Base of all errors that a stage reports in one line."""


class ParamsError(PipelineError):
    """A parameter file that is missing, malformed, incomplete or inconsistent."""


class DataError(PipelineError):
    """Data that is damaged, inconsistent or not the data set it is said to be."""


class DownloadError(PipelineError):
    """A source that does not answer or does not hold the files."""


class ArtifactError(PipelineError):
    """A file between stages that is missing, unreadable or unwritable, or does not fit its contract."""


class GitError(PipelineError):
    """A git command that fails, or git that is not installed."""


class BaselineError(PipelineError):
    """A git revision that is missing, or whose evaluation cannot be compared with the present one."""


class ClusterError(PipelineError):
    """A Dask cluster that does not answer, or has no worker that may run a trial."""


class StudyError(PipelineError):
    """A study that is incomplete, or was made of other data or parameters than the present ones."""


def innermost(error: BaseException) -> str:
    """Return the innermost cause of an error that is a sentence, in one line: it says more than what is wrapped around.

    A single word, such as the key of a KeyError, is no sentence. If no cause is one, the innermost is named.
    """
    cause, said = error, str(error)
    while True:
        words = str(cause).split()
        said = " ".join(words) if len(words) > 1 or cause is error else said
        inner = cause.__cause__ or cause.__context__ or getattr(cause, "reason", None)
        if not isinstance(inner, BaseException):
            return said or type(cause).__name__
        cause = inner


def shorten(text: str, most: int) -> str:
    """Cut a text after its last whole sentence within `most` characters; after a word, if not even one fits."""
    if len(text) <= most:
        return text
    sentence = text[: most + 1].rfind(". ")
    return text[: sentence + 1] if sentence > 0 else f"{text[: most - 1].rpartition(' ')[0]} …"
