"""A chat model of the machine's own, by transformers."""

from pathlib import Path

import torch
from jinja2 import TemplateError
from transformers import PreTrainedModel

from sparsitysolver.chat.settings import ChatSettings, Messages, Reply
from sparsitysolver.config.assets import Assets
from sparsitysolver.errors import SparsitySolverError
from sparsitysolver.model_files import chat_model_sha256
from sparsitysolver.models.loading import load_chat_model, load_tokenizer, weights_identity
from sparsitysolver.models.source import resolve_model
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

        Messages that do not fit the model's template or context are an error.
        """
        if self._model is None:
            self._model = load_chat_model(self._source, self._device, self._dtype)
        model, name, tokenizer = self._model, self._source.name, self._tokenizer
        try:
            inputs = tokenizer.apply_chat_template(
                list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
            ).to(model.device)
        except TemplateError as error:
            raise SparsitySolverError(f"the chat template of {name} takes no single user message: {error}.") from error
        length = inputs["input_ids"].shape[1]
        context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        room = None if context is None else context - length
        if room is not None and room < 1:
            raise SparsitySolverError(
                f"the prompt takes {length} tokens, and chat model {name} reads {context}: take one of a longer "
                "context."
            )
        limits = (self.settings.max_tokens, room)
        most = min((limit for limit in limits if limit is not None), default=ChatSettings.max_tokens)
        temperature, sampling = self.settings.temperature, {}  # the model's own way where none is set; greedy at 0
        if temperature is not None:
            sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            torch.manual_seed(seed)
            output = model.generate(**inputs, max_new_tokens=most, **sampling)
        new = output[0, length:]
        return Reply(
            text=tokenizer.decode(new, skip_special_tokens=True),
            model=name,
            usage={"prompt_tokens": length, "completion_tokens": len(new)},
            finish="length" if len(new) == most else "stop",
        )
