"""Chat models of the machine's own; a random one is enough to try the road."""

import pytest
from chat_cases import FAST
from tiny import tiny_folder, tiny_model, tiny_tokenizer

from sparsitysolver.chat.prompts import message
from sparsitysolver.chat.settings import ChatSettings
from sparsitysolver.chat.transformers_model import TransformersModel
from sparsitysolver.errors import SparsitySolverError

pytestmark = pytest.mark.filterwarnings("ignore")
PROMPT = message("w3 w4 w5 w6")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "babbler"
    tiny_model("llama").save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}w9 {{ m.content }} {% endfor %}w8"
    tokenizer.save_pretrained(folder)
    return folder


def ask(folder, seed=0, **settings):
    return TransformersModel(str(folder), ChatSettings(**{"max_tokens": 5, **settings})).complete(PROMPT, seed)


def test_a_reply_is_decided_by_its_seed(folder):
    reply = ask(folder)
    assert reply == ask(folder) and reply.text != ask(folder, seed=1).text
    assert (reply.model, reply.finish, reply.attempts) == ("babbler", "length", 1)
    assert reply.usage == {"prompt_tokens": 6, "completion_tokens": 5}  # w9 w3 w4 w5 w6 w8
    assert len(reply.text.split()) == 5
    assert ask(folder, temperature=0).text == ask(folder, seed=1, temperature=0).text  # greedy


def test_prompt_and_reply_must_fit_the_context(folder):
    assert sum(ask(folder, max_tokens=None).usage.values()) <= 64
    model = TransformersModel(str(folder), FAST)
    with pytest.raises(SparsitySolverError, match="the prompt takes 102 tokens, and chat model babbler reads 64"):
        model.complete(message("w3 " * 100), 0)


def test_its_identity_is_name_and_weights(folder):
    identity = TransformersModel(str(folder)).identity()
    assert len(identity.pop("weights_sha256")) == len(identity.pop("sha256")) == 64
    assert identity == {"kind": "transformers", "model": "babbler", "url": None}


def test_a_model_without_chat_template():
    with pytest.raises(SparsitySolverError, match="is no chat model: its tokenizer has no chat template"):
        TransformersModel(str(tiny_folder("llama")))


def test_a_template_that_refuses(folder, tmp_path):
    model = TransformersModel(str(folder), FAST)
    model._tokenizer.chat_template = "{{ raise_exception('no users') }}"
    with pytest.raises(SparsitySolverError, match="takes no single user message: no users"):
        model.complete(PROMPT, 0)
