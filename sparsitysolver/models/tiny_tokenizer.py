"""The byte-level BPE tokenizer of the tiny models, trained on the mini language's own training text."""

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

PAD, BOS = "<pad>", "</s>"  # "</s>" opens a document, as it does for OPT
VOCAB_SIZE = 1280
# words with their space, runs of line breaks, other signs: keeps the paragraph break one token
PIECES = r" ?[A-Za-z]+|\n+| ?[^\sA-Za-z]+|\s+"


def train_tokenizer(text: str, max_length: int, vocab_size: int = VOCAB_SIZE) -> PreTrainedTokenizerFast:
    """A tokenizer of `vocab_size` entries that puts `</s>` first.

    Every byte has an entry, so any text encodes. `max_length` (tokens) is only recorded.
    """
    bpe = Tokenizer(models.BPE())
    bytes_of_pieces = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(PIECES), "isolated"), bytes_of_pieces])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(text.splitlines(keepends=True), trainer)
    bos_id = bpe.token_to_id(BOS)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, bos_id)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BOS,
        eos_token=BOS,
        pad_token=PAD,
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
