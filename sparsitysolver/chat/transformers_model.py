"""A chat model of the machine's own, by transformers."""

from pathlib import Path
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import PreTrainedModel

from sparsitysolver.chat.driver import Messages, Reply
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import chat_model_sha256
from sparsitysolver.models.loading import load_chat_model, load_tokenizer, resolve_model, weights_identity
from sparsitysolver.records.files import Json


class TransformersModel:
    """A model that is loaded when it is asked first; until then a recorded conversation may answer for it."""

    def __init__(
        self,
        name: str,
        settings: ChatSettings | None = None,
        device: str = "auto",
        dtype: str = "auto",
        assets: Assets | None = None,
    ) -> None:
        self._source = resolve_model(name, assets or Assets.from_environment())
        self.settings = settings or ChatSettings()
        self._device, self._dtype = device, dtype
        self._tokenizer = load_tokenizer(self._source)
        self._model: PreTrainedModel | None = None
        if not self._tokenizer.chat_template:
            raise SparsitySolverError(f"{name} is no chat model: its tokenizer has no chat template.")

    def identity(self) -> Json:
        """Name and weights; of a folder all that decides what it answers."""
        local = {"sha256": chat_model_sha256(Path(self._source.location))} if self._source.is_local else {}
        weights = weights_identity(self._source)
        return {"kind": "transformers", "model": self._source.name, "url": None, "weights_sha256": weights} | local

    def complete(self, messages: Messages, seed: int) -> Reply:
        """Sample an answer; the same seed gives the same one on the same machine.

        Raises:
            SparsitySolverError: the messages do not fit the model's template or context.
        """
        model = self._loaded()
        inputs = self._inputs(messages).to(model.device)
        length = inputs["input_ids"].shape[1]
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        room = None if context is None else context - length
        if room is not None and room < 1:
            raise SparsitySolverError(
                f"the prompt takes {length} tokens, and chat model {self._source.name} reads {context}: take one of a "
                "longer context."
            )
        limits = (self.settings.max_tokens, room)
        most = min((limit for limit in limits if limit is not None), default=ChatSettings.max_tokens)
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed)
            output = model.generate(**inputs, max_new_tokens=most, **self._sampling())
        new = output[0, length:]
        return Reply(
            text=self._tokenizer.decode(new, skip_special_tokens=True),
            model=self._source.name,
            usage={"prompt_tokens": length, "completion_tokens": len(new)},
            finish="length" if len(new) == most else "stop",
        )

    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            self._model = load_chat_model(self._source, self._device, self._dtype)
        return self._model

    def _inputs(self, messages: Messages) -> Any:
        try:
            return self._tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
        except TemplateError as error:
            raise SparsitySolverError(
                f"the chat template of {self._source.name} takes no single user message: {error}."
            ) from error

    def _sampling(self) -> Json:
        """Greedy at temperature 0; the model's own way where none is set."""
        temperature = self.settings.temperature
        if temperature is None:
            return {}
        return {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
